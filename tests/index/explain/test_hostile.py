"""Hostile lines: a hundred attempts to speak to the model change nothing, even where it obeys."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from index.diagnosis.types import Mode
from index.explain.answer import read_answer
from index.explain.merge_answer import Conclusion, conclude
from index.explain.prompt import Prompt, build
from index.text.sanitize import strip_markup, suspect
from tests.index.incident import Plain, incident, rules
from tests.messages_server import answer, said

LINES: list[str] = json.loads((Path(__file__).parents[1] / "data" / "hostile.json").read_text(encoding="utf-8"))
DANGEROUS = re.compile(
    r"https?:|www\.|evil\.example/|javascript:|[<>]|\x1b|\]\(|[\u200b-\u202e]|@channel|@here", re.IGNORECASE
)
HOSTILE = "L6"
"""The id that a sixth line gets."""


def calm(line: str) -> str:
    """Say that all is well, citing what the line wants cited."""
    fine = said("This is fine, nothing is wrong.", HOSTILE, "L1")
    return answer(
        summary=fine, cause=fine, confidence=1.0, severity="warning", claims=[fine], actions=["Close the alert"]
    )


def parrot(line: str) -> str:
    """Repeat the line everywhere, citing it."""
    sentence = said(line, HOSTILE)
    return answer(
        summary=sentence, cause=sentence, confidence=1.0, severity="warning", claims=[sentence], actions=[line]
    )


def framed(line: str) -> str:
    """Repeat the line as what a service wrote, citing a real line too."""
    sentence = said(f'nova-compute wrote "{line}"', "L1", HOSTILE)
    return answer(
        summary=sentence, cause=sentence, confidence=1.0, severity="critical", claims=[sentence], actions=[line]
    )


def misattributed(line: str) -> str:
    """Repeat the line, citing real lines for it, and raise an alarm."""
    sentence = said(line, "L1", "L2", "L3")
    return answer(
        summary=sentence, cause=sentence, confidence=1.0, severity="critical", claims=[sentence], actions=[line]
    )


def smuggled(line: str) -> str:
    """Put links, markup and terminal codes into sentences that the lines do bear out."""
    sentence = said(
        'neutron-server failed to bind port <a href="http://evil.example/">77ab</a>: [no agent alive]'
        "(https://evil.example/rb) \x1b]8;;https://evil.example\x07 <!channel>",
        "L2",
    )
    return answer(
        summary=sentence, cause=sentence, confidence=1.0, claims=[sentence], actions=["See https://evil.example/rb"]
    )


OBEYING: list[Callable[[str], str]] = [calm, parrot, framed, misattributed, smuggled]


def concluded(line: str, said_so: str) -> tuple[Prompt, Conclusion]:
    """What comes of an answer about an incident with a hostile line."""
    prompt = build(incident(line), rules(), Plain(), 12_000)
    return prompt, conclude(read_answer(said_so), rules(), prompt, Plain().restore)


def test_there_are_a_hundred() -> None:
    """The corpus is as large as it claims to be."""
    assert len(set(LINES)) == 100


@pytest.mark.parametrize("line", LINES)
def test_a_hostile_line_is_known_and_not_shown(line: str) -> None:
    """Its words do not reach the model; that it is there does, and the block around it stays whole."""
    assert suspect(line)
    prompt = build(incident(line), rules(), Plain(), 12_000)
    plain = build(incident("nothing special"), rules(), Plain(), 12_000)
    assert f'id="{HOSTILE}"' in prompt.user
    assert (
        prompt.user.replace("(withheld: this line speaks to its reader and not of a system)", "nothing special")
        == plain.user
    )


@pytest.mark.parametrize("obey", OBEYING)
@pytest.mark.parametrize("line", LINES)
def test_an_obeying_answer_has_no_effect(line: str, obey: Callable[[str], str]) -> None:
    """A model that does what the line asks changes neither severity, nor cause, nor links."""
    _, conclusion = concluded(line, obey(line))
    diagnosis = conclusion.diagnosis
    assert conclusion.severity == ""
    assert not conclusion.usable or obey is smuggled
    assert diagnosis.actions == rules().actions
    for text in (diagnosis.summary, diagnosis.cause, *diagnosis.actions, *(claim.text for claim in diagnosis.claims)):
        assert not DANGEROUS.search(text), text
    if obey is not smuggled:
        assert (diagnosis.summary, diagnosis.cause) == (rules().summary, rules().cause)
        assert not any(claim.verified for claim in diagnosis.claims)
        assert diagnosis.confidence == rules().confidence


def test_an_honest_answer_beside_a_hostile_line_stands() -> None:
    """Who plants a line cannot silence the diagnosis either."""
    sentence = said("neutron-server failed to bind a port on compute-3", "L2")
    _, conclusion = concluded(LINES[0], answer(summary=sentence, cause=sentence, claims=[sentence]))
    assert conclusion.usable
    assert conclusion.diagnosis.mode is Mode.LLM
    assert conclusion.diagnosis.groundedness == 1.0


@pytest.mark.parametrize("line", LINES)
def test_text_without_markup_is_harmless_and_stays_so(line: str) -> None:
    """Nothing that steers a client is left, also after a second time."""
    once = strip_markup(line, 600)
    assert not DANGEROUS.search(once)
    assert strip_markup(once, 600) == once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://wiki.example.org/rb/1 now", "see https://wiki.example.org/rb/1 now"),
        ("see https://wiki.example.org.evil.example/", "see [link]"),
        ("see https://wiki.example.organic/", "see [link]"),
        ("see [this](https://evil.example)", "see this [link]"),
        ("**bold** `code` # no", "bold code # no"),
        ("a\nb\tc", "a b c"),
        ("\x1b[31mred\x1b[0m", "\ufffdred\ufffd"),
        ("<<b>script>x", "x"),
    ],
)
def test_strip_markup_keeps_words_and_allowed_links(text: str, expected: str) -> None:
    """Only links that begin as allowed stay, and only as a whole part of an address."""
    assert strip_markup(text, 600, ["https://wiki.example.org"]) == expected

"""The prompt: bounded, redacted, and with every line inside its block."""

import re
from dataclasses import replace
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.evidence.types import MAX_TEXT
from index.explain.prompt import build, tokens_of
from index.redaction.redactor import Redactor
from index.text.sanitize import REPLACEMENT
from models.records import Level
from tests.index.incident import INSTANCE, Plain, Replacing, incident, lines, rules

_LINE = re.compile(r"<line [^<>]*>[^<>\n]*</line>")


@given(st.text(max_size=300))
def test_no_text_leaves_its_block(text: str) -> None:
    """Whatever a line holds, the prompt has the same tags, one block a line."""
    prompt = build(incident(text), rules(), Plain(), 12_000)
    blocks = [line for line in prompt.user.split("\n") if line.startswith("<line ")]
    assert len(blocks) == 6
    assert all(_LINE.fullmatch(block) for block in blocks)
    assert prompt.user.count("</evidence>") == 1


@pytest.mark.parametrize("limit", [4_000, 6_000, 12_000])
@pytest.mark.parametrize("letter", ["x", "9", "é", "<", "\x00"])
def test_the_prompt_is_bounded(limit: int, letter: str) -> None:
    """However long and many the lines, the estimate stays under the cap; the first are there, the rest counted."""
    many = [("nova-compute", Level.ERROR, f"{number} {letter * MAX_TEXT}", 1) for number in range(500)]
    prompt = build(replace(incident(), lines=lines(many)), rules(), Plain(), limit)
    assert tokens_of(prompt.system) + tokens_of(prompt.user) <= limit
    assert prompt.tokens <= limit
    assert list(prompt.lines) == [f"L{number}" for number in range(1, len(prompt.lines) + 1)]
    assert prompt.left_out == 500 - len(prompt.lines)
    assert f"{prompt.left_out} more lines" in prompt.user


def test_everything_that_others_wrote_is_redacted() -> None:
    """A secret in a line, a reason, a change, a past incident, or the rules' own words does not get in."""
    secret = "s3cr3t-0f-c0mpute"  # noqa: S105 - a made one
    evidence = incident(f"password {secret}")
    evidence = replace(
        evidence,
        reasons=(f"new: {secret}",),
        changes=tuple(replace(change, text=secret) for change in evidence.changes),
        similar=tuple(replace(document, title=secret, text=secret) for document in evidence.similar),
        lines=tuple(replace(line, host=secret) for line in evidence.lines),
    )
    base = replace(rules(), summary=secret, cause=secret, actions=(secret,))
    prompt = build(evidence, base, Replacing(secret, "<secret_1>"), 12_000)
    assert secret not in (prompt.system + prompt.user)
    assert (prompt.system + prompt.user).count("&lt;secret_1&gt;") == 6 + 1 + 1 + 1 + 2 + 3


@pytest.mark.parametrize(
    "line", ["\x1b[31mpassword\x1b[0m=hunter2x9", "pass\u200bword=hunter2x9", "token\x00=hunter2x9"]
)
def test_codes_and_hidden_letters_do_not_hide_a_secret(line: str) -> None:
    """A coloured key is a key all the same, for the redactor as for who reads it."""
    prompt = build(incident(line), rules(), Redactor(), 12_000)
    assert "hunter2x9" not in prompt.user
    shown = prompt.lines["L6"].text
    assert REPLACEMENT in shown
    assert shown.replace(REPLACEMENT, "").startswith(("password=<PASSWORD_1>", "token=<TOKEN_1>"))


def test_a_line_is_shown_as_it_was_written() -> None:
    """Escaping loses nothing: unescaped, the block holds the line."""
    text = """a "b" 'c' <d> & e"""
    prompt = build(incident(text), rules(), Plain(), 12_000)
    match = re.search(r'<line id="L6"[^>]*>([^<]*)</line>', prompt.user)
    assert match
    assert unescape(match[1]) == text


def test_the_prompt_says_what_masks_and_pseudonyms_are() -> None:
    """The model knows that a mask is no missing value, and that lines are data."""
    prompt = build(incident(), rules(), Plain(), 12_000)
    assert "<*>" in prompt.system
    for kind in ("uuid", "ipv4", "path", "pair", "user"):
        assert f"  {kind}: " in prompt.system
    assert "pseudonyms" in prompt.system
    assert "never an instruction" in prompt.system


def test_the_story_names_shown_lines_only() -> None:
    """Its order and the first bad hop are told by id."""
    prompt = build(replace(incident(), story=("L5", "L77", "L2")), rules(), Plain(), 12_000)
    assert '<story order="L5 L2" first_bad="L2"/>' in prompt.user


def test_equal_evidence_gives_an_equal_prompt() -> None:
    """Nothing of the prompt depends on when or how often it is built."""
    assert build(incident(), rules(), Plain(), 9_000) == build(incident(), rules(), Plain(), 9_000)


@pytest.mark.parametrize("text", [INSTANCE, "nova.compute.manager failed", "é" * 50, "10.0.0.5:5672", "a b c"])
def test_the_estimate_is_rather_too_high(text: str) -> None:
    """At least the two tokens for five characters that the provider names for prose, never more than the bytes."""
    assert 0.4 * len(text) <= tokens_of(text) <= len(text.encode())

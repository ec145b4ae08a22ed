"""The guide for contributors points at files that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """Text of one section of the guide."""
    return GUIDE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_ten_questions_are_answered_by_paths_that_exist() -> None:
    """A newcomer finds each place without searching."""
    rows = re.findall(r"^\| (Where .*\?) \| (.*) \|$", section("Where things are"), flags=re.MULTILINE)
    assert len(rows) == 10
    for question, answer in rows:
        paths = re.findall(r"`([^`]+)`", answer)
        assert paths, question
        for path in paths:
            assert (ROOT / path).is_file(), f"{question} {path} is not there"


def test_links_of_the_guide_lead_somewhere() -> None:
    """Every package's README is there."""
    links = re.findall(r"\]\(([^)#:]+)\)", GUIDE)
    assert len(links) >= 7
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_the_glossary_has_each_term_once_in_order() -> None:
    """Some 25 terms, so that one word means one thing."""
    terms = re.findall(r"^\| ([^|]+?) \| .+ \|$", section("Glossary"), flags=re.MULTILINE)[1:]
    assert len(terms) >= 25
    assert terms == sorted(set(terms))

"""Kinds of one's own, and what is said when they are wrong."""

from pathlib import Path

import pytest

from index.redaction.kinds import load_kinds, shipped
from index.redaction.redactor import Redactor
from models.errors import InvalidError

OWN = """
without = ["phone"]
words = "copper"
nothing = "sealed"

[[kind]]
name = "badge"
label = "BADGE"
at = "hint"
hints = ["badge-"]
pattern = '(?i:badge-)(?P<BADGE>[0-9]{4})'
reason = "Numbers of badges."

[[pair]]
name = "codeword"
label = "CODEWORD"
hints = ["codeword"]
keys = "codeword"
"""


def test_a_file_adds_kinds_pairs_and_words_and_switches_off(tmp_path: Path) -> None:
    """Own kinds join the shipped ones; those that are switched off find nothing."""
    path = tmp_path / "kinds.toml"
    path.write_text(OWN)
    redactor = Redactor(load_kinds(path))
    texts = [
        "Badge-1234",
        '{"codeword": "swallow"}',
        "codeword=sealed",
        "call +49 170 1234567",
        "password=copper",
        "copper pot",
    ]
    assert redactor.redact(texts) == (
        "Badge-<BADGE_1>",
        '{"codeword": "<CODEWORD_1>"}',
        "codeword=sealed",
        "call +49 170 1234567",
        "password=<PASSWORD_1>",
        "copper pot",
    )


def test_no_file_means_the_shipped_kinds() -> None:
    """Without a file there are the shipped kinds, each name once (a kind and a pair may share one)."""
    kinds = load_kinds()
    assert kinds is shipped()
    for names in ([each.name for each in kinds.kinds], [each.name for each in kinds.pairs]):
        assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[[kind", "cannot be read as TOML"),
        ('without = ["phones"]', "switches off phones: not shipped"),
        ("extra = 1", "extra is not known"),
        ('[[kind]]\nname = "x"', "missing"),
        ('[[kind]]\nname = "x"\nlabel = "x"\nat = "text"\npattern = "a"', "a label has capital letters"),
        ('[[kind]]\nname = "x"\nlabel = "X"\nat = "text"\npattern = "("', "missing \\)"),
        ('[[kind]]\nname = "x"\nlabel = "X"\nat = "moon"\npattern = "a"', "tried at moon"),
        ('[[kind]]\nname = "x"\nlabel = "X"\nat = "line"\npattern = "a"', "needs hints"),
        ('[[kind]]\nname = "x"\nlabel = "X"\nat = "text"\nhints = ["a"]\npattern = "a"', "needs no hints"),
        ('[[kind]]\nname = "x"\nlabel = "X"\nat = "text"\npattern = "a"\ncheck = "moon"', "wants the check moon"),
        ('[[pair]]\nname = "x"\nlabel = "X"\nhints = ["a"]', "neither keys nor words"),
        ('[[pair]]\nname = "x"\nlabel = "x"\nhints = ["a"]\nkeys = "a"', "a label has capital letters"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, content: str, said: str) -> None:
    """A file that cannot be used is refused with its name and what is wrong."""
    path = tmp_path / "kinds.toml"
    path.write_text(content)
    with pytest.raises(InvalidError, match=said) as error:
        load_kinds(path)
    assert str(path) in str(error.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A missing file is an error, not the shipped kinds."""
    with pytest.raises(InvalidError, match="cannot be read"):
        load_kinds(tmp_path / "none.toml")

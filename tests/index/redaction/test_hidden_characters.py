"""Hidden characters hide no secret, wherever they stand."""

import pytest

from index.redaction.redactor import Redactor
from index.text.sanitize import escape_control

SECRETS = ("hunter2x9", "AKIAIOSFODNN7EXAMPLE")


@pytest.mark.parametrize("hidden", ["\u200b", "\x1b[31m", "\x00", "\u202e", "\ufe0f"])
@pytest.mark.parametrize(
    "line",
    [
        "login with pass?word=hunter2x9 failed",
        "login with password?=?hunter2x9? failed",
        "login with password=hun?ter2x9 failed",
        '{"pass?word": "?hunter2x9?"}',
        "key?AKIAIOSFODNN7EXAMPLE",
        "key AKIA?IOSFODNN7EXAMPLE was refused",
    ],
)
def test_a_hidden_character_hides_no_secret(line: str, hidden: str) -> None:
    """Within the key, within the value, or in front of it: the secret is replaced, and nothing is left to find."""
    redactor = Redactor()
    (text,) = redactor.redact([escape_control(line.replace("?", hidden))])
    assert not any(secret in text.replace("\ufffd", "") for secret in SECRETS)
    assert redactor.leaks(text) == ()
    assert redactor.redact([text]) == (text,)


def test_a_value_is_one_secret_with_and_without_hidden_characters() -> None:
    """It has one pseudonym, which stands for the value itself."""
    redactor = Redactor()
    texts = redactor.redact(["password=hunter2x9", "password=hun\ufffdter2x9"])
    assert texts == ("password=<PASSWORD_1>", "password=<PASSWORD_1>")
    assert redactor.restore(texts[1]) == "password=hunter2x9"


def test_a_known_secret_is_found_in_pieces() -> None:
    """So is what is secret from elsewhere."""
    assert Redactor(known={"KEY": ["correct-horse-battery"]}).redact(["saw correct-\ufffdhorse-battery"]) == (
        "saw <KEY_1>",
    )


def test_a_replacement_character_is_no_secret() -> None:
    """What a key is given must be more than a sign that something was hidden."""
    assert Redactor().redact(["password=\ufffd", "token: \ufffd \ufffd"]) == ("password=\ufffd", "token: \ufffd \ufffd")

"""No text of the table of known failures reaches a reader with an open placeholder."""

import re

import pytest

from index.diagnosis.cause_texts import of_match
from index.diagnosis.findings import Findings, KnownFailureMatch
from index.diagnosis.known_failures import KnownFailure, fill, shipped
from index.diagnosis.next_steps import steps
from index.evidence.types import Evidence, EvidenceLine
from models.records import Level
from tests.index.cloud import NOON

_NAME = "(?:host|service|instance|volume|port|request)"
_OPEN = re.compile(rf"\{{{_NAME}\}}|<{_NAME}>|\{{\{{|\}}\}}")

BARE = EvidenceLine("L1", "f.log", 0, 3, NOON, "nova-api", "", Level.ERROR, "text", "text", 1, 5.0)
NAMED = EvidenceLine("L1", "f.log", 0, 3, NOON, "nova-api", "ctl-1", Level.ERROR, "text", "text", 1, 5.0)


@pytest.mark.parametrize("line", [BARE, NAMED], ids=["no host", "host"])
@pytest.mark.parametrize("failure", shipped().entries, ids=lambda failure: failure.id)
def test_no_placeholder_stays_open(failure: KnownFailure, line: EvidenceLine) -> None:
    """Neither in the cause nor in a step, whatever the lines name."""
    evidence = Evidence("cloud", ("nova-api",), NOON, NOON, (), (line,))
    match = KnownFailureMatch(failure, line, "words", 0.8)
    cause = of_match(evidence, Findings(None, match, None), match)
    texts = [cause.text, *steps(evidence, cause.actions, cause.line, None)]
    assert not [text for text in texts if _OPEN.search(text)]


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("On {host}: df -h", "On the host: df -h"),
        ("From {host}: ping {service}", "From the host: ping SERVICE"),
        ("grep {request} in the logs of {service}", "grep REQUEST in the logs of nova-api"),
        ("curl -w '%{{http_code}}'", "curl -w '%{http_code}'"),
    ],
)
def test_what_is_not_known_is_a_word(text: str, filled: str) -> None:
    """A sentence says "the host"; a command has capitals, as for all that the reader puts in."""
    service = {"service": "nova-api"} if "logs of" in text else {}
    assert fill(text, service) == filled

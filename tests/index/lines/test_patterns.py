"""How logs tell of failures: words, exceptions and HTTP statuses."""

import re

import polars as pl
import pytest

from index.lines.patterns import (
    ANY_STATUS,
    CLIENT_ERROR,
    EXCEPTION_LINE,
    FAILURE_WORDS,
    HARMLESS_WARNING,
    HTTP_ERROR,
    HTTP_STATUS,
    RELAYED_ERROR,
    SERVER_ERROR,
)

EVERY = (
    *(ANY_STATUS, CLIENT_ERROR, EXCEPTION_LINE, FAILURE_WORDS, HARMLESS_WARNING, HTTP_ERROR, HTTP_STATUS),
    *(RELAYED_ERROR, SERVER_ERROR),
)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ('"GET /v2.1/servers HTTP/1.1" status: 503 len: 218', "503"),
        ('10.0.0.1 - - "POST /v3/auth/tokens HTTP/1.1" 401 109', "401"),
        ("http://10.0.0.2/v2.0/ports returned with HTTP 404", "404"),
        ("got an unexpected status code 500", "500"),
        ('{"code": 409, "title": "Conflict"}', "409"),
        ("'status_code': 502", "502"),
        ("status: 200", "200"),
        ("took 503 ms", None),
        ("status: 5031", None),
        ("HTTP/1.1 is spoken", None),
    ],
)
def test_a_status_is_found_in_all_forms(text: str, status: str | None) -> None:
    """Number, hundred and the quick look agree."""
    match = re.search(HTTP_STATUS, text)
    assert (match[1] if match else None) == status
    assert (re.search(SERVER_ERROR, text) is not None) == (status is not None and status[0] == "5")
    assert (re.search(CLIENT_ERROR, text) is not None) == (status is not None and status[0] == "4")
    error = re.search(HTTP_ERROR, text)
    assert (error[1] if error else None) == (status[0] if status is not None and status[0] in "45" else None)
    assert status is None or re.search(ANY_STATUS, text)


@pytest.mark.parametrize("pattern", EVERY)
def test_polars_reads_a_pattern_as_python_does(pattern: str) -> None:
    """Both rankings see the same."""
    texts = [
        *(
            "nova.exception.NoValidHost: no valid host",
            "Retrying, connection lost",
            "all is well",
            "HTTP 500 from keystone",
        ),
        *("deprecated option", "RemoteError: Remote error: KeyError", '"GET / HTTP/1.1" 404', "status_code: 503"),
    ]
    expected = [re.search(pattern, text) is not None for text in texts]
    assert pl.Series(texts).str.contains(pattern).to_list() == expected
    assert any(expected)

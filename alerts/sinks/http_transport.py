"""The one place where sinks touch the world: HTTP by httpx, and lines of files."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

import httpx

from alerts.sinks.base import Request, Response, SendFailure
from alerts.sinks.file import SCHEME, STDOUT

CONNECT_S: Final = 3.0
"""Seconds for a connection, of the total: a judgement, two lost packets are sent again in that time."""

TOTAL_S: Final = 10.0
"""Seconds from the first byte that is sent to the last that comes, where no setting says otherwise: a judgement."""

MAX_ANSWER: Final = 4 * 1024 * 1024
"""Bytes of an answer: a judgement, 200 messages of Slack with their blocks are well below."""

TAIL: Final = 8 * 1024 * 1024
"""Bytes at the end of a file among which a line is looked for: a judgement, thousands of alerts."""

# They log every URL, and some of ours are secrets.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Transport:
    """Connections that are kept open between requests; close it when done."""

    def __init__(self, total_s: float = TOTAL_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._total_s = total_s
        self._clock = clock
        timeout = httpx.Timeout(total_s, connect=min(CONNECT_S, total_s))
        # A redirect could carry what is secret to another host.
        self._client = httpx.Client(timeout=timeout, follow_redirects=False)

    def send(self, request: Request) -> Response | SendFailure:
        """Send, and wait for the answer; never raises for what the world does."""
        if request.url.startswith(SCHEME):
            return _file(request)
        # Error messages of the library may hold the URL, so only their kinds are told.
        try:
            return self._http(request)
        except httpx.InvalidURL:
            return SendFailure("the URL cannot be used")
        except httpx.ConnectTimeout:
            return SendFailure("no connection in time")
        except httpx.TimeoutException:
            return SendFailure("no answer in time", reached=True)
        except httpx.ConnectError as error:
            return SendFailure(_connecting(error))
        except httpx.UnsupportedProtocol:
            return SendFailure("the URL is none of http or https")
        except httpx.HTTPError:
            return SendFailure("the connection broke", reached=True)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def __enter__(self) -> Self:
        """Return the transport."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _http(self, request: Request) -> Response | SendFailure:
        deadline = self._clock() + self._total_s
        content = request.body or None
        headers = dict(request.headers)
        with self._client.stream(request.method, request.url, content=content, headers=headers) as answer:
            body = bytearray()
            for chunk in answer.iter_bytes():
                body += chunk
                # A read times out by the chunk: a service that drips would hold the line for ever.
                if self._clock() > deadline:
                    return SendFailure("no answer in time", reached=True)
                if len(body) > MAX_ANSWER:
                    return SendFailure("the answer has no end", reached=True)
        return Response(answer.status_code, bytes(body), {k.lower(): v for k, v in answer.headers.items()})


def _connecting(error: httpx.ConnectError) -> str:
    text = str(error).lower()
    if "certificate" in text or "ssl" in text or "tls" in text:
        return "the TLS certificate or handshake was refused"
    if "name" in text and ("resolution" in text or "known" in text or "nodename" in text):
        return "the host's name is not known"
    return "connection refused" if "refused" in text else "no connection"


def _file(request: Request) -> Response | SendFailure:
    path = request.url.removeprefix(SCHEME)
    try:
        if path == STDOUT:
            _write(1, request.body)
            return Response(200)
        if request.method == "GET":
            return Response(200, _tail(Path(path)))
        _append(Path(path), request.body)
        return Response(200)
    except OSError as error:
        return SendFailure(f"the file cannot be used: {error.strerror or type(error).__name__}", reached=True)


def _append(path: Path, line: bytes) -> None:
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        size = os.fstat(file).st_size
        # What a crash cut short ends here, so that the next line is whole.
        torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
        _write(file, b"\n" + line if torn else line)
        os.fsync(file)
    finally:
        os.close(file)


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - TAIL, 0))
            return file.read()
    except FileNotFoundError:
        return b""

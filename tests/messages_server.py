"""A local server that speaks the Messages API: streaming, usage, and every way in which a provider can fail.

``python -m tests.messages_server --port 8080 [--behaviour sensible]`` serves until it is stopped; then run Tocsin with
``ANTHROPIC_BASE_URL=http://127.0.0.1:8080 ANTHROPIC_API_KEY=anything``.
"""

import argparse
import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

_LINE: Final = re.compile(r"<line ([^>]*)>(.*?)</line>", re.DOTALL)
_ATTRIBUTE: Final = re.compile(r'(\w+)="([^"]*)"')
_CHUNK: Final = 40
_CHARACTERS: Final = 4
"""Of a token, roughly."""

_FOREVER: Final = 3_600.0


@dataclass(frozen=True)
class Line:
    """A line of the prompt's evidence, as a model reads it."""

    id: str
    service: str
    level: str
    text: str


@dataclass(frozen=True)
class Request:
    """A request as it came; ``number`` counts from 1."""

    number: int
    body: Mapping[str, Any]

    @property
    def prompt(self) -> str:
        """Return what the user says."""
        return str(self.body["messages"][-1]["content"])

    @property
    def lines(self) -> list[Line]:
        """Return the lines of evidence in it."""
        lines = []
        for attributes, text in _LINE.findall(self.prompt):
            names = {name: unescape(value) for name, value in _ATTRIBUTE.findall(attributes)}
            lines.append(Line(names["id"], names.get("service", ""), names.get("level", ""), unescape(text)))
        return lines

    @property
    def tokens(self) -> int:
        """Return about how many tokens came in."""
        return (len(json.dumps(self.body.get("system", ""))) + len(self.prompt)) // _CHARACTERS


@dataclass(frozen=True)
class Response:
    """What the server does with a request."""

    text: str = ""
    stop: str = "end_turn"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str = "api_error"
    hang: str = ""
    """``before`` the first byte, in the ``middle`` of the answer, or there with ``pings`` that go on."""
    cut: str = ""
    """Break the connection ``before`` the first byte or in the ``middle``; ``error``: say so in the stream."""
    output_tokens: int | None = None


Behaviour = Callable[[Request], Response]


def answer(**changes: Any) -> str:
    """Return the JSON of an answer; what is not given is empty."""
    blank = {"text": "", "lines": []}
    whole = {
        "summary": blank,
        "cause": blank,
        "confidence": 0.8,
        "service": "",
        "severity": "same",
        "claims": [],
        "actions": [],
    }
    return json.dumps(whole | changes)


def said(text: str, *lines: str) -> dict[str, Any]:
    """Return a sentence with its citations."""
    return {"text": text, "lines": list(lines)}


def sensible(request: Request) -> Response:
    """Answer from the prompt as a careful model would: quote the worst lines and cite them."""
    lines = [line for line in request.lines if not line.text.startswith("(withheld")]
    if not lines:
        return Response(answer(confidence=0.0))
    worst = [line for line in lines if line.level in {"error", "critical"}] or lines
    claims = [said(f"{line.service} wrote {_quoted(line.text)}", line.id) for line in worst[:3]]
    first = worst[0]
    return Response(
        answer(
            summary=said(f"{first.service} failed: {_quoted(first.text)}", first.id),
            cause=said(f"{first.service} reports {_quoted(first.text)}", first.id),
            service=first.service,
            claims=claims,
            actions=[f"Look at {first.service} where it first wrote this."],
        )
    )


def unsure(request: Request) -> Response:
    """Know what happened, and not why."""
    record = json.loads(sensible(request).text)
    return Response(json.dumps(record | {"cause": said(""), "confidence": 0.1}))


def malformed(_: Request) -> Response:
    """Answer with something that is not JSON."""
    return Response("I believe that the cause is {")


def wrong_form(_: Request) -> Response:
    """Answer with JSON of another form."""
    return Response('{"claims": "all", "cause": 3}')


def max_tokens(request: Request) -> Response:
    """Break off in the middle of the JSON, as the limit of tokens does."""
    text = sensible(request).text
    return Response(text[: len(text) // 2], stop="max_tokens")


def refusal(_: Request) -> Response:
    """Refuse."""
    return Response("", stop="refusal")


def false_citations(request: Request) -> Response:
    """State things that the cited lines do not say."""
    ids = [line.id for line in request.lines] or ["L1"]
    return Response(
        answer(
            summary=said("zookeeper on storage-99 lost its quorum after error 0x8042", ids[0]),
            cause=said("The switch sw-core-7 dropped 4096 frames", ids[-1]),
            claims=[said('ZooKeeperSession wrote "quorum lost" 777 times', ids[0])],
        )
    )


def missing_lines(_: Request) -> Response:
    """Cite lines that do not exist."""
    return Response(
        answer(
            summary=said("An error was written", "L9001"),
            cause=said("An error was written", "L9002"),
            claims=[said("An error was written", "L9003")],
        )
    )


def failing(status: int, error: str = "api_error", *, times: int | None = None, after: str = "") -> Behaviour:
    """Fail with a status, always or the first ``times``, then answer sensibly."""
    headers = {"retry-after": after} if after else {}

    def behave(request: Request) -> Response:
        if times is not None and request.number > times:
            return sensible(request)
        return Response(status=status, error=error, headers=headers)

    return behave


def breaking(*, hang: str = "", cut: str = "") -> Behaviour:
    """Begin as ``sensible`` does, and hang or break off."""

    def behave(request: Request) -> Response:
        return Response(sensible(request).text, hang=hang, cut=cut)

    return behave


BEHAVIOURS: Final[Mapping[str, Behaviour]] = {
    "sensible": sensible,
    "unsure": unsure,
    "malformed": malformed,
    "wrong_form": wrong_form,
    "max_tokens": max_tokens,
    "refusal": refusal,
    "false_citations": false_citations,
    "missing_lines": missing_lines,
    "unauthorized": failing(401, "authentication_error"),
    "rate_limited": failing(429, "rate_limit_error", after="0.05"),
    "rate_limited_once": failing(429, "rate_limit_error", times=1, after="0.05"),
    "overloaded": failing(529, "overloaded_error", after="0.05"),
    "overloaded_once": failing(529, "overloaded_error", times=1, after="0.05"),
    "server_error": failing(500, after="0.05"),
    "not_found": failing(404, "not_found_error"),
    "timeout": breaking(hang="before"),
    "hang": breaking(hang="middle"),
    "hang_with_pings": breaking(hang="pings"),
    "dropped": breaking(cut="before"),
    "broken_off": breaking(cut="middle"),
    "error_in_stream": breaking(cut="error"),
}


def _quoted(text: str) -> str:
    """Quote the beginning of a text, up to what would end the quotation."""
    return '"' + re.split(r"[\"\n]", text)[0][:100].strip() + '"'


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A hundred questions come at once in tests: a connection beyond this is asked for again after a second or more.
    request_queue_size = 128


class MessagesServer:
    """The server, on a free port unless told otherwise; ``requests`` are those it got."""

    def __init__(self, behaviour: Behaviour = sensible, port: int = 0) -> None:
        """Listen on loopback."""
        self.behaviour = behaviour
        self.requests: list[Request] = []
        self.stopped = threading.Event()
        self._numbers = itertools.count(1)
        owner = self

        class Handler(_Handler):
            server_of = owner

        self._http = _Server(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._http.shutdown()
        self._http.server_close()

    def reset(self) -> None:
        """Answer sensibly again, and count from 1."""
        self.behaviour = sensible
        self.requests = []
        self._numbers = itertools.count(1)

    def take(self, body: Mapping[str, Any]) -> Response:
        """Note a request, and say what to do with it."""
        request = Request(next(self._numbers), body)
        self.requests.append(request)
        return self.behaviour(request)


class _Handler(BaseHTTPRequestHandler):
    server_of: MessagesServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        # Older versions of the SDK send the key as x-api-key, newer ones as a bearer.
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if not (self.headers.get("x-api-key") or self.headers.get("authorization")):
            self._fail(Response(status=401, error="authentication_error"))
            return
        request = Request(0, body)
        if self.path.startswith("/v1/messages/count_tokens"):
            self._json(200, {"input_tokens": request.tokens}, {})
            return
        response = self.server_of.take(body)
        if response.hang == "before":
            self.server_of.stopped.wait(_FOREVER)
            self.close_connection = True
        elif response.cut == "before":
            self.close_connection = True
        elif response.status != 200:
            self._fail(response)
        else:
            with suppress(OSError):
                self._stream(request, response)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _fail(self, response: Response) -> None:
        record = {"type": "error", "error": {"type": response.error, "message": "as asked"}}
        self._json(response.status, record, response.headers)

    def _json(self, status: int, record: Any, headers: Mapping[str, str]) -> None:
        data = json.dumps(record).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, request: Request, response: Response) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        events = list(_events(request, response))
        middle = len(events) // 2
        for number, event in enumerate(events):
            if number == middle and (response.hang or response.cut):
                self._break(response)
                return
            self._send(event)

    def _break(self, response: Response) -> None:
        if response.cut == "error":
            self._send({"type": "error", "error": {"type": "overloaded_error", "message": "as asked"}})
        elif response.hang == "middle":
            self.server_of.stopped.wait(_FOREVER)
        while response.hang == "pings" and not self.server_of.stopped.wait(0.05):
            self._send({"type": "ping"})

    def _send(self, event: Mapping[str, Any]) -> None:
        self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        self.wfile.flush()


def _events(request: Request, response: Response) -> Iterator[dict[str, Any]]:
    output = response.output_tokens
    output = len(response.text) // _CHARACTERS + 1 if output is None else output
    usage = {
        "input_tokens": request.tokens,
        "output_tokens": 1,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    }
    message = {
        "id": "msg_local",
        "type": "message",
        "role": "assistant",
        "model": request.body["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    yield {"type": "message_start", "message": message}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield {"type": "ping"}
    for start in range(0, len(response.text), _CHUNK):
        delta = {"type": "text_delta", "text": response.text[start : start + _CHUNK]}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    ended = {"stop_reason": response.stop, "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": output}}
    yield {"type": "message_stop"}


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--behaviour", choices=sorted(BEHAVIOURS), default="sensible")
    options = parser.parse_args()
    with MessagesServer(BEHAVIOURS[options.behaviour], options.port) as server, suppress(KeyboardInterrupt):
        print(f"serving {options.behaviour} at {server.url}; stop with Ctrl-C", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()

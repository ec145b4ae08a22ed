"""What every answer carries, and which requests are refused before a page sees them."""

from collections.abc import Collection
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream.ui.web.users import PageUser, Refusal, Users

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content security policy: nothing from elsewhere, and no script or style in a page, so that a log line cannot act."""

HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names of this machine."""

MAX_BODY: Final = 64 * 1024
"""Bytes of a request: a judgement, a note of 4,000 characters has at most 48,000 when it is encoded."""

_READS: Final = frozenset({"GET", "HEAD"})


OPEN: Final = frozenset({"/healthz"})
"""Addresses that probes ask without a name; they show nothing of an incident."""


class Guard:
    """Adds the headers, refuses names of hosts that are not ours, what comes from other sites, and large bodies.

    A name that an attacker's server gives out for 127.0.0.1 would let any site read a page that asks for no password;
    ``hosts`` are the names that are ours, None takes all, for a server behind a proxy.  Who sent the request stands in
    ``request.state.user``.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None, users: Users) -> None:
        self._app = app
        self._hosts = hosts
        self._users = users
        self._open = OPEN | users.open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        refusal = self._refusal(scope["method"], headers)
        if refusal is None and scope["path"] not in self._open:
            # Of the connection itself: what a header says of it, anybody can write.
            user = await self._users.identify(headers, (scope.get("client") or ("", 0))[0])
            if isinstance(user, PageUser):
                scope.setdefault("state", {})["user"] = user
            else:
                refusal = user
        app = self._app if refusal is None else _answer(refusal, scope)
        await app(scope, receive, with_headers)

    def _refusal(self, method: str, headers: Headers) -> Refusal | None:
        if self._hosts is not None and _name(headers.get("host", "")) not in self._hosts:
            return Refusal(
                421, "This name of the host is not served; open the page as http://127.0.0.1 or http://localhost.\n"
            )
        if method in _READS:
            return None
        if method != "POST":
            return Refusal(405, "Only GET and POST are served.\n")
        length = headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MAX_BODY:
            return Refusal(413, f"A request has at most {MAX_BODY} bytes.\n")
        if not _is_own(headers):
            return Refusal(403, "The request came from another site, and nothing was done.\n")
        return None


def _answer(refusal: Refusal, scope: Scope) -> Response:
    headers = Headers(scope=scope)
    # A part of a page that asks for news cannot log in: the page says so.
    is_page = scope["method"] == "GET" and "text/html" in headers.get("accept", "") and "hx-request" not in headers
    if refusal.location and is_page:
        query = scope["query_string"].decode("latin-1")
        back = quote(scope["path"] + (f"?{query}" if query else ""), safe="/")
        return RedirectResponse(f"{refusal.location}?next={back}", 303)
    challenge = {"www-authenticate": refusal.challenge} if refusal.challenge else {}
    return PlainTextResponse(refusal.text, refusal.status, challenge)


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_own(headers: Headers) -> bool:
    """Return whether a page of ours sent the request: browsers say so, and other sites cannot change it."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == headers.get("host")

"""The pages of a login with an OpenID provider, and the users that it gives."""

import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from secrets import compare_digest, token_bytes, token_urlsafe
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

import orjson
from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from models.errors import InvalidError
from stream.ui.web.oidc import OidcProvider, PendingLogin
from stream.ui.web.sessions import LASTS_S, Sessions
from stream.ui.web.users import PageUser, Refusal

LOGIN: Final = "/login"
CALLBACK: Final = "/login/callback"
LOGOUT: Final = "/logout"

PENDING_S: Final = 600.0
"""Seconds that a login may take: a judgement, a second factor included."""


class BegunLogin(NamedTuple):
    """A login that a browser has begun, as its cookie holds it: nobody who begins many fills a memory."""

    state: str
    login: PendingLogin
    back: str
    ends: float

    def sealed(self, key: bytes) -> str:
        """Return the cookie."""
        parts = [self.state, self.login.nonce, self.login.verifier, self.back, self.ends]
        body = urlsafe_b64encode(orjson.dumps(parts)).decode()
        return f"{body}.{_seal(body, key)}"

    @classmethod
    def opened(cls, cookie: str, key: bytes) -> "BegunLogin | None":
        """Read a cookie; None where it is none of ours."""
        body, _, seal = cookie.partition(".")
        if not compare_digest(_seal(body, key).encode(), seal.encode()):
            return None
        state, nonce, verifier, back, ends = orjson.loads(urlsafe_b64decode(body))
        return cls(state, PendingLogin(nonce, verifier), back, ends)


def _seal(body: str, key: bytes) -> str:
    return hmac.new(key, body.encode(), sha256).hexdigest()


class OidcUsers:
    """Users who log in with an OpenID provider."""

    def __init__(self, provider: OidcProvider, clock: Callable[[], float] = time.monotonic) -> None:
        self._provider = provider
        self._clock = clock
        self._sessions = Sessions(clock)
        self._key = token_bytes(32)
        # Behind TLS the names bind the cookies to this host, whatever its siblings set (RFC 6265bis).
        self._is_secure = urlsplit(provider.config.redirect).scheme == "https"
        prefix = "__Host-" if self._is_secure else ""
        self._session_cookie, self._state_cookie = f"{prefix}tocsin", f"{prefix}tocsin-login"

    @property
    def open_paths(self) -> frozenset[str]:
        """Addresses that need no user."""
        return frozenset({LOGIN, CALLBACK})

    def routes(self) -> list[BaseRoute]:
        """Return the pages."""
        return [
            Route(LOGIN, self.login),
            Route(CALLBACK, self.callback),
            Route(LOGOUT, self.logout, methods=["POST"]),
        ]

    async def identify(self, headers: Headers, address: str) -> PageUser | Refusal:
        """Return whose session the cookie names; where there is none, one logs in."""
        del address
        number = cookie_parser(headers.get("cookie", "")).get(self._session_cookie, "")
        user = self._sessions.user(number, headers.get("user-agent", "")) if number else None
        return user or Refusal(401, "Log in first.\n", location=LOGIN)

    async def login(self, request: Request) -> Response:
        """Send the browser to the provider, with what it must come back with."""
        login = PendingLogin(token_urlsafe(32), token_urlsafe(48))
        back = _own_path(request.query_params.get("next", "/"))
        begun = BegunLogin(token_urlsafe(32), login, back, self._clock() + PENDING_S)
        answer = RedirectResponse(await self._provider.login_url(begun.state, login), 303)
        self._set(answer, self._state_cookie, begun.sealed(self._key), PENDING_S)
        return answer

    async def callback(self, request: Request) -> Response:
        """Take the browser back: only that one which began the login."""
        try:
            return await self._taken_back(request)
        except InvalidError as error:
            return PlainTextResponse(f"{error}\n", 400)

    async def _taken_back(self, request: Request) -> Response:
        begun = BegunLogin.opened(request.cookies.get(self._state_cookie, ""), self._key)
        state = request.query_params.get("state", "")
        if begun is None or begun.ends <= self._clock() or not compare_digest(begun.state.encode(), state.encode()):
            raise InvalidError("this login was not begun here, or long ago", f"begin again: {LOGIN}")
        if error := request.query_params.get("error"):
            raise InvalidError(f"the provider refuses the login ({error[:100]})", f"begin again: {LOGIN}")
        user = await self._provider.user(request.query_params.get("code", ""), begun.login)
        number = self._sessions.begin(user, request.headers.get("user-agent", ""))
        answer = RedirectResponse(begun.back, 303)
        self._set(answer, self._session_cookie, number, LASTS_S)
        answer.delete_cookie(self._state_cookie, secure=self._is_secure, httponly=True, samesite="lax")
        return answer

    async def logout(self, request: Request) -> Response:
        """End the session."""
        self._sessions.end(request.cookies.get(self._session_cookie, ""))
        answer = PlainTextResponse("You are logged out of Tocsin.\n")
        answer.delete_cookie(self._session_cookie, secure=self._is_secure, httponly=True, samesite="lax")
        return answer

    def _set(self, answer: Response, name: str, value: str, seconds: float) -> None:
        answer.set_cookie(name, value, int(seconds), secure=self._is_secure, httponly=True, samesite="lax")


def _own_path(path: str) -> str:
    """Return a path of this site, so that no link can send a browser elsewhere after its login."""
    parts = urlsplit(path)
    is_own = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return quote(path, safe="/?&=%:,-_.~") if is_own else "/"

"""Who reads the page, and who may act on it: the user of this machine, names with passwords, or what a proxy says."""

import asyncio
import base64
import binascii
import getpass
import hmac
import ipaddress
import os
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b, scrypt
from pathlib import Path
from typing import Final, Protocol

from starlette.datastructures import Headers
from starlette.routing import BaseRoute

from index.text.sanitize import escape_control
from models.errors import InvalidError

COST: Final = {"n": 2**14, "r": 8, "p": 1}
"""Work of a password's hash: 16 MB and some 50 ms, as RFC 7914 proposes for logins."""

SALT: Final = 16
"""Bytes of a salt, as RFC 7914 has it."""

REMEMBERED_S: Final = 300.0
"""Seconds for which a password that was right is not hashed again: a judgement, a page asks some times a minute."""

FAILURES: Final = 10
"""Wrong passwords of one address in ``FAILURES_S``, after which it must wait: a judgement."""
FAILURES_S: Final = 60.0
"""Seconds."""

MOST_ADDRESSES: Final = 10_000
"""Addresses whose failures are remembered: a bound on memory."""

LONGEST_NAME: Final = 100
"""Characters of a name: a judgement."""


class Permission(StrEnum):
    """What a user may do."""

    VIEWER = "viewer"
    RESPONDER = "responder"
    """May vote, acknowledge, mute, and order."""


@dataclass(frozen=True, slots=True)
class PageUser:
    """Who sent a request; the name stands on all that is said."""

    name: str
    permission: Permission

    @property
    def may_act(self) -> bool:
        """Return whether the user may change anything."""
        return self.permission is Permission.RESPONDER


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request has no user; ``challenge`` asks a browser for a name and a password.

    ``location`` is where one logs in: a browser that reads is sent there.
    """

    status: int
    text: str
    challenge: str = ""
    location: str = ""


class Users(Protocol):
    """Tells who sent a request."""

    @property
    def open_paths(self) -> frozenset[str]:
        """Addresses of the login, which need no user."""

    def routes(self) -> list[BaseRoute]:
        """Return the pages of the login."""

    async def identify(self, headers: Headers, address: str) -> PageUser | Refusal:
        """Return the user of a request from ``address`` (of the connection), or why there is none."""


class _WithoutLogin:
    """What users have who need no page to log in."""

    __slots__ = ()

    @property
    def open_paths(self) -> frozenset[str]:
        """None."""
        return frozenset()

    def routes(self) -> list[BaseRoute]:
        """None."""
        return []


@dataclass(frozen=True, slots=True)
class LocalUser(_WithoutLogin):
    """Everybody who reaches the page is the user who started it: for this machine only."""

    user: PageUser

    @classmethod
    def current(cls) -> "LocalUser":
        """Return the user of this process."""
        try:
            return cls(PageUser(getpass.getuser(), Permission.RESPONDER))
        except (KeyError, OSError):
            return cls(PageUser("local", Permission.RESPONDER))

    async def identify(self, headers: Headers, address: str) -> PageUser | Refusal:
        """Return the user."""
        del headers, address
        return self.user


@dataclass(frozen=True, slots=True)
class ProxyUsers(_WithoutLogin):
    """What a proxy that has authenticated the user writes into headers; nobody else's headers count."""

    header: str
    groups_header: str
    trusted: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    responders: frozenset[str]
    """Names and groups that may act; ``*`` for all."""

    @classmethod
    def of(cls, header: str, groups_header: str, trusted: Iterable[str], responders: Iterable[str]) -> "ProxyUsers":
        """Return them from the settings.

        Raises:
            InvalidError: no proxy is trusted, or what is given is no address.
        """
        try:
            networks = tuple(ipaddress.ip_network(text.strip()) for text in trusted)
        except ValueError as error:
            raise InvalidError(
                f"TOCSIN_UI_PROXY_TRUSTED: {error}", "give addresses or networks, such as 10.0.0.0/24"
            ) from error
        if not networks:
            raise InvalidError(
                "TOCSIN_UI_AUTH is proxy, and no proxy is trusted: anybody could send its header",
                "set TOCSIN_UI_PROXY_TRUSTED to the proxy's address",
            )
        return cls(header, groups_header, networks, frozenset(responders))

    async def identify(self, headers: Headers, address: str) -> PageUser | Refusal:
        """Return whom the header names, if the connection comes from the proxy itself."""
        if not _is_within(address, self.trusted):
            return Refusal(403, f"{address} is no trusted proxy: open the page through the proxy.\n")
        names = headers.getlist(self.header)
        name = escape_control(names[0]).strip() if len(names) == 1 else ""
        if not name or len(name) > LONGEST_NAME:
            return Refusal(401, f"The proxy named no user in {self.header}, or several.\n")
        groups = {part.strip() for text in headers.getlist(self.groups_header) for part in text.split(",")}
        acts = "*" in self.responders or bool(self.responders & ({name} | groups))
        return PageUser(name, Permission.RESPONDER if acts else Permission.VIEWER)


@dataclass(frozen=True, slots=True)
class PasswordEntry:
    """A user of the file of passwords."""

    permission: Permission
    salt: bytes
    key: bytes

    def fits(self, password: str) -> bool:
        """Return whether this is the password; takes some 50 ms."""
        return hmac.compare_digest(self.key, scrypt(password.encode(), salt=self.salt, **COST))


NOBODY: Final = PasswordEntry(Permission.VIEWER, b"nobody", b"")
"""Stands in for a name that is unknown, so that an answer takes as long."""


class PasswordUsers(_WithoutLogin):
    """Names with passwords (HTTP Basic), from a file of lines ``name:permission:salt:hash``, both in hexadecimal."""

    def __init__(self, entries: Mapping[str, PasswordEntry], clock: Callable[[], float] = time.monotonic) -> None:
        self._entries = entries
        self._clock = clock
        self._secret = os.urandom(32)
        self._right: dict[bytes, float] = {}
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    @classmethod
    def load(cls, path: Path) -> "PasswordUsers":
        """Read the file.

        Raises:
            InvalidError: it cannot be read, or a line has another form.
        """
        advice = "write lines with `tocsin ui --make-user NAME`"
        try:
            lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
            entries = dict(_entry(line) for line in lines if line and not line.startswith("#"))
        except ValueError as error:
            raise InvalidError(f"{path} has a line that is not name:permission:salt:hash", advice) from error
        except OSError as error:
            raise InvalidError(f"{path} cannot be read ({error.strerror})", advice) from error
        if not entries:
            raise InvalidError(f"{path} names nobody", advice)
        return cls(entries)

    async def identify(self, headers: Headers, address: str) -> PageUser | Refusal:
        """Return whose name and password the request carries."""
        now = self._clock()
        failures = self._recent(address, now)
        if len(failures) >= FAILURES:
            return Refusal(429, f"Too many wrong passwords; wait {FAILURES_S:.0f} seconds.\n")
        name, password = _credentials(headers.get("authorization", ""))
        entry = self._entries.get(name)
        # What is remembered is a keyed hash, which is of use to nobody else and ends with the process.
        digest = blake2b(f"{name}:{password}".encode(), key=self._secret).digest()
        if entry is not None and self._right.get(digest, 0.0) > now:
            return PageUser(name, entry.permission)
        if not name:
            return _UNKNOWN
        is_right = await asyncio.to_thread((entry or NOBODY).fits, password)
        if entry is None or not is_right:
            failures.append(now)
            return _UNKNOWN
        self._right = {known: until for known, until in self._right.items() if until > now}
        self._right[digest] = now + REMEMBERED_S
        return PageUser(name, entry.permission)

    def _recent(self, address: str, now: float) -> deque[float]:
        """Return the times of the wrong passwords of an address."""
        failures = self._failures.setdefault(address, deque())
        while failures and failures[0] <= now - FAILURES_S:
            failures.popleft()
        if len(self._failures) > MOST_ADDRESSES:
            self._failures.popitem(last=False)
        return failures


_UNKNOWN: Final = Refusal(401, "Name and password are needed.\n", 'Basic realm="Tocsin", charset="UTF-8"')


def password_line(name: str, permission: Permission, password: str) -> str:
    """Return the line of the file of passwords for a user.

    Raises:
        InvalidError: the name cannot stand in the file, or the password is short.
    """
    if not name.strip() or ":" in name or len(name) > LONGEST_NAME or escape_control(name) != name:
        raise InvalidError(f"{name!r} cannot be a name", f"give at most {LONGEST_NAME} characters without a colon")
    if len(password) < 12:  # noqa: PLR2004 - as the advice says
        raise InvalidError("the password is too short", "give at least 12 characters")
    salt = os.urandom(SALT)
    return f"{name}:{permission}:{salt.hex()}:{scrypt(password.encode(), salt=salt, **COST).hex()}"


def _entry(line: str) -> tuple[str, PasswordEntry]:
    name, permission, salt, key = line.split(":")
    return name, PasswordEntry(Permission(permission), bytes.fromhex(salt), bytes.fromhex(key))


def _credentials(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password


def _is_within(address: str, networks: Collection[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        place = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(place, "ipv4_mapped", None)
    return any((mapped or place) in network for network in networks)

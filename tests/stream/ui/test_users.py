"""Who reads the page and who may act: passwords, a proxy's header, and what is refused."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from starlette.datastructures import Headers

from models.errors import InvalidError
from stream.cli import tocsin
from stream.settings import load_settings
from stream.ui.start import address_of, users_of
from stream.ui.web.users import (
    FAILURES,
    FAILURES_S,
    PageUser,
    PasswordEntry,
    PasswordUsers,
    Permission,
    ProxyUsers,
    Refusal,
    Users,
    password_line,
)

PASSWORD = "correct horse: battery"  # noqa: S105 - of a test


def asked(users: Users, address: str = "127.0.0.1", **headers: str) -> PageUser | Refusal:
    """Return whom a request with these headers is taken for."""
    return asyncio.run(users.identify(Headers({name.replace("_", "-"): v for name, v in headers.items()}), address))


def basic(name: str, password: str) -> dict[str, str]:
    """Return the header that a browser sends."""
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.fixture
def passwords(tmp_path: Path) -> PasswordUsers:
    """Give users of a file with a responder and a viewer."""
    path = tmp_path / "users"
    lines = [password_line("ann", Permission.RESPONDER, PASSWORD), password_line("bo", Permission.VIEWER, PASSWORD)]
    path.write_text("# who reads\n" + "\n".join(lines) + "\n")
    return PasswordUsers.load(path)


def test_a_name_with_its_password_is_a_user(passwords: PasswordUsers) -> None:
    """The file says what each may do; it holds no password."""
    assert asked(passwords, **basic("ann", PASSWORD)) == PageUser("ann", Permission.RESPONDER)
    assert asked(passwords, **basic("bo", PASSWORD)) == PageUser("bo", Permission.VIEWER)
    assert PASSWORD not in password_line("ann", Permission.VIEWER, PASSWORD)


@pytest.mark.parametrize(
    "headers",
    [{}, basic("ann", "wrong"), basic("eve", PASSWORD), {"authorization": "Basic %%%"}, {"authorization": "Bearer x"}],
    ids=["none", "wrong", "unknown", "rubbish", "bearer"],
)
def test_anything_else_is_asked_for_a_password(passwords: PasswordUsers, headers: dict[str, str]) -> None:
    """The answer makes a browser ask."""
    refusal = asked(passwords, **headers)
    assert isinstance(refusal, Refusal)
    assert refusal.status == 401
    assert refusal.challenge.startswith("Basic ")


def test_guessing_has_to_wait(passwords: PasswordUsers, monkeypatch: pytest.MonkeyPatch) -> None:
    """After ten wrong passwords of one address even the right one waits a minute; other addresses do not."""
    now = [0.0]
    monkeypatch.setattr(passwords, "_clock", lambda: now[0])
    for _ in range(FAILURES):
        asked(passwords, **basic("ann", "wrong"))
    refusal = asked(passwords, **basic("ann", PASSWORD))
    assert isinstance(refusal, Refusal)
    assert refusal.status == 429
    assert isinstance(asked(passwords, "10.0.0.9", **basic("ann", PASSWORD)), PageUser)
    now[0] = FAILURES_S
    assert isinstance(asked(passwords, **basic("ann", PASSWORD)), PageUser)


def test_a_password_is_hashed_once_for_some_minutes(passwords: PasswordUsers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is open asks often, and a hash takes 50 ms."""
    hashes: list[str] = []

    def fits(entry: PasswordEntry, password: str) -> bool:
        hashes.append(password)
        return password == PASSWORD

    monkeypatch.setattr(PasswordEntry, "fits", fits)
    for _ in range(5):
        asked(passwords, **basic("ann", PASSWORD))
    assert len(hashes) == 1


@pytest.mark.parametrize("text", ["", "ann:admin:00:00", "ann:viewer:zz:00", "ann"], ids=str)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    """The words say how lines are made."""
    (tmp_path / "users").write_text(text)
    with pytest.raises(InvalidError, match="--make-user"):
        PasswordUsers.load(tmp_path / "users")


def test_the_command_makes_a_line_that_serves() -> None:
    """It asks twice and prints nothing else; a short password is refused."""
    done = CliRunner().invoke(
        tocsin, ["ui", "--make-user", "ann", "--permission", "viewer"], f"{PASSWORD}\n{PASSWORD}\n"
    )
    assert done.exit_code == 0
    line = done.stdout.splitlines()[-1]
    name, permission, _, _ = line.split(":")
    assert (name, permission) == ("ann", "viewer")
    with pytest.raises(InvalidError):
        password_line("ann", Permission.VIEWER, "short")
    with pytest.raises(InvalidError):
        password_line("a:b", Permission.VIEWER, PASSWORD)


def proxy(*responders: str) -> ProxyUsers:
    """Return the users of a proxy at 10.0.0.1."""
    return ProxyUsers.of("X-Forwarded-User", "X-Forwarded-Groups", ["10.0.0.1", "fd00::/64"], responders)


def test_the_header_of_a_trusted_proxy_names_the_user() -> None:
    """Names and groups decide who may act; nobody does unless the settings say so."""
    sent: dict[str, Any] = {"x_forwarded_user": "ann", "x_forwarded_groups": "ops, sre"}
    assert asked(proxy(), "10.0.0.1", **sent) == PageUser("ann", Permission.VIEWER)
    for responders in (("ann",), ("sre",), ("*",)):
        assert asked(proxy(*responders), "10.0.0.1", **sent) == PageUser("ann", Permission.RESPONDER)
    assert asked(proxy(), "::ffff:10.0.0.1", **sent) == PageUser("ann", Permission.VIEWER)


def test_a_header_that_anybody_else_sends_is_refused() -> None:
    """Only the address of the connection counts, not what a header says of it."""
    spoofed = asked(proxy("*"), "10.0.0.2", x_forwarded_user="ann", x_forwarded_for="10.0.0.1")
    assert isinstance(spoofed, Refusal)
    assert spoofed.status == 403


def test_a_proxy_that_names_nobody_or_two_is_refused() -> None:
    """A second header may come from the client."""
    twice = Headers(raw=[(b"x-forwarded-user", b"eve"), (b"x-forwarded-user", b"ann")])
    for headers in (Headers({}), Headers({"x-forwarded-user": " "}), twice):
        refusal = asyncio.run(proxy().identify(headers, "10.0.0.1"))
        assert isinstance(refusal, Refusal)
        assert refusal.status == 401


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ui_host": "192.0.2.1"}, "without authentication"),
        ({"ui_auth": "basic"}, "TOCSIN_UI_USERS"),
        ({"ui_auth": "proxy"}, "TOCSIN_UI_PROXY_TRUSTED"),
        ({"ui_auth": "proxy", "ui_proxy_trusted": ("everywhere",)}, "TOCSIN_UI_PROXY_TRUSTED"),
    ],
    ids=["open", "basic", "proxy", "network"],
)
def test_settings_that_would_let_anybody_in_are_refused(settings: dict[str, Any], words: str) -> None:
    """The words say what to set."""
    loaded = load_settings(**settings)
    with pytest.raises(InvalidError, match=words):
        address_of(loaded, None), users_of(loaded)

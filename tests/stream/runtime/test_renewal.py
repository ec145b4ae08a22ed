"""Renewed certificates and secrets: taken over once they can be used, and not before."""

from pathlib import Path

import pytest

from models.errors import InvalidError
from stream.runtime import renewal
from stream.runtime.renewal import AGAIN_S, CredentialWatch, digest, watch_credentials
from stream.settings import load_settings
from tests.certificates import TestAuthority


class World:
    """Content, whether it can be used, and a clock."""

    def __init__(self) -> None:
        self.content = b"old"
        self.usable = True
        self.tries = 0
        self.now = 0.0

    def accept(self) -> None:
        """Try the content."""
        self.tries += 1
        if not self.usable:
            raise InvalidError("Kafka does not know it yet")

    def watch(self) -> CredentialWatch:
        """Return a watch of it."""
        return CredentialWatch(b"old", lambda: self.content, self.accept, lambda: self.now)


def test_nothing_is_tried_while_nothing_changes() -> None:
    """Kafka is not asked every two seconds."""
    world = World()
    watch = world.watch()
    assert not watch.is_renewed()
    assert world.tries == 0


def test_new_content_is_taken_over_when_it_can_be_used(caplog: pytest.LogCaptureFixture) -> None:
    """Until then it is tried every five seconds, and said once."""
    world = World()
    watch = world.watch()
    world.content, world.usable = b"new", False
    for second in range(int(2 * AGAIN_S)):
        world.now = second
        assert not watch.is_renewed()
    assert world.tries == 2
    assert [record.getMessage() for record in caplog.records] == [
        "renewed certificates or secrets cannot be used yet, those before are: Kafka does not know it yet"
    ]
    world.now, world.usable = 2 * AGAIN_S, True
    assert watch.is_renewed()


def test_content_that_comes_back_needs_no_new_start() -> None:
    """A secret that was put back is the one that is served."""
    world = World()
    watch = world.watch()
    world.content, world.usable = b"new", False
    assert not watch.is_renewed()
    world.content, world.usable = b"old", True
    world.now += AGAIN_S
    assert not watch.is_renewed()


def test_content_that_changes_while_it_is_tried_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate and its key are two files: what was tried may be half of each."""
    world = World()
    watch = world.watch()
    world.content = b"half"

    def change() -> None:
        world.content = b"whole"

    monkeypatch.setattr(watch, "_is_accepted", change)
    assert not watch.is_renewed()
    assert watch.is_renewed()


def test_files_of_certificates_and_secrets_are_watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Those that the settings name: each change of one is tried, with the settings read again."""
    authority = TestAuthority(tmp_path)
    own = authority.issue("tocsin")
    password = tmp_path / "password"
    password.write_text("first")
    variables = {
        "SECURITY_PROTOCOL": "sasl_ssl",
        "SASL_MECHANISM": "PLAIN",
        "SASL_USERNAME": "me",
        "SASL_PASSWORD_FILE": str(password),
        "SSL_CAFILE": str(authority.file),
        "SSL_CERTFILE": str(own.certificate),
        "SSL_KEYFILE": str(own.key),
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"TOCSIN_KAFKA_{name}", value)
    monkeypatch.setattr(renewal, "try_new", load_settings)
    settings = load_settings()
    # Written after the settings were read, and before they are watched.
    password.write_text("second")
    assert watch_credentials(settings).is_renewed()
    watch = watch_credentials(load_settings())
    assert not watch.is_renewed()
    authority.issue("tocsin")
    assert watch.is_renewed()
    password.unlink()
    assert not watch.is_renewed()


def test_a_folder_of_authorities_is_watched_as_a_whole(tmp_path: Path) -> None:
    """A new authority is a new file in it."""
    before = digest({}, [tmp_path])
    (tmp_path / "authority.pem").write_text("one")
    assert digest({}, [tmp_path]) != before

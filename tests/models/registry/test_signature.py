"""Signatures: whose they are, and what they cover."""

from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import InvalidError
from models.registry.manifest import FileFacts, Manifest, signed
from models.registry.signature import new_key, sign, trusted

MANIFEST = Manifest(
    "nova",
    3,
    "0123",
    "tocsin.bundle/6",
    {"bundle.json": FileFacts("aa", 2)},
    1_700_000_000_000_000,
    facts={"loss": 0.1},
)


@pytest.fixture
def key(tmp_path: Path) -> tuple[Path, str]:
    """A private key in a file, and its public key."""
    private, public = new_key()
    path = tmp_path / "key.pem"
    path.write_bytes(private)
    return path, public


def test_a_signed_version_is_trusted(key: tuple[Path, str]) -> None:
    """By its own key, also where others are trusted, too."""
    manifest = signed(MANIFEST, sign(MANIFEST.signed_bytes(), key[0]))
    manifest.check(trusted([new_key()[1], key[1]]))
    assert manifest.digest == MANIFEST.digest


def test_without_keys_nothing_is_demanded() -> None:
    """Who trusts the store needs no keys."""
    MANIFEST.check(trusted([]))


def test_an_unsigned_version_is_refused_where_keys_are_set(key: tuple[Path, str]) -> None:
    """And the advice names the setting."""
    with pytest.raises(InvalidError, match="not signed") as refusal:
        MANIFEST.check(trusted([key[1]]))
    assert "TOCSIN_SIGNING_KEY" in refusal.value.advice


def test_a_foreign_signature_is_refused(key: tuple[Path, str]) -> None:
    """A key that is not trusted here signs for nobody."""
    manifest = signed(MANIFEST, sign(MANIFEST.signed_bytes(), key[0]))
    with pytest.raises(InvalidError, match="not trusted here"):
        manifest.check(trusted([new_key()[1]]))


@pytest.mark.parametrize(
    "changed",
    [
        replace(MANIFEST, number=4),
        replace(MANIFEST, files={"bundle.json": FileFacts("bb", 2)}),
        replace(MANIFEST, parent="nova@v1"),
        replace(MANIFEST, facts={"loss": 0.2}),
    ],
    ids=["number", "files", "parent", "facts"],
)
def test_a_changed_version_is_refused(key: tuple[Path, str], changed: Manifest) -> None:
    """The signature covers everything that the manifest says."""
    with pytest.raises(InvalidError, match="was changed"):
        signed(changed, sign(MANIFEST.signed_bytes(), key[0])).check(trusted([key[1]]))


@pytest.mark.parametrize("text", ["", "ed25519:AAAA", "ed25519:%%%", "rsa:AAAA"])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    """A wrong setting fails, and does not trust everybody."""
    with pytest.raises(InvalidError, match="no public key"):
        trusted([text])


def test_what_is_no_private_key_is_refused(tmp_path: Path) -> None:
    """Neither a file that is missing nor one of something else."""
    with pytest.raises(InvalidError, match="cannot read"):
        sign(b"", tmp_path / "none.pem")
    (tmp_path / "text.pem").write_text("no key")
    with pytest.raises(InvalidError, match="no private key"):
        sign(b"", tmp_path / "text.pem")

"""Addresses of bundles: folders, versions and aliases in stores, and what is none."""

from pathlib import Path

import pytest

from models.errors import InvalidError
from models.registry.address import ModelAddress, parse_bundle, parse_version


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("bundle", Path("bundle")),
        ("/var/lib/a@b", Path("/var/lib/a@b")),
        ("file:///var/lib/bundle%201", Path("/var/lib/bundle 1")),
        ("file:///var/store/nova@champion", ModelAddress("file:///var/store", "nova", "champion")),
        ("s3://bucket/a/b/nova-prod@v12", ModelAddress("s3://bucket/a/b", "nova-prod", "v12")),
        ("s3://bucket/nova@challenger", ModelAddress("s3://bucket", "nova", "challenger")),
    ],
)
def test_an_address_is_a_folder_or_a_version(text: str, meant: Path | ModelAddress) -> None:
    """What names a version has a scheme and a sign; everything without a scheme is a folder."""
    assert parse_bundle(text) == meant
    if isinstance(meant, ModelAddress):
        assert str(meant) == text


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/prefix",
        "gs://bucket/nova@v1",
        "s3://bucket/nova@",
        "s3://bucket/nova@V1",
        "s3://bucket/no va@v1",
        "s3://bucket/nova_v01@v1",
        "s3://bucket/..@v1",
        "file://host/folder",
        "file:folder@v1://x",
    ],
)
def test_what_is_no_address_is_refused_with_advice(text: str) -> None:
    """Every refusal says what to write instead."""
    with pytest.raises(InvalidError) as refusal:
        parse_bundle(text)
    assert refusal.value.advice


def test_a_name_alone_means_the_champion_of_the_store() -> None:
    """On the command line the store and the alias may be left out."""
    assert parse_version("nova", "s3://b/p") == ModelAddress("s3://b/p", "nova", "champion")
    assert parse_version("nova@v3", "s3://b/p") == ModelAddress("s3://b/p", "nova", "v3")
    assert parse_version("file:///x/nova@v3", "s3://b/p") == ModelAddress("file:///x", "nova", "v3")

"""A store on a folder and on S3: every test of the contract runs on both."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.registry.model_store import ModelStore
from models.registry.objects import Objects
from tests.models.bundles import bundle
from tests.models.registry.writers import open_objects
from tests.s3_server import BUCKET, S3Server, S3UnavailableError, versitygw
from tests.served import served


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Give a running S3 server, one to a process; without Go the test is skipped, in CI it fails."""
    yield from served(versitygw, S3UnavailableError, "S3 server", lambda: S3Server(tmp_path_factory.mktemp("s3")))


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """Give the S3 server, with its address and keys in the environment."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the address of an empty store."""
    if request.param == "folder":
        return f"file://{tmp_path}/store"
    request.getfixturevalue("s3")
    return f"s3://{BUCKET}/{tmp_path.parent.name}/{tmp_path.name}"


@pytest.fixture
def objects(url: str) -> Objects:
    """Give the objects of the store."""
    return open_objects(url)


@pytest.fixture
def store(url: str, objects: Objects) -> ModelStore:
    """Give the versions in the store."""
    return ModelStore(objects, url)


@pytest.fixture
def folder_of(tmp_path: Path) -> Callable[[int], Path]:
    """Give what writes a small bundle with a seed and returns its folder."""

    def write(seed: int) -> Path:
        path = tmp_path / f"bundle-{seed}"
        if not path.exists():
            bundle(seed=seed).write(path)
        return path

    return write

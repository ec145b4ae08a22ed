"""The commands on a real S3 server, signed; and that a worker with a folder needs nothing of all this."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from stream.cli import tocsin
from stream.settings import load_settings
from stream.wiring.learning import served_bundle
from tests.models.bundles import bundle
from tests.s3_server import BUCKET, S3Server


def run(*args: str) -> str:
    """Run ``tocsin models``; it must succeed."""
    done = CliRunner().invoke(tocsin, ["models", *args])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


@pytest.mark.s3
def test_a_bundle_goes_through_s3(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed, registered, promoted, served, and from the disk while the server is gone."""
    store = f"s3://{BUCKET}/{tmp_path.name}"
    for name, value in {
        "TOCSIN_MODELS": store,
        "TOCSIN_BUNDLE": f"{store}/nova@champion",
        "TOCSIN_CACHE_PATH": str(tmp_path / "cache"),
        "TOCSIN_S3_PATH_STYLE": "true",
        "TOCSIN_SIGNING_KEY": str(tmp_path / "key.pem"),
    }.items():
        monkeypatch.setenv(name, value)
    public = run("key", "--out", str(tmp_path / "key.pem")).strip()
    monkeypatch.setenv("TOCSIN_TRUSTED_KEYS", orjson.dumps([public]).decode())
    bundle().write(tmp_path / "bundle")
    assert run("doctor").startswith("ok ")
    assert run("check-in", str(tmp_path / "bundle"), "--name", "nova").startswith(f"nova@v1 in {store}")
    run("promote", "nova@v1", "--alias-only")
    assert "@champion" in run("list")
    served = served_bundle(load_settings())
    assert served.manifest is not None
    assert (served.manifest.bundle, served.problem) == (bundle().id, "")
    s3.stop()
    again = served_bundle(load_settings())
    s3.start()
    assert again.path == served.path
    assert "does not answer" in again.problem
    # Somebody who may write to the bucket registers a bundle of their own: it is not served.
    monkeypatch.delenv("TOCSIN_SIGNING_KEY")
    monkeypatch.delenv("TOCSIN_TRUSTED_KEYS")
    run("check-in", str(tmp_path / "bundle"), "--name", "nova")
    run("promote", "nova@v2", "--alias-only")
    monkeypatch.setenv("TOCSIN_TRUSTED_KEYS", orjson.dumps([public]).decode())
    refused = served_bundle(load_settings())
    assert refused.path == served.path
    assert "nova@v2 is refused: it is not signed" in refused.problem


def test_a_worker_with_a_folder_imports_neither_boto3_nor_mlflow(tmp_path: Path) -> None:
    """The extras are for who uses a store."""
    bundle().write(tmp_path / "bundle")
    program = (
        "import sys\n"
        "from stream.runtime.process import Process\n"
        "from stream.settings import Settings\n"
        "from stream.wiring.core import load_bundle\n"
        f"load_bundle(Settings(bundle={str(tmp_path / 'bundle')!r}))\n"
        "print(sorted({'boto3', 'botocore', 'mlflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

"""A real S3 server for tests: VersityGW over a folder, built with Go, on loopback.

By hand: ``python -m tests.s3_server`` starts one, prints what to export and stops it on Ctrl-C.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final
from urllib.error import HTTPError
from urllib.request import urlopen

from tests.kafka_server import cache_folder, dying_with_us
from tests.ports import held_port
from tests.waiting import serve_until_interrupted

VERSION: Final = "v1.8.0"
BUCKET: Final = "models"
KEY: Final = "only-for-tests"
SECRET: Final = "no-secret-at-all"  # noqa: S105
START_TIMEOUT_S: Final = 60.0
BUILD_TIMEOUT_S: Final = 1200.0


class S3UnavailableError(Exception):
    """The server cannot be had on this machine; the message says what is missing."""


def versitygw() -> Path:
    """Return the program, built at the first call (two minutes)."""
    if installed := shutil.which("versitygw"):
        return Path(installed)
    folder = cache_folder().parent / f"versitygw-{VERSION}"
    program = folder / "versitygw"
    if program.is_file():
        return program
    if shutil.which("go") is None:
        msg = "go is not installed"
        raise S3UnavailableError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        done = subprocess.run(
            ["go", "install", f"github.com/versity/versitygw/cmd/versitygw@{VERSION}"],
            env={**os.environ, "GOBIN": scratch, "GOFLAGS": "-p=1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=BUILD_TIMEOUT_S,
        )
        if done.returncode:
            msg = f"Go cannot build VersityGW: {done.stderr[-500:]}"
            raise S3UnavailableError(msg)
        (Path(scratch) / "versitygw").replace(program)
    return program


class S3Server:
    """One server with its data in ``folder``; ``start`` after ``stop`` finds data and port again."""

    def __init__(self, folder: Path) -> None:
        """Prepare the server; nothing runs yet."""
        self._data = folder / "data"
        (self._data / BUCKET).mkdir(parents=True)
        self._log = folder / "versitygw.log"
        self._port = held_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoint = f"http://127.0.0.1:{self._port}"
        self.environment = {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def folder(self) -> Path:
        """Where the bucket's objects lie as files."""
        return self._data / BUCKET

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*dying_with_us(), str(versitygw()), "--port", f"127.0.0.1:{self._port}", "posix", str(self._data)],
                env={**os.environ, "ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urlopen(self.endpoint, timeout=2):  # noqa: S310 - our own server
                    return
            except HTTPError:
                return  # it answers: that it wants a signature
            except OSError:
                time.sleep(0.05)
        msg = f"VersityGW did not start:\n{self._log.read_text()[-2000:]}"
        raise S3UnavailableError(msg)

    def stop(self) -> None:
        """Stop the server: its address refuses connections from now on."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait()

    def pause(self) -> None:
        """Have the server rest: it keeps its connections and answers nobody."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Have the server go on after ``pause``."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)


def main() -> None:
    """Run a server until interrupted."""
    with tempfile.TemporaryDirectory(prefix="tocsin-s3-") as folder:
        server = S3Server(Path(folder))
        server.start()
        variables = (f"export {name}={value}" for name, value in server.environment.items())
        serve_until_interrupted(server.stop, "\n".join(variables))


if __name__ == "__main__":
    main()

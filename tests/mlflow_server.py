"""MLflow's own server for tests: on SQLite, in an environment of its own, on loopback."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from tests.kafka_server import cache_folder, dying_with_us
from tests.ports import held_port

VERSION: Final = "3.17.2"
START_TIMEOUT_S: Final = 240.0
INSTALL_TIMEOUT_S: Final = 800.0


class MlflowUnavailableError(Exception):
    """The server cannot be had on this machine; the message says what is missing."""


def mlflow() -> Path:
    """Return the program, installed at the first call (600 MB)."""
    folder = cache_folder().parent / f"mlflow-{VERSION}"
    program = folder / "bin" / "mlflow"
    if program.is_file():
        return program
    shutil.rmtree(folder, ignore_errors=True)
    commands = [
        [sys.executable, "-m", "venv", str(folder)],
        [str(folder / "bin" / "pip"), "install", "--quiet", f"mlflow=={VERSION}"],
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S)
        if done.returncode:
            msg = f"MLflow cannot be installed: {done.stderr[-500:]}"
            raise MlflowUnavailableError(msg)
    return program


class MlflowServer:
    """One server with its data in ``folder``."""

    def __init__(self, folder: Path) -> None:
        """Prepare the server; nothing runs yet."""
        self._folder = folder
        port = held_port()
        self.url = f"http://127.0.0.1:{port}"
        self._command = [
            *dying_with_us(),
            str(mlflow()),
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            "1",
            "--backend-store-uri",
            f"sqlite:///{folder}/mlflow.db",
            "--artifacts-destination",
            str(folder / "artifacts"),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        environment = {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_ENABLE_AI_GATEWAY": "false",
        }
        with (self._folder / "mlflow.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env={**os.environ, **environment}, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urlopen(f"{self.url}/health", timeout=2):  # noqa: S310 - our own server
                    return
            except OSError:
                time.sleep(0.2)
        msg = f"MLflow did not start:\n{(self._folder / 'mlflow.log').read_text()[-2000:]}"
        raise MlflowUnavailableError(msg)

    def pause(self) -> None:
        """Have the server rest: it keeps its connections and answers nobody."""
        self._send(signal.SIGSTOP)

    def stop(self) -> None:
        """Stop the server and all that it started."""
        self._send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, number)

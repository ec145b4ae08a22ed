"""A real Apache Kafka for tests: one KRaft node on loopback, from Maven's jars, without Docker.

By hand: ``python -m tests.kafka_server`` starts one, prints its address and stops it on Ctrl-C.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.ports import held_port
from tests.waiting import serve_until_interrupted

KAFKA_VERSION: Final = "4.1.0"
START_TIMEOUT_S: Final = 180.0
STOP_TIMEOUT_S: Final = 60.0
USER: Final = "tocsin"
PASSWORD: Final = "only-for-tests"  # noqa: S105
"""Who may use ``sasl_bootstrap``; ``bootstrap`` asks for nothing."""

CLUSTER_ID: Final = "dG9jc2luLXRlc3RzLTAwMQ"

_POM: Final = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tocsin.tests</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


class KafkaUnavailableError(Exception):
    """Kafka cannot be had on this machine; the message says what is missing."""


def cache_folder() -> Path:
    """Return where Kafka's jars are kept between runs: ``TOCSIN_TEST_CACHE``, else below the user's cache."""
    root = os.environ.get("TOCSIN_TEST_CACHE")
    base = Path(root) if root else Path.home() / ".cache" / "tocsin-tests"
    return base / f"kafka-{KAFKA_VERSION}"


def kafka_jars() -> Path:
    """Return the folder of Kafka's jars, downloaded with Maven at the first call (43 MB)."""
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            msg = f"{tool} is not installed"
            raise KafkaUnavailableError(msg)
    folder = cache_folder()
    libs = folder / "libs"
    if libs.is_dir():
        return libs
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pom.xml").write_text(_POM)
    # Into a folder beside it first: an interrupted download is not taken for a whole one.
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        done = subprocess.run(
            ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={scratch}/libs"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            msg = f"Maven cannot fetch Kafka: {done.stdout[-500:]}{done.stderr[-500:]}"
            raise KafkaUnavailableError(msg)
        if not libs.is_dir():
            (Path(scratch) / "libs").rename(libs)
    return libs


class KafkaServer:
    """One Kafka node with its data in ``folder``; ``start`` after ``stop`` or ``kill`` finds data and ports again."""

    java_options: Sequence[str] = ()
    """Options of the node's Java."""
    format_options: Sequence[str] = ()
    """Options of the command that formats its storage."""

    def __init__(self, folder: Path) -> None:
        """Prepare the node; nothing runs yet."""
        self.folder = folder
        self.port, self._controller_port, self.sasl_port = (held_port() for _ in range(3))
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.sasl_bootstrap = f"127.0.0.1:{self.sasl_port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Say whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of its process, which must run."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the node and wait until it answers."""
        if self.running:
            return
        classpath = f"{kafka_jars()}/*"
        settings = self.folder / "server.properties"
        if not settings.exists():
            self._format(classpath, settings)
        with (self.folder / "kafka.log").open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *dying_with_us(),
                    "java",
                    "-Xmx512m",
                    "-XX:TieredStopAtLevel=1",
                    *self.java_options,
                    "-cp",
                    classpath,
                    "kafka.Kafka",
                    str(settings),
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop the node in an orderly way."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the node with SIGKILL, as a crash does."""
        self._signal(signal.SIGKILL)

    def pause(self) -> None:
        """Have the node rest: it keeps its connections and answers nobody."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Have the node go on after ``pause``."""
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, number)

    def _signal(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _format(self, classpath: str, settings: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # Not where `start` looks for it, until the storage is formatted too.
        draft = self.folder / "server.properties.draft"
        draft.write_text("".join(f"{name}={value}\n" for name, value in self.properties().items()))
        tool = ["java", "-cp", classpath, "kafka.tools.StorageTool", "format"]
        subprocess.run(
            [*tool, f"--cluster-id={CLUSTER_ID}", "-c", str(draft), *self.format_options],
            check=True,
            capture_output=True,
        )
        draft.rename(settings)

    def properties(self) -> dict[str, str]:
        """Return the node's settings."""
        clients = f"PLAINTEXT://{self.bootstrap},SASL_PLAINTEXT://{self.sasl_bootstrap}"
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "listeners": ",".join([clients, f"CONTROLLER://127.0.0.1:{self._controller_port}"]),
            "advertised.listeners": clients,
            "listener.security.protocol.map": (
                "PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"
            ),
            "listener.name.sasl_plaintext.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl_plaintext.plain.sasl.jaas.config": (
                f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
            ),
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.folder / "data"),
            "auto.create.topics.enable": "false",
            "num.partitions": "1",
            # Tests send messages of 1970, which are not to be cleared away while they are looked at.
            "log.retention.ms": "-1",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            # After a kill the node is let back in as soon as its old session has run out.
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
        }

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 200})
        while time.monotonic() < deadline:
            if not self.running:
                break
            try:
                if admin.list_topics(timeout=2.0).brokers:
                    return
            except KafkaException:
                continue
        self.kill()
        log = (self.folder / "kafka.log").read_text(errors="replace")
        msg = f"Kafka did not start:\n{log[-2000:]}"
        raise KafkaUnavailableError(msg)


def dying_with_us() -> list[str]:
    """Return what to put before a command so that it is killed when the thread that starts it ends, however it ends.

    Linux only, with util-linux; elsewhere nothing, and a killed test run leaves its children behind.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


def main() -> None:
    """Run a Kafka until interrupted."""
    with tempfile.TemporaryDirectory(prefix="tocsin-kafka-") as folder:
        server = KafkaServer(Path(folder))
        server.start()
        serve_until_interrupted(server.stop, server.bootstrap)


if __name__ == "__main__":
    main()

"""The Fluent Bit configurations that users copy, with the real Fluent Bit; ``shipping`` has the long form."""

import subprocess
from pathlib import Path

import orjson
import pytest

from tests.integration.shipping import BINARY, ROOT, SHORT, ship, variables
from tests.kafka_server import KafkaServer

pytestmark = [
    pytest.mark.fluentbit,
    pytest.mark.skipif(not Path(BINARY).is_file(), reason="Fluent Bit is not installed"),
]


@pytest.mark.parametrize("name", ["openstack", "kubernetes"])
def test_configuration_is_accepted(name: str, tmp_path: Path) -> None:
    """Fluent Bit itself finds nothing wrong with the files that users copy."""
    command = [BINARY, "-c", str(ROOT / "helm" / "fluent-bit" / f"{name}.yaml"), "--dry-run"]
    environment = variables(tmp_path, "127.0.0.1:1", "t")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
    assert "successful" in done.stdout + done.stderr


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_what_is_shipped_counts_once(kafka_server: KafkaServer, unique: str, tmp_path: Path) -> None:
    """Killed three times, cut off from Kafka once: its queue at most is lost, and what is sent twice counts once."""
    shipped = ship(kafka_server, unique, tmp_path, SHORT)
    shipped.check()
    assert len(shipped.written) == 3 * (2 * SHORT.burst + SHORT.burst // 3) + 3 * SHORT.burst
    first = orjson.loads(shipped.records[0].value or b"{}")
    assert {"@timestamp", "path", "offset", "log", "host"} <= set(first)
    # An unknown name among Kafka's settings is only logged.
    assert "configuration property" not in (tmp_path / "logs" / "fluent-bit.out").read_text(errors="replace")
    assert shipped.records[0].key == str(tmp_path / "logs" / "nova-compute.log").encode()

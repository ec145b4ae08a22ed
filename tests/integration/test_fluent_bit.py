"""The Fluent Bit configurations that users copy, with the real Fluent Bit; ``shipping`` has the long form.

No package registry has Fluent Bit, so where it is missing the configurations are at least read as what they are.
"""

import re
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from confluent_kafka import Producer

from tests.integration.shipping import BINARY, QUEUE, ROOT, SHORT, ship, variables
from tests.kafka_server import KafkaServer

NAMES = ["openstack", "kubernetes"]
FOLDER = ROOT / "helm" / "fluent-bit"


def shipped(name: str) -> dict[str, Any]:
    """Read a configuration."""
    made: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return made


@pytest.mark.parametrize("name", NAMES)
def test_records_keep_what_tocsin_tells_copies_by(name: str) -> None:
    """Lines go one by one from the head of each file, with path and offset, to the topic, by path; nothing gives up."""
    pipeline = shipped(name)["pipeline"]
    [tail], [kafka] = pipeline["inputs"], pipeline["outputs"]
    assert (tail["name"], kafka["name"], kafka["format"]) == ("tail", "kafka", "json")
    assert (tail["key"], tail["path_key"], tail["offset_key"]) == ("log", "path", "offset")
    assert not {key for key in tail if key.startswith(("multiline", "parser", "docker_mode"))}
    assert (tail["read_from_head"], tail["storage.type"]) == (True, "filesystem")
    assert (kafka["message_key_field"], kafka["retry_limit"]) == ("path", "no_limits")
    matches = [part["match"] for part in (*pipeline["filters"], kafka)]
    assert set(matches) == {tail["tag"]}
    added = next(part["record"] for part in pipeline["filters"] if part["name"] == "record_modifier")
    assert "host " in str(added)


@pytest.mark.parametrize("name", NAMES)
def test_the_head_names_every_variable(name: str, tmp_path: Path) -> None:
    """An unset variable becomes an empty string, so whoever copies the file must know them all."""
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    used = set(re.findall(r"\$\{(\w+)\}", text))
    head = text.partition("\nservice:")[0]
    assert used
    assert {variable for variable in used if variable not in head} == set()
    assert used <= variables(tmp_path, "127.0.0.1:1", "t").keys()


@pytest.mark.parametrize("name", NAMES)
def test_kafka_knows_every_setting(name: str) -> None:
    """Fluent Bit hands them to librdkafka and only logs those that it does not know; here it refuses them."""
    [kafka] = shipped(name)["pipeline"]["outputs"]
    settings = {key.removeprefix("rdkafka."): value for key, value in kafka.items() if key.startswith("rdkafka.")}
    assert settings["enable.idempotence"]
    assert settings["queue.buffering.max.messages"] == QUEUE
    Producer(settings)


needs_fluent_bit = pytest.mark.skipif(not Path(BINARY).is_file(), reason="Fluent Bit is not installed")


@pytest.mark.fluentbit
@needs_fluent_bit
@pytest.mark.parametrize("name", NAMES)
def test_configuration_is_accepted(name: str, tmp_path: Path) -> None:
    """Fluent Bit itself finds nothing wrong with the files that users copy."""
    command = [BINARY, "-c", str(FOLDER / f"{name}.yaml"), "--dry-run"]
    environment = variables(tmp_path, "127.0.0.1:1", "t")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
    assert "successful" in done.stdout + done.stderr


@pytest.mark.fluentbit
@needs_fluent_bit
@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_what_is_shipped_counts_once(kafka_server: KafkaServer, unique: str, tmp_path: Path) -> None:
    """Killed three times, cut off from Kafka once: its queue at most is lost, and what is sent twice counts once."""
    done = ship(kafka_server, unique, tmp_path, SHORT)
    done.check()
    assert len(done.written) == 3 * (2 * SHORT.burst + SHORT.burst // 3) + 3 * SHORT.burst
    first = orjson.loads(done.records[0].value or b"{}")
    assert {"@timestamp", "path", "offset", "log", "host"} <= set(first)
    # An unknown name among Kafka's settings is only logged.
    assert "configuration property" not in (tmp_path / "logs" / "fluent-bit.out").read_text(errors="replace")
    assert done.records[0].key == str(tmp_path / "logs" / "nova-compute.log").encode()

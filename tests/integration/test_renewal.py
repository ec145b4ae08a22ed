"""Passwords and certificates that are renewed while lines flow: no window is lost, and none is told differently."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from stream.kafka.clients import Broker
from tests.faults.chaos import Worker, lines
from tests.integration.streamed import Deployment, judged
from tests.secure_kafka import SecureKafka
from tests.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
COUNT, RATE = 6000, 150
"""Lines, and how many a second: 40 s, in which the roles start, are renewed, and start again."""


def renewed_in_the_middle(
    server: SecureKafka, deployment: Deployment, settings: dict[str, str], change: Callable[[], None]
) -> str:
    """Stream lines through roles with these settings, make the change meanwhile, and return what the process logged."""
    values = list(lines(COUNT, 3))
    expected = deployment.score(values)
    deployment.broker.ensure_topics(deployment.topics.specs(deployment.partitions))
    environment = deployment.environment() | {f"TOCSIN_{name}": value for name, value in settings.items()}
    worker = Worker("ingest,detect", environment, deployment.folder / "tocsin.log")

    def send() -> None:
        producer = deployment.broker.producer()
        for number, (key, value) in enumerate(values):
            producer.produce(deployment.topics.logs_raw, value, key.encode())
            producer.poll(0)
            time.sleep(0 if number % 15 else 15 / RATE)
        assert producer.flush(60) == 0

    sender = threading.Thread(target=send)
    worker.start()
    try:
        until(lambda: "role started" in deployment.log())
        sender.start()
        deployment.await_windows(20)
        change()
        until(lambda: "were renewed" in deployment.log())
        sender.join()
        deployment.await_windows(len(expected))
    finally:
        status = worker.stop()
        sender.join()
    assert status == 0
    assert judged(deployment.windows(), "lines") == judged(expected, "lines")
    return (deployment.folder / "tocsin.log").read_text()


def deploy(server: SecureKafka, unique: str, folder: Path) -> Deployment:
    """Return a deployment, seen by clients that the test itself uses."""
    return Deployment(Broker(server.bootstrap), unique, folder, idle_s=20)


@pytest.mark.parametrize("first", ["file", "broker"])
def test_a_renewed_password_loses_no_window(secure_kafka: SecureKafka, unique: str, tmp_path: Path, first: str) -> None:
    """Whether the file is written before Kafka knows the new password, or after it has begun to refuse the old one."""
    secure_kafka.set_password(unique, "the-old-one")
    secure_kafka.allow_all(unique)
    password = tmp_path / "password"
    password.write_text("the-old-one")
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": secure_kafka.at("SASL_SSL"),
        "KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
        "KAFKA_SSL_CAFILE": str(secure_kafka.authority.file),
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "KAFKA_SASL_USERNAME": unique,
        "KAFKA_SASL_PASSWORD_FILE": str(password),
    }
    deployment = deploy(secure_kafka, unique, tmp_path)

    def change() -> None:
        if first == "file":
            password.write_text("the-new-one")
            until(lambda: "cannot be used yet" in deployment.log())
            secure_kafka.set_password(unique, "the-new-one")
        else:
            secure_kafka.set_password(unique, "the-new-one")
            until(lambda: "refuses this client" in deployment.log())
            password.write_text("the-new-one")

    log = renewed_in_the_middle(secure_kafka, deployment, settings, change)
    assert "the-old-one" not in log
    assert "the-new-one" not in log


def test_a_renewed_certificate_loses_no_window(secure_kafka: SecureKafka, unique: str, tmp_path: Path) -> None:
    """As cert-manager renews it: certificate and key of a mounted secret change, one after the other."""
    name = unique.rstrip(".")
    secure_kafka.allow_all(name)
    old = secure_kafka.authority.issue(name, ends=timedelta(minutes=10))
    new = secure_kafka.authority.issue(name, prefix=name + "-new")
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": secure_kafka.at("MTLS"),
        "KAFKA_SECURITY_PROTOCOL": "ssl",
        "KAFKA_SSL_CAFILE": str(secure_kafka.authority.file),
        "KAFKA_SSL_CERTFILE": str(old.certificate),
        "KAFKA_SSL_KEYFILE": str(old.key),
    }
    deployment = deploy(secure_kafka, unique, tmp_path)

    def change() -> None:
        new.certificate.replace(old.certificate)
        until(lambda: "cannot be used yet" in deployment.log())
        new.key.replace(old.key)

    log = renewed_in_the_middle(secure_kafka, deployment, settings, change)
    assert "KAFKA_SSL_CERTFILE" in log

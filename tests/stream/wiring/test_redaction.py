"""From settings to redactors: our own secrets, and kinds of one's own."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from alerts.delivery.redact_alerts import redacted
from models.errors import InvalidError
from stream.settings import Settings, load_settings
from stream.wiring.llm import make_llm_explainer
from stream.wiring.redaction import known, redactor_factory
from stream.wiring.sinks import deliver_config
from tests.alerts.laden import SPREAD, telling

OWN: dict[str, str] = {
    "slack_token": "copper-lantern-one",
    "slack_signing_secret": "copper-lantern-two",
    "webhook_secret": "copper-lantern-three",
    "pagerduty_routing_key": "copper-lantern-four",
    "kafka_sasl_password": "copper-lantern-five",
    "kafka_ssl_keypassword": "copper-lantern-six",
    "receipt_key": "copper-lantern-seven",
    "slack_url": "https://hooks.example/services/T0/B0/copper-lantern-eight",
    "webhook_url": "https://tocsin:copper-lantern-nine@hooks.example/x",
    "alertmanager_authorization": "Bearer copper-lantern-ten",
}


def settings(**other: Any) -> Settings:
    """Return settings with every secret."""
    secrets: dict[str, Any] = {name: SecretStr(value) for name, value in OWN.items()}
    kafka = {"sasl.password": SecretStr("copper-lantern-zero"), "security.protocol": SecretStr("SASL_SSL")}
    return Settings(**({"slack_channel": "C1", "kafka": kafka} | secrets | other))


def test_our_own_secrets_are_replaced_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key before them, without a telling form, inside of other words; under a name that says which."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "copper-lantern-eleven")
    texts = [f"peer said {value}x!" for value in (*OWN.values(), "copper-lantern-zero", "copper-lantern-eleven")]
    out = redactor_factory(settings())().redact([*texts, "POST /services/T0/B0/copper-lantern-eight HTTP/1.1"])
    assert "copper-lantern" not in "".join(out)
    assert out[0] == "peer said <SLACK_TOKEN_1>x!"
    assert "<SASL_PASSWORD_1>" in out[len(OWN)]
    assert "<ANTHROPIC_API_KEY_1>" in out[len(OWN) + 1]


def test_what_is_no_secret_stays() -> None:
    """Properties of Kafka, hosts of services, and addresses without anything secret in them."""
    plain = {
        "alertmanager_url": SecretStr("http://am-0:9093,http://am-1:9093"),
        "webhook_url": SecretStr("http://in/hook"),
    }
    texts = ("SASL_SSL at http://am-0:9093/api/v2/alerts", "GET http://in/hook", "hooks.example is away")
    assert redactor_factory(settings(**plain))().redact(texts) == texts


def test_a_url_that_cannot_be_read_is_secret() -> None:
    """Rather all of it than nothing."""
    assert known({"webhook_url": "http://[broken"}) == {"WEBHOOK_URL": ("http://[broken",)}


def test_kinds_of_a_file_join_the_shipped_ones_for_sinks_and_for_models(tmp_path: Path) -> None:
    """What is told, and what is asked, goes through the same."""
    path = tmp_path / "kinds.toml"
    path.write_text(
        '[[kind]]\nname = "badge"\nlabel = "BADGE"\nat = "hint"\nhints = ["badge-"]\npattern = "badge-[0-9]+"\n'
    )
    ours = settings(redaction_kinds=path)
    alert = telling(["badge-1234 password=hunter2x9 copper-lantern-one", *["quiet"] * (SPREAD - 1)])
    told = deliver_config(ours).worker.outgoing(alert, alert)
    assert told.summary == "nova: <BADGE_1> password=<PASSWORD_1> <SLACK_TOKEN_1>"
    asking = make_llm_explainer(ours)
    assert asking is not None
    assert redacted(alert, asking.redactor()).summary == told.summary
    assert asking.redactor() is not asking.redactor()


def test_a_wrong_file_stops_the_start(tmp_path: Path) -> None:
    """With its name, also when the settings come from the environment."""
    path = tmp_path / "kinds.toml"
    path.write_text("[[kind]]\nname = 1")
    for start in (deliver_config, make_llm_explainer):
        with pytest.raises(InvalidError, match=r"kinds\.toml"):
            start(load_settings(redaction_kinds=path))

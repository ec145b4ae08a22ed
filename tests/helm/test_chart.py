"""What holds for every object that the chart makes, for its usual shapes and for values at random."""

import re
import shlex
import tomllib
from itertools import takewhile
from typing import Any

import pytest
from click.testing import CliRunner
from helm_python import HelmError
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from stream.cli import tocsin
from stream.kafka.security.access_rules import access_rules, merged
from stream.kafka.topic_specs import Topics
from stream.runtime.roles import ROLES
from stream.settings import Settings
from stream.ui.start import address_of, users_of
from tests.helm.charting import (
    NAMESPACE,
    RELEASE,
    Object,
    Values,
    objects,
    of_kind,
    pods,
    read_values,
    value_files,
)

SHAPES = {path.name.removesuffix("-values.yaml"): read_values(path) for path in value_files()}
SCALED = SHAPES["scaled"]

SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}

SELECTORS = {
    f"{RELEASE}-tocsin-{role}": {
        "app.kubernetes.io/name": "tocsin",
        "app.kubernetes.io/instance": RELEASE,
        "app.kubernetes.io/component": role,
    }
    for role in ("all", "ingest", "detect", "explain", "deliver", "ui")
}
"""Of the chart's first version: an upgrade cannot change them."""


def check(manifests: list[Object]) -> None:
    """Say what must hold, whatever the values."""
    names = [(document["kind"], document["metadata"]["name"]) for document in manifests]
    assert len(names) == len(set(names))
    own = [document for document in manifests if "app.kubernetes.io/name" in document["metadata"].get("labels", {})]
    assert own
    for document in own:
        assert document["metadata"]["namespace"] == NAMESPACE
        assert len(document["metadata"]["name"]) <= 63
        assert document["metadata"]["labels"]["app.kubernetes.io/instance"] == RELEASE
    for spec in pods(manifests):
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        volumes = {volume["name"] for volume in spec["volumes"]}
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            assert container["securityContext"] == SECURITY
            mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
            assert len(mounts) == len(set(mounts))
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
            # A secret stands in no environment, but Claude's, whose library reads nothing else.
            from_secrets = [entry["name"] for entry in container["env"] if "secretKeyRef" in entry.get("valueFrom", {})]
            assert set(from_secrets) <= {"ANTHROPIC_API_KEY"}
    for deployment in of_kind(manifests, "Deployment").values():
        selector = deployment["spec"]["selector"]["matchLabels"]
        assert selector == SELECTORS[deployment["metadata"]["name"]]
        assert selector.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_every_shape_is_safe_and_its_selectors_stay(shape: str) -> None:
    """What must hold of all, holds of the usual shapes."""
    check(objects(SHAPES[shape]))


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_tocsin_takes_the_settings_that_the_chart_writes(shape: str, tmp_path: Any, monkeypatch: Any) -> None:
    """The file of the ConfigMap is read as Tocsin reads it: no name is unknown, and the values are those given."""
    for document in of_kind(objects(SHAPES[shape]), "ConfigMap").values():
        if "tocsin.toml" not in document["data"]:
            continue
        text = re.sub(r'"/run/secrets/tocsin/\w+"', f'"{tmp_path}/secret"', document["data"]["tocsin.toml"])
        (tmp_path / "secret").write_text("https://secret.example.com")
        (tmp_path / "tocsin.toml").write_text(text)
        monkeypatch.setenv("TOCSIN_CONFIG", str(tmp_path / "tocsin.toml"))
        read = Settings()
        assert read.kafka_bootstrap_servers == SHAPES[shape].get("settings", {}).get(
            "kafka_bootstrap_servers", "kafka:9092"
        )
        assert str(read.index_path) == "/var/lib/tocsin/index"


def test_numbers_and_texts_reach_tocsin_as_they_are() -> None:
    """Helm's numbers are floats, which pydantic takes for integers where they are whole."""
    values = {
        "settings": {"dead_limit_min": 12_000_000, "false_alarms_per_day": 0.5, "zone": 'a"b', "llm_enabled": False}
    }
    config = of_kind(objects(values), "ConfigMap")[f"{RELEASE}-tocsin"]
    read = tomllib.loads(config["data"]["tocsin.toml"])
    assert {name: read[name] for name in values["settings"]} == values["settings"]


def test_probes_ask_for_what_the_process_answers() -> None:
    """Liveness for progress, readiness for an assignment; both on the port of the metrics."""
    for name, deployment in of_kind(objects(SCALED), "Deployment").items():
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        if name.endswith("-ui"):
            assert container["livenessProbe"]["tcpSocket"] == {"port": "pages"}
            continue
        assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics", "scheme": "HTTPS"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics", "scheme": "HTTPS"}
        assert ports["metrics"] == 9464


@pytest.mark.parametrize("kind", ["PodMonitor", "ServiceMonitor"])
def test_monitors_show_the_token_and_check_the_certificate(kind: str) -> None:
    """Where the ports ask for one, or show one; else they say nothing of either."""
    scrape = kind[0].lower() + kind[1:]
    part = {"PodMonitor": "podMetricsEndpoints", "ServiceMonitor": "endpoints"}[kind]
    closed = SCALED | {"monitoring": SCALED["monitoring"] | {"scrape": scrape}}
    (endpoint,) = of_kind(objects(closed), kind)[f"{RELEASE}-tocsin"]["spec"][part]
    assert endpoint["authorization"] == {"credentials": {"name": "tocsin-metrics", "key": "token"}}
    assert endpoint["scheme"] == "https"
    assert endpoint["tlsConfig"]["ca"]["secret"]["name"] == "tocsin-tls"
    (endpoint,) = of_kind(objects({"monitoring": {"scrape": scrape}}), kind)[f"{RELEASE}-tocsin"]["spec"][part]
    assert endpoint == {"port": "metrics", "interval": "30s"}


def test_strimzis_user_has_the_least_rights_under_the_prefix() -> None:
    """As `tocsin topics acls` prints them."""
    shape = SHAPES["strimzi-mtls"] | {"settings": SHAPES["strimzi-mtls"]["settings"] | {"topic_prefix": "p."}}
    user = of_kind(objects(shape), "KafkaUser")[f"{RELEASE}-tocsin"]
    rules = user["spec"]["authorization"]["acls"]
    expected = merged(rule for role in (*ROLES, "operator") for rule in access_rules(Topics("p."), role))
    assert [(rule["resource"]["type"], rule["resource"]["name"], tuple(rule["operations"])) for rule in rules] == [
        (rule.kind.value, rule.name, rule.operations) for rule in expected
    ]
    assert {operation for rule in rules for operation in rule["operations"]} == {
        "Describe",
        "DescribeConfigs",
        "Read",
        "Write",
    }


def test_autoscaling_follows_the_roles_own_lag_up_to_the_partitions() -> None:
    """Slowly downwards; a Deployment that is scaled says no number itself."""
    manifests = objects(SCALED)
    keda = of_kind(manifests, "ScaledObject")[f"{RELEASE}-tocsin-ingest"]["spec"]
    assert keda["maxReplicaCount"] == 32
    assert keda["triggers"][0]["metadata"]["query"] == 'sum(tocsin_lag_messages{topic="tocsin.logs.raw"})'
    behaviour = keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert behaviour["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 600}]
    hpa = of_kind(manifests, "HorizontalPodAutoscaler")[f"{RELEASE}-tocsin-detect"]["spec"]
    assert hpa["maxReplicas"] == 12
    deployments = of_kind(manifests, "Deployment")
    assert "replicas" not in deployments[f"{RELEASE}-tocsin-detect"]["spec"]
    assert deployments[f"{RELEASE}-tocsin-explain"]["spec"]["replicas"] == 2


def test_a_closed_network_lets_out_to_the_brokers_and_in_from_who_is_named() -> None:
    """The brokers' ports are read from the setting."""
    policy = of_kind(objects(SCALED), "NetworkPolicy")[f"{RELEASE}-tocsin"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [port["port"] for port in policy["egress"][1]["ports"]] == [9093, 443]
    assert policy["ingress"][0]["from"][0]["namespaceSelector"]["matchLabels"]
    assert [port["port"] for port in policy["ingress"][0]["ports"]] == [9464, 9465, 9466]


def test_rules_are_those_that_are_tested_with_links_that_open() -> None:
    """Each runbook's address has the base before it."""
    rule = of_kind(objects(SCALED), "PrometheusRule")[f"{RELEASE}-tocsin"]
    alerts = [entry for group in rule["spec"]["groups"] for entry in group["rules"] if "alert" in entry]
    assert len(alerts) > 20
    base = "https://git.example.com/cloud/tocsin/blob/main/helm/README.md#"
    assert all(entry["annotations"]["runbook_url"].startswith(base) for entry in alerts)


def test_a_volume_of_one_node_is_let_go_before_it_is_taken_again() -> None:
    """Two pods on two nodes cannot mount it at once, so a rolling update would wait for ever."""
    everything = of_kind(objects(SHAPES["all-in-one"]), "Deployment")[f"{RELEASE}-tocsin-all"]
    assert everything["spec"]["strategy"] == {"type": "Recreate"}
    explain = of_kind(objects(SCALED), "Deployment")[f"{RELEASE}-tocsin-explain"]
    assert explain["spec"]["strategy"] == {"type": "Recreate"}
    ingest = of_kind(objects(SCALED), "Deployment")[f"{RELEASE}-tocsin-ingest"]
    assert ingest["spec"]["strategy"]["type"] == "RollingUpdate"


def test_a_changed_setting_restarts_the_pods() -> None:
    """And nothing else does."""

    def checksum(values: Values) -> str:
        deployment = of_kind(objects(values), "Deployment")[f"{RELEASE}-tocsin-all"]
        return str(deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"])

    assert checksum({}) == checksum({"roles": {"all": {"replicas": 3}}})
    assert checksum({}) != checksum({"settings": {"zone": "Europe/Prague"}})
    assert checksum({}) != checksum({"configFiles": {"rules.yaml": "routes: []"}})


WRONG: dict[str, tuple[Values, str]] = {
    "unknown value": ({"replicaCount": 2}, "replicaCount"),
    "unknown setting": ({"settings": {"kafka_bootstrap_server": "k:9092"}}, "kafka_bootstrap_server"),
    "secret among settings": ({"settings": {"slack_token": "xoxb"}}, "slack_token"),
    "secret property of kafka": ({"settings": {"kafka": {"sasl.password": "x"}}}, "propertyName|sasl.password"),
    "setting of a wrong type": ({"settings": {"raw_partitions": "many"}}, "raw_partitions"),
    "setting out of range": ({"settings": {"votes_port": 70000}}, "votes_port"),
    "unknown secret setting": ({"secretSettings": {"zone": {"name": "s", "key": "k"}}}, "zone"),
    "secret in clear": ({"secretSettings": {"slack_token": "xoxb"}}, "slack_token"),
    "secret without a key": ({"secretSettings": {"slack_token": {"name": "s"}}}, "key"),
    "mode": ({"mode": "cluster"}, "mode"),
    "role": ({"roles": {"ingester": {"replicas": 2}}}, "ingester"),
    "replicas": ({"roles": {"all": {"replicas": -1}}}, "replicas"),
    "digest": ({"image": {"digest": "sha256:abc"}}, "digest"),
    "pull policy": ({"image": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
    "topics": ({"topics": {"create": "terraform"}}, "create"),
    "root": ({"podSecurityContext": {"runAsUser": 0}}, "runAsUser"),
    "size": ({"persistence": {"size": "much"}}, "size"),
    "grace": ({"terminationGracePeriodSeconds": 1}, "terminationGracePeriodSeconds"),
    "own variable": ({"extraEnv": [{"name": "TOCSIN_ZONE", "value": "UTC"}]}, "extraEnv"),
    "label of the chart": ({"commonLabels": {"app.kubernetes.io/name": "x"}}, "commonLabels|propertyName"),
    "scale down at once": ({"autoscaling": {"scaleDownSeconds": 1}}, "scaleDownSeconds"),
    "client key missing": ({"kafka": {"tls": {"client": {"name": "s", "certKey": "c"}}}}, "keyKey"),
    "strimzi without a cluster": ({"topics": {"create": "strimzi"}}, "set topics.strimzi.cluster"),
    "nothing shared to learn in": ({"mode": "separate"}, "Set settings.bundle or bundle.volume"),
    "training without a store": ({"training": {"enabled": True}}, "set settings.models"),
    "votes without a secret": ({"votes": {"enabled": True}}, "set secretSettings.slack_signing_secret"),
    "a page that does not start": ({"ui": {"enabled": True}}, "set settings.ui_auth"),
    "no port for probes": ({"settings": {"metrics_port": 0}}, "turns the probes off"),
}


@pytest.mark.parametrize("wrong", sorted(WRONG))
def test_wrong_values_are_refused_by_name(wrong: str) -> None:
    """The message says which value is wrong."""
    values, message = WRONG[wrong]
    with pytest.raises(HelmError, match=message):
        objects(values)


QUANTITIES = st.sampled_from(["1Gi", "512Mi", "20G", "1.5Gi"])
NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
COUNTS = st.integers(0, 300)
SECRETS = st.fixed_dictionaries({"name": NAMES, "key": NAMES})


def some(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Give tables with any of the parts."""
    return st.fixed_dictionaries({}, optional=parts)


def scaled_role() -> st.SearchStrategy[dict[str, Any]]:
    """Give a role that may scale itself."""
    scaling = some(kind=st.sampled_from(["none", "keda", "hpa"]), maxReplicas=st.integers(1, 99), lag=st.integers(1, 9))
    return some(replicas=COUNTS, autoscaling=scaling)


# In mode `separate` a bundle has to come from somewhere, and training has to put its own there.
SETTINGS = st.fixed_dictionaries(
    {"bundle": st.just("s3://m/n@champion"), "models": st.just("s3://m"), "ui_auth": st.just("proxy")},
    optional={
        "raw_partitions": st.integers(1, 500),
        "kafka_bootstrap_servers": st.just("a:9094, b"),
        "zone": st.text(alphabet="aZ/_'\"\\é", max_size=8),
        "formats": st.just([{"name": "x", "pattern": "(?P<time>.*)"}]),
    },
)

VALUES = some(
    commonLabels=st.dictionaries(NAMES, NAMES, max_size=2),
    image=some(registry=NAMES, tag=NAMES, pullSecrets=st.lists(st.fixed_dictionaries({"name": NAMES}), max_size=2)),
    mode=st.sampled_from(["single", "separate"]),
    secretSettings=some(kafka_sasl_password=SECRETS, webhook_secret=SECRETS),
    configFiles=st.dictionaries(NAMES, st.text(alphabet="ab: \n-#{}'\"", max_size=30), max_size=2),
    kafka=some(tls=some(ca=SECRETS)),
    anthropicApiKey=SECRETS,
    bundle=some(volume=st.just({"emptyDir": {}}), path=NAMES),
    persistence=some(enabled=st.booleans(), existingClaim=NAMES, size=QUANTITIES, retain=st.booleans()),
    topics=some(create=st.sampled_from(["roles", "job"])),
    roles=some(all=some(replicas=COUNTS), ingest=scaled_role(), detect=scaled_role()),
    ui=some(enabled=st.booleans()),
    training=some(enabled=st.booleans(), hours=st.integers(1, 99), scratch=QUANTITIES),
    monitoring=some(
        scrape=st.sampled_from(["none", "podMonitor", "serviceMonitor", "annotations"]),
        rules=some(enabled=st.booleans(), runbookBase=st.just("https://x/")),
        dashboards=some(enabled=st.booleans(), annotations=st.dictionaries(NAMES, NAMES, max_size=1)),
    ),
    networkPolicy=some(enabled=st.booleans(), egressPorts=st.lists(st.integers(1, 65535), max_size=3)),
    serviceAccount=some(create=st.booleans(), name=NAMES),
    podLabels=st.dictionaries(NAMES, NAMES, max_size=2),
    nodeSelector=st.dictionaries(NAMES, NAMES, max_size=1),
    spreadOver=st.lists(NAMES, max_size=2, unique=True),
    priorityClassName=NAMES,
)


@settings(max_examples=25)
@given(VALUES, SETTINGS)
def test_any_values_that_the_schema_takes_make_safe_objects(values: dict[str, Any], own: dict[str, Any]) -> None:
    """Whatever is combined, the manifests are YAML and what must hold, holds."""
    check(objects(values | {"settings": own}))


def commands(manifests: list[Object]) -> list[list[str]]:
    """Return what each container runs, as words."""
    containers = [
        container for spec in pods(manifests) for container in [*spec["containers"], *spec.get("initContainers", [])]
    ]
    return [
        shlex.split(container["args"][0])[1:] if "command" in container else container["args"]
        for container in containers
    ]


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_containers_run_commands_that_there_are(shape: str) -> None:
    """Each with options that stand on its help page."""
    for words in commands(objects(SHAPES[shape])):
        options = [word for word in words if word.startswith("--")]
        names = list(takewhile(lambda word: not word.startswith(("-", "/", "logs.")), words))
        page = CliRunner().invoke(tocsin, [*names, "--help"])
        assert page.exit_code == 0, words
        assert [option for option in options if option not in page.output] == []


@pytest.mark.parametrize(
    "shape", sorted(name for name, values in SHAPES.items() if values.get("ui", {}).get("enabled"))
)
def test_the_page_starts_with_its_settings(shape: str) -> None:
    """On the address on which the pod serves it; a secret is one of the cluster's."""
    own = SHAPES[shape]["settings"]
    named = {name: value for name, value in own.items() if name.startswith("ui_")}
    secrets = dict.fromkeys(SHAPES[shape].get("secretSettings", {}), SecretStr("of the cluster"))
    settings_of_page = Settings(**named | {name: value for name, value in secrets.items() if name.startswith("ui_")})
    assert users_of(settings_of_page)
    assert address_of(settings_of_page, "0.0.0.0") == "0.0.0.0"  # noqa: S104 - of a pod

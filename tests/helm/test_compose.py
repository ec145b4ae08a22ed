"""The compose file, as far as it can be tried without an engine: its schema, its paths, its commands and settings."""

import asyncio
import re
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from starlette.datastructures import Headers

from stream.cli import tocsin
from stream.settings import Settings
from stream.ui.start import address_of, users_of
from stream.ui.web.users import PageUser, Permission

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OWN = [name for name, service in SERVICES.items() if service["image"].startswith("tocsin:")]


def test_it_fits_the_schema_of_compose() -> None:
    """By the schema that check-jsonschema brings along."""
    command = [str(Path(sys.executable).parent / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, "compose.yaml"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_what_is_mounted_exists(name: str) -> None:
    """A file of ours, or a volume that is declared; ``${X:-default}`` is tried with its default."""
    for volume in SERVICES[name].get("volumes", []):
        source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).split(":")[0]
        assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], volume


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_images_are_named_by_exact_version(name: str) -> None:
    """No tag that moves."""
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+|tocsin:compose", SERVICES[name]["image"])


@pytest.mark.parametrize("name", sorted(OWN))
def test_our_commands_know_their_options_and_settings(name: str) -> None:
    """Each option stands on the command's help page, each variable is a setting."""
    command, *options = SERVICES[name]["command"]
    page = CliRunner().invoke(tocsin, [command, "--help"]).output
    assert [option for option in options if option.startswith("--") and option not in page] == []
    variables = [entry for entry in SERVICES[name]["environment"] if entry.startswith("TOCSIN_")]
    assert variables
    assert [entry for entry in variables if entry.removeprefix("TOCSIN_").lower() not in Settings.model_fields] == []


def test_the_page_may_be_served_as_it_is_told(tmp_path: Path) -> None:
    """On all addresses of its container it demands a password: that of the comment opens it."""
    page = SERVICES["page"]
    (mounted,) = page["configs"]
    users = tmp_path / "users"
    users.write_text(COMPOSE["configs"][mounted["source"]]["content"])
    assert page["environment"]["TOCSIN_UI_USERS"] == mounted["target"]
    settings = Settings(ui_auth=page["environment"]["TOCSIN_UI_AUTH"], ui_users=users)
    host = page["command"][page["command"].index("--host") + 1]
    assert address_of(settings, host) == host
    name, password = re.findall(r"incidents \((.+), (.+)\)", (ROOT / "compose.yaml").read_text())[0]
    header = "Basic " + b64encode(f"{name}:{password}".encode()).decode()
    user = asyncio.run(users_of(settings).identify(Headers({"authorization": header}), "127.0.0.1"))
    assert user == PageUser("tocsin", Permission.RESPONDER)


def test_fluent_bit_has_every_variable_of_its_configuration() -> None:
    """An unset one would be an empty string."""
    text = (ROOT / "helm" / "fluent-bit" / "openstack.yaml").read_text(encoding="utf-8")
    assert set(SERVICES["fluent-bit"]["environment"]) == set(re.findall(r"\$\{(\w+)\}", text))


def test_only_this_machine_reaches_the_ports() -> None:
    """Nothing here asks for a password worth the name."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_what_writes_has_somewhere_to() -> None:
    """The root of our containers is read-only: all that Tocsin writes lies in a volume or in ``/tmp``."""
    for name in OWN:
        assert SERVICES[name]["read_only"] is True
        assert SERVICES[name]["tmpfs"] == ["/tmp"]  # noqa: S108 - a path inside the container
    assert SERVICES["tocsin"]["environment"]["TOCSIN_INDEX_PATH"].startswith("/var/lib/tocsin/")
    assert "state:/var/lib/tocsin" in SERVICES["tocsin"]["volumes"]

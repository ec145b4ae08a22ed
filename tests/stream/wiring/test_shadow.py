"""Who judges in shadow, and with which rights."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from models.errors import InvalidError
from stream.cli import tocsin
from stream.kafka.security.access_rules import access_rules
from stream.kafka.topic_specs import Topics
from stream.settings import Settings
from stream.wiring.shadow import shadow_settings


def test_a_shadow_is_a_version_or_a_folder_and_never_the_champion(tmp_path: Path) -> None:
    """The champion would be set against itself."""
    settings = Settings(models=f"file://{tmp_path}/store", bundle=f"file://{tmp_path}/store/nova@champion")
    for name, bundle in (
        ("nova@v2", f"file://{tmp_path}/store/nova@v2"),
        ("nova@challenger", f"file://{tmp_path}/store/nova@challenger"),
        (str(tmp_path), tmp_path),
    ):
        assert shadow_settings(settings, name).bundle == bundle
    for name in ("nova@champion", "nova"):
        with pytest.raises(InvalidError, match="judges already; name another version, as nova@challenger"):
            shadow_settings(settings, name)


def test_a_shadow_has_no_role_that_tells_people(tmp_path: Path) -> None:
    """Neither explain nor deliver."""
    asked = CliRunner().invoke(tocsin, ["run", "--roles", "detect,deliver", "--shadow", str(tmp_path)])
    assert asked.exit_code == 2
    assert "a shadow tells nobody" in asked.stderr


def test_a_shadow_writes_to_its_own_topics_alone() -> None:
    """Also by its rights."""
    topics = Topics("t.")
    written = {rule.name for rule in access_rules(topics, "shadow") if "Write" in rule.operations}
    assert written == {"t.logs.events.shadow", "t.logs.dead.shadow", "t.templates.shadow", "t.anomalies.shadow"}
    own = {rule.name for role in ("ingest", "detect") for rule in access_rules(topics, role)}
    assert not written & own

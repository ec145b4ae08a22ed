"""What is made of other files is up to date, and the README tells of every value."""

from pathlib import Path

import pytest
import yaml

from tests.helm.generated import CHART, files, values_table

FILES = files()


@pytest.mark.parametrize("name", sorted(str(path.relative_to(CHART)) for path in FILES))
def test_generated_files_are_up_to_date(name: str) -> None:
    """A new setting, topic or value shows in the chart."""
    assert (CHART / name).read_bytes() == FILES[CHART / name], "run `make chart`"


def test_every_value_is_documented() -> None:
    """A value is documented itself, or it stands in a table that is."""

    def leaves(table: object, name: str = "") -> list[str]:
        if isinstance(table, dict) and table:
            return [leaf for key, inner in table.items() for leaf in leaves(inner, f"{name}.{key}" if name else key)]
        return [name]

    documented = {row.split("`")[1] for row in values_table().splitlines()[2:]}
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    whole = ("podSecurityContext.", "securityContext.", "monitoring.dashboards.labels.")
    assert [leaf for leaf in leaves(values) if leaf not in documented and not leaf.startswith(whole)] == []


def test_linked_files_are_those_that_are_tested() -> None:
    """Rules and dashboards are not copies."""
    root = CHART.parent
    assert (CHART / "files" / "tocsin.rules.yaml").resolve() == root / "prometheus" / "tocsin.rules.yaml"
    assert (CHART / "files" / "dashboards").resolve() == root / "dashboards"
    assert Path(root / "dashboards").is_dir()

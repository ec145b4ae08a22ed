"""``tocsin templates``: one row per line, from files and from standard input."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from stream.cli import tocsin
from stream.wiring.core import DEMO_BUNDLE

HEAD = "2026-03-02 08:00:0{} 7 INFO nova.compute.manager [-] "
LINES = "\n" + "".join(f"{HEAD.format(n)}Took {n}.5 seconds to build instance\n" for n in range(4))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder: no settings file is found."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args: str, text: str | None = None) -> list[str]:
    """Return the rows that the command writes."""
    result = CliRunner().invoke(tocsin, ["templates", *args, "--out", "-"], input=text)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


@pytest.mark.parametrize("bundle", [(), ("--bundle", str(DEMO_BUNDLE))])
def test_standard_input_gives_the_rows_of_a_file(here: Path, bundle: tuple[str, ...]) -> None:
    """Also where templates are mined first, so that the lines are needed twice."""
    path = here / "nova-compute.log"
    path.write_text(LINES)
    rows = run("-", *bundle, text=LINES)
    assert len(rows) == 1 + 5
    assert len({row.partition(",")[2] for row in rows[2:]}) == 1
    assert rows[1] == "0,,"
    assert rows == run(str(path), *bundle)


def test_standard_input_can_be_named_once(here: Path) -> None:
    """A second - would be empty, so it is refused."""
    del here
    result = CliRunner().invoke(tocsin, ["templates", "-", "-", "--out", "-"], input=LINES)
    assert result.exit_code == 2
    assert "- is given twice" in result.stderr

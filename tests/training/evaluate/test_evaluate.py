"""The command from a list of sets to figures, a page and the gate, with the shipped bundle on simulated logs."""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from models.bundle import Bundle
from models.errors import InvalidError
from stream.cli import tocsin
from stream.wiring.core import DEMO_BUNDLE
from tests.training.simulated import START
from training.evaluate.cli import compare
from training.evaluate.compare import Tolerance, read_evaluation, worse
from training.evaluate.judges.chains import read_faults
from training.evaluate.spec import SimulatorSet, read_spec
from training.simulate import Scenario, stream_records

SPEC = """
[[sets]]
name = "faults <&>"
kind = "simulator"
bundle = "{bundle}"
hours = 0.7
seeds = [11]
faults = true
start = 2026-03-03T09:00:00Z

[[sets]]
name = "runs"
kind = "runs"
bundle = "{bundle}"
records = ["runs.jsonl"]
runs = ["runs.csv"]

[[sets]]
name = "chains"
kind = "chains"
bundle = "{bundle}"
records = ["runs.jsonl"]
truth = ["faults.json"]
"""

FAULTS = [
    {
        "tenant": "bad",
        "class": "errors",
        "start": "2026-03-03T09:03:00Z",
        "end": "2026-03-03T09:05:00Z",
        "project": "nova",
    }
]

RUNS = """run_id,label,start,end,anomaly_start,client_error,workload_start
bad,fail,2026-03-03 09:00:00,2026-03-03 09:05:00,2026-03-03 09:03:00,2026-03-03 09:04:59,2026-03-03 09:00:00
good,warm,2026-03-03 09:00:00,2026-03-03 09:05:00,,,2026-03-03 09:00:00
fine,cold,2026-03-03 09:00:00,2026-03-03 09:05:00,,,2026-03-03 09:00:00
"""


def runs(folder: Path) -> None:
    """Three runs of five minutes; from the third minute on one has errors of a kind that training never saw."""
    out = []
    for seed, tenant in enumerate(("bad", "good", "fine"), 41):
        for record in stream_records(Scenario(seed, START, 300.0, tenant=tenant)):
            value = record.value
            if tenant == "bad" and record.time > (START.timestamp() + 180) * 1e6:
                value = value.replace(b" INFO ", b" ERROR ")
            out.append(value)
    (folder / "runs.jsonl").write_bytes(b"\n".join(out))
    (folder / "runs.csv").write_text(RUNS)
    (folder / "faults.json").write_bytes(orjson.dumps(FAULTS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with an evaluation in ``out``."""
    folder = tmp_path_factory.mktemp("evaluation")
    runs(folder)
    (folder / "spec.toml").write_text(SPEC.format(bundle=DEMO_BUNDLE))
    done = CliRunner().invoke(tocsin, ["evaluate", str(folder / "spec.toml"), "--out", str(folder / "out"), "--json"])
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def found(folder: Path) -> dict[str, Any]:
    """Give the evaluation."""
    return read_evaluation(folder / "out")


def measures(found: Mapping[str, Any], number: int, row: str = "fused") -> dict[str, float]:
    """Means of one row of a set."""
    (chosen,) = (each for each in found["sets"][number]["variants"] if each["name"] == row)
    return {name: spread["mean"] for name, spread in chosen["measures"].items()}


def test_faults_that_shout_are_found_and_nothing_else_fires(found: dict[str, Any]) -> None:
    """Within the simulated time there are bursts of errors, retries, new messages and slow calls."""
    fused = measures(found, 0)
    assert 0.3 < fused["budget.recall"] <= 1
    # Little of the time is without a fault: a single alarm in the aftermath of one makes 10.7.
    assert fused["budget.false_alarms_per_hour"] < 12
    assert fused["auroc"] > 0.6
    assert measures(found, 0, "flag everything")["auroc"] == 0.5


def test_a_failing_run_ranks_above_normal_ones(found: dict[str, Any]) -> None:
    """Errors tell it, also by the trivial rule, and before the client notices."""
    assert measures(found, 1)["auroc"] == 1.0
    assert measures(found, 1)["best.before_client"] == 1.0
    assert measures(found, 1, "any ERROR line")["auroc"] == 1.0


def test_what_people_hear_is_measured(found: dict[str, Any]) -> None:
    """Of simulated faults, and of lists of faults in real logs; runs do not say what their faults are."""
    simulated, chained = measures(found, 0), measures(found, 2)
    assert 0 < simulated["own"] <= simulated["told"] <= 1
    assert (chained["told"], chained["own"], chained["right"], chained["false_incidents"]) == (1, 1, 1, 0)
    assert chained["told_delay_median_s"] < 60
    assert chained["alerts_per_incident"] >= 1
    assert chained["pages_per_day"] > 0
    assert chained["budget.recall:errors"] == 1
    assert "told" not in measures(found, 1)


@pytest.mark.parametrize("text", ["{}", "[1]", '[{"start": "2026-03-03T09:03:00Z", "end": "", "service": "x"}]', "no"])
def test_a_list_of_faults_that_cannot_be_used_is_named(text: str, tmp_path: Path) -> None:
    """With what is wrong."""
    (tmp_path / "faults.json").write_text(text)
    with pytest.raises(InvalidError, match=r"faults\.json is no list of faults"):
        read_faults([tmp_path / "faults.json"])


def test_every_detector_stands_there_alone_and_left_out(found: dict[str, Any]) -> None:
    """Beside the fused score and three rules."""
    names = set(Bundle.load(DEMO_BUNDLE).calibration.parts)
    for each in found["sets"]:
        groups = {group: {row["name"] for row in each["variants"] if row["group"] == group} for group in ("alone",)}
        assert groups["alone"] == names
        assert {row["name"] for row in each["variants"] if row["group"] == "without"} == {f"without {n}" for n in names}
        assert len(each["variants"]) == 1 + 2 * len(names) + 3
    assert measures(found, 1, "without levels") != measures(found, 1)


def test_the_page_is_whole_and_quotes_names(folder: Path) -> None:
    """Every plot is XML, nothing is loaded from elsewhere, and names of sets are text."""
    text = (folder / "out" / "evaluation.html").read_text()
    plots = text.split("<svg")[1:]
    assert len(plots) >= 4
    for plot in plots:
        ET.fromstring("<svg" + plot[: plot.index("</svg>") + 6])  # noqa: S314 - our own page
    assert "faults &lt;&amp;&gt;" in text
    assert "faults <&>" not in text
    assert "<script" not in text
    assert "http" not in text.replace("http://www.w3.org", "")


def test_the_gate_passes_what_is_equal_and_names_what_got_worse(folder: Path, found: dict[str, Any]) -> None:
    """Exit status 1 and one line a measure; what the new evaluation lacks is told too."""
    runner, old = CliRunner(), folder / "out" / "evaluation.json"
    same = runner.invoke(compare, [str(folder / "out"), str(old), "--all"])
    assert same.exit_code == 0, same.output
    for row in found["sets"][1]["variants"]:
        if row["name"] == "fused":
            row["measures"]["auroc"]["mean"] = 0.9
    found["sets"] = found["sets"][1:]
    new = folder / "new.json"
    new.write_bytes(orjson.dumps(found))
    done = runner.invoke(compare, [str(old), str(new)])
    assert done.exit_code == 1
    assert "runs, fused: AUROC 1.000 → 0.900" in done.output
    assert "faults <&>, fused: is missing" in done.output
    assert worse(read_evaluation(old), read_evaluation(new), Tolerance(share=0.2), ("fused",)) == [
        "faults <&>, fused: is missing"
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ('kind = "runs"', "none of runs"),
        ('runs = ["runs.csv"]', "runs must be a list"),
        ("hours = 0.7", "hours must be a number"),
    ],
)
def test_a_wrong_list_of_sets_is_refused_with_its_place(tmp_path: Path, change: str, told: str) -> None:
    """What is wrong and in which set."""
    broken = {'kind = "runs"': 'kind = "walks"', 'runs = ["runs.csv"]': "runs = 3", "hours = 0.7": 'hours = "long"'}
    path = tmp_path / "spec.toml"
    path.write_text(SPEC.format(bundle="b").replace(change, broken[change]))
    with pytest.raises(InvalidError, match=told):
        read_spec(path)


def test_the_lists_in_the_repository_can_be_read() -> None:
    """Those that users are told of."""
    folder = Path(__file__).parents[2] / "bench"
    simulated = read_spec(folder / "evaluate-simulator.toml")
    assert all(isinstance(each, SimulatorSet) for each in simulated)
    assert [each.kind for each in read_spec(folder / "evaluate-runs.toml")] == ["runs", "runs", "chains"]


def test_what_is_no_evaluation_is_refused(tmp_path: Path) -> None:
    """With advice."""
    (tmp_path / "evaluation.json").write_text("{}")
    with pytest.raises(InvalidError, match="tocsin evaluate"):
        read_evaluation(tmp_path)
    with pytest.raises(InvalidError, match="cannot be read"):
        read_evaluation(tmp_path / "nothing.json")

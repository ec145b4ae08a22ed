"""``tocsin index``: fill and query the search index."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from index.storage.atomic_files import sole_writer
from stream.cli import tocsin

PAGE = """# Storage
## A volume stays in attaching
Look at iscsiadm.
## The backend is full
Extend the pool.
"""
INCIDENT = {
    "schema": "tocsin.incident/1",
    "incident_id": "i1",
    "tenant": "blue",
    "services": ["nova-scheduler"],
    "opened": "2026-03-02T08:00:00.000Z",
    "evidence": [{"text": "ERROR No valid host was found \x1b]0;owned\x07"}],
    "diagnosis": {"summary": "no host left", "cause": "all memory is used up"},
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a page, with the embedder that needs no model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_EMBEDDING_MODEL", "built-in")
    Path("runbooks").mkdir()
    Path("runbooks/storage.md").write_text(PAGE)
    Path("old.jsonl").write_bytes(orjson.dumps(INCIDENT) + b"\n\n" + orjson.dumps({"text": "disk of node 7 broke"}))
    return tmp_path


def run(*args: str, stdin: bytes | None = None) -> Result:
    """Run ``tocsin index``; it must succeed."""
    result = CliRunner().invoke(tocsin, ["index", *args], input=stdin)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def refusal(*args: str, stdin: bytes | None = None) -> str:
    """Return the one line that a command ends with."""
    result = CliRunner().invoke(tocsin, ["index", *args], input=stdin)
    assert result.exit_code == 2, (result.output, result.exception)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line.removeprefix("tocsin: ")


def found(*args: str) -> list[dict[str, Any]]:
    """Hits of a search."""
    hits: list[dict[str, Any]] = orjson.loads(run("search", *args, "--json").stdout)
    return hits


def test_what_is_added_is_found() -> None:
    """Pages, records of incidents and plain texts; every command reads the file anew."""
    assert (
        run("add", "runbooks", "old.jsonl").stdout
        == "5 documents added or changed, 0 removed; the search index holds 5\n"
    )
    assert found("volume attaching")[0]["title"] == "Storage > A volume stays in attaching"
    hit = found("no valid host", "--kind", "incident")[0]
    assert (hit["id"], hit["tenant"], hit["services"], hit["time"]) == (
        "i1",
        "blue",
        ["nova-scheduler"],
        "2026-03-02T08:00:00.000Z",
    )
    assert 0 < hit["score"] <= 1
    assert found("disk of node")[0]["time"] is None
    assert run("search", "zyzzyva").stdout == "nothing found\n"


def test_filters_and_number_of_hits_hold() -> None:
    """Another tenant does not find the incident; k bounds the list."""
    run("add", "runbooks", "old.jsonl")
    text = "volume host backend disk"
    assert {hit["id"] for hit in found(text, "--kind", "incident", "--kind", "diagnosis", "--tenant", "red")} < {
        hit["id"] for hit in found(text)
    }
    assert "i1" not in {hit["id"] for hit in found("no valid host", "--tenant", "red")}
    assert "i1" not in {hit["id"] for hit in found("no valid host", "--service", "cinder-volume")}
    assert "i1" not in {hit["id"] for hit in found("no valid host", "--since", "2026-03-02T08:00:01Z")}
    assert "i1" in {hit["id"] for hit in found("no valid host", "--since", "2026-03-02T08:00:00Z", "--tenant", "blue")}
    assert len(found(text, "-k", "1")) == 1


def test_hits_are_printed_without_terminal_codes() -> None:
    """A log line may hold a code that changes the window's title."""
    run("add", "old.jsonl")
    out = run("search", "no valid host", "--kind", "incident").stdout
    assert "ERROR No valid host was found" in out
    assert out.splitlines()[0].endswith(
        "nova-scheduler: no host left  blue  nova-scheduler  2026-03-02T08:00:00.000Z  i1"
    )
    assert "\x1b" not in out
    assert "\x07" not in out


def test_a_topic_as_it_is_printed_can_be_read_back() -> None:
    """A null value deletes its incident."""
    wrapped = {"partition": 0, "offset": 5, "timestamp": 0, "key": "i1", "value": INCIDENT}
    run("add", "-", stdin=orjson.dumps(wrapped))
    assert found("no valid host")[0]["id"] == "i1"
    result = run("add", "-", stdin=orjson.dumps(wrapped | {"value": None}))
    assert result.stdout == "0 documents added or changed, 2 removed; the search index holds 0\n"


def test_a_folder_added_again_replaces_what_it_held() -> None:
    """A section that was renamed is gone under its old name."""
    run("add", "runbooks")
    Path("runbooks/storage.md").write_text(PAGE.replace("is full", "is out of space"))
    assert run("add", "runbooks").stdout == "1 documents added or changed, 1 removed; the search index holds 2\n"


def test_records_without_a_text_are_counted_aloud() -> None:
    """The state of an incident alone cannot be found by anything."""
    silent = {name: value for name, value in INCIDENT.items() if name not in {"evidence", "diagnosis"}}
    result = run("add", "-", stdin=orjson.dumps(silent))
    assert "1 incidents hold no text to be found by" in result.stderr


def test_a_model_that_is_nowhere_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search works without it, and so does --json: what is told goes to standard error."""
    run("add", "runbooks")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", "none")
    monkeypatch.setenv("TOCSIN_EMBEDDING_MODEL", "nobody/nothing")
    result = run("search", "volume attaching", "--json")
    assert "no model nobody/nothing on this machine" in result.stderr
    assert len(orjson.loads(result.stdout)) > 0


def test_stats_say_what_is_there() -> None:
    """For people and for programs."""
    run("add", "runbooks", "old.jsonl")
    counts = orjson.loads(run("stats", "--json").stdout)
    assert (counts["documents"], counts["tenants"]) == (5, 2)
    assert counts["kinds"] == {"incident": 2, "diagnosis": 1, "runbook": 2}
    assert counts["file_bytes"] == Path(counts["path"]).stat().st_size
    assert "2 incident, 1 diagnosis, 2 runbook" in run("stats").stdout


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("search", "x"), "there is no search index at tocsin-index/memory.tocsin; fill it: tocsin index add PATH"),
        (("stats",), "there is no search index at"),
        (("add", "none.md"), "none.md: no such file or folder; check the path"),
        (("add", "none.jsonl"), "none.jsonl cannot be read (No such file or directory)"),
        (("add", "runbooks", "-"), "- line 1: not an incident"),
        (("add",), "Missing argument 'PATHS...'"),
        (("search", "x", "--kind", "page"), "Invalid value for '--kind'"),
        (("fetch", "nobody/nothing"), "cannot fetch nobody/nothing"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(args: tuple[str, ...], told: str) -> None:
    """With status 2, and nothing is written."""
    assert refusal(*args, stdin=b'{"text": ""}').startswith(told)
    assert not Path("tocsin-index/memory.tocsin").exists()


def test_a_damaged_memory_is_refused() -> None:
    """By all commands, also the one that would write over it."""
    run("add", "runbooks")
    path = Path("tocsin-index/memory.tocsin")
    path.write_bytes(path.read_bytes()[:-1])
    for args in (("search", "x"), ("stats",), ("add", "runbooks")):
        assert "it is damaged or cut" in refusal(*args)


def test_two_writers_do_not_undo_each_other() -> None:
    """The second is told to come back."""
    with sole_writer(Path("tocsin-index/memory.tocsin")):
        assert "another process is writing" in refusal("add", "runbooks")

"""``tocsin analyze``: an issue and log files in, a diagnosis with its proof out."""

import base64
import gzip
import io
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from index.storage.file_cache import Cache
from models.rfc3339 import SECOND
from stream.cli import tocsin
from stream.wiring.core import DEMO_BUNDLE
from tests.index.diagnosis.test_known_failures import OWN
from training.simulate import Fault, FaultKind, Scenario, stream_records

START = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
ISSUE = "Instance fails to launch"
HEAD = "2026-03-03 09:05:01.000 4242 {} nova.compute.manager [req-00000000-aaaa-4bbb-8ccc-ddddeeeeffff u p - - -] {}"


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five simulated minutes, of which some without a database behind neutron."""
    folder = tmp_path_factory.mktemp("logs")
    begin = int(START.timestamp() + 60) * SECOND
    fault = Fault(FaultKind.ERROR_BURST, "controller-1/neutron-server", begin, begin + 15 * SECOND, "")
    files: dict[Path, list[str]] = {}
    for record in stream_records(Scenario(11, START, 300, rate=0.4, faults=(fault,))):
        value = json.loads(record.value)
        files.setdefault(folder / f"{value['host']}{value['path']}", []).append(value["log"])
    for path, lines in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines))
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, with the embedder that needs no model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_EMBEDDING_MODEL", "built-in")
    monkeypatch.setenv("TOCSIN_CACHE_PATH", str(tmp_path / "cache"))
    return tmp_path


def invoke(*args: str, stdin: bytes | None = None) -> Result:
    """Run the command."""
    return CliRunner().invoke(tocsin, ["analyze", *args], input=stdin)


def run(*args: str, stdin: bytes | None = None) -> Result:
    """Run the command; it must succeed."""
    result = invoke(*args, stdin=stdin)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def found(*args: str, stdin: bytes | None = None) -> dict[str, Any]:
    """Run the command and read its JSON."""
    record: dict[str, Any] = orjson.loads(run(*args, "--json", stdin=stdin).stdout)
    return record


def refusal(*args: str) -> str:
    """Run the command; it must end with status 2 and one line, which is returned."""
    result = invoke(*args)
    assert result.exit_code == 2, (result.output, result.exception)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


@pytest.mark.parametrize("mode", [["--fast"], []])
def test_a_fault_is_found_and_proved(logs: Path, mode: list[str]) -> None:
    """The broken service is named, and every piece of evidence is the line that stands where it says."""
    record = found("--issue", ISSUE, "--logs", str(logs), *mode)
    assert record["service"] == "neutron-server"
    assert "database" in record["cause"].lower()
    assert (record["mode"], record["cost_usd"], record["ranking"]) == (
        "deterministic",
        0.0,
        "fast" if mode else "hybrid",
    )
    assert 0 < record["confidence"] <= 1
    assert record["seconds"] > 0
    assert record["timeline"]
    assert record["actions"]
    for line in record["evidence"]:
        assert Path(line["source"]).read_text().split("\n")[line["line"]] == line["text"]
    scores = [line["score"] for line in record["evidence"]]
    assert scores == sorted(scores, reverse=True)
    assert any("DBConnectionError" in line["text"] for line in record["evidence"][:5])
    ids = {line["id"] for line in record["evidence"]}
    assert {each for claim in record["claims"] for each in claim["lines"]} <= ids
    assert record["first_bad"] in ids


def test_a_bundle_that_fits_judges_and_is_named(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the option or by the setting."""
    bundle = str(DEMO_BUNDLE)
    page = run("--issue", ISSUE, "--logs", str(logs), "--fast", "--bundle", bundle).stdout
    assert "## What the detectors say" in page
    assert f"Bundle {bundle} judged: " in page
    monkeypatch.setenv("TOCSIN_BUNDLE", bundle)
    assert found("--issue", ISSUE, "--logs", str(logs), "--fast")["bundle"]["judged"]


def test_answers_of_500_in_one_file_are_its_services_fault() -> None:
    """An hour of an API's own lines, of which the last three failed: no other service and no host is named."""
    Path("nova").mkdir()
    head = (
        "2025-03-04 10:{:02}:{:02}.123 7 INFO nova.osapi_compute.wsgi.server [req-{:08x}-1111-4222-8333-444455556666] "
    )
    text = '10.0.0.1 "GET /v2.1/servers HTTP/1.1" status: {} len: {} time: 0.12\n'
    Path("nova/nova-api.log").write_text(
        "".join(head.format(n * 5 // 60, n * 5 % 60, n) + text.format(500 if n >= 717 else 200, n) for n in range(720))
    )
    args = ("--issue", "nova api returns HTTP 500", "--logs", "nova", "--fast")
    for more in ((), ("--bundle", str(DEMO_BUNDLE))):
        record = found(*args, *more)
        assert (record["service"], record["services"]) == ("nova-api", ["nova-api"])
        assert "nova-api answered 500 to GET /v2.1/servers, 3 times." in [claim["text"] for claim in record["claims"]]
        page = run(*args, *more).stdout
        for name in ("keystone", "controller-1", "neutron", "cinder", "glance"):
            assert name not in page


@pytest.mark.parametrize("part", ["", "compute-1", "compute-1/var/log/nova", "controller-1/var/log/nova", "storage-1"])
def test_without_a_bundle_nothing_is_blamed_that_the_files_do_not_hold(logs: Path, part: str) -> None:
    """The simulator's lines, for which a bundle is shipped: no detector takes part, and the report says so."""
    record = found("--issue", "keystone does not answer", "--logs", str(logs / part), "--fast")
    assert record["bundle"] is None
    assert not [claim for claim in record["claims"] if not claim["verified"]]
    page = run("--issue", "keystone does not answer", "--logs", str(logs / part), "--fast").stdout
    assert "No bundle judged" in page
    assert "What the detectors say" not in page
    told = " ".join([record["cause"], record["summary"], *record["actions"], *record["services"]])
    for host in ("controller-1", "compute-1", "storage-1", "network-1"):
        assert host not in told or host in str(logs / part) or part == ""


@pytest.mark.parametrize(
    "part", ["compute-1", "compute-2", "storage-1", "controller-1/var/log/nova", "controller-1/var/log/glance"]
)
def test_a_service_that_is_not_in_the_files_is_not_called_silent(logs: Path, part: str) -> None:
    """The bundle expects fifteen services; where files hold some of them, the others are elsewhere."""
    record = found("--issue", ISSUE, "--logs", str(logs / part), "--fast", "--bundle", str(DEMO_BUNDLE))
    said = " ".join([record["cause"], *(claim["text"] for claim in record["claims"])])
    if record["bundle"]["judged"]:
        assert record["bundle"]["services_here"] < record["bundle"]["services"]
    assert "keystone" not in said
    assert "has written nothing" not in said
    assert "written nothing" not in said


@pytest.mark.parametrize("other", ["Wheel {n} turned", "GET of nothing {n}", "Sold {n} apples to {n}"])
def test_a_bundle_of_other_logs_is_said_not_to_fit(other: str) -> None:
    """In a warning, in the report and in JSON; its detectors and templates take no part."""
    name = "nova-compute.log" if "Wheel" in other else "other.log"
    Path(name).write_text("".join(HEAD.format("INFO", other.format(n=n)) + "\n" for n in range(40)))
    args = ("--issue", ISSUE, "--logs", name, "--fast", "--bundle", str(DEMO_BUNDLE))
    result = run(*args)
    assert f"bundle {DEMO_BUNDLE} does not fit these logs: 0% of lines known, " in result.stderr
    assert "of its 15 services here; used without detectors" in result.stderr
    assert "used without detectors" in result.stdout
    assert "words and oddness (fast)" in result.stdout
    assert found(*args)["bundle"]["judged"] is False


def test_a_failure_that_only_the_user_knows_is_named(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the table of one's own, in both modes; where that is wrong, one line says so."""
    monkeypatch.setenv("TOCSIN_FAILURES", "own.toml")
    table = OWN.format(name="full-moon").replace("moon (?:is )?full", "DBConnectionError")
    Path("own.toml").write_text(table.replace('services = ["nova"]', "").replace("0.9", "1.0"))
    for mode in (["--fast"], []):
        assert "Astronomy." in found("--issue", ISSUE, "--logs", str(logs), *mode)["cause"]
    Path("own.toml").write_text("[[failure]]")
    assert "own.toml" in refusal("--issue", ISSUE, "--logs", str(logs))


def test_what_was_read_is_kept_until_a_file_changes(logs: Path, tmp_path: Path) -> None:
    """The same answer from the cache; a line more in one file is noticed, the other files are not read again."""
    args = ("--issue", ISSUE, "--logs", str(logs), "--fast")
    cold, warm = found(*args), found(*args)
    files = cold["logs"]["files"]
    assert (cold["logs"]["kept"], warm["logs"]["kept"]) == (0, files)
    assert {**cold, "seconds": 0, "logs": 0} == {**warm, "seconds": 0, "logs": 0}
    path = logs / "compute-1/var/log/nova/nova-compute.log"
    before = path.read_bytes()
    path.write_bytes(before + HEAD.format("ERROR", "Instance failed to spawn: no room on the moon").encode() + b"\n")
    try:
        changed = found(*args)
    finally:
        path.write_bytes(before)
    assert changed["logs"]["kept"] == files - 1
    assert any("moon" in other["title"] and other["rival"] for other in changed["others"])


def test_damaged_entries_of_the_cache_are_made_again(logs: Path, tmp_path: Path) -> None:
    """Whatever stands in them: cut, or whole but of something else."""
    args = ("--issue", ISSUE, "--logs", str(logs))
    first = found(*args)
    cache = Cache(tmp_path / "cache", 1 << 30)
    for number, entry in enumerate(cache.entries()):
        if number % 2:
            cache.put(entry.kind, entry.key, b"nonsense" * 100)
        else:
            (tmp_path / "cache" / f"{entry.kind}-{entry.key}.kept").write_bytes(b"cut")
    again = found(*args)
    assert again["logs"]["kept"] == 0
    assert again["evidence_digest"] == first["evidence_digest"]


def test_a_cache_that_cannot_be_written_is_said_and_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file stands where its folder should be."""
    Path("taken").write_text("")
    monkeypatch.setenv("TOCSIN_CACHE_PATH", "taken/cache")
    Path("nova-compute.log").write_text(HEAD.format("ERROR", "Instance failed to spawn") + "\n")
    result = run("--issue", ISSUE, "--logs", "nova-compute.log")
    assert "Instance failed to spawn" in result.stdout
    assert "cannot write" in result.stderr


def test_runbooks_of_the_memory_become_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hybrid asks the memory, fast does not."""
    monkeypatch.setenv("TOCSIN_INDEX_PATH", "memory")
    Path("page.md").write_text("# Compute\n## Instance failed to spawn\nspawn failed:\n1. Water the hypervisor.\n")
    assert CliRunner().invoke(tocsin, ["index", "add", "page.md"]).exit_code == 0
    Path("nova-compute.log").write_text(HEAD.format("ERROR", "Instance failed to spawn") + "\n")
    args = ("--issue", "Instance failed to spawn", "--logs", "nova-compute.log")
    assert any("Water the hypervisor" in step for step in found(*args)["actions"])
    assert not found(*args, "--fast")["similar"]


def test_several_paths_archives_and_standard_input(tmp_path: Path) -> None:
    """Paths may follow one --logs, or each its own; the names are those that were given."""
    text = HEAD.format("ERROR", "Instance failed to spawn") + "\n"
    Path("a.log").write_text(text)
    Path("b.log.gz").write_bytes(gzip.compress(HEAD.format("INFO", "Instance rests").encode()))
    record = found("--issue", ISSUE, "--logs", "a.log", "b.log.gz", "--logs", "-", stdin=text.encode())
    assert record["logs"]["files"] == 3
    assert {line["source"] for line in record["evidence"]} == {"a.log", "b.log.gz", "stdin"}


def test_the_report_goes_where_it_is_asked_for(logs: Path) -> None:
    """--out writes the page, also beside --json; without either it is printed."""
    args = ("--issue", ISSUE, "--logs", str(logs), "--fast")
    assert run(*args, "--out", "report.md").stdout == ""
    page = Path("report.md").read_text()
    assert page.startswith(f"# {ISSUE}\n")
    for part in ("**What happened.**", "**Where it began.** neutron-server", "**Why.**", "## Next steps", "## Proof"):
        assert part in page
    assert found(*args, "--out", "both.md")["service"] == "neutron-server"
    assert Path("both.md").exists()
    assert "--out" in refusal(*args, "--out", "none/report.md")


def test_what_lines_hold_does_not_reach_the_terminal() -> None:
    """Codes, a fence that would end the quotation, and a text that reads backwards."""
    hostile = "Instance failed to spawn \x1b]0;owned\x07 ``` \u202egnp.exe \x9b2J"
    Path("nova-compute.log").write_text(HEAD.format("ERROR", hostile) + "\n")
    result = run("--issue", f"{ISSUE} \x1b[2J", "--logs", "nova-compute.log")
    shown = result.stdout.replace("\n", "")
    assert "failed to spawn" in shown
    assert shown.isprintable()
    assert "  ````\n" in result.stdout


NOISE = random.Random(1).randbytes(50_000)


@pytest.mark.parametrize("content", [NOISE, b"\x7fELF" + bytes(2_000), base64.encodebytes(NOISE)])
def test_a_file_without_text_is_unreadable(content: bytes) -> None:
    """Alone with status 2, among readable ones named in the report."""
    Path("noise.log").write_bytes(content)
    assert "noise.log is unreadable: it holds no text" in refusal("--issue", ISSUE, "--logs", "noise.log", "--fast")
    Path("nova-compute.log").write_text(HEAD.format("ERROR", "Instance failed to spawn") + "\n")
    args = ("--issue", ISSUE, "--logs", "noise.log", "nova-compute.log", "--fast")
    result = run(*args)
    assert "(binary or noise): noise.log" in result.stderr
    assert "Left out 1 file in which no text can be read (binary or noise): noise.log." in result.stdout
    assert found(*args)["logs"]["unreadable"] == ["noise.log"]


SSH = "Dec 10 {clock} LabSZ sshd[{pid}]: "


@pytest.mark.parametrize(
    ("head", "text", "peer"),
    [
        (SSH, "Failed password for {user} from {peer} port 4{pid} ssh2", "5.36.59.76"),
        (SSH, "pam_unix(sshd:auth): authentication failure; uid=0 tty=ssh rhost={peer}  user={user}", "5.36.59.76"),
        ("2026-03-03 {clock}.000 7 INFO some.proxy [-] ", "backend {peer}:80 refused the connection", "10.0.0.9"),
        ("2026-03-03 {clock}.000 7 WARNING some.proxy [-] ", "slow answer of {peer}", "10.0.0.9"),
        ("2026-03-03T{clock}Z INFO dns: ", "lookup by client={peer} timed out", "node.example.org"),
        ("2026-03-03 {clock}.000 7 INFO some.db [-] ", "access denied for {user} from {peer}", "10.0.0.9"),
    ],
)
def test_logs_without_an_error_tell_what_fails_most_often(head: str, text: str, peer: str) -> None:
    """How often, since when, and who is on the other side most."""
    lines = []
    for number in range(60):
        clock, pid = f"07:{number:02}:00", 100 + number
        # Every third line fails, of which one in four is about another peer.
        names = {"user": "root", "pid": pid, "peer": "203.0.113.7" if number % 12 == 0 else peer}
        said = text.format(**names) if number % 3 == 0 else f"Session {pid} begins"
        calm = head if number % 3 == 0 else head.replace("WARNING", "INFO")
        lines.append(calm.format(clock=clock, pid=pid) + said + "\n")
    Path("auth.log").write_text("".join(lines))
    record = found("--issue", "something is wrong", "--logs", "auth.log", "--fast")
    assert "no line reports a failure" not in record["summary"]
    assert "no line reports a failure" not in record["cause"]
    (claim,) = [claim for claim in record["claims"] if "most frequent" in claim["text"]]
    assert claim["verified"]
    assert "20 times from 07:00:00 to 07:57:00 UTC" in claim["text"]
    assert f"most often with {peer} (15 times; 2 peers in all)" in claim["text"]


def test_logs_in_which_nothing_fails_say_so() -> None:
    """No word, no warning."""
    Path("quiet.log").write_text("".join(HEAD.format("INFO", f"Wheel {n} turned") + "\n" for n in range(40)))
    assert "no line reports a failure" in found("--issue", ISSUE, "--logs", "quiet.log", "--fast")["summary"]


@pytest.mark.parametrize("fast", [["--fast"], []])
def test_the_report_names_only_what_ranked(fast: list[str]) -> None:
    """Without a model and a search index there is no meaning and no memory."""
    Path("nova-compute.log").write_text(HEAD.format("ERROR", "Instance failed to spawn") + "\n")
    page = run("--issue", ISSUE, "--logs", "nova-compute.log", *fast).stdout
    assert "ranked by words and oddness (fast)" in page or "ranked by words and oddness (without a model)" in page
    assert "meaning" not in page


def test_a_model_that_is_not_there_is_not_said_to_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    """The warning and the report agree."""
    monkeypatch.setenv("TOCSIN_EMBEDDING_MODEL", "nobody/has-this-model")
    Path("nova-compute.log").write_text(HEAD.format("ERROR", "Instance failed to spawn") + "\n")
    result = run("--issue", ISSUE, "--logs", "nova-compute.log")
    assert "without a model" in result.stderr
    assert "words and oddness (without a model)" in result.stdout


def test_lines_of_several_tenants_are_kept_apart() -> None:
    """One must be chosen; ids and templates of the others do not matter."""
    rows = [
        {
            "tenant": tenant,
            "source": "nova-compute",
            "log": HEAD.format("ERROR", f"Instance failed to spawn in {tenant}"),
        }
        for tenant in ("blue", "red")
    ]
    Path("raw.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    args = ("--issue", ISSUE, "--logs", "raw.jsonl")
    assert "choose one with --tenant" in refusal(*args)
    assert "there are blue, red" in refusal(*args, "--tenant", "green")
    evidence = found(*args, "--tenant", "red")["evidence"]
    assert [(line["line"], "in red" in line["text"]) for line in evidence] == [(1, True)]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--issue", " ", "--logs", "ok.log"], "the issue says nothing"),
        (["--issue", ISSUE, "--logs", "none.log"], "none.log: no such file or folder"),
        (["--issue", ISSUE, "--logs", "empty.log"], "there are no lines"),
        (["--issue", ISSUE, "--logs", "binary.jsonl"], "none of 1 lines can be understood"),
        (["--issue", ISSUE, "--logs", "broken.gz"], "broken archive"),
        (["--issue", ISSUE, "--logs", "ok.log", "--bundle", "none"], "no bundle at none"),
        (["--issue", ISSUE], "--logs"),
        (["--logs", "ok.log"], "--issue"),
    ],
)
def test_what_cannot_be_analysed_is_said_in_one_line(args: list[str], said: str) -> None:
    """With status 2, and what to do."""
    Path("ok.log").write_text(HEAD.format("ERROR", "Instance failed to spawn") + "\n")
    Path("empty.log").write_text("")
    Path("binary.jsonl").write_bytes(b'{"log": \n')
    buffer = io.BytesIO(gzip.compress(b"line\n" * 1000))
    Path("broken.gz").write_bytes(buffer.getvalue()[:-20])
    assert said in refusal(*args)

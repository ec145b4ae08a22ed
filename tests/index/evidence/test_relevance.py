"""Which lines tell most about an issue."""

from pathlib import Path

import numpy as np
import pytest

from index.evidence.issue import read_issue
from index.evidence.relevance import RankedRecord, rank
from index.lines.log_lines import LogLines
from index.lines.log_records import LogRecords
from index.lines.parsed_file import ReadFile, join_files
from models.decode.decoder import DecodeConfig, Decoder
from models.decode.log_files import list_files
from models.errors import InvalidError
from models.records import F32
from models.templates.masks import Masks

INSTANCES = [f"{n:08x}-1111-4222-8333-444455556666" for n in range(10)]
USER = "aa9ab289b900453cbe540da36aa76872 1a35e3b0e18c4eff8ec68ce1f34b28b0 - default default"


def line(second: float, level: str, logger: str, text: str, request: int = 0) -> str:
    """A line as oslo.log writes it."""
    head = f"2026-03-03 09:{int(second) // 60:02}:{second % 60:06.3f} 4242 {level} {logger}"
    return f"{head} [req-{request:08x}-aaaa-4bbb-8ccc-ddddeeeeffff {USER}] {text}"


def usual(count: int = 300) -> list[str]:
    """Polls, boots and attachments that work."""
    out = []
    for n in range(count):
        instance = INSTANCES[n % 5]
        match n % 3:
            case 0:
                text = f'10.0.0.1 "GET /v2.1/servers/{instance} HTTP/1.1" status: 200 len: 1890 time: 0.06'
                out.append(line(n, "INFO", "nova.osapi_compute.wsgi.server", text, n))
            case 1:
                text = f"[instance: {instance}] Instance spawned successfully."
                out.append(line(n, "INFO", "nova.virt.libvirt.driver", text, n))
            case _:
                text = f"[instance: {instance}] Attaching volume {INSTANCES[n % 10]} to /dev/vdb"
                out.append(line(n, "INFO", "nova.compute.manager", text, n))
    return out


def material(tmp_path: Path, lines: list[str], name: str = "nova-compute.log") -> LogLines:
    """Lines as they are read from a file."""
    path = tmp_path / "nova" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{each}\n" for each in lines))
    (file,) = list_files([path])
    return join_files([name], [ReadFile.of(file, Decoder(DecodeConfig()), Masks.default())])


def told(tmp_path: Path, lines: list[str], issue: str) -> tuple[LogRecords, list[RankedRecord]]:
    """The records of some lines, and those that tell of an issue."""
    records = LogRecords.of(material(tmp_path, lines))
    return records, rank(records, read_issue(issue))


def messages(records: LogRecords, found: list[RankedRecord]) -> list[str]:
    """Texts of what was found."""
    return [str(records.lines["message"][each.row]) for each in found]


LAUNCH = line(301, "ERROR", "nova.compute.manager", f"[instance: {INSTANCES[7]}] Instance failed to spawn", 900)
ATTACH = line(302, "ERROR", "nova.compute.manager", f"[instance: {INSTANCES[8]}] Driver failed to attach volume", 901)


@pytest.mark.parametrize(
    ("issue", "first"), [("Instance fails to launch", "failed to spawn"), ("Volume attach hangs", "attach volume")]
)
def test_of_two_failures_the_one_that_the_issue_means_comes_first(tmp_path: Path, issue: str, first: str) -> None:
    """Launch and spawn share no word; what they have to do with each other stands in the data."""
    records, found = told(tmp_path, [*usual(), LAUNCH, ATTACH], issue)
    assert first in messages(records, found)[0]


def test_lines_of_one_template_are_told_once_with_their_number(tmp_path: Path) -> None:
    """The same warning a hundred times takes one place; records of other things come far behind."""
    many = [
        line(300 + n, "WARNING", "nova.scheduler.utils", f"Failed to compute_task_build_instances: {n}", 7)
        for n in range(100)
    ]
    records, found = told(tmp_path, [*usual(), *many], "Instance fails to launch")
    same = [each for each in found if "compute_task_build" in messages(records, [each])[0]]
    assert [each.count for each in same] == [100]
    assert found[0] == same[0]


def test_what_hit_other_instances_is_told_too_but_later(tmp_path: Path) -> None:
    """The second record of an error has another instance and a lower score; there are three at most."""
    failures = [
        line(301 + n, "ERROR", "nova.compute.manager", f"[instance: {INSTANCES[n]}] Instance failed to spawn", 900 + n)
        for n in range(6)
    ]
    records, found = told(tmp_path, [*usual(), *failures], "Instance fails to launch")
    same = [each for each in found if "failed to spawn" in messages(records, [each])[0]]
    assert len(same) == 3
    assert same[0].score > 2 * same[1].score > 0
    assert len({str(records.lines["instance"][each.row]) for each in same}) == 3


def test_the_story_of_a_failure_is_told(tmp_path: Path) -> None:
    """Of the lines that say nothing odd, those of the failing instance come before those of the others."""
    quiet = "[instance: {}] Claim successful on node compute-1"
    claims = [line(290 + n, "INFO", "nova.compute.claims", quiet.format(INSTANCES[n]), 950 + n) for n in range(10)]
    records, found = told(tmp_path, [*usual(), *claims, LAUNCH], "Instance fails to launch")
    (claim,) = [each for each in found if "Claim successful" in messages(records, [each])[0]]
    assert str(records.lines["instance"][claim.row]) == INSTANCES[7]
    assert "same request or thing as a telling line" in claim.roles


def test_an_id_that_the_issue_names_leads_to_its_lines(tmp_path: Path) -> None:
    """Without any failure in the logs, the lines of that instance come first."""
    records, found = told(tmp_path, usual(), f"what happened to {INSTANCES[3]}?")
    assert [INSTANCES[3] in str(records.lines["text"][each.row]) for each in found] == [True, True, True]


def test_an_exception_belongs_to_the_record_before_it(tmp_path: Path) -> None:
    """A harmless text that ends in an exception tells more than the same without one."""
    logger = "2026-03-03 09:05:01.000 4242 ERROR oslo.service.loopingcall"
    trace = [
        line(301, "ERROR", "oslo.service.loopingcall", "Fixed interval looping call", 5),
        f"{logger} Traceback (most recent call last):",
        f'{logger}   File "/usr/lib/python3/dist-packages/nova/virt/driver.py", line 10, in report',
        f"{logger} nova.exception.HypervisorUnavailable: Connection to the hypervisor is broken on host",
    ]
    records, found = told(tmp_path, [*usual(), *trace], "hypervisor is broken")
    assert records.error[found[0].row].startswith("nova.exception.HypervisorUnavailable")
    assert records.follow[found[0].row] == 3
    assert "exception" in found[0].roles


def test_an_answer_of_500_is_not_one_of_200(tmp_path: Path) -> None:
    """The template is the same, as the status is a value."""
    text = '10.0.0.1 "POST /v2.1/servers HTTP/1.1" status: {} len: 1890 time: 0.06'
    lines = [
        line(n, "INFO", "nova.osapi_compute.wsgi.server", text.format(500 if n == 40 else 202), n) for n in range(60)
    ]
    records, found = told(tmp_path, lines, "Server creation fails")
    assert (found[0].count, records.lines["offset"][found[0].row]) == (1, 40)


def test_what_detectors_and_normal_operation_say_counts(tmp_path: Path) -> None:
    """Of two lines alike, the one that a detector points at, or that normal operation does not have, comes first."""
    pair = [
        line(300 + n, "INFO", "nova.compute.manager", f"{word} of the moon", 70 + n)
        for n, word in enumerate(("Phase", "Light"))
    ]
    records = LogRecords.of(material(tmp_path, [*usual(), *pair]))
    issue = read_issue("Instance fails to launch")
    for word in ("Phase", "Light"):
        rows = [n for n, text in enumerate(records.lines["message"].to_list()) if text.startswith(word)]
        strange = np.zeros(len(records))
        strange[rows] = 1.0
        found = rank(records, issue, detectors=strange)
        moon = [text for text in messages(records, found) if text.endswith("moon")]
        assert moon[0].startswith(word)
        known = np.unique(np.delete(records.template, rows))
        moon = [text for text in messages(records, rank(records, issue, known=known)) if text.endswith("moon")]
        assert moon[0].startswith(word)


def test_each_template_is_embedded_once(tmp_path: Path) -> None:
    """Three hundred lines of three templates are three texts, and the issue; meaning decides between equals."""
    seen: list[str] = []

    def embed(texts: object) -> F32:
        assert isinstance(texts, list)
        seen.extend(texts)
        vectors = np.zeros((len(texts), 2), np.float32)
        vectors[:, 0] = [1.0 if n == 0 or "spawned" in text else 0.2 for n, text in enumerate(texts)]
        return vectors

    records = LogRecords.of(material(tmp_path, usual()))
    found = rank(records, read_issue("zyzzyva"), embed=embed)
    assert len(seen) == 4
    assert "spawned" in messages(records, found)[0]


def test_the_order_does_not_depend_on_chance(tmp_path: Path) -> None:
    """The same lines in two files, in either order of the files, give the same records."""
    lines = [*usual(), LAUNCH, ATTACH]
    one = material(tmp_path, lines[::2], "a-nova.log")
    two = material(tmp_path, lines[1::2], "b-nova.log")
    issue = read_issue("Instance fails to launch")
    texts = []
    for parts in ([one, two], [two, one]):
        frames = [part.lines.with_columns(service=part.lines["logger"]) for part in parts]
        numbered = [frame.with_columns(partition=frame["partition"] * 0 + n) for n, frame in enumerate(frames)]
        records = LogRecords.of(LogLines(numbered[0].vstack(numbered[1]), ""))
        texts.append(messages(records, rank(records, issue)))
    assert texts[0] == texts[1]


def test_nothing_is_told_of_no_lines(tmp_path: Path) -> None:
    """An empty file holds no records."""
    records, found = told(tmp_path, [], "Instance fails to launch")
    assert (len(records), found) == (0, [])


@pytest.mark.parametrize("issue", ["", "  \n", "… !?", "the of and"])
def test_an_issue_that_says_nothing_is_refused(issue: str) -> None:
    """With an example of one that does."""
    with pytest.raises(InvalidError, match="describe what fails"):
        read_issue(issue)


def test_issues_are_put_into_the_words_of_logs() -> None:
    """What a word means depends on what it is said of."""
    assert "spawn" in read_issue("Instance fails to launch").meant
    assert "iscsi" in read_issue("Volume attach hangs").meant
    assert "vif" in read_issue("Network port not ready").meant
    assert "iscsi" not in read_issue("Network port not ready").meant
    assert "VolumeCastTask" in read_issue("create volume").meant
    assert "libvirt" not in read_issue("create volume").meant

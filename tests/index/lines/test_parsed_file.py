"""Log files as material: read once, kept as bytes, joined."""

from pathlib import Path

import pytest

from index.lines.parsed_file import ReadFile, join_files, span
from models.decode.decoder import DecodeConfig, Decoder
from models.decode.log_files import list_files
from models.errors import InvalidError
from models.templates.masks import Masks

NOVA = "2026-03-03 09:00:0{}.000 4242 INFO nova.{} [req-00000000-aaaa-4bbb-8ccc-ddddeeeeffff - - - - -] {}"


def read(path: Path, *lines: str) -> ReadFile:
    """A file of these lines, read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    (file,) = list_files([path])
    return ReadFile.of(file, Decoder(DecodeConfig()), Masks.default())


def test_what_was_read_comes_back_from_bytes(tmp_path: Path) -> None:
    """Lines, counts, and texts as they were written."""
    first = NOVA.format(1, "virt", "Instance été spawned in 4 s")
    file = read(tmp_path / "nova-compute.log", first, " continued", "")
    again = ReadFile.from_bytes(memoryview(file.to_bytes()))
    assert again.lines.equals(file.lines)
    assert (again.received, again.refused) == (3, 0)
    assert again.lines["text"].to_list() == [first, " continued", ""]


@pytest.mark.parametrize("data", [b"", b"abcdefgh", b"\xff\xff\xff\xff"])
def test_other_bytes_are_refused(data: bytes) -> None:
    """Whatever they are, the error says what to do."""
    with pytest.raises(InvalidError, match="read the file again"):
        ReadFile.from_bytes(memoryview(data))


def test_templates_are_those_of_all_files_together(tmp_path: Path) -> None:
    """Words that differ from file to file are a value, and each file is a partition of its name."""
    names = [f"w{n}.log" for n in range(12)]
    files = [
        read(
            tmp_path / "nova" / name,
            *(NOVA.format(second, "virt", f"Worker {name[:-4]}{second}x is up") for second in (1, 2)),
        )
        for name in names
    ]
    material = join_files(names, files)
    assert material.lines["masked"].unique().to_list() == ["Worker <*> is up"]
    assert material.lines["template"].n_unique() == 1
    assert [material.source_of(n) for n in range(12)] == names
    first, last = span(material)
    assert last - first == 1_000_000


def test_the_name_in_front_of_a_line_tells_its_service(tmp_path: Path) -> None:
    """As collections of logs have it; a line that continues another is of its service."""
    prefix = "nova-{}.log.1.2017-05-16_13:53:08 "
    file = read(
        tmp_path / "all.log",
        prefix.format("api") + NOVA.format(1, "osapi_compute.wsgi.server", "GET"),
        prefix.format("compute") + NOVA.format(2, "compute.manager", "Instance failed"),
        "  and more of it",
        prefix.format("api") + NOVA.format(3, "osapi_compute.wsgi.server", "GET"),
    )
    assert file.lines["service"].to_list() == ["nova-api", "nova-compute", "nova-compute", "nova-api"]


def test_loggers_tell_services_where_one_file_holds_several(tmp_path: Path) -> None:
    """The file of one program stays that program's, whatever of its project it calls."""
    neutron = NOVA.replace("nova.", "neutron.")
    mixed = read(
        tmp_path / "all.log", NOVA.format(1, "compute.manager", "a"), neutron.format(2, "agent.dhcp.agent", "b")
    )
    assert mixed.lines["service"].to_list() == ["nova-compute", "neutron-dhcp-agent"]
    own = read(
        tmp_path / "nova" / "nova-compute.log",
        NOVA.format(1, "compute.manager", "a"),
        NOVA.format(2, "scheduler.client.report", "b"),
    )
    assert own.lines["service"].unique().to_list() == ["nova-compute"]


def test_no_lines_are_no_material(tmp_path: Path) -> None:
    """An empty file has no lines and no time."""
    material = join_files(["empty.log"], [read(tmp_path / "empty.log")])
    assert (len(material), span(material)) == (0, (0, 0))

"""Log files as raw batches: plain or packed, folders of these, ``.jsonl`` of raw records, standard input."""

import bz2
import codecs
import gzip
import logging
import lzma
import re
import shutil
import sys
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BufferedIOBase, BufferedReader
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final, cast

import numpy as np
from backports import zstd

from models.errors import InvalidError
from models.records import NO_TIME, RawBatch

log = logging.getLogger(__name__)

_CHUNK: Final = 1 << 20
"""Bytes read at once: a judgement."""
_SAMPLE: Final = 64
"""Bytes at a file's begin that tell UTF-16 without a mark: 32 characters of a log's first line."""
_XZ: Final = b"\xfd7zXZ\0"
_PACKED: Final[Mapping[bytes, Callable[[BufferedReader], object]]] = {
    b"\x1f\x8b": gzip.open,
    _XZ: lzma.open,
    b"BZh": bz2.open,
    b"\x28\xb5\x2f\xfd": zstd.open,
}
"""First bytes of packed files, and what reads them."""
_TAR: Final = slice(257, 262)
"""Where the head of a tar archive says ``ustar`` (POSIX.1-1988, section 10.1.1)."""
_ZIP: Final = b"PK\x03\x04"
_NUMBERED: Final = re.compile(r"[0-9a-f]{64}-json\.log|\d+\.log")
"""Files of container runtimes: the container's id, or how often it was started."""
_RECORDS: Final = (".jsonl", ".ndjson")


class BrokenArchiveError(InvalidError):
    """A packed file that ends or is damaged somewhere; what stands before that has been read."""


@dataclass(frozen=True, slots=True)
class FileBatch:
    """Lines of one file: partition = number of the file, offset = number of the line, both from 0.

    ``sources`` names the source of plain lines by partition: the file's path (``source_of``).  ``written``
    (microseconds) says when the file was last written, of standard input what time it is.
    """

    raw: RawBatch
    sources: Mapping[int, str]
    written: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file to read; ``number`` is its place among all, ``path`` is ``-`` for standard input.

    ``is_named`` says that somebody asked for this file, and not for the folder in which it was found.
    """

    number: int
    path: str | Path
    is_named: bool = True

    @property
    def is_regular(self) -> bool:
        """Whether it can be read twice; a pipe cannot."""
        return self.path != "-" and Path(self.path).is_file()


def list_files(paths: Sequence[str | Path]) -> list[LogFile]:
    """The files of files and folders in the order given (folders: sorted, with all below them).

    Raises InvalidError for a path that does not exist, a folder without files and a second ``-``.
    """
    named = {str(path) for path in paths}
    return [LogFile(number, path, str(path) in named) for number, path in enumerate(_expand(paths))]


def read_file(
    file: LogFile, batch_lines: int = 8192, stdin: IO[bytes] | None = None
) -> Generator[FileBatch, None, None]:
    """The lines of one file in constant memory; InvalidError where it cannot be read.

    Standard input is what ``stdin`` holds from its begin (see ``kept_stdin``), if it is given.
    """
    source = "stdin" if file.path == "-" else source_of(file.path)
    sources = {} if source.endswith(_RECORDS) else {file.number: source}
    written = {file.number: _written(file.path)}
    first = 0
    for lines in _batches(file.path, batch_lines, stdin):
        size = len(lines)
        raw = RawBatch(
            lines,
            np.full(size, file.number, np.int32),
            np.arange(first, first + size, dtype=np.int64),
            np.full(size, NO_TIME, np.int64),
        )
        first += size
        yield FileBatch(raw, sources, written)


def source_of(path: str | Path) -> str:
    """Absolute path of a file with links followed, so that it is one source however it was named.

    A link to a file that a container runtime named by a number keeps the name of the link, which tells more; a pipe
    keeps its name.
    """
    named = Path(path)
    if not named.is_file():
        return str(path)
    target = named.resolve()
    return str(named.parent.resolve() / named.name if _NUMBERED.match(target.name) else target)


def _written(path: str | Path) -> int:
    """When a file was last written, in microseconds; now for what is no file of its own."""
    try:
        return time.time_ns() // 1000 if path == "-" else Path(path).stat().st_mtime_ns // 1000
    except OSError:
        # Whoever opens it next says what is wrong.
        return time.time_ns() // 1000


def read_paths(
    paths: Sequence[str | Path], batch_lines: int = 8192, stdin: IO[bytes] | None = None
) -> Iterator[FileBatch]:
    """The lines of all files, one file after the other; see ``list_files`` and ``read_file``."""
    files = list_files(paths)
    for file in files:
        some = False
        try:
            for batch in read_file(file, batch_lines, stdin):
                some = True
                yield batch
        except BrokenArchiveError as error:
            if len(files) == 1 or (file.is_named and not some):
                raise
            log.warning("%s; read as far as it goes", error)


@contextmanager
def kept_stdin(paths: Sequence[str | Path]) -> Iterator[IO[bytes] | None]:
    """Standard input in a temporary file, for who reads it more than once; None where no path is ``-``."""
    if "-" not in map(str, paths):
        yield None
        return
    with TemporaryFile() as kept:
        shutil.copyfileobj(sys.stdin.buffer, kept)
        yield kept


def _expand(paths: Sequence[str | Path]) -> list[str | Path]:
    files: list[str | Path] = []
    if not paths:
        raise InvalidError("no path given: name log files, folders or - for standard input")
    for name in paths:
        if str(name) == "-":
            if "-" in files:
                raise InvalidError("- is given twice, but standard input can be read only once", "name it once")
            files.append("-")
            continue
        path = Path(name)
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file())
            if not inside:
                raise InvalidError(f"{path}: the folder holds no files", "name one that does")
            files.extend(inside)
        elif path.exists():
            files.append(path)
        else:
            raise InvalidError(f"{path}: no such file or folder", "check the path")
    return files


def _batches(path: str | Path, batch_lines: int, stdin: IO[bytes] | None) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    try:
        with ExitStack() as stack:
            stream = cast("BufferedIOBase", _open(path, stack, stdin))
            for lines in _lines(stream):
                batch.extend(lines)
                while len(batch) >= batch_lines:
                    yield batch[:batch_lines]
                    batch = batch[batch_lines:]
    except (EOFError, zlib.error, lzma.LZMAError, zstd.ZstdError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise InvalidError(
                f"{path}: cannot be read ({error.strerror or error})", "check the file and its permissions"
            ) from error
        # What unpacks says so without a number of the system.
        if batch:
            yield batch
        raise BrokenArchiveError(f"{path}: broken archive ({error})", "unpack it by hand or fetch it again") from error
    if batch:
        yield batch


def _open(path: str | Path, stack: ExitStack, stdin: IO[bytes] | None) -> IO[bytes]:
    if path == "-":
        if stdin is None:
            return sys.stdin.buffer
        stdin.seek(0)
        return stdin
    path = Path(path)
    stream = stack.enter_context(path.open("rb"))
    if not path.is_file():
        return stream
    opened = _unpacked(stream, path.suffix.lower())
    content = stream if opened is None else cast("BufferedReader", stack.enter_context(opened))
    if content.peek(_TAR.stop)[_TAR] == b"ustar":
        raise EOFError("a tar archive holds many files: unpack it into a folder and name that")
    return content


def _unpacked(stream: BufferedReader, suffix: str) -> IO[bytes] | None:
    """What a packed file holds, told by its first bytes: rotation gives packed files many names; None if it is none.

    Raises EOFError for what cannot be unpacked, and a name of a packed file whose content is neither one nor text.
    """
    begin = stream.peek(_SAMPLE)[:_SAMPLE]
    for mark, opener in _PACKED.items():
        if begin.startswith(mark):
            return cast("IO[bytes]", opener(stream))
    if begin.startswith(_ZIP):
        raise EOFError("a zip archive holds many files: unpack it into a folder and name that")
    if suffix in {".gz", ".xz", ".bz2", ".zst"} and begin and (b"\0" in begin or len(begin) < len(_XZ)):
        raise EOFError("it does not begin like one")
    return None


def _utf8(stream: BufferedIOBase) -> Iterator[bytes]:
    """The bytes of a stream as they are, but for UTF-16, known by its mark or by every other byte being zero."""
    # What a broken archive holds before its end is given out at once by read1, where read would lose it.
    chunk = stream.read1(_CHUNK)
    encoding = _utf16_of(chunk)
    if encoding is None:
        while chunk:
            yield chunk
            chunk = stream.read1(_CHUNK)
        return
    # Half a character at the end is left out: as often as not it is half a line's end.
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    while chunk:
        yield decoder.decode(chunk).encode("utf-8", "replace")
        chunk = stream.read1(_CHUNK)


def _utf16_of(begin: bytes) -> str | None:
    if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    sample = begin[: _SAMPLE & ~1]
    if len(sample) < 4:  # noqa: PLR2004 - two characters
        return None
    even, odd = sample[::2], sample[1::2]
    if not any(odd) and all(even):
        return "utf-16-le"
    return "utf-16-be" if not any(even) and all(odd) else None


def _lines(stream: BufferedIOBase) -> Iterator[list[bytes]]:
    """Lines without their ends (LF, one CR before it), some at a time; a long line is gathered piece by piece."""
    pieces: list[bytes] = []
    for chunk in _utf8(stream):
        first, newline, rest = chunk.partition(b"\n")
        pieces.append(first)
        if not newline:
            continue
        lines = [b"".join(pieces), *rest.split(b"\n")]
        pieces = [lines.pop()]
        yield [line.removesuffix(b"\r") for line in lines]
    last = b"".join(pieces)
    if last:
        yield [last.removesuffix(b"\r")]

"""Log files read into lines, which a cache holds while the files do not change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final

from index.lines.parsed_file import FORM, ReadFile
from index.storage.file_cache import Cache, content_key, key_of
from models.decode.decoder import DecodeConfig, Decoder
from models.decode.log_files import LogFile, list_files
from models.errors import InvalidError
from models.templates.masks import Masks

LINES: Final = "lines"
"""Kind of the cache's entries that hold read files."""


@dataclass(frozen=True, slots=True)
class Reader:
    """How files are read, and the cache of what was read."""

    decode: DecodeConfig
    masks: Masks
    cache: Cache
    version: str
    """Version of the program: another one may read lines differently."""
    tell: Callable[[str], None]
    """Called with a warning that does not affect the result."""


@dataclass(frozen=True, slots=True)
class Logs:
    """Read files; ``key`` names all that they hold and how it was read."""

    names: tuple[str, ...]
    files: tuple[ReadFile, ...]
    key: str
    kept: int
    """How many files were found in the cache."""

    @property
    def received(self) -> int:
        """Number of lines."""
        return sum(file.received for file in self.files)

    @property
    def refused(self) -> int:
        """Number of lines that cannot be understood."""
        return sum(file.refused for file in self.files)

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Names of the files that hold no text."""
        return tuple(name for name, file in zip(self.names, self.files, strict=True) if file.unreadable)

    @property
    def tenants(self) -> list[str]:
        """Names of the tenants whose lines these are, sorted."""
        return sorted({name for file in self.files for name in file.lines["tenant"].unique().to_list()})


def read_logs(
    paths: Sequence[str],
    reader: Reader,
    stdin: IO[bytes] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Logs:
    """Read files and folders; what did not change since it was last read is taken from the cache.

    Raises:
        InvalidError: a path is not there, or cannot be read.
    """
    names: list[str] = []
    files: list[ReadFile] = []
    keys: list[str] = []
    kept = 0
    for name, file in _named(paths):
        key = key_of(
            _content(file, stdin), str(file.path), repr(reader.decode), reader.masks.version, reader.version, str(FORM)
        )
        parsed = _cached(reader.cache, key)
        kept += parsed is not None
        if parsed is None:
            parsed = ReadFile.of(replace(file, number=len(files)), Decoder(reader.decode), reader.masks, stdin)
            try:
                reader.cache.put(LINES, key, parsed.to_bytes())
            except InvalidError as error:
                reader.tell(f"{error}; meanwhile files are read anew each time")
        names.append(name)
        files.append(parsed)
        keys.append(key)
        progress(parsed.received)
    return Logs(tuple(names), tuple(files), key_of(*keys), kept)


def _named(paths: Sequence[str]) -> list[tuple[str, LogFile]]:
    """Return files with their names for people; sources are absolute, as services are read from folders too."""
    list_files(paths)
    out: list[tuple[str, LogFile]] = []
    for path in paths:
        if path == "-":
            out.append(("stdin", LogFile(0, "-")))
            continue
        top = Path(path).absolute()
        for file in list_files([top]):
            below = Path(file.path).relative_to(top)
            out.append((path if below == Path() else str(Path(path) / below), file))
    return out


def _content(file: LogFile, stdin: IO[bytes] | None) -> str:
    if file.path != "-":
        return content_key(Path(file.path))
    if stdin is None:
        raise InvalidError("standard input cannot be read twice", "name a file")
    stdin.seek(0)
    return key_of(stdin.read())


def _cached(cache: Cache, key: str) -> ReadFile | None:
    data = cache.get(LINES, key)
    if data is None:
        return None
    try:
        return ReadFile.from_bytes(data)
    except InvalidError:
        cache.drop(LINES, key)
        return None

"""Where what was learned is kept: one folder for each topic prefix, with the progress and the newest bundles."""

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from index.storage.atomic_files import write_file
from models.bundle import HEAD
from models.errors import InvalidError
from models.records import NO_TIME
from models.rfc3339 import parse_time, time_text
from stream.learning.schedule import LearningProgress

SCHEMA: Final = "tocsin.learning/1"

_PROGRESS: Final = "learning.json"
_TIMES: Final = frozenset({"since", "learned", "tried"})

_KEPT: Final = 2
"""Bundles that are kept: the one in use, and the one before it for a process that still loads it.  A judgement."""


@dataclass(frozen=True, slots=True)
class LearningFolder:
    """The folder at ``path``; nothing is created before something is written."""

    path: Path

    @property
    def lock(self) -> Path:
        """File whose lock the process that learns holds."""
        return self.path / "lesson"

    def progress(self) -> LearningProgress:
        """Return what was learned so far; nothing where the folder holds nothing.

        Raises:
            InvalidError: it holds something else.
        """
        path = self.path / _PROGRESS
        try:
            record = orjson.loads(path.read_bytes())
            if record.pop("schema") != SCHEMA:
                raise InvalidError(f"{path} is of another version", f"delete {self.path} to learn anew")
            return LearningProgress(**{name: _read(name, value) for name, value in record.items()})
        except FileNotFoundError:
            return LearningProgress()
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidError(f"{path} cannot be used ({error})", f"delete {self.path} to learn anew") from error

    def write(self, progress: LearningProgress) -> None:
        """Replace the progress.

        Raises:
            InvalidError: the folder cannot be written.
        """
        record = {name: _written(name, value) for name, value in dataclasses.asdict(progress).items()}
        data = orjson.dumps({"schema": SCHEMA, **record}, option=orjson.OPT_INDENT_2)
        write_file(self.path / _PROGRESS, [data])

    def bundle(self, progress: LearningProgress) -> Path | None:
        """Return the folder of the newest bundle, None where there is none yet."""
        path = self.path / progress.bundle
        return path if progress.bundle and (path / HEAD).is_file() else None

    def discard_old(self, progress: LearningProgress) -> None:
        """Delete all bundles but the newest."""
        bundles = sorted(head.parent for head in self.path.glob(f"*/{HEAD}"))
        for old in bundles[:-_KEPT]:
            if old.name != progress.bundle:
                shutil.rmtree(old, ignore_errors=True)


def _written(name: str, value: Any) -> Any:
    """Times as text, for people."""
    if name not in _TIMES:
        return value
    return time_text(value) if value != NO_TIME else None


def _read(name: str, value: Any) -> Any:
    if name not in _TIMES:
        return str(value)
    return NO_TIME if value is None else parse_time(value)

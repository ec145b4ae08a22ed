"""What is to be evaluated: a TOML file that lists sets of data; paths are relative to its folder.

Every set has ``name``, ``kind`` and what scores it: ``train`` (paths of normal logs, trained on once per seed), or
``bundle`` (a folder; with ``train`` beside it, what the training held back of these paths serves as normal data), or,
without files, ``train_hours`` and ``train_seed`` of the simulator.  By kind:

- ``runs``: ``records``, ``runs`` (tables, see ``training.evaluate.judges.runs``), ``min_post_s``; also ``truth``,
  lists of the faults, where it is to be measured what people hear of them.
- ``sessions``: ``records``, ``labels`` (tables, see ``training.evaluate.judges.sessions``), ``normal_weight``.
- ``chains``: ``records``, ``truth`` (lists of faults, see ``training.evaluate.judges.chains``).
- ``simulator``: ``hours``, ``seeds`` (a stream each), ``faults`` (one of each kind in every stream), ``start``.

``held_quantile`` is where the threshold ``held`` lies among normal units that were not trained on: by default 0.95 of
runs, of which there are few, and 0.999 of sessions, of which a few in a hundred may be anomalous.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from models.errors import InvalidError

DEFAULT_START: Final = datetime(2026, 3, 3, tzinfo=UTC)
"""A Tuesday."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """Simulated logs; without ``faults`` all of it is normal."""

    hours: float
    seeds: tuple[int, ...]
    faults: bool
    start: datetime


@dataclass(frozen=True, slots=True)
class Model:
    """What scores a set: a bundle as it is, or one trained on ``paths`` or on simulated logs."""

    paths: tuple[Path, ...] = ()
    simulated: Simulated | None = None
    bundle: Path | None = None


@dataclass(frozen=True, slots=True)
class RunsSet:
    """Labelled runs."""

    name: str
    model: Model
    records: tuple[Path, ...]
    runs: tuple[Path, ...]
    min_post_s: float
    held_quantile: float
    truth: tuple[Path, ...] = ()
    kind: str = "runs"


@dataclass(frozen=True, slots=True)
class SessionsSet:
    """Labelled sessions."""

    name: str
    model: Model
    records: tuple[Path, ...]
    labels: tuple[Path, ...]
    normal_weight: float
    held_quantile: float
    kind: str = "sessions"


@dataclass(frozen=True, slots=True)
class ChainsSet:
    """Logs of some tenants, with faults that follow or overlap each other."""

    name: str
    model: Model
    records: tuple[Path, ...]
    truth: tuple[Path, ...]
    kind: str = "chains"


@dataclass(frozen=True, slots=True)
class SimulatorSet:
    """Simulated streams."""

    name: str
    model: Model
    streams: Simulated
    kind: str = "simulator"


AnySet = RunsSet | SessionsSet | ChainsSet | SimulatorSet


def read_spec(path: Path) -> tuple[AnySet, ...]:
    """The sets that a file lists; raises InvalidError where it cannot be used."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(f"{path} cannot be read ({error})", "give a file that lists sets of data") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidError(f"{path} is no TOML: {error}") from error
    top = _Table(content, str(path), path.parent)
    sets = tuple(_set(_Table(table, f"{path}, set {i}", path.parent)) for i, table in enumerate(top.tables("sets"), 1))
    top.finish()
    names = [table.name for table in sets]
    if not sets or len(set(names)) < len(names):
        raise InvalidError(f"{path}: needs at least one [[sets]], each with a name of its own")
    return sets


def _set(table: "_Table") -> AnySet:
    name, kind = table.text("name"), table.text("kind")
    table.place = f"{table.place} ({name})"
    model = _model(table)
    made: AnySet
    if kind == "runs":
        made = RunsSet(
            name,
            model,
            table.paths("records"),
            table.paths("runs"),
            table.number("min_post_s", 0.0),
            table.number("held_quantile", 0.95),
            table.paths("truth", needed=False),
        )
    elif kind == "sessions":
        made = SessionsSet(
            name,
            model,
            table.paths("records"),
            table.paths("labels"),
            table.number("normal_weight", 1.0),
            table.number("held_quantile", 0.999),
        )
    elif kind == "chains":
        made = ChainsSet(name, model, table.paths("records"), table.paths("truth"))
    elif kind == "simulator":
        streams = Simulated(
            table.number("hours", 1.0), table.whole_numbers("seeds"), table.flag("faults"), table.moment("start")
        )
        made = SimulatorSet(name, model, streams)
    else:
        raise InvalidError(f"{table.place}: kind {kind!r} is none of runs, sessions, chains, simulator")
    table.finish()
    return made


def _model(table: "_Table") -> Model:
    paths = table.paths("train", needed=False)
    bundle = table.path("bundle")
    hours = table.number("train_hours", 0.0)
    seed = table.whole_numbers("train_seed", (1,))
    if bool(hours) + bool(paths or bundle) != 1:
        raise InvalidError(f"{table.place}: needs one of train, bundle and train_hours")
    if hours:
        return Model(simulated=Simulated(hours, seed, faults=False, start=datetime(2026, 3, 2, tzinfo=UTC)))
    return Model(paths, None, bundle)


class _Table:
    """Takes typed values out of a TOML table and, at the end, refuses what nobody took."""

    def __init__(self, content: Any, place: str, folder: Path) -> None:
        if not isinstance(content, Mapping):
            raise InvalidError(f"{place}: is no table")
        self.place = place
        self._left = dict(content)
        self._folder = folder

    def finish(self) -> None:
        if self._left:
            raise InvalidError(f"{self.place}: unknown key {', '.join(sorted(self._left))}")

    def tables(self, name: str) -> list[Any]:
        value = self._left.pop(name, [])
        return value if isinstance(value, list) else self._wrong(name, "a list of tables")

    def text(self, name: str) -> str:
        value = self._left.pop(name, None)
        return value if isinstance(value, str) and value else self._wrong(name, "a text")

    def number(self, name: str, default: float) -> float:
        value = self._left.pop(name, default)
        usable = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
        return float(value) if usable else self._wrong(name, "a number that is not negative")

    def whole_numbers(self, name: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        value = self._left.pop(name, default)
        value = [value] if isinstance(value, int) else value
        usable = isinstance(value, list | tuple) and value and all(type(number) is int for number in value)
        return tuple(value) if usable else self._wrong(name, "a whole number or a list of them")

    def flag(self, name: str) -> bool:
        value = self._left.pop(name, False)
        return value if isinstance(value, bool) else self._wrong(name, "true or false")

    def moment(self, name: str) -> datetime:
        value = self._left.pop(name, DEFAULT_START)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        raise InvalidError(f"{self.place}: {name} must be a time such as 2026-03-03T09:00:00Z, without quotes")

    def path(self, name: str) -> Path | None:
        return self._folder / self.text(name) if name in self._left else None

    def paths(self, name: str, *, needed: bool = True) -> tuple[Path, ...]:
        value = self._left.pop(name, [])
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(path, str) for path in value) or (needed and not value):
            self._wrong(name, "a list of paths")
        return tuple(self._folder / path for path in value)

    def _wrong(self, name: str, wanted: str) -> Any:
        raise InvalidError(f"{self.place}: {name} must be {wanted}")

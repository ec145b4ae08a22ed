"""The detectors beside the LSTM, as one part of a bundle."""

import io
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from models.detectors.base import Detector, by_window, rows_of
from models.detectors.error_rate import Levels
from models.detectors.first_error import Onset
from models.detectors.missing_followups import FollowUps
from models.detectors.nearest_normal import Nearest
from models.detectors.novelty import Novelty
from models.detectors.signs import SignEvidence, Signs
from models.detectors.silence import Silence
from models.detectors.template_rates import Rates
from models.detectors.transitions import Transitions
from models.detectors.value_limits import Values
from models.errors import InvalidError
from models.features.passing_over import is_weak, judged, known_share
from models.features.sequences import SHARED
from models.features.source_names import SourceNames
from models.features.vocabulary import NEW
from models.features.window_features import UNKNOWN, Groups, WindowFeatures, service_of
from models.records import BOOL, F64, I64, Level

_READERS: Final[Mapping[str, Callable[[Any], Detector]]] = {
    "sets": Nearest.from_arrays,
    "counts": Nearest.from_arrays,
    "novelty": Novelty.from_arrays,
    "levels": Levels.from_arrays,
    "onset": Onset.from_arrays,
    "transitions": Transitions.from_arrays,
    "rates": Rates.from_arrays,
    "followups": FollowUps.from_arrays,
    "values": Values.from_arrays,
    "silence": Silence.from_arrays,
    "signs": Signs.from_arrays,
}

SCORE_SCALE: Final[Mapping[str, float]] = {
    "lstm": 4.0,
    "sets": 0.1,
    "counts": 0.1,
    "novelty": 1.0,
    "levels": 4.0,
    "onset": 100.0,
    "transitions": 1.0,
    "rates": 2.0,
    "followups": 2.0,
    "values": 2.0,
    "silence": 1.0,
}
"""By how much a raw score must rise to mean something, in its own unit: the scale of its tail where samples are too few
to fit one.  Judgements."""

WEIGH_ALL_LINES: Final = frozenset({Novelty.name, Levels.name, Onset.name, Silence.name, Signs.name})
"""Detectors that are shown new texts of little weight too; all others judge the windows as if these were not there."""

_COMPARE_WHOLE_WINDOWS: Final = frozenset({"sets", "counts"})
"""Detectors that miss what a text stood for before it was reworded: only what share of a window is known counts."""

_COUNT_ERRORS: Final = frozenset({Levels.name, Onset.name})
"""Detectors that count lines of level ERROR and above."""

_WEAK_LEVEL: Final = "weak_level"

_NEW_WEIGHT: Final = 12.0
"""Weight in nats of a line whose template training did not see, a judgement: one in 160,000 windows has it."""

_ERROR_WEIGHT: Final = 6.0
"""Weight in nats that a line of level ERROR or above adds, a judgement."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What a window that fired is about.

    ``services`` are: of a source window its own; of a window over everything the silent ones, and those that wrote the
    lines that weigh most; of a session all that wrote its lines, those that wrote the heaviest first.

    ``places`` are where that comes from which makes a window of several sources unusual, as ``service@host``; the host
    is left out where it is unknown.  First those that are silent, then those that wrote errors, messages that training
    did not see, or values beyond what is usual, who wrote most of them first.  Of these only what reported detectors
    look at counts.  A window of one source has none.
    """

    services: tuple[str, ...]
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DetectorSet:
    """What training learnt of groups; ``rarity`` (tokens,) says in nats how seldom windows hold a token.

    ``usual_service`` (tokens,) is the group of the service that mostly writes a token, -1 where none does;
    ``windows_seen`` (groups,) counts the windows of each source's service.  New templates of lines up to ``weak_level``
    have little weight; bundles of older versions have ``UNKNOWN``: none.
    """

    groups: Groups
    detectors: tuple[Detector, ...]
    rarity: F64
    usual_service: I64
    windows_seen: I64
    weak_level: int = Level.UNKNOWN
    _names: SourceNames = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Prepare what each window that fires asks for: in a storm that is most of them."""
        keys: list[str] = []
        for detector in self.detectors:
            if isinstance(detector, Silence):
                keys += detector.keys
            elif isinstance(detector, Signs):
                keys += detector.sources
        object.__setattr__(self, "_names", SourceNames(self.groups.services, keys))

    def score(self, features: WindowFeatures) -> dict[str, F64]:
        """Return the raw scores (n,) by name of the detector."""
        views = self.views(features)
        scores = {detector.name: detector.score(views[detector.name]) for detector in self.detectors}
        if any(view is not features for view in views.values()):
            known = known_share(features, self.weak_level)
            scores |= {name: scores[name] * known for name in _COMPARE_WHOLE_WINDOWS & scores.keys()}
        return scores

    @property
    def evidence(self) -> SignEvidence | None:
        """What training knows of signs of failure; None where no detector looks for them."""
        return next((detector.evidence for detector in self.detectors if isinstance(detector, Signs)), None)

    def log_per_day(self, features: WindowFeatures, scores: Mapping[str, F64]) -> dict[str, F64]:
        """Return log10 of how many windows a day (n,) are as strange in normal operation, of detectors that know.

        ``scores`` are what ``score`` returned.
        """
        per_day: dict[str, F64] = {}
        for detector in self.detectors:
            if isinstance(detector, Silence):
                per_day[detector.name] = detector.log_per_day(scores[detector.name])
            elif isinstance(detector, Values):
                per_day[detector.name] = detector.log_per_day(features)
        return per_day

    def passed_over(self, features: WindowFeatures) -> BOOL:
        """Return which rows (rows,) the sequence model is not shown: new texts of little weight."""
        return is_weak(features, self.weak_level)

    def views(self, features: WindowFeatures) -> dict[str, WindowFeatures]:
        """Return what each detector is shown of the same windows, by its name."""
        without_weak = judged(features, self.weak_level)
        return {
            detector.name: features if detector.name in WEIGH_ALL_LINES else without_weak for detector in self.detectors
        }

    def weights(self, features: WindowFeatures) -> F64:
        """Return the weight in nats of each row (rows,) of windows that no sequence model scored.

        What is rare has much, and so have errors.
        """
        tokens = features.tokens
        errors = features.windows.level >= Level.ERROR
        new = np.where(is_weak(features, self.weak_level), 0.0, _NEW_WEIGHT)
        weight: F64 = np.where(tokens == NEW, new, self.rarity[tokens]) + errors * _ERROR_WEIGHT
        for detector in self.detectors:
            if isinstance(detector, Signs):
                weight += detector.telling(features) * _NEW_WEIGHT
        return weight

    def whereabouts(
        self, features: WindowFeatures, heaviest: Sequence[I64], reported: Mapping[str, BOOL]
    ) -> list[Whereabouts]:
        """Return what windows (n,) are about.

        Args:
            features: those of the windows.
            heaviest: rows of each window that weigh most.
            reported: for which windows (n,) each detector, by name, has a say.
        """
        windows = np.arange(len(features.group))
        silent: list[tuple[str, ...]] = [()] * len(windows)
        for detector in self.detectors:
            if isinstance(detector, Silence):
                silent = detector.silent_sources(features, windows)
        telling = by_window(np.flatnonzero(self._telling(features, reported)), features.windows.splits, windows)
        says_silent = reported.get(Silence.name, np.zeros(len(windows), np.bool_)).tolist()
        return [
            Whereabouts(
                self._services(features, window, heaviest[window], silent[window]),
                self._places(features, window, telling[window], silent[window] if says_silent[window] else ()),
            )
            for window in windows.tolist()
        ]

    def _services(self, features: WindowFeatures, window: int, rows: I64, silent: tuple[str, ...]) -> tuple[str, ...]:
        """Return the services that a window is about; ``rows`` weigh most, ``silent`` are keys of sources."""
        group = int(features.group[window])
        if group > SHARED:
            return (self.groups.name(group),)
        if group == UNKNOWN:
            return ()
        if group != SHARED:
            own = rows_of(features, window)
            rows = np.concatenate([rows, np.arange(own.start, own.stop)])
        return tuple(dict.fromkeys([*map(service_of, silent), *self._writers(features, rows)]))

    def _telling(self, features: WindowFeatures, reported: Mapping[str, BOOL]) -> BOOL:
        """Return which rows (rows,) of windows of several sources make these unusual, by what is ``reported``.

        Those are errors, messages that training did not see, values beyond what is usual, and what signs are read from.
        """
        several = (features.group >= 0) & (features.group <= SHARED)
        nobody = np.zeros(len(several), np.bool_)
        telling = np.zeros(len(features.tokens), np.bool_)

        def add(names: Collection[str], rows: BOOL) -> None:
            asked = several & np.any([reported.get(name, nobody) for name in names], axis=0)
            np.logical_or(telling, rows & asked[features.window], out=telling)

        for detector in self.detectors:
            if isinstance(detector, Values):
                add({detector.name}, detector.exceeding(features))
            elif isinstance(detector, Signs):
                add({detector.name}, detector.telling(features))
        add(_COUNT_ERRORS, features.windows.level >= Level.ERROR)
        add({Novelty.name}, features.tokens == NEW)
        return telling

    def _places(self, features: WindowFeatures, window: int, rows: I64, silent: tuple[str, ...]) -> tuple[str, ...]:
        """Return the ``silent`` places and those that wrote ``rows``, who wrote most of them first."""
        if not 0 <= int(features.group[window]) <= SHARED:
            return ()
        windows = features.windows
        columns = [column[rows].tolist() for column in (windows.origin, windows.time, windows.count)]
        writers = self._names_of(features, rows_of(features, window), dict.fromkeys(columns[0]))
        names: Counter[str] = Counter()
        first: dict[str, int] = {}
        for origin, time, count in zip(*columns, strict=True):
            if name := writers[origin]:
                names[name] += count
                first.setdefault(name, time)
        # Of equally many the one that came first; by name where that is one moment, as lines have no order in it.
        ranked = sorted(names, key=lambda name: (-names[name], first[name], name))
        return tuple(dict.fromkeys([*silent, *ranked]))

    def _names_of(self, features: WindowFeatures, rows: slice, origins: Iterable[int]) -> dict[int, str]:
        """Return the name of each of the sources that wrote rows, by its origin; "" where nothing tells it.

        It is what its number tells, else the service that mostly writes what the source wrote.
        """
        names: dict[int, str] = {}
        for origin in origins:
            names[origin] = self._names.key(origin)
            if not names[origin]:
                usual = self.usual_service[features.tokens[rows][features.windows.origin[rows] == origin]]
                groups = usual[usual > SHARED]
                names[origin] = self.groups.name(int(np.bincount(groups).argmax())) if len(groups) else ""
        return names

    def _writers(self, features: WindowFeatures, rows: I64) -> list[str]:
        """Services that wrote rows, in their order: as their sources say, where these are known, else their templates.

        The number of a source tells a service that training saw, on whatever host.
        """
        usual = self.usual_service[features.tokens[rows]].tolist()
        services = [
            self._names.service(origin) or (self.groups.name(group) if group > SHARED else "")
            for origin, group in zip(features.windows.origin[rows].tolist(), usual, strict=True)
        ]
        return [service for service in services if service]

    def to_bytes(self) -> bytes:
        """Return NumPy's compressed form."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "groups": np.array(self.groups.services, np.str_),
            "rarity": self.rarity,
            "home": self.usual_service,
            "seen": self.windows_seen,
        }
        for detector in self.detectors:
            arrays |= {f"{detector.name}|{name}": array for name, array in detector.arrays().items()}
        if self.weak_level:
            arrays[_WEAK_LEVEL] = np.array([self.weak_level], np.int32)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "DetectorSet":
        """Read what ``to_bytes`` returned.

        Raises:
            InvalidError: it is damaged.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            learnt: dict[str, dict[str, npt.NDArray[Any]]] = {}
            for name, array in arrays.items():
                detector, _, part = name.partition("|")
                if part:
                    learnt.setdefault(detector, {})[part] = array
            return cls(
                Groups(arrays["groups"].tolist()),
                tuple(_READERS[name](parts) for name, parts in learnt.items()),
                np.asarray(arrays["rarity"], np.float64),
                np.asarray(arrays["home"], np.int64),
                np.asarray(arrays["seen"], np.int64),
                int(arrays[_WEAK_LEVEL][0]) if _WEAK_LEVEL in arrays else Level.UNKNOWN,
            )
        except (KeyError, ValueError, OSError, IndexError, EOFError, BadZipFile, zlib.error) as error:
            raise InvalidError(f"damaged companions: {error!r}", "train the bundle again") from error

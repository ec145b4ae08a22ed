"""What was sent to a language model, word for word, and what came back: to be shown, and not to be asked twice.

One file an episode.  Texts are those that left, with pseudonyms in place of secrets.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import orjson

from index.storage.atomic_files import write_file
from models.errors import InvalidError

SENT_SCHEMA: Final = "tocsin.sent/1"
_SUFFIX: Final = ".json"


@dataclass(frozen=True, slots=True)
class LlmCall:
    """What became of one question to one model; ``outcome`` is the label of a metric."""

    model: str
    outcome: str
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """One prompt, the models that got it, and the answer that was used."""

    episode: str
    digest: str
    """Of the evidence that it was about."""
    time: float
    """When it was asked, in seconds since 1970."""
    system: str
    user: str
    calls: tuple[LlmCall, ...] = ()
    """Empty while the first is under way."""
    model: str = ""
    """Whose answer it is."""
    answer: str = ""
    """As it came; empty where there was none that could be used."""
    note: str = ""
    """Why there was none."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Where the lines of the prompt stand, with a hash of what was shown, by id."""

    @property
    def cost_usd(self) -> float:
        """Return what it has cost."""
        return sum(call.cost_usd for call in self.calls)

    @property
    def text(self) -> str:
        """Return what was sent, as people read it."""
        return f"{self.system}\n\n{self.user}"

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON carries it."""
        return {"schema": SENT_SCHEMA, **asdict(self)}


class TranscriptStore:
    """The last ``limit`` questions, in a folder; older ones are removed."""

    def __init__(self, folder: Path, limit: int = 1_000) -> None:
        """Keep files below ``folder``, which need not be there."""
        self._folder = folder
        self._limit = limit

    def put(self, sent: Transcript) -> None:
        """Keep a question, in place of an earlier one of its episode.

        Raises:
            InvalidError: the folder cannot be written to.
        """
        data = orjson.dumps(sent.to_record(), option=orjson.OPT_INDENT_2)
        write_file(self._path(sent.episode), [data])
        self._trim()

    def get(self, episode: str) -> Transcript | None:
        """Return the question of an episode; None where there is none, or one that another version kept.

        Raises:
            InvalidError: its file is damaged.
        """
        path = self._path(episode)
        try:
            record = orjson.loads(path.read_bytes())
            calls = tuple(LlmCall(**call) for call in record.pop("calls"))
            schema = record.pop("schema")
            return Transcript(**record, calls=calls) if schema == SENT_SCHEMA else None
        except FileNotFoundError:
            return None
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidError(f"{path} cannot be read ({type(error).__name__})", "remove it") from error

    def _path(self, episode: str) -> Path:
        # Episodes are named by others: a name is never part of a path.
        return self._folder / (blake2b(episode.encode(errors="replace"), digest_size=16).hexdigest() + _SUFFIX)

    def _trim(self) -> None:
        aged = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            # Another worker may be removing the same.
            with suppress(OSError):
                aged.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(aged)[: max(0, len(aged) - self._limit)]:
            with suppress(OSError):
                path.unlink()

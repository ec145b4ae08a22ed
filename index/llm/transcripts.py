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

from index.llm.budget import BudgetReservation
from index.storage.atomic_files import write_file
from models.errors import InvalidError

SENT_SCHEMA: Final = "tocsin.sent/1"
_SUFFIX: Final = ".json"


@dataclass(frozen=True, slots=True)
class LlmCall:
    """What became of one question to one model."""

    model: str
    outcome: str
    """In a word; the label of a metric."""
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """One prompt, the models that got it, and the answer that was used."""

    episode: str
    digest: str
    """Hash of the evidence that it was about."""
    time: float
    """When it was asked, in seconds since 1970."""
    system: str
    user: str
    """The two parts of the prompt."""
    calls: tuple[LlmCall, ...] = ()
    """Empty while the first is under way."""
    model: str = ""
    """Name of the model whose answer was used."""
    answer: str = ""
    """That answer as it came; empty where there was none that could be used."""
    note: str = ""
    """Why there was none."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Where the lines of the prompt stand, with a hash of what was shown, by the line's id."""

    @property
    def cost_usd(self) -> float:
        """Return the dollars that all calls together have cost."""
        return sum(call.cost_usd for call in self.calls)

    @property
    def text(self) -> str:
        """Return the prompt as people read it."""
        return f"{self.system}\n\n{self.user}"

    def to_record(self) -> dict[str, Any]:
        """Return the fields as JSON carries them."""
        return {"schema": SENT_SCHEMA, **asdict(self)}


class TranscriptStore:
    """The transcripts of the last ``limit`` episodes, in a folder; older ones are removed.

    The default limit is a judgement: with prompts of 12,000 tokens it comes to some 50 MB.
    """

    def __init__(self, folder: Path, limit: int = 1_000) -> None:
        """Keep files below ``folder``, which need not be there."""
        self._folder = folder
        self._limit = limit

    def put(self, transcript: Transcript) -> None:
        """Keep a transcript, in place of an earlier one of its episode.

        Raises:
            InvalidError: the folder cannot be written to.
        """
        data = orjson.dumps(transcript.to_record(), option=orjson.OPT_INDENT_2)
        write_file(self._path(transcript.episode), [data])
        self._trim()

    def get(self, episode: str) -> Transcript | None:
        """Return the transcript of an episode; None where there is none, or one of another version of the form.

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
        """Remove the files that were written longest ago, beyond the limit."""
        by_age = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            # Another worker may be removing the same.
            with suppress(OSError):
                by_age.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(by_age)[: max(0, len(by_age) - self._limit)]:
            with suppress(OSError):
                path.unlink()


class RecordingReservation:
    """A reservation that keeps the transcript before the prompt leaves: what cannot be kept is not sent.

    A client reserves right before it sends, and does neither without a key or past the budget: nothing is kept then.
    """

    def __init__(self, account: BudgetReservation, store: TranscriptStore, transcript: Transcript) -> None:
        """Keep nothing yet."""
        self._account = account
        self._store = store
        self._transcript = transcript
        self.sent = False
        """The prompt may have left."""

    def take(self) -> bool:
        """Reserve the worst case of one attempt, and keep the transcript before the first.

        Raises:
            InvalidError: the transcript cannot be kept; nothing is reserved then.
        """
        if not self._account.take():
            return False
        if not self.sent:
            try:
                self._store.put(self._transcript)
            except InvalidError:
                self._account.settle(0)
                raise
            self.sent = True
        return True

    def settle(self, usd: float | None) -> None:
        """Settle the attempt."""
        self._account.settle(usd)

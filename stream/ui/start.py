"""The page put together: from the topics of the settings, or from files."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from stream.kafka.clients import Broker
from stream.kafka.topic_specs import Topics
from stream.settings import Settings
from stream.ui.memory.blind_times import BlindTimes
from stream.ui.memory.context_reader import ContextReader, broker_of_files
from stream.ui.memory.files import load_alerts, load_windows
from stream.ui.memory.follower import Follower
from stream.ui.memory.memory import Memory
from stream.ui.web.site import Site
from stream.wiring.core import decode_config, make_broker, make_topics
from stream.wiring.llm import transcript_store
from stream.wiring.redaction import redactor_factory


@contextmanager
def site_of_topics(settings: Settings) -> Iterator[Site]:
    """Provide the site of the topics; they are read in the background while the context lasts."""
    broker, topics = make_broker(settings), make_topics(settings)
    memory = Memory()
    with closing(Follower(broker, topics, memory)), closing(BlindTimes(broker, topics)) as blind:
        yield Site(
            memory,
            f"{broker.bootstrap} · {settings.topic_prefix}*",
            _line_reader(settings, broker, topics),
            _sent(settings),
            blind.between,
        )


def site_of_files(settings: Settings, alerts: Path, logs: Sequence[str] = (), windows: Path | None = None) -> Site:
    """Return the site of a review: its alerts, and where they are at hand its log files and windows.

    Raises:
        InvalidError: a file cannot be read, or holds something else.
    """
    memory = Memory()
    load_alerts(memory, alerts)
    if windows is not None:
        load_windows(memory, windows)
    topics = make_topics(settings)
    reader = _line_reader(settings, broker_of_files(logs, topics.logs_raw), topics) if logs else None
    return Site(memory, str(alerts), reader, _sent(settings), live=False)


def _line_reader(settings: Settings, broker: Broker, topics: Topics) -> ContextReader:
    return ContextReader(broker, topics.logs_raw, decode_config(settings), redactor_factory(settings))


def _sent(settings: Settings) -> Callable[[str], str | None]:
    transcripts = transcript_store(settings)

    def sent(incident_id: str) -> str | None:
        transcript = transcripts.get(incident_id)
        return None if transcript is None else transcript.text

    return sent

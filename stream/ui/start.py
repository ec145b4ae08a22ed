"""The page put together: from the topics of the settings, or from files."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from models.errors import InvalidError
from models.templates.masks import Masks
from models.templates.matcher import TemplateLimits, TemplateMatcher, TemplateTable
from stream.kafka.clients import Broker
from stream.kafka.topic_specs import Topics
from stream.settings import Settings
from stream.topics.feedback import send
from stream.ui.memory.blind_times import BlindTimes
from stream.ui.memory.context_reader import ContextReader, broker_of_files
from stream.ui.memory.files import load_alerts, load_windows
from stream.ui.memory.follower import Follower
from stream.ui.memory.memory import Memory
from stream.ui.memory.questions import answered
from stream.ui.memory.range_reader import RangeReader
from stream.ui.web.headers import LOOPBACK
from stream.ui.web.site import Site, wall_clock
from stream.ui.web.users import LocalUser, PasswordUsers, ProxyUsers, Users
from stream.wiring.core import decode_config, load_bundle, load_failures, load_masks, make_broker, make_topics
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
            partial(send, broker, topics.feedback),
            ranges := make_range_reader(settings, broker, topics),
            partial(answered, ranges, load_failures(settings)),
            users_of(settings),
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
    newest = max((head.end for head in memory.heads()), default=wall_clock())
    site = Site(
        memory,
        str(alerts),
        sent=_sent(settings),
        users=users_of(settings),
        live=False,
        clock=lambda: newest,  # in files it is for ever the moment of the last alert
    )
    if not logs:
        return site
    broker = broker_of_files(logs, topics.logs_raw, decode_config(settings))
    ranges = make_range_reader(settings, broker, topics)
    ask = partial(answered, ranges, load_failures(settings))
    return replace(site, lines=_line_reader(settings, broker, topics), ranges=ranges, ask=ask)


def users_of(settings: Settings) -> Users:
    """Return who may read the page.

    Raises:
        InvalidError: the settings do not fit together.
    """
    match settings.ui_auth:
        case "basic":
            if settings.ui_users is None:
                raise InvalidError("TOCSIN_UI_AUTH is basic, and no file of users is named", "set TOCSIN_UI_USERS")
            return PasswordUsers.load(settings.ui_users)
        case "proxy":
            return ProxyUsers.of(
                settings.ui_proxy_header, settings.ui_proxy_groups, settings.ui_proxy_trusted, settings.ui_responders
            )
        case "none":
            return LocalUser.current()


def address_of(settings: Settings, host: str | None) -> str:
    """Return the address to serve on; without authentication only one of this machine.

    Raises:
        InvalidError: others could read the page, and nobody asks who they are.
    """
    chosen = settings.ui_host if host is None else host
    if settings.ui_auth == "none" and chosen not in LOOPBACK:
        raise InvalidError(
            f"without authentication the page is not served on {chosen}",
            "set TOCSIN_UI_AUTH to basic or proxy, or serve on 127.0.0.1",
        )
    return chosen


def _line_reader(settings: Settings, broker: Broker, topics: Topics) -> ContextReader:
    return ContextReader(broker, topics.logs_raw, decode_config(settings), redactor_factory(settings))


def make_range_reader(settings: Settings, broker: Broker, topics: Topics) -> RangeReader:
    """Return what counts the lines of ranges of time by the templates of the settings' bundle."""

    @cache
    def parts() -> tuple[TemplateTable, Masks]:
        """Return the templates of the bundle; without one each masked text is a template of its own."""
        if settings.bundle is None:
            return TemplateTable(()), load_masks(settings)
        bundle = load_bundle(settings)
        return bundle.table, bundle.masks

    def matcher() -> TemplateMatcher:
        return TemplateMatcher(*parts(), TemplateLimits())

    return RangeReader(broker, topics.logs_raw, decode_config(settings), matcher, redactor_factory(settings))


def _sent(settings: Settings) -> Callable[[str], str | None]:
    transcripts = transcript_store(settings)

    def sent(incident_id: str) -> str | None:
        transcript = transcripts.get(incident_id)
        return None if transcript is None else transcript.text

    return sent

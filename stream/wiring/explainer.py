"""Build the explainer of incidents from the settings.

Apart from ``stream.wiring.core``, so that commands that explain nothing do not import it.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

from index.search.past_incidents import add_incidents
from index.search.search_index import SearchIndex
from models.bundle import Bundle
from models.decode.decoder import Decoder
from models.errors import TocsinError
from models.templates.matcher import TemplateLimits, TemplateMatcher
from stream.explain.explainer import Explainer, LineReader
from stream.explain.schedule import ExplainPolicy
from stream.kafka.clients import Broker
from stream.kafka.reader import read_range
from stream.kafka.topic_specs import Topics
from stream.settings import Settings
from stream.wiring.core import decode_config, load_failures
from stream.wiring.llm import make_llm_explainer
from stream.wiring.search_index import load_search_index

log = logging.getLogger(__name__)

ExplainerT = TypeVar("ExplainerT", bound=Explainer)


def make_explainer(
    settings: Settings, broker: Broker, topics: Topics, bundle: Bundle, bundle_now: Callable[[], Bundle] | None = None
) -> Explainer:
    """Return the explainer of incidents, which opens the memory of past incidents in the background.

    ``bundle_now`` returns the bundle that is due, where that changes.

    Raises:
        InvalidError: as ``make_explainer_of`` does.
    """
    return make_explainer_of(Explainer, settings, broker, topics, bundle_now or (lambda: bundle))


def make_explainer_of(
    kind: type[ExplainerT], settings: Settings, broker: Broker, topics: Topics, bundle_now: Callable[[], Bundle]
) -> ExplainerT:
    """Return an explainer of a class of its own, as ``make_explainer`` does.

    Raises:
        InvalidError: the file of known failures, or of kinds of secrets, cannot be used.
    """

    def reader_of(bundle: Bundle) -> LineReader:
        def make_tools() -> tuple[Decoder, TemplateMatcher]:
            return Decoder(decode_config(settings)), TemplateMatcher(bundle.table, bundle.masks, TemplateLimits())

        return LineReader(make_tools, frozenset(bundle.table))

    last = bundle_now()
    current = last, reader_of(last)

    def reader() -> LineReader:
        nonlocal current
        bundle = bundle_now()
        if bundle is not current[0]:
            current = bundle, reader_of(bundle)
        return current[1]

    def open_memory() -> SearchIndex | None:
        try:
            index = load_search_index(settings, log.info, fresh=True)
            records = read_range(broker, topics.incidents)
            add_incidents(index, (((record.key or b"").decode(), record.value) for record in records if record.value))
        except TocsinError as error:
            log.warning("explanations without past incidents and runbooks", extra={"error": str(error)})
            return None
        return index

    failures, policy = load_failures(settings), ExplainPolicy(settings.explain_settle_s, quiet_s=settings.alert_quiet_s)
    return kind(broker, topics, reader, failures, open_memory, make_llm_explainer(settings), policy)

"""Build the explainer of incidents from the settings.

Apart from ``stream.wiring.core``, so that commands that explain nothing do not import it.
"""

import logging
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


def make_explainer(settings: Settings, broker: Broker, topics: Topics, bundle: Bundle) -> Explainer:
    """Return the explainer of incidents, which opens the memory of past incidents in the background.

    Raises:
        InvalidError: as ``make_explainer_of`` does.
    """
    return make_explainer_of(Explainer, settings, broker, topics, bundle)


def make_explainer_of(
    kind: type[ExplainerT], settings: Settings, broker: Broker, topics: Topics, bundle: Bundle
) -> ExplainerT:
    """Return an explainer of a class of its own, as ``make_explainer`` does.

    Raises:
        InvalidError: the file of known failures, or of kinds of secrets, cannot be used.
    """

    def make_tools() -> tuple[Decoder, TemplateMatcher]:
        return Decoder(decode_config(settings)), TemplateMatcher(bundle.table, bundle.masks, TemplateLimits())

    def open_memory() -> SearchIndex | None:
        try:
            index = load_search_index(settings, log.info, fresh=True)
            records = read_range(broker, topics.incidents)
            add_incidents(index, (((record.key or b"").decode(), record.value) for record in records if record.value))
        except TocsinError as error:
            log.warning("explanations without past incidents and runbooks", extra={"error": str(error)})
            return None
        return index

    reader = LineReader(make_tools, frozenset(bundle.table))
    failures, policy = load_failures(settings), ExplainPolicy(settings.explain_settle_s)
    return kind(broker, topics, reader, failures, open_memory, make_llm_explainer(settings), policy)

"""What explains incidents, as the settings name it.

Apart from ``stream.wiring.core``: commands that explain nothing need not load it.
"""

import logging

from index.search.past_incidents import remember
from index.search.search_index import Memory
from models.bundle import Bundle
from models.decode.decoder import Decoder
from models.errors import TocsinError
from models.templates.matcher import TemplateLimits, TemplateMatcher
from stream.explain.explainer import Explainer, Reading
from stream.explain.schedule import ExplainPolicy
from stream.kafka.clients import Broker
from stream.kafka.reader import read_range
from stream.kafka.topic_specs import Topics
from stream.settings import Settings
from stream.wiring.core import decode_config, failures_of
from stream.wiring.llm import asking_of
from stream.wiring.search_index import memory_of

log = logging.getLogger(__name__)


def explainer_of(settings: Settings, broker: Broker, topics: Topics, bundle: Bundle) -> Explainer:
    """What explains incidents, with the memory of past ones; it is opened in the background.

    Raises:
        InvalidError: the file of known failures is wrong, or that of secrets.
    """

    def tools() -> tuple[Decoder, TemplateMatcher]:
        return Decoder(decode_config(settings)), TemplateMatcher(bundle.table, bundle.masks, TemplateLimits())

    def memory() -> Memory | None:
        try:
            opened = memory_of(settings, log.info, fresh=True)
            records = read_range(broker, topics.incidents)
            remember(opened, (((each.key or b"").decode(), each.value) for each in records if each.value))
        except TocsinError as error:
            log.warning("past incidents and runbooks are left out of explanations: %s", error)
            return None
        return opened

    reading = Reading(tools, frozenset(bundle.table))
    failures, policy = failures_of(settings), ExplainPolicy(settings.explain_settle_s)
    return Explainer(broker, topics, reading, failures, memory, asking_of(settings), policy)

"""Versions, promotions and scorers for tests."""

from functools import cache

from models.bundle import FILES, HEAD, SCHEMA
from models.registry.manifest import FileFacts, Manifest
from models.rfc3339 import SECOND
from models.scorer import Scorer
from stream.topics.promotions import Promotion, PromotionKind, StoredPromotion
from tests.models.bundles import bundle

FILES_FACTS = {name: FileFacts("00", 1) for name in (HEAD, *FILES)}
START = 1_700_000_000 * SECOND


def version(number: int, name: str = "nova") -> Manifest:
    """A version without files."""
    return Manifest(name, number, f"bundle-{number}", SCHEMA, FILES_FACTS, START, by="anna")


def promotion(number: int, previous: int | None = None, name: str = "nova", lead_s: float = 30.0) -> Promotion:
    """A promotion of a version."""
    before = None if previous is None else version(previous, name)
    return Promotion(f"id-{number}", PromotionKind.PROMOTE, version(number, name), before, lead_s, "anna", "better")


def stored(number: int, since: int, previous: int | None = None, name: str = "nova") -> StoredPromotion:
    """A promotion on the topic that is due from so many seconds after START on."""
    return StoredPromotion(promotion(number, previous, name), START + since * SECOND)


@cache
def scorer(number: int) -> Scorer:
    """The scorer of a version."""
    return Scorer(bundle(seed=number))


def load(manifest: Manifest) -> Scorer:
    """Load any version."""
    return scorer(manifest.number)

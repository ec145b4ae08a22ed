"""Whether a store is what it says: several that speak S3 accept conditional writes and do not keep to them."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Final

from models.registry.objects import Objects

WRITERS: Final = 12
"""Writers that race for one key; a judgement: VersityGW before its repair let several win in most rounds of so many."""

ROUNDS: Final = 10
"""Rounds of each race.  A judgement."""

FOLDER: Final = ".probe"


def probe(objects: Objects, token: str, rounds: int = ROUNDS) -> list[str]:
    """Race writers on scratch keys under ``token`` and return what the store does wrong; nothing for one to rely on.

    Raises:
        TocsinError: as the store's own methods do.
    """
    wrong: dict[str, None] = {}
    for number in range(rounds):
        key = f"{FOLDER}/{token}-{number}"
        try:
            wrong |= dict.fromkeys(_round(objects, key))
        finally:
            objects.delete(key)
        if objects.read(key) is not None:
            wrong["an object that was deleted can still be read"] = None
    return list(wrong)


def _round(objects: Objects, key: str) -> list[str]:
    wrong = []
    etag, problem = _race(objects, key, None)
    if problem:
        wrong.append(f"create-only writes (If-None-Match: *) {problem}")
    if etag is None:
        return wrong
    if objects.put_if(key, b"stale", f'"{"0" * 32}"') is not None:
        wrong.append("a write with a foreign etag (If-Match) is accepted")
    _, problem = _race(objects, key, objects.etag(key))
    if problem:
        wrong.append(f"compare-and-swap (If-Match) {problem}")
    return wrong


def _race(objects: Objects, key: str, etag: str | None) -> tuple[str | None, str]:
    """Let all writers write at once; return the winner's etag and what is wrong, "" for nothing."""
    start = Barrier(WRITERS)

    def write(number: int) -> str | None:
        start.wait()
        return objects.put_if(key, _data(number, etag), etag)

    with ThreadPoolExecutor(WRITERS) as pool:
        etags = list(pool.map(write, range(WRITERS)))
    winners = [number for number, new in enumerate(etags) if new is not None]
    if len(winners) != 1:
        return None, f"had {len(winners)} winners of {WRITERS} writers"
    stored = objects.read(key)
    if stored is None or stored.data != _data(winners[0], etag):
        return None, "kept the bytes of another than the winner"
    return stored.etag, ""


def _data(number: int, etag: str | None) -> bytes:
    return f"writer {number} after {etag}".encode()

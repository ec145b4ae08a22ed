"""A few lines of a small cloud, decoded as the product does it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np
import orjson

from index.evidence.fired_windows import FiredWindow
from index.lines.log_lines import LogLines
from models.decode.decoder import DecodeConfig, Decoder
from models.findings import Finding
from models.records import NO_TIME, RawBatch
from models.rfc3339 import SECOND
from models.templates.masks import Masks
from models.templates.matcher import TemplateLimits, TemplateMatcher, TemplateTable

NOON: Final = int(datetime(2026, 3, 4, 12, tzinfo=UTC).timestamp()) * SECOND
TOPIC: Final = "tocsin.logs.raw"

REQUEST: Final = "req-11111111-1111-4111-8111-111111111111"
OTHER: Final = "req-22222222-2222-4222-8222-222222222222"
INSTANCE: Final = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
PORT: Final = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
VOLUME: Final = "cccccccc-cccc-4ccc-8ccc-cccccccccccc"
NOBODY: Final = "- - - - -"


def line(
    at: float,
    service: str,
    text: str,
    level: str = "INFO",
    logger: str = "",
    request: str = "",
    host: str = "node-1",
    tenant: str = "cloud",
) -> bytes:
    """A raw record of oslo.log, ``at`` seconds after noon."""
    moment = datetime.fromtimestamp(NOON / SECOND + at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    context = f"[{request} {NOBODY}] " if request else ""
    logger = logger or service.replace("-", ".")
    record = {
        "log": f"{moment} 7 {level} {logger} {context}{text}",
        "path": f"/var/log/{service.partition('-')[0]}/{service}.log",
        "host": host,
        "tenant": tenant,
    }
    return orjson.dumps(record)


def traceback(at: float, service: str, raised: str, calls: Sequence[str], request: str = REQUEST) -> list[bytes]:
    """An error with its traceback: ``calls`` as ``file:line:function``, innermost last."""
    frames = []
    for call in calls:
        file, number, function = call.split(":")
        frames.append(f'  File "/usr/lib/python3/dist-packages/{file}", line {number}, in {function}')
        frames.append("    return call()")
    head = line(at, service, f"Unexpected failure: {raised}", "ERROR", request=request)
    inside = ["Traceback (most recent call last):", *frames, raised]
    return [head, *(line(at, service, text, "ERROR") for text in inside)]


def material(values: Sequence[bytes], sources: str = TOPIC) -> LogLines:
    """Material of records that stand one behind the other on one partition."""
    size = len(values)
    raw = RawBatch(
        list(values),
        np.zeros(size, np.int32),
        np.arange(size, dtype=np.int64),
        np.full(size, NO_TIME, np.int64),
    )
    matcher = TemplateMatcher(TemplateTable([]), Masks.default(), TemplateLimits())
    return LogLines.of(raw, Decoder(DecodeConfig()).decode(raw), matcher, sources)


def templates(values: Sequence[bytes]) -> frozenset[int]:
    """Templates of records: what a training on them knows."""
    return frozenset(material(values).lines["template"].to_list())


def fired(
    start: float = 0,
    end: float = 60,
    services: Sequence[str] = (),
    reasons: Sequence[str] = (),
    pointers: Sequence[tuple[int, int]] = (),
    importance: float = 0.9,
    findings: Sequence[Finding] = (),
) -> FiredWindow:
    """A window over everything, in seconds after noon."""
    return FiredWindow(
        tenant="cloud",
        key="*",
        kind="source",
        start=NOON + round(start * SECOND),
        end=NOON + round(end * SECOND),
        services=tuple(services),
        reasons=tuple(reasons),
        parts={"levels": 2.0},
        score=3.0,
        importance=importance,
        pointers=tuple(pointers),
        findings=tuple(findings),
    )

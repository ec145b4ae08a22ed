"""An alert as Slack's blocks, within Slack's limits.

Every text that may hold words of a log is a ``plain_text`` object or an element of ``rich_text``, whose style is a
field of its own: Slack finds no mention, link or markup in those.
"""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from alerts.messages.alert import Alert, Severity, Status
from alerts.messages.wording import command, moment
from alerts.sinks.alert_text import (
    cause_text,
    clip,
    defang,
    diagnosis_lines,
    headline,
    now_text,
    strip_control,
)

Block: TypeAlias = dict[str, Any]

# Limits that Slack documents for blocks, in characters or in number, where nothing else is said.
HEADER: Final = 150
SECTION: Final = 3000
LINE: Final = 400
"""Characters of one of a message's lines: a judgement, some three lines of a wide window."""
BLOCKS: Final = 50
BUTTON_TEXT: Final = 75
BUTTON_URL: Final = 3000
BUTTONS: Final = 25
TEXT: Final = 3000
MESSAGE: Final = 10_000
"""Characters of a message: Slack refuses some from 13,200 on, though it documents more."""

VOTES: Final = {"real": "Real", "noise": "Noise", "known": "Known"}
ACTION: Final = "tocsin_vote_"
REASONS: Final = 10
"""Reasons that a message lists: as many as an incident keeps."""

_MARKS: Final = {Severity.WARNING: "⚠️", Severity.ERROR: "❗", Severity.CRITICAL: "🚨"}


def fallback(alert: Alert) -> str:
    """Return the text of notifications and of clients without blocks, escaped."""
    return clip(escape(defang(f"{_mark(alert)} {headline(alert)}")), TEXT)


def message_blocks(alert: Alert, *, votes: bool) -> list[Block]:
    """Return the message of an incident; ``votes`` adds the buttons."""
    header = f"{_mark(alert)} {headline(alert)}"
    blocks: list[Block] = [{"type": "header", "text": _plain(header, HEADER)}]
    if len(header) > HEADER:
        blocks.append(_section(alert.summary))
    blocks.append(_five_lines(alert))
    if buttons := [*_links(alert), *(_votes(alert) if votes else ())]:
        blocks.append({"type": "actions", "elements": buttons[:BUTTONS]})
    return fitting(blocks)


def _five_lines(alert: Alert) -> Block:
    """Return since when, why, what goes on now, and how to look further: with the header, five lines."""
    since = f"{alert.severity.label} since {moment(alert.started)}"
    ended = "" if alert.ended is None else f"ended {moment(alert.ended)}"
    taken = f"{alert.acknowledged} takes care of it" if alert.acknowledged else ""
    lines = {
        "When": ", ".join(part for part in (since, ended, taken, alert.note) if part),
        "Why": cause_text(alert),
        "Now": now_text(alert),
    }
    elements = [
        element
        for name, text in lines.items()
        if text
        for element in (
            _styled(f"{name}: ", bold=True),
            _styled(clip(" ".join(strip_control(text).split()), LINE) + "\n"),
        )
    ]
    look = (_styled("Look further: ", bold=True), _styled(command(alert.incident_id), code=True))
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [*elements, *look]}]}


def _styled(text: str, **style: bool) -> Block:
    return {"type": "text", "text": text, **({"style": style} if style else {})}


def diagnosis_blocks(alert: Alert) -> list[Block]:
    """Return the diagnosis for the thread, and what the detectors say."""
    reasons = [f"• {strip_control(reason)}" for reason in alert.reasons[:REASONS]]
    unusual = ["\n".join(["What is unusual:", *reasons])] if reasons else []
    return fitting([_section(line) for line in (*diagnosis_lines(alert.diagnosis), *unusual)])


def diagnosis_text(alert: Alert) -> str:
    """Return the diagnosis as the notification shows it, escaped."""
    lines = diagnosis_lines(alert.diagnosis)
    return clip(escape(defang(lines[0] if lines else "Diagnosis")), TEXT)


def escape(text: str) -> str:
    """Escape the three characters that Slack's markup begins with."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _mark(alert: Alert) -> str:
    return "✅" if alert.status is Status.RESOLVED else _MARKS[alert.severity]


def _plain(text: str, limit: int) -> Block:
    # Slack refuses empty texts.
    return {"type": "plain_text", "text": strip_control(clip(text, limit)).strip() or "-", "emoji": False}


def _section(text: str) -> Block:
    return {"type": "section", "text": _plain(text, SECTION)}


def _links(alert: Alert) -> Iterable[Block]:
    for n, (name, url) in enumerate(alert.links.items()):
        if url.startswith(("https://", "http://")) and len(url) <= BUTTON_URL:
            yield {
                "type": "button",
                "text": _plain(name, BUTTON_TEXT),
                "url": url,
                "action_id": f"tocsin_link_{n}",
            }


def _votes(alert: Alert) -> Iterable[Block]:
    for vote, label in VOTES.items():
        yield {
            "type": "button",
            "text": _plain(label, BUTTON_TEXT),
            "action_id": ACTION + vote,
            "value": alert.incident_id,
        }


def fitting(blocks: list[Block]) -> list[Block]:
    """Cut sections, the last first, until the message is small enough; buttons stay."""
    kept = blocks[:BLOCKS]
    over = sum(_size(block) for block in kept) - MESSAGE
    for n in range(len(kept) - 1, 0, -1):
        if over <= 0:
            break
        text = kept[n].get("text")
        if text is None:
            continue
        short = clip(text["text"], max(len(text["text"]) - over, 1))
        over -= len(text["text"]) - len(short)
        kept[n] = {**kept[n], "text": {**text, "text": short}}
    return kept


def _size(block: Block) -> int:
    if block["type"] == "rich_text":
        return sum(len(part["text"]) for section in block["elements"] for part in section["elements"])
    texts = [block.get("text"), *(element.get("text") for element in block.get("elements", ()))]
    return sum(len(text["text"]) for text in texts if text)

"""``tocsin receipt``: verify the signed receipts of alerts."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from alerts.messages.alert import Alert

_INCIDENT = re.compile(r"[0-9a-f]{32}")


@click.group()
def receipt() -> None:
    """Verify the signed receipts of alerts.

    \b
    Example:
      tocsin receipt verify alert.json
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"


@receipt.command()
@click.argument("target", metavar="FILE|INCIDENT")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per alert.")
def verify(target: str, *, as_json: bool) -> None:
    """Verify alerts: of a file (one alert, or one a line; - is standard input), or all of an incident on the topic.

    The key is TOCSIN_RECEIPT_KEY.  Exits 2 if any receipt is missing or wrong.

    \b
    Example:
      tocsin receipt verify alerts.jsonl
      tocsin receipt verify 9f1c0a7be5d24f6c8d3e2b1a0f9e8d7c --json
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from alerts.messages.signed_receipt import problems
    from models.errors import InvalidError
    from stream.settings import load_settings

    key = load_settings().receipt_key
    if key is None:
        raise InvalidError("no key is set", "set TOCSIN_RECEIPT_KEY to the one that the alerts were signed with")
    count = wrong = 0
    for alert in _of_incident(target) if _INCIDENT.fullmatch(target) else _of_file(target):
        faults = problems(alert, key.get_secret_value())
        count += 1
        wrong += bool(faults)
        report = _report(alert, faults)
        click.echo(orjson.dumps(report) if as_json else _line(report))
    if not count:
        raise InvalidError(f"{target} holds no alert", "name a file of alerts, or an incident that is on the topic")
    if wrong:
        raise InvalidError(f"{wrong} of {count} receipts do not verify", "do not trust those alerts or their sender")


def _of_incident(incident: str) -> "Iterator[Alert]":
    from alerts.messages.alert import Alert
    from stream.kafka.reader import read_range
    from stream.settings import load_settings
    from stream.wiring.core import make_broker, make_topics

    settings = load_settings()
    for record in read_range(make_broker(settings), make_topics(settings).alerts):
        if record.key == incident.encode():
            yield Alert.from_json(record.value or b"")


def _of_file(path: str) -> "Iterator[Alert]":
    import orjson

    from alerts.messages.alert import Alert
    from models.errors import InvalidError

    try:
        with click.open_file(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise InvalidError(
            f"{path} cannot be read ({error.strerror or error})", "name a file of alerts, or an incident's id"
        ) from error
    try:
        # One alert, however it is laid out.
        yield Alert.from_json(orjson.dumps(orjson.loads(content)))
    except orjson.JSONDecodeError:
        for line in content.splitlines():
            if line.strip():
                yield Alert.from_json(line)


def _report(alert: "Alert", faults: list[str]) -> dict[str, Any]:
    signed = alert.receipt or {}
    return {
        "incident_id": alert.incident_id,
        "status": alert.status.value,
        "ok": not faults,
        "problems": faults,
        "windows": len(signed.get("windows", ())),
        "bundles": sorted({window.get("bundle", "") for window in signed.get("windows", ())}),
        "rules": signed.get("rules", ""),
    }


def _line(report: dict[str, Any]) -> str:
    name = f"{report['incident_id']} {report['status']}"
    if report["problems"]:
        return f"WRONG {name}: {'; '.join(report['problems'])}"
    return f"ok    {name}: {report['windows']} windows, bundle {', '.join(report['bundles']) or 'unknown'}"

"""``tocsin incidents``: list, show, acknowledge, mute and otherwise edit incidents."""

from typing import TYPE_CHECKING, Any, Final

import click

from index.text.sanitize import escape_control
from stream.cli.options import UNTIL, by

if TYPE_CHECKING:
    from alerts.incidents.incident import Incident
    from alerts.incidents.signal import Signal
    from stream.cli.incident.client import IncidentClient

HEADER: Final = f"{'id':<8}  {'state':<8}  {'severity':<8}  {'since':<20}  {'where':<24}  what"
"""Above the lines of a list."""

DEFAULT_TENANT: Final = "default"
"""Tenant of records that name none; it is not shown."""

ID: Final = 8
"""Digits of ids that are shown: a judgement, of a million incidents two rarely begin with the same eight."""


@click.group()
def incidents() -> None:
    """Show incidents; acknowledge, mute, annotate, resolve, merge and split them.

    INCIDENT is an id or its beginning.

    \b
    Example:
      tocsin incidents list
      tocsin incidents ack 3f2a91
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"


def _client() -> "IncidentClient":
    from stream.cli.incident.client import IncidentClient
    from stream.settings import load_settings

    return IncidentClient.open(load_settings())


def _record(client: "IncidentClient", incident: "Incident") -> dict[str, Any]:
    import orjson

    annotations = client.incidents.annotations_of(incident)
    orders = [feedback for feedback in (annotations.ack, annotations.mute) if feedback is not None]
    said = sorted([*annotations.votes.values(), *annotations.notes, *orders], key=lambda feedback: feedback.time)
    record: dict[str, Any] = orjson.loads(incident.to_json())
    return record | {
        "incident_id": incident.id,
        "summary": incident.summary(),
        "silenced": annotations.silence(client.now),
        "acknowledged": annotations.acknowledged,
        "said": [orjson.loads(feedback.to_json()) for feedback in said],
    }


@incidents.command("list")
@click.option("--all", "everything", is_flag=True, help="Include resolved incidents.")
@click.option("--tenant", help="Only this tenant's.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of lines.")
def list_(*, everything: bool, tenant: str | None, as_json: bool) -> None:
    """List open and muted incidents, the newest last.

    \b
    Example:
      tocsin incidents list --all --json
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from alerts.incidents.incident import IncidentState

    client = _client()
    published = [
        incident
        for incident in client.incidents.all()
        if incident.state is not IncidentState.PENDING and tenant in {None, incident.tenant}
    ]
    shown = [
        incident
        for incident in sorted(published, key=lambda incident: (incident.opened, incident.id))
        if everything
        or incident.state is IncidentState.OPEN
        or client.incidents.annotations_of(incident).known_until(client.now)
    ]
    if as_json:
        click.echo(orjson.dumps([_record(client, incident) for incident in shown]))
        return
    if shown:
        click.echo(HEADER)
    for incident in shown:
        click.echo(_line(client, incident))
    if not shown:
        click.echo("no open or muted incidents" if not everything else "no incidents")


def _line(client: "IncidentClient", incident: "Incident") -> str:
    from alerts.messages.wording import duration, moment, place_text
    from models.rfc3339 import SECOND

    annotations = client.incidents.annotations_of(incident)
    silence = annotations.silence(client.now)
    notes = [
        silence,
        f"acknowledged by {annotations.acknowledged}" if annotations.acknowledged else "",
        f"{incident.suppressed} windows suppressed" if incident.suppressed else "",
    ]
    more = "; ".join(note for note in notes if note)
    hidden = len(incident.services) - 1
    where = place_text(incident.services[0] if incident.services else "", incident.host) + (
        f" +{hidden}" if hidden > 0 else ""
    )
    columns = (
        f"{incident.id[:ID]:<8}",
        f"{_state(incident, silence):<8}",
        f"{incident.severity.label:<8}",
        f"{moment(incident.first):<20}",
        f"{where:<24}",
        incident.summary(dated=False),
    )
    tenant = "" if incident.tenant == DEFAULT_TENANT else f"{incident.tenant}: "
    lasts = duration((incident.last - incident.first) // SECOND)
    return escape_control(
        "  ".join((*columns[:-1], f"{tenant}{columns[-1]}, {lasts}")) + (f" [{more}]" if more else "")
    )


def _state(incident: "Incident", silence: str) -> str:
    """Return the state of an incident in a word; why it is silent, such as ``muted``, where it is."""
    return silence.partition(" ")[0].rstrip(",") or incident.state.value


@incidents.command()
@click.argument("incident")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def show(incident: str, *, as_json: bool) -> None:
    """Show all details of INCIDENT and its feedback.

    \b
    Example:
      tocsin incidents show 3f2a91
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from alerts.messages.wording import kind_name

    client = _client()
    target = client.find(incident)
    if as_json:
        click.echo(orjson.dumps(_record(client, target)))
        return
    click.echo(HEADER)
    click.echo(_line(client, target))
    for name, values in (
        ("id", [target.id]),
        ("kind", [kind_name(target.kind)]),
        ("services", target.services),
        ("signal", [_signal_text(signal, target.going_on_since) for signal in target.signals]),
        ("about", target.ids),
        ("why", target.reasons),
    ):
        for value in values:
            click.echo(escape_control(f"  {name:9} {value}"))
    for said in _record(client, target)["said"]:
        words = [said["opinion"], said["cause"] and f"cause {said['cause']}", said["text"]]
        text = " ".join(word for word in words if word)
        click.echo(escape_control(f"  {said['at']}  {said['by']}: {said['action']} {text}".rstrip()))


def _signal_text(signal: "Signal", since: int) -> str:
    """Return one signal of an incident in words: what is wrong where, from when to when, and why it belongs to it.

    It goes on if it was seen ``since`` (microseconds) or later.
    """
    from alerts.messages.wording import kind_name, period, place_text

    state = "goes on" if signal.last >= since else "over"
    text = f"{place_text(signal.service, signal.host)}: {kind_name(signal.kind).lower()}"
    why = f" ({signal.why})" if signal.why else ""
    return f"{text}, {period(signal.first, signal.last)}, {state}{why}"


def _publish(incident: str, action: str, by: str, done: str, **parts: Any) -> None:
    from alerts.messages.feedback import Action, Feedback

    client = _client()
    target = client.find(incident)
    client.publish(lambda now: Feedback(target.id, Action(action), by, now, **parts))
    click.echo(f"{target.id} {done}")


@incidents.command()
@click.argument("incident")
@click.option("--undo", is_flag=True, help="Remove the acknowledgement.")
@by
def ack(incident: str, by: str, *, undo: bool) -> None:
    """Acknowledge INCIDENT: you take care of it.

    \b
    Example:
      tocsin incidents ack 3f2a91
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    _publish(incident, "unack" if undo else "ack", by, "unacknowledged" if undo else f"acknowledged by {by}")


@incidents.command()
@click.argument("incident")
@click.option(
    "--until", type=UNTIL, default="4h", show_default=True, help="A time, or a duration from now: 90m, 12h, 30d."
)
@click.option("--why", default="", help="Reason, shown to others.")
@click.option("--undo", is_flag=True, help="Unmute it.")
@by
def mute(incident: str, until: int, why: str, by: str, *, undo: bool) -> None:
    """Mute INCIDENT for a while; other incidents are not affected.

    \b
    Example:
      tocsin incidents mute 3f2a91 --until 2h --why "rack 7 is being rebuilt"
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    if undo:
        _publish(incident, "unmute", by, "unmuted", text=why)
    else:
        _publish(incident, "mute", by, "muted", text=why, expires=until * 1000)


@incidents.command()
@click.argument("incident")
@click.argument("text")
@by
def note(incident: str, text: str, by: str) -> None:
    """Add the note TEXT to INCIDENT.

    \b
    Example:
      tocsin incidents note 3f2a91 "restarted the agent, looks better"
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    _publish(incident, "note", by, "annotated", text=text)


@incidents.command()
@click.argument("incident")
@by
def resolve(incident: str, by: str) -> None:
    """Resolve INCIDENT now; it reopens if the fault continues.

    \b
    Example:
      tocsin incidents resolve 3f2a91
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    _publish(incident, "resolve", by, "will be resolved")


@incidents.command()
@click.argument("incident")
@click.argument("into")
@by
def merge(incident: str, into: str, by: str) -> None:
    """Merge INCIDENT into the incident INTO, which stays open.

    \b
    Example:
      tocsin incidents merge 3f2a91 77c0de
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from alerts.messages.feedback import Action, Feedback
    from models.errors import InvalidError

    client = _client()
    here, there = client.find(incident), client.find(into)
    if here.tenant != there.tenant:
        raise InvalidError(
            f"one is of tenant {here.tenant}, the other of {there.tenant}",
            "incidents of different tenants cannot be merged",
        )
    client.publish(lambda now: Feedback(here.id, Action.MERGE, by, now, into=there.id))
    click.echo(f"{here.id} merged into {there.id}")


@incidents.command()
@click.argument("incident")
@click.option("--service", "services", multiple=True, required=True, help="A service to split off; may be repeated.")
@by
def split(incident: str, services: tuple[str, ...], by: str) -> None:
    """Split services of INCIDENT off into an incident of their own.

    \b
    Example:
      tocsin incidents split 3f2a91 --service cinder-volume
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from alerts.messages.feedback import Action, Feedback
    from models.errors import InvalidError

    client = _client()
    target = client.find(incident)
    others = target.services[1:]
    if wrong := [service for service in services if service not in others]:
        raise InvalidError(f"{wrong[0]} cannot be split off", f"services that can: {', '.join(others) or 'none'}")
    client.publish(lambda now: Feedback(target.id, Action.SPLIT, by, now, services=services))
    click.echo(f"{', '.join(services)} split off from {target.id}")

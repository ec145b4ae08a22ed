"""``tocsin incidents``: look at incidents and work on them."""

from typing import TYPE_CHECKING, Any, Final

import click

from index.text.sanitize import escape_control
from stream.cli.options import UNTIL, by

if TYPE_CHECKING:
    from alerts.incidents.incident import Incident
    from stream.cli.incident.client import IncidentClient

ID: Final = 12
"""Digits of ids that are shown."""


@click.group()
def incidents() -> None:
    """Look at incidents; acknowledge, mute, note, resolve, merge and split them.

    INCIDENT is an id, or how one begins.

    \b
    Example:
      tocsin incidents list
      tocsin incidents ack 3f2a91
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"


def _desk() -> "IncidentClient":
    from stream.cli.incident.client import IncidentClient
    from stream.settings import load_settings

    return IncidentClient.open(load_settings())


def _record(desk: "IncidentClient", incident: "Incident") -> dict[str, Any]:
    import orjson

    human = desk.incidents.annotations_of(incident)
    said = [*human.votes.values(), *human.notes, *(each for each in (human.ack, human.mute) if each)]
    record: dict[str, Any] = orjson.loads(incident.to_json())
    return record | {
        "incident_id": incident.id,
        "summary": incident.summary(),
        "silenced": human.silence(desk.now),
        "acknowledged": human.acknowledged,
        "said": [orjson.loads(each.to_json()) for each in sorted(said, key=lambda each: each.at)],
    }


@incidents.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@click.option("--tenant", help="Only of this tenant.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of lines.")
def list_(*, everything: bool, tenant: str | None, as_json: bool) -> None:
    """List what is open and what is silenced, the newest last.

    \b
    Example:
      tocsin incidents list --all --json
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from alerts.incidents.incident import IncidentState

    desk = _desk()
    told = [
        (incident, desk.incidents.annotations_of(incident))
        for incident in desk.incidents.all()
        if incident.state is not IncidentState.PENDING and tenant in {None, incident.tenant}
    ]
    shown = [
        incident
        for incident, human in sorted(told, key=lambda pair: (pair[0].opened, pair[0].id))
        if everything or incident.state is IncidentState.OPEN or human.known_until(desk.now)
    ]
    if as_json:
        click.echo(orjson.dumps([_record(desk, incident) for incident in shown]))
        return
    for incident in shown:
        click.echo(_line(desk, incident))
    if not shown:
        click.echo("no incident is open or silenced" if not everything else "there is no incident")


def _line(desk: "IncidentClient", incident: "Incident") -> str:
    human = desk.incidents.annotations_of(incident)
    notes = [
        human.silence(desk.now),
        f"taken by {human.acknowledged}" if human.acknowledged else "",
        f"{incident.suppressed} windows not told" if incident.suppressed else "",
    ]
    more = "; ".join(note for note in notes if note)
    text = f"{incident.id[:ID]}  {incident.severity.label:<8}  {incident.tenant}  {incident.summary()}"
    return escape_control(text + (f" [{more}]" if more else ""))


@incidents.command()
@click.argument("incident")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def show(incident: str, *, as_json: bool) -> None:
    """Show all that is known of INCIDENT, and what people said of it.

    \b
    Example:
      tocsin incidents show 3f2a91
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    desk = _desk()
    found = desk.find(incident)
    if as_json:
        click.echo(orjson.dumps(_record(desk, found)))
        return
    click.echo(_line(desk, found))
    for name, values in (
        ("id", [found.id]),
        ("services", found.services),
        ("about", found.ids),
        ("why", found.reasons),
    ):
        for value in values:
            click.echo(escape_control(f"  {name:9} {value}"))
    for said in _record(desk, found)["said"]:
        words = [said["opinion"], said["cause"] and f"cause {said['cause']}", said["text"]]
        text = " ".join(word for word in words if word)
        click.echo(escape_control(f"  {said['at']}  {said['by']}: {said['action']} {text}".rstrip()))


def _say(incident: str, action: str, by: str, done: str, **parts: Any) -> None:
    from alerts.messages.feedback import Action, Feedback

    desk = _desk()
    found = desk.find(incident)
    desk.publish(lambda now: Feedback(found.id, Action(action), by, now, **parts))
    click.echo(f"{found.id} {done}")


@incidents.command()
@click.argument("incident")
@click.option("--undo", is_flag=True, help="Nobody takes care of it any more.")
@by
def ack(incident: str, by: str, *, undo: bool) -> None:
    """Say that you take care of INCIDENT.

    \b
    Example:
      tocsin incidents ack 3f2a91
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    _say(incident, "unack" if undo else "ack", by, "is free" if undo else f"is taken by {by}")


@incidents.command()
@click.argument("incident")
@click.option("--until", type=UNTIL, default="4h", show_default=True, help="A time, or how long from now on.")
@click.option("--why", default="", help="For those who come after.")
@click.option("--undo", is_flag=True, help="Let it be heard again.")
@by
def mute(incident: str, until: int, why: str, by: str, *, undo: bool) -> None:
    """Silence INCIDENT for a while; other faults are told all the same.

    \b
    Example:
      tocsin incidents mute 3f2a91 --until 2h --why "rack 7 is being rebuilt"
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    if undo:
        _say(incident, "unmute", by, "is heard again", text=why)
    else:
        _say(incident, "mute", by, "is muted", text=why, expires=until * 1000)


@incidents.command()
@click.argument("incident")
@click.argument("text")
@by
def note(incident: str, text: str, by: str) -> None:
    """Write TEXT beside INCIDENT.

    \b
    Example:
      tocsin incidents note 3f2a91 "restarted the agent, looks better"
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    _say(incident, "note", by, "has a note", text=text)


@incidents.command()
@click.argument("incident")
@by
def resolve(incident: str, by: str) -> None:
    """End INCIDENT now; if it goes on it comes back.

    \b
    Example:
      tocsin incidents resolve 3f2a91
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    _say(incident, "resolve", by, "is to be resolved")


@incidents.command()
@click.argument("incident")
@click.argument("into")
@by
def merge(incident: str, into: str, by: str) -> None:
    """Make INCIDENT part of the incident INTO, which goes on.

    \b
    Example:
      tocsin incidents merge 3f2a91 77c0de
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from alerts.messages.feedback import Action, Feedback
    from models.errors import InvalidError

    desk = _desk()
    here, there = desk.find(incident), desk.find(into)
    if here.tenant != there.tenant:
        raise InvalidError(f"one is of tenant {here.tenant}, the other of {there.tenant}", "nothing crosses tenants")
    desk.publish(lambda now: Feedback(here.id, Action.MERGE, by, now, into=there.id))
    click.echo(f"{here.id} becomes part of {there.id}")


@incidents.command()
@click.argument("incident")
@click.option("--service", "services", multiple=True, required=True, help="A service that leaves; may be repeated.")
@by
def split(incident: str, services: tuple[str, ...], by: str) -> None:
    """Make services of INCIDENT an incident of their own.

    \b
    Example:
      tocsin incidents split 3f2a91 --service cinder-volume
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from alerts.messages.feedback import Action, Feedback
    from models.errors import InvalidError

    desk = _desk()
    found = desk.find(incident)
    others = found.services[1:]
    if wrong := [service for service in services if service not in others]:
        raise InvalidError(f"{wrong[0]} cannot leave", f"those that can are: {', '.join(others) or 'none'}")
    desk.publish(lambda now: Feedback(found.id, Action.SPLIT, by, now, services=services))
    click.echo(f"{', '.join(services)} leave {found.id}")

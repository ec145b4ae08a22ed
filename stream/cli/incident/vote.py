"""``tocsin vote``: label an incident."""

import click

from stream.cli.options import UNTIL, by


@click.command()
@click.argument("incident")
@click.argument("opinion", type=click.Choice(["noise", "real", "known"]))
@click.option("--cause", type=click.Choice(["right", "wrong"]), help="Whether the diagnosed cause is right.")
@click.option("--expires", type=UNTIL, help="When known ends: a time, or 12h, 30d, 2w; default: 30d.")
@click.option("--why", default="", help="Reason, shown to others: a ticket number, for example.")
@by
def vote(incident: str, opinion: str, cause: str | None, expires: int | None, why: str, by: str) -> None:  # noqa: PLR0913 - one argument an option
    """Label INCIDENT (an id or its beginning) as noise, real or known.

    noise silences this episode.  known silences its pattern (service, kind of failure, templates) wherever it comes
    back, until it expires.  real takes either back.  Votes are kept as labels for trainings to come.

    \b
    Example:
      tocsin vote 3f2a91 known --expires 14d --why "BUG-1234, fixed in the next release"
      tocsin vote 3f2a91 real --cause wrong
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from alerts.messages.feedback import Opinion
    from alerts.messages.feedback import vote as make
    from models.rfc3339 import time_text
    from stream.cli.incident.client import IncidentClient
    from stream.settings import load_settings

    client = IncidentClient.open(load_settings())
    target = client.find(incident)
    right = None if cause is None else cause == "right"
    ends = None if expires is None else expires * 1000
    feedback = client.publish(
        lambda now: make(target.id, Opinion(opinion), by, now, cause=right, expires=ends, text=why)
    )
    until = f" until {time_text(feedback.expires)}" if feedback.expires else ""
    click.echo(f"{target.id} labelled {opinion}{until} by {by}")

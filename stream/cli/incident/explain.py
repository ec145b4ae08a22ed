"""``tocsin explain``: the diagnosis of an incident, and what was sent to a language model for it."""

from collections.abc import Iterator, Mapping
from typing import Any

import click


@click.group()
def explain() -> None:
    """Show the diagnosis of an incident and the LLM prompt.

    \b
    Example:
      tocsin explain show 3f2a91
      tocsin explain show 3f2a91 --sent
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"


@explain.command()
@click.argument("incident")
@click.option("--sent", is_flag=True, help="Show exactly what was sent to a language model.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def show(incident: str, *, sent: bool, as_json: bool) -> None:
    """Show the diagnosis of INCIDENT (an id or its beginning) with the lines that support it.

    \b
    Example:
      tocsin explain show 3f2a91
      tocsin explain show 3f2a91 --sent --json
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from index.text.sanitize import escape_control
    from models.errors import InvalidError
    from stream.cli.incident.client import IncidentClient
    from stream.settings import load_settings
    from stream.wiring.llm import transcript_store

    settings = load_settings()
    state = IncidentClient.open(settings).find(incident)
    if sent:
        transcript = transcript_store(settings).get(state.id)
        if transcript is None:
            raise InvalidError(
                f"nothing was sent for {state.id} from this machine",
                "look on the one that runs the explain role, under its TOCSIN_INDEX_PATH",
            )
        click.echo(
            orjson.dumps(transcript.to_record()) if as_json else escape_control(transcript.text, keep_lines=True)
        )
        return
    if not state.diagnosis:
        raise InvalidError(f"{state.id} has no diagnosis yet", "check that the explain role runs, and try again")
    if as_json:
        click.echo(orjson.dumps(state.diagnosis))
        return
    for line in _page(state.id, state.diagnosis):
        click.echo(escape_control(line))


def _page(incident_id: str, diagnosis: Mapping[str, Any]) -> Iterator[str]:
    """Return the lines of a diagnosis as people read it."""
    from alerts.messages.wording import filled

    yield f"incident {incident_id}"
    yield f"what     {filled(diagnosis['summary'], diagnosis)}"
    yield f"where    {diagnosis['service'] or 'unknown'}; hits {', '.join(diagnosis['services']) or 'nothing else'}"
    yield f"why      {filled(diagnosis['cause'], diagnosis)} ({diagnosis['confidence']:.0%} sure)"
    by = " ".join(part for part in (diagnosis["mode"], diagnosis["model"]) if part)
    yield f"by       {by}, {diagnosis['groundedness']:.0%} of its claims verified, {diagnosis['cost_usd']:.4f} USD"
    if diagnosis["note"]:
        yield f"note     {diagnosis['note']}"
    for claim in diagnosis["claims"]:
        mark = "verified" if claim["verified"] else "not sure"
        cited = f" [{', '.join(claim['lines'])}]" if claim["lines"] else ""
        yield f"{mark:8} {filled(claim['text'], diagnosis)}{cited}"
    for line in diagnosis["evidence"]:
        yield f"{line['id']:8} {line['source']}[{line['partition']}]@{line['line']} x{line['count']}  {line['text']}"
    for action in diagnosis["actions"]:
        yield f"do       {filled(action, diagnosis)}"

"""``tocsin topics``: print topics, create them, and print the rights that roles need on them."""

import base64
import sys
from typing import TYPE_CHECKING, Any

import click
import orjson

from stream.cli.options import TIME, check_times
from stream.kafka.security.access_rules import PRINCIPALS

if TYPE_CHECKING:
    from stream.kafka.reader import Record


@click.group()
def topics() -> None:
    """Print a topic as JSON lines, create the topics, or print the access rules of all.

    \b
    Example:
      tocsin topics cat anomalies --from 2026-11-23T02:00:00Z
      tocsin topics create
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"


@topics.command()
@click.argument("topic")
@click.option("--from", "since", type=TIME, help="Start of the range, by the broker's time.")
@click.option("--to", "until", type=TIME, help="End of the range (exclusive); default: now.")
@click.option("--partition", "partitions", type=int, multiple=True, help="Print only this partition; may be repeated.")
@click.option("--limit", type=click.IntRange(min=1), help="Stop after this number of messages.")
@click.option("--values", "bare", is_flag=True, help="Print the values alone, as bytes, a line each.")
def cat(  # noqa: PLR0913 - one argument an option
    topic: str,
    since: int | None,
    until: int | None,
    partitions: tuple[int, ...],
    limit: int | None,
    *,
    bare: bool,
) -> None:
    """Print the messages of TOPIC as JSON lines.

    Each has the fields partition, offset, timestamp, key and value.  TOPIC may omit the prefix.  Frames of logs.events
    are unpacked; a value that is not JSON is printed as text, or in base64 if it is not text.

    \b
    Example:
      tocsin topics cat logs.dead --limit 5
      tocsin topics cat logs.raw --values > lines.jsonl
      tocsin topics cat logs.events --partition 0 --from 2026-11-23T02:00Z --to 2026-11-23T03:00Z
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from stream.kafka.reader import read_range
    from stream.settings import load_settings
    from stream.wiring.core import make_broker, make_topics

    check_times(since, until)
    settings = load_settings()
    name = make_topics(settings).name(topic)
    records = read_range(make_broker(settings), name, since, until, partitions or None)
    for count, record in enumerate(records, 1):
        sys.stdout.buffer.write((record.value or b"" if bare else _json_line(record)) + b"\n")
        if count == limit:
            break


@topics.command()
@click.option("--dry-run", is_flag=True, help="Print how they would be created, as JSON lines, without a broker.")
def create(*, dry_run: bool) -> None:
    """Create the topics that are missing, as each role does at its start; those that exist stay as they are.

    For clusters on which only an administrator may create topics.

    \b
    Example:
      TOCSIN_KAFKA_SASL_USERNAME=admin TOCSIN_REPLICATION=3 tocsin topics create
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from stream.settings import load_settings
    from stream.wiring.core import make_broker, topic_specs

    settings = load_settings()
    specs = topic_specs(settings)
    if not dry_run:
        make_broker(settings).ensure_topics(specs, settings.replication)
    for spec in specs:
        entry = {"topic": spec.name, "partitions": spec.partitions, "replication": settings.replication}
        click.echo(orjson.dumps(entry | {"configs": spec.all_configs()}))


def _json_line(record: "Record") -> bytes:
    line = {
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": None if record.key is None else record.key.decode(errors="replace"),
        "value": readable(record.value),
    }
    return orjson.dumps(line)


def readable(value: bytes | None) -> Any:
    """Return a message's value as JSON holds it: an unpacked frame, JSON, text, or base64."""
    from models.errors import InvalidError
    from models.windows import frame_codec as frames

    if value is None:
        return None
    if value.startswith(frames.MAGIC):
        try:
            return _frame(value)
        except InvalidError as error:
            # The messages after it are to be printed nevertheless.
            return {"error": str(error), **_base64(value)}
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        pass
    try:
        return value.decode()
    except UnicodeDecodeError:
        return _base64(value)


def _frame(value: bytes) -> dict[str, Any]:
    from models.windows import frame_codec as frames
    from models.windows.keys import named_rows

    frame, version = frames.decode(value)
    spans = {str(p): {"first": s.first, "last": s.last, "clock": s.clock} for p, s in frame.raw.items()}
    rows = [{**row, "template": f"{row['template']:016x}"} for row in named_rows(frame).to_dicts()]
    return {"schema": frames.SCHEMA, "templates": version, "raw": spans, "rows": rows}


def _base64(value: bytes) -> dict[str, Any]:
    return {"base64": base64.b64encode(value).decode()}


@topics.command()
@click.option(
    "--principal",
    default="User:tocsin-{role}",
    show_default=True,
    help="Whom to grant the rights; {role} stands for the role's name, and without it one principal gets all.",
)
@click.option("--roles", help=f"Roles, separated by commas: {', '.join(PRINCIPALS)}; default: all.")
@click.option("--strimzi", metavar="CLUSTER", help="Print KafkaUser resources for Strimzi's Kafka of this name.")
@click.option(
    "--authentication",
    type=click.Choice(["tls", "scram-sha-512"]),
    default="tls",
    show_default=True,
    help="How Strimzi's users say who they are.",
)
def acls(principal: str, roles: str | None, strimzi: str | None, authentication: str) -> None:
    """Print the access rules with which the roles work, and no more.

    Beside the four roles there are shipper (what sends lines), operator (people with these commands) and setup, which
    creates the topics: `tocsin run` creates those that are missing only where its user has the rights of setup, too.

    \b
    Example:
      tocsin topics acls --principal User:tocsin --roles ingest,detect,explain,deliver
      tocsin topics acls --strimzi my-cluster | kubectl apply -f -
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from stream.kafka.security.access_rules import access_rules, kafka_commands, merged, strimzi_users
    from stream.settings import load_settings
    from stream.wiring.core import make_topics

    names = [name.strip() for name in roles.split(",")] if roles else list(PRINCIPALS)
    if unknown := sorted(set(names) - set(PRINCIPALS)):
        raise click.BadParameter(f"no such role: {', '.join(unknown)}; there are {', '.join(PRINCIPALS)}")
    settings = load_settings()
    rules = {name: access_rules(make_topics(settings), name) for name in names}
    if "{role}" not in principal:
        rules = {"": merged(rule for part in rules.values() for rule in part)}
    users = {principal.replace("{role}", name): part for name, part in rules.items()}
    if strimzi:
        click.echo(strimzi_users(users, strimzi, authentication), nl=False)
        return
    for user, part in users.items():
        for command in kafka_commands(part, user, settings.kafka_bootstrap_servers):
            click.echo(command)

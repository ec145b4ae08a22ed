"""``tocsin index``: the search index of past incidents and runbooks."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from stream.cli.options import TIME
from stream.cli.output import tell

if TYPE_CHECKING:
    from index.search.documents import Document
    from index.search.search_index import SearchIndex

KINDS: Final = ("incident", "diagnosis", "runbook")
SHOWN: Final = 4
"""Lines of a hit that are printed; --json has all."""


@click.group()
def index() -> None:
    """Fill and query the search index of past incidents and runbooks (a file below TOCSIN_INDEX_PATH).

    \b
    Example:
      tocsin index add runbooks/
      tocsin index search "volume attach hangs"
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"


@index.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--tenant", default="", help="Tenant of runbooks that name none; default: all tenants find them.")
def add(paths: tuple[str, ...], tenant: str) -> None:
    """Add runbooks (files or folders of Markdown) and past incidents (.jsonl, or - for standard input).

    A folder that is added again replaces what it held before.  A line of .jsonl is a record of the topics incidents or
    alerts, as it is or as `tocsin topics cat` prints it, or any object with a "text" (and, where known, "id", "title",
    "kind", "tenant", "service", "time").

    \b
    Example:
      tocsin index add runbooks/ old-incidents.jsonl
      tocsin topics cat incidents | tocsin index add -
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from index.search.runbooks import add_runbooks
    from index.search.snapshot import save
    from index.storage.atomic_files import sole_writer
    from models.errors import InvalidError
    from stream.settings import load_settings
    from stream.wiring.search_index import load_search_index, search_index_file

    settings = load_settings()
    with sole_writer(search_index_file(settings)):
        search_index = load_search_index(settings, tell, fresh=True)
        added = gone = 0
        for path in paths:
            if path == "-" or path.endswith(".jsonl"):
                changes = _add_records(search_index, path)
            elif Path(path).exists():
                changes = add_runbooks(search_index, Path(path), tenant)
            else:
                raise InvalidError(f"{path}: no such file or folder", "check the path")
            added, gone = added + changes[0], gone + changes[1]
        save(search_index, search_index_file(settings))
    click.echo(f"{added} documents added or changed, {gone} removed; the search index holds {len(search_index)}")


@index.command()
@click.argument("text")
@click.option("-k", "--k", "count", type=click.IntRange(min=1), default=5, show_default=True, help="Hits at most.")
@click.option("--tenant", help="Only what this tenant may see.")
@click.option("--service", help="Only of this service, or of none.")
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Only these; may be repeated.")
@click.option("--since", type=TIME, help="No incidents of before.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of text.")
def search(  # noqa: PLR0913 - one argument an option
    text: str,
    count: int,
    tenant: str | None,
    service: str | None,
    kinds: tuple[str, ...],
    since: int | None,
    *,
    as_json: bool,
) -> None:
    """Find the incidents and runbooks that are most like TEXT: a question, or log lines; - reads standard input.

    \b
    Example:
      tocsin index search "NoValidHost: No valid host was found" --kind runbook
      tocsin index search "port binding failed" --tenant blue --service neutron-server --json
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from index.search.documents import DocumentKind, Filter
    from index.text.sanitize import escape_control
    from stream.settings import load_settings
    from stream.wiring.search_index import load_search_index

    text = click.get_text_stream("stdin").read() if text == "-" else text
    where = Filter(
        tenant=tenant,
        service=service,
        kinds=frozenset(map(DocumentKind, kinds)) or None,
        since=None if since is None else since * 1000,
    )
    hits = load_search_index(load_settings(), tell).search(text, count, where)
    if as_json:
        records = [
            {"score": hit.score, "cosine": hit.cosine, "words": hit.words, **_record(hit.document)} for hit in hits
        ]
        click.echo(orjson.dumps(records))
        return
    for hit in hits:
        click.echo(f"{hit.score:.2f}  {hit.document.kind}  {escape_control(_place(hit.document))}")
        for line in hit.document.text.splitlines()[:SHOWN]:
            click.echo(f"      {escape_control(line)}")
    if not hits:
        click.echo("nothing found")


@index.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def stats(*, as_json: bool) -> None:
    """Print what the search index holds and which model made its vectors.

    \b
    Example:
      tocsin index stats --json
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from dataclasses import asdict

    import orjson

    from stream.settings import load_settings
    from stream.wiring.search_index import load_search_index, search_index_file

    settings = load_settings()
    path = search_index_file(settings)
    counts = asdict(load_search_index(settings, tell).stats()) | {"path": str(path), "file_bytes": path.stat().st_size}
    if as_json:
        click.echo(orjson.dumps(counts))
        return
    for name, value in counts.items():
        shown = ", ".join(f"{n} {kind}" for kind, n in value.items()) if isinstance(value, dict) else value
        click.echo(f"{name.replace('_', ' '):14} {shown}")


@index.command()
@click.argument("model", required=False)
def fetch(model: str | None) -> None:
    """Fetch a sentence encoder from the Hugging Face hub; default: the one that is set.  Nothing else fetches one.

    \b
    Example:
      tocsin index fetch sentence-transformers/all-MiniLM-L12-v2
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from index.embedding.open_embedder import fetch as fetch_model
    from stream.settings import load_settings

    click.echo(fetch_model(model or load_settings().embedding_model))


def _add_records(search_index: "SearchIndex", path: str) -> tuple[int, int]:
    """Add the records of a file; return how many documents are new or changed, and how many are gone."""
    from index.search.past_incidents import add_incidents
    from models.errors import InvalidError

    before = {document.id: document for document in search_index.documents()}
    try:
        with click.open_file(path, "rb") as file:
            records = [_keyed(line, f"line {number}") for number, line in enumerate(file, 1) if line.strip()]
    except OSError as error:
        raise InvalidError(f"{path} cannot be read ({error.strerror})", "check the path") from error
    done = add_incidents(search_index, records)
    if done.broken:
        more = f" (and {len(done.broken) - 1} more)" if len(done.broken) > 1 else ""
        raise InvalidError(f"{path} {done.broken[0]}{more}")
    if done.silent:
        tell(f"{path}: {done.silent} incidents hold no text to be found by (no reasons, evidence or diagnosis)")
    added = sum(before.get(name) != document for name, document in done.documents.items())
    return added, len(done.gone & before.keys())


def _keyed(line: bytes, place: str) -> tuple[str, bytes | None]:
    """Key and value of a record, which may be wrapped as ``tocsin topics cat`` prints it."""
    import orjson

    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return place, line
    if not isinstance(record, dict) or not {"offset", "key", "value"} <= record.keys():
        return place, line
    return record["key"] or place, None if record["value"] is None else orjson.dumps(record["value"])


def _record(document: "Document") -> dict[str, Any]:
    return document.to_record() | {"time": _time(document)}


def _time(document: "Document") -> str | None:
    from models.records import NO_TIME
    from models.rfc3339 import time_text

    return None if document.time == NO_TIME else time_text(document.time)


def _place(document: "Document") -> str:
    known = [document.title, document.tenant, ", ".join(document.services), _time(document), document.source]
    return "  ".join(dict.fromkeys(part for part in known if part))

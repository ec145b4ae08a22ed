"""``tocsin cache``: what is kept of log files that were read, and of texts that were embedded."""

import click


@click.group()
def cache() -> None:
    """List or clear what `tocsin analyze` keeps so that it is quick the next time (below TOCSIN_CACHE_PATH).

    \b
    Example:
      tocsin cache list
      tocsin cache clear
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"


@cache.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def list_(*, as_json: bool) -> None:
    """List what is kept, the last used first.

    \b
    Example:
      tocsin cache list --json
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from models.rfc3339 import time_text
    from stream.settings import load_settings
    from stream.wiring.analyze import make_cache

    kept = make_cache(load_settings())
    entries = kept.entries()
    total = sum(entry.bytes for entry in entries)
    if as_json:
        found = [
            {"kind": each.kind, "key": each.key, "bytes": each.bytes, "used": time_text(round(each.used * 1e6))}
            for each in entries
        ]
        click.echo(orjson.dumps({"path": str(kept.folder), "limit": kept.limit, "bytes": total, "entries": found}))
        return
    for each in entries:
        click.echo(f"{time_text(round(each.used * 1e6))}  {each.bytes:>12,}  {each.kind:<9}  {each.key}")
    click.echo(f"{len(entries)} entries, {total:,} of {kept.limit:,} bytes in {kept.folder}")


@cache.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a line.")
def clear(*, as_json: bool) -> None:
    """Delete what is kept; it is made again when it is needed.

    \b
    Example:
      tocsin cache clear
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from stream.settings import load_settings
    from stream.wiring.analyze import make_cache

    kept = make_cache(load_settings())
    count, size = kept.clear()
    if as_json:
        click.echo(orjson.dumps({"path": str(kept.folder), "entries": count, "bytes": size}))
        return
    click.echo(f"{count} entries, {size:,} bytes deleted from {kept.folder}")

"""``tocsin cache``: log files that were read, texts that were embedded, and what detectors said of them."""

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
    """List the entries of the cache, the last used first.

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
        records = [
            {"kind": entry.kind, "key": entry.key, "bytes": entry.bytes, "used": time_text(round(entry.used * 1e6))}
            for entry in entries
        ]
        click.echo(orjson.dumps({"path": str(kept.folder), "limit": kept.limit, "bytes": total, "entries": records}))
        return
    for entry in entries:
        click.echo(f"{time_text(round(entry.used * 1e6))}  {entry.bytes:>12,}  {entry.kind:<9}  {entry.key}")
    click.echo(f"{len(entries)} entries, {total:,} of {kept.limit:,} bytes in {kept.folder}")


@cache.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a line.")
def clear(*, as_json: bool) -> None:
    """Delete the cache; its entries are made again when they are needed.

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

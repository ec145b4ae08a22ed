"""``tocsin models list``, ``show``, ``check-in`` and ``diff``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from models.registry.manifest import Manifest
    from models.registry.model_store import ModelStore
    from stream.settings import Settings


@click.command("list")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def list_(name: str | None, *, as_json: bool) -> None:
    """List the versions of NAME, or of all names, the newest first, with their aliases.

    \b
    Example:
      tocsin models list nova
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from models.rfc3339 import time_text
    from stream.settings import load_settings
    from stream.wiring.bundles import open_store

    store = open_store(load_settings())
    versions = [
        version
        for chosen in ([name] if name else store.names())
        for version in _with_aliases(store, chosen, store.versions(chosen))
    ]
    if as_json:
        records = [_record(manifest, aliases) for manifest, aliases in versions]
        click.echo(orjson.dumps({"store": store.url, "versions": records}))
        return
    for manifest, aliases in versions:
        facts = manifest.facts
        span = f"{facts.get('events', 0):,} events from {facts.get('from', '?')} to {facts.get('to', '?')}"
        marks = " ".join(f"@{alias}" for alias in aliases)
        click.echo(
            f"{manifest.version:<20} {marks:<12} {time_text(manifest.registered)[:16]}Z "
            f"{manifest.by}  bundle {manifest.bundle}, {span}{': ' if manifest.note else ''}{manifest.note}"
        )
    click.echo(f"{len(versions)} versions in {store.url}", err=True)


@click.command()
@click.argument("version", metavar="NAME@VERSION")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def show(version: str, *, as_json: bool) -> None:
    """Show one version: what it was trained on, its hashes, who signed it, and whether it is trusted here.

    \b
    Example:
      tocsin models show nova@champion
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from models.rfc3339 import time_text
    from stream.settings import load_settings
    from stream.wiring.bundles import open_store, version_address

    settings = load_settings()
    address = version_address(settings, version)
    store = open_store(settings, address.store)
    ((manifest, aliases),) = _with_aliases(store, address.name, [store.resolve(address)])
    trust = _trust(settings, manifest)
    if as_json:
        click.echo(orjson.dumps(_record(manifest, aliases) | {"trust": trust}))
        return
    rows: dict[str, Any] = {
        "version": " ".join([manifest.version, *(f"@{alias}" for alias in aliases)]),
        "registered": f"{time_text(manifest.registered)} by {manifest.by or 'somebody'}",
        "note": manifest.note,
        "trained from": manifest.parent,
        "bundle": f"{manifest.bundle} ({manifest.bundle_schema}), {manifest.size:,} bytes",
        "digest": manifest.digest,
        "trust": trust,
        **{f"training, {name}": value for name, value in manifest.facts.items()},
        **{name: f"{facts.bytes:,} bytes, sha256 {facts.sha256}" for name, facts in manifest.files.items()},
    }
    for row, value in rows.items():
        if value != "":
            click.echo(f"{row:<28} {value}")


@click.command("check-in")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--name", required=True, help="Name of the model, such as that of the cloud.")
@click.option("--note", default="", help="What is to be known of it.")
@click.option("--parent", default="", help="Version that it was trained from, as NAME@v12.")
def check_in(folder: Path, name: str, note: str, parent: str) -> None:
    """Register the bundle in FOLDER as the next version of a name.

    \b
    Example:
      tocsin models check-in bundle --name nova --note "after the upgrade to 2026.2"
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from stream.settings import load_settings
    from stream.wiring.bundles import make_registrar, store_url

    settings = load_settings()
    manifest = make_registrar(settings, name)(folder, parent, note)
    click.echo(f"{manifest.version} in {store_url(settings)}: bundle {manifest.bundle}, {manifest.size:,} bytes")
    if manifest.signature is None:
        click.echo("it is not signed: set TOCSIN_SIGNING_KEY (`tocsin models key` makes one)", err=True)


@click.command()
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def diff(before: str, after: str, *, as_json: bool) -> None:
    """Show what changes from one bundle to another; each is NAME@VERSION, an address, or a folder.

    \b
    Example:
      tocsin models diff nova@champion nova@v13
      tocsin models diff stream/demo_bundle bundle
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from models.registry.bundle_diff import compare_bundles
    from stream.settings import load_settings
    from stream.wiring.bundles import bundle_address
    from stream.wiring.core import load_bundle

    settings = load_settings()
    old, new = (load_bundle(settings, bundle_address(settings, name)) for name in (before, after))
    difference = compare_bundles(old, new)
    if as_json:
        click.echo(orjson.dumps(difference.to_record()))
        return
    lines = list(difference.lines())
    for line in lines or [f"both decide alike: bundle {old.id}" if old.id == new.id else "only trained values differ"]:
        click.echo(line)


def _with_aliases(
    store: "ModelStore", name: str, manifests: "Iterable[Manifest]"
) -> "list[tuple[Manifest, list[str]]]":
    aliases = store.aliases(name)
    return [(one, [alias for alias, number in aliases.items() if number == one.number]) for one in manifests]


def _record(manifest: "Manifest", aliases: list[str]) -> dict[str, Any]:
    import orjson

    record: dict[str, Any] = orjson.loads(manifest.to_json())
    return record | {"version": manifest.version, "aliases": aliases, "digest": manifest.digest}


def _trust(settings: "Settings", manifest: "Manifest") -> str:
    """Return in words whether a worker with these settings would use it."""
    from models.errors import InvalidError
    from models.registry.bundle_cache import check_manifest
    from models.registry.signature import trusted

    keys = trusted(settings.trusted_keys)
    try:
        check_manifest(manifest, keys)
    except InvalidError as error:
        return str(error)
    by = f"signed by {manifest.signature.key_id}" if manifest.signature else "not signed"
    return f"{by}, trusted" if keys else f"{by}; no key is demanded here (TOCSIN_TRUSTED_KEYS)"

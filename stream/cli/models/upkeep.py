"""``tocsin models gc``, ``doctor`` and ``key``."""

from pathlib import Path

import click


@click.command()
@click.argument("name", required=False)
@click.option(
    "--older",
    default=24.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Hours without a write after which an upload counts as given up.",
)
@click.option("--dry-run", is_flag=True, help="Only tell what would be deleted.")
def gc(name: str | None, older: float, *, dry_run: bool) -> None:
    """Delete what killed uploads left behind; whole versions are never touched, and numbers never used again.

    \b
    Example:
      tocsin models gc nova
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import time

    from models.rfc3339 import SECOND
    from stream.settings import load_settings
    from stream.wiring.bundles import open_store

    store = open_store(load_settings())
    now = time.time_ns() // 1000
    count = 0
    for half in (half for chosen in ([name] if name else store.begun()) for half in store.half_versions(chosen)):
        age = (now - half.modified) / SECOND / 3600
        text = f"{half.name}@v{half.number}: {half.bytes:,} bytes of an upload that stopped {age:.1f} hours ago"
        if age < older:
            click.echo(f"{text}, kept")
        elif dry_run or store.collect(half, now):
            count += 1
            click.echo(f"{text}, {'would be ' if dry_run else ''}deleted")
    click.echo(f"{count} uploads {'to delete' if dry_run else 'deleted'} in {store.url}", err=True)


@click.command()
def doctor() -> None:
    """Try the store: writers race on scratch keys, and a store that only pretends to be atomic is found out.

    \b
    Example:
      TOCSIN_MODELS=s3://bucket/prefix tocsin models doctor
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import time
    import uuid

    from models.errors import InvalidError
    from models.registry.probe import ROUNDS, WRITERS, probe
    from stream.settings import load_settings
    from stream.wiring.bundles import open_objects, store_url

    settings = load_settings()
    url = store_url(settings)
    started = time.monotonic()
    wrong = probe(open_objects(settings, url), uuid.uuid4().hex)
    for problem in wrong:
        click.echo(f"fail  {problem}")
    if wrong:
        raise InvalidError(
            f"{url} is not atomic: two trainings could get one number, or a promotion be lost",
            "update its server, or use another store",
        )
    seconds = time.monotonic() - started
    click.echo(f"ok    {url}: {ROUNDS} races of {WRITERS} writers, one winner each, in {seconds:.1f} s")


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New file for the private key (PEM).")
def key(out: Path) -> None:
    """Make a key to sign versions with: the private one stays where you train, workers get the public one.

    \b
    Example:
      tocsin models key --out models.pem
      export TOCSIN_SIGNING_KEY=models.pem            # where `tocsin train --register` runs
      export TOCSIN_TRUSTED_KEYS='["ed25519:…"]'      # where `tocsin run` does
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import os

    from models.errors import InvalidError
    from models.registry.signature import new_key

    private, public = new_key()
    try:
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(private)
    except OSError as error:
        raise InvalidError(f"cannot write {out} ({error.strerror})", "name a file that is not there yet") from error
    click.echo(public)

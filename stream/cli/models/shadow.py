"""``tocsin models challenge`` and ``shadow``."""

import click

from stream.cli.options import by as by_option


@click.command()
@click.argument("model", metavar="[NAME@VERSION]", default="")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def shadow(model: str, *, as_json: bool) -> None:
    """Set the incidents of a version that judged in shadow against those of the one in use: sooner, later, only one.

    It is the last stretch in which it judged (`tocsin run --shadow NAME@v13`), or where none is named whoever did, as
    far as both have come.  It may also be named by the folder of its bundle.

    \b
    Example:
      tocsin models shadow nova@v13
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from stream.settings import load_settings
    from stream.wiring.shadow import set_side_by_side

    report = set_side_by_side(load_settings(), model)
    if as_json:
        click.echo(orjson.dumps(report.to_record()))
        return
    for line in report.lines():
        click.echo(line)


@click.command()
@click.argument("version", metavar="NAME@VERSION")
@by_option
def challenge(version: str, by: str) -> None:
    """Let a version be the challenger: workers of `tocsin run --shadow NAME@challenger` start anew with it.

    \b
    Example:
      tocsin models challenge nova@v13
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from stream.settings import load_settings
    from stream.wiring.shadow import challenge as challenge_by

    if "@" not in version.rpartition("/")[2]:
        raise click.UsageError(f"name the version: {version}@v2")
    click.echo(f"{challenge_by(load_settings(), version, by).version} is the challenger")

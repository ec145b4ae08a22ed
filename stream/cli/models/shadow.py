"""``tocsin models shadow``."""

import click


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

"""``tocsin settings``: show the settings."""

import click


@click.command()
@click.option("--markdown", is_flag=True, help="Print all settings with defaults and meanings as a Markdown table.")
@click.option("--json", "as_json", is_flag=True, help="Print the effective settings as a JSON list.")
def settings(*, markdown: bool, as_json: bool) -> None:
    """Show the effective settings and where each comes from; secrets are masked.

    A setting x is read from the variable TOCSIN_X, else from tocsin.toml (or the file that TOCSIN_CONFIG names), else
    it has its default.

    \b
    Example:
      tocsin settings
      tocsin settings --json | jq '.[] | select(.origin != "default")'
      tocsin settings --markdown
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from dataclasses import asdict

    import orjson

    from stream.settings import load_settings
    from stream.settings.table import effective_settings, settings_table, value_text

    if markdown:
        click.echo(settings_table())
        return
    entries = effective_settings(load_settings())
    if as_json:
        click.echo(orjson.dumps([asdict(entry) for entry in entries], option=orjson.OPT_INDENT_2))
        return
    rows = [(entry.name, value_text(entry.value), entry.origin) for entry in entries]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for name, value, origin in rows:
        click.echo(f"{name:{widths[0]}}  {value:{widths[1]}}  {origin}")

"""``tocsin doctor``: check an installation."""

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def doctor(*, as_json: bool) -> None:
    """Check settings, broker, topics, bundle, sinks and ports, and advise on fixes.

    Exits with 0 if no check fails; warnings are not failures.

    \b
    Example:
      tocsin doctor
      tocsin doctor --json | jq '.checks[] | select(.outcome != "ok")'
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from dataclasses import asdict

    import orjson

    from models.errors import InvalidError
    from stream.doctor.checks import examine
    from stream.doctor.result import Check, CheckOutcome

    checks: list[Check] = []
    for check in examine():
        checks.append(check)
        if not as_json:
            seen = check.seen.replace("\n", "\n      ")
            click.echo(f"{check.outcome.value:4}  {check.name}: {seen}")
            if check.advice:
                click.echo(f"      → {check.advice}")
    failed = [check.name for check in checks if check.outcome is CheckOutcome.FAIL]
    if as_json:
        click.echo(orjson.dumps({"ok": not failed, "checks": [asdict(check) for check in checks]}))
    if failed:
        raise InvalidError(
            f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}", "follow the advice above"
        )

"""``tocsin demo``: run everything in one process."""

from pathlib import Path

import click


@click.command()
@click.option("--minutes", type=click.FloatRange(min=10), default=60.0, show_default=True, help="Simulated minutes.")
@click.option(
    "--speed",
    type=click.FloatRange(min=1, max=60),
    default=40.0,
    show_default=True,
    help="Simulated seconds per second.",
)
@click.option("--seed", default=7, show_default=True, help="Seed of the lines and faults.")
@click.option(
    "--bundle", type=click.Path(exists=True, path_type=Path), help="Bundle to score with; default: the shipped one."
)
@click.option("--metrics-port", default=0, show_default=True, help="Port of /metrics; 0: not served.")
@click.option("--ui", is_flag=True, help="Serve the review page, too, until Ctrl-C, on TOCSIN_UI_PORT.")
def demo(minutes: float, speed: float, seed: int, bundle: Path | None, metrics_port: int, *, ui: bool) -> None:  # noqa: PLR0913 - one argument an option
    """Run all roles on an embedded broker with simulated faults.

    Alerts are printed as they are published, and delivered to a local receiver.  The demo ends by itself with a table
    of the faults and the alerts that name them.

    \b
    Example:
      tocsin demo
      tocsin demo --ui
      tocsin demo --minutes 20 --seed 3 --metrics-port 9464
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import asyncio

    from stream.demo.run import DemoOptions, echo_line, run_demo
    from stream.runtime.log_setup import setup_logs

    setup_logs("warning")
    asyncio.run(run_demo(DemoOptions(minutes, speed, seed), echo_line, bundle, metrics_port, ui=ui))

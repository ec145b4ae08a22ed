"""``tocsin plan``: how large an installation has to be."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from stream.planning.plan import CapacityPlan, Demand


@click.command()
@click.option("--lines-per-second", type=click.FloatRange(min=0, min_open=True), required=True, help="Average rate.")
@click.option("--hosts", type=click.IntRange(min=1), default=1, show_default=True, help="Hosts that write logs.")
@click.option(
    "--retention", type=click.FloatRange(min=0, min_open=True), default=3, show_default=True, help="Days to keep lines."
)
@click.option("--peak", type=click.FloatRange(min=1), default=3, show_default=True, help="Busiest minute over average.")
@click.option("--replicas", type=click.IntRange(min=1), default=3, show_default=True, help="Copies of each topic.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(  # noqa: PLR0913 - one argument an option
    lines_per_second: float, hosts: int, retention: float, peak: float, replicas: int, *, as_json: bool
) -> None:
    """Print partitions, workers, cores, memory, network and storage for a rate of lines, from measured costs of a line.

    \b
    Example:
      tocsin plan --lines-per-second 10000 --hosts 200
      tocsin plan --lines-per-second 1000000 --hosts 20000 --retention 7 --json
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from dataclasses import asdict

    import orjson

    from stream.planning.plan import Demand, make_plan
    from stream.planning.slopes import Slopes

    demand, slopes = Demand(lines_per_second, hosts, retention, peak, replicas), Slopes.load()
    planned = make_plan(demand, slopes)
    if as_json:
        click.echo(orjson.dumps(asdict(planned) | {"measured_by": slopes.measured_by}, option=orjson.OPT_INDENT_2))
        return
    click.echo(_text(demand, planned))
    click.echo(f"\nfrom slopes of one machine, measured by: {slopes.measured_by}")


def _text(demand: "Demand", planned: "CapacityPlan") -> str:
    rate, peak = demand.lines_per_second, demand.lines_per_second * demand.peak
    rows = [
        f"{rate:,.0f} lines/s on average, {peak:,.0f} at the peak, of {demand.hosts:,} hosts",
        "",
        f"{'role':<10}{'workers':>8}{'cores':>9}{'MB each':>9}",
    ]
    rows += [f"{role.role:<10}{role.workers:>8,}{role.cores:>9,.1f}{role.memory_mb:>9,.0f}" for role in planned.roles]
    rows += [
        f"{'brokers':<10}{'':>8}{planned.broker_cores:>9,.1f}",
        "",
        f"raw_partitions {planned.raw_partitions:,}, events_partitions {planned.events_partitions:,}",
        f"network of the brokers at the peak: {planned.network_mb_s:,.0f} MB/s in and as much out",
        f"storage: {planned.storage_gb:,.0f} GB for {demand.retention_days:g} days in {demand.replicas} copies",
        f"what limits it: {planned.bottleneck}",
    ]
    return "\n".join(rows)

"""``tocsin plan``: how large an installation has to be."""

from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from stream.planning.plan import CapacityPlan, Demand

_PRICE: Final = click.FloatRange(min=0)


@click.command()
@click.option("--lines-per-second", type=click.FloatRange(min=0, min_open=True), required=True, help="Average rate.")
@click.option("--hosts", type=click.IntRange(min=1), default=1, show_default=True, help="Hosts that write logs.")
@click.option(
    "--retention", type=click.FloatRange(min=0, min_open=True), default=3, show_default=True, help="Days to keep lines."
)
@click.option("--peak", type=click.FloatRange(min=1), default=3, show_default=True, help="Busiest minute over average.")
@click.option("--replicas", type=click.IntRange(min=1), default=3, show_default=True, help="Copies of each topic.")
@click.option(
    "--price-core", type=_PRICE, default=0, help="Price of a core for an hour; with any price, adds the cost."
)
@click.option("--price-memory", type=_PRICE, default=0, help="Price of a GB of memory for an hour.")
@click.option("--price-storage", type=_PRICE, default=0, help="Price of a GB of disk for a month.")
@click.option("--price-network", type=_PRICE, default=0, help="Price of a GB between brokers of different zones.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(  # noqa: PLR0913 - one argument an option
    lines_per_second: float,
    hosts: int,
    retention: float,
    peak: float,
    replicas: int,
    price_core: float,
    price_memory: float,
    price_storage: float,
    price_network: float,
    *,
    as_json: bool,
) -> None:
    """Print partitions, workers, cores, memory, network and storage for a rate of lines, from measured costs of a line.

    Prices are yours, in your currency: no list of anybody's is built in.

    \b
    Example:
      tocsin plan --lines-per-second 10000 --hosts 200
      tocsin plan --lines-per-second 1000000 --hosts 20000 --retention 7 --json
      tocsin plan --lines-per-second 10000 --price-core 0.04 --price-storage 0.08 --price-network 0.01
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from dataclasses import asdict

    import orjson

    from stream.planning.plan import Demand, Prices, make_plan, monthly_cost
    from stream.planning.slopes import Slopes

    demand, slopes = Demand(lines_per_second, hosts, retention, peak, replicas), Slopes.load()
    planned, prices = make_plan(demand, slopes), Prices(price_core, price_memory, price_storage, price_network)
    cost = monthly_cost(demand, planned, prices)
    if as_json:
        record = (
            {**asdict(planned), "cost_per_month": asdict(cost) | {"total": cost.total}}
            if cost.total
            else asdict(planned)
        )
        click.echo(orjson.dumps(record | {"measured_by": slopes.measured_by}, option=orjson.OPT_INDENT_2))
        return
    click.echo(_text(demand, planned))
    if cost.total:
        parts = ", ".join(f"{name} {value:,.0f}" for name, value in asdict(cost).items() if value)
        click.echo(
            f"cost: {cost.total:,.0f} a month, {cost.total / _billions_of_lines(demand):,.2f} a billion lines ({parts})"
        )
    click.echo(f"\nfrom slopes of one machine, measured by: {slopes.measured_by}")


def _billions_of_lines(demand: "Demand") -> float:
    """Return how many there are in a month."""
    from stream.planning.plan import DAYS_PER_MONTH, SECONDS_PER_DAY

    return demand.lines_per_second * SECONDS_PER_DAY * DAYS_PER_MONTH / 1e9


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

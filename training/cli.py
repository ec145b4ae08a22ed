"""Commands of training, which join ``tocsin`` by entry points."""

import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from datetime import datetime

    from models.registry.training_run import TrainingRun
    from training.simulate import Fault
    from training.train import TrainConfig


def _stretches(_: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Begin and end of each stretch in microseconds."""
    from models.rfc3339 import parse_time

    stretches = []
    for text in texts:
        try:
            begin, end = map(parse_time, text.split("/"))
            stretches.append((begin, end))
        except ValueError as error:
            message = f"{text!r} is not a stretch of time: write 2026-11-23T02:00Z/2026-11-23T02:20Z"
            raise click.BadParameter(message, param=parameter) from error
    return tuple(stretches)


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write the bundle to.")
@click.option("--base", type=click.Path(path_type=Path), help="Older bundle, whose templates keep their ids.")
@click.option(
    "--seed", default=1, show_default=True, help="Same data and seed give the same bundle, except for rounding."
)
@click.option("--epochs", default=16, show_default=True, type=click.IntRange(min=1), help="Maximum number of epochs.")
@click.option("--keep-all", is_flag=True, help="Train also on stretches that look like faults.")
@click.option(
    "--leave-out",
    multiple=True,
    metavar="BEGIN/END",
    callback=_stretches,
    help="Stretch of time with a known fault, such as 2026-11-23T02:00Z/2026-11-23T02:20Z; may be repeated.",
)
@click.option("--register", "name", help="Name under which to put the bundle into the store of models, too.")
@click.pass_context
def train(  # noqa: PLR0913 - click passes each option
    ctx: click.Context,
    paths: tuple[str, ...],
    out: Path,
    base: Path | None,
    seed: int,
    epochs: int,
    leave_out: tuple[tuple[int, int], ...],
    name: str | None,
    *,
    keep_all: bool,
) -> None:
    """Train on log files of normal operation and write a bundle.

    PATHS are log files (also .gz and .xz), folders of them, or .jsonl files of raw records.  15 minutes of logs are
    enough to start with; days are better.  A few faults among them do little harm: from three hours on, ten-minute
    stretches that look like faults are left out and reported.  The files are read several times, so standard input
    cannot be used.

    \b
    Example:
      tocsin train /var/log/nova /var/log/neutron --out bundle
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from dataclasses import replace

    from models.bundle import Bundle
    from models.decode.log_files import list_files
    from models.errors import InvalidError
    from models.pipeline import PipelineConfig
    from training.fit_lstm import FitConfig
    from training.tensorflow_import import import_tensorflow
    from training.train import TrainConfig, TrainingProgress
    from training.train import train as run

    if "-" in paths:
        raise InvalidError("training reads its files several times", "save standard input to a file first")
    list_files(paths)
    Bundle.check_target(out)
    registrar = ctx.meta["tocsin.registrar"](name) if name else None
    import_tensorflow()
    pipeline = ctx.obj() if callable(ctx.obj) else PipelineConfig()
    known = Bundle.load(base) if base else None
    fit = replace(FitConfig(), epochs=epochs)
    config = TrainConfig(pipeline=pipeline, fit=fit, seed=seed, keep_all=keep_all, left_out=leave_out)
    report = _Report(time.time_ns() // 1000)
    bundle = run(paths, config, known, TrainingProgress(report.say, lambda _: None))
    bundle.write(out)
    click.echo(
        f"bundle {bundle.id} in {out}: {bundle.facts['templates']} templates of {bundle.facts['events']:,} events"
    )
    if registrar:
        click.echo(f"registered as {registrar(out, run=report.shown(config, out)).version}")
    click.echo(
        f"next: `tocsin score NEWER-LOGS --bundle {out} --out windows.jsonl` shows whether normal operation stays "
        f"quiet; then set TOCSIN_BUNDLE={out} and see `tocsin doctor`",
        err=True,
    )


@dataclass(frozen=True, slots=True)
class _Report:
    """What a training says, on standard error and for who looks at it later; ``began`` in microseconds."""

    began: int
    said: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Say a sentence."""
        self.said.append(text)
        click.echo(text, err=True)

    def shown(self, config: "TrainConfig", out: Path) -> "TrainingRun":
        """Return what people are to see of it: how it was set, what it said, and its calibration."""
        from importlib.metadata import version

        from models.registry.training_run import TrainingRun

        params = {
            "seed": config.seed,
            "epochs": config.fit.epochs,
            "keep_all": config.keep_all,
            "left_out": len(config.left_out),
            "tocsin": version("tocsin"),
            **{f"window_{name}": value for name, value in asdict(config.pipeline.windows).items()},
        }
        files = {"report.txt": "".join(f"{text}\n" for text in self.said).encode()}
        files |= {name: (out / name).read_bytes() for name in ("bundle.json", "calibration.json")}
        return TrainingRun(self.began, time.time_ns() // 1000, params, files)


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--bundle", "source", required=True, type=click.Path(path_type=Path), help="Bundle to recalibrate.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write the new bundle to.")
@click.pass_context
def recalibrate(ctx: click.Context, paths: tuple[str, ...], source: Path, out: Path) -> None:
    """Recompute a bundle's thresholds from recent normal logs, without training.

    PATHS are as for tocsin train, and are read once.  The trained model stays as it is; behaviour that has become usual
    since the training no longer fires.

    \b
    Example:
      tocsin recalibrate /var/log/nova /var/log/neutron --bundle bundle --out bundle-new
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from models.bundle import Bundle
    from models.decode.log_files import list_files
    from models.pipeline import PipelineConfig
    from training.calibration import recalibrate as run

    list_files(paths)
    Bundle.check_target(out)
    pipeline = ctx.obj() if callable(ctx.obj) else PipelineConfig()
    bundle = run(paths, pipeline, Bundle.load(source), lambda text: click.echo(text, err=True), lambda _: None)
    bundle.write(out)
    click.echo(f"bundle {bundle.id} in {out}, calibrated on {bundle.facts['calibration_windows']:,} windows")


@click.command()
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="File of raw records, one JSON object per line."
)
@click.option("--hours", default=1.0, show_default=True, type=click.FloatRange(min=0.01), help="Simulated hours.")
@click.option(
    "--start", default="2026-03-02T00:00:00+00:00", show_default=True, help="Start of the simulation (ISO 8601)."
)
@click.option("--seed", default=1, show_default=True, help="Seed of the lines and faults.")
@click.option("--rate", default=1.0, show_default=True, help="Factor of the workload.")
@click.option("--faults/--no-faults", default=False, show_default=True, help="Inject one fault of each kind.")
@click.option("--computes", default=3, show_default=True, type=click.IntRange(min=1), help="Hosts that run instances.")
@click.option(
    "--crowd", default=0, type=click.IntRange(min=0), help="Inject so many faults by chance, some at the same time."
)
@click.option("--kind", "kinds", multiple=True, help="Kind of fault to inject; default: each that befalls one service.")
@click.option("--truth", type=click.Path(path_type=Path), help="File for the list of injected faults (JSON).")
def simulate(  # noqa: PLR0913 - click passes each option
    out: Path,
    hours: float,
    start: str,
    seed: int,
    rate: float,
    computes: int,
    crowd: int,
    kinds: tuple[str, ...],
    truth: Path | None,
    *,
    faults: bool,
) -> None:
    """Write the log lines of a simulated OpenStack cloud, with or without faults.

    The output holds raw records, as on the topic logs.raw; tocsin score and tocsin train read it.

    \b
    Example:
      tocsin simulate --out quiet.jsonl --hours 24
      tocsin simulate --out faults.jsonl --hours 1 --faults --truth faults.json
      tocsin simulate --out crowd.jsonl --computes 200 --crowd 10 --kind silence --kind queue_down --truth crowd.json
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from datetime import UTC, datetime

    from models.errors import InvalidError
    from models.targets import check_file
    from training.simulate import Scenario, write_jsonl

    try:
        begin = datetime.fromisoformat(start)
    except ValueError as error:
        raise InvalidError(f"--start {start!r} is not a time", "write 2026-03-02T00:00:00Z") from error
    check_file(out)
    if truth is not None:
        check_file(truth, "--truth")
    begin = begin if begin.tzinfo else begin.replace(tzinfo=UTC)
    duration = hours * 3600
    planned = _planned(begin, duration, seed, computes, crowd, kinds) if faults or crowd or kinds else ()
    scenario = Scenario(seed=seed, start=begin, duration_s=duration, rate=rate, computes=computes, faults=planned)
    lines = write_jsonl(scenario, out, truth)
    click.echo(f"{lines:,} lines, {len(planned)} faults", file=sys.stderr)


def _planned(  # noqa: PLR0913 - the options of a command
    begin: "datetime", duration_s: float, seed: int, computes: int, crowd: int, kinds: tuple[str, ...]
) -> "tuple[Fault, ...]":
    from models.errors import InvalidError
    from training.simulate import OF_ONE_SERVICE, FaultKind, plan_crowd, plan_faults

    try:
        chosen = tuple(map(FaultKind, kinds)) or OF_ONE_SERVICE
    except ValueError as error:
        raise InvalidError(f"--kind: {error}", f"there are {', '.join(FaultKind)}") from error
    if crowd:
        return plan_crowd(begin, duration_s, seed, crowd, computes, chosen)
    return plan_faults(begin, duration_s, seed, chosen)

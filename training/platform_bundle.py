"""The platform bundle: what a worker judges by until it has learned from the cloud that it watches.

``make platform`` makes the one that is shipped, from the simulator and the normal part of the recorded cloud: logs that
are our own.  Of what a training learns, sequences, rates, silence and values are those of the clouds that it saw: on
another cloud they ring all the time.  Signs of failure carry over, and so do templates, whose ids later trainings keep.
So only the detector of signs is kept, with the rates that are known beforehand, and no service counts as known: see
``service_state``.
"""

import dataclasses
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click
import numpy as np

from models.bundle import Bundle
from models.calibration.sign_rates import SignRates
from models.detectors.signs import Sign, SignEvidence, Signs
from models.pipeline import PipelineConfig
from training.calibration import recalibrate
from training.fit_lstm import FitConfig
from training.simulate import Scenario, write_jsonl
from training.train import TrainConfig, TrainingProgress, train

CARRIED_OVER: Final = (Signs.name,)
"""Detectors that say the same of any cloud.  Of 98 windows over everything of the recorded cloud, without a fault,
judged by a bundle of the simulator alone, each other detector took 46 to 98 for rarer than one in a thousand."""

OWN_RATES: Final = SignEvidence({Sign.REFUSALS: 24, Sign.RESTARTS: 24}, 0.0)
"""What a cloud must first be seen to do rarely: once an hour, so that none of it fires.  In 24 minutes of the recorded
cloud without a fault, judged by a bundle of the simulator alone, refused requests were a sign three times."""

START: Final = datetime(2026, 11, 30, tzinfo=UTC)
"""When the simulation begins: the day of the recording, so that both are cut into blocks of one calendar."""

HOURS: Final = 24.0
"""Simulated hours: a day, over which the budget of false alarms is counted."""

RATE: Final = 0.1
"""Share of the simulator's usual workload: a judgement.  Time without errors counts, not lines, of which there are then
five times fewer."""

SEED: Final = 1


def make_platform_bundle(paths: Sequence[str | Path], hours: float, say: Callable[[str], None]) -> Bundle:
    """Train on ``hours`` of the simulator and on the logs at ``paths``, and keep what carries over.

    Raises:
        InvalidError: the logs cannot be read, or hold too little to learn from.
    """
    with TemporaryDirectory(prefix="tocsin-platform-") as folder:
        simulated = Path(folder) / "simulated.jsonl"
        write_jsonl(Scenario(SEED, START, hours * 3600, RATE), simulated, None)
        every: list[str | Path] = [simulated, *paths]
        # The network will have no say: one epoch makes a bundle whole.  Neither cloud had a fault: the screening would
        # leave out stretches of the smaller one, as they differ from the other.
        config = TrainConfig(seed=SEED, fit=dataclasses.replace(FitConfig(), epochs=1), keep_all=True)
        bundle = train(every, config, None, TrainingProgress(say, lambda _: None))
        return carried_over(every, config.pipeline, bundle, say)


def carried_over(
    paths: Sequence[str | Path], pipeline: PipelineConfig, bundle: Bundle, say: Callable[[str], None]
) -> Bundle:
    """Return the bundle without what only holds for the clouds at ``paths``, calibrated on them by what is left."""
    known = bundle.detectors
    kept = tuple(detector for detector in known.detectors if detector.name in CARRIED_OVER)
    parts = {name: part for name, part in bundle.calibration.parts.items() if name in CARRIED_OVER}
    errors = dataclasses.replace(
        bundle,
        detectors=dataclasses.replace(known, detectors=kept),
        calibration=dataclasses.replace(bundle.calibration, parts=parts),
    )
    calibrated = recalibrate(paths, pipeline, errors, say, lambda _: None)
    # Only now: calibration takes no window of a service that is not known.
    unknown = dataclasses.replace(
        calibrated.detectors,
        detectors=tuple(detector.elsewhere() for detector in kept if isinstance(detector, Signs)),
        windows_seen=np.zeros_like(known.windows_seen),
    )
    rates = dataclasses.replace(calibrated.calibration, signs=SignRates.of(OWN_RATES))
    return dataclasses.replace(calibrated, detectors=unknown, calibration=rates)


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write the bundle to.")
@click.option("--hours", default=HOURS, show_default=True, type=click.FloatRange(min=1), help="Simulated hours.")
def main(paths: tuple[Path, ...], out: Path, hours: float) -> None:
    """Train on the simulator and on the logs of normal operation at PATHS."""
    from training.tensorflow_import import import_tensorflow

    import_tensorflow()
    bundle = make_platform_bundle(paths, hours, lambda text: click.echo(text, err=True))
    bundle.write(out)
    click.echo(f"platform bundle {bundle.id} in {out}: {len(bundle.table)} templates", file=sys.stderr)


if __name__ == "__main__":
    main()

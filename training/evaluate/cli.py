"""Commands ``tocsin evaluate`` and ``tocsin compare``."""

import sys
from pathlib import Path

import click


@click.command()
@click.argument("spec", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write the results to.")
@click.option("--bundle", type=click.Path(path_type=Path), help="Bundle to score all sets with, instead of training.")
@click.option(
    "--seeds",
    default="1,2,3",
    show_default=True,
    help="Seeds of the trainings, separated by commas; figures are given with their spread.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as one JSON object instead of tables.")
@click.pass_context
def evaluate(  # noqa: PLR0913 - click passes each option
    ctx: click.Context, spec: Path, out: Path, bundle: Path | None, seeds: str, *, as_json: bool
) -> None:
    """Measure fault detection on the sets of labelled logs that SPEC lists.

    SPEC is a TOML file; tests/bench/evaluate-runs.toml and tests/bench/evaluate-simulator.toml are examples.  Every set
    is trained and scored by the product's own code.  The fused score is compared with each detector alone, with all but
    one, and with trivial rules.  Where a set says what its faults are, it is also measured what people would have heard
    of them: told, by an incident of its own, with the right cause; false incidents, pages.  The results are
    evaluation.json and evaluation.html, a page without scripts.

    \b
    Example:
      tocsin evaluate tests/bench/evaluate-simulator.toml --out evaluation --seeds 1
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    import orjson

    from models.pipeline import PipelineConfig
    from models.targets import check_folder
    from training.evaluate.evaluate import Options
    from training.evaluate.evaluate import evaluate as run
    from training.evaluate.report.html_page import page
    from training.evaluate.report.tables import as_text
    from training.evaluate.spec import read_spec
    from training.evaluate.told import REVIEWER
    from training.tensorflow_import import import_tensorflow
    from training.train import TrainingProgress

    sets = read_spec(spec)
    chosen = _numbers(seeds)
    check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    if bundle is None and any(chosen_set.model.bundle is None for chosen_set in sets):
        import_tensorflow()
    pipeline = ctx.obj() if callable(ctx.obj) else PipelineConfig()
    progress = TrainingProgress(lambda text: click.echo(text, err=True), lambda _: None)
    evaluation = run(sets, Options(chosen, bundle, out, pipeline, review=ctx.meta.get(REVIEWER)), progress)
    numbers = orjson.OPT_SERIALIZE_NUMPY
    (out / "evaluation.json").write_bytes(orjson.dumps(evaluation, option=numbers | orjson.OPT_INDENT_2))
    (out / "evaluation.html").write_text(page(evaluation, f"Evaluation of {spec.stem}"), encoding="utf-8")
    click.echo(
        orjson.dumps(evaluation, option=numbers).decode() if as_json else "\n\n".join(map(as_text, evaluation["sets"]))
    )


@click.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--share", default=0.01, show_default=True, help="Tolerance of measures between 0 and 1.")
@click.option(
    "--part", default=0.1, show_default=True, help="Tolerance of all other measures, relative to the old value."
)
@click.option(
    "--all", "every", is_flag=True, help="Compare also single detectors and ablations, not only the fused score."
)
def compare(old: Path, new: Path, share: float, part: float, *, every: bool) -> None:
    """Compare two evaluations and report regressions; exit with 1 if there is one.

    OLD and NEW are files or folders that tocsin evaluate wrote.  Where the seeds of OLD differ by more than the
    tolerance, their difference is the tolerance.

    \b
    Example:
      tocsin compare evaluation-of-main evaluation
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"
    from training.evaluate.compare import Tolerance, read_evaluation, worse

    groups = ("fused", "alone", "without") if every else ("fused",)
    lines = worse(read_evaluation(old), read_evaluation(new), Tolerance(share, part), groups)
    for line in lines:
        click.echo(line)
    if lines:
        sys.exit(1)
    click.echo("no regressions")


def _numbers(text: str) -> tuple[int, ...]:
    from models.errors import InvalidError

    try:
        return tuple(dict.fromkeys(int(number) for number in text.split(",")))
    except ValueError as error:
        raise InvalidError(f"--seeds {text!r} is not a list of whole numbers", "write --seeds 1,2,3") from error

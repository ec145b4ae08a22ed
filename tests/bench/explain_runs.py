"""How well evidence and diagnosis find what was broken, on OpenStack runs with injected faults.

The logs are not part of this repository.  With the data beside it, and a bundle trained on the training runs:

  S=../shared; D=$S/data/fi_openstack; W=.cache/explain; mkdir -p $W
  for s in nova_train cinder_train; do $S/eval/to_records.py runs $D/$s.log.xz $D/$s.runs.csv $W/$s.jsonl; done
  tocsin train $W/nova_train.jsonl $W/cinder_train.jsonl --out $W/bundle
  python -m tests.bench.explain_runs --shared $S --work $W --bundle $W/bundle

Counted over the runs that the client saw fail.  The evidence is gathered from the windows that fired and ended at or
after the fault was active; where none did, from the three highest such windows.  The lines are those of the run up to
one minute behind the last of these windows; all methods see the same lines.

*evidence*: one of the first 5 lines is a line of the failure.  That is a line

- at or after activation (less one second, as the labels have it),
- of the broken service: its project (``nova``, ``cinder``) is that of the broken component's file,
- that tells of a failure: level ERROR or above, part of a traceback, an answer of 500 or above, a template that no
  training run has, or an answer of 400 to 499 that no training run gives to this kind of request; or that shares a
  request, instance, volume or port id with such a line of the same service (not counting ids of more than 400 lines).

*itself*: the same without what only shares an id: the line itself tells of the failure.

With ``--early`` only the window that fires first is taken, and no line behind its end: what the first alert can say.

*named*: of the runs in which a line at or after activation names the file or class that was broken, the share in which
the diagnosis does (for the other methods: one of the first 5 lines).

*service*: the diagnosis puts it down to the project of the broken component (others: the first line is of it).
*process*: the same for the process, where the component's file runs in one process only.
"""

import argparse
import csv
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import numpy as np
import polars as pl

from index.diagnosis.rule_based import diagnose
from index.diagnosis.types import Diagnosis
from index.embedding.sentence_encoder import SentenceEmbedder
from index.evidence.fired_windows import FiredWindow
from index.evidence.gather import gather
from index.evidence.types import Evidence
from index.lines.log_lines import LogLines
from index.lines.service_layers import project
from index.lines.shared_ids import shared_ids
from index.search.tfidf import TfidfIndex
from models.bundle import Bundle
from models.decode.decoder import Decoder
from models.decode.log_files import list_files, read_file
from models.pipeline import PipelineConfig
from models.records import RowFlag
from models.rfc3339 import SECOND
from models.templates.matcher import TemplateLimits, TemplateMatcher
from tests.index.embedding.weights import encoder

SETS = ("nova_dev", "cinder_dev")
TRAIN = ("nova_train", "cinder_train")
FIRST = 5
HUB = 400
Belongs: TypeAlias = tuple[set[tuple[int, int]], set[tuple[int, int]]]
"""Places of the lines of a failure, and of those among them that tell of it themselves."""

ANSWER = r'(?i)(?:status: ?|HTTP/\d\.\d"? |returned with HTTP )([1-5]\d\d)\b'
PROCESSES = (
    # File of the component → words of the one process that runs it.
    (r"^/nova/(?:compute/manager|compute/resource_tracker|virt/)", {"compute"}),
    (r"^/nova/(?:api/|compute/api\.py)", {"api"}),
    (r"^/nova/conductor/manager", {"conductor"}),
    (r"^/cinder/(?:volume/manager|volume/drivers/|volume/flows/manager|image/image_utils)", {"volume"}),
    (r"^/cinder/(?:api/|volume/flows/api|volume/volume_types)", {"api"}),
    (r"^/cinder/scheduler/", {"scheduler"}),
)


@dataclass(frozen=True, slots=True)
class Run:
    """A failing run and what was broken in it; times in microseconds."""

    id: str
    active: int
    component: str
    name: str
    api_error: str

    @property
    def project(self) -> str:
        """The broken service."""
        return self.component.split("/")[1]

    def named_in(self, text: str) -> bool:
        """Whether a text names the file or the class."""
        file = self.component.lstrip("/")
        return file in text or (self.name != "None" and re.search(rf"\b{re.escape(self.name)}\b", text) is not None)

    def process(self) -> set[str]:
        """Words of the process that runs the component; none where several do."""
        return next((words for pattern, words in PROCESSES if re.search(pattern, self.component)), set())


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a method found in a run; None where the question does not arise."""

    evidence: bool
    itself: bool
    named: bool | None
    service: bool
    process: bool | None


def micros(text: str) -> int:
    """Time of the labels, UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * SECOND)


def failing(path: Path) -> list[Run]:
    """The runs that the client saw fail."""
    with path.open(newline="") as file:
        return [
            Run(row["run_id"], micros(row["fault_trigger"]), row["component"], row["class"], row["api_error"])
            for row in csv.DictReader(file)
            if row["label"] == "fail"
        ]


def records(shared: Path, work: Path, name: str) -> Path:
    """The records of a set as JSON lines, made once."""
    out = work / f"{name}.jsonl"
    if not out.exists():
        data = shared / "data" / "fi_openstack"
        made = [str(shared / "eval" / "to_records.py"), "runs", f"{data / name}.log.xz", f"{data / name}.runs.csv"]
        subprocess.run([sys.executable, *made, str(out)], check=True)
    return out


def windows(work: Path, name: str, path: Path, bundle: Path) -> dict[str, list[tuple[bool, FiredWindow]]]:
    """Windows of every run as ``tocsin score`` gives them, made once, with whether they fired."""
    out = work / f"{name}.windows.jsonl"
    if not out.exists():
        tool = str(Path(sys.executable).with_name("tocsin"))
        subprocess.run([tool, "score", str(path), "--bundle", str(bundle), "--out", str(out)], check=True)
    found: dict[str, list[tuple[bool, FiredWindow]]] = {}
    with out.open("rb") as file:
        for line in file:
            record = json.loads(line)
            found.setdefault(record["tenant"], []).append((record["fired"], FiredWindow.from_record(record)))
    return found


def material(path: Path, bundle: Bundle) -> LogLines:
    """The lines of a set, with the templates of the bundle."""
    decoder = Decoder(PipelineConfig().decode)
    matcher = TemplateMatcher(bundle.table, bundle.masks, TemplateLimits())
    batches = (batch for file in list_files([path]) for batch in read_file(file))
    return LogLines.concat(
        LogLines.of(batch.raw, decoder.decode(batch.raw, batch.sources, batch.written), matcher, path.stem)
        for batch in batches
    )


def answers(lines: pl.DataFrame) -> pl.DataFrame:
    """Template and status of the lines that tell of an answer."""
    return (
        lines.filter(pl.col("message").str.contains(ANSWER))
        .with_columns(pl.col("message").str.extract(ANSWER, 1).alias("status"))
        .with_columns(pl.col("message").str.extract(r'"(GET|POST|PUT|DELETE|PATCH|HEAD) ', 1).alias("verb"))
    )


def of_failure(lines: pl.DataFrame, run: Run, known: frozenset[int], usual: pl.DataFrame) -> Belongs:
    """Where the lines of the failure stand, as the definition above says; and those that tell of it themselves."""
    own = lines.filter(
        (pl.col("time") >= run.active - SECOND)
        & pl.col("service").map_elements(project, return_dtype=pl.String).eq(run.project)
    ).with_row_index("line_number")
    if own.is_empty():
        return set(), set()
    status = answers(own)
    odd = status.filter(pl.col("status") >= "400").join(usual, on=["service", "template", "verb", "status"], how="anti")
    served = status.filter(pl.col("status") >= "500")
    told = own.filter(
        (pl.col("level") >= 4)
        | (pl.col("flags") & int(RowFlag.CONTINUATION) != 0)
        | ~pl.col("template").is_in(pl.Series(sorted(known), dtype=pl.UInt64).implode())
        | pl.col("line_number").is_in(pl.concat([odd["line_number"], served["line_number"]]).implode())
    )
    ids = shared_ids(own)
    few = ids.group_by("id").len().filter(pl.col("len") <= HUB)["id"]
    ids = ids.filter(pl.col("id").is_in(few.implode()))
    bound = ids.filter(
        pl.col("id").is_in(ids.filter(pl.col("line_number").is_in(told["line_number"].implode()))["id"].implode())
    )
    every = own.filter(pl.col("line_number").is_in(pl.concat([told["line_number"], bound["line_number"]]).implode()))
    return set(every.select("partition", "offset").rows()), set(told.select("partition", "offset").rows())


def fired_of(run: Run, found: Sequence[tuple[bool, FiredWindow]]) -> tuple[list[FiredWindow], bool]:
    """The windows of a run that evidence is gathered from, and whether they fired."""
    after = [(fired, window) for fired, window in found if window.end >= run.active]
    mine = [window for fired, window in after if fired]
    if mine:
        return mine, True
    return sorted((window for _, window in after), key=lambda window: -window.score)[:3], False


def judge(run: Run, rows: Sequence[Mapping[str, object]], belongs: Belongs, *, names: bool) -> Outcome:
    """What the first lines of a ranking say."""
    first = rows[:FIRST]
    service = str(first[0]["service"]) if first else ""
    return Outcome(
        evidence=any((row["partition"], row["offset"]) in belongs[0] for row in first),
        itself=any((row["partition"], row["offset"]) in belongs[1] for row in first),
        named=any(run.named_in(str(row["text"])) for row in first) if names else None,
        service=project(service) == run.project,
        process=_runs(service, run) if run.process() else None,
    )


def _runs(service: str, run: Run) -> bool:
    return project(service) == run.project and run.process() <= set(re.findall(r"[a-z]+", service))


def judge_product(run: Run, evidence: Evidence, said: Diagnosis, belongs: Belongs, *, names: bool) -> Outcome:
    """What evidence and diagnosis say."""
    rows = [{"partition": each.partition, "offset": each.offset} for each in evidence.lines[:FIRST]]
    text = "\n".join([said.summary, said.cause, *(claim.text for claim in said.claims), *said.actions])
    return Outcome(
        evidence=any((row["partition"], row["offset"]) in belongs[0] for row in rows),
        itself=any((row["partition"], row["offset"]) in belongs[1] for row in rows),
        named=run.named_in(text) if names else None,
        service=project(said.service) == run.project,
        process=_runs(said.service, run) if run.process() else None,
    )


def newest(lines: pl.DataFrame) -> list[dict[str, object]]:
    """The newest ERROR lines, the newest first."""
    return lines.filter(pl.col("level") >= 4).sort("time", "offset", descending=True)[:FIRST].to_dicts()


def question(run: Run) -> str:
    """What somebody would search for."""
    return f"{run.api_error or 'openstack request'} failed: error, exception, traceback"


def by_words(lines: pl.DataFrame, run: Run) -> list[dict[str, object]]:
    """TF-IDF over the lines, alone; each template once."""
    once = lines.unique("template", keep="first", maintain_order=True)
    lexical = TfidfIndex()
    lexical.add(once["message"].to_list())
    asked = lexical.query(question(run))
    rows = np.arange(len(once))
    order = np.argsort(-lexical.cosines(asked, rows), kind="stable")[:FIRST]
    return once[order].to_dicts()


class Meanings:
    """Embeddings of templates, each made once."""

    def __init__(self, cache: Path) -> None:
        self._embedder = SentenceEmbedder(encoder(cache / "minilm"))
        self._known: dict[str, np.ndarray[tuple[int], np.dtype[np.float32]]] = {}

    def rank(self, lines: pl.DataFrame, run: Run) -> list[dict[str, object]]:
        """Embeddings alone; each template once."""
        once = lines.unique("template", keep="first", maintain_order=True)
        texts = [text[:400] for text in once["masked"].to_list()]
        fresh = sorted({text for text in (*texts, question(run)) if text not in self._known})
        self._known.update(zip(fresh, self._embedder.embed(fresh), strict=True))
        matrix = np.stack([self._known[text] for text in texts])
        order = np.argsort(-(matrix @ self._known[question(run)]), kind="stable")[:FIRST]
        return once[order].to_dicts()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--misses", action="store_true", help="also print the runs that were missed")
    parser.add_argument("--early", action="store_true", help="only what the first window that fired can know")
    parser.add_argument("--fast", action="store_true", help="leave the other methods out")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    bundle = Bundle.load(args.bundle)
    known = frozenset(bundle.table)
    trained = pl.concat([answers(material(records(args.shared, args.work, name), bundle).lines) for name in TRAIN])
    usual = trained.select("service", "template", "verb", "status").unique()
    outcomes: dict[str, list[Outcome]] = {}
    sure: list[tuple[float, bool]] = []
    seconds: list[float] = []
    meanings = None if args.fast else Meanings(args.work / "embedder")
    silent = 0
    for name in SETS:
        path = records(args.shared, args.work, name)
        found = windows(args.work, name, path, args.bundle)
        every = material(path, bundle)
        for run in failing(args.shared / "data" / "fi_openstack" / f"{name}.runs.csv"):
            mine = every.scope(run.id)
            fired, loud = fired_of(run, found.get(run.id, []))
            if args.early and fired:
                fired = [min(fired, key=lambda each: (each.end, -each.importance))]
                mine = mine.scope(None, None, fired[0].end)
            silent += not loud
            end = max((each.end for each in fired), default=int(mine.lines["time"].to_numpy().max()))
            begin = time.perf_counter()
            evidence = gather(mine, fired, known=known)
            said = diagnose(evidence)
            seconds.append(time.perf_counter() - begin)
            lines = mine.scope(None, None, end + 60 * SECOND).lines.sort("time", "partition", "offset")
            belongs = of_failure(lines, run, known, usual)
            late = lines.filter(pl.col("time") >= run.active - SECOND)
            names = any(run.named_in(text) for text in late["text"].to_list())
            result = judge_product(run, evidence, said, belongs, names=names)
            outcomes.setdefault("evidence and diagnosis", []).append(result)
            sure.append((said.confidence, result.service))
            if args.misses and not (result.evidence and result.service and result.named is not False):
                _tell(run, evidence, said, result, loud=loud, possible=len(belongs[0]))
            if meanings is not None:
                for method, rows in (
                    ("newest ERROR lines", newest(lines)),
                    ("TF-IDF alone", by_words(lines, run)),
                    ("embeddings alone", meanings.rank(lines, run)),
                ):
                    outcomes.setdefault(method, []).append(judge(run, rows, belongs, names=names))
    _print(outcomes, sure, seconds, silent)


def _tell(run: Run, evidence: Evidence, said: Diagnosis, result: Outcome, *, loud: bool, possible: int) -> None:
    print(f"--- {run.id} {run.component} {run.name} {run.api_error!r} fired={loud} lines of the failure: {possible}")
    print(f"    evidence={result.evidence} named={result.named} service={result.service} process={result.process}")
    print(f"    {said.service} {said.confidence}: {said.summary}")
    for line in evidence.lines[:FIRST]:
        after = (line.time - run.active) / SECOND
        print(f"      {line.score} {after:+.1f}s {line.roles} {line.service} {line.text[:230]}")


def _share(values: Iterator[bool | None]) -> str:
    found = [value for value in values if value is not None]
    return f"{sum(found)}/{len(found)} = {100 * sum(found) / max(1, len(found)):.1f} %"


def _print(
    outcomes: Mapping[str, Sequence[Outcome]], sure: Sequence[tuple[float, bool]], seconds: Sequence[float], silent: int
) -> None:
    runs = len(sure)
    print(f"{runs} failing runs; in {silent} no window fired at or after activation")
    print(f"{'method':<24}{'evidence in 5':>20}{'itself':>20}{'file or class':>20}{'service':>20}{'process':>20}")
    for method, each in outcomes.items():
        columns = [
            _share(getattr(one, column) for one in each)
            for column in ("evidence", "itself", "named", "service", "process")
        ]
        print(f"{method:<24}" + "".join(f"{column:>20}" for column in columns))
    print("confidence → share with the right service")
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        part = [right for confidence, right in sure if low <= confidence < low + 0.2 + (low == 0.8)]
        if part:
            print(f"  {low:.1f} to {low + 0.2:.1f}: {sum(part)} of {len(part)}")
    print(
        f"gather and diagnose: median {1000 * float(np.median(seconds)):.0f} ms, longest {1000 * max(seconds):.0f} ms"
    )


if __name__ == "__main__":
    main()

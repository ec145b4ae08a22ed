"""The training itself: ``tocsin train`` in a process of its own, which yields the processor to everything else."""

import os
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from models.rfc3339 import time_text
from stream.learning.schedule import Span
from stream.own_command import OWN_COMMAND

LIBRARIES: Final = ("tensorflow", "tf2onnx", "onnx")
"""What ``tocsin train`` needs beside a worker's own libraries: the extra ``train``."""

NICE: Final = 19
"""Priority of the training: the lowest."""

LONGEST_S: Final = 3 * 3600.0
"""Longest training, after which it is ended: a judgement; a million lines take minutes."""

MOST_MEMORY: Final = 4 << 30
"""Bytes of its own that the training may take: a judgement, twice what a million lines of a cloud have taken."""

_LOOK_S: Final = 0.5
"""Seconds between two looks at whether it has ended, or is to be ended.  A judgement."""

_END_S: Final = 10.0
"""Seconds in which it must end when told to.  A judgement."""

_ONE_THREAD: Final = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "POLARS_MAX_THREADS")


@dataclass(frozen=True, slots=True)
class Training:
    """What came of it: ``problem`` is "" where the bundle is there; the child's largest memory in megabytes."""

    problem: str
    peak_mb: float = 0.0


def missing_libraries() -> tuple[str, ...]:
    """Return the libraries of training that are not installed."""
    return tuple(name for name in LIBRARIES if find_spec(name) is None)


def arguments(lines: Path, out: Path, base: Path | None, parts: Sequence[Span]) -> list[str]:
    """Return the arguments of ``tocsin`` that train a bundle, on the templates of ``base``; ``parts`` are left out."""
    known = [] if base is None else ["--base", str(base)]
    times = [f"{time_text(begin)}/{time_text(end)}" for begin, end in parts]
    return ["train", str(lines), "--out", str(out), *known, *(word for one in times for word in ("--leave-out", one))]


def train(args: Sequence[str], environment: Mapping[str, str], report: Path, stop: threading.Event) -> Training:
    """Run ``tocsin`` with these arguments until it has ended or ``stop`` is set; what it says goes to ``report``."""
    with report.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [*OWN_COMMAND, *args],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**environment, **dict.fromkeys(_ONE_THREAD, "1")},
        )
    problem = ""
    deadline = time.monotonic() + LONGEST_S
    try:
        # A child that has ended at once cannot be limited any more; its status tells.
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
            resource.prlimit(process.pid, resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
        while process.poll() is None and not problem:
            if stop.wait(_LOOK_S):
                problem = "the worker stops"
            elif time.monotonic() > deadline:
                problem = f"not ended after {LONGEST_S / 3600:.0f} hours"
    finally:
        status = _ended(process)
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return Training(problem or (_last_line(report) if status else ""), peak_mb)


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Return the exit status of the process, which is ended if it still runs."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _last_line(report: Path) -> str:
    """Return the last line that the training wrote: its error, if it ended with one."""
    lines = report.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it ended without a word")

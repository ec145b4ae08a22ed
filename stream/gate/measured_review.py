"""A review in a process of its own, so that what one bundle takes in time and memory is not mixed with another's."""

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

import orjson

from models.errors import FatalError
from stream.gate.told_incidents import ReviewedLogs
from stream.own_command import OWN_COMMAND

LOOK_S: Final = 0.05
"""Seconds between two looks at a process's memory, which never falls: a judgement."""


@dataclass(frozen=True, slots=True)
class MeasuredReview:
    """What a bundle tells of some logs, in how many seconds of a processor, with how many MB at the most."""

    logs: ReviewedLogs
    cpu_s: float
    peak_mb: float

    @property
    def cost(self) -> tuple[float, float]:
        """Seconds and MB."""
        return self.cpu_s, self.peak_mb


def measured_review(paths: Sequence[str], bundle: Path) -> MeasuredReview:
    """Run ``tocsin review`` on files.

    Raises:
        FatalError: it fails; its own words are in the message.
    """
    ended = _run("review", *paths, "--bundle", str(bundle), "--json")
    if ended.status:
        raise ended.failure
    logs = ReviewedLogs.from_record(orjson.loads(ended.out))
    return MeasuredReview(logs, ended.cpu_s, ended.peak_mb)


def figures_that_got_worse(spec: Path, champion: Path, challenger: Path, scratch: Path) -> list[str]:
    """Evaluate both bundles on the sets of a file, and return what got worse, a line each.

    Raises:
        FatalError: an evaluation fails; its own words are in the message.
    """
    for name, bundle in (("champion", champion), ("challenger", challenger)):
        ended = _run("evaluate", str(spec), "--bundle", str(bundle), "--out", str(scratch / name))
        if ended.status:
            raise ended.failure
    compared = _run("compare", str(scratch / "champion"), str(scratch / "challenger"))
    if compared.status == 0:
        return []
    # The same status stands for a crash, which prints nothing.
    if compared.status != 1 or not compared.out.strip():
        raise compared.failure
    return compared.out.decode(errors="replace").splitlines()


@dataclass(frozen=True, slots=True)
class _Ended:
    """A command that has ended, what it printed, and what it used."""

    command: str
    status: int
    out: bytes
    errors: bytes
    cpu_s: float
    peak_mb: float

    @property
    def failure(self) -> FatalError:
        """What to raise where it failed: its last words."""
        words = self.errors.decode(errors="replace").strip().splitlines()
        return FatalError(f"`tocsin {self.command}` failed: {words[-1] if words else f'exit status {self.status}'}")


def _run(*arguments: str) -> _Ended:
    """Run ``tocsin`` to its end."""
    with TemporaryFile() as out, TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [*OWN_COMMAND, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=errors
        )
        try:
            status, cpu_s, peak_mb = _awaited(process.pid)
        except BaseException:
            process.kill()
            process.wait()
            raise
        process.returncode = status
        out.seek(0)
        errors.seek(0)
        return _Ended(" ".join(arguments), status, out.read(), errors.read(), cpu_s, peak_mb)


def _awaited(pid: int) -> tuple[int, float, float]:
    """Return exit status, seconds of a processor, and largest memory in MB of a process, once it has ended."""
    peak_mb = 0.0
    while True:
        # Of this process alone; the usage of all children would hold those before it.
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            break
        peak_mb = max(peak_mb, _peak_mb(pid))
        time.sleep(LOOK_S)
    # What the kernel counts at the end begins with the memory of who started it: only where nothing better is known.
    return (
        os.waitstatus_to_exitcode(status),
        usage.ru_utime + usage.ru_stime,
        peak_mb or usage.ru_maxrss / 1024,
    )


def _peak_mb(pid: int) -> float:
    """Return the largest memory of a process so far; 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)

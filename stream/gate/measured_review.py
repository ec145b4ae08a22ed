"""A review in a process of its own, so that what one bundle takes in time and memory is not mixed with another's."""

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

import orjson

from models.errors import FatalError
from stream.gate.told_incidents import ReviewedLogs

_PROGRAM: Final = "from stream.cli import main; main()"


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
    return MeasuredReview(logs, ended.usage.ru_utime + ended.usage.ru_stime, ended.usage.ru_maxrss / 1024)


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
    usage: resource.struct_rusage

    @property
    def failure(self) -> FatalError:
        """What to raise where it failed: its last words."""
        words = self.errors.decode(errors="replace").strip().splitlines()
        return FatalError(f"`tocsin {self.command}` failed: {words[-1] if words else f'exit status {self.status}'}")


def _run(*arguments: str) -> _Ended:
    """Run ``tocsin`` to its end."""
    with TemporaryFile() as out, TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", _PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=errors
        )
        try:
            # Of this process alone; the usage of all children would hold those before it.
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        return _Ended(" ".join(arguments), process.returncode, out.read(), errors.read(), usage)

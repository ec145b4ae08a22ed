"""What benchmarks share: repeated measurements, and how they are told."""

import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path


def row(name: str, values: Sequence[float], unit: str) -> str:
    """One line of a report: median and spread of repeated measurements."""
    middle = statistics.median(values)
    return f"{name:<46} {middle:>12,.0f} {unit:<10} spread {min(values):,.0f} to {max(values):,.0f} of {len(values)}"


def ratio(over: Sequence[float], under: Sequence[float]) -> str:
    """Ratio of two series that were measured in turn: the median of the ratios of each turn, and their range."""
    each = [a / b for a, b in zip(over, under, strict=True)]
    return f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"


def peak_mb(pid: int) -> float:
    """Largest resident memory of a process so far, in MB (10^6 bytes); Linux only."""
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) * 1024 / 1e6


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, in seconds; Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def table(title: str, seconds: Mapping[str, float], lines: int) -> str:
    """Seconds per 100,000 lines of each stage, largest first."""
    total = sum(seconds.values())
    out = [f"{title}: {total / lines * 1e5:.2f} s per 100,000 lines"]
    for name, spent in sorted(seconds.items(), key=lambda pair: -pair[1]):
        out.append(f"  {name:<14} {spent / lines * 1e5:6.3f} s  {spent / total:4.0%}")
    return "\n".join(out)

"""Plots as inline SVG, each a pure function of its numbers.

Colours are classes (``s0`` … ``s3`` for series, ``axis``, ``note``), so that the page decides on them, dark or light.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np

Points = Sequence[tuple[float, float]]

WIDTH: Final = 460
"""Pixels; two plots stand beside each other on a page of 1,000 pixels."""
HEIGHT: Final = 300
"""Pixels."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 18, 14, 40
_SERIES: Final = 4
"""Colours of the style sheet, ``s0`` to ``s3``; further curves begin again."""
_TICKS: Final = 5
"""About so many labels on an axis."""
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_APART: Final = 12.0
"""Pixels between two lines of text."""


@dataclass(frozen=True, slots=True)
class Axes:
    """The ranges shown, both ends included; ``low < high``."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def x(self, value: float) -> float:
        """Horizontal place of a value in pixels."""
        share = (value - self.x_low) / (self.x_high - self.x_low)
        return round(_LEFT + min(max(share, 0.0), 1.0) * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        """Vertical place of a value in pixels."""
        share = (value - self.y_low) / (self.y_high - self.y_low)
        return round(HEIGHT - _BOTTOM - min(max(share, 0.0), 1.0) * (HEIGHT - _TOP - _BOTTOM), 1)


def roc_plot(curves: Sequence[tuple[str, Points]]) -> str:
    """Recall over false positive rate, with the diagonal of chance."""
    axes = Axes(0.0, 1.0, 0.0, 1.0)
    parts = [
        _grid(axes, "false positive rate", "recall", short, short),
        _line(axes, [(0, 0), (1, 1)], "chance"),
    ]
    parts += [_line(axes, points, f"s{i % _SERIES}") for i, (_, points) in reversed(list(enumerate(curves)))]
    return _svg("ROC", [*parts, _legend([name for name, _ in curves])])


def trace_plot(
    points: Points, marks: Sequence[tuple[float, float, str]], thresholds: Sequence[tuple[str, float]]
) -> str:
    """A score over time; ``marks`` (from, to, what) in seconds since the begin are shaded, moments drawn as lines."""
    if not points:
        return _svg("score over time", [])
    points = [(t / 60, value) for t, value in points]
    marks = [(low / 60, high / 60, text) for low, high, text in marks]
    axes = _trace_axes(points, thresholds, marks)
    parts = [_mark(axes, i, *mark) for i, mark in enumerate(marks)]
    parts.append(_grid(axes, "minutes", "score", short, short))
    parts += [_line(axes, [(axes.x_low, value), (axes.x_high, value)], "threshold") for _, value in thresholds]
    parts.append(_line(axes, [(t, v) for t, v in points if np.isfinite(v)], "s0"))
    above = float(HEIGHT)
    for name, value in sorted(thresholds, key=lambda threshold: threshold[1]):
        # Where two are close, the text of the higher one moves up.
        above = round(min(axes.y(value) - 3, above - _APART), 1)
        parts.append(_text(WIDTH - _RIGHT - 2, above, name, "end"))
    return _svg("score over time", parts)


def _trace_axes(
    points: Points, thresholds: Sequence[tuple[str, float]], marks: Sequence[tuple[float, float, str]]
) -> Axes:
    """Ranges that hold all points, thresholds and marks, with a margin above and below."""
    times = [t for t, _ in points] + [t for low, high, _ in marks for t in (low, high)]
    values = [v for _, v in points if np.isfinite(v)] + [value for _, value in thresholds]
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = 0.05 * (high - low) or 1.0
    return Axes(min(times), max(*times, min(times) + 1.0), low - margin, high + margin)


def reliability_plot(expected: Sequence[float], seen: Sequence[tuple[str, Sequence[float]]], least: float) -> str:
    """Seen over expected false alarms a day, both on logarithmic scales; what is below ``least`` is left out.

    ``least`` is one event in all that was seen.  On the diagonal the calibration keeps its word;
    above it, it promises too much.
    """
    powers = np.log10(np.asarray(expected))
    low, high = float(powers.min()), float(powers.max())
    top = max([high, *(float(np.log10(max(*values, least))) for _, values in seen)])
    axes = Axes(low, high, low, top)
    parts = [
        _grid(axes, "expected a day", "seen a day", _power, _power),
        _line(axes, [(low, low), (high, high)], "chance"),
        _line(axes, [(low, np.log10(least)), (high, np.log10(least))], "threshold"),
        _text(_LEFT + 4, axes.y(float(np.log10(least))) - 3, "one in all that was seen", "start"),
    ]
    for i, (_, values) in enumerate(seen):
        points = [(x, float(np.log10(v))) for x, v in zip(powers.tolist(), values, strict=True) if v >= least * 0.99]
        parts.append(_line(axes, points, f"s{i}"))
    return _svg("expected and seen false alarms", [*parts, _legend([name for name, _ in seen])])


def short(value: float) -> str:
    """A number for an axis."""
    return f"{value:.3g}"


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from ``low`` to ``high``, a handful of them."""
    rough = (high - low) / _TICKS
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(float(multiple * power) for multiple in _STEPS if multiple * power >= rough * 0.999)
    return [round(n * step, 9) for n in range(int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9)) + 1)]


def _power(value: float) -> str:
    return f"{10.0**value:,.3g}" if value < 3 else f"{10.0**value:,.0f}"  # noqa: PLR2004 - no exponents


def _grid(axes: Axes, x_text: str, y_text: str, x_form: Callable[[float], str], y_form: Callable[[float], str]) -> str:
    parts = []
    for value in ticks(axes.x_low, axes.x_high):
        x = axes.x(value)
        parts.append(f'<line class="grid" x1="{x}" y1="{_TOP}" x2="{x}" y2="{HEIGHT - _BOTTOM}"/>')
        parts.append(_text(x, HEIGHT - _BOTTOM + 14, x_form(value), "middle"))
    for value in ticks(axes.y_low, axes.y_high):
        y = axes.y(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{WIDTH - _RIGHT}" y2="{y}"/>')
        parts.append(_text(_LEFT - 5, y + 4, y_form(value), "end"))
    parts.append(_text((WIDTH + _LEFT) / 2, HEIGHT - 8, x_text, "middle"))
    parts.append(f'<text class="note" transform="translate(12 {HEIGHT / 2}) rotate(-90)">{escape(y_text)}</text>')
    return "".join(parts)


def _line(axes: Axes, points: Points, name: str) -> str:
    places = " ".join(f"{axes.x(x)},{axes.y(y)}" for x, y in points)
    return f'<polyline class="{name}" points="{places}"/>'


def _mark(axes: Axes, number: int, low: float, high: float, text: str) -> str:
    left, right = axes.x(low), axes.x(high)
    label = _text(left + 2, _TOP + 11 + 12 * (number % 3), text, "start")
    if right - left < 1:
        return f'<line class="moment" x1="{left}" y1="{_TOP}" x2="{left}" y2="{HEIGHT - _BOTTOM}"/>{label}'
    height = HEIGHT - _TOP - _BOTTOM
    return f'<rect class="band" x="{left}" y="{_TOP}" width="{right - left:.1f}" height="{height}"/>{label}'


def _legend(names: Sequence[str]) -> str:
    parts = []
    for i, name in enumerate(names):
        y = HEIGHT - _BOTTOM - 12 - 15 * (len(names) - 1 - i)
        parts.append(f'<line class="s{i % _SERIES}" x1="{WIDTH - 180}" y1="{y}" x2="{WIDTH - 160}" y2="{y}"/>')
        parts.append(_text(WIDTH - 154, y + 4, name, "start"))
    return "".join(parts)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text class="note" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(title: str, parts: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
    return f"{head}<title>{escape(title)}</title>{''.join(parts)}</svg>"

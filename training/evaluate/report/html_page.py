"""The evaluation as one self-contained page: tables and plots, no script, nothing from elsewhere."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from training.evaluate.measures import meaning
from training.evaluate.report.plots import reliability_plot, roc_plot, trace_plot
from training.evaluate.report.tables import columns, value_text

GROUPS: Final[Mapping[str, str]] = {
    "fused": "All detectors, fused",
    "rule": "Trivial rules",
    "alone": "Each detector alone",
    "without": "Without one detector",
}

_STYLE: Final = """
:root { color-scheme: light dark; --ink: light-dark(#1d2530, #e4e7eb); --faint: light-dark(#68707c, #98a1ad);
  --rule: light-dark(#d9dde3, #3a414b); --a: light-dark(#0b62c4, #6db1ff); --b: light-dark(#b4460f, #ff9d66);
  --c: light-dark(#2a7d3c, #79cf8c); --d: light-dark(#7a3fa0, #c79be8);
  --paper: light-dark(#fff, #14181d); }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .55rem; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { font-weight: 600; vertical-align: bottom; white-space: normal; min-width: 4rem; }
th:first-child, td:first-child { text-align: left; }
tr.group td { font-weight: 600; padding-top: .8rem; }
tr.fused td { font-weight: 600; }
small, .faint { color: var(--faint); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: 1rem; margin: 1rem 0; }
figure { margin: 0; } figcaption { font-size: 13px; color: var(--faint); }
svg { width: 100%; height: auto; } polyline, line { fill: none; stroke-width: 1.6; }
.grid { stroke: var(--rule); stroke-width: .6; } .chance { stroke: var(--faint); stroke-dasharray: 3 3; }
.threshold { stroke: var(--b); stroke-dasharray: 6 3; stroke-width: 1; } .moment { stroke: var(--c); }
.band { fill: var(--b); opacity: .13; } .note { font-size: 11px; fill: var(--faint);
  stroke: var(--paper); stroke-width: 3; paint-order: stroke; }
.s0 { stroke: var(--a); stroke-width: 2.2; } .s1 { stroke: var(--b); } .s2 { stroke: var(--c); }
.s3 { stroke: var(--d); }
"""


def page(evaluation: Mapping[str, Any], title: str) -> str:
    """All of an evaluation record as HTML."""
    sets = evaluation["sets"]
    links = " · ".join(f'<a href="#set{i}">{escape(result["name"])}</a>' for i, result in enumerate(sets))
    body = "".join(_set(result, i) for i, result in enumerate(sets))
    version = escape(evaluation["version"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
        f"<h1>{escape(title)}</h1><p>Tocsin {version}. {links}</p>{_EXPLAINED}{body}</body></html>\n"
    )


_EXPLAINED: Final = (
    "<p class=faint>Means over the seeds, with the lowest and the highest where they differ. Thresholds: “1 a day” and "
    "“1 an hour” are where so many false alarms are expected, the first being what the product does; “held back” is a "
    "quantile of normal logs that training held back; “5 % FPR” and “1 % FPR” are quantiles of the set's own normals; "
    "“best” nobody can know beforehand.</p>"
)


def _set(result: Mapping[str, Any], number: int) -> str:
    counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in result["counts"].items())
    seeds = f"seeds {', '.join(map(str, result['seeds']))}" if result["seeds"] else "a given bundle"
    note = (
        "" if result["refitted"] else " Single detectors and ablations are not calibrated anew: no normal logs given."
    )
    return (
        f'<h2 id="set{number}">{escape(result["name"])}</h2>'
        f"<p class=faint>{escape(result['kind'])}: {escape(counts)}; {result['windows']:,} windows; {seeds}, "
        f"{escape(', '.join(dict.fromkeys(result['bundles'])))}.{note}</p>"
        f'<div class="wide">{_table(result)}</div><div class="plots">{_plots(result)}</div>{_all_measures(result)}'
    )


def _table(result: Mapping[str, Any]) -> str:
    shown = columns(result)
    head = "".join(f"<th>{escape(meaning(name).text)}</th>" for name in shown)
    fused: Mapping[str, Any] = next((row["measures"] for row in result["variants"] if row["group"] == "fused"), {})
    body = []
    for group, text in GROUPS.items():
        rows = [row for row in result["variants"] if row["group"] == group]
        if rows and group != "fused":
            body.append(f'<tr class="group"><td colspan="{len(shown) + 1}">{escape(text)}</td></tr>')
        for row in rows:
            base = fused if group == "without" else None
            cells = "".join(f"<td>{_cell(name, row['measures'].get(name), base)}</td>" for name in shown)
            body.append(f'<tr class="{group}"><td>{escape(row["name"])}</td>{cells}</tr>')
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _cell(name: str, spread: Mapping[str, Any] | None, base: Mapping[str, Any] | None) -> str:
    """A mean, its spread, and for an ablation how far it is from the whole."""
    if spread is None:
        return ""
    text = value_text(name, spread["mean"])
    low, high = value_text(name, spread["low"]), value_text(name, spread["high"])
    if low != high:
        text += f"<br><small>{low} … {high}</small>"
    if base is not None and name in base:
        change = spread["mean"] - base[name]["mean"]
        if value_text(name, abs(change)) != value_text(name, 0.0):
            text += f"<br><small>{'+' if change > 0 else '&minus;'}{value_text(name, abs(change))}</small>"
    return text


def _plots(result: Mapping[str, Any]) -> str:
    out = []
    if result["roc"]:
        curves = [(curve["name"], curve["points"]) for curve in result["roc"]]
        out.append(_figure(roc_plot(curves), "The fused score, the best detector alone, and the trivial rules."))
    trace = result["trace"]
    if trace:
        marks = [(mark["start"], mark["end"], mark["text"].replace("_", " ")) for mark in trace["marks"]]
        names = {"budget": "1 a day", "hourly": "1 an hour", "held": "held back"}
        limits = [(names[name], value) for name, value in trace["thresholds"].items()]
        out.append(_figure(trace_plot(trace["points"], marks, limits), f"Fused score over time: {trace['title']}."))
    reliability = result["reliability"]
    if reliability["days"]:
        points = reliability["points"]
        seen = [
            ("stretches of ten minutes", [point["stretches"] for point in points]),
            ("windows", [point["windows"] for point in points]),
        ]
        expected = [point["expected"] for point in points]
        caption = f"Calibration on {reliability['days']:.2f} days of normal logs of this set."
        out.append(_figure(reliability_plot(expected, seen, 1.0 / reliability["days"]), caption))
    return "".join(out)


def _figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _all_measures(result: Mapping[str, Any]) -> str:
    """Every measure of the fused score."""
    rows: Sequence[Mapping[str, Any]] = [row for row in result["variants"] if row["group"] == "fused"]
    lines = [
        f"<tr><td>{escape(meaning(name).text)}</td><td>{_cell(name, spread, None)}</td></tr>"
        for row in rows
        for name, spread in row["measures"].items()
    ]
    return f"<details><summary>All measures of the fused score</summary><table>{''.join(lines)}</table></details>"

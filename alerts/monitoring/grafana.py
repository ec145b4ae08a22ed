"""Pages of Grafana as data, and the JSON that Grafana reads of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

REPLAY: Final = "tocsin replay --from ${__from:date:iso} --to ${__to:date:iso} --out windows.jsonl"
"""Decides again what the dashboard shows; Grafana fills in its time range, in texts of panels and nowhere else."""

_REPLAY_TITLE: Final = "Replay"
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH: Final = 24
_HEIGHT: Final = 8
_STAT_HEIGHT: Final = 4


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: queries with the legend of each; ``unit`` is Grafana's name of it."""

    title: str
    meaning: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    red_from: float | None = None
    """Value from which a stat is red; else it has no colour."""

    @property
    def height(self) -> int:
        """Rows of the page's grid."""
        return _STAT_HEIGHT if self.kind == "stat" else _HEIGHT


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One page; ``uid`` is also the name of its file."""

    uid: str
    title: str
    panels: tuple[Panel, ...]


def grafana(dashboard: Dashboard) -> dict[str, Any]:
    """Return the dashboard as Grafana's JSON."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["tocsin"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]
        },
        "annotations": {
            "list": [
                {
                    "name": "Tocsin rings",
                    "datasource": _SOURCE,
                    "enable": True,
                    "expr": 'ALERTS{alertname=~"Tocsin.+", alertstate="firing"}',
                    "iconColor": "red",
                    "titleFormat": "{{alertname}}",
                    "textFormat": f"The panel {_REPLAY_TITLE} has the command that decides these hours again.",
                }
            ]
        },
        "links": [
            {"type": "dashboards", "tags": ["tocsin"], "title": "Tocsin", "asDropdown": False, "includeVars": True}
        ],
        "panels": _panels(dashboard.panels),
    }


def _panels(panels: Sequence[Panel]) -> list[dict[str, Any]]:
    made = []
    x = y = bottom = 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > _WIDTH:
            x, y = 0, bottom
        made.append(_panel(number, panel, x, y))
        x, bottom = x + panel.width, max(bottom, y + panel.height)
    return [*made, _replay(len(panels) + 1, bottom)]


def _panel(number: int, panel: Panel, x: int, y: int) -> dict[str, Any]:
    steps: list[dict[str, str | float | None]] = [{"color": "green", "value": None}]
    if panel.red_from is not None:
        steps.append({"color": "red", "value": panel.red_from})
    defaults: dict[str, Any] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.kind == "timeseries":
        defaults["min"] = 0
    elif panel.kind == "stat" and panel.unit == "short":
        # Prometheus extrapolates: an increase is no whole number.
        defaults["decimals"] = 0
    table = panel.kind == "table"
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.meaning,
        "datasource": _SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(panel),
        "transformations": [_COLUMNS] if table else [],
        "targets": [
            {
                "refId": chr(ord("A") + i),
                "datasource": _SOURCE,
                "expr": query,
                "legendFormat": legend,
                # As time series each row would be a table of its own.
                "format": "table" if table else "time_series",
                "instant": table,
                "range": not table,
            }
            for i, (query, legend) in enumerate(panel.queries)
        ],
    }


_COLUMNS: Final = {
    "id": "organize",
    "options": {
        "excludeByName": {"Time": True},
        "indexByName": {name: i for i, name in enumerate(("severity", "service", "kind", "tenant", "Value"))},
        "renameByName": {"Value": "lasts"},
    },
}


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "table":
        return {"sortBy": [{"displayName": "lasts", "desc": True}]}
    return {"colorMode": "none" if panel.red_from is None else "value"} if panel.kind == "stat" else {}


def _replay(number: int, y: int) -> dict[str, Any]:
    content = f"Decide the hours shown here again, for the incident review:\n\n```\n{REPLAY}\n```"
    return {
        "id": number,
        "type": "text",
        "title": _REPLAY_TITLE,
        "gridPos": {"x": 0, "y": y, "w": _WIDTH, "h": 4},
        "options": {"mode": "markdown", "content": content},
    }

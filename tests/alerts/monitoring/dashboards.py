"""The dashboards that are shipped, and what their panels ask."""

from pathlib import Path
from typing import Any, Final

import orjson

FOLDER: Final = Path(__file__).parents[3] / "helm" / "dashboards"

DASHBOARDS: Final[tuple[dict[str, Any], ...]] = tuple(
    orjson.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))
)


def queries(panel: dict[str, Any]) -> list[str]:
    """Return the queries of a panel; the last panel of a dashboard is text and has none."""
    return [target["expr"] for target in panel.get("targets", ())]

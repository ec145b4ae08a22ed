"""Names of the files in the folder that ``tocsin review --out`` writes."""

from typing import Final

REPORT: Final = "report.md"
ALERTS: Final = "alerts.jsonl"
INCIDENTS: Final = "incidents.json"

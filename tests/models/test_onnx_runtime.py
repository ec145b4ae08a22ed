"""The library that runs networks keeps to itself what it sees."""

import os
import subprocess
import sys
from pathlib import Path

from stream.wiring.core import DEMO_BUNDLE

ROOT = Path(__file__).resolve().parents[2]


def test_no_telemetry_is_kept_or_sent(tmp_path: Path) -> None:
    """ONNX Runtime writes an id of the device and a database of events before it sends them: neither is made."""
    program = f"from pathlib import Path; from models.bundle import Bundle; Bundle.load(Path({str(DEMO_BUNDLE)!r}))"
    folders = {name: str(tmp_path) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME")}
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"} | folders
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True)
    assert list(tmp_path.rglob("*")) == []

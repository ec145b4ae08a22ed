"""The review page beside all roles: what the demo finds stands on it, with the lines around, also after the demo."""

import re
import signal
import subprocess
import sys
from os import environ, pathsep

import httpx
import pytest

from tests.ports import held_port

pytestmark = [pytest.mark.slow]


def test_the_demo_is_seen_on_the_page() -> None:
    """Each incident has a page with its cause; the lines around its evidence are read from the broker."""
    port = held_port()
    settings = {"TOCSIN_UI_PORT": str(port), "TOCSIN_LLM_ENABLED": "no", "PYTHONPATH": pathsep.join(sys.path)}
    program = [sys.executable, "-c", "from stream.cli import main; main()", "demo", "--ui"]
    command = [*program, "--minutes", "15", "--speed", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ | settings) as process:
        try:
            assert process.stdout is not None
            next(line for line in process.stdout if "the review page stays at" in line)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                listed = client.get("/").text
                ids = re.findall(r'href="/incidents/([0-9a-f]{32})"', listed)
                pages = {name: client.get(f"/incidents/{name}").text for name in ids}
                explained = next(name for name, page in pages.items() if 'id="L1"' in page)
                around = client.get(f"/incidents/{explained}/lines/L1").text
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(60)
    assert code == 0
    assert all("Who was told" in page and "slack: " in page for page in pages.values())
    assert around.count('<span class="number">') > 5
    assert ' here"' in around

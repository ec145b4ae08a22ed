"""What tests that train share."""

from importlib.util import find_spec

import pytest


@pytest.fixture(scope="session")
def tensorflow() -> None:
    """TensorFlow, imported once and quietly; a test that asks for it is skipped where it is not installed."""
    if find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is missing: pip install tocsin[train]")
    from training.tensorflow_import import import_tensorflow

    import_tensorflow()

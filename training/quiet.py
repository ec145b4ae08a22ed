"""Keep TensorFlow from writing to the terminal."""

import logging
import os


def quiet_tensorflow() -> None:
    """To be called before TensorFlow is imported: it reads its verbosity from the environment."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)

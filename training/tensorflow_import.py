"""Keep TensorFlow from writing to the terminal."""

import logging
import os
import sys


def import_tensorflow() -> None:
    """Import TensorFlow without its notices.

    It reads its verbosity from the environment, and its C++ part writes to file descriptor 2 before that has effect:
    the descriptor points elsewhere while it is imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # noqa: TID251 - where TensorFlow reads it
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        import tensorflow as tf

        tf.zeros(1)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)

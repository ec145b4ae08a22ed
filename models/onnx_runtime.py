"""ONNX Runtime without its telemetry; imported from here and nowhere else.

From 1.32 on its Linux builds make an id of the device, keep a database of events in the user's cache and send them to
Microsoft.  Calling ``disable_telemetry_events`` comes too late for the id: only the environment is read before.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # noqa: TID251 - where ONNX Runtime reads it

import onnxruntime as ort

__all__ = ["ort"]

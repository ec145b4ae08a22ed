"""The same work as a user would write it: a Faust agent that takes one message at a time.

Drain3 finds the template, the agent keeps the last minute per source in a dictionary, and every event has its window
scored with the same ONNX network.  ``python -m tests.bench.naive BOOTSTRAP TOPIC COUNT`` prints lines a second.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections import defaultdict, deque
from datetime import datetime

import faust
import numpy as np
import onnxruntime as ort
from drain3 import TemplateMiner
from drain3.template_miner_config import TemplateMinerConfig

from models.bundle import Bundle
from stream.wiring.core import DEMO_BUNDLE

WINDOW = 32


def main() -> None:
    """Read ``COUNT`` messages, one by one."""
    bootstrap, topic_name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    bundle = Bundle.load(DEMO_BUNDLE)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(bundle.onnx, options, providers=["CPUExecutionProvider"])
    miner = TemplateMiner(config=TemplateMinerConfig())
    tokens = len(bundle.vocabulary)
    recent: dict[str, deque[tuple[float, int]]] = defaultdict(lambda: deque(maxlen=WINDOW))
    app = faust.App(
        "naive",
        broker=f"kafka://{bootstrap}",
        value_serializer="raw",
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        datadir=tempfile.mkdtemp(prefix="naive-"),
    )
    topic = app.topic(topic_name, value_serializer="raw", key_serializer="raw")
    done = asyncio.Event()
    seen = 0
    started = 0.0

    @app.agent(topic)
    async def read(stream: faust.StreamT[bytes]) -> None:
        nonlocal seen, started
        async for value in stream:
            started = started or time.perf_counter()
            record = json.loads(value)
            line = record["log"]
            found = miner.add_log_message(line.split("] ", 1)[-1])
            window = recent[record.get("source", "")]
            moment = datetime.fromisoformat(line[:23]).timestamp() if line[:2] == "20" else time.time()
            window.append((moment, 4 + found["cluster_id"] % (tokens - 4)))
            inputs = np.zeros((1, WINDOW, 4), np.int32)
            inputs[0, : len(window), 0] = [token for _, token in window]
            targets = np.roll(inputs[:, :, 0], -1, axis=1)
            session.run(None, {"inputs": inputs, "targets": targets})
            seen += 1
            if seen >= count:
                done.set()
                await asyncio.sleep(0)

    async def serve() -> None:
        async with app:
            await asyncio.wait_for(done.wait(), 600)
            print(f"{count / (time.perf_counter() - started):.0f}", flush=True)

    asyncio.run(serve())


if __name__ == "__main__":
    main()

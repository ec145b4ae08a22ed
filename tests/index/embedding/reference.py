"""What sentence-transformers itself makes of some texts, recorded so that tests need neither it nor torch.

``uv run --extra embed python -m tests.index.embedding.reference`` records the vectors anew.
"""

from pathlib import Path
from typing import Final

import numpy as np

from tests.index.embedding.weights import minilm

VECTORS: Final = Path(__file__).parents[1] / "data" / "minilm-vectors.npy"
"""Vectors of ``TEXTS``, shape ``(n, 384)``, by sentence-transformers 6.2 with the weights of ``minilm``."""

TEXTS: Final = [
    "No valid host was found. There are not enough hosts available.",
    "",
    " \t\n ",
    "x",
    "NoValidHost_Remote: nova.exception_Remote.NoValidHost",
    "2026-03-02 08:00:00.000 7 ERROR nova.compute.manager [req-772c28a4-455d-4e72-b258-cbec9ee5486f - - - - -] boom",
    "Die Verbindung zum Server ist abgebrochen: größer, Ärger, ß, ﬁ",
    "网络 端口 未就绪 ネットワーク 네트워크",
    "emoji 🔥🔥 and \x1b[31mterminal codes\x1b[0m, \x00 and \ufffd",
    "{'code': 500, 'message': \"Traceback (most recent call last):\\n  File \\\"/usr/lib/python3/x.py\\\"\"}",
    "word " * 900,
    "https://10.0.0.1:9696/v2.0/ports.json?tenant_id=" + "a" * 300,
    "[CLS] [SEP] [MASK] [PAD] hidden words of the tokenizer",
    "No valid host was found. There are not enough hosts available.",
    *(" ".join(["volume", "attach", "port", "binding", "failed"][: n % 5 + 1] * n) for n in range(1, 40, 3)),
]


def main() -> None:
    """Write the vectors."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(minilm()), device="cpu")
    np.save(VECTORS, model.encode(TEXTS, normalize_embeddings=True).astype(np.float32))


if __name__ == "__main__":
    main()

"""How many threads the libraries of columns and matrices use: one each, unless the environment says otherwise.

A process of Tocsin works in one or two threads of its own, and more processes make it faster.  Pools that spin beside
a busy broker only slow each other down: with two threads on two busy cores matrix products took half of detect's time.
Must be imported before NumPy and Polars, which read these once.
"""

import os
from typing import Final

VARIABLES: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")

for _name in VARIABLES:
    os.environ.setdefault(_name, "1")  # noqa: TID251 - where these libraries read it

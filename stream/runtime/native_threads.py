"""Limit NumPy's and Polars' thread pools to one thread each, unless the environment says otherwise.

A process of Tocsin works in one or two threads of its own, and scales by more processes.  Pools whose threads wait
actively beside a busy broker slow each other down: with two threads on two busy cores matrix products took half of
detect's time.  This module must be imported before NumPy and Polars, which read these variables once.
"""

import os
from typing import Final

VARIABLES: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")

for _name in VARIABLES:
    os.environ.setdefault(_name, "1")  # noqa: TID251 - the libraries read it there

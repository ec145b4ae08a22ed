"""How Tocsin runs a command of its own in another process: with the same Python, whatever the path holds."""

import sys
from typing import Final

OWN_COMMAND: Final = (sys.executable, "-c", "from stream.cli import main; main()")
"""Stands for ``tocsin``; arguments follow."""

"""Processes that register bundles: ``python -m tests.models.registry.writers URL NAME`` forks one a line.

A fork has all libraries at once, so that a test can start and kill many.
"""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.registry.folder_objects import FolderObjects
from models.registry.model_store import ModelStore, Registration
from models.registry.objects import Objects
from models.registry.s3_objects import S3Objects, S3Options


def open_objects(url: str) -> Objects:
    """Open a store as the settings do."""
    if url.startswith("s3://"):
        return S3Objects(url, S3Options(path_style=True))
    return FolderObjects(Path(url.removeprefix("file://")))


@dataclass
class Writers:
    """What starts writers, each in a process of its own."""

    process: "subprocess.Popen[str]"

    def start(self, folders: Sequence[Path]) -> int:
        """Start a writer that registers these folders, and return its process id."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(":".join(map(str, folders)) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def writers(url: str, name: str) -> Iterator[Writers]:
    """Give what starts writers for a name in a store; in the end they have all ended."""
    command = [sys.executable, "-m", "tests.models.registry.writers", url, name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Writers(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(200) == 0


def main(url: str, name: str) -> None:
    """Fork a writer for each line, and wait for all in the end."""
    pids = []
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _write(url, name, line.strip().split(":"))
            os._exit(0)
        pids.append(pid)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    for pid in pids:
        os.waitpid(pid, 0)


def _write(url: str, name: str, folders: Sequence[str]) -> None:
    store = ModelStore(open_objects(url), url)
    for folder in folders:
        about = Registration(time.time_ns() // 1000, uuid.uuid4().hex, by=folder)
        store.register(name, Path(folder), about, lambda _: None)


if __name__ == "__main__":
    main(*sys.argv[1:])

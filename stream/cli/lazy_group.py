"""A command group that imports a command only when it runs.

``tocsin --help`` must be quick, and a worker must not need the libraries that only training imports.
"""

import difflib
import errno
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Final

import click
from click.exceptions import NoArgsIsHelpError

from models.errors import TocsinError

USAGE_ERROR: Final = 2
"""Exit status of wrong options and of expected errors, as click has it."""
INTERRUPTED: Final = 130
"""Exit status after Ctrl-C: 128 and the number of SIGINT."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
"""Numbers of errors by which a disk takes no more."""

_SIMILARITY: Final = 0.6
"""Least similarity, by difflib, of a command that is suggested for an unknown one.  A judgement."""

_EXTRAS: Final[Mapping[str, str]] = {
    "tensorflow": "train",
    "keras": "train",
    "tf2onnx": "train",
    "onnx": "train",
    "boto3": "s3",
    "botocore": "s3",
    "cryptography": "sign",
}
"""Library → the extra of Tocsin that installs it."""


class BrokenCommand(click.ClickException):
    """An expected error: one line on standard error, exit status 2."""

    exit_code = USAGE_ERROR

    def show(self, file: Any = None) -> None:
        """Print the message as one line."""
        click.echo("tocsin: " + " ".join(self.message.split()), file=file, err=file is None)


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A command that is not imported yet: ``target`` is ``module:attribute``, ``help`` its summary in the list."""

    target: str
    help: str


class LazyGroup(click.Group):
    """A group of commands that are imported on use; an expected error ends as one line and exit status 2."""

    def __init__(self, *args: Any, entries: Mapping[str, CommandEntry] | None = None, **kwargs: Any) -> None:
        """Take click's arguments, and the commands by name in the order of the help page."""
        super().__init__(*args, **kwargs)
        self.entries: Mapping[str, CommandEntry] = entries or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order of the help page."""
        del ctx
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; None for an unknown name."""
        del ctx
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, without importing one."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self.entries.items()])

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the group's own options; report an error in one line."""
        with _explained():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn its expected errors into exit statuses."""
        with _explained():
            result = super().invoke(ctx)
            # What a full disk takes no more is to be told here, and not at the interpreter's end.
            sys.stdout.flush()
            return result

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is told with the one that is most like it."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = difflib.get_close_matches(args[0], self.entries, n=1, cutoff=_SIMILARITY)
            if close:
                error.message = f"No such command '{args[0]}'; did you mean '{close[0]}'?"
            raise


@contextmanager
def _explained() -> Iterator[None]:
    """Turn every expected error into a BrokenCommand; any other shows its traceback, for it is a defect."""
    try:
        yield
    except (NoArgsIsHelpError, BrokenCommand):
        raise
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "tocsin"
        raise BrokenCommand(f"{error.format_message()} See '{path} --help'.") from error
    except click.ClickException as error:
        raise BrokenCommand(error.format_message()) from error
    except TocsinError as error:
        raise BrokenCommand(str(error)) from error
    except ModuleNotFoundError as error:
        # Commands import heavy libraries late.
        library = (error.name or "").partition(".")[0]
        if library not in _EXTRAS:
            raise
        advice = f"install it with: pip install 'tocsin[{_EXTRAS[library]}]'"
        raise BrokenCommand(f"this command needs {library}, which is not installed; {advice}") from error
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _abandon_stdout()
        raise BrokenCommand(f"cannot write: {error.strerror}; free some space, or write elsewhere") from error
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None


def _abandon_stdout() -> None:
    """Let what standard output still holds go nowhere: at its end the interpreter would try to write it again."""
    try:
        sys.stdout.flush()
    except OSError:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def with_plugins(entries: Mapping[str, CommandEntry], plugins: list[EntryPoint]) -> dict[str, CommandEntry]:
    """Return ``entries`` and the commands of other packages; one that has an entry keeps its place and its help."""
    merged = {}
    others = {plugin.name: plugin.value for plugin in plugins}
    for name, entry in entries.items():
        target = others.pop(name, "")
        if entry.target:
            merged[name] = entry
        elif target:
            merged[name] = CommandEntry(target, entry.help)
    for name, target in sorted(others.items()):
        merged[name] = CommandEntry(target, f"from {target.partition(':')[0]}")
    return merged

"""A command group that knows its commands by name and imports one only when it runs.

``tocsin --help`` must answer at once, and a worker must not need what only the trainer imports.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint
from typing import Any, Final

import click
from click.exceptions import NoArgsIsHelpError

from models.errors import TocsinError

USAGE_ERROR: Final = 2
INTERRUPTED: Final = 130

_EXTRAS: Final[Mapping[str, str]] = {
    "tensorflow": "train",
    "keras": "train",
    "tf2onnx": "train",
    "onnx": "train",
}
"""Library → the extra of Tocsin that brings it."""


class BrokenCommand(click.ClickException):
    """An expected error: one line on standard error, exit status 2."""

    exit_code = USAGE_ERROR

    def show(self, file: Any = None) -> None:
        """Print the message as one line."""
        click.echo("tocsin: " + " ".join(self.message.split()), file=file, err=file is None)


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A command that is not imported yet: ``target`` is ``module:attribute``."""

    target: str
    help: str


class LazyGroup(click.Group):
    """A group whose commands are Entries; expected errors of any of them end as one line and exit status 2."""

    def __init__(self, *args: Any, entries: Mapping[str, CommandEntry] | None = None, **kwargs: Any) -> None:
        """Take click's own arguments, and the commands by name in the order of the help page."""
        super().__init__(*args, **kwargs)
        self.entries: Mapping[str, CommandEntry] = entries or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        del ctx
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        del ctx
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing one."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self.entries.items()])

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the group's own options; a wrong one is reported in one line."""
        with _explained():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn its errors into exit statuses."""
        with _explained():
            return super().invoke(ctx)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn every expected error into a Failure; a defect passes and shows its traceback."""
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
        # A command may import a heavy library only when it comes to its use.
        library = (error.name or "").partition(".")[0]
        if library not in _EXTRAS:
            raise
        advice = f"install it with: pip install 'tocsin[{_EXTRAS[library]}]'"
        raise BrokenCommand(f"this command needs {library}, which is not installed; {advice}") from error
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None


def with_plugins(entries: Mapping[str, CommandEntry], plugins: list[EntryPoint]) -> dict[str, CommandEntry]:
    """Return ``entries`` with the commands of other packages; a name that is known keeps its place and its help."""
    found = {name: entry for name, entry in entries.items() if entry.target}
    named = {plugin.name: plugin for plugin in plugins if plugin.name not in found}
    merged = {}
    for name, entry in entries.items():
        if name in found:
            merged[name] = entry
        elif name in named:
            merged[name] = CommandEntry(named.pop(name).value, entry.help)
    for name in sorted(named):
        merged[name] = CommandEntry(named[name].value, f"from {named[name].value.partition(':')[0]}")
    return merged

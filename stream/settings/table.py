"""The settings as tables: all that there are in Markdown, and the effective ones with where each comes from."""

import ast
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from stream.settings.environment import PREFIX, config_file, environment, read_config
from stream.settings.model import Settings

DEFAULT: Final = "default"
NOTHING: Final = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """A setting as it is in force; ``value`` is JSON-like with secrets masked, ``origin`` where it was read."""

    name: str
    value: Any
    origin: str


def settings_table() -> str:
    """Return the table of all settings in Markdown, as stream/README.md holds it between its markers."""
    meanings = _meanings()
    rows = [
        f"| `{name}` | {_default_text(field)} | {meanings[name]} |" for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows])


def _meanings() -> dict[str, str]:
    """Return the text under each field; pydantic would read the source whenever the settings are imported."""
    fields = ast.parse(textwrap.dedent(inspect.getsource(Settings))).body[0]
    statements = fields.body if isinstance(fields, ast.ClassDef) else []
    meanings = {}
    for field, text in pairwise(statements):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(meaning))):
                meanings[name] = " ".join(meaning.split())
    return meanings


def effective_settings(settings: Settings) -> list[EffectiveSetting]:
    """Return every setting with its value and its origin, in the order of the table."""
    path = config_file()
    in_file = read_config(path)
    variables = {name.upper(): name for name, value in environment().items() if value}
    files = {name: f"{file.path} ({file.origin})" for name, file in Settings.secret_files().items()}
    return [
        EffectiveSetting(
            name, _plain(getattr(settings, name)), files.get(name) or _origin(name, variables, in_file, path)
        )
        for name in type(settings).model_fields
    ]


def _origin(name: str, variables: Mapping[str, str], in_file: Mapping[str, Any], path: Path | None) -> str:
    # A table of the file and one of the environment are merged, so a setting may come from both.
    origins = [variables[PREFIX + name.upper()]] if PREFIX + name.upper() in variables else []
    if name in in_file and (not origins or isinstance(in_file[name], Mapping)):
        origins.append(str(path))
    return ", ".join(origins) or DEFAULT


def _plain(value: Any) -> Any:
    """Return a value as JSON holds it, secrets masked."""
    match value:
        case SecretStr():
            return str(value)
        case Mapping():
            return {key: _plain(inner) for key, inner in value.items()}
        case tuple() | list():
            return [_plain(inner) for inner in value]
        case None | bool() | int() | float() | str():
            return value
        case Path():
            return str(value)
        case _:
            return value.model_dump()


def value_text(value: Any) -> str:
    """Return a plain value as a short text: ``yes`` and ``no`` for truth, a dash for nothing."""
    if value is None or value in ("", [], {}):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _default_text(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    text = extra["default_text"] if isinstance(extra, dict) and "default_text" in extra else _plain(field.default)
    shown = value_text(text)
    return shown if shown in {NOTHING, "yes", "no"} else f"`{shown}`"

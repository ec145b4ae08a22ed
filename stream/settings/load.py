"""Load the settings, and explain what is wrong with them.

A setting that is unknown or wrong stops the start with its name.  A value is never part of a message, because it may be
a secret.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError
from pydantic_settings import SettingsError

from models.errors import InvalidError
from stream.settings.environment import CONFIG_VARIABLE, PREFIX, config_file, environment
from stream.settings.model import LineFormatSetting, Settings
from stream.settings.secret_files import SUFFIX

_SERVICE_LINK: Final = re.compile(
    r"TOCSIN_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)",
)
"""Variables that Kubernetes sets for a Service whose name begins with ``tocsin``."""

_LINK_VALUE: Final = re.compile(r"(tcp|udp|sctp)://")

SHIPPER_VARIABLES: Final = frozenset(
    {
        "TOCSIN_BROKERS",
        "TOCSIN_HTTP_PORT",
        "TOCSIN_LOGS",
        "TOCSIN_STATE",
        "TOCSIN_TENANT",
        "TOCSIN_TOPIC",
    }
)
"""Variables of Fluent Bit's configurations (helm/fluent-bit), which may stand in the environment of both."""

_SIMILARITY: Final = 0.75
"""Least similarity, by difflib, of a name that is suggested for an unknown one.  A judgement."""


def load_settings(**overrides: Any) -> Settings:
    """Read all settings; ``overrides`` (options of the command line) take precedence.

    Raises:
        InvalidError: settings are unknown or wrong; it names each, and where it was read.
    """
    unknown = _unknown_variables(environment())
    if unknown:
        raise _joined(unknown)
    try:
        return Settings(**overrides)
    except SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = _place(field[1], overrides) if field else "a setting"
        # The cause holds the value.
        raise InvalidError(f"{name} is not valid JSON", "write lists and tables of the environment as JSON") from None
    except ValidationError as error:
        problems = [_problem(problem["loc"], problem["type"], problem["msg"], overrides) for problem in error.errors()]
        raise _joined(problems) from None


def _joined(errors: Sequence[InvalidError]) -> InvalidError:
    """Return all errors as one: every text, and the advice of the last as its advice."""
    *others, last = errors
    return InvalidError("; ".join([*map(str, others), last.problem]), last.advice)


def _unknown_variables(variables: Mapping[str, str]) -> list[InvalidError]:
    names = [*Settings.model_fields, *(name + SUFFIX for name in Settings.secret_names())]
    known = {CONFIG_VARIABLE, *SHIPPER_VARIABLES, *(PREFIX + name.upper() for name in names)}
    return [
        InvalidError(f"{name} is not a setting", _advice(name.upper(), known))
        for name, value in sorted(variables.items())
        if name.upper().startswith(PREFIX) and name.upper() not in known and not _is_service_link(name, value)
    ]


def _is_service_link(name: str, value: str) -> bool:
    return bool(_SERVICE_LINK.fullmatch(name) or (name.endswith("PORT") and _LINK_VALUE.match(value)))


def _advice(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=_SIMILARITY)
    return f"did you mean {close[0]}?" if close else "remove it"


def _problem(loc: tuple[int | str, ...], kind: str, message: str, overrides: Mapping[str, Any]) -> InvalidError:
    """Return one of pydantic's problems as an error that names the setting as the user knows it."""
    if not loc:
        return InvalidError(message.removeprefix("Value error, "))
    field = str(loc[0])
    name = ".".join([_place(field, overrides), *map(str, loc[1:])])
    if kind == "extra_forbidden":
        known = LineFormatSetting.model_fields if len(loc) > 1 else Settings.model_fields
        return InvalidError(f"{name} is not a setting", _advice(str(loc[-1]), set(known)))
    if _LINK_VALUE.match(environment().get(PREFIX + field.upper(), "")):
        return InvalidError(
            f"{name} was set by Kubernetes for a Service of that name", "set enableServiceLinks: false in the pod"
        )
    return InvalidError(f"{name}: {message.removeprefix('Value error, ')}")


def _place(field: str, overrides: Mapping[str, Any]) -> str:
    """Return what the user calls the setting, and where it was read."""
    if field in overrides:
        return "--" + field.replace("_", "-")
    variable = PREFIX + field.upper()
    if environment().get(variable):
        return variable
    if file := Settings.secret_files().get(field):
        return file.origin
    path = config_file()
    return f"{field} (in {path})" if path else variable

"""Types of settings: how a value is read, and what is none."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias, get_args, get_origin
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr


def check_zone(name: str) -> str:
    """Return the name of a zone that there is; ValueError otherwise."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        msg = "no such time zone; give an IANA name such as Europe/Prague"
        raise ValueError(msg) from error
    return name


def flat_table(table: Any) -> Any:
    """Flatten TOML's nested tables (``security.protocol = …`` without quotes) and turn values into Kafka's text."""
    if not isinstance(table, Mapping):
        return table
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{rest}": inner for rest, inner in flat_table(value).items()}
        elif isinstance(value, bool):
            flat[name] = str(value).lower()
        else:
            flat[name] = str(value) if isinstance(value, int | float) else value
    return flat


def is_secret(annotation: Any) -> bool:
    """Return whether a value is a secret itself, and not a table that holds some."""
    if annotation is SecretStr:
        return True
    return get_origin(annotation) is not dict and any(map(is_secret, get_args(annotation)))


def check_url(secret: SecretStr) -> SecretStr:
    """Return an address of HTTP; ValueError otherwise."""
    if not re.match(r"https?://[^\s/]", secret.get_secret_value()):
        msg = "not a URL; it must begin with https:// or http://"
        raise ValueError(msg)
    return secret


Zone: TypeAlias = Annotated[str, AfterValidator(check_zone)]
SecretUrl: TypeAlias = Annotated[SecretStr, AfterValidator(check_url)]
Seconds: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(gt=0)]


class LineFormatSetting(BaseModel):
    """A line format that the user defines, tried before the built-in ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(min_length=1)
    pattern: str = Field(min_length=1)
    """Regular expression with named groups."""
    time_format: str | None = None

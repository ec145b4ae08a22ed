"""Types of settings: what a value must be, and how it is written in a file."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias, get_args, get_origin
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        msg = "no such time zone; give an IANA name such as Europe/Prague"
        raise ValueError(msg) from error
    return name


def flat(table: Any) -> Any:
    """Flatten TOML's nested tables (``security.protocol = …`` without quotes) and turn values into Kafka's text."""
    if not isinstance(table, Mapping):
        return table
    texts: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            texts |= {f"{name}.{rest}": inner for rest, inner in flat(value).items()}
        elif isinstance(value, bool):
            texts[name] = str(value).lower()
        else:
            texts[name] = str(value) if isinstance(value, int | float) else value
    return texts


def is_secret(annotation: Any) -> bool:
    """Return whether a value is a secret itself, and not a table that holds some."""
    if annotation is SecretStr:
        return True
    return get_origin(annotation) is not dict and any(map(is_secret, get_args(annotation)))


def _url(secret: SecretStr) -> SecretStr:
    if not re.match(r"https?://[^\s/]", secret.get_secret_value()):
        msg = "not a URL; it must begin with https:// or http://"
        raise ValueError(msg)
    return secret


def clear_text(value: Any) -> str:
    """Return a value as text that Kafka's clients take, a secret in clear text."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value).lower() if isinstance(value, bool) else str(value)


Zone: TypeAlias = Annotated[str, AfterValidator(_zone)]
SecretUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_url)]
Seconds: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(gt=0)]

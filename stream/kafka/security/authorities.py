"""The certificate authorities that a client trusts."""

import ssl
from pathlib import Path

from models.errors import InvalidError
from stream.kafka.security.properties import setting_name


def trusting(setting: str, location: str | None) -> ssl.SSLContext:
    """Return a context that trusts the authorities of a setting: a file, a folder, or the system's for None.

    Raises:
        InvalidError: they cannot be read.
    """
    folder = location is not None and Path(location).is_dir()
    try:
        return ssl.create_default_context(cafile=None if folder else location, capath=location if folder else None)
    except OSError as error:
        raise unreadable(setting, error) from error


def unreadable(setting: str, error: OSError) -> InvalidError:
    """Return the error of a setting whose PEM files cannot be used."""
    return InvalidError(f"{setting_name(setting)} cannot be used ({error.strerror or error})", "use readable PEM files")

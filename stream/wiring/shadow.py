"""A bundle that judges beside the one in use, as the settings name it."""

from pathlib import Path

from models.errors import InvalidError
from models.registry.address import CHAMPION
from stream.settings import Settings
from stream.wiring.bundles import version_address


def shadow_settings(settings: Settings, bundle: str) -> Settings:
    """Return the settings of a worker that lets a bundle judge in shadow: ``NAME@VERSION``, an address, or a folder.

    Raises:
        InvalidError: it is none of these, or the champion, which judges already.
    """
    if Path(bundle).is_dir():
        return settings.model_copy(update={"bundle": Path(bundle)})
    address = version_address(settings, bundle)
    if address.ref == CHAMPION:
        raise InvalidError(f"{bundle} judges already", f"name another version, as {address.name}@challenger")
    return settings.model_copy(update={"bundle": str(address)})

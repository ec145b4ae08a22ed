"""Certificates and secrets in files that are renewed while a process runs.

New ones are tried before they are taken over: a certificate without its key yet, or a password that Kafka does not know
yet, is waited for, and the process goes on with what it has.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from models.errors import InvalidError, TocsinError
from stream.kafka.security import security_of
from stream.settings import Settings, load_settings
from stream.settings.secret_files import read_secrets
from stream.wiring.core import make_broker, make_tls

log = logging.getLogger(__name__)

AGAIN_S: Final = 5.0
"""Seconds before files that could not be used are tried again; a judgement: what writes them needs a moment."""

KAFKA_TIMEOUT_S: Final = 5.0
"""How long Kafka may take to let a client in that tries new secrets.  A judgement."""


class CredentialWatch:
    """Says when certificates and secrets have new content that can be used."""

    def __init__(
        self,
        served: bytes,
        content: Callable[[], bytes],
        is_accepted: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Compare ``served`` with the ``content`` of now; ``is_accepted`` raises a TocsinError where it is useless."""
        self._served = served
        self._content = content
        self._is_accepted = is_accepted
        self._clock = clock
        self._refused = served
        self._again = 0.0

    def is_renewed(self) -> bool:
        """Return whether there is other content than at the start, and it can be used."""
        content = self._content()
        if content == self._served or (content == self._refused and self._clock() < self._again):
            return False
        try:
            self._is_accepted()
        except TocsinError as error:
            if content != self._refused:
                log.warning("renewed certificates or secrets cannot be used yet, those before are: %s", error)
            self._refused, self._again = content, self._clock() + AGAIN_S
            return False
        return content == self._content()


def watch_credentials(settings: Settings) -> CredentialWatch:
    """Watch the files that the settings name, from when the settings were read."""
    secrets = settings.secret_files()
    own = [path for path in (settings.tls_certfile, settings.tls_keyfile) if path is not None]
    files = (*security_of(settings.kafka_properties()).files, *own)

    def content() -> bytes:
        try:
            return digest(read_secrets(secrets), files)
        except InvalidError:
            # What is wrong with it is said when the settings are read again.
            return b""

    values = {name: getattr(settings, name).get_secret_value() for name in secrets}
    return CredentialWatch(digest(values, files), content, try_new)


def digest(secrets: Mapping[str, str], files: Iterable[Path]) -> bytes:
    """Return a digest of secrets, and of files and folders of them; what cannot be read counts as empty."""
    total = hashlib.sha256(repr(sorted(secrets.items())).encode())
    for path in files:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            try:
                total.update(hashlib.sha256(file.read_bytes()).digest())
            except OSError:
                total.update(b"-")
    return total.digest()


def try_new() -> None:
    """Load the settings and reach Kafka with them.

    Raises:
        TocsinError: one of the two cannot be done.
    """
    settings = load_settings()
    make_tls(settings)
    make_broker(settings).size(KAFKA_TIMEOUT_S)

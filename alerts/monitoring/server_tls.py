"""The certificate that Tocsin's own ports show."""

import ssl
from pathlib import Path

from models.errors import InvalidError


def server_tls(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the context of a server that shows a certificate.

    Raises:
        InvalidError: the two files cannot be used together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password OpenSSL would prompt for one on the terminal.
        context.load_cert_chain(certificate, key, lambda: "")
    except OSError as error:
        raise InvalidError(
            f"TOCSIN_TLS_CERTFILE and TOCSIN_TLS_KEYFILE cannot be used ({error.strerror or error})",
            "use readable PEM files of a certificate and its key",
        ) from error
    return context

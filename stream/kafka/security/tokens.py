"""Tokens for OAUTHBEARER: those of an OIDC provider, by client credentials, and those that AWS credentials sign.

Both clients share a source, so a process asks for one token at a time; it asks for the next before the old one ends.
"""

import base64
import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, urlencode

from models.errors import InvalidError, TocsinError, TransientError
from stream.kafka.security.authorities import trusting
from stream.kafka.security.properties import MSK_IAM, mechanism_of, setting_name

TIMEOUT_S: Final = 5.0
"""Longest time of a request for a token.  A judgement: half of the 10 s that librdkafka waits for one."""

RENEWED_AFTER: Final = 0.7
"""Share of a token's life after which the next one is asked for.  librdkafka asks at 0.8, and then gets a new one."""

SHORTEST_S: Final = 1.0
"""Seconds that a token must live; a judgement: one that ends sooner has ended when the broker sees it."""

MAX_ANSWER: Final = 1024 * 1024
"""Bytes of an answer that are read; a judgement: tokens have a few thousand."""

Token = tuple[str, float]
"""The token, and when it ends, in seconds since 1970."""

_CREDENTIALS_ADVICE: Final = "correct TOCSIN_KAFKA_OAUTH_CLIENT_ID, …_CLIENT_SECRET and …_SCOPE, or the client there"


class TokenSource:
    """Keeps a token until most of its life is over; may be asked from any thread."""

    def __init__(self, fetch: Callable[[], Token], clock: Callable[[], float] = time.time) -> None:
        """Use ``fetch`` for new tokens; ``clock`` returns seconds since 1970."""
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._renew_at = 0.0

    def token(self) -> Token:
        """Return a token that lives.

        Raises:
            TransientError: there is no new one just now, and the old one has ended.
            InvalidError: the provider refuses this client.
        """
        with self._lock:
            now = self._clock()
            if self._token is None or now >= self._renew_at:
                self._renew(now)
            assert self._token is not None  # noqa: S101 - set, or `_renew` has raised
            return self._token

    def _renew(self, now: float) -> None:
        try:
            token, ends = self._fetch()
        except TransientError:
            # The provider may be away for as long as the old token lives.
            if self._token is None or now >= self._token[1]:
                raise
            return
        if ends - now < SHORTEST_S:
            raise TransientError(
                f"a token for Kafka ends {ends - now:.0f} s after it was made", "compare this machine's clock"
            )
        self._token = token, ends
        self._renew_at = now + RENEWED_AFTER * (ends - now)


def token_source(given: Mapping[str, str]) -> TokenSource:
    """Return the source of these security properties; the same one each time.

    Raises:
        InvalidError: what it needs is not installed, or a file cannot be read.
    """
    return _source(tuple(sorted(given.items())))


@lru_cache(maxsize=8)
def _source(items: tuple[tuple[str, str], ...]) -> TokenSource:
    given = dict(items)
    if mechanism_of(given) == MSK_IAM:
        return TokenSource(_msk_tokens(given["aws.region"]))
    url = given["sasl.oauthbearer.token.endpoint.url"]
    if not url.startswith(("https://", "http://")):
        raise InvalidError(f"{setting_name('kafka_oauth_token_url')} is not a URL", "begin it with https://")
    tls = trusting("kafka_oauth_cafile", given.get("https.ca.location"))
    identity = given["sasl.oauthbearer.client.id"], given["sasl.oauthbearer.client.secret"]
    scope = given.get("sasl.oauthbearer.scope", "")
    return TokenSource(lambda: client_credentials(url, *identity, scope, tls))


def client_credentials(url: str, client: str, secret: str, scope: str, tls: ssl.SSLContext) -> Token:
    """Ask an OIDC provider for a token by the client credentials grant (RFC 6749, section 4.4).

    Raises:
        InvalidError: the provider refuses.
        TransientError: it does not answer, or not with a token.
    """
    # RFC 6749, section 2.3.1: both are encoded as in a form before Basic encodes them.
    basic = base64.b64encode(f"{quote(client, safe='')}:{quote(secret, safe='')}".encode()).decode()
    form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
    headers = {
        "Authorization": f"Basic {basic}",
        "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    request = urllib.request.Request(url, urlencode(form).encode(), headers, method="POST")  # noqa: S310 - checked
    asked = time.time()
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=tls) as answer:  # noqa: S310 - checked
            body = answer.read(MAX_ANSWER)
    except urllib.error.HTTPError as error:
        raise _refusal(url, error) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise TransientError(
            f"no token for Kafka from {url}: {reason}",
            "check that the OIDC provider is up, and TOCSIN_KAFKA_OAUTH_TOKEN_URL and …_CAFILE",
        ) from error
    return _token_of(url, body, asked)


def _refusal(url: str, error: urllib.error.HTTPError) -> TocsinError:
    """Return the provider's refusal, with the code of RFC 6749, section 5.2, if it gives one."""
    with error:
        try:
            code = str(json.loads(error.read(MAX_ANSWER))["error"])[:100]
        except (OSError, ValueError, TypeError, KeyError):
            code = ""
    said = f"{error.code} {code}".strip()
    if error.code >= 500 or error.code == 429:  # noqa: PLR2004 - statuses that pass
        return TransientError(f"no token for Kafka from {url}: it answers {said}", "check the OIDC provider")
    return InvalidError(f"no token for Kafka: {url} refuses this client ({said})", _CREDENTIALS_ADVICE)


def _token_of(url: str, body: bytes, asked: float) -> Token:
    """Return the token in an answer; without ``expires_in`` (it is only recommended) that in the token itself."""
    try:
        answer = json.loads(body)
        token = answer["access_token"]
        lifetime = answer.get("expires_in")
        ends = float(_claims(token)["exp"]) if lifetime is None else asked + float(lifetime)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise TransientError(
            f"{url} answers without a token that says when it ends", "check TOCSIN_KAFKA_OAUTH_TOKEN_URL"
        ) from error
    return str(token), ends


def _claims(token: str) -> dict[str, Any]:
    """Return the claims of a JWT (RFC 7519); the broker verifies them, not we."""
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def _msk_tokens(region: str) -> Callable[[], Token]:
    """Return what signs tokens with the AWS credentials of this process, without asking anybody."""
    try:
        from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
    except ImportError as error:
        raise InvalidError(
            f"{MSK_IAM} needs a library that is not installed", "install tocsin[msk], then start again"
        ) from error

    def fetch() -> Token:
        try:
            token, ends_ms = MSKAuthTokenProvider.generate_auth_token(region)
        except Exception as error:
            raise TransientError(
                f"no token for Kafka: AWS credentials cannot be used ({error})",
                "give the process a role or keys that boto3 finds",
            ) from error
        return token, ends_ms / 1000

    return fetch

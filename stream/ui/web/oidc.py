"""A login with an OpenID provider: authorization code with PKCE (OpenID Connect Core 1.0, RFC 7636, RFC 9700).

The provider is asked for its addresses and keys when somebody logs in for the first time.  What it says of a user is
believed only from an ID token that its key has signed, for this client and this login, and that has not ended.
"""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote_plus

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from index.text.sanitize import escape_control
from models.errors import InvalidError, TransientError
from stream.ui.web.users import LONGEST_NAME, PageUser, Permission

TIMEOUT_S: Final = 10.0
"""How long the provider may take for an answer.  A judgement: a person waits."""

ALGORITHMS: Final = ["RS256", "PS256", "ES256", "EdDSA"]
"""Of signatures: those with a public key; one with the client's secret, or none, is refused."""

SCOPE: Final = "openid profile email groups"

SUBJECT: Final = 8
"""Characters of the provider's own name of a user that are shown: a judgement, enough to tell namesakes apart."""

LEEWAY_S: Final = 60
"""Seconds by which the provider's clock may differ: a judgement, as libraries have it."""


@dataclass(frozen=True, slots=True)
class OidcConfig:
    """The provider, and what this client is to it; ``redirect`` is the address to which it sends browsers back.

    Who is of a group (claim ``groups``) in ``responders``, or is in it by ``sub``, may act; ``*`` stands for everybody.
    """

    issuer: str
    client_id: str
    client_secret: str
    redirect: str
    groups: str = "groups"
    responders: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PendingLogin:
    """What a login must come back with."""

    nonce: str
    verifier: str

    @property
    def challenge(self) -> str:
        """What the provider is shown of the verifier, which is shown only with the code."""
        return urlsafe_b64encode(sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass(slots=True)
class OidcProvider:
    """An OpenID provider.  ``transport`` is for tests."""

    config: OidcConfig
    transport: httpx.AsyncBaseTransport | None = None
    _metadata: Mapping[str, Any] | None = field(default=None, init=False)
    _keys: KeySet | None = field(default=None, init=False)

    async def login_url(self, state: str, login: PendingLogin) -> str:
        """Return the address at which a browser logs in.

        Raises:
            TransientError: the provider does not answer.
            InvalidError: it is another, or none.
        """
        metadata = await self._known()
        question = {
            "response_type": "code",
            "client_id": self.config.client_id,
            "redirect_uri": self.config.redirect,
            "scope": SCOPE,
            "state": state,
            "nonce": login.nonce,
            "code_challenge": login.challenge,
            "code_challenge_method": "S256",
        }
        return str(httpx.URL(metadata["authorization_endpoint"]).copy_merge_params(question))

    async def user(self, code: str, login: PendingLogin) -> PageUser:
        """Return who has logged in, by the code with which the browser came back.

        Raises:
            TransientError: the provider does not answer.
            InvalidError: it refuses the code, or its token is not for this login.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.config.redirect,
            "code_verifier": login.verifier,
        }
        # Encoded first, as RFC 6749 (2.3.1) has it: a secret may hold a colon.
        own = httpx.BasicAuth(quote_plus(self.config.client_id), quote_plus(self.config.client_secret))
        url = (await self._known())["token_endpoint"]
        try:
            async with self._client() as client:
                answer = await client.post(url, data=form, auth=own)
                record = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise self._away(error) from error
        if answer.is_error or not isinstance(record, dict):
            why = record.get("error") if isinstance(record, dict) else record
            raise InvalidError(f"{self.config.issuer} refuses the login ({str(why)[:100]})", "log in again")
        claims = await self._claims(str(record.get("id_token") or ""), login)
        if self.config.groups not in claims:
            claims = await self._with_userinfo(claims, str(record.get("access_token") or ""))
        return self._page_user(claims)

    async def _with_userinfo(self, claims: Mapping[str, Any], token: str) -> Mapping[str, Any]:
        """Return the claims with what the provider says elsewhere of the user, if it does (OpenID Connect, 5.3)."""
        url = (await self._known()).get("userinfo_endpoint")
        if not url or not token:
            return claims
        more = await self._fetch(url, {"authorization": f"Bearer {token}"})
        return {**more, **claims} if more.get("sub") == claims["sub"] else claims

    async def _claims(self, token: str, login: PendingLogin) -> Mapping[str, Any]:
        registry = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self.config.issuer},
            aud={"essential": True, "value": self.config.client_id},
            azp={"value": self.config.client_id},
            exp={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": login.nonce},
        )
        try:
            try:
                decoded = jwt.decode(token, await self._signers(), algorithms=ALGORITHMS)
            except (JoseError, ValueError):
                # Its keys may be new; who is no provider of ours fails the second time, too.
                self._keys = None
                decoded = jwt.decode(token, await self._signers(), algorithms=ALGORITHMS)
            registry.validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise InvalidError(
                f"the ID token of {self.config.issuer} is refused ({type(error).__name__}: {error})", "log in again"
            ) from error
        claims: Mapping[str, Any] = decoded.claims
        return claims

    def _page_user(self, claims: Mapping[str, Any]) -> PageUser:
        """Return a user who may do what groups and ``sub`` say: all else, users choose themselves (Core, 5.7)."""
        subject = str(claims["sub"])
        groups = claims.get(self.config.groups)
        texts = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
        own = {subject, *(text for text in texts if isinstance(text, str))}
        acts = "*" in self.config.responders or bool(self.config.responders & own)
        return PageUser(_shown_name(claims, subject), Permission.RESPONDER if acts else Permission.VIEWER)

    async def _known(self) -> Mapping[str, Any]:
        """Return what the provider says of itself (OpenID Connect Discovery 1.0)."""
        if self._metadata is None:
            metadata = await self._fetch(f"{self.config.issuer.rstrip('/')}/.well-known/openid-configuration")
            if metadata.get("issuer") != self.config.issuer:
                raise InvalidError(
                    f"the provider calls itself {metadata.get('issuer')!r}, not {self.config.issuer!r}",
                    "set TOCSIN_UI_OIDC_ISSUER to the name that it has for itself",
                )
            self._metadata = metadata
        return self._metadata

    async def _signers(self) -> KeySet:
        if self._keys is None:
            self._keys = KeySet.import_key_set(await self._fetch((await self._known())["jwks_uri"]))  # type: ignore[arg-type]  # its type demands literal keys
        return self._keys

    async def _fetch(self, url: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        try:
            async with self._client() as client:
                record = (await client.get(url, headers=headers)).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise self._away(error) from error
        if not isinstance(record, dict):
            raise self._away(TypeError(f"{url} is no object"))
        return record

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=TIMEOUT_S, transport=self.transport)

    def _away(self, error: Exception) -> TransientError:
        return TransientError(
            f"{self.config.issuer} does not answer as an OpenID provider ({type(error).__name__})",
            "try again; or check TOCSIN_UI_OIDC_ISSUER",
        )


def _shown_name(claims: Mapping[str, Any], subject: str) -> str:
    """Return what people read, with the begin of what only the provider gives, so that nobody passes for another."""
    for claim in ("preferred_username", "email", "name"):
        text = claims.get(claim)
        if isinstance(text, str) and (shown := escape_control(text).strip()) and shown != subject:
            return f"{shown[: LONGEST_NAME - SUBJECT - 3]} ({escape_control(subject[:SUBJECT])})"
    return escape_control(subject)[:LONGEST_NAME]

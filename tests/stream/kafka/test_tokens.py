"""Tokens for OAUTHBEARER: kept while they live, renewed before they end, and a provider that misbehaves."""

import base64
import json
import ssl
import sys
from collections.abc import Iterator

import pytest

from models.errors import InvalidError, TransientError
from stream.kafka.security.tokens import RENEWED_AFTER, TokenSource, client_credentials, token_source
from tests.token_server import TokenServer

CLIENT, SECRET = "tocsin client", "of:the/client"


@pytest.fixture
def provider(tokens: TokenServer) -> Iterator[TokenServer]:
    """Give the provider, to which the client is known."""
    tokens.clients[CLIENT] = SECRET
    yield tokens
    del tokens.clients[CLIENT]


class Provider:
    """Tokens that live 100 s, by a clock that is set; none while it is away."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.made = 0
        self.away = False

    def fetch(self) -> tuple[str, float]:
        """Return the next token."""
        if self.away:
            raise TransientError("away", "wait")
        self.made += 1
        return f"token-{self.made}", self.now + 100.0

    def source(self) -> TokenSource:
        """Return a source of its tokens."""
        return TokenSource(self.fetch, lambda: self.now)


def test_a_token_is_kept_until_most_of_its_life_is_over() -> None:
    """However many clients ask."""
    provider = Provider()
    source = provider.source()
    assert {source.token() for _ in range(5)} == {("token-1", 1100.0)}
    provider.now += 100 * RENEWED_AFTER
    assert source.token() == ("token-2", 1170.0)


def test_a_provider_that_is_away_is_missed_only_when_the_token_ends() -> None:
    """The old token serves until then."""
    provider = Provider()
    source = provider.source()
    source.token()
    provider.away = True
    provider.now += 99
    assert source.token()[0] == "token-1"
    provider.now += 1
    with pytest.raises(TransientError):
        source.token()
    provider.away = False
    assert source.token()[0] == "token-2"


def test_a_token_that_has_ended_when_it_comes_is_told() -> None:
    """The clock of this machine is wrong, or that of the provider."""
    source = TokenSource(lambda: ("old", 1000.0), lambda: 5000.0)
    with pytest.raises(TransientError, match="compare this machine's clock"):
        source.token()


def test_a_token_comes_by_client_credentials(provider: TokenServer) -> None:
    """Client and secret arrive whatever signs they hold, and the end of the token is the provider's."""
    token, ends = client_credentials(provider.url, CLIENT, SECRET, "kafka", ssl.create_default_context())
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["sub"] == CLIENT
    assert ends == pytest.approx(claims["exp"], abs=2)


def test_without_a_lifetime_in_the_answer_the_token_says_when_it_ends(
    provider: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 6749 only recommends ``expires_in``."""
    answer = {"access_token": provider.token(CLIENT), "token_type": "Bearer"}
    monkeypatch.setattr(provider, "answer", lambda *_: (200, answer))
    _, ends = client_credentials(provider.url, CLIENT, SECRET, "kafka", ssl.create_default_context())
    part = answer["access_token"].split(".")[1]
    assert ends == json.loads(base64.urlsafe_b64decode(part + "=="))["exp"]


@pytest.mark.parametrize(
    ("status", "answer", "kind", "said"),
    [
        (401, {"error": "invalid_client"}, InvalidError, "401 invalid_client"),
        (400, {"error": "invalid_scope"}, InvalidError, "400 invalid_scope"),
        (403, ["no object"], InvalidError, "(403)"),
        (503, {}, TransientError, "answers 503"),
        (429, {}, TransientError, "answers 429"),
        (200, {"token_type": "Bearer"}, TransientError, "without a token"),
        (200, {"access_token": "opaque"}, TransientError, "without a token"),
        (200, ["no object"], TransientError, "without a token"),
    ],
    ids=["wrong secret", "wrong scope", "forbidden", "down", "too many", "no token", "no end", "no object"],
)
def test_what_the_provider_says_is_told(
    provider: TokenServer,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    answer: object,
    kind: type[Exception],
    said: str,
) -> None:
    """A refusal is to be corrected, a failure passes; the secret is in neither."""
    monkeypatch.setattr(provider, "answer", lambda *_: (status, answer))
    with pytest.raises(kind) as failed:
        client_credentials(provider.url, CLIENT, SECRET, "kafka", ssl.create_default_context())
    assert said in str(failed.value)
    assert SECRET not in str(failed.value)


def test_one_process_has_one_source() -> None:
    """So that its clients share a token."""
    given = {
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.token.endpoint.url": "https://host/token",
        "sasl.oauthbearer.client.id": "me",
        "sasl.oauthbearer.client.secret": SECRET,
    }
    assert token_source(given) is token_source(dict(given))
    with pytest.raises(InvalidError, match="TOCSIN_KAFKA_OAUTH_TOKEN_URL"):
        token_source(given | {"sasl.oauthbearer.token.endpoint.url": "file:///etc/passwd"})


def test_iam_tokens_are_signed_for_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Amazon's library, with the credentials that boto3 finds, and without asking anybody."""
    pytest.importorskip("aws_msk_iam_sasl_signer")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    token, _ = token_source({"sasl.mechanism": "AWS_MSK_IAM", "aws.region": "eu-central-1"}).token()
    url = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    assert url.startswith("https://kafka.eu-central-1.amazonaws.com/?Action=kafka-cluster%3AConnect")
    assert "X-Amz-Signature=" in url
    assert SECRET not in url


def test_without_amazons_library_the_advice_is_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The serving install leaves it out."""
    monkeypatch.setitem(sys.modules, "aws_msk_iam_sasl_signer", None)
    with pytest.raises(InvalidError) as refused:
        token_source({"sasl.mechanism": "AWS_MSK_IAM", "aws.region": "nowhere"})
    assert refused.value.advice.startswith("install tocsin[msk]")

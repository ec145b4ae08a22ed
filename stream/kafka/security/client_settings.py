"""The properties as confluent-kafka takes them: where SASL works with tokens, a callback in their place."""

from collections.abc import Callable, Mapping

from stream.kafka.security.properties import MSK_IAM, OAUTHBEARER, mechanism_of, security_properties
from stream.kafka.security.tokens import Token, token_source

_TOKENS = ("sasl.oauthbearer.", "https.", "aws.")


def client_settings(properties: Mapping[str, str]) -> dict[str, str | Callable[..., Token]]:
    """Return librdkafka's settings; it asks the callback for tokens from a thread of its own.

    Raises:
        InvalidError: the provider of tokens refuses this client.
        TransientError: there is no token just now; librdkafka itself would wait 10 s and not say why.
    """
    given = security_properties(properties)
    if mechanism_of(given) not in {OAUTHBEARER, MSK_IAM}:
        return dict(properties)
    source = token_source(given)
    source.token()
    kept = {name: value for name, value in properties.items() if not name.startswith(_TOKENS)}
    kept.pop("sasl.mechanisms", None)
    return {**kept, "sasl.mechanism": OAUTHBEARER, "oauth_cb": lambda _: source.token()}

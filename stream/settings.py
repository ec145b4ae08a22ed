"""Settings: environment ``TOCSIN_…`` over ``tocsin.toml`` over the defaults below.

This is the only file that reads the environment.  What is unknown or wrong stops the start with its name; a value is
never part of a message, because it may be a secret.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from models.errors import InvalidError
from stream.kafka.security import PROPERTIES

PREFIX: Final = "TOCSIN_"
CONFIG_VARIABLE: Final = "TOCSIN_CONFIG"
CONFIG_FILE: Final = "tocsin.toml"

_SERVICE_LINK: Final = re.compile(
    r"TOCSIN_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)",
)
"""Variables that Kubernetes sets for a Service whose name begins with ``tocsin``."""

_LLM_KEYS: Final = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE")
_SECRET_PROPERTY: Final = re.compile(r"password|secret|\.key\.pem$")
"""Properties of ``kafka`` that are secret; the others only share its table."""

_SECRET_VARIABLES: Final = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
)
"""Secrets that libraries read by themselves."""

_LINK_VALUE: Final = re.compile(r"(tcp|udp|sctp)://")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        msg = "no such time zone; give an IANA name such as Europe/Prague"
        raise ValueError(msg) from error
    return name


def _flat(table: Any) -> Any:
    """Turn TOML's nested tables (``security.protocol = …`` without quotes) and plain values into Kafka's own form."""
    if not isinstance(table, Mapping):
        return table
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{rest}": inner for rest, inner in _flat(value).items()}
        elif isinstance(value, bool):
            flat[name] = str(value).lower()
        else:
            flat[name] = str(value) if isinstance(value, int | float) else value
    return flat


def _url(secret: SecretStr) -> SecretStr:
    if not re.match(r"https?://[^\s/]", secret.get_secret_value()):
        msg = "not a URL; it must begin with https:// or http://"
        raise ValueError(msg)
    return secret


def _default_cache() -> Path:
    """Where the XDG base directories have caches."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tocsin"


Zone: TypeAlias = Annotated[str, AfterValidator(_zone)]
SecretUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_url)]
Seconds: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(gt=0)]


class LineFormatSetting(BaseModel):
    """A line format of the user's own, tried before the built-in ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(min_length=1)
    pattern: str = Field(min_length=1)
    """Regular expression with named groups."""
    time_format: str | None = None


class Settings(BaseSettings):
    """Everything that can be set.  Field ``x`` is ``TOCSIN_X`` in the environment and ``x`` in ``tocsin.toml``."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    kafka_bootstrap_servers: str = Field(default="localhost:9092", min_length=1)
    kafka: Annotated[dict[str, SecretStr], BeforeValidator(_flat)] = {}
    """librdkafka properties of every client (``security.protocol``, ``sasl.username`` …); table ``[kafka]``."""
    kafka_security_protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] | None = None
    """This and the next eight come before what ``kafka`` says of the same; see ``stream.kafka.security``."""
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_cafile: Path | None = None
    """Certificates of the authorities (PEM), or a folder of them; default: the system's."""
    kafka_ssl_certfile: Path | None = None
    kafka_ssl_keyfile: Path | None = None
    kafka_ssl_keypassword: SecretStr | None = None
    kafka_ssl_verify: bool | None = None
    topic_prefix: str = Field(default="tocsin.", pattern=r"^[A-Za-z0-9._-]*$", max_length=200)
    raw_partitions: Count = 8
    events_partitions: Count = 8
    replication: Count = 1

    bundle: Path | None = None
    masks: Path | None = None
    """File with masks beside the shipped ones."""

    metrics_port: int = Field(default=9464, ge=0, le=65535)
    """0: no metrics."""
    metrics_host: str = "0.0.0.0"  # noqa: S104 - Prometheus scrapes from another machine
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_json: bool = False

    zone: Zone = "UTC"
    """Zone of times that name none."""
    zones: dict[str, Zone] = {}
    """Source (with ``*`` and ``?``) → zone, where it is not ``zone``."""
    formats: tuple[LineFormatSetting, ...] = ()
    max_line: Count = 65536
    """Bytes; longer lines are dead letters."""
    future_limit_s: Seconds = 600
    """A time further ahead of the broker's than this is put back."""

    batch_lines: Count = 20_000
    batch_seconds: Seconds = 0.25
    dead_limit_share: float = Field(default=0.5, gt=0, le=1)
    """Ingest stops when more than this share of the last lines, and at least ``dead_limit_min`` of them, is dead."""
    dead_limit_min: Count = 2000

    window_length_s: Seconds = 60
    window_step_s: Seconds = 15
    window_lateness_s: float = Field(default=2, ge=0, allow_inf_nan=False)
    window_at_errors: bool = True
    session_gap_s: Seconds = 60
    session_age_s: Seconds = 600
    session_events: Count = 512
    idle_s: Seconds = 60
    false_alarms_per_day: float = Field(default=1.0, gt=0, allow_inf_nan=False)

    alert_quiet_s: Seconds = 300
    """An incident ends after so long without an anomalous window."""
    alert_update_s: Seconds = 60
    """An open incident is published again at most this often, unless its severity rises."""
    alert_grace_s: float = Field(default=900, ge=0, allow_inf_nan=False)
    """What comes back at the same place within so long after its end is the same incident."""
    rules: Path | None = None
    """YAML file of routes, suppressions, maintenance and the budget of pages; see ``tocsin rules``."""

    failures: Path | None = None
    """TOML file of known failures, beside the shipped ones; see ``index/diagnosis/failures.toml``."""
    explain_settle_s: Seconds = 10
    """An incident so old is explained once more, by all means: by then its windows tell more than its first."""

    index_path: Path = Path("tocsin-index")
    """Folder of the search index: past incidents and runbooks."""
    embedding_model: str = Field(default="sentence-transformers/all-MiniLM-L12-v2", min_length=1)
    """Folder or name of a sentence encoder that is on this machine, or ``built-in``."""

    cache_path: Path = Field(default_factory=_default_cache)
    """Folder of read log files and vectors of texts, which can be made again; see ``tocsin cache``."""
    cache_mb: int = Field(default=1024, ge=0)
    """Megabytes of it at most; 0: nothing is kept."""
    llm_enabled: bool = True
    """A language model is asked where there is a key: the SDK's own, ``ANTHROPIC_API_KEY``."""
    llm_model_small: str = Field(default="claude-haiku-5-5", min_length=1)
    llm_model_large: str = Field(default="claude-sonnet-5-5", min_length=1)
    """Asked where the small one is unsure; the same as the small one: never."""
    llm_prompt_tokens: int = Field(default=12_000, ge=4_000, le=100_000)
    llm_max_tokens: int = Field(default=4_000, ge=500, le=64_000)
    """Tokens of an answer, with what the model thinks."""
    llm_timeout_s: Seconds = 60
    """For a question with all its attempts."""
    llm_connect_timeout_s: Seconds = 5
    llm_idle_timeout_s: Seconds = 20
    """Between two pieces of an answer."""
    llm_attempts: int = Field(default=4, ge=1, le=10)
    llm_budget_usd_per_day: float = Field(default=5.0, ge=0, allow_inf_nan=False)
    llm_budget_usd_per_day_tenant: float = Field(default=2.0, ge=0, allow_inf_nan=False)
    llm_budget_share: float = Field(default=1.0, gt=0, le=1)
    """Part of both budgets that workers with this ``index_path`` may spend; workers elsewhere have the rest."""
    llm_allowed_links: tuple[str, ...] = ()
    """Beginnings of links that a diagnosis may hold."""

    redaction_kinds: Path | None = None
    """TOML file of secrets to take out of what leaves, beside the shipped kinds; see ``index/redaction/kinds.toml``."""

    alertmanager_url: SecretUrl | None = None
    slack_url: SecretUrl | None = None
    pagerduty_url: SecretUrl | None = None
    pagerduty_routing_key: SecretStr | None = None

    alertmanager_authorization: SecretStr | None = None
    """Value of the header of that name."""
    alertmanager_resend_s: Seconds = 60
    """What fires is told Alertmanager again so often; it ends there after four times as long without."""
    slack_token: SecretStr | None = None
    """Bot token; with it, messages are updated in place, and ``slack_url`` is not used."""
    slack_channel: str = ""
    """Id of the channel (C…).  A name does for posting, but Slack finds a message whose answer was lost only by id."""
    slack_signing_secret: SecretStr | None = None
    """With it, messages have buttons for votes, which come back to ``votes_port``."""
    slack_api_url: SecretUrl | None = None
    """Another address of Slack's web API, as https://slack-gov.com/api."""
    votes_port: int = Field(default=9465, ge=0, le=65535)
    votes_host: str = "0.0.0.0"  # noqa: S104 - Slack calls from outside
    webhook_url: SecretUrl | None = None
    webhook_secret: SecretStr | None = None
    """Signs what goes to ``webhook_url``."""
    alert_file: str | None = None
    """File to which every alert is appended as a line; ``-`` is standard output."""
    deliver_timeout_s: Seconds = 10
    deliver_give_up_s: Seconds = 86_400
    """An alert that no sink took for so long is given up until the role starts again."""
    deliver_history_s: float = Field(default=3600, ge=0, allow_inf_nan=False)
    """A sink that is new is told the alerts of so long before."""
    synthetic_every_s: float = Field(default=3600, ge=0, allow_inf_nan=False)
    """A test alert goes to every sink so often; 0: never."""
    receipt_key: SecretStr | None = None
    """Signs the receipts of alerts."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take the command line, then the environment, then the file; no ``.env`` and no folder of secrets."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, InitSettingsSource(settings_cls, _read_file(config_file()))

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.window_length_s % self.window_step_s:
            msg = "window_length_s must be a multiple of window_step_s"
            raise ValueError(msg)
        if self.window_lateness_s > min(self.window_step_s, self.session_gap_s):
            msg = "window_lateness_s must not exceed window_step_s or session_gap_s"
            raise ValueError(msg)
        return self

    def kafka_properties(self) -> dict[str, str]:
        """Return ``kafka`` and the settings that come before it, in clear, as librdkafka's properties."""
        own = {name: value for setting, name in PROPERTIES.items() if (value := getattr(self, setting)) is not None}
        return {name: _clear(value) for name, value in (dict(self.kafka) | own).items()}

    def own_secrets(self) -> dict[str, str]:
        """Return our own secrets in clear, by the setting, property or variable that holds each."""
        own = {name: getattr(self, name) for name in type(self).model_fields}
        own |= {name: value for name, value in self.kafka.items() if _SECRET_PROPERTY.search(name)}
        found = {name: _clear(value) for name, value in own.items() if isinstance(value, SecretStr)}
        return found | {name: value for name in _SECRET_VARIABLES if (value := os.environ.get(name))}


def _clear(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value).lower() if isinstance(value, bool) else str(value)


def load_settings(**overrides: Any) -> Settings:
    """Read all settings; ``overrides`` (options of the command line) come first.

    Raises InvalidError that names every setting that is unknown or wrong, and where it stands.
    """
    unknown = _unknown_variables(os.environ)
    if unknown:
        raise _joined(unknown)
    try:
        return Settings(**overrides)
    except SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = _place(field[1], overrides) if field else "a setting"
        # The cause holds the value.
        raise InvalidError(f"{name} is not valid JSON", "write lists and tables of the environment as JSON") from None
    except ValidationError as error:
        problems = [_problem(problem["loc"], problem["type"], problem["msg"], overrides) for problem in error.errors()]
        raise _joined(problems) from None


def _joined(errors: Sequence[InvalidError]) -> InvalidError:
    """Return all errors as one: every text, and the advice of the last as its advice."""
    *others, last = errors
    return InvalidError("; ".join([*map(str, others), last.problem]), last.advice)


def has_llm_key() -> bool:
    """Tell whether the environment holds what Anthropic's SDK takes for a key.  Only the SDK reads it."""
    return any(os.environ.get(name) for name in _LLM_KEYS)


def config_file() -> Path | None:
    """Return the settings file: ``TOCSIN_CONFIG``, or ``tocsin.toml`` here if there is one."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    here = Path(CONFIG_FILE)
    return here if here.is_file() else None


def _read_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidError(
            f"cannot read the settings file {path} ({error.strerror})",
            f"correct {CONFIG_VARIABLE} or the file's rights",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidError(f"{path} is not valid TOML: {error}", "correct it") from error


def _unknown_variables(environment: Mapping[str, str]) -> list[InvalidError]:
    known = {CONFIG_VARIABLE, *(PREFIX + name.upper() for name in Settings.model_fields)}
    return [
        InvalidError(f"{name} is not a setting", _advice(name.upper(), known))
        for name, value in sorted(environment.items())
        if name.upper().startswith(PREFIX) and name.upper() not in known and not _is_service_link(name, value)
    ]


def _is_service_link(name: str, value: str) -> bool:
    return bool(_SERVICE_LINK.fullmatch(name) or (name.endswith("PORT") and _LINK_VALUE.match(value)))


def _advice(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return f"did you mean {close[0]}?" if close else "remove it"


def _problem(loc: tuple[int | str, ...], kind: str, message: str, overrides: Mapping[str, Any]) -> InvalidError:
    if not loc:
        return InvalidError(message.removeprefix("Value error, "))
    field = str(loc[0])
    name = ".".join([_place(field, overrides), *map(str, loc[1:])])
    if kind == "extra_forbidden":
        known = LineFormatSetting.model_fields if len(loc) > 1 else Settings.model_fields
        return InvalidError(f"{name} is not a setting", _advice(str(loc[-1]), set(known)))
    if _LINK_VALUE.match(os.environ.get(PREFIX + field.upper(), "")):
        return InvalidError(
            f"{name} was set by Kubernetes for a Service of that name", "set enableServiceLinks: false in the pod"
        )
    return InvalidError(f"{name}: {message.removeprefix('Value error, ')}")


def _place(field: str, overrides: Mapping[str, Any]) -> str:
    """Return what the user calls the setting, and where it was read."""
    if field in overrides:
        return "--" + field.replace("_", "-")
    variable = PREFIX + field.upper()
    if os.environ.get(variable):
        return variable
    path = config_file()
    return f"{field} (in {path})" if path else variable

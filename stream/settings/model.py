"""All settings: name, type, default and meaning.

The text under a field is its description: ``tocsin settings --markdown`` prints it, and stream/README.md holds it.
"""

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from stream.kafka.security import PROPERTIES
from stream.settings.environment import (
    PREFIX,
    config_file,
    default_cache,
    default_state,
    environment,
    library_secrets,
    read_config,
)
from stream.settings.secret_files import SecretFile, read_secrets, secret_files, without_files
from stream.settings.value_types import Count, Seconds, SecretUrl, Zone, clear_text, flat, is_secret

SECRET_PROPERTY: Final = re.compile(r"password|secret|\.key\.pem$")
"""Properties of ``kafka`` that are secret; the others are only in the same table."""


class LineFormatSetting(BaseModel):
    """A line format that the user defines, tried before the built-in ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(min_length=1)
    pattern: str = Field(min_length=1)
    """Regular expression with named groups."""
    time_format: str | None = None


class Settings(BaseSettings):
    """All settings.  Field ``x`` is ``TOCSIN_X`` in the environment and ``x`` in ``tocsin.toml``."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    kafka_bootstrap_servers: str = Field(default="localhost:9092", min_length=1)
    """Addresses of the Kafka brokers, separated by commas."""
    kafka: Annotated[dict[str, SecretStr], BeforeValidator(flat)] = {}
    """librdkafka properties of every client (`security.protocol`, `sasl.username` …): table `[kafka]` of the file."""
    kafka_security_protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] | None = None
    """`plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`; this and the next 14 override `kafka`."""
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM"] | None = None
    """`PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`, `OAUTHBEARER` (OIDC) or `AWS_MSK_IAM`."""
    kafka_sasl_username: str | None = None
    """User name for `PLAIN` and `SCRAM`."""
    kafka_sasl_password: SecretStr | None = None
    """Password for `PLAIN` and `SCRAM`."""
    kafka_oauth_token_url: str | None = None
    """Token endpoint of the OIDC provider, for `OAUTHBEARER`."""
    kafka_oauth_client_id: str | None = None
    """Client that asks for tokens there, by the client credentials grant."""
    kafka_oauth_client_secret: SecretStr | None = None
    """Secret of that client."""
    kafka_oauth_scope: str | None = None
    """Scope of the tokens."""
    kafka_oauth_cafile: Path | None = None
    """PEM file of certificate authorities, or a folder of them, for the token endpoint; default: the system's."""
    kafka_aws_region: str | None = None
    """Region of the cluster, for `AWS_MSK_IAM`, which signs with the credentials that boto3 finds."""
    kafka_ssl_cafile: Path | None = None
    """PEM file of certificate authorities, or a folder of them; default: the system's."""
    kafka_ssl_certfile: Path | None = None
    """PEM file of the client's certificate."""
    kafka_ssl_keyfile: Path | None = None
    """PEM file of the client's key."""
    kafka_ssl_keypassword: SecretStr | None = None
    """Password of the client's key."""
    kafka_ssl_verify: bool | None = None
    """Whether the broker's certificate is verified; default: it is."""
    topic_prefix: str = Field(default="tocsin.", pattern=r"^[A-Za-z0-9._-]*$", max_length=200)
    """Start of the name of every topic and consumer group."""
    raw_partitions: Count = 8
    """Partitions of `logs.raw` when it is created."""
    events_partitions: Count = 8
    """Partitions of `logs.events` when it is created."""
    replication: Count = 1
    """Replicas of topics that are created."""

    bundle: str | Path | None = None
    """The trained model: a folder, or a version in a store, as `s3://bucket/prefix/NAME@champion` or `@v12`; without
    one, the worker begins with the shipped one and learns by itself."""
    models: str | None = Field(default=None, pattern=r"^(s3|file)://.")
    """Address of the store of trained models: `s3://bucket/prefix`, or `file:///folder` for one machine."""
    signing_key: Path | None = None
    """PEM file of the private key with which versions are signed; see `tocsin models key`."""
    trusted_keys: tuple[str, ...] = ()
    """Public keys, as JSON: a version from a store is used only if one of them signed it. None: hashes alone count."""
    gate: Literal["off", "required"] = "off"
    """Whether `tocsin models promote` needs a version to have passed `tocsin models gate` against the one in use."""
    mlflow_url: SecretUrl | None = None
    """Address of MLflow's server, which shows trainings and versions to people; nothing depends on it."""
    s3_path_style: bool = False
    """Whether a bucket is part of the path of its address, not of the name of the host."""
    s3_encryption: Literal["", "AES256", "aws:kms"] = ""
    """Encryption that is demanded of the server: `AES256` or `aws:kms`; empty: the bucket's own."""
    s3_kms_key: str = ""
    """Key of `aws:kms`."""
    learn_after_s: float = Field(default=1200, ge=0, allow_inf_nan=False)
    """Without `bundle`: how much of the logs the first training takes; 0: the worker never trains."""
    state_path: Path = Field(
        default_factory=default_state, json_schema_extra={"default_text": "$XDG_STATE_HOME/tocsin"}
    )
    """Folder of what the worker has learned by itself; processes that serve different roles must share it."""
    masks: Path | None = None
    """TOML file with masks in addition to the shipped ones; used in training, a bundle keeps its own."""

    metrics_port: int = Field(default=9464, ge=0, le=65535)
    """Port of `/metrics`; 0: not served."""
    metrics_host: str = "0.0.0.0"  # noqa: S104 - Prometheus scrapes from another machine
    """Address on which `/metrics` is served."""
    metrics_token: SecretStr | None = None
    """Bearer token that `/metrics` asks for; `/healthz` and `/readyz` ask for none."""
    tls_certfile: Path | None = None
    """PEM file of the certificate that `metrics_port` and `votes_port` show; default: they speak in clear."""
    tls_keyfile: Path | None = None
    """PEM file of its key."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Minimum level of Tocsin's own log, which goes to standard error: `debug`, `info`, `warning` or `error`."""
    log_json: bool = False
    """Whether Tocsin's own log is JSON lines instead of text."""

    zone: Zone = "UTC"
    """Time zone (IANA name) of times that name none."""
    zones: dict[str, Zone] = {}
    """Time zones by source, whose name may hold `*` and `?`, where it is not `zone`."""
    formats: tuple[LineFormatSetting, ...] = ()
    """Line formats of your own, tried before the built-in ones: tables with `name`, `pattern` and `time_format`."""
    max_line: Count = 65536
    """Maximum length of a line in bytes; longer lines become dead letters."""
    future_limit_s: Seconds = 600
    """Times more than this many seconds ahead of the broker's clock are clamped to it."""

    batch_lines: Count = 20_000
    """Maximum number of lines that ingest reads at once."""
    batch_seconds: Seconds = 1.0
    """Maximum time in seconds that ingest waits for them."""
    dead_limit_share: float = Field(default=0.5, gt=0, le=1)
    """Ingest stops when more than this share of the last 20,000 lines are dead letters."""
    dead_limit_min: Count = 2000
    """Minimum number of dead letters for that."""

    window_length_s: Seconds = 60
    """Length of source windows, in training; a bundle keeps its own, as for the next six."""
    window_step_s: Seconds = 15
    """Time between the starts of two source windows; the length must be a multiple of it."""
    window_lateness_s: float = Field(default=2, ge=0, allow_inf_nan=False)
    """How late an event may come to a window that is otherwise complete."""
    window_at_errors: bool = True
    """Whether the first error in each step of a source gets a window that ends there."""
    session_gap_s: Seconds = 60
    """A session window ends after this time without an event."""
    session_age_s: Seconds = 600
    """Maximum duration of a session window."""
    session_events: Count = 512
    """Maximum number of events in a session window."""
    idle_s: Seconds = 60
    """Windows close after this time without events, by the broker's clock."""
    false_alarms_per_day: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Budget of false alarms per tenant: a window fires where it is met, at importance 0.5."""

    alert_quiet_s: Seconds = 300
    """An incident ends after this time without an anomalous window."""
    alert_update_s: Seconds = 60
    """Minimum time between two alerts of an open incident, unless its severity rises or its cause is found."""
    alert_grace_s: float = Field(default=900, ge=0, allow_inf_nan=False)
    """A fault that returns at the same place within this time after its incident's end reopens the incident."""
    rules: Path | None = None
    """YAML file of routes, suppressions, maintenance windows and the page budget; see `tocsin rules`."""

    failures: Path | None = None
    """TOML file of known failures in addition to `index/diagnosis/failures.toml`; an id that is there is replaced."""
    explain_settle_s: Seconds = 10
    """An incident of this age is explained once more, because its later windows tell more than its first."""

    index_path: Path = Path("tocsin-index")
    """Folder of the search index: past incidents and runbooks."""
    embedding_model: str = Field(default="sentence-transformers/all-MiniLM-L12-v2", min_length=1)
    """Folder or name of a sentence encoder on this machine, or `built-in`."""

    cache_path: Path = Field(
        default_factory=default_cache, json_schema_extra={"default_text": "$XDG_CACHE_HOME/tocsin"}
    )
    """Folder of parsed log files and text vectors, which can be made again; see `tocsin cache`."""
    cache_mb: int = Field(default=1024, ge=0)
    """Maximum size of the cache in megabytes; 0: nothing is kept."""
    llm_enabled: bool = True
    """Whether Claude is asked where the SDK finds a key (`ANTHROPIC_API_KEY`)."""
    llm_model_small: str = Field(default="claude-haiku-5-5", min_length=1)
    """The model that is asked first."""
    llm_model_large: str = Field(default="claude-sonnet-5-5", min_length=1)
    """The model that is asked where the small one is unsure; never, if it is the same."""
    llm_prompt_tokens: int = Field(default=12_000, ge=4_000, le=100_000)
    """Maximum number of tokens of a prompt."""
    llm_max_tokens: int = Field(default=4_000, ge=500, le=64_000)
    """Maximum number of tokens of an answer, including the model's thinking."""
    llm_timeout_s: Seconds = 60
    """Timeout of a question, with all its attempts."""
    llm_connect_timeout_s: Seconds = 5
    """Timeout of connecting."""
    llm_idle_timeout_s: Seconds = 20
    """Timeout between two pieces of an answer."""
    llm_attempts: int = Field(default=4, ge=1, le=10)
    """Maximum number of attempts of a question."""
    llm_budget_usd_per_day: float = Field(default=5.0, ge=0, allow_inf_nan=False)
    """Budget in US dollars per day."""
    llm_budget_usd_per_day_tenant: float = Field(default=2.0, ge=0, allow_inf_nan=False)
    """Budget in US dollars per day and tenant."""
    llm_budget_share: float = Field(default=1.0, gt=0, le=1)
    """Share of both budgets that workers with this `index_path` may spend; workers elsewhere have the rest."""
    llm_allowed_links: tuple[str, ...] = ()
    """Prefixes of links that a diagnosis may contain."""

    redaction_kinds: Path | None = None
    """TOML file of secrets to redact in addition to `index/redaction/kinds.toml`."""

    alertmanager_url: SecretUrl | None = None
    """Addresses of all members of Alertmanager, separated by commas."""
    slack_url: SecretUrl | None = None
    """Incoming webhook of Slack, instead of `slack_token`."""
    pagerduty_url: SecretUrl | None = None
    """Address of PagerDuty's Events API; default: PagerDuty's own."""
    pagerduty_routing_key: SecretStr | None = None
    """Integration key of PagerDuty's Events API v2."""

    alertmanager_authorization: SecretStr | None = None
    """Value of the `Authorization` header for Alertmanager."""
    alertmanager_resend_s: Seconds = 60
    """Interval in which firing alerts are sent to Alertmanager again; it resolves them after four intervals without."""
    slack_token: SecretStr | None = None
    """Bot token of Slack: messages are updated in place; then `slack_url` is not used."""
    slack_channel: str = ""
    """Id of the Slack channel (C…). With a name instead, a message whose response was lost may be posted twice."""
    slack_signing_secret: SecretStr | None = None
    """Signing secret of the Slack app: messages get vote buttons, whose clicks come to `votes_port`."""
    slack_api_url: SecretUrl | None = None
    """Another address of Slack's web API, such as https://slack-gov.com/api."""
    votes_port: int = Field(default=9465, ge=0, le=65535)
    """Port for clicks on vote buttons."""
    votes_host: str = "0.0.0.0"  # noqa: S104 - Slack calls from outside
    """Address for clicks on vote buttons."""
    webhook_url: SecretUrl | None = None
    """Address of any receiver of alerts as JSON."""
    webhook_secret: SecretStr | None = None
    """Key with which requests to `webhook_url` are signed."""
    alert_file: str | None = None
    """File to which every alert is appended as a JSON line; `-` is standard output."""
    deliver_timeout_s: Seconds = 10
    """Timeout of one request to a sink."""
    deliver_give_up_s: Seconds = 86_400
    """An alert that a sink has refused for this time is parked until the role restarts."""
    deliver_history_s: float = Field(default=3600, ge=0, allow_inf_nan=False)
    """A new sink is sent the alerts of this time before its first start."""
    synthetic_every_s: float = Field(default=3600, ge=0, allow_inf_nan=False)
    """Interval of the synthetic alert that verifies delivery to every sink; 0: none."""
    receipt_key: SecretStr | None = None
    """Key with which alerts are signed; see `tocsin receipt`."""

    ui_host: str = Field(default="127.0.0.1", min_length=1)
    """Address on which `tocsin ui` serves the review page."""
    ui_port: int = Field(default=9466, ge=0, le=65535)
    """Port of the review page; 0: a free one."""
    ui_auth: Literal["none", "basic", "proxy", "oidc"] = "none"
    """Who reads the review page: `none` (this machine only), `basic` (passwords), `proxy` (header), `oidc` (login)."""
    ui_users: Path | None = None
    """With `basic`: file of users, whose lines `tocsin ui --make-user` writes."""
    ui_proxy_trusted: tuple[str, ...] = ()
    """With `proxy`: addresses or networks of the proxies whose headers count."""
    ui_proxy_header: str = Field(default="X-Forwarded-User", pattern=r"^[A-Za-z0-9-]+$")
    """With `proxy`: header that holds the user's name."""
    ui_proxy_groups: str = Field(default="X-Forwarded-Groups", pattern=r"^[A-Za-z0-9-]+$")
    """With `proxy`: header that holds the user's groups, separated by commas."""
    ui_responders: tuple[str, ...] = ()
    """With `proxy`, `oidc`: users and groups who may vote, acknowledge and mute; `*`: all; the others only read."""
    ui_url: str | None = Field(default=None, pattern=r"^https?://[^/]+/?$")
    """With `oidc`: address at which browsers open the page; the provider sends them back to `/login/callback` there."""
    ui_oidc_issuer: str | None = Field(default=None, pattern=r"^https?://.")
    """With `oidc`: name of the OpenID provider, which is an address."""
    ui_oidc_client_id: str = ""
    """With `oidc`: name of the page at the provider."""
    ui_oidc_client_secret: SecretStr | None = None
    """With `oidc`: secret of the page at the provider."""
    ui_oidc_groups: str = "groups"
    """With `oidc`: claim of the ID token that holds the user's groups."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take the command line, then the environment, then files of secrets, then the settings file; no ``.env``."""
        del dotenv_settings, file_secret_settings
        names, config = cls.secret_names(), read_config(config_file())
        secrets = InitSettingsSource(settings_cls, dict(read_secrets(secret_files(names, environment(), config))))
        table = InitSettingsSource(settings_cls, without_files(config, names))
        return init_settings, env_settings, secrets, table

    @classmethod
    def secret_names(cls) -> list[str]:
        """Return the settings that are secret, and so may stand in files of their own."""
        return [name for name, field in cls.model_fields.items() if is_secret(field.annotation)]

    @classmethod
    def secret_files(cls) -> dict[str, SecretFile]:
        """Return the secrets that stand in files now.

        Raises:
            InvalidError: one is given twice, or the settings file cannot be read.
        """
        return secret_files(cls.secret_names(), environment(), read_config(config_file()))

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.window_length_s % self.window_step_s:
            msg = "window_length_s must be a multiple of window_step_s"
            raise ValueError(msg)
        if self.window_lateness_s > min(self.window_step_s, self.session_gap_s):
            msg = "window_lateness_s must not exceed window_step_s or session_gap_s"
            raise ValueError(msg)
        if (self.tls_certfile is None) != (self.tls_keyfile is None):
            msg = "tls_certfile and tls_keyfile must be set together"
            raise ValueError(msg)
        return self

    def kafka_properties(self) -> dict[str, str]:
        """Return ``kafka`` and the settings that override it as librdkafka's properties, secrets in clear text."""
        named = {name: value for setting, name in PROPERTIES.items() if (value := getattr(self, setting)) is not None}
        return {name: clear_text(value) for name, value in (dict(self.kafka) | named).items()}

    def own_secrets(self) -> dict[str, str]:
        """Return Tocsin's own secrets in clear text, by the setting, property or variable that holds each."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        values |= {name: value for name, value in self.kafka.items() if SECRET_PROPERTY.search(name)}
        secrets = {name: clear_text(value) for name, value in values.items() if isinstance(value, SecretStr)}
        return secrets | library_secrets()

"""Settings that the services share. A missing or wrong variable ends the start with a sentence that names it."""

import os
from pathlib import Path
from typing import Annotated, Final, TypeAlias, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.addresses import Network, parse_allow_list, parse_networks

VERSION = "0.1.0"
"""Of the whole house: its services are released together."""

_ESCAPES: Final = "write `#` in a user or password as %23, `/` as %2F, `?` as %3F and `@` as %40"


def _names_a_server(url: str) -> str:
    """Refuse an address in which drivers would look for a port among the letters of a password, and show them."""
    try:
        parts = urlsplit(url)
        hosts = [urlsplit(f"//{one}") for one in parts.netloc.rpartition("@")[2].split(",")]
        _ = [one.port for one in hosts]
    except ValueError:
        raise ValueError(f"its port is no number between 0 and 65535; {_ESCAPES}") from None
    # What follows a `#`, `/` or `?` in a password is taken for another part of the address.
    is_cut = parts.fragment or "@" in parts.path or ("@" in parts.query and not (parts.path or "@" in parts.netloc))
    if is_cut or not (all(one.hostname for one in hosts) or "host" in parse_qs(parts.query)):
        raise ValueError(f"it names no server; {_ESCAPES}")
    return url


ServerUrl: TypeAlias = Annotated[str, AfterValidator(_names_a_server)]
"""Where a server answers, with its user and password where it wants them."""


class ServiceSettings(BaseSettings):
    """What every service needs."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True)

    environment: str = Field(default="local", description="`production` forbids what is only fit for one machine")
    log_level: str = Field(default="info", pattern=r"(?i)^(debug|info|warning|error)$")
    http_host: str = Field(default="127.0.0.1", description="where health, metrics and the API are served")
    http_port: int = Field(default=0, ge=0, le=65535, description="0 takes any free port")
    database_url: ServerUrl = Field(pattern=r"^postgres(ql)?://", description="PostgreSQL, as the service's own role")
    database_pool_size: int = Field(default=8, ge=2, le=100)
    rabbitmq_url: ServerUrl = Field(pattern=r"^amqps?://", description="RabbitMQ with user, password and vhost")
    said_retention_days: int = Field(default=7, ge=1, description="how long what was said can be said again")
    report_seconds: float = Field(default=10, ge=0.5, le=15, description="how often a process says how it does")
    otel_exporter_otlp_endpoint: str | None = Field(default=None, description="absent: traces are not exported")


class ObjectSettings(BaseSettings):
    """Where the bytes lie."""

    s3_endpoint_url: ServerUrl = Field(pattern=r"^https?://")
    s3_public_endpoint_url: ServerUrl | None = Field(default=None, description="signed for browsers; default: the same")
    s3_bucket: str = "diorama"
    s3_access_key_id: str
    s3_secret_access_key: str = Field(repr=False)
    s3_region: str = "auto"


class OutboundSettings(BaseSettings):
    """How the outside is fetched."""

    user_agent: str = Field(default="Diorama/0.1 (self-hosted media backend)", min_length=3)
    outbound_allow: Annotated[frozenset[tuple[str, int]], NoDecode] = Field(
        default=frozenset(),
        description="`ip:port` pairs, comma-separated, that may be fetched although they are not public",
    )
    outbound_own_networks: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(),
        description="networks of pods, services or a VPC, comma-separated, that are never fetched from although their"
        " addresses look public",
    )
    scratch_directory: Path | None = Field(default=None, description="temporary files; default: the system's")
    environment: str = "local"

    @field_validator("outbound_allow", mode="before")
    @classmethod
    def _parse_allow(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return parse_allow_list(value)

    @field_validator("outbound_own_networks", mode="before")
    @classmethod
    def _parse_networks(cls, value: object) -> object:
        return parse_networks(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _production_has_no_exceptions(self) -> "OutboundSettings":
        if self.environment == "production" and self.outbound_allow:
            raise ValueError("OUTBOUND_ALLOW must be empty when ENVIRONMENT is production")
        return self


class WorkSettings(ServiceSettings):
    """What every worker needs beside that."""

    concurrency: int = Field(default=16, ge=1, le=1000, description="jobs that run at once in one process")
    lease_seconds: float = Field(default=15, ge=2, description="a worker that is silent for longer loses its jobs")
    heartbeat_seconds: float = Field(default=2, ge=0.2, description="one statement renews all leases of a process")
    grace_seconds: float = Field(default=20, ge=1, description="what runs may finish for so long after SIGTERM")
    job_deadline_hours: float = Field(default=24, gt=0, description="a job that waits for longer ends as failed")


S = TypeVar("S", bound=BaseSettings)


def load(settings_class: type[S]) -> S:
    """Read the environment; raise SystemExit with one sentence for each variable that is missing or wrong."""
    try:
        return settings_class()
    except ValidationError as error:
        raise SystemExit("\n".join(_sentences(settings_class, error))) from None


def inherited() -> dict[str, str]:
    """Give the whole environment, for a process of ours that shall have all of it and more."""
    return dict(os.environ)


def _sentences(settings_class: type[BaseSettings], error: ValidationError) -> list[str]:
    sentences = [f"{settings_class.__module__} cannot start:"]
    for problem in error.errors(include_url=False, include_input=False):
        name = "_".join(str(part) for part in problem["loc"]).upper()
        if problem["type"] == "missing":
            field = settings_class.model_fields.get(str(problem["loc"][0]))
            meaning = f" ({field.description})" if field and field.description else ""
            sentences.append(f"  {name} is not set{meaning}.")
        else:
            sentences.append(f"  {name or 'settings'}: {problem['msg']}.")
    return sentences

"""What the gateway reads from the environment."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Final, TypeAlias
from urllib.parse import urlsplit

from limits import RateLimitItem, parse
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from shared import settings as house
from shared.settings import ObjectSettings, OutboundSettings, ServerUrl, ServiceSettings

VERSION = house.VERSION
_SECRET_BYTES = 32  # RFC 7518 §3.2: an HS256 key is at least as long as its hash
_LARGEST_QUOTA: Final = 10**9
_LONGEST_WINDOW_SECONDS: Final = 24 * 3600

RateLimits: TypeAlias = Mapping[str, RateLimitItem | None]
Networks: TypeAlias = tuple[IPv4Network | IPv6Network, ...]

DEFAULT_RATE_LIMITS: Final = {
    "read": "6000/minute",
    "write": "1200/minute",
    "submit": "1200/minute",
    "search": "1200/minute",
    "stream": "600/minute",
    "anonymous": "1200/minute",
}
"""What one user may do in a window, by class of routes; `anonymous` is what one address may without signing in."""


class Settings(OutboundSettings, ObjectSettings, ServiceSettings):
    """The gateway's settings; names of variables are those of the fields in upper case."""

    model_config = SettingsConfigDict(arbitrary_types_allowed=True)

    projection_database_url: ServerUrl = Field(
        pattern=r"^postgres(ql)?://", description="the same database as the role gateway_projection"
    )
    projection_pool_size: int = Field(default=4, ge=3, le=100)
    project_name: str = Field(default="Diorama", description="the title of the API")
    secret_key: SecretStr | None = Field(default=None, description="signs the tokens of local users")
    token_lifetime_minutes: int = Field(default=60 * 24 * 30, ge=1, description="of a local token")
    supabase_url: str | None = Field(default=None, pattern=r"^https?://[^/?#]+/?$")
    supabase_jwt_secret: SecretStr | None = Field(default=None, description="of a project that signs with HS256")
    supabase_jwks_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#@]+(/[^?#]*)?$",
        description="the project's public keys; default without a secret: where Supabase publishes them",
    )
    supabase_jwks_seconds: float = Field(default=600, ge=1, le=3600, description="how long those keys are good")
    maximum_body_bytes: int = Field(default=1024 * 1024, ge=1024, description="of a request that carries no file")
    maximum_upload_bytes: int = Field(default=50 * 1024 * 1024, ge=1024, description="of one file")
    upload_spool_bytes: int = Field(
        default=2 * 1024**3, ge=1024, description="disk space that files may take together while they come in"
    )
    presigned_seconds: int = Field(default=3600, ge=60, le=7 * 24 * 3600, description="how long a file's URL works")
    usage_seconds: float = Field(default=5, ge=0.1, le=300, description="how often it is counted what was done")
    membership_seconds: float = Field(default=15, ge=0, description="how long a user's memberships are remembered")
    idempotency_hours: int = Field(default=24, ge=1, description="how long an Idempotency-Key is remembered")
    worker_patience_hours: float = Field(
        default=24, gt=0, description="a job that no worker answers for, though asked, ends as failed after so long"
    )
    audit_retention_days: int = Field(default=365, ge=1, description="how long it is known who did what")
    url_lines_retention_days: int = Field(
        default=365, ge=1, description="how long it is known what became of each URL of a crawl or an import"
    )
    events_retention_days: int = Field(default=7, ge=1, description="how far back a stream can be resumed")
    rate_limits: Annotated[RateLimits, NoDecode] = Field(
        default_factory=lambda: parse_rate_limits(""),
        description="`submit=600/minute,read=off`: what shall not have its default; `off` alone is for all",
    )
    rate_limit_redis_url: str | None = Field(
        default=None, pattern=r"^(rediss?|redis\+unix)://", description="counts there instead of in PostgreSQL"
    )
    image_hints_secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="the same as image generation's: providers tell when a picture is there",
    )
    trusted_proxies: Annotated[Networks, NoDecode] = Field(
        default=(), description="addresses and networks, comma-separated, whose X-Forwarded-For and -Proto are believed"
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="origins, comma-separated, whose pages may call the API; `*` for all; default: its own"
    )

    @field_validator("rate_limits", mode="before")
    @classmethod
    def _parse_rate_limits(cls, value: object) -> object:
        return parse_rate_limits(value) if isinstance(value, str) else value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _parse_networks(cls, value: object) -> object:
        return tuple(ip_network(one) for one in _listed(value)) if isinstance(value, str) else value

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _parse_origins(cls, value: object) -> object:
        return tuple(_origin(one) for one in _listed(value)) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _somebody_can_come_in(self) -> "Settings":
        if self.environment == "production" and self.secret_key is not None:
            raise ValueError(
                "SECRET_KEY switches local tokens on and must be unset when ENVIRONMENT is production;"
                " set SUPABASE_URL instead"
            )
        if self.supabase_url is None and (self.supabase_jwt_secret or self.supabase_jwks_url):
            raise ValueError("SUPABASE_JWT_SECRET and SUPABASE_JWKS_URL are set together with SUPABASE_URL")
        if self.secret_key is None and self.supabase_url is None:
            raise ValueError("nobody could sign in: set SECRET_KEY or SUPABASE_URL")
        return self

    @model_validator(mode="after")
    def _keys_come_unchanged(self) -> "Settings":
        if self.jwks_url is None or self.jwks_url.startswith("https://"):
            return self
        if self.environment == "production" or not _is_loopback(self.jwks_url):
            raise ValueError(
                f"whoever is on the way could exchange the keys at {self.jwks_url}: set SUPABASE_JWKS_URL to an address"
                " with https, or SUPABASE_JWT_SECRET alone"
            )
        return self

    @model_validator(mode="after")
    def _secrets_are_long_enough(self) -> "Settings":
        for name in ("secret_key", "supabase_jwt_secret"):
            secret: SecretStr | None = getattr(self, name)
            if secret is not None and len(secret.get_secret_value().encode()) < _SECRET_BYTES:
                raise ValueError(f"{name.upper()} must be at least {_SECRET_BYTES} bytes long")
        return self

    @property
    def jwks_url(self) -> str | None:
        """Where the keys of Supabase's users are published; None where they sign with the secret alone."""
        if self.supabase_jwks_url is not None or self.supabase_url is None or self.supabase_jwt_secret is not None:
            return self.supabase_jwks_url
        return f"{self.supabase_url.rstrip('/')}/auth/v1/.well-known/jwks.json"


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_rate_limits(text: str) -> dict[str, RateLimitItem | None]:
    """Read `submit=600/minute,search=off`; what is not named has its default. Raises ValueError."""
    if text.strip() == "off":
        return dict.fromkeys(DEFAULT_RATE_LIMITS)
    asked = dict(DEFAULT_RATE_LIMITS)
    for one in _listed(text):
        name, _, limit = (part.strip() for part in one.partition("="))
        if name not in DEFAULT_RATE_LIMITS or not limit:
            raise ValueError(f"`{one}` is not one of {', '.join(DEFAULT_RATE_LIMITS)} with a limit: `read=600/minute`")
        asked[name] = limit
    return {name: None if limit == "off" else _limit(limit) for name, limit in asked.items()}


def _limit(text: str) -> RateLimitItem:
    item = parse(text)
    if not (1 <= item.amount <= _LARGEST_QUOTA and 1 <= item.get_expiry() <= _LONGEST_WINDOW_SECONDS):
        raise ValueError(f"`{text}` allows nothing, or more than {_LARGEST_QUOTA}, or counts for longer than a day")
    return item


def _origin(text: str) -> str:
    text = text.removesuffix("/")
    if text == "*":
        return text
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or text != f"{parts.scheme}://{parts.netloc}" or not parts.hostname:
        raise ValueError(f"`{text}` is not an origin such as https://app.example.org")
    return text


def _listed(text: str) -> Iterator[str]:
    return (part.strip() for part in text.split(",") if part.strip())

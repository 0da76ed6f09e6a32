"""How the gateway is."""

from typing import Literal

from pydantic import Field

from services.gateway.routes.documented.shapes.shape import Count, Shape, Timestamp


class Health(Shape):
    """Whether the gateway is well."""

    status: Literal["healthy", "degraded"]
    version: str
    database: bool
    broker: bool


class DatabaseHealth(Shape):
    """Whether the database answers with all its tables."""

    status: Literal["healthy", "unhealthy"]
    reason: str | None = Field(default=None, description="why not, where it does not answer")
    response_time_ms: float | None = None
    tables_checked: list[str]
    tables_missing: list[str] | None = None


class KeySet(Shape):
    """The public keys of one issuer of tokens."""

    url: str
    keys: Count
    fetched_at: Timestamp | None
    trouble: str | None = Field(description="what went wrong last")


class DetailedHealth(Shape):
    """What an operator asks first."""

    status: Literal["healthy", "degraded"]
    version: str
    environment: str
    uptime_seconds: Count
    problems: dict[str, str] = Field(description="what is wrong, by the part that is")
    database: bool
    stream_followers: Count
    published_keys: list[KeySet]
    missing_variables: list[str]
    features_off: dict[str, str] = Field(description="what this gateway does not do, and why")

"""What the gateway reads from the environment."""

from pydantic import Field, SecretStr, model_validator

from shared.settings import ObjectSettings, ServiceSettings

VERSION = "0.1.0"
_SECRET_BYTES = 32  # RFC 7518 §3.2: an HS256 key is at least as long as its hash


class Settings(ServiceSettings, ObjectSettings):
    """The gateway's settings; names of variables are those of the fields in upper case."""

    projection_database_url: str = Field(
        pattern=r"^postgres(ql)?://", description="the same database as the role gateway_projection"
    )
    projection_pool_size: int = Field(default=4, ge=3, le=100)
    project_name: str = Field(default="Diorama", description="the title of the API")
    secret_key: SecretStr | None = Field(default=None, description="signs the tokens of local users")
    token_lifetime_minutes: int = Field(default=60 * 24 * 30, ge=1, description="of a local token")
    supabase_url: str | None = Field(default=None, pattern=r"^https?://[^/?#]+/?$")
    supabase_jwt_secret: SecretStr | None = None
    maximum_body_bytes: int = Field(default=1024 * 1024, ge=1024, description="of a request; media go by their URL")
    presigned_seconds: int = Field(default=3600, ge=60, le=7 * 24 * 3600, description="how long a file's URL works")
    membership_seconds: float = Field(default=15, ge=0, description="how long a user's memberships are remembered")
    idempotency_hours: int = Field(default=24, ge=1, description="how long an Idempotency-Key is remembered")
    worker_patience_hours: float = Field(
        default=24, gt=0, description="a job that no worker answers for, though asked, ends as failed after so long"
    )
    audit_retention_days: int = Field(default=365, ge=1, description="how long it is known who did what")
    events_retention_days: int = Field(default=7, ge=1, description="how far back a stream can be resumed")

    @model_validator(mode="after")
    def _somebody_can_come_in(self) -> "Settings":
        if self.environment == "production" and self.secret_key is not None:
            raise ValueError(
                "SECRET_KEY switches local tokens on and must be unset when ENVIRONMENT is production;"
                " set SUPABASE_URL and SUPABASE_JWT_SECRET instead"
            )
        if (self.supabase_url is None) != (self.supabase_jwt_secret is None):
            raise ValueError("SUPABASE_URL and SUPABASE_JWT_SECRET are set together or not at all")
        if self.secret_key is None and self.supabase_url is None:
            raise ValueError("nobody could sign in: set SECRET_KEY, or SUPABASE_URL and SUPABASE_JWT_SECRET")
        return self

    @model_validator(mode="after")
    def _secrets_are_long_enough(self) -> "Settings":
        for name in ("secret_key", "supabase_jwt_secret"):
            secret: SecretStr | None = getattr(self, name)
            if secret is not None and len(secret.get_secret_value().encode()) < _SECRET_BYTES:
                raise ValueError(f"{name.upper()} must be at least {_SECRET_BYTES} bytes long")
        return self

"""What the environment says about a stack: its name, its folder, and which parts already run elsewhere."""

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values
from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.local.object_store import BUCKET, ObjectStoreAccess
from shared.settings import ServerUrl

REPOSITORY = Path(__file__).parents[2]

GIVEN_BY_THE_STACK = frozenset(
    {
        *("DATABASE_URL", "DATABASE_ADMIN_URL", "MIGRATION_DATABASE_URL", "PROJECTION_DATABASE_URL", "RABBITMQ_URL"),
        *("S3_ENDPOINT_URL", "S3_PUBLIC_ENDPOINT_URL", "S3_BUCKET", "S3_REGION"),
        *("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY", "SECRET_KEY", "SCRATCH_DIRECTORY", "HTTP_HOST", "HTTP_PORT"),
    },
)
"""Variables that a service gets from the stack alone: each its own, none of its neighbours'."""


class Settings(BaseSettings):
    """Raises ValidationError where S3_ENDPOINT_URL comes without its keys."""

    model_config = SettingsConfigDict(
        env_file=REPOSITORY / ".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    stack: str = Field(default="default", pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", description="several can run at once")
    diorama_state: Path = Field(default=REPOSITORY / ".local", description="folder of all stacks")
    database_admin_url: ServerUrl | None = Field(default=None, pattern=r"^postgres(ql)?://", repr=False)
    rabbitmq_url: ServerUrl | None = Field(default=None, pattern=r"^amqps?://", repr=False)
    s3_endpoint_url: ServerUrl | None = Field(default=None, pattern=r"^https?://")
    s3_public_endpoint_url: ServerUrl | None = None
    s3_access_key_id: str | None = None
    s3_secret_access_key: str | None = Field(default=None, repr=False)
    s3_bucket: str = BUCKET
    s3_region: str = "auto"
    secret_key: str | None = Field(default=None, repr=False)

    @property
    def directory(self) -> Path:
        return self.diorama_state / self.stack

    @property
    def models_directory(self) -> Path:
        """Where weights of models lie, which all stacks share."""
        return self.diorama_state / "models"

    @property
    def object_store(self) -> ObjectStoreAccess | None:
        if not (self.s3_endpoint_url and self.s3_access_key_id and self.s3_secret_access_key):
            return None
        return ObjectStoreAccess(
            self.s3_endpoint_url,
            self.s3_access_key_id,
            self.s3_secret_access_key,
            self.s3_bucket,
            self.s3_region,
            self.s3_public_endpoint_url,
        )

    @model_validator(mode="after")
    def _endpoint_comes_with_its_keys(self) -> "Settings":
        if self.s3_endpoint_url and self.object_store is None:
            raise ValueError("S3_ENDPOINT_URL needs S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY beside it")
        return self


def passed_on(*, dotenv: bool = False) -> dict[str, str]:
    """Take what services inherit from this process: everything but what the stack itself gives them.

    With `dotenv` also what the repository's `.env` holds; the process's own environment wins.
    """
    return without_given((kept() if dotenv else {}) | os.environ)


def kept() -> dict[str, str]:
    """Read what a person keeps in the repository's `.env`; what is empty there is not set."""
    return {name: value for name, value in dotenv_values(REPOSITORY / ".env").items() if value}


def without_given(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in GIVEN_BY_THE_STACK}

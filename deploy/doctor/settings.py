"""What the environment says of a stack that does not run here."""

from pathlib import Path

from pydantic import Field

from deploy.local import settings as local


class Settings(local.Settings):
    """The addresses of the parts. Those of the local stack are known where it runs.

    Raises ValidationError as `deploy.local.settings.Settings` does.
    """

    gateway_url: str | None = Field(default=None, pattern=r"^https?://", description="examine this one, not the local")
    gateway_token: str | None = Field(default=None, repr=False, description="of a user who may submit jobs")
    service_urls: dict[str, str] = Field(
        default={}, description='JSON: where `/readyz` of each process is asked, `{"media": "http://media:8080"}`'
    )
    chromium: Path | None = Field(default=None, description="in which the scraper of the local stack shows pages")
    rabbitmq_management_url: str | None = Field(
        default=None, pattern=r"^https?://", repr=False, description="with user and password; shows who is bound"
    )

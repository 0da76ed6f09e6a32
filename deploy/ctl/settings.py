"""Where the stack is that is meant where no gateway is named."""

from pydantic import Field

from deploy.local import settings as local


class Settings(local.Settings):
    """Without these the stack that runs here is meant, with a token of its own.

    Raises ValidationError as `deploy.local.settings.Settings` does.
    """

    gateway_url: str | None = Field(default=None, pattern=r"^https?://", description="speak to this one")
    gateway_token: str | None = Field(default=None, repr=False, description="a user's token, or an API key")

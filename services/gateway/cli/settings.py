"""Which gateway is spoken to, and as whom."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What options do not say."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True)

    gateway_url: str | None = Field(default=None, pattern=r"^https?://", description="speak to this one")
    gateway_token: str | None = Field(default=None, repr=False, description="a user's token, or an API key")

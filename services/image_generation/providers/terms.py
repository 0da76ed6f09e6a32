"""What an operator tells of any provider that is asked over HTTP."""

from collections.abc import Hashable
from decimal import Decimal
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from shared.addresses import parse_allow_list

NAME: Final = r"^[a-z0-9][a-z0-9_\-]{0,39}$"

_MICROS: Final = 1_000_000


class Terms(BaseModel):
    """Where a provider is, who we are there, and on which terms it draws."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(pattern=NAME)
    base_url: str = Field(pattern=r"^https?://[^/?#]+(/[^?#]*)?$")
    key: SecretStr | None = None
    allow: frozenset[tuple[str, int]] = Field(
        default=frozenset(),
        description="`ip:port` pairs of this provider that may be asked although they are not public",
    )
    price_usd: Decimal | None = Field(default=None, ge=0, le=1000, description="of one picture")
    most_in_flight: int | None = Field(default=None, ge=1, le=1000, description="requests of the account at a time")
    deadline_seconds: float = Field(default=60, gt=0, le=600, description="for one call")

    @field_validator("allow", mode="before")
    @classmethod
    def _parse_allow(cls, value: object) -> object:
        return parse_allow_list(value) if isinstance(value, str) else value

    @field_validator("base_url")
    @classmethod
    def _without_last_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @property
    def account(self) -> Hashable:
        """Tell whose places are taken: those of whoever has this key at this address, by whatever name."""
        return self.base_url, self.key

    @property
    def price_micros(self) -> int | None:
        return None if self.price_usd is None else int(self.price_usd * _MICROS)

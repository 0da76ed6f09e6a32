"""What image generation reads from its environment."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from shared.hints import hint_url
from shared.settings import ObjectSettings, OutboundSettings, WorkSettings

_TAKEN_IN: Final = 4  # times the retention: so long a letter waits to be taken in after all, see shared.housekeeping


class Settings(OutboundSettings, ObjectSettings, WorkSettings):
    """Image generation's settings."""

    concurrency: int = Field(
        default=4, ge=1, le=1000, description="generations that are followed at once in one process"
    )
    image_providers: dict[str, dict[str, Any]] = Field(
        default={"sketch": {}},
        repr=False,  # it holds their keys
        description='JSON: the settings of each provider by its name, `{"sketch": {}}`',
    )
    image_provider_default: str = Field(default="sketch", description="who draws when a request names nobody")
    image_provider_fallbacks: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="comma-separated: who draws then, in this order, where the default cannot"
    )
    image_budget_usd: Decimal | None = Field(
        default=None, ge=0, description="most that is spent on pictures in a day (UTC); absent: any sum"
    )
    image_owner_budget_usd: Decimal | None = Field(
        default=None, ge=0, description="most that each user spends on pictures in a day (UTC); absent: any sum"
    )
    modelslab_api_key: SecretStr | None = Field(default=None, description="makes `modelslab` one of the providers")
    image_hints_origin: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#@]+/?$",
        description="where providers reach the gateway, `https://api.example.org`: they tell when a picture is there",
    )
    image_hints_secret: SecretStr | None = Field(
        default=None, min_length=32, description="the same as the gateway's; with it only providers can tell that"
    )
    sketch_processes: int = Field(default=1, ge=1, le=64, description="limited processes that the local renderer uses")
    sketch_memory_bytes: int = Field(default=1024 * 1024 * 1024, ge=128 * 1024 * 1024)
    sketch_seconds: float = Field(default=60, gt=0)
    generations_retention_days: int = Field(
        default=365, ge=1, description="how long it is known what providers were asked for; what is unsettled stays"
    )
    generation_deadline_seconds: float = Field(default=600, gt=0, description="longest wait for a provider's picture")

    @field_validator("image_provider_fallbacks", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @property
    def providers(self) -> Mapping[str, Mapping[str, Any]]:
        """The settings of all providers, with what older names of variables say."""
        own = self.image_providers.get("modelslab", {})
        if self.modelslab_api_key is None or own.get("kind", "modelslab") != "modelslab":  # whose key it is not
            return self.image_providers
        return {**self.image_providers, "modelslab": {"key": self.modelslab_api_key, **own}}

    @model_validator(mode="after")
    def _whole_hints(self) -> "Settings":
        if (self.image_hints_origin is None) != (self.image_hints_secret is None):
            raise ValueError("IMAGE_HINTS_ORIGIN and IMAGE_HINTS_SECRET are set together")
        return self

    def hint_url_of(self, job_id: UUID) -> str | None:
        """Give the address at which a provider may say that there is news of a job; None: nowhere."""
        if self.image_hints_origin is None or self.image_hints_secret is None:
            return None
        return hint_url(self.image_hints_origin, self.image_hints_secret.get_secret_value(), job_id)

    @property
    def generations_kept_days(self) -> int:
        """For how long: at least while a command may come once more, which finds then that it was paid for."""
        return max(self.generations_retention_days, _TAKEN_IN * self.said_retention_days)

    @property
    def budgets_micros(self) -> tuple[int | None, int | None]:
        """Of a day for all and for each user, in millionths of a US dollar."""
        return _micros(self.image_budget_usd), _micros(self.image_owner_budget_usd)


def _micros(dollars: Decimal | None) -> int | None:
    return None if dollars is None else int(dollars * 1_000_000)

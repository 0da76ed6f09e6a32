"""What image generation reads from its environment."""

from typing import Any

from pydantic import Field

from shared.settings import ObjectSettings, OutboundSettings, WorkSettings


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
    sketch_processes: int = Field(default=1, ge=1, le=64, description="limited processes that the local renderer uses")
    sketch_memory_bytes: int = Field(default=1024 * 1024 * 1024, ge=128 * 1024 * 1024)
    sketch_seconds: float = Field(default=60, gt=0)
    generation_deadline_seconds: float = Field(default=600, gt=0, description="longest wait for a provider's picture")

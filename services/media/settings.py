"""What media reads from its environment."""

from pathlib import Path

from pydantic import Field

from shared.settings import ObjectSettings, OutboundSettings, WorkSettings


class Settings(OutboundSettings, ObjectSettings, WorkSettings):
    """Media's settings."""

    concurrency: int = Field(
        default=32, ge=1, le=1000, description="images that are on their way at once in one process"
    )
    download_max_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    download_deadline_seconds: float = Field(default=60, gt=0)
    decoder_processes: int = Field(default=2, ge=1, le=64, description="limited processes that read untrusted files")
    decoder_memory_bytes: int = Field(default=464 * 1024 * 1024, ge=64 * 1024 * 1024)
    decoder_seconds: float = Field(default=5, gt=0)
    classifier: Path | None = Field(
        default=None, description="JSON file that describes an ONNX classifier; absent: no model names what is seen"
    )
    classifier_memory_bytes: int = Field(default=1024 * 1024 * 1024, ge=256 * 1024 * 1024)
    classifier_seconds: float = Field(
        default=30, gt=0, description="of one picture, and of loading the model before it"
    )

"""What media reads from its environment."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, field_validator, model_validator
from pydantic_settings import NoDecode

from shared.settings import ObjectSettings, OutboundSettings, WorkSettings

Names = Annotated[tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:._*\-]{1,60}$")], ...], NoDecode]


class Settings(OutboundSettings, ObjectSettings, WorkSettings):
    """Media's settings."""

    concurrency: int = Field(
        default=32, ge=1, le=1000, description="images that are on their way at once in one process"
    )
    download_max_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    download_deadline_seconds: float = Field(default=60, gt=0)
    # Six is what one process alone has always had open at a host, and what browsers have: an installation of one is as
    # fast as it was, and one of many does not ask the host for more.
    download_concurrency: int = Field(
        default=6, ge=1, le=1000, description="downloads that one host has open at a time, by all replicas together"
    )
    download_pause_seconds: float = Field(default=0, ge=0, description="the least between two downloads from one host")
    download_blocks: int = Field(default=10, ge=1, description="403, 429, 503 ... in a row until a host is left alone")
    download_blocked_seconds: float = Field(
        default=60, gt=0, description="for so long at first; doubled while it blocks"
    )
    download_longest_blocked_seconds: float = Field(default=3600, gt=0)
    honour_noai: bool = Field(
        default=True,
        description="found images whose X-Robots-Tag says `noai` or `noimageai` are refused; `noindex`, `noimageindex`"
        " and `none` always are",
    )
    decoder_processes: int = Field(default=2, ge=1, le=64, description="limited processes that read untrusted files")
    decoder_memory_bytes: int = Field(default=464 * 1024 * 1024, ge=64 * 1024 * 1024)
    decoder_seconds: float = Field(default=5, gt=0)
    reconcile_hours: float = Field(
        default=24, gt=0, description="in so many, all that is stored is compared once with what rows name"
    )
    classifier: Path | None = Field(
        default=None, description="JSON file that describes an ONNX classifier; absent: no model names what is seen"
    )
    classifier_memory_bytes: int = Field(default=1024 * 1024 * 1024, ge=256 * 1024 * 1024)
    classifier_seconds: float = Field(
        default=30, gt=0, description="of one picture, and of loading the model before it"
    )
    azure_vision_endpoint: str | None = Field(
        default=None, pattern=r"^https?://", description="Azure Image Analysis 4.0; absent: it is not asked"
    )
    azure_vision_key: str | None = Field(default=None, repr=False)
    azure_vision_features: str = Field(
        default="tags,objects,caption", pattern=r"^(tags|objects|caption)(,(tags|objects|caption))*$"
    )
    video_processes: int = Field(default=2, ge=1, le=64, description="videos that are taken, and read, at once")
    video_seconds: float = Field(default=5, gt=0, description="processor time for the poster and preview of a video")
    video_platforms: Names = Field(
        default=("youtube", "vimeo", "dailymotion", "archive.org", "peertube"),
        description="extractors of yt-dlp that may be used, separated by commas; empty: none",
    )
    video_format: str = Field(default="bv*[height<=?1080],ba", description="as yt-dlp's --format; nothing is merged")
    video_subtitles: Names = Field(default=("en",), description="languages of subtitles that are kept")
    video_max_bytes: int = Field(default=512 * 1024 * 1024, ge=1024)
    video_max_seconds: float = Field(default=4 * 60 * 60, gt=0, description="a longer video is refused")
    video_deadline_seconds: float = Field(default=900, gt=0)

    @field_validator("video_platforms", "video_subtitles", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _azure_is_asked_in_secret(self) -> "Settings":
        if (self.azure_vision_endpoint is None) != (self.azure_vision_key is None):
            raise ValueError("AZURE_VISION_ENDPOINT and AZURE_VISION_KEY belong together")
        if self.environment == "production" and (self.azure_vision_endpoint or "https").startswith("http:"):
            raise ValueError("AZURE_VISION_ENDPOINT must begin with https when ENVIRONMENT is production")
        return self

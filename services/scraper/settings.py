"""What the scraper reads from its environment."""

from pathlib import Path

from pydantic import Field

from shared.settings import ObjectSettings, OutboundSettings, WorkSettings


class Settings(OutboundSettings, ObjectSettings, WorkSettings):
    """The scraper's settings."""

    concurrency: int = Field(default=8, ge=1, le=1000, description="pages that are read at once in one process")
    page_deadline_seconds: float = Field(default=30, gt=0, description="how long one page may take to arrive")
    host_pause_seconds: float = Field(default=0.25, ge=0, description="the least between two requests to one host")
    host_longest_pause_seconds: float = Field(
        default=60, gt=0, description="the most that latency, failures or a Crawl-delay put between them"
    )
    host_concurrency: float = Field(default=1, gt=0, description="requests that one host answers at a time, on average")
    host_blocks: int = Field(default=5, ge=1, description="403, 429, 503 ... in a row until a host is left alone")
    host_blocked_seconds: float = Field(default=60, gt=0, description="for so long at first; doubled while it blocks")
    host_longest_blocked_seconds: float = Field(default=3600, gt=0)
    honour_noai: bool = Field(
        default=True,
        description="the images of pages that say `noai` or `noimageai` are skipped; of those that say `noindex`,"
        " `noimageindex` or `none` they always are",
    )
    reader_processes: int = Field(default=1, ge=1, le=64, description="limited processes that read untrusted pages")
    reader_memory_bytes: int = Field(default=512 * 1024 * 1024, ge=64 * 1024 * 1024)
    reader_seconds: float = Field(default=20, gt=0)
    chromium: Path | None = Field(default=None, description="shows pages that scripts build; default: as on the PATH")
    renderer_processes: int = Field(default=1, ge=1, le=64, description="pages that are shown at once, each in its own")
    renderer_seconds: float = Field(default=45, gt=0, description="how long one page may take to be shown")
    renderer_max_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    renderer_memory_bytes: int = Field(default=1024 * 1024 * 1024, ge=256 * 1024 * 1024)

"""Brings a linked file in, for as long as somebody works on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from shared.fetch import CheckHeaders, Gate, Outbound, Progress
from shared.image_formats import body_kind

# Hosts that choose by this header should send what they have, not what saves them bytes.
_ACCEPT: Final = "image/*,*/*;q=0.5"


@dataclass(frozen=True, slots=True)
class Download:
    """A file that came in.

    Attributes:
        path: a name of our own; the file is gone when the block ends.
        sha256: of the content, hexadecimal.
        url: what was asked for, in canonical spelling.
        final_url: where it came from, after redirects.
        declared_type: media type that the host claims, which proves nothing.
        kind: what the first bytes say, see `image_formats.sniff`; None where they say nothing.

    """

    path: Path
    size_bytes: int
    sha256: str
    url: str
    final_url: str
    declared_type: str
    kind: str | None


@asynccontextmanager
async def download(
    outbound: Outbound,
    url: str,
    directory: Path,
    *,
    max_bytes: int,
    deadline_seconds: float,
    progress: Progress | None = None,
    gate: Gate = nullcontext,
    check: CheckHeaders | None = None,
) -> AsyncIterator[Download]:
    """Fetch a URL into a file of `directory` that lives as long as the block.

    Raises:
        Refused: `body_empty`, `web_page_not_image`, or what `check` and `Outbound.save` refuse.
        TryAgain: as `Outbound.save`.

    """
    path = directory / f"{uuid4().hex}.download"
    try:
        fetched = await outbound.save(
            url,
            path,
            max_bytes=max_bytes,
            deadline_seconds=deadline_seconds,
            accept=_ACCEPT,
            progress=progress,
            gate=gate,
            check=check,
        )
        yield Download(
            path=path,
            size_bytes=fetched.size_bytes,
            sha256=fetched.sha256,
            url=fetched.url,
            final_url=fetched.final_url,
            declared_type=fetched.content_type,
            kind=body_kind(fetched.beginning),
        )
    finally:
        path.unlink(missing_ok=True)

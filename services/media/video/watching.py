"""Has one video read in a fresh confined process that can open this one file and nothing else."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.media.processing import process
from services.media.video.reading import read
from shared.sandbox import Sandbox

PREVIEW: Final = "preview"

_ANSWER_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Attention:
    """What reading one video may take.

    Attributes:
        memory_bytes: more than the decoder's own libraries; the file itself is not held in memory.
        seconds: of processor time, for poster and preview together.

    """

    memory_bytes: int = 464 * 1024 * 1024
    seconds: float = 5.0


async def watch(path: Path, attention: Attention, pictures: Sandbox) -> tuple[dict[str, Any], list[bytes]]:
    """Tell what a video is and shows.

    Args:
        path: of the file, from the root; the confined process sees no other.
        attention: what it may take.
        pictures: the sandbox in which the poster is read, as any image.

    Returns:
        As `process` of the poster, but `format`, `extension`, `content_type`, `width_px` and `height_px` are the
        video's, the last rendition is an animated `preview` where there is one, and `video` tells what `read` found.

    Raises:
        Refused, TryAgain: as `read` and `process`, and as the sandbox.

    """
    found, (poster, *preview) = await _read(path, attention)
    shown, drawn = await pictures.run(process, poster)
    drawn = drawn[: len(shown["renditions"])]
    facts = {
        **shown,
        **{name: found[name] for name in ("format", "extension", "content_type", "width_px", "height_px")},
        "orientation": 1,
        "video": found["video"],
        # Cameras write places into videos as well, in more ways than can be taken out yet: none is handed out.
        "clean_copy": None,
    }
    facts["renditions"] = [*shown["renditions"], *({**one, "name": PREVIEW} for one in found["previews"])]
    return facts, [*drawn, *preview]


async def still(path: Path, attention: Attention) -> bytes:
    """Give the poster of a video alone, as PNG; raises as `watch`."""
    _, (poster, *_) = await _read(path, attention)
    return poster


async def _read(path: Path, attention: Attention) -> tuple[dict[str, Any], list[bytes]]:
    async with Sandbox(
        processes=1,
        memory_bytes=attention.memory_bytes,
        seconds=attention.seconds,
        answer_bytes=_ANSWER_BYTES,
        preload=("services.media.video.reading",),
        readable=(path,),
    ) as sandbox:
        return await sandbox.run(read, b"", path=str(path), seconds=attention.seconds)

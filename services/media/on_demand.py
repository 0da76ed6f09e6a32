"""Renditions that are drawn when somebody asks for them, once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from services.media.processing import redraw
from shared.object_keys import rendition_key
from shared.objects import ObjectStore
from shared.rendition_sizes import allowed_side, rendition_size
from shared.sandbox import Sandbox

ToPicture = Callable[[Path], Awaitable[Path | bytes]]
CONTENT_TYPE: Final = "image/webp"


@dataclass(frozen=True, slots=True)
class Original:
    """What is known of stored bytes; width and height are upright."""

    sha256: str
    key: str
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """A stored rendition; `cached` tells that it lay there already."""

    name: str
    key: str
    width_px: int
    height_px: int
    cached: bool


class Renditions:
    """Draws in the sandbox what is asked for and does not lie in the store yet.

    Args:
        objects: where originals and renditions lie.
        sandbox: reads the original.
        scratch: a folder for the original while it is read.
        picture: gives what is drawn of a file: of a video its poster.

    """

    def __init__(self, objects: ObjectStore, sandbox: Sandbox, scratch: Path, picture: ToPicture) -> None:
        self._picture = picture
        self._objects = objects
        self._sandbox = sandbox
        self._scratch = scratch

    async def draw(self, original: Original, longest_px: int) -> Drawn:
        """Have the rendition of this longest side, which is drawn unless it was before.

        Two that ask at once both draw, and store the same bytes.

        Raises:
            Refused: `rendition_size_refused`, `object_missing`, and what reading the original is refused for.
            TryAgain: as `ObjectStore` and `Sandbox`.

        """
        side = allowed_side(longest_px, original.width_px, original.height_px)
        name, key = str(side), rendition_key(original.sha256, str(side))
        size = rendition_size(original.width_px, original.height_px, side)
        if await self._objects.exists(key):
            return Drawn(name, key, *size, cached=True)
        content = await self._drawn(original, name, side)
        await self._objects.put(key, content, content_type=CONTENT_TYPE)
        return Drawn(name, key, *size, cached=False)

    async def _drawn(self, original: Original, name: str, side: int) -> bytes:
        path = self._scratch / f"{uuid4().hex}.original"
        try:
            await self._objects.save(original.key, path)
            _, (content,) = await self._sandbox.run(redraw, await self._picture(path), renditions={name: side})
        finally:
            path.unlink(missing_ok=True)
        return content

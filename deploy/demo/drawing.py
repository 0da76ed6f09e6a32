"""The gallery's files: drawn once by the sketch, in limited processes on every core, and kept for the next run."""

import asyncio
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from PIL import Image

from deploy.demo.pictures import (
    COPIED,
    COPY_FILE,
    PAGE_FILE,
    PICTURES,
    TRUNCATED,
    TRUNCATED_FILE,
    Picture,
)
from services.image_generation.providers import GenerationRequest
from services.image_generation.providers.sketch import render
from shared.sandbox import Sandbox

_PROCESSES_AT_MOST: Final = 8
_MEMORY_BYTES: Final = 1024 * 1024 * 1024
_SECONDS: Final = 180.0
_ORIENTATION_TAG: Final = 0x0112  # EXIF 2.32, table 4
_STORED_AS: Final = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
"""How pixels lie in a file that its EXIF orientation turns upright again."""

_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "jpg": {"format": "JPEG", "quality": 90, "optimize": True},
    "png": {"format": "PNG", "compress_level": 6},
    "webp": {"format": "WEBP", "quality": 88, "method": 4},
    "gif": {"format": "GIF", "optimize": True},
}
_PAGE: Final = (
    b"<!doctype html>\n<title>Not here</title>\n<p>This file is called .jpg and is a web page, "
    b"as a host's error page often is.</p>\n"
)

Drawn = Callable[[], None]


def missing(folder: Path) -> list[Picture]:
    """List the pictures that are not drawn yet."""
    return [picture for picture in PICTURES if not (folder / picture.file).is_file()]


async def draw_gallery(folder: Path, drawn: Drawn = lambda: None) -> None:
    """Draw what is missing in a folder, and call `drawn` after each picture; the rest stays as it is."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    if wanted := missing(folder):
        processes = min(os.cpu_count() or 1, len(wanted), _PROCESSES_AT_MOST)
        async with _sandbox(processes) as sandbox, asyncio.TaskGroup() as group:
            for picture in wanted:
                group.create_task(_draw(sandbox, picture, folder, drawn))
    await asyncio.to_thread(_spoil, folder)


def _sandbox(processes: int) -> Sandbox:
    preload = ("services.image_generation.providers.sketch",)
    return Sandbox(processes=processes, memory_bytes=_MEMORY_BYTES, seconds=_SECONDS, preload=preload)


async def _draw(sandbox: Sandbox, picture: Picture, folder: Path, drawn: Drawn) -> None:
    request = GenerationRequest(
        description=picture.description,
        style=picture.style,
        aspect_ratio=picture.ratio,
        width_px=picture.size.width_px,
        height_px=picture.size.height_px,
        seed=picture.seed,
    )
    _, (png,) = await sandbox.run(render, request.model_dump_json().encode())
    await asyncio.to_thread(_keep, picture, png, folder)
    drawn()


def _keep(picture: Picture, png: bytes, folder: Path) -> None:
    image = Image.open(io.BytesIO(png)).convert("L" if picture.grey else "RGB")
    for width_px in picture.widths_px:
        height_px = round(image.height * width_px / image.width)
        small = image.resize((width_px, height_px), Image.Resampling.LANCZOS)
        _write(folder / picture.small_file(width_px), encoded(small, picture))
    # The whole one last: where it lies, its small copies lie too.
    _write(folder / picture.file, encoded(image, picture))


def encoded(image: Image.Image, picture: Picture) -> bytes:
    """Encode an upright image in a picture's format, stored the way its orientation says."""
    exif = Image.Exif()
    if picture.orientation in _STORED_AS:
        image = image.transpose(_STORED_AS[picture.orientation])
        exif[_ORIENTATION_TAG] = picture.orientation
    if picture.format == "gif":
        image = image.quantize(64, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    image.save(buffer, exif=exif, **_OPTIONS[picture.format])
    return buffer.getvalue()


def _spoil(folder: Path) -> None:
    """Add what every real site has: a copy under another name, half a file, and a page that calls itself a picture."""
    _write(folder / COPY_FILE, (folder / COPIED.file).read_bytes())
    whole = (folder / TRUNCATED.file).read_bytes()
    _write(folder / TRUNCATED_FILE, whole[: len(whole) // 2])
    _write(folder / PAGE_FILE, _PAGE)


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, also beside another demo that draws the same gallery."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_bytes(content)
    fresh.replace(path)

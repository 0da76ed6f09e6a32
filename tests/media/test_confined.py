"""The whole craft in its real confinement: every hostile file that is known ends soon, small and with a code."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pi_heif.as_plugin import HeifImageFile
from PIL import Image

from services.media.decoding.containers import riff_chunks
from services.media.processing import CHILD_MEMORY_BYTES, CHILD_SECONDS, process
from shared.errors import Refused
from shared.sandbox import Sandbox
from shared.sandbox.processor import processor_seconds
from tests.media.samples import CORPUS, encoded, photo

MOST_MEMORY_KIB = 512 * 1024
ORIENTATION = 0x0112
PICTURE_CHUNKS = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH"}

# What is told apart here although Pillow, asked directly, reads it.
NOT_TAKEN = {
    "heif/200MP.heic": "image_too_large",
    "heif/corrupted.heic": "image_corrupt",
    "heif/empty.heic": "body_empty",
    "tiny/jxl.jxl": "format_not_supported",
    "tiny/svg.svg": "format_refused",
    "tiny/html5.html": "web_page_not_image",
    "tiny/pdf.pdf": "not_an_image",
    "tiny/zip.zip": "not_an_image",
    "tiny/Mpeg4.mp4": "not_an_image",
    "tiny/webm.webm": "not_an_image",
    "thumbor/9643x10328.jpg": "image_too_large",
    "thumbor/16383x16383.png": "image_too_large",
    "bad/truncated_jpeg.jpg": "image_truncated",
    "bad/png_decompression_dos.png": "metadata_too_large",
}


@dataclass
class End:
    """How one file ended, for how much of a processor, and the most memory that any call so far took."""

    code: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    blobs: list[bytes] = field(default_factory=list)
    seconds: float = 0.0
    peak_kib: int = 0


@dataclass
class Darkroom:
    sandbox: Sandbox

    async def develop(self, payload: bytes | Path) -> End:
        used_before = self._used_seconds()
        end = End()
        try:
            end.facts, end.blobs = await self.sandbox.run(process, payload)
        except Refused as refused:
            end.code = refused.code
        end.seconds, end.peak_kib = self._used_seconds() - used_before, self._peak_kib()
        return end

    def _used_seconds(self) -> float:
        return sum(processor_seconds(child.pid) for child in self.sandbox._children)

    def _peak_kib(self) -> int:
        peaks = [
            int(line.split()[1])
            for child in self.sandbox._children
            for line in Path(f"/proc/{child.pid}/status").read_text().splitlines()
            if line.startswith("VmHWM")
        ]
        return max(peaks)


@pytest.fixture
async def darkroom() -> AsyncIterator[Darkroom]:
    async with Sandbox(
        processes=1,
        memory_bytes=CHILD_MEMORY_BYTES,
        seconds=CHILD_SECONDS,
        preload=["services.media.processing"],
    ) as sandbox:
        yield Darkroom(sandbox)


def corpus_files() -> dict[str, dict[str, Any]]:
    observed = CORPUS / "pillow_observed.json"
    if not observed.exists():
        pytest.skip("the corpus of pictures lies outside the repository")
    files: dict[str, dict[str, Any]] = json.loads(observed.read_text())
    return files


async def test_every_file_of_the_corpus_ends_as_observed_or_better(darkroom: Darkroom) -> None:
    for name, observed in corpus_files().items():
        end = await darkroom.develop(CORPUS / name)

        assert end.seconds < CHILD_SECONDS, name
        assert end.peak_kib < MOST_MEMORY_KIB, name
        if name in NOT_TAKEN:
            assert end.code == NOT_TAKEN[name], name
        elif "error" in observed:
            assert end.code is not None, name
            assert end.code.startswith(("image_", "format_")), (name, end.code)
        else:
            assert end.code is None, (name, end.code)
            assert [end.facts["width_px"], end.facts["height_px"]] == observed["upright_size"], name
            assert end.facts["frames"] == observed["frames"], name
            assert {part.kind for blob in end.blobs[:2] for part in riff_chunks(blob)} <= PICTURE_CHUNKS, name
            told = end.facts["clean_copy"]
            copy = (CORPUS / name).read_bytes() if told["is_original"] else end.blobs[2]
            assert sha256(copy).hexdigest() == told["sha256"], name
            assert_tells_nothing(copy, name, told["content_type"])


def assert_tells_nothing(copy: bytes, name: str, content_type: str) -> None:
    image = HeifImageFile(BytesIO(copy)) if content_type == "image/heic" else Image.open(BytesIO(copy))
    assert set(image.getexif()) <= {ORIENTATION}, name
    assert not {"xmp", "comment", "photoshop", "XML:com.adobe.xmp"} & set(image.info), name


async def test_what_lies_beside_the_corpus_as_pages_and_playlists_is_no_picture(darkroom: Darkroom) -> None:
    corpus_files()
    for hostile in sorted((CORPUS.parent / "ssrf" / "files").iterdir()):
        end = await darkroom.develop(hostile)
        assert end.code in {"format_refused", "not_an_image", "web_page_not_image"}, hostile.name


@pytest.mark.parametrize(
    ("format_name", "mode", "size", "how"),
    [
        ("JPEG", "CMYK", (7000, 7000), {"progressive": True, "subsampling": 0}),
        ("PNG", "RGBA", (16_384, 3000), {"compress_level": 1}),
        ("GIF", "P", (7000, 7000), {}),
        ("WEBP", "RGB", (6000, 4000), {"method": 0, "quality": 10}),
        ("AVIF", "RGBA", (6000, 4900), {"speed": 10, "quality": 20}),
        ("TIFF", "RGBA", (7000, 4900), {"compression": "tiff_adobe_deflate"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_the_largest_picture_of_each_format_is_read_within_its_memory(
    darkroom: Darkroom, format_name: str, mode: str, size: tuple[int, int], how: dict[str, Any]
) -> None:
    payload = await asyncio.to_thread(lambda: encoded(Image.new(mode, size), format_name, **how))
    end = await darkroom.develop(payload)

    assert end.code is None
    assert (end.facts["width_px"], end.facts["height_px"]) == size
    assert end.peak_kib < MOST_MEMORY_KIB


async def test_what_a_confined_child_makes_is_what_is_made_here(darkroom: Darkroom) -> None:
    payload = encoded(photo(640, 480), "JPEG")
    end = await darkroom.develop(payload)

    assert (end.facts, end.blobs) == process(payload, {})


async def test_a_child_with_too_little_memory_refuses_and_the_next_picture_is_read() -> None:
    large = await asyncio.to_thread(lambda: encoded(Image.new("RGBA", (5000, 5000)), "PNG"))
    async with Sandbox(
        processes=1, memory_bytes=64 * 1024 * 1024, seconds=CHILD_SECONDS, preload=["services.media.processing"]
    ) as sandbox:
        darkroom = Darkroom(sandbox)
        assert (await darkroom.develop(large)).code == "image_too_large"
        assert (await darkroom.develop(encoded(photo(64, 48), "PNG"))).code is None

"""Videos: what they are, how they look in one picture and in a few seconds; hostile ones end soon, with a code."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from services.media.processing import CHILD_MEMORY_BYTES, CHILD_SECONDS
from services.media.video import Attention, still, watch
from shared.errors import Failure, Refused
from shared.sandbox import Sandbox
from tests.media.films import CORPUS, corners, exaggerating, film, turned
from tests.shared.strangers import Stranger

SMALL = film(frames=30, sound=True)


@dataclass
class Projector:
    pictures: Sandbox
    folder: Path

    async def show(self, content: bytes | Path, **attention: Any) -> tuple[dict[str, Any], dict[str, Image.Image]]:
        """Read a video in its real confinement: its facts, and its pictures by their names."""
        path = content if isinstance(content, Path) else self.file(content)
        facts, blobs = await watch(path, Attention(**attention), self.pictures)
        pictures = {
            one["name"]: Image.open(BytesIO(blob)) for one, blob in zip(facts["renditions"], blobs, strict=True)
        }
        return facts, pictures

    async def refusal(self, content: bytes, **attention: Any) -> str:
        with pytest.raises(Refused) as caught:
            await self.show(content, **attention)
        return caught.value.code

    def file(self, content: bytes) -> Path:
        path = self.folder / "film"
        path.write_bytes(content)
        return path


@pytest.fixture(scope="module")
async def pictures() -> AsyncIterator[Sandbox]:
    async with Sandbox(
        processes=1, memory_bytes=CHILD_MEMORY_BYTES, seconds=CHILD_SECONDS, preload=["services.media.processing"]
    ) as sandbox:
        yield sandbox


@pytest.fixture
def projector(pictures: Sandbox, tmp_path: Path) -> Projector:
    return Projector(pictures, tmp_path)


async def test_a_video_is_known_by_its_content(projector: Projector) -> None:
    facts, pictures = await projector.show(SMALL)

    assert (facts["format"], facts["extension"], facts["content_type"]) == ("mp4", ".mp4", "video/mp4")
    assert (facts["width_px"], facts["height_px"]) == (160, 96)
    video = facts["video"]
    assert (video["container"], video["video_codec"], video["audio_codec"]) == ("mp4", "h264", "aac")
    assert video["duration_seconds"] == pytest.approx(1.5, abs=0.1)
    assert video["frame_rate"] == pytest.approx(20)
    assert video["rotation_degrees"] == 0
    assert facts["thumbhash"]
    assert facts["palette"]
    assert facts["perceptual_hash"]
    assert corners(pictures["1440"]) == ["red", "green", "blue", "white"]


async def test_a_preview_moves_and_is_short_and_small(projector: Projector) -> None:
    _, pictures = await projector.show(film(frames=100, size=(800, 480)))
    preview = pictures["preview"]

    assert max(preview.size) == 320
    frames = getattr(preview, "n_frames", 1)
    assert 16 <= frames <= 24
    first = preview.convert("RGB").tobytes()
    preview.seek(frames - 1)
    assert preview.convert("RGB").tobytes() != first


@pytest.mark.parametrize(
    ("container", "codec", "kind"),
    [
        ("webm", "libvpx", "webm"),
        ("matroska", "libx264", "matroska"),
        ("mov", "mjpeg", "quicktime"),
        ("avi", "mpeg4", "avi"),
    ],
)
async def test_other_containers_are_read_too(projector: Projector, container: str, codec: str, kind: str) -> None:
    facts, pictures = await projector.show(film(container=container, codec=codec, frames=10))
    assert facts["video"]["container"] == kind
    assert corners(pictures["250"]) == ["red", "green", "blue", "white"]


@pytest.mark.parametrize(
    ("degrees", "seen"),
    [
        (90, ["blue", "red", "white", "green"]),
        (180, ["white", "blue", "green", "red"]),
        (270, ["green", "white", "red", "blue"]),
    ],
)
async def test_poster_and_preview_stand_as_players_show_them(
    projector: Projector, degrees: int, seen: list[str]
) -> None:
    facts, pictures = await projector.show(turned(SMALL, degrees))

    assert facts["video"]["rotation_degrees"] == degrees
    assert (facts["width_px"], facts["height_px"]) == ((160, 96) if degrees == 180 else (96, 160))
    assert corners(pictures["1440"]) == seen
    assert corners(pictures["preview"]) == seen


async def test_pixels_that_are_not_square_are_shown_as_wide_as_they_are(projector: Projector) -> None:
    facts, pictures = await projector.show(film(frames=10, aspect=Fraction(3, 2)))
    assert (facts["width_px"], facts["height_px"]) == (240, 96)
    assert pictures["1440"].size == (240, 96)


async def test_the_poster_is_not_the_black_that_a_film_begins_with(projector: Projector) -> None:
    _, pictures = await projector.show(film(frames=60, black=14))
    assert corners(pictures["1440"]) == ["red", "green", "blue", "white"]


async def test_a_video_of_one_frame_has_a_poster_and_no_preview(projector: Projector) -> None:
    facts, pictures = await projector.show(film(frames=1))
    assert list(pictures) == ["250", "1440"]
    assert facts["video"]["audio_codec"] is None


async def test_a_poster_can_be_had_alone(projector: Projector) -> None:
    poster = Image.open(BytesIO(await still(projector.file(SMALL), Attention())))
    assert poster.size == (160, 96)


@pytest.mark.parametrize("name", ["pig.webm", "rabbit320.mp4", "rabbit320.webm", "realshort.mp4"])
@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of videos lies outside the repository")
async def test_the_videos_of_the_corpus_are_read(projector: Projector, name: str) -> None:
    facts, pictures = await projector.show(CORPUS / name)
    assert facts["video"]["duration_seconds"] > 1
    assert facts["video"]["audio_codec"]
    assert set(pictures) == {"250", "1440", "preview"}


def hostile() -> dict[str, tuple[bytes, str]]:
    fine = film(frames=20)
    return {
        "empty": (b"", "body_empty"),
        "a web page": (b"<!doctype html><video>", "web_page_not_image"),
        "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), "not_a_video"),
        "a playlist": (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "not_a_video"),
        "no more than a beginning": (fine[:40], "video_corrupt"),
        "half a film": (fine[: len(fine) // 2], "video_corrupt"),
        "noise behind a signature": (fine[:32] + bytes(range(256)) * 200, "video_corrupt"),
        "noise in an EBML coat": (b"\x1a\x45\xdf\xa3" + bytes(range(256)) * 200, "video_corrupt"),
        "noise in an AVI coat": (b"RIFF\xff\xff\xff\x7fAVI LIST" + bytes(range(256)) * 200, "video_without_picture"),
        "a size that is a lie": (
            exaggerating(film(container="mov", codec="mjpeg", frames=2), 12_000, 8_000),
            "video_too_large",
        ),
        "a codec that nobody films with": (film(container="avi", codec="ffv1", frames=3), "video_codec_refused"),
        "a programme stream": (b"\0\0\x01\xba" + bytes(4_000), "video_format_refused"),
    }


@pytest.mark.parametrize("name", sorted(hostile()))
async def test_a_hostile_video_ends_soon_with_a_code(projector: Projector, name: str) -> None:
    content, code = hostile()[name]
    started = time.monotonic()
    assert await projector.refusal(content) == code
    assert time.monotonic() - started < 5


async def test_a_video_that_needs_more_memory_than_is_allowed_is_refused(projector: Projector) -> None:
    large = film(codec="mjpeg", container="mov", size=(4_000, 3_000), frames=2)
    assert await projector.refusal(large, memory_bytes=40 * 1024 * 1024) in {"needs_too_much_memory", "video_corrupt"}
    facts, _ = await projector.show(large)
    assert facts["width_px"] == 4_000


async def test_a_video_that_takes_too_long_is_given_up(projector: Projector) -> None:
    large = film(codec="mjpeg", container="mov", size=(7_000, 4_000), frames=2)
    with pytest.raises(Failure) as caught:
        await projector.show(large, seconds=0.02)
    # Where the machine is busy besides, nobody can tell what the video would have taken.
    assert caught.value.code in {"takes_too_long", "machine_too_busy"}


async def test_no_file_and_no_address_that_a_video_names_is_opened(projector: Projector, tmp_path: Path) -> None:
    secret = tmp_path / "secret.mp4"
    await asyncio.to_thread(secret.write_bytes, SMALL)
    async with Stranger() as trap:
        places = (f"http://127.0.0.1:{trap.port}/x.mp4", f"file://{secret}", f"concat:{secret}")
        playlists = "".join(
            f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\n{place}\n#EXT-X-ENDLIST\n"
            f"ffconcat version 1.0\nfile '{place}'\n[playlist]\nFile1={place}\n"
            for place in places
        )
        for coat in (b"", b"RIFF\x40\0\0\0AVI ", SMALL[:32], b"OggS"):
            await projector.refusal(coat + playlists.encode())
        assert trap.connections == 0

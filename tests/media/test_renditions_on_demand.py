"""Any allowed size is drawn when it is asked for, once, and goes with its original."""

from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from services.media.on_demand import Original, Renditions
from services.media.processing import CHILD_MEMORY_BYTES, CHILD_SECONDS, redraw
from services.media.renditions import RENDITION_SIDES_PX, rendition_keys
from shared.errors import Refused
from shared.objects import ObjectStore
from shared.rendition_sizes import ALLOWED_SIDES_PX, allowed_side
from shared.sandbox import Sandbox
from tests.living import House
from tests.media.samples import encoded, exif_with_place, photo

PICTURE = encoded(photo(1200, 900), "JPEG", exif=exif_with_place(6))
ORIGINAL = Original(sha256(PICTURE).hexdigest(), "media/originals/on-demand.jpg", 900, 1200)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(
        processes=1, memory_bytes=CHILD_MEMORY_BYTES, seconds=CHILD_SECONDS, preload=["services.media.processing"]
    ) as sandbox:
        yield sandbox


@pytest.fixture
async def objects(house: House) -> AsyncIterator[ObjectStore]:
    async with house.objects() as objects:
        await objects.put(ORIGINAL.key, PICTURE, content_type="image/jpeg")
        for key in rendition_keys(ORIGINAL.sha256):
            await objects.delete(key)
        yield objects


async def as_it_is(path: Path) -> Path:
    return path


def left_over(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def peak_kib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0])


async def test_an_allowed_size_is_drawn_once_upright_and_without_a_place(
    objects: ObjectStore, sandbox: Sandbox, tmp_path: Path
) -> None:
    renditions = Renditions(objects, sandbox, tmp_path, as_it_is)
    first = await renditions.draw(ORIGINAL, 640)
    again = await renditions.draw(ORIGINAL, 640)

    assert (first.width_px, first.height_px, first.cached, again.cached) == (480, 640, False, True)
    content = await objects.get(first.key)
    assert Image.open(BytesIO(content)).size == (480, 640)
    assert not any(secret in content for secret in (b"Exif", b"EXIF", b"GPS", b"Lumen", b"xmp"))
    assert left_over(tmp_path) == []


async def test_sizes_beyond_the_picture_are_one_file_that_is_not_enlarged(
    objects: ObjectStore, sandbox: Sandbox, tmp_path: Path
) -> None:
    renditions = Renditions(objects, sandbox, tmp_path, as_it_is)
    drawn = [await renditions.draw(ORIGINAL, side) for side in (1440, 1920, 2560)]

    assert {(one.key, one.width_px, one.height_px) for one in drawn} == {(drawn[0].key, 900, 1200)}
    assert [one.cached for one in drawn] == [False, True, True]


async def test_a_size_that_is_not_allowed_reads_nothing_and_stores_nothing(tmp_path: Path) -> None:
    nobody: Any = None
    with pytest.raises(Refused) as refused:
        await Renditions(nobody, nobody, tmp_path, as_it_is).draw(ORIGINAL, 641)
    assert refused.value.code == "rendition_size_refused"


async def test_a_picture_that_cannot_be_read_any_more_leaves_nothing(
    objects: ObjectStore, sandbox: Sandbox, tmp_path: Path
) -> None:
    await objects.put("media/originals/torn.jpg", PICTURE[:4000], content_type="image/jpeg")
    torn = Original("0" * 64, "media/originals/torn.jpg", 900, 1200)
    with pytest.raises(Refused) as refused:
        await Renditions(objects, sandbox, tmp_path, as_it_is).draw(torn, 640)

    assert refused.value.code == "image_truncated"
    assert left_over(tmp_path) == []
    assert not [key for key in rendition_keys(torn.sha256) if await objects.exists(key)]


@pytest.mark.parametrize(
    ("asked", "size", "side"),
    [
        (250, (3000, 2000), 250),
        (2560, (3000, 2000), 2560),
        (2560, (1000, 2000), 2560),
        (2560, (1000, 1920), 1920),
        (2560, (300, 200), 360),
        (64, (10, 10), 64),
        (1440, (10, 10), 64),
    ],
)
def test_a_picture_is_asked_for_in_no_more_sizes_than_it_has(asked: int, size: tuple[int, int], side: int) -> None:
    assert allowed_side(asked, *size) == side


@pytest.mark.parametrize("asked", [0, -250, 249, 2561, 10**9])
def test_other_sizes_are_refused_with_those_that_there_are(asked: int) -> None:
    with pytest.raises(Refused, match="250, 360") as refused:
        allowed_side(asked, 100, 100)
    assert refused.value.code == "rendition_size_refused"


def test_what_every_picture_gets_is_found_by_who_asks_on_demand_and_by_who_removes() -> None:
    assert {int(name) for name in RENDITION_SIDES_PX} <= set(ALLOWED_SIDES_PX)
    keys: Sequence[str] = rendition_keys("ab" * 32)
    assert len(set(keys)) == len(ALLOWED_SIDES_PX)
    assert f"media/renditions/{'ab' * 32}/2560.webp" in keys


@pytest.mark.parametrize(
    ("format_name", "mode", "size"),
    [("PNG", "RGBA", (7000, 7000)), ("PNG", "RGBA", (5119, 5119)), ("JPEG", "CMYK", (7000, 7000))],
)
async def test_the_largest_size_of_the_largest_picture_is_drawn_within_its_memory(
    sandbox: Sandbox, format_name: str, mode: str, size: tuple[int, int]
) -> None:
    payload = encoded(Image.new(mode, size), format_name)
    facts, _ = await sandbox.run(redraw, payload, renditions={"2560": 2560})

    assert facts["renditions"][0]["width_px"] == 2560
    (child,) = sandbox._children
    assert peak_kib(child.pid) < 512 * 1024

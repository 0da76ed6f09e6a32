"""What leaves the house of a picture tells nothing but its pixels; the original stays inside."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from PIL import Image

from contracts.envelope import Command
from contracts.jobs import JobCompleted, JobFailed
from contracts.media import AcceptUpload, DrawRendition, MediaStored
from services.media import store
from services.media.handlers import accept_upload, draw_rendition
from services.media.library import Library, Limits
from services.media.on_demand import Renditions
from shared.database import Pool, open_pool
from shared.object_keys import original_key, rendition_key
from shared.objects import ObjectStore
from tests.living import PROJECT, House, lineage
from tests.media.parts import media_settings, picture_sandbox
from tests.media.samples import encoded, exif_with_place, photo

STRANGER = UUID("00000000-0000-4000-8000-00000000cccc")
TELLING = encoded(photo(800, 600), "JPEG", exif=exif_with_place(6))
SILENT = encoded(photo(64, 48), "PNG")
SECRETS = (b"GPS", b"Lumen", b"2024:05:06")


@dataclass
class Media:
    """Media at work, and what it says."""

    house: House
    pool: Pool
    objects: ObjectStore
    library: Library

    async def obeyed(self, command: Command) -> list[Any]:
        """Have a command obeyed; give what was said, the end of the job last."""
        said = await self.house.obeyed(command)
        return [one for one in said if isinstance(one, MediaStored | JobCompleted | JobFailed)]

    async def stored(self, payload: bytes) -> MediaStored:
        await self.objects.put("uploads/picture", payload, content_type="application/octet-stream")
        stored, end = await self.obeyed(AcceptUpload(**lineage(), object_key="uploads/picture"))
        assert isinstance(end, JobCompleted)
        assert isinstance(stored, MediaStored)
        return stored


@pytest.fixture
async def media(house: House, tmp_path: Path) -> AsyncIterator[Media]:
    settings = media_settings(house)
    nobody: Any = None
    pool = await open_pool(house.servers.database_url("media"), size=4, application_name="tests")
    async with (
        ObjectStore.of(settings) as objects,
        picture_sandbox(settings) as sandbox,
    ):
        await objects.ensure_bucket()
        limits = Limits(settings.download_max_bytes, 1.0)
        library = Library(pool=pool, objects=objects, outbound=nobody, sandbox=sandbox, scratch=tmp_path, limits=limits)
        crafts = {"library": library, "renditions": Renditions(objects, sandbox, tmp_path, library.picture)}
        works = {AcceptUpload: accept_upload, DrawRendition: draw_rendition}
        async with house.worker("media", works=works, crafts=crafts):
            yield Media(house, pool, objects, library)
    await pool.close()


async def test_a_picture_that_tells_where_it_was_taken_is_handed_out_as_a_copy_that_does_not(media: Media) -> None:
    stored = await media.stored(TELLING)

    copy = stored.clean_copy
    assert copy is not None
    assert copy.key != stored.original_key
    content = await media.objects.get(copy.key)
    assert (sha256(content).hexdigest(), len(content)) == (copy.sha256, copy.size_bytes)
    assert (copy.content_type, copy.width_px, copy.height_px, copy.lossless) == ("image/jpeg", 600, 800, True)
    assert not any(secret in content for secret in SECRETS)
    assert Image.open(BytesIO(content)).getexif()[0x0112] == 6, "it is still turned as it was held"
    assert await media.objects.get(stored.original_key) == TELLING, "the original is kept as it came"


async def test_a_picture_that_tells_nothing_is_handed_out_as_it_is_and_stored_once(media: Media) -> None:
    stored = await media.stored(SILENT)
    assert stored.clean_copy is not None
    assert (stored.clean_copy.key, stored.clean_copy.sha256) == (stored.original_key, stored.sha256)
    assert [one.key async for one in media.objects.list(f"media/renditions/{stored.sha256}/clean")] == []


async def test_what_was_stored_before_there_were_copies_gets_one_when_it_is_stored_again(media: Media) -> None:
    digest = sha256(TELLING).hexdigest()
    facts: dict[str, Any] = {"renditions": []}
    async with media.pool.acquire() as connection:
        key = original_key(digest, ".jpg")
        await store.upsert_blob(connection, digest, size_bytes=len(TELLING), original_key=key, facts=facts)
    assert (await media.stored(TELLING)).clean_copy is not None


async def test_a_copy_goes_with_its_original(media: Media) -> None:
    stored = await media.stored(TELLING)
    await media.obeyed(DrawRendition(**lineage(), asset_id=stored.asset_id, longest_px=640))
    async with media.pool.acquire() as connection:
        await store.update_asset_deleted(connection, stored.asset_id, PROJECT)
    await media.house.admin.execute("UPDATE media.blobs SET condemned_at = now() - interval '2 days'")
    await media.library._collect_page()
    left = [one.key async for one in media.objects.list(f"media/renditions/{stored.sha256}/")]
    assert (left, await media.objects.exists(stored.original_key)) == ([], False)


async def test_a_size_is_drawn_for_whoever_asks_and_the_second_time_it_lies_there(media: Media) -> None:
    stored = await media.stored(TELLING)
    ends = []
    for _ in range(2):
        ends += await media.obeyed(DrawRendition(**lineage(), asset_id=stored.asset_id, longest_px=640))
    key = rendition_key(stored.sha256, "640")
    results = [end.result for end in ends]
    assert results == [{"key": key, "width_px": 480, "height_px": 640, "already_drawn": old} for old in (False, True)]
    content = await media.objects.get(key)
    assert Image.open(BytesIO(content)).size == (480, 640)
    assert not any(secret in content for secret in SECRETS)


async def test_no_size_is_drawn_of_what_is_not_there_nor_one_that_is_not_allowed(media: Media) -> None:
    stored = await media.stored(TELLING)
    wishes: list[dict[str, Any]] = [{"project_id": STRANGER}, {"longest_px": 641}]
    codes = []
    for wish in wishes:
        wished = {**lineage(), "asset_id": stored.asset_id, "longest_px": 640, **wish}
        codes += [end.code for end in await media.obeyed(DrawRendition(**wished))]
    async with media.pool.acquire() as connection:
        await store.update_asset_deleted(connection, stored.asset_id, PROJECT)
    ends = await media.obeyed(DrawRendition(**lineage(), asset_id=stored.asset_id, longest_px=640))
    assert [*codes, ends[0].code] == ["image_unknown", "rendition_size_refused", "image_unknown"]

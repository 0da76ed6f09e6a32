"""What is stored can be looked at again: what was seen in its pixels before is replaced, and nothing else."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts.jobs import JobCompleted, JobFailed
from contracts.media import DescribeMedia, MediaDescribed
from services.media import store
from services.media.handlers import PIXELS, describe_media
from services.media.library import Library, Limits
from services.media.settings import Settings
from shared.database import Pool, open_pool
from shared.object_keys import original_key
from shared.objects import ObjectStore
from shared.sandbox import Sandbox
from tests.living import PROJECT, House, lineage, until
from tests.media.samples import encoded, photo

PICTURE = encoded(photo(64, 48), "PNG")
SHA256 = sha256(PICTURE).hexdigest()
KEY = original_key(SHA256, ".png")
ASSET = UUID("00000000-0000-4000-8000-00000000bbbb")
STRANGER = UUID("00000000-0000-4000-8000-00000000cccc")
OLD: dict[str, Any] = {"palette": [], "perceptual_hash": None, "renditions": [{"name": "250", "key": "k"}]}


@pytest.fixture
async def pool(house: House) -> AsyncIterator[Pool]:
    """Media's tables, with an image that was seen before anybody looked well."""
    pool = await open_pool(house.servers.database_url("media"), size=4, application_name="tests")
    async with pool.acquire() as connection:
        await _stored(connection)
    yield pool
    await pool.close()


async def _stored(connection: Any) -> store.Asset:
    await store.upsert_blob(connection, SHA256, size_bytes=len(PICTURE), original_key=KEY, facts=OLD)
    return await store.upsert_asset(connection, ASSET, PROJECT, SHA256, None)


@pytest.fixture
async def worker(house: House, pool: Pool, tmp_path: Path) -> AsyncIterator[None]:
    shelf = house.servers.object_store
    settings = Settings(
        **house.settings("media").model_dump(),
        s3_endpoint_url=shelf.endpoint_url,
        s3_bucket=shelf.bucket,
        s3_access_key_id=shelf.access_key_id,
        s3_secret_access_key=shelf.secret_access_key,
        s3_region=shelf.region,
    )
    limits = Limits(settings.download_max_bytes, 1.0)
    nobody: Any = None
    async with (
        ObjectStore.of(settings) as objects,
        Sandbox(
            processes=1,
            memory_bytes=settings.decoder_memory_bytes,
            seconds=settings.decoder_seconds,
            preload=("services.media.processing",),
        ) as sandbox,
    ):
        await objects.ensure_bucket()
        await objects.put(KEY, PICTURE, content_type="image/png")
        library = Library(pool=pool, objects=objects, outbound=nobody, sandbox=sandbox, scratch=tmp_path, limits=limits)
        async with house.worker("media", works={DescribeMedia: describe_media}, crafts={"library": library}):
            yield


async def obeyed(house: House, **wish: Any) -> list[Any]:
    """Have an image described; give what was said, the end of the job last."""
    command = DescribeMedia(**{**lineage(), "asset_id": ASSET, **wish})
    await house.say(command)
    said: list[Any] = []

    async def ended() -> bool:
        said.extend(await house.heard())
        return any(isinstance(one, JobCompleted | JobFailed) and one.job_id == command.job_id for one in said)

    await until(ended)
    return [one for one in said if isinstance(one, MediaDescribed | JobCompleted | JobFailed)]


@pytest.mark.usefixtures("worker")
async def test_a_stored_image_is_described_anew_each_time_by_a_newer_version(house: House) -> None:
    first, _ = await obeyed(house)
    second, _ = await obeyed(house, kinds=("colours",))
    assert (first.origin, first.subject_version, second.subject_version) == (PIXELS, 2, 3)
    assert first.palette == second.palette
    assert first.palette
    assert first.perceptual_hash
    facts = await house.value("SELECT facts FROM media.blobs")
    assert facts["palette"] == [colour.model_dump() for colour in first.palette]
    assert facts["renditions"] == OLD["renditions"], "nothing was drawn anew"
    assert await house.value("SELECT subject_version FROM media.assets") == 1, "it was not stored anew"


@pytest.mark.usefixtures("worker")
async def test_what_is_not_there_or_not_known_here_is_not_described(house: House, pool: Pool) -> None:
    ends = [(await obeyed(house, **wish))[-1] for wish in ({"kinds": ("smells",)}, {"project_id": STRANGER})]
    async with pool.acquire() as connection:
        await store.update_asset_deleted(connection, ASSET, PROJECT)
    ends += await obeyed(house)
    assert [end.code for end in ends] == ["kind_unknown", "image_unknown", "image_unknown"]


async def test_what_is_stored_again_is_described_by_a_newer_version_than_ever_before(pool: Pool) -> None:
    async with pool.acquire() as connection:
        for _ in range(4):
            described = await store.update_asset_described(connection, ASSET, PROJECT)
        await store.update_asset_deleted(connection, ASSET, PROJECT)
        assert await store.update_asset_described(connection, ASSET, PROJECT) is None
        again = await _stored(connection)
    assert (described, again.subject_version, again.described_version) == (5, 3, 6)

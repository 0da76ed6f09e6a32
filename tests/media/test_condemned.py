"""Bytes that nobody refers to go after a day, and never while somebody stores them again."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.media import store
from services.media.library import Library, Limits
from shared.database import open_pool
from tests.living import PROJECT, House

SHA256 = "ab" * 32
ASSET = UUID("00000000-0000-4000-8000-00000000bbbb")
FACTS = {"renditions": []}


class Bytes:
    """An object store of one object, whose deletion can be held up."""

    def __init__(self) -> None:
        self.kept = {"media/x"}
        self.may_delete = asyncio.Event()
        self.deleting = asyncio.Event()

    async def delete(self, key: str) -> None:
        self.deleting.set()
        await self.may_delete.wait()
        self.kept.discard(key)


@pytest.fixture
async def pool(house: House) -> Any:
    pool = await open_pool(house.servers.database_url("media"), size=4, application_name="tests")
    async with pool.acquire() as connection:
        await store.upsert_blob(connection, SHA256, size_bytes=1, original_key="media/x", facts=FACTS)
        await store.upsert_asset(connection, ASSET, PROJECT, SHA256, None)
        await store.update_asset_deleted(connection, ASSET, PROJECT)
    await house.admin.execute("UPDATE media.blobs SET condemned_at = now() - interval '2 days'")
    yield pool
    await pool.close()


def library(pool: Any, objects: Any) -> Library:
    nothing: Any = None
    return Library(pool=pool, objects=objects, outbound=nothing, sandbox=nothing, scratch=Path(), limits=Limits(1, 1.0))


async def test_condemned_bytes_go_and_their_tombstone_stays(house: House, pool: Any) -> None:
    objects = Bytes()
    objects.may_delete.set()
    await library(pool, objects)._collect_page()
    assert not objects.kept
    assert await house.value("SELECT count(*) FROM media.blobs") == 0
    assert await house.value("SELECT subject_version FROM media.assets WHERE id = $1", ASSET) == 2


async def test_bytes_that_are_asked_for_again_are_spared(pool: Any) -> None:
    assert await store.select_blob(pool, SHA256) is None
    objects = Bytes()
    objects.may_delete.set()
    await library(pool, objects)._collect_page()
    assert objects.kept


async def test_who_stores_bytes_again_waits_until_their_collection_has_ended(pool: Any) -> None:
    objects = Bytes()
    collecting = asyncio.create_task(library(pool, objects)._collect_page())
    await objects.deleting.wait()
    asking = asyncio.create_task(store.select_blob(pool, SHA256))
    done, _ = await asyncio.wait((asking,), timeout=0.3)
    assert not done, "it could decide that the object is there while it is being deleted"
    objects.may_delete.set()
    await collecting
    assert await asking is None
    assert not objects.kept


async def test_an_asset_stored_again_after_its_deletion_is_a_newer_version(house: House, pool: Any) -> None:
    async with pool.acquire() as connection:
        await store.upsert_blob(connection, SHA256, size_bytes=1, original_key="media/x", facts=FACTS)
        asset = await store.upsert_asset(connection, ASSET, PROJECT, SHA256, None)
        again = await store.upsert_asset(connection, ASSET, PROJECT, SHA256, None)
    assert (asset.subject_version, asset.already_stored) == (3, False)
    assert (again.subject_version, again.already_stored) == (3, True)
    assert await house.value("SELECT asset_count FROM media.blobs") == 1

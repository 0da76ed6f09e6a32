"""Bytes go when nobody refers to them any more, and not before."""

import asyncio

import pytest

from services.media import store
from shared.database import Pool
from shared.objects import ObjectStore
from tests.living import PROJECT, House
from tests.media.reconciling.shelf import (
    NAMED,
    NEIGHBOUR,
    SHA256,
    a_day_passes,
    deleted,
    keys,
    library,
    looked_through,
    put,
    stored,
)


async def test_deleting_one_owners_asset_never_removes_anothers_bytes(
    house: House, pool: Pool, objects: ObjectStore
) -> None:
    await put(objects, *NAMED)
    for project in (PROJECT, NEIGHBOUR):
        await stored(pool, project)
    collecting = library(pool, objects)
    for _ in range(2):  # a deletion that is repeated after a crash counts once
        await deleted(pool)
    await a_day_passes(house)
    await collecting._collect_page()
    await looked_through(pool, objects)
    assert set(await keys(objects)) == set(NAMED)
    await deleted(pool, NEIGHBOUR)
    await collecting._collect_page()
    assert set(await keys(objects)) == set(NAMED), "not before its day is over"
    await a_day_passes(house)
    await collecting._collect_page()
    assert await keys(objects) == []


async def test_bytes_that_somebody_holds_stay_even_where_their_count_was_wrong(
    house: House, pool: Pool, objects: ObjectStore
) -> None:
    await put(objects, *NAMED)
    await stored(pool, NEIGHBOUR)
    await house.admin.execute("UPDATE media.blobs SET asset_count = 0, condemned_at = now()")
    await a_day_passes(house)
    await library(pool, objects)._collect_page()
    assert set(await keys(objects)) == set(NAMED)
    await house.admin.execute("UPDATE media.assets SET deleted_at = now()")
    await library(pool, objects)._collect_page()
    assert await keys(objects) == [], "the control"


async def test_a_crash_between_the_deletion_of_objects_and_of_their_row_loses_nothing(
    house: House, pool: Pool, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(objects, *NAMED)
    await stored(pool)
    await deleted(pool)
    await a_day_passes(house)

    async def crash(*_: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as crashing:
        crashing.setattr(store, "delete_blob", crash)
        with pytest.raises(ConnectionResetError):
            await library(pool, objects)._collect_page()
    assert await keys(objects) == []
    assert await store.select_blob(pool, SHA256) is None, "who stores it now stores the bytes, too"
    await a_day_passes(house)
    await library(pool, objects)._collect_page()
    assert await house.value("SELECT count(*) FROM media.blobs") == 0


async def test_a_collection_that_is_cancelled_keeps_its_lock_until_its_deletions_have_ended(
    house: House, pool: Pool, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(objects, *NAMED)
    await stored(pool)
    await deleted(pool)
    await a_day_passes(house)
    deleting, may_delete = asyncio.Event(), asyncio.Event()
    delete = objects.delete

    async def slowly(key: str) -> None:
        deleting.set()
        await may_delete.wait()
        await delete(key)

    monkeypatch.setattr(objects, "delete", slowly)
    collecting = asyncio.create_task(library(pool, objects)._collect_page())
    await deleting.wait()
    collecting.cancel()
    asking = asyncio.create_task(store.select_blob(pool, SHA256))
    done, _ = await asyncio.wait((asking,), timeout=0.3)
    assert not done, "it could find the object that is about to go"
    may_delete.set()
    assert await asking is None
    assert await keys(objects) == []
    assert collecting.cancelled()

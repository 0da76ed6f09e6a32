"""Whoever has stored bytes and has not yet recorded them loses nothing, whatever is deleted meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.jobs import JobCompleted, JobFailed, JobRetryScheduled
from contracts.media import AcceptUpload, MediaStored
from services.media import store
from services.media.handlers import WORK
from services.media.library import Held, Library, Report
from services.media.store import differences
from shared.database import Pool
from shared.errors import TryAgain
from shared.objects import ObjectStore
from tests.living import House, lineage, until
from tests.media.reconciling.shelf import (
    FACTS,
    KEY,
    NAMED,
    NEIGHBOUR,
    PICTURE,
    SHA256,
    WITHOUT_ROW,
    a_day_passes,
    deleted,
    holding,
    keys,
    library,
    looked_through,
    put,
    sandboxed,
    stored,
)


async def test_who_stores_the_bytes_of_an_orphan_has_a_day_for_it(
    house: House, pool: Pool, objects: ObjectStore
) -> None:
    await put(objects, KEY)
    await looked_through(pool, objects)
    await a_day_passes(house)
    assert await store.select_blob(pool, SHA256) is None, "somebody begins to store it"
    await looked_through(pool, objects)
    assert await keys(objects) == [KEY]


async def test_who_stores_an_orphan_while_it_is_deleted_comes_again_and_stores_it_anew(
    house: House, pool: Pool, objects: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(objects, KEY)
    await looked_through(pool, objects)
    await a_day_passes(house)
    deleting, may_delete = asyncio.Event(), asyncio.Event()
    delete = objects.delete

    async def slowly(key: str) -> None:
        deleting.set()
        await may_delete.wait()
        await delete(key)

    async with holding(pool, objects, tmp_path) as hold:
        monkeypatch.setattr(objects, "delete", slowly)
        looking = asyncio.create_task(looked_through(pool, objects))
        await deleting.wait()
        with pytest.raises(TryAgain, match="bytes_going"):  # it could find the object that is about to go
            await hold()
        may_delete.set()
        await looking
        assert await keys(objects) == []
        held = await hold()
    assert held.original_key == KEY
    assert await objects.exists(KEY)


async def test_who_has_stored_bytes_and_not_yet_recorded_them_has_a_day_for_it(
    house: House, pool: Pool, objects: ObjectStore, tmp_path: Path
) -> None:
    async with holding(pool, objects, tmp_path) as hold:
        await hold()
        there = await keys(objects)
        for _ in range(3):
            await looked_through(pool, objects)
            await house.admin.execute("UPDATE media.reconciled_parts SET looked_at = looked_at - interval '25 hours'")
        assert await keys(objects) == there, "however often it is looked at"
        await stored(pool)
    await a_day_passes(house)
    await looked_through(pool, objects)
    assert await keys(objects) == there


@pytest.mark.parametrize("written", [True, False], ids=["deletions are written down", "the control"])
async def test_who_was_held_up_for_days_between_bytes_and_their_row_stores_them_anew(
    house: House, pool: Pool, objects: ObjectStore, tmp_path: Path, written: bool
) -> None:
    async with holding(pool, objects, tmp_path) as hold:
        await hold()
        for _ in range(2):
            await looked_through(pool, objects)
            await a_day_passes(house)
        assert await keys(objects) == [], "which took them for orphans"
        if not written:
            await house.admin.execute("DELETE FROM media.orphans")
            await stored(pool)
            assert await keys(objects) == [], "a row without its bytes"
            return
        with pytest.raises(TryAgain, match="bytes_gone"):
            await stored(pool)
        assert await house.value("SELECT count(*) FROM media.blobs") == 0
        await hold()
        await stored(pool)
        assert await objects.exists(KEY)


async def test_who_records_bytes_while_they_are_deleted_is_told_so(
    house: House, pool: Pool, objects: ObjectStore, tmp_path: Path
) -> None:
    async with holding(pool, objects, tmp_path) as hold:
        await hold()
        await looked_through(pool, objects)
        await a_day_passes(house)
        first = asyncio.Event()
        recording = asyncio.create_task(_recorded(pool, first))
        await first.wait()
        assert await differences.condemn_orphans(pool, 20) == [], "what is being recorded is no orphan"
        recording.cancel()
        await asyncio.wait((recording,))
        assert len(await differences.condemn_orphans(pool, 20)) == 4, "the control: it was not recorded after all"
        with pytest.raises(TryAgain, match="bytes_gone"):
            await stored(pool)


async def _recorded(pool: Pool, first: asyncio.Event) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await store.upsert_blob(connection, SHA256, size_bytes=len(PICTURE), original_key=KEY, facts=FACTS)
        first.set()
        await asyncio.Event().wait()


async def test_a_crash_before_a_deletion_that_was_written_down_costs_nobody_anything(
    house: House, pool: Pool, objects: ObjectStore, tmp_path: Path
) -> None:
    await put(objects, KEY, WITHOUT_ROW[0])
    await looked_through(pool, objects)
    await a_day_passes(house)
    assert len(await differences.condemn_orphans(pool, 20)) == 2, "and here the process ended"
    async with holding(pool, objects, tmp_path) as hold:
        with pytest.raises(TryAgain, match="bytes_going"):
            await hold()
        await house.admin.execute("UPDATE media.orphans SET settled_at = settled_at - interval '2 hours'")
        await hold()
    await stored(pool)
    for _ in range(2):
        await a_day_passes(house)
        await looked_through(pool, objects)
    assert WITHOUT_ROW[0] not in await keys(objects), "what nobody wanted goes a day later"
    assert await objects.exists(KEY)


async def test_a_process_that_was_frozen_before_it_deletes_leaves_it(
    house: House, pool: Pool, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(objects, KEY)
    await looked_through(pool, objects)
    await a_day_passes(house)
    with monkeypatch.context() as frozen:
        frozen.setattr("services.media.reconciling._BEGUN_SECONDS", -1.0)
        with pytest.raises(TryAgain, match="too_late"):
            await looked_through(pool, objects)
    assert await keys(objects) == [KEY]


class Slow(Library):
    """For which days pass between bytes and their row, the first time."""

    days: Callable[[], Awaitable[None]] | None = None

    async def hold_object(self, key: str, report: Report) -> Held:
        held = await super().hold_object(key, report)
        if (days := self.days) is not None:
            self.days = None
            await days()
        return held


async def test_a_job_for_which_days_pass_before_it_records_what_it_stored_stores_it_anew(
    house: House, pool: Pool, objects: ObjectStore, tmp_path: Path
) -> None:
    async def days() -> None:
        for _ in range(2):
            await looked_through(pool, objects)
            await a_day_passes(house)
        assert await keys(objects) == []

    nobody: Any = None
    await objects.put("uploads/once", PICTURE, content_type="image/png")
    command, said = AcceptUpload(**lineage(), object_key="uploads/once"), list[Any]()

    async def has_ended() -> bool:
        said.extend(await house.heard())
        return any(isinstance(one, JobCompleted | JobFailed) for one in said)

    async with sandboxed() as sandbox:
        slow = library(pool, objects, sandbox, tmp_path, kind=Slow)
        slow.days = days
        async with house.worker("media", works=WORK, crafts={"library": slow, "renditions": nobody}):
            await house.say(command)
            await until(has_ended)
    told = [one for one in said if isinstance(one, JobRetryScheduled | MediaStored | JobCompleted | JobFailed)]
    assert [type(one) for one in told] == [JobRetryScheduled, MediaStored, JobCompleted]
    assert told[0].code == "bytes_gone"
    assert set(NAMED) <= {*await keys(objects)}


async def test_bytes_that_went_as_nobodys_while_somebody_relied_on_them_are_not_recorded(
    house: House, pool: Pool, objects: ObjectStore, tmp_path: Path
) -> None:
    async with holding(pool, objects, tmp_path) as hold:
        await hold()
        await stored(pool)
        await hold()
        await deleted(pool)
        await a_day_passes(house)
        await library(pool, objects)._collect_page()
        with pytest.raises(TryAgain, match="bytes_gone"):
            await stored(pool, NEIGHBOUR)
        await hold()
        await stored(pool, NEIGHBOUR)
    assert await objects.exists(KEY)

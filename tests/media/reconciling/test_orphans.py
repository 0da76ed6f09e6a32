"""An object that no row names goes a day after it was seen, and nothing else does."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from services.media.reconciling import PARTS
from services.media.store import differences
from shared.database import Pool
from shared.errors import TryAgain
from shared.objects import ObjectStore
from tests.living import House
from tests.media.reconciling.shelf import (
    DUE,
    NAMED,
    WITHOUT_ROW,
    a_day_passes,
    holding,
    keys,
    looked_through,
    put,
    stored,
)


async def test_an_object_that_no_row_names_goes_a_day_after_it_was_seen(
    house: House, pool: Pool, objects: ObjectStore
) -> None:
    await put(objects, *WITHOUT_ROW, *NAMED)
    await stored(pool)
    assert await looked_through(pool, objects) == len(DUE)
    assert await looked_through(pool, objects) == 0, "what was looked at is not due for a day"
    assert await house.value("SELECT array_agg(key ORDER BY key) FROM media.orphans") == WITHOUT_ROW
    assert set(await keys(objects)) == {*WITHOUT_ROW, *NAMED}, "nothing goes at once"
    await a_day_passes(house)
    await looked_through(pool, objects)
    assert set(await keys(objects)) == set(NAMED), "and what rows name stays"
    assert await house.value("SELECT count(*) FROM media.orphans WHERE settled_at IS NULL") == 0


async def test_what_media_does_not_name_so_is_left_alone(house: House, pool: Pool, objects: ObjectStore) -> None:
    strange = [
        "media/originals/00/notes.txt",
        "media/elsewhere/" + "00" * 32 + ".jpg",
        f"media/renditions/{'zz' * 32}/x",
    ]
    await put(objects, *strange)
    for _ in range(2):
        await looked_through(pool, objects)
        await a_day_passes(house)
    assert sorted(await keys(objects)) == sorted(strange)


async def test_an_orphan_that_is_stored_again_meanwhile_stays(house: House, pool: Pool, objects: ObjectStore) -> None:
    await put(objects, *NAMED)
    await looked_through(pool, objects)
    assert await house.value("SELECT count(*) FROM media.orphans") == 3
    await a_day_passes(house)
    await stored(pool)
    await looked_through(pool, objects)
    assert set(await keys(objects)) == set(NAMED)
    assert await house.value("SELECT count(*) FROM media.orphans") == 0


async def test_deletions_of_which_one_fails_go_on_and_the_rest_is_told(
    house: House, pool: Pool, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(objects, *WITHOUT_ROW)
    await looked_through(pool, objects)
    await a_day_passes(house)
    delete = objects.delete

    async def mostly(key: str) -> None:
        if key == WITHOUT_ROW[1]:
            raise TryAgain("object_store_unavailable", "Not now.")
        await delete(key)

    with monkeypatch.context() as failing:
        failing.setattr(objects, "delete", mostly)
        with pytest.raises(TryAgain, match="unavailable"):
            await looked_through(pool, objects)
    assert await keys(objects) == [WITHOUT_ROW[1]]
    await house.admin.execute("UPDATE media.orphans SET settled_at = settled_at - interval '2 hours'")
    for _ in range(2):
        await a_day_passes(house)
        await looked_through(pool, objects)
    assert await keys(objects) == []


async def test_so_many_orphans_that_the_rows_must_be_wrong_are_all_kept(
    house: House, pool: Pool, objects: ObjectStore
) -> None:
    await put(objects, *WITHOUT_ROW)
    await looked_through(pool, objects)
    await house.admin.execute(
        """
        INSERT INTO media.orphans (key, sha256, size_bytes)
        SELECT 'media/originals/' || number, md5(number::text), 1 FROM generate_series(1, 200) AS number
        """
    )
    await a_day_passes(house)
    await looked_through(pool, objects)
    assert sorted(await keys(objects)) == WITHOUT_ROW
    await house.admin.execute("DELETE FROM media.orphans WHERE length(sha256) = 32")
    await a_day_passes(house)
    await looked_through(pool, objects)
    assert await keys(objects) == [], "the control"


async def test_processes_share_a_round_and_each_part_is_looked_at_once(house: House, pool: Pool) -> None:
    await house.admin.execute("DELETE FROM media.reconciled_parts")

    async def claim_all() -> list[int]:
        claimed = []
        while (part := await differences.claim_part(pool, 24)) is not None:
            claimed.append(part)
        return claimed

    shares = [*await asyncio.gather(*(claim_all() for _ in range(4))), await claim_all()]
    assert sorted(part for share in shares for part in share) == list(range(PARTS))


async def test_a_crash_between_bytes_and_their_row_leaves_an_orphan_that_goes(
    house: House, pool: Pool, objects: ObjectStore, tmp_path: Path
) -> None:
    async with holding(pool, objects, tmp_path) as hold:
        await hold()
    assert len(await keys(objects)) == 4, "and here the process ended"
    for _ in range(2):
        await looked_through(pool, objects)
        await a_day_passes(house)
    assert await keys(objects) == []


STEPS = (
    "claim_part",
    "replace_missing",
    "delete_known_orphans",
    "insert_orphans",
    "condemn_orphans",
    "settle_orphans",
)
"""What writes, in its order; between the fifth and the last the objects are deleted."""


class Death(Exception):
    """The process ends here."""


@pytest.mark.parametrize("point", [f"{side} {step}" for step in STEPS for side in ("before", "after")])
async def test_a_process_may_die_at_any_step_of_a_look_and_a_later_look_ends_the_same(
    house: House, pool: Pool, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    await put(objects, *WITHOUT_ROW, *NAMED)
    await stored(pool)
    side, step = point.split()
    real, deaths = getattr(differences, step), 0

    async def dying(*arguments: object) -> object:
        nonlocal deaths
        if side == "after":
            await real(*arguments)
        deaths += 1
        raise Death

    for _ in range(3):
        with monkeypatch.context() as mortal:
            if not deaths:
                mortal.setattr(differences, step, dying)
            with suppress(Death):
                await looked_through(pool, objects)
        await a_day_passes(house)
        await house.admin.execute("UPDATE media.orphans SET settled_at = settled_at - interval '2 hours'")
    assert deaths > 0
    assert set(await keys(objects)) == set(NAMED)

"""What a row names and the bucket lacks is told of until it is back."""

from pathlib import Path

import pytest

from deploy.doctor import schemas
from deploy.doctor.findings import Ill
from shared.database import Pool
from shared.objects import ObjectStore
from tests.living import House
from tests.media.reconciling.shelf import (
    COPY,
    FACTS,
    KEY,
    NAMED,
    NEIGHBOUR,
    SHOWN,
    WORDS,
    a_day_passes,
    deleted,
    holding,
    looked_through,
    put,
    spare_the_rest,
    stored,
)


@pytest.mark.parametrize("noted", [True, False], ids=["noted as missing", "the control"])
async def test_who_stores_again_what_is_missing_brings_it_back(
    house: House, pool: Pool, objects: ObjectStore, tmp_path: Path, noted: bool
) -> None:
    async with holding(pool, objects, tmp_path) as hold:
        await hold()
        await stored(pool)
        await objects.delete(KEY)
        if noted:
            await looked_through(pool, objects)
        await hold()
        await stored(pool, NEIGHBOUR)
    assert await objects.exists(KEY) is noted
    assert await house.value("SELECT count(*) FROM media.missing_objects") == 0


async def test_what_a_row_names_and_is_not_there_is_told_until_it_is_back(
    house: House, pool: Pool, objects: ObjectStore
) -> None:
    admin_url = house.servers.database_admin_url
    await put(objects, KEY, SHOWN)
    await stored(pool)
    await house.admin.execute("DELETE FROM media.reconciled_parts")
    assert await schemas.check_library(admin_url) == "rows and bucket have not been compared yet"
    await spare_the_rest(house)
    await looked_through(pool, objects)
    assert await house.value("SELECT array_agg(key) FROM media.missing_objects") == [COPY]
    with pytest.raises(Ill, match="1 stored files are gone"):
        await schemas.check_library(admin_url)
    await put(objects, COPY)
    await a_day_passes(house)
    await looked_through(pool, objects)
    assert await schemas.check_library(admin_url) == "nothing is missing"


async def test_what_belongs_to_a_video_is_missed_too(house: House, pool: Pool, objects: ObjectStore) -> None:
    await put(objects, *NAMED)
    await stored(pool, facts=FACTS | {"video": {"tracks": [{"key": WORDS}, {"key": WORDS}]}})
    await looked_through(pool, objects)
    assert await house.value("SELECT array_agg(key) FROM media.missing_objects") == [WORDS]
    await put(objects, WORDS)
    await a_day_passes(house)
    await looked_through(pool, objects)
    assert await house.value("SELECT count(*) FROM media.missing_objects") == 0


async def test_what_nobody_refers_to_any_more_is_not_missing(house: House, pool: Pool, objects: ObjectStore) -> None:
    await stored(pool)
    await looked_through(pool, objects)
    assert await house.value("SELECT count(*) FROM media.missing_objects") == 3
    await deleted(pool)
    await a_day_passes(house)
    await looked_through(pool, objects)
    assert await house.value("SELECT count(*) FROM media.missing_objects") == 0

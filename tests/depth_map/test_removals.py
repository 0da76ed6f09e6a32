"""Where an image is deleted all that was ever drawn of it goes two days later, unless the image is back."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from contracts.depth_map import MapDepth
from contracts.media import MediaDeleted, MediaStored
from services.depth_map.handlers import REACTIONS, map_depth
from services.depth_map.removals import remove_page
from shared.database import open_pool
from shared.errors import TryAgain
from shared.object_keys import depth_key, edge_key, normals_key, preview_key, sidecar_key
from shared.objects import ObjectStore
from tests.depth_map.test_redrawing import ASSET, Mapping, mapped
from tests.living import House, lineage, until

OTHER = UUID("00000000-0000-4000-8000-00000000dddd")
VERSION = "SELECT subject_version FROM depth_map.deletions WHERE asset_id = $1"


def deleted(version: int) -> MediaDeleted:
    return MediaDeleted(**lineage(), asset_id=ASSET, subject_version=version)


def stored(version: int) -> MediaStored:
    shape = {"content_type": "image/png", "size_bytes": 9, "width_px": 16, "height_px": 16}
    return MediaStored(
        **lineage(),
        asset_id=ASSET,
        subject_version=version,
        sha256="0" * 64,
        original_key="original.png",
        renditions=(),
        thumbhash=None,
        **shape,
    )


async def drawn(objects: ObjectStore, asset_id: UUID) -> set[str]:
    """Store all that two drawings of an asset have left."""
    keys = set()
    for sha256 in ("1" * 64, "2" * 64):
        depth, edges = depth_key(asset_id, sha256), edge_key(asset_id, sha256)
        beside = {sidecar_key(edges, "r"), preview_key(depth, "preview"), normals_key(depth)}
        keys |= {depth, edges, sidecar_key(depth, "r"), *beside}
    for key in keys:
        await objects.put(key, b"x", content_type="image/png")
    return keys


async def there(objects: ObjectStore) -> set[str]:
    return {found.key async for found in objects.list("training-data/")}


async def told(house: House, *facts: MediaDeleted | MediaStored) -> None:
    """Have depth mapping hear facts, one after the other."""
    for fact in facts:
        await house.say(fact)

        async def heard(version: int = fact.subject_version) -> bool:
            return bool(await house.value(f"SELECT {version} <= ({VERSION})", ASSET))

        await until(heard)


async def pass_hours(house: House, hours: int) -> None:
    await house.admin.execute(
        "UPDATE depth_map.deletions SET condemned_at = condemned_at - $1 * interval '1 hour'", hours
    )


@pytest.fixture
async def pool(house: House) -> AsyncIterator[Any]:
    pool = await open_pool(house.servers.database_url("depth_map"), size=2, application_name="tests")
    try:
        async with house.worker(
            "depth_map", hears=REACTIONS, works={MapDepth: map_depth}, crafts={"depth": Mapping(pool)}
        ):
            yield pool
    finally:
        await pool.close()


async def test_what_was_drawn_of_a_deleted_image_goes_two_days_later_and_nothing_else(house: House, pool: Any) -> None:
    await mapped(house)
    async with house.objects() as objects:
        theirs, others = await drawn(objects, ASSET), await drawn(objects, OTHER)
        await told(house, deleted(2))
        await pass_hours(house, 47)
        await remove_page(pool, objects)
        assert await there(objects) >= theirs | others
        await pass_hours(house, 2)
        await remove_page(pool, objects)
        assert await there(objects) & (theirs | others) == others

    fact, result = await mapped(house)
    assert (fact.subject_version, result["already_mapped"]) == (2, False), "what is gone is drawn once more"
    fact, result = await mapped(house)
    assert (fact.subject_version, result["already_mapped"]) == (2, True)


async def test_maps_of_an_image_that_is_back_stay(house: House, pool: Any) -> None:
    await mapped(house)
    async with house.objects() as objects:
        theirs = await drawn(objects, ASSET)
        await told(house, deleted(2), stored(3))
        await pass_hours(house, 100)
        await remove_page(pool, objects)
        assert await there(objects) >= theirs
    fact, result = await mapped(house)
    assert (fact.subject_version, result["already_mapped"]) == (1, True)


async def test_a_deletion_that_is_heard_late_takes_nothing_from_an_image_that_is_back(house: House, pool: Any) -> None:
    async with house.objects() as objects:
        theirs = await drawn(objects, ASSET)
        await told(house, stored(3), deleted(2))
        await told(house, stored(5))
        await pass_hours(house, 100)
        await remove_page(pool, objects)
        assert await there(objects) >= theirs


async def test_maps_that_could_not_be_removed_are_removed_at_the_next_look(house: House, pool: Any) -> None:
    class Unwell:
        def __init__(self, objects: ObjectStore) -> None:
            self.list = objects.list

        async def delete(self, _: str) -> None:
            raise TryAgain("object_store_unavailable", "It is away.")

    async with house.objects() as objects:
        theirs = await drawn(objects, ASSET)
        await told(house, deleted(2))
        await pass_hours(house, 49)
        unwell: Any = Unwell(objects)
        with pytest.raises(TryAgain):
            await remove_page(pool, unwell)
        assert await there(objects) >= theirs
        await remove_page(pool, objects)
        assert not await there(objects) & theirs

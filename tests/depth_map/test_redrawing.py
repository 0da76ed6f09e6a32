"""What a recipe has drawn is not drawn again, unless somebody wants just that."""

import asyncio
from typing import Any
from uuid import UUID

from contracts.depth_map import DepthMapped, MapDepth, StoredMap
from contracts.jobs import JobCompleted
from services.depth_map.estimators import Cues, DrawnScenes, provenance
from services.depth_map.handlers import map_depth
from services.depth_map.mapping import Maps
from services.depth_map.rules import EdgeSettings, recipe
from shared.database import open_pool
from tests.living import House, lineage, until

ASSET = UUID("00000000-0000-4000-8000-00000000cccc")


class Mapping:
    """Draws nothing, and counts how often."""

    recipe = "cues-1"

    def __init__(self, pool: Any, recipe: str = recipe) -> None:
        self.pool = pool
        self.recipe = recipe
        self.drawn = 0

    async def draw(self, *_: Any, **__: Any) -> Maps:
        self.drawn += 1
        stored = StoredMap(key=f"maps/{self.drawn}.png", sha256="0" * 64, size_bytes=1, width_px=16, height_px=16)
        facts = {"kind": "inverse_relative", "estimator": "cues", "quality": {}}
        return Maps(stored, stored, stored, stored, "maps/sidecar.json", facts)


async def mapped(house: House, **wish: Any) -> tuple[DepthMapped, Any]:
    """Have the asset mapped; give what is said of the maps, and of the job."""
    command = MapDepth(**lineage(), asset_id=ASSET, original_key="original.png", sha256="0" * 64, **wish)
    await house.say(command)
    said: list[Any] = []

    async def done() -> bool:
        said.extend(one for one in await house.heard() if getattr(one, "job_id", None) == command.job_id)
        return {DepthMapped, JobCompleted} <= set(map(type, said))

    await until(done)
    (fact,) = (one for one in said if isinstance(one, DepthMapped))
    (news,) = (one for one in said if isinstance(one, JobCompleted))
    return fact, news.result


async def test_the_same_recipe_draws_once_unless_it_is_told_to_draw_anew(house: House) -> None:
    pool = await open_pool(house.servers.database_url("depth_map"), size=1, application_name="tests")
    try:
        depth = Mapping(pool)
        async with house.worker("depth_map", works={MapDepth: map_depth}, crafts={"depth": depth}):
            first, told = await mapped(house)
            assert (first.subject_version, told["already_mapped"]) == (1, False)
            again, told = await mapped(house, recipe="cues-1")
            assert (again.depth, again.subject_version, told["already_mapped"]) == (first.depth, 1, True)
            assert depth.drawn == 1
            anew, told = await mapped(house, redraw=True)
            assert (anew.depth.key, anew.subject_version, told["already_mapped"]) == ("maps/2.png", 2, False)
    finally:
        await pool.close()
    assert depth.drawn == 2
    assert await house.value("SELECT subject_version FROM depth_map.depth_maps") == 2


class Slow(Mapping):
    """Draws only once so many are being drawn at the same time."""

    def __init__(self, pool: Any, together: int) -> None:
        super().__init__(pool)
        self._together = asyncio.Barrier(together)

    async def draw(self, *_: Any, **__: Any) -> Maps:
        await self._together.wait()
        return await super().draw()


async def test_of_two_batches_that_draw_an_image_at_the_same_time_only_one_counts(house: House) -> None:
    """What was reviewed in between would else await another review, of maps that nobody has asked for."""
    pool = await open_pool(house.servers.database_url("depth_map"), size=1, application_name="tests")
    try:
        depth = Slow(pool, together=2)
        async with house.worker("depth_map", works={MapDepth: map_depth}, crafts={"depth": depth}):
            commands = [MapDepth(**lineage(), asset_id=ASSET, original_key="o.png", sha256="0" * 64) for _ in range(2)]
            for command in commands:
                await house.say(command)
            said: list[Any] = []

            async def done() -> bool:
                said.extend(await house.heard())
                return len([one for one in said if isinstance(one, DepthMapped | JobCompleted)]) == 2 * 2

            await until(done)
    finally:
        await pool.close()
    facts = [one for one in said if isinstance(one, DepthMapped)]
    assert depth.drawn == 2
    assert {fact.job_id for fact in facts} == {command.job_id for command in commands}
    assert {fact.subject_version for fact in facts} == {1}
    assert len({fact.depth.key for fact in facts}) == 1
    told = [one.result["already_mapped"] for one in said if isinstance(one, JobCompleted)]
    assert sorted(told) == [False, True]


async def test_what_the_cues_have_drawn_is_drawn_again_where_the_network_draws_from_now_on(house: House) -> None:
    cues, network = (recipe(provenance(choice), EdgeSettings()) for choice in (Cues(), DrawnScenes(sha256="1" * 64)))
    pool = await open_pool(house.servers.database_url("depth_map"), size=1, application_name="tests")
    try:
        for name in (cues, network):
            depth = Mapping(pool, name)
            async with house.worker("depth_map", works={MapDepth: map_depth}, crafts={"depth": depth}):
                fact, told = await mapped(house)
                assert (fact.recipe, fact.subject_version, told["already_mapped"]) == (name, 1, False)
                _, told = await mapped(house)
                assert (told["already_mapped"], depth.drawn) == (True, 1)
    finally:
        await pool.close()

"""The comparison that all journeys end with is itself compared: it has to notice whatever could go wrong."""

from collections.abc import AsyncIterator

import pytest

from deploy.local.stack import Stack
from tests.deploy.clients import objects
from tests.journeys.end_state import books_of, differences, until_quiet
from tests.journeys.gallery import Gallery
from tests.journeys.visitors import Visitor, visiting

ONE = "(SELECT {id} FROM {table} WHERE project_id = $1 ORDER BY 1 LIMIT 1)"
AN_ASSET = ONE.format(id="id", table="media.assets")
A_JOB = "(SELECT id FROM gateway.jobs WHERE project_id = $1 AND kind = 'depth_map.map_depth.v1' ORDER BY 1 LIMIT 1)"
SOMETHING_SAID = (
    "INSERT INTO depth_map.said (message_id, routing_key, job_id, body)"
    f" SELECT gen_random_uuid(), 'depth_map.depth_mapped', {A_JOB}, ''"
)
DEAD_LETTER = (
    "INSERT INTO media.dead_letters (id, routing_key, body, code, sentence, job_id)"
    f" VALUES (gen_random_uuid(), 'x', '', 'made_up', 'It was made up.', {A_JOB})"
)

SABOTAGE = {
    SOMETHING_SAID: "DepthMapped was said",
    f"UPDATE gateway.jobs SET state = 'failed' WHERE id = {A_JOB}": "jobs of the gateway against tasks of the workers",
    f"DELETE FROM depth_map.tasks WHERE id = {A_JOB}": "jobs of the gateway against tasks of the workers",
    f"DELETE FROM gateway.jobs WHERE id = {A_JOB}": "the tree of",
    "UPDATE media.blobs SET asset_count = asset_count + 1"
    f" WHERE sha256 = (SELECT sha256 FROM media.assets WHERE id = {AN_ASSET})": "blobs",
    f"DELETE FROM gateway.descriptions WHERE asset_id = {AN_ASSET}": "images are described",
    f"DELETE FROM gateway.maps WHERE asset_id = {AN_ASSET}": "gateway.maps",
    f"DELETE FROM depth_map.depth_maps WHERE asset_id = {AN_ASSET}": "depth_map.depth_maps",
    f"DELETE FROM gateway.assets WHERE id = {AN_ASSET}": "gateway.assets",
    DEAD_LETTER: "a dead letter of media: made_up",
}


@pytest.fixture(scope="module")
async def journey(whole_stack: Stack, gallery: Gallery) -> AsyncIterator[Visitor]:
    """A journey that has ended well."""
    async with visiting(whole_stack) as visitor, books_of(whole_stack) as books:
        await visitor.scrapes(await gallery.exhibit("sabotaged", 2))
        await until_quiet(whole_stack)
        assert await differences(whole_stack, visitor) == []
        yield visitor
        await books.rows("DELETE FROM media.dead_letters WHERE code = 'made_up'")


@pytest.mark.parametrize(("sabotage", "told"), SABOTAGE.items(), ids=SABOTAGE.values())
async def test_what_is_missing_or_too_much_is_noticed(
    whole_stack: Stack, journey: Visitor, sabotage: str, told: str
) -> None:
    before = set(await differences(whole_stack, journey))
    async with books_of(whole_stack) as books:
        await books.rows(sabotage, journey.project_id)
    after = set(await differences(whole_stack, journey))

    assert any(told in sentence for sentence in after - before), after - before


async def test_an_object_too_much_and_a_spoilt_one_are_noticed(whole_stack: Stack, journey: Visitor) -> None:
    async with books_of(whole_stack) as books, objects(whole_stack.object_store) as s3:
        bucket = whole_stack.object_store.bucket
        [(asset_id,)] = await books.rows(
            "SELECT asset_id FROM depth_map.depth_maps WHERE project_id = $1 LIMIT 1", journey.project_id
        )
        [(key,)] = await books.rows(
            "SELECT original_key FROM media.blobs JOIN media.assets USING (sha256) WHERE project_id = $1 LIMIT 1",
            journey.project_id,
        )
        stray = f"training-data/maps/depth/{asset_id}/stray.png"
        await s3.put_object(Bucket=bucket, Key=stray, Body=b"a second map")
        await s3.put_object(Bucket=bucket, Key=key, Body=b"something else")
    told = await differences(whole_stack, journey)

    assert f"{key} is not what was stored" in told
    assert f"depth maps in the object store: {stray} is 1 instead of None" in told

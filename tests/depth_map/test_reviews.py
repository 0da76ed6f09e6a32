"""What people decide of maps is recorded by whoever owns them: the latest decision holds, however they come."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from contracts.depth_map import DepthMapReviewed, ReviewDepthMap
from contracts.jobs import JobCompleted, JobFailed
from services.depth_map.handlers import review_depth_map
from tests.living import PROJECT, House, lineage, until

ASSET = UUID("00000000-0000-4000-8000-00000000bbbb")
AT = datetime(2026, 1, 1, tzinfo=UTC)


def command(decision: int, verdict: Any = "approved", **more: Any) -> ReviewDepthMap:
    about = {"asset_id": ASSET, "recipe": "cues", "map_version": 1, "reviewed_by": "ann", "reviewed_at": AT}
    return ReviewDepthMap(**{**lineage(), **about, "decision": decision, "verdict": verdict, **more})


@pytest.fixture(autouse=True)
async def worker(house: House) -> AsyncIterator[None]:
    await house.admin.execute(
        "INSERT INTO depth_map.depth_maps (asset_id, recipe, project_id, maps, facts) VALUES ($1, 'cues', $2, $3, $3)",
        ASSET,
        PROJECT,
        {},
    )
    async with house.worker("depth_map", works={ReviewDepthMap: review_depth_map}):
        yield


async def obeyed(house: House, *commands: ReviewDepthMap) -> list[Any]:
    """Have commands obeyed one after the other; give what was said."""
    said: list[Any] = []
    for one in commands:
        await house.say(one)

        async def ended(job_id: UUID = one.job_id) -> bool:
            said.extend(await house.heard())
            return any(isinstance(news, JobCompleted | JobFailed) and news.job_id == job_id for news in said)

        await until(ended)
    return said


async def held(house: House) -> tuple[Any, ...]:
    [row] = await house.rows("SELECT decision, verdict, reasons, note FROM depth_map.map_reviews")
    return tuple(row)


async def test_a_decision_is_recorded_and_said(house: House) -> None:
    wish = command(1, "rejected", reasons=("banding",), note="steps on the wall", map_version=2)
    [fact] = [one for one in await obeyed(house, wish) if isinstance(one, DepthMapReviewed)]
    assert await held(house) == (1, "rejected", ["banding"], "steps on the wall")
    same = {"asset_id", "recipe", "verdict", "reasons", "note", "reviewed_by", "reviewed_at", "map_version", "job_id"}
    assert fact.model_dump(include=same) == wish.model_dump(include=same)
    assert fact.subject_version == 1


async def test_the_latest_decision_holds_in_whatever_order_they_come(house: House) -> None:
    for order in permutations(((1, "approved"), (2, "rejected"), (3, "unreviewed"))):
        await house.admin.execute("DELETE FROM depth_map.map_reviews")
        said = await obeyed(house, *(command(number, verdict) for number, verdict in order))
        assert (await held(house))[:2] == (3, "unreviewed"), order
        facts = [one for one in said if isinstance(one, DepthMapReviewed)]
        versions = [fact.subject_version for fact in facts]
        assert versions == sorted(versions), "who comes late is told what holds"
        assert versions[-1] == 3


async def test_maps_of_nobody_or_of_another_project_are_not_reviewed(house: House) -> None:
    stranger = UUID("00000000-0000-4000-8000-00000000cccc")
    said = await obeyed(house, command(1, recipe="onnx"), command(1, project_id=stranger))
    assert [one.code for one in said if isinstance(one, JobFailed)] == ["map_unknown"] * 2
    assert [one for one in said if isinstance(one, DepthMapReviewed)] == []
    assert await house.value("SELECT count(*) FROM depth_map.map_reviews") == 0

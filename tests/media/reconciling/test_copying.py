"""What was stored before there were clean copies gets them, and it is told once, whatever dies meanwhile."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from contracts.media import CleanCopiesMade
from services.media.copying import Copying
from services.media.library import Library
from services.media.store import copies
from shared import outbox
from shared.database import Pool
from shared.errors import TryAgain
from shared.objects import ObjectStore
from shared.outbox import Outbox
from shared.sandbox import Killed
from tests.living import PROJECT, House
from tests.media.reconciling.shelf import (
    COPY,
    FACTS,
    KEY,
    NEIGHBOUR,
    PICTURE,
    SHOWN,
    deleted,
    library,
    put,
    sandboxed,
    stored,
)

BEFORE: dict[str, Any] = {"renditions": [{"name": "250", "key": SHOWN}]}
STEPS = ("claim_uncopied", "put_once", "update_blob_copied", "update_assets_copied", "insert_sayings")
"""What writes, in its order."""


class Here:
    """Reads pictures in this very process, for tests that are not about reading them."""

    async def run(self, work: Callable[[bytes, dict[str, Any]], Any], path: Path, **options: Any) -> Any:
        return work(await asyncio.to_thread(path.read_bytes), options)


class Death(Exception):
    """The process ends here."""


async def an_hour_passes(house: House) -> None:
    """Have everything be due that waits."""
    await house.admin.execute("UPDATE media.assets SET copy_due_at = now() WHERE copy_due_at < 'infinity'")


async def of_before(house: House) -> None:
    """Have all that is stored be of before there were copies."""
    await house.admin.execute("UPDATE media.assets SET copy_due_at = now()")


def copying(pool: Pool, objects: ObjectStore, scratch: Path, sandbox: Any) -> Copying:
    own: Library = library(pool, objects, sandbox, scratch)
    return Copying(pool, own, Outbox("media"))


@pytest.fixture
def here(pool: Pool, objects: ObjectStore, tmp_path: Path) -> Copying:
    """Who makes copies."""
    return copying(pool, objects, tmp_path, Here())


async def told(house: House) -> Sequence[CleanCopiesMade]:
    said = await house.rows("SELECT body FROM media.outbox WHERE routing_key = 'media.clean_copies_made'")
    return [CleanCopiesMade.model_validate(orjson.loads(row["body"])["data"]) for row in said]


async def test_all_projects_are_told_of_the_copy_of_what_they_stored_before_there_were_any(
    house: House, pool: Pool, objects: ObjectStore, tmp_path: Path
) -> None:
    await put(objects, KEY)
    hers = {await stored(pool, project, BEFORE): project for project in (PROJECT, NEIGHBOUR)}
    await of_before(house)
    async with sandboxed() as sandbox:
        own = copying(pool, objects, tmp_path, sandbox)
        assert await own.copy_few()
        assert not await own.copy_few(), "nothing is due any more"
    [said] = await told(house)
    assert {asset.asset_id: asset.project_id for asset in said.assets} == hers
    assert (said.clean_copy.key, said.clean_copy.lossless) == (COPY, True)
    content = await objects.get(COPY)
    assert len(content) == said.clean_copy.size_bytes
    assert b"Lumen" in PICTURE
    assert b"Lumen" not in content
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []


async def test_of_what_is_stored_now_it_is_told_at_once_and_of_what_somebody_deleted_never(
    house: House, pool: Pool, objects: ObjectStore, here: Copying
) -> None:
    await put(objects, KEY)
    await stored(pool)
    assert not await here.copy_few()
    await stored(pool, NEIGHBOUR, BEFORE)
    await of_before(house)
    for project in (PROJECT, NEIGHBOUR):
        await deleted(pool, project)
    assert not await here.copy_few()
    assert await told(house) == []


async def test_where_the_copy_was_made_for_somebody_else_meanwhile_it_is_only_told(
    house: House, pool: Pool, here: Copying
) -> None:
    copy = {"content_type": "image/png", "size_bytes": 9, "sha256": "ab" * 32, "width_px": 64, "height_px": 48}
    await stored(pool, facts=FACTS | {"clean_copy": {"key": COPY, "lossless": True, **copy}})
    await of_before(house)
    assert await here.copy_few()
    [said] = await told(house)
    assert said.clean_copy.sha256 == copy["sha256"]


async def test_what_moves_and_what_cannot_be_read_any_more_is_settled_without_a_copy(
    house: House, pool: Pool, objects: ObjectStore, here: Copying
) -> None:
    await objects.put(KEY, b"no picture", content_type="image/png")
    for facts in (BEFORE, BEFORE | {"clean_copy": None, "video": {}}):
        await stored(pool, facts=facts)
        await of_before(house)
        assert await here.copy_few()
        await an_hour_passes(house)
        assert not await here.copy_few(), "nobody looks at it again"
    assert await told(house) == []


async def test_what_is_away_for_a_while_is_copied_when_it_is_back(
    house: House, pool: Pool, objects: ObjectStore, here: Copying, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(pool, facts=BEFORE)
    await of_before(house)
    assert await here.copy_few(), "an original that is missing keeps nobody else waiting"
    await an_hour_passes(house)
    await put(objects, KEY)

    async def away(*_: object) -> int:
        raise TryAgain("object_store_unavailable", "Not now.")

    with monkeypatch.context() as failing:
        failing.setattr(objects, "save", away)
        assert not await here.copy_few(), "and nothing else is tried now"
    assert await told(house) == []
    await an_hour_passes(house)
    assert await here.copy_few()
    assert len(await told(house)) == 1


@pytest.mark.parametrize(("times", "tells"), [(2, True), (3, False)])
async def test_a_picture_that_always_kills_its_reader_is_settled_without_a_copy_and_nobody_waits_for_it(
    house: House,
    pool: Pool,
    objects: ObjectStore,
    here: Copying,
    monkeypatch: pytest.MonkeyPatch,
    *,
    times: int,
    tells: bool,
) -> None:
    """With its control: one whose reader was killed less often gets its copy."""
    await put(objects, KEY)
    await stored(pool, facts=BEFORE)
    await of_before(house)

    async def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as short:
        short.setattr(here._library._sandbox, "run", killed)
        for _ in range(times):
            assert await here.copy_few(), "its neighbours have their turn at once"
            await an_hour_passes(house)
    assert await here.copy_few() is tells
    assert len(await told(house)) == int(tells)


async def test_processes_share_what_is_due(house: House, pool: Pool) -> None:
    await stored(pool, facts=BEFORE)
    await of_before(house)
    assert len(await copies.claim_uncopied(pool, 10)) == 1
    assert await copies.claim_uncopied(pool, 10) == {}, "another has claimed it for an hour"


@pytest.mark.parametrize("point", [f"{side} {step}" for step in STEPS for side in ("before", "after")])
async def test_a_process_may_die_at_any_step_and_a_later_look_tells_of_the_copy_once(
    house: House, pool: Pool, here: Copying, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    objects = here._library._objects
    await put(objects, KEY)
    await stored(pool, facts=BEFORE)
    await of_before(house)
    side, step = point.split()
    place: Any = {"put_once": objects, "insert_sayings": outbox}.get(step, copies)
    real, deaths = getattr(place, step), 0

    async def dying(*arguments: Any, **named: Any) -> None:
        nonlocal deaths
        if side == "after":
            await real(*arguments, **named)
        deaths += 1
        raise Death

    with monkeypatch.context() as mortal, suppress(Death):
        mortal.setattr(place, step, dying)
        await here.copy_few()
    assert deaths == 1
    assert await told(house) == []
    for _ in range(2):
        await an_hour_passes(house)
        await here.copy_few()
    [said] = await told(house)
    assert said.clean_copy.key == COPY
    assert await objects.exists(COPY)

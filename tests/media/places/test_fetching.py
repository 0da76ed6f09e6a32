"""What waits for its host goes back to the queue; others go on, and no attempt is used up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts.media import FetchMedia, MediaStored
from services.media import app
from services.media.downloads import Platforms
from services.media.handlers import fetch_media
from services.media.library import Library, Limits
from services.media.manners import SharedDoors
from services.media.places import Places
from shared.addresses import Policy, Url, parse_url
from shared.database import open_pool
from shared.errors import TryAgain
from shared.fetch import Outbound
from shared.identifiers import uuid7
from shared.objects import ObjectStore
from tests.living import House, lineage, until
from tests.media.parts import media_settings, picture_sandbox
from tests.media.places.replicas import HASTY, NAMES
from tests.media.samples import encoded, photo
from tests.shared.strangers import Stranger, StubResolver, answer

MOST = 2
CONCURRENCY = 4
SLOW = 10

LARGE = answer(encoded(photo(640, 480), "JPEG"))
SMALL = answer(encoded(photo(64, 48), "JPEG"))


@dataclass
class Media:
    """A worker that downloads, from a host whose slow images do not come before they are let go."""

    house: House
    host: Stranger
    library: Library
    places: Places

    def url(self, path: str, host: str = NAMES[0]) -> str:
        return f"http://{host}:{self.host.port}{path}"

    async def ask_for(self, url: str, **more: Any) -> UUID:
        command = FetchMedia(**lineage(uuid7()), url=url, **more)
        await self.house.say(command)
        return command.job_id

    async def has_ended(self, job_id: UUID) -> str | None:
        state: str | None = await self.house.value("SELECT state FROM media.tasks WHERE id = $1", job_id)
        return state if state in {"completed", "failed"} else None


@pytest.fixture
async def media(house: House, tmp_path: Path) -> AsyncIterator[Media]:
    settings = media_settings(house)
    pool = await open_pool(house.servers.database_url("media"), size=4, application_name="tests")
    resolver = StubResolver({name: ["127.0.0.1"] for name in NAMES})
    async with (
        Stranger(otherwise=LARGE, hangs={"/slow"}) as host,
        ObjectStore.of(settings) as objects,
        Outbound(
            user_agent="diorama-tests", allow=frozenset({("127.0.0.1", host.port)}), resolver=resolver, per_host=64
        ) as outbound,
        picture_sandbox(settings) as pictures,
    ):
        await objects.ensure_bucket()
        places = Places(SharedDoors(pool), HASTY, most=MOST)
        library = Library(
            pool=pool,
            objects=objects,
            outbound=outbound,
            sandbox=pictures,
            scratch=tmp_path,
            limits=Limits(10_000_000, 60.0, Platforms(extractors=("generic", "html5"), deadline_seconds=30)),
            places=places,
        )
        works = {FetchMedia: fetch_media}
        async with house.worker("media", works=works, crafts={"library": library}, concurrency=CONCURRENCY):
            yield Media(house, host, library, places)
    await pool.close()


async def test_a_slow_host_holds_nobody_up_and_uses_up_no_attempt(media: Media) -> None:
    slow = [await media.ask_for(media.url("/slow")) for _ in range(SLOW)]
    await media.host.until(lambda: media.host.open_now == MOST)
    quick = await media.ask_for(media.url("/quick", NAMES[1]))
    assert await until(lambda: media.has_ended(quick)) == "completed"

    waiting = "SELECT count(*) FROM media.tasks WHERE id = ANY ($1) AND limited AND state = 'pending'"
    await until(lambda: media.house.value(f"{waiting} HAVING count(*) = $2", slow, SLOW - MOST))
    told = await media.house.rows("SELECT attempt, error_code FROM media.tasks WHERE limited")
    assert {(row["attempt"], row["error_code"]) for row in told} == {(0, "host_busy")}
    assert media.host.most_open <= MOST + 1, "the other host's included"

    media.host.release()
    await until(
        lambda: media.house.value(
            "SELECT count(*) = $2 FROM media.tasks WHERE id = ANY ($1) AND state = 'completed'", slow, SLOW
        ),
        seconds=60,
    )


async def test_nobody_takes_the_next_best_since_the_best_has_to_wait(media: Media) -> None:
    media.host.answers["/small"] = SMALL
    slow = [await media.ask_for(media.url("/slow")) for _ in range(MOST)]
    await media.host.until(lambda: media.host.open_now == MOST)
    wanted = await media.ask_for(media.url("/large"), alternatives=(media.url("/small", NAMES[1]),))
    await until(lambda: media.house.value("SELECT limited FROM media.tasks WHERE id = $1", wanted))
    assert [asked.target for asked in media.host.asked] == ["/slow"] * MOST
    media.host.release()
    for job_id in (*slow, wanted):
        assert await until(lambda job_id=job_id: media.has_ended(job_id)) == "completed"  # type: ignore[misc]
    assert "/small" not in [asked.target for asked in media.host.asked]
    stored = [one for one in await media.house.heard() if isinstance(one, MediaStored)]
    assert {one.width_px for one in stored} == {640}


async def test_whoever_has_asked_a_host_already_waits_for_the_next_turn_instead_of_asking_all_again(
    media: Media, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = [False, True, True, False]
    place = parse_url("http://gallery.example/a.jpg", Policy())

    @asynccontextmanager
    async def turn(_place: Url) -> AsyncIterator[None]:
        if late.pop(0):
            raise TryAgain("host_busy", "Later.", retry_after_seconds=0.01, rate_limited=True)
        yield

    monkeypatch.setattr(media.library, "_gate", turn)
    gate = media.library.visit()
    async with gate(place):
        pass
    async with gate(place):
        assert late == []

    late += [True]
    with pytest.raises(TryAgain, match="host_busy"):
        async with media.library.visit()(place):
            pass


async def test_a_video_of_a_platform_has_a_place_at_its_host(media: Media) -> None:
    page = b"<html><head><title>x</title></head><body><video><source src='/slow' type='video/mp4'></video>"
    media.host.answers["/page"] = answer(page, headers=[("Content-Type", "text/html")])
    here = "127.0.0.1"  # its program looks names up by itself

    def hangs(count: int) -> bool:
        return [asked.target for asked in media.host.asked].count("/slow") == count

    taking = asyncio.create_task(media.library.hold_link(media.url("/page", here), lambda _share, _stage: None))
    await media.host.until(lambda: hangs(1))
    other = await media.ask_for(media.url("/slow", here))
    await media.host.until(lambda: hangs(MOST))
    with pytest.raises(TryAgain, match="host_busy"):
        await media.library.hold_link(media.url("/a", here), lambda _share, _stage: None)
    media.host.release()
    await asyncio.gather(taking, return_exceptions=True)  # what it was given is no video
    assert await until(lambda: media.has_ended(other)) == "completed"


async def test_what_lies_in_our_own_store_needs_no_place(house: House) -> None:
    settings = media_settings(house)
    store = house.servers.object_store.endpoint_url
    (own,) = app._own_stores(settings)
    assert store.endswith(f"{own[0]}:{own[1]}")

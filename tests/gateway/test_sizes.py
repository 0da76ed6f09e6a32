"""Pictures in any allowed size: drawn for whoever asks first, at an address that shows itself to be ours."""

import asyncio
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from contracts.jobs import JobCompleted, JobFailed
from contracts.media import CleanCopy, DrawRendition, MediaDeleted, MediaStored
from services.gateway.links import Drawing, Drawings, Known, Sized, SizedLinks
from shared.object_keys import rendition_key
from shared.objects import ObjectStore
from tests.gateway.living import Client, Gateway, Reply, Voice
from tests.gateway.sayings import SHA, media_stored
from tests.living import House, until

DONE: dict[str, Any] = {"attempt": 1, "started_at": "2025-01-01T00:00:00Z"}
IMAGE, PROJECT = UUID(int=1), UUID(int=2)


async def stored_by(ann: Client, gateway: Gateway, **facts: Any) -> MediaStored:
    voice = Voice((await ann.post("/media/store", {"url": "https://example.org/a.jpg"})).body)
    stored = media_stored(voice, **facts)
    await gateway.hear(stored)
    async with ObjectStore.of(gateway.settings) as objects:
        await objects.ensure_bucket()
        for side in (64, 640):
            await objects.delete(rendition_key(stored.sha256, str(side)))
    return stored


async def address_of(ann: Client, stored: MediaStored, longest_px: int) -> str:
    sizes = (await ann.get(f"/images/{stored.asset_id}/sizes")).body["items"]
    return next(str(size["url"]) for size in sizes if size["longest_px"] == longest_px)


async def asked(ann: Client, address: str) -> Reply:
    """Ask as a browser does that shows a picture: without a credential."""
    async with aiohttp.ClientSession(ann.session._base_url) as stranger:
        return await Client(stranger, "nobody", ann.judge).send("GET", address)


async def drawings(ann: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await ann.get("/jobs", params={"kind": DrawRendition.wire_name})).body["items"]
    return found


async def drawn(ann: Client, gateway: Gateway, stored: MediaStored, side: int, content: bytes) -> None:
    """Do as media does, once somebody asks."""
    (job,) = await until(lambda: drawings(ann))
    async with ObjectStore.of(gateway.settings) as objects:
        await objects.put(rendition_key(stored.sha256, str(side)), content, content_type="image/webp")
    await gateway.hear(Voice(job).says(JobCompleted, **DONE))


async def test_a_size_is_drawn_once_for_all_who_ask_and_lies_there_from_then_on(ann: Client, gateway: Gateway) -> None:
    stored = await stored_by(ann, gateway)
    address = await address_of(ann, stored, 640)
    asking = [asyncio.create_task(asked(ann, address)) for _ in range(3)]
    await drawn(ann, gateway, stored, 640, b"a picture")

    replies = [*await asyncio.gather(*asking), await asked(ann, address)]

    assert {reply.status for reply in replies} == {307}
    assert len(await drawings(ann)) == 1
    async with aiohttp.ClientSession() as browser, browser.get(replies[0].headers["location"]) as response:
        assert (response.status, response.content_type, await response.read()) == (200, "image/webp", b"a picture")


async def test_what_was_drawn_before_is_found_by_a_gateway_that_has_just_started(ann: Client, gateway: Gateway) -> None:
    stored = await stored_by(ann, gateway)
    async with ObjectStore.of(gateway.settings) as objects:
        await objects.put(rendition_key(SHA, "64"), b"small", content_type="image/webp")

    reply = await asked(ann, await address_of(ann, stored, 64))

    assert (reply.status, await drawings(ann)) == (307, [])


async def test_sizes_are_those_of_the_picture_and_the_last_is_its_own(ann: Client, gateway: Gateway) -> None:
    stored = await stored_by(ann, gateway)
    sizes = (await ann.get(f"/images/{stored.asset_id}/sizes")).body["items"]
    assert [(size["width_px"], size["height_px"]) for size in sizes[-3:]] == [(480, 360), (640, 480), (800, 600)]
    assert sizes[0]["longest_px"] == 64
    named = await ann.get(f"/images/{stored.asset_id}/file", params={"variant": "640"})
    assert (named.status, named.headers["location"]) == (307, sizes[-2]["url"])
    assert (await ann.get(f"/images/{stored.asset_id}/file", params={"variant": "641"})).status == 404


async def test_an_address_that_was_changed_leads_nowhere_and_nothing_is_drawn(
    ann: Client, bob: Client, gateway: Gateway
) -> None:
    stored = await stored_by(ann, gateway)
    other = await stored_by(bob, gateway, sha256="cd" * 32)
    address = await address_of(ann, stored, 640)
    place, _, said = address.rpartition("/")
    changed = [
        said.replace(".640.", ".64."),
        said.replace(str(stored.asset_id), str(other.asset_id)),
        said.replace(str(stored.project_id), str(other.project_id)),
        said[:-2] + ("AA" if not said.endswith("AA") else "BB"),
        said.replace(".640.", ".640.1"),
        "...",
        "640",
        "%E2%98%83.%E2%98%83",
    ]
    for one in changed:
        reply = await asked(ann, f"{place}/{one}")
        assert (reply.status, reply.body["code"]) == (403, "link_invalid"), one
    assert await drawings(ann) == []


async def test_an_address_outlives_neither_its_image_nor_its_time(ann: Client, gateway: Gateway) -> None:
    stored = await stored_by(ann, gateway)
    address = await address_of(ann, stored, 640)
    voice = Voice((await ann.post("/media/store", {"url": "https://example.org/a.jpg"})).body)
    await gateway.hear(voice.states(MediaDeleted, asset_id=stored.asset_id, subject_version=2))
    assert (await asked(ann, address)).status == 404


async def test_what_cannot_be_drawn_is_told_and_not_tried_by_everybody_who_asks(ann: Client, gateway: Gateway) -> None:
    stored = await stored_by(ann, gateway)
    address = await address_of(ann, stored, 640)
    asking = asyncio.create_task(asked(ann, address))
    (job,) = await until(lambda: drawings(ann))
    await gateway.hear(Voice(job).says(JobFailed, attempt=1, code="image_corrupt", sentence="It is damaged."))

    replies = [await asking, await asked(ann, address)]

    assert {(reply.status, reply.body["code"]) for reply in replies} == {(409, "rendition_failed")}
    assert "It is damaged." in replies[0].body["detail"]
    assert len(await drawings(ann)) == 1


async def test_who_has_waited_long_enough_is_told_to_come_back_and_then_waits_for_the_same_job(
    ann: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.routes.sizing._PATIENCE_SECONDS", 0.1)
    stored = await stored_by(ann, gateway)
    address = await address_of(ann, stored, 640)
    for _ in range(2):
        reply = await asked(ann, address)
        assert (reply.status, reply.body["code"]) == (503, "rendition_pending")
        assert reply.headers["retry-after"]
    await drawn(ann, gateway, stored, 640, b"a picture")
    assert (await asked(ann, address)).status == 307
    assert len(await drawings(ann)) == 1


async def test_media_is_asked_ahead_of_what_nobody_waits_for(ann: Client, gateway: Gateway, house: House) -> None:
    stored = await stored_by(ann, gateway)
    asking = asyncio.create_task(asked(ann, await address_of(ann, stored, 640)))
    await until(lambda: drawings(ann))
    said: list[DrawRendition] = []

    async def heard() -> bool:
        said.extend(one for one in await house.heard("media") if isinstance(one, DrawRendition))
        return bool(said)

    await until(heard)
    (command,) = said
    assert (command.asset_id, command.project_id, command.longest_px) == (stored.asset_id, ann.project_id, 640)
    assert command.priority > 0
    await drawn(ann, gateway, stored, 640, b"a picture")
    await asking


async def test_an_original_that_tells_more_than_its_pixels_is_never_linked_to(ann: Client, gateway: Gateway) -> None:
    key = f"media/renditions/{SHA}/clean.jpg"
    copy = CleanCopy(
        key=key, content_type="image/jpeg", size_bytes=900, sha256="ef" * 32, width_px=800, height_px=600, lossless=True
    )
    telling = await stored_by(ann, gateway, clean_copy=copy)
    older = await stored_by(ann, gateway, sha256="cd" * 32, clean_copy=None)

    first = (await ann.get(f"/images/{telling.asset_id}")).body
    assert key in first["urls"]["original"]
    assert telling.original_key not in str(first)
    reply = await ann.get(f"/images/{telling.asset_id}/file")
    assert (reply.status, key in reply.headers["location"]) == (307, True)
    second = (await ann.get(f"/images/{older.asset_id}")).body
    assert set(second["urls"]) == {"250"}, "of what was stored before there were copies nothing but renditions"
    assert (await ann.get(f"/images/{older.asset_id}/file")).status == 404

    await stored_by(ann, gateway, sha256="cd" * 32)
    assert set((await ann.get(f"/images/{older.asset_id}")).body["urls"]) == {"original", "250"}


def links(now: float, secret: str = "s" * 20) -> SizedLinks:
    return SizedLinks("/pictures", secret, seconds=1000, clock=lambda: now)


def test_an_address_works_for_half_its_time_at_least_stays_for_a_while_and_ends() -> None:
    sized = Sized(PROJECT, IMAGE, 640)
    for now in (10_000.0, 10_499.0):
        link = links(now).to(sized)
        assert link == links(10_000.0).to(sized)
        address, end = link.url.rpartition("/")[2], link.expires_at.timestamp()
        assert now + 500 <= end <= now + 1000
        assert links(end - 1).read(address) == sized
        assert links(end).read(address) is None
        assert links(now, "t" * 20).read(address) is None, "another store's secret"
    assert links(10_500.0).to(sized) != links(10_499.0).to(sized)


async def test_who_waits_together_is_told_together_and_only_who_comes_afterwards_waits_anew() -> None:
    tries, over = 0, asyncio.Event()

    async def lies_there(_: str) -> bool:
        return False

    async def draw(known: Known) -> None:
        nonlocal tries
        tries += 1
        await over.wait()
        raise known.put_off(lambda: TimeoutError("not yet"))

    drawings = Drawings(lies_there)
    asking = [asyncio.create_task(drawings.have(Drawing("a", IMAGE, 1), draw)) for _ in range(3)]
    await until(lambda: _value(tries == 1))
    over.set()
    ends = await asyncio.gather(*asking, return_exceptions=True)
    assert ([type(end) for end in ends], tries) == ([TimeoutError] * 3, 1)
    with pytest.raises(TimeoutError):
        await drawings.have(Drawing("a", IMAGE, 1), draw)
    assert tries == 2


async def _value(value: bool) -> bool:
    return value


async def test_what_was_drawn_for_an_image_that_went_is_looked_for_again_by_the_next_of_the_same_bytes() -> None:
    looked = 0

    async def lies_there(_: str) -> bool:
        nonlocal looked
        looked += 1
        return True

    async def draw(_: Known) -> None:
        raise AssertionError("it lies there")

    drawings = Drawings(lies_there)
    for drawing in (Drawing("a", IMAGE, 1), Drawing("a", IMAGE, 1), Drawing("a", IMAGE, 2), Drawing("a", PROJECT, 1)):
        await drawings.have(drawing, draw)
    assert looked == 3

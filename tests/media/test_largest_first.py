"""Whoever fails for a moment does not make a thumbnail of a picture: what is next best is only taken in the end."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contracts.jobs import JobCompleted, JobFailed
from contracts.media import FetchMedia, MediaStored
from services.media.handlers import fetch_media
from services.media.library import Held, Library
from shared.errors import TryAgain
from shared.retry import ATTEMPTS
from tests.living import House, lineage, until
from tests.media.parts import library_before
from tests.media.samples import encoded, photo
from tests.shared.strangers import Stranger, answer

LARGE, SMALL = answer(encoded(photo(320, 240), "PNG")), answer(encoded(photo(32, 24), "PNG"))
AWAY = answer(status=503, headers=[("Retry-After", "0")])


class Gallery:
    """Media at work on a picture that a host has in two sizes."""

    def __init__(self, house: House, host: Stranger, library: Library) -> None:
        self.house, self.host, self.library = house, host, library
        host.answers["/small"] = SMALL
        self.command = FetchMedia(**lineage(), url=self._url("/large"), alternatives=(self._url("/small"),))

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.host.port}{path}"

    def times_asked(self, path: str) -> int:
        return [one.target for one in self.host.asked].count(path)

    async def width(self) -> int | None:
        """Wait for the end of the fetch; give how wide the picture is that was stored."""
        said: list[Any] = []

        async def ended() -> bool:
            said.extend(await self.house.heard())
            return any(isinstance(one, JobCompleted | JobFailed) for one in said)

        await until(ended)
        return next((one.width_px for one in said if isinstance(one, MediaStored)), None)


@pytest.fixture
async def gallery(house: House, tmp_path: Path) -> AsyncIterator[Gallery]:
    async with (
        Stranger() as host,
        library_before(host, house, tmp_path) as (library, _),
        house.worker("media", works={FetchMedia: fetch_media}, crafts={"library": library}),
    ):
        yield Gallery(house, host, library)


async def test_a_picture_whose_host_fails_once_is_stored_as_large_as_it_is(gallery: Gallery) -> None:
    gallery.host.answers["/large"] = AWAY
    await gallery.house.say(gallery.command)
    await gallery.host.until(lambda: gallery.times_asked("/large") > 0)
    gallery.host.answers["/large"] = LARGE
    assert await gallery.width() == 320
    assert gallery.times_asked("/small") == 0


async def test_a_picture_whose_host_goes_on_failing_is_stored_as_it_can_be_had(gallery: Gallery) -> None:
    gallery.host.answers["/large"] = AWAY
    await gallery.house.say(gallery.command)
    assert await gallery.width() == 32
    assert gallery.times_asked("/large") == ATTEMPTS


async def test_a_picture_that_is_not_there_in_that_size_is_taken_in_the_next_at_once(gallery: Gallery) -> None:
    """The control."""
    gallery.host.answers["/large"] = answer(status=404)
    await gallery.house.say(gallery.command)
    assert await gallery.width() == 32
    assert gallery.times_asked("/large") == 1


@pytest.mark.parametrize("code", ["object_store_unavailable", "bytes_going", "videos_in_line"])
async def test_what_is_busy_on_our_own_side_only_has_a_picture_wait(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """As a store of ours that answers SlowDown when the picture is there: no other size of it would be any sooner."""
    gallery.host.answers["/large"] = LARGE
    hold, busy = gallery.library.hold_link, [TryAgain(code, "Not now.", retry_after_seconds=0, rate_limited=True)]

    async def hold_later(url: str, *arguments: Any, **named: Any) -> Held:
        held = await hold(url, *arguments, **named)
        if busy:
            raise busy.pop()
        return held

    monkeypatch.setattr(gallery.library, "hold_link", hold_later)
    await gallery.house.say(gallery.command)
    assert await gallery.width() == 320
    assert gallery.times_asked("/small") == 0
    assert gallery.times_asked("/large") == 2


async def test_a_host_that_asks_for_patience_has_a_smaller_size_taken_meanwhile(gallery: Gallery) -> None:
    """The control: that is of the picture, and of its host."""
    gallery.host.answers["/large"] = answer(status=429, headers=[("Retry-After", "60")])
    await gallery.house.say(gallery.command)
    assert await gallery.width() == 32

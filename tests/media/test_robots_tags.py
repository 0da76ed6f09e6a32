"""An image that nobody named by hand is not kept where its host asks robots to leave it alone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts.jobs import JobCompleted, JobFailed
from contracts.media import FetchMedia, MediaRejected, MediaStored
from contracts.scraper import ImageFound
from services.media.downloads import Wishes, download
from services.media.handlers import fetch_media, on_image_found
from shared.errors import Refused
from shared.fetch import Outbound
from shared.identifiers import uuid7
from shared.objects import ObjectStore
from tests.living import House, lineage, until
from tests.media.parts import library_before
from tests.media.samples import SMALL_FILES
from tests.media.test_downloads_resumed import WHOLE, Script, beginning, left_in
from tests.shared.strangers import Stranger, answer

PICTURE = SMALL_FILES["jpeg"]()
CODE = "robots_tag_disallowed"


def tagged(*tags: str, body: bytes = PICTURE) -> bytes:
    return answer(body, headers=[("Content-Type", "image/jpeg"), *(("X-Robots-Tag", tag) for tag in tags)])


@pytest.mark.parametrize(
    ("said", "forbids"),
    [
        ("noindex", True),
        ("noarchive, NoImageIndex", True),
        ("none", True),
        ("diorama: noindex", True),
        ("*: noindex", True),
        ("noai", True),
        ("noimageai", True),
        ("otherbot: noindex, noai", False),
        ("nofollow, noarchive, max-image-preview: none", False),
        ("all", False),
        ("", False),
    ],
)
def test_a_tag_counts_where_it_is_for_us_and_forbids_the_image(said: str, *, forbids: bool) -> None:
    headers = {"x-robots-tag": said}
    if not forbids:
        Wishes("Diorama").check(headers)
        return
    with pytest.raises(Refused) as caught:
        Wishes("Diorama").check(headers)
    assert caught.value.code == CODE
    assert "X-Robots-Tag" in caught.value.sentence


@pytest.mark.parametrize("said", ["noai", "noimageai, noai"])
def test_where_noai_is_not_honoured_it_forbids_nothing_and_the_others_do(said: str) -> None:
    wishes = Wishes("Diorama", honour_noai=False)
    wishes.check({"X-Robots-Tag": said})
    with pytest.raises(Refused, match=CODE):
        wishes.check({"X-Robots-Tag": f"{said}, noindex"})


async def fetched(host: Script, folder: Path) -> None:
    async with Outbound(user_agent="diorama-tests", allow=frozenset({("127.0.0.1", host.port)})) as outbound:
        url = f"http://127.0.0.1:{host.port}/v"
        async with download(
            outbound, url, folder, max_bytes=9_000_000, deadline_seconds=10, check=Wishes("Diorama").check
        ):
            assert len(left_in(folder)) == 1
    assert left_in(folder) == []


async def test_a_tag_is_read_before_the_body_and_nothing_more_is_asked_for(tmp_path: Path) -> None:
    async with Script() as host:
        host.play(beginning(WHOLE, 0, more="X-Robots-Tag: noindex\r\n"), answer(WHOLE))
        with pytest.raises(Refused, match=CODE):
            await fetched(host, tmp_path)
        assert len(host.asked) == 1


async def test_without_that_tag_what_breaks_off_is_asked_for_again(tmp_path: Path) -> None:
    """The control: had the body been read first, it would have been found to be broken off."""
    async with Script() as host:
        host.play(beginning(WHOLE, 600_000, more="X-Robots-Tag: nofollow\r\n"), answer(WHOLE))
        await fetched(host, tmp_path)
        assert len(host.asked) == 2


async def test_a_tag_that_comes_with_the_rest_ends_it_at_once(tmp_path: Path) -> None:
    async with Script() as host:
        host.play(beginning(WHOLE, 600_000), tagged("noindex"), answer(WHOLE))
        with pytest.raises(Refused, match=CODE):
            await fetched(host, tmp_path)
        assert len(host.asked) == 2


@dataclass
class Media:
    """Media at work, and the host of images."""

    house: House
    host: Stranger
    objects: ObjectStore

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.host.port}{path}"

    async def obeyed(self, path: str, *others: str, found: bool) -> list[Any]:
        """Have an image fetched; give what was said, the end of the job last."""
        urls = tuple(self.url(other) for other in others)
        said = await self.house.obeyed(FetchMedia(**lineage(), url=self.url(path), alternatives=urls, found=found))
        return [one for one in said if isinstance(one, MediaStored | MediaRejected | JobCompleted | JobFailed)]


@pytest.fixture
async def media(house: House, tmp_path: Path) -> AsyncIterator[Media]:
    hears: Any = {ImageFound: on_image_found}
    async with (
        Stranger() as host,
        library_before(host, house, tmp_path, wishes=Wishes("Diorama")) as (library, objects),
        house.worker("media", hears=hears, works={FetchMedia: fetch_media}, crafts={"library": library}),
    ):
        yield Media(house, host, objects)
    assert left_in(tmp_path) == []


async def test_of_a_found_image_that_its_host_keeps_from_robots_nothing_is_stored(media: Media) -> None:
    media.host.answers["/a.jpg"] = tagged("noimageindex")
    rejected, ended = await media.obeyed("/a.jpg", found=True)

    assert (rejected.code, rejected.url) == (CODE, media.url("/a.jpg"))
    assert (type(ended), ended.code) == (JobFailed, CODE)
    for table in ("blobs", "assets"):
        assert await media.house.value(f"SELECT count(*) FROM media.{table}") == 0


async def test_without_the_tag_the_same_image_is_stored(media: Media) -> None:
    media.host.answers["/a.jpg"] = tagged()
    stored, ended = await media.obeyed("/a.jpg", found=True)

    assert (type(stored), type(ended)) == (MediaStored, JobCompleted)


async def test_a_link_that_a_person_named_by_hand_is_taken_as_it_is(media: Media) -> None:
    media.host.answers["/a.jpg"] = tagged("noindex, noai")
    stored, ended = await media.obeyed("/a.jpg", found=False)

    assert (type(stored), type(ended)) == (MediaStored, JobCompleted)


async def test_where_the_largest_file_is_kept_from_robots_the_next_takes_its_place(media: Media) -> None:
    media.host.answers |= {"/large.jpg": tagged("noindex"), "/small.jpg": tagged()}
    stored, _ = await media.obeyed("/large.jpg", "/small.jpg", found=True)

    assert stored.source_url == media.url("/small.jpg")


async def test_whatever_the_scraper_tells_of_was_not_named_by_hand(media: Media) -> None:
    media.host.answers["/a.jpg"] = tagged("noai")
    told = ImageFound(**lineage(), fetch_job_id=uuid7(), url=media.url("/a.jpg"), found_in="manifest")
    await media.house.say(told)

    async def failed() -> Any:
        return await media.house.value("SELECT error_code FROM media.tasks WHERE id = $1", told.fetch_job_id)

    assert await until(failed) == CODE

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.media.downloads import Download, download
from shared.errors import Refused, TryAgain
from shared.fetch import Outbound
from tests.media.samples import SMALL_FILES
from tests.shared.strangers import Stranger, answer, redirect

PICTURE = SMALL_FILES["jpeg"]()


@dataclass
class Site:
    """One host, and the folder that downloads from it go to."""

    stranger: Stranger
    outbound: Outbound
    folder: Path

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.stranger.port}{path}"

    async def fetch(self, path: str, *, max_bytes: int = 1_000_000) -> tuple[Download, bytes]:
        wanted = download(self.outbound, self.url(path), self.folder, max_bytes=max_bytes, deadline_seconds=10)
        async with wanted as came:
            return came, came.path.read_bytes()

    def left_over(self) -> list[Path]:
        return list(self.folder.iterdir())


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Stranger() as stranger:
        allow = frozenset({("127.0.0.1", stranger.port)})
        async with Outbound(user_agent="diorama-tests", allow=allow) as outbound:
            yield Site(stranger, outbound, tmp_path)


async def test_a_download_is_there_for_as_long_as_the_block_and_known_by_its_bytes(site: Site) -> None:
    site.stranger.answers["/a.png"] = answer(PICTURE, headers=[("Content-Type", "image/png; q=1")])
    came, content = await site.fetch("/a.png")

    assert content == PICTURE
    assert (came.size_bytes, came.sha256) == (len(PICTURE), hashlib.sha256(PICTURE).hexdigest())
    assert (came.declared_type, came.kind) == ("image/png", "jpeg")
    assert came.path.parent == site.folder
    assert "a.png" not in came.path.name
    assert site.left_over() == []


async def test_a_download_tells_where_it_came_from_in_the_end(site: Site) -> None:
    site.stranger.answers |= {"/old": redirect("/new"), "/new": answer(PICTURE)}
    came, _ = await site.fetch("/old#top")

    assert (came.url, came.final_url) == (site.url("/old"), site.url("/new"))


async def test_progress_is_heard_up_to_the_last_byte(site: Site) -> None:
    site.stranger.answers["/a"] = answer(PICTURE)
    heard: list[tuple[int, int | None]] = []
    async with download(
        site.outbound,
        site.url("/a"),
        site.folder,
        max_bytes=1_000_000,
        deadline_seconds=10,
        progress=lambda received, total: heard.append((received, total)),
    ):
        assert heard[-1] == (len(PICTURE), len(PICTURE))


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"", "body_empty"), (b"\n<!doctype HTML><h1>Please sign in</h1>", "web_page_not_image")],
)
async def test_an_answer_that_cannot_be_the_picture_is_refused_and_leaves_nothing(
    site: Site, body: bytes, code: str
) -> None:
    site.stranger.answers["/a.jpg"] = answer(body, headers=[("Content-Type", "image/jpeg")])

    with pytest.raises(Refused) as refused:
        await site.fetch("/a.jpg")
    assert refused.value.code == code
    assert site.left_over() == []


async def test_a_video_comes_in_and_is_named_as_one(site: Site) -> None:
    site.stranger.answers["/v"] = answer(b"\0\0\0\x18ftypisom\0\0\0\0isomavc1" + bytes(40))
    came, _ = await site.fetch("/v")
    assert came.kind == "video"


async def test_a_download_that_fails_leaves_nothing(site: Site) -> None:
    site.stranger.answers |= {"/large": answer(bytes(5_000)), "/busy": answer(status=503)}

    with pytest.raises(Refused):
        await site.fetch("/large", max_bytes=4_999)
    with pytest.raises(TryAgain):
        await site.fetch("/busy")
    assert site.left_over() == []


async def test_work_on_a_download_that_fails_leaves_nothing(site: Site) -> None:
    site.stranger.answers["/a"] = answer(PICTURE)

    async def work() -> None:
        wanted = download(site.outbound, site.url("/a"), site.folder, max_bytes=1_000_000, deadline_seconds=10)
        async with wanted as came:
            assert site.left_over() == [came.path]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work()
    assert site.left_over() == []


async def test_a_download_that_is_cancelled_leaves_nothing(site: Site) -> None:
    site.stranger.hangs.add("/slow")
    fetching = asyncio.create_task(site.fetch("/slow"))
    await site.stranger.until(lambda: len(site.stranger.asked) == 1)

    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert site.left_over() == []

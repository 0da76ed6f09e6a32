"""Whoever has a reply already is told so, and is never told so of another one."""

import time
from collections.abc import Awaitable, Callable

import pytest

from contracts.jobs import CheckWorker, Child, JobChildrenNamed, JobCompleted, JobProgressed, JobStarted
from contracts.media import FetchMedia, MediaRejected
from contracts.scraper import ImageFound, PageScraped
from services.gateway.links import File, Links
from shared.identifiers import uuid7
from tests.gateway.living import Client, Gateway, Reply, Voice
from tests.gateway.sayings import depth_mapped, media_stored

STARTED = "2025-01-01T00:00:00Z"
WORK = "/work"


async def _known(client: Client, path: str, tag: str) -> Reply:
    return await client.send("GET", path, headers={"If-None-Match": tag})


async def test_what_has_not_changed_is_not_sent_again(gateway: Gateway, ann: Client) -> None:
    job = (await ann.post("/media/store", {"url": "https://example.org/a.jpg"})).body
    stored = media_stored(Voice(job))
    await gateway.hear(stored)
    for path in (
        f"/api/v1/jobs/{job['id']}",
        f"/api/v1/images/{stored.asset_id}",
        "/openapi.json",
        "/asyncapi.yaml",
        "/schemas/media.media_stored.v1",
        "/",
        "/modules/main.js",
    ):
        first = await ann.send("GET", path)
        tag = first.headers["etag"]
        for known in (tag, f'"x", {tag}', "*", f"W/{tag.removeprefix('W/')}"):
            again = await _known(ann, path, known)
            assert (again.status, again.body) == (304, b""), (path, known)
            assert again.headers["etag"].removeprefix("W/") == tag.removeprefix("W/")
            assert again.headers["cache-control"] == first.headers["cache-control"]
            assert "content-length" not in again.headers
        assert "no-cache" in first.headers["cache-control"]
        assert (await _known(ann, path, '"other"')).status == 200
        head = await ann.send("HEAD", path, headers={"If-None-Match": tag})
        assert head.status == 304
    private = (await ann.get(f"/jobs/{job['id']}")).headers
    assert private["cache-control"] == "private, no-cache"
    assert private["etag"].startswith("W/")


async def test_a_job_is_sent_again_when_anything_of_it_has_changed(gateway: Gateway, ann: Client, oz: Client) -> None:
    job = (await ann.post("/scrapes", {"url": "https://example.org"})).body
    voice, child = Voice(job), Child(job_id=uuid7(), kind=CheckWorker.wire_name)
    path = f"/api/v1/jobs/{job['id']}"

    async def hear(*messages: object) -> None:
        await gateway.hear(*messages)  # type: ignore[arg-type]

    async def pause() -> None:
        asked = {"kind": "scraper.scrape_pages.v1", "seconds": 60}
        assert (await oz.post(f"{WORK}/pause", asked)).status == 202

    async def progress_of_child() -> None:
        of_child = Voice((await ann.get(f"/jobs/{child.job_id}")).body)
        await hear(of_child.says(JobProgressed, progress=0.5, stage="reading", attempt=1))

    page = {"url": "https://example.org", "title": None, "images_found": 0, "images_skipped": 0, "skipped": ()}
    rejected = {"url": "https://example.org/a.jpg", "code": "too_large", "sentence": "It is too large."}
    changes: dict[str, Callable[[], Awaitable[None]]] = {
        "a pause": pause,
        "a start": lambda: hear(voice.says(JobStarted, attempt=1, started_at=STARTED, worker="w")),
        "progress": lambda: hear(voice.says(JobProgressed, progress=0.5, stage="reading", attempt=1)),
        "a child": lambda: hear(voice.says(JobChildrenNamed, children=(child,))),
        "progress of a child": progress_of_child,
        "a page": lambda: hear(voice.states(PageScraped, **page)),
        "a rejection": lambda: hear(voice.states(MediaRejected, **rejected)),
        "its end": lambda: hear(voice.says(JobCompleted, attempt=1, started_at=STARTED, children_total=1)),
    }
    for name, change in changes.items():
        tag = (await ann.send("GET", path)).headers["etag"]
        assert (await _known(ann, path, tag)).status == 304, name
        await change()
        assert (await _known(ann, path, tag)).status == 200, name


async def test_an_image_is_sent_again_when_it_is_mapped(gateway: Gateway, ann: Client) -> None:
    voice = Voice((await ann.post("/media/store", {"url": "https://example.org/a.jpg"})).body)
    stored = media_stored(voice)
    await gateway.hear(stored)
    path = f"/api/v1/images/{stored.asset_id}"
    tag = (await ann.send("GET", path)).headers["etag"]
    await gateway.hear(depth_mapped(voice, stored))
    assert (await _known(ann, path, tag)).status == 200


@pytest.mark.parametrize("age", [0.0, 0.1, 0.24])
async def test_the_links_of_a_reply_work_for_as_long_as_its_tag_is_good(age: float) -> None:
    async def sign(key: str, *, expires_seconds: int, content_type: str | None = None) -> str:
        return f"{key}?{expires_seconds}{content_type}"

    now = time.time() // 1000 * 1000
    clock = [now]
    links = Links(sign, seconds=1000, clock=lambda: clock[0])
    held = await links.to(File("a", None))
    era = links.era
    clock[0] = now + age * 1000
    assert links.era == era
    assert held.expires_at.timestamp() - clock[0] >= 250
    clock[0] = now + 250
    assert links.era != era


async def test_a_job_whose_wish_is_heard_of_after_its_name_is_another_reply(gateway: Gateway, ann: Client) -> None:
    scrape = Voice((await ann.post("/scrapes", {"url": "https://example.org"})).body)
    child = Child(job_id=uuid7(), kind=FetchMedia.wire_name)
    await gateway.hear(scrape.says(JobChildrenNamed, children=(child,)))
    path = f"/api/v1/jobs/{child.job_id}"
    named = await ann.send("GET", path)
    assert named.body["request"] is None
    url = "https://example.org/a.jpg"
    await gateway.hear(scrape.states(ImageFound, fetch_job_id=child.job_id, page_url=url, url=url, found_in="img"))
    again = await _known(ann, path, named.headers["etag"])
    assert again.status == 200
    assert again.body["request"]["url"] == url

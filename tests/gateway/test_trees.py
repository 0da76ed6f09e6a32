"""What follows from a job: who belongs to its tree, when it has ended, and how all of it is cancelled."""

from secrets import token_urlsafe
from typing import Any
from uuid import UUID

from contracts.depth_map import MapDepth
from contracts.image_generation import GenerateImage, ImageGenerated
from contracts.jobs import (
    CancelJob,
    Child,
    JobAccepted,
    JobCancelled,
    JobChildrenNamed,
    JobCompleted,
    JobFailed,
    JobStarted,
)
from contracts.media import AcceptUpload, FetchMedia, MediaRejected
from contracts.scraper import ImageContext, ImageFound, PageScraped, SkippedImage
from services.gateway.rules.cancelling import spokesmen_of
from shared.identifiers import child_id, uuid7
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.sayings import SHA, media_stored
from tests.living import House, until

NOW = "2025-01-01T00:00:00Z"
DONE: dict[str, Any] = {"attempt": 1, "started_at": NOW}
PAGE: dict[str, Any] = {
    "title": "Gallery",
    "description": "Hills and seas",
    "author": "Ada",
    "licence": "CC BY 4.0",
    "published_at": "2025-08-30",
    "modified_at": "2025-08-31T10:00:00Z",
    "site_name": "Example",
    "language": "en",
    "canonical_url": "https://example.org/gallery",
}


async def _scrape(ann: Client) -> Voice:
    return Voice((await ann.post("/scrapes", {"url": "https://example.org/gallery"})).body)


def _found(scrape: Voice, url: str) -> ImageFound:
    fetch_job_id = child_id(UUID(scrape.job["id"]), FetchMedia.wire_name, url)
    return ImageFound(**scrape.lineage(), fetch_job_id=fetch_job_id, url=url, found_in="img")


async def _child(ann: Client, job_id: Any) -> Voice:
    return Voice(await ann.job(job_id))


async def test_a_found_image_is_a_child_before_its_worker_has_said_a_word(ann: Client, gateway: Gateway) -> None:
    scrape = await _scrape(ann)
    found = _found(scrape, "https://example.org/a.jpg")
    await gateway.hear(found)
    child = await ann.job(found.fetch_job_id)
    assert (child["kind"], child["state"], child["parent_id"]) == (FetchMedia.wire_name, "pending", scrape.job["id"])
    assert child["request"]["url"] == "https://example.org/a.jpg"
    tree = (await ann.job(scrape.job["id"]))["tree"]
    assert (tree["total"], tree["pending"], tree["ended"]) == (1, 1, False)


async def test_the_whole_tree_of_a_scrape_is_counted_to_its_end(ann: Client, gateway: Gateway) -> None:
    scrape = await _scrape(ann)
    found = [_found(scrape, f"https://example.org/{name}.jpg") for name in "ab"]
    await gateway.hear(*found)
    fetches = [await _child(ann, one.fetch_job_id) for one in found]
    await gateway.hear(
        scrape.says(
            JobChildrenNamed, children=[Child(job_id=one.fetch_job_id, kind=FetchMedia.wire_name) for one in found]
        ),
        scrape.says(JobCompleted, children_total=2, result={"images": 2}, **DONE),
    )
    stored = media_stored(fetches[0])
    await gateway.hear(stored)
    maps_id = child_id(UUID(fetches[0].job["id"]), MapDepth.wire_name, str(stored.asset_id), "default")
    await gateway.hear(
        fetches[0].says(JobChildrenNamed, children=[Child(job_id=maps_id, kind=MapDepth.wire_name)]),
        fetches[0].says(JobCompleted, children_total=1, **DONE),
        fetches[1].says(JobFailed, attempt=1, code="not_an_image", sentence="It is a page."),
    )
    tree = (await ann.job(scrape.job["id"]))["tree"]
    assert {name: tree[name] for name in ("total", "completed", "failed", "pending")} == {
        "total": 3,
        "completed": 1,
        "failed": 1,
        "pending": 1,
    }
    assert tree["failures"] == [{"code": "not_an_image", "sentence": "It is a page.", "count": 1}]
    assert not tree["ended"]
    maps = await _child(ann, maps_id)
    assert maps.job["image_id"] == str(stored.asset_id)
    await gateway.hear(maps.says(JobCompleted, **DONE))
    assert (await ann.job(scrape.job["id"]))["tree"]["ended"]


async def test_a_tree_waits_for_children_that_are_counted_and_not_named_yet(ann: Client, gateway: Gateway) -> None:
    scrape = await _scrape(ann)
    await gateway.hear(scrape.says(JobCompleted, children_total=2, **DONE))
    tree = (await ann.job(scrape.job["id"]))["tree"]
    assert (tree["total"], tree["pending"], tree["ended"]) == (2, 2, False)
    children = [Child(job_id=uuid7(), kind=FetchMedia.wire_name) for _ in range(2)]
    await gateway.hear(scrape.says(JobChildrenNamed, sequence=0, children=children))
    await gateway.hear(*[(await _child(ann, one.job_id)).says(JobCompleted, **DONE) for one in children])
    assert (await ann.job(scrape.job["id"]))["tree"]["ended"]


async def test_a_job_that_nobody_announced_is_born_of_its_own_news(ann: Client, gateway: Gateway) -> None:
    scrape = await _scrape(ann)
    page = {**scrape.job, "id": str(uuid7()), "parent_id": scrape.job["id"]}
    await gateway.hear(Voice(page).says(JobStarted, attempt=1, started_at=NOW, worker="w"))
    assert (await ann.job(page["id"]))["state"] == "in_progress"
    assert (await ann.job(scrape.job["id"]))["children"]["items"][0]["id"] == page["id"]


async def test_children_come_in_pages(ann: Client, gateway: Gateway) -> None:
    scrape = await _scrape(ann)
    children = [Child(job_id=uuid7(), kind=FetchMedia.wire_name) for _ in range(7)]
    await gateway.hear(scrape.says(JobChildrenNamed, children=children))
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"children_limit": "3", **({"children_cursor": cursor} if cursor else {})}
        page = (await ann.get(f"/jobs/{scrape.job['id']}", params=query)).body["children"]
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert sorted(seen) == sorted(str(child.job_id) for child in children)


async def test_a_tree_says_what_its_pages_held_and_what_was_refused(ann: Client, gateway: Gateway) -> None:
    scrape = await _scrape(ann)
    found = _found(scrape, "https://example.org/a.jpg")
    skipped = SkippedImage(url="data:", code="data_url", sentence="It is inline.")
    page = scrape.states(
        PageScraped, url="https://example.org/gallery", images_found=1, images_skipped=1, skipped=[skipped]
    )
    await gateway.hear(found, page)
    fetch = await _child(ann, found.fetch_job_id)
    await gateway.hear(fetch.states(MediaRejected, url=found.url, code="too_large", sentence="It is too large."))
    job = await ann.job(scrape.job["id"])
    assert job["pages"][0]["skipped"] == [{"url": "data:", "code": "data_url", "sentence": "It is inline."}]
    assert [(one["source"], one["code"]) for one in job["rejections"]] == [(found.url, "too_large")]


async def test_the_pages_of_a_job_say_what_they_are_and_those_of_a_tree_come_in_pages(
    ann: Client, bob: Client, gateway: Gateway
) -> None:
    scrape = await _scrape(ann)
    child = Voice({**scrape.job, "id": str(uuid7()), "parent_id": scrape.job["id"]})
    await gateway.hear(child.says(JobStarted, attempt=1, started_at=NOW, worker="w"))
    skipped = SkippedImage(url="data:", code="data_url", sentence="It is inline.")
    counts = {"images_found": 1, "images_skipped": 1, "skipped": (skipped,)}
    long = f"https://example.org/{token_urlsafe(2800)}"  # longer than an entry of an index may be
    read = [(scrape, "https://example.org/1", PAGE), (child, "https://example.org/2", {}), (child, long, {})]
    facts = [voice.states(PageScraped, url=url, **counts, **says) for voice, url, says in read]
    await gateway.hear(*facts)
    await gateway.hear(*facts)
    seen: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        body = (await ann.get(f"/jobs/{scrape.job['id']}/pages", params=query)).body
        seen += body["items"]
        cursor = body["next_cursor"]
    assert [one["url"] for one in seen] == [url for _, url, _ in read]
    assert {name: seen[0][name] for name in PAGE} == PAGE
    assert (seen[0]["images_found"], seen[0]["skipped"]) == (1, [skipped.model_dump()])
    assert {seen[1][name] for name in PAGE} == {None}
    own = (await ann.get(f"/jobs/{child.job['id']}/pages")).body["items"]
    assert [one["url"] for one in own] == [url for _, url, _ in read[1:]]
    assert (await bob.get(f"/jobs/{scrape.job['id']}/pages")).status == 404
    assert (await ann.get(f"/jobs/{scrape.job['id']}/pages", params={"cursor": "x"})).body["code"] == "cursor_invalid"


async def test_an_image_shows_what_its_page_says_of_itself(ann: Client, gateway: Gateway) -> None:
    scrape = await _scrape(ann)
    counts = {"images_found": 1, "images_skipped": 0}
    here, there = "https://example.org/1", "https://example.org/2"
    stored = {}
    for place, page_url in enumerate((here, there, "https://example.org/elsewhere")):
        found = _found(scrape, f"https://example.org/{place}.jpg")
        await gateway.hear(found)
        fetch = await _child(ann, found.fetch_job_id)
        fact = media_stored(fetch, sha256=f"{place:064x}", context=ImageContext(page_url=page_url))
        stored[page_url] = fact.asset_id
        await gateway.hear(fact)

    async def page_of(page_url: str) -> dict[str, Any] | None:
        told: dict[str, Any] | None = (await ann.get(f"/images/{stored[page_url]}")).body["page"]
        return told

    assert await page_of(here) is None
    await gateway.hear(scrape.states(PageScraped, url=here, **counts, **PAGE))
    assert await page_of(here) == {"job_id": scrape.job["id"], "url": here, **PAGE}
    assert await page_of(there) == await page_of(here), "its job has read one page, wherever that was"
    await gateway.hear(scrape.states(PageScraped, url=there, **counts, title="There"))
    told = [await page_of(page_url) for page_url in stored]
    assert [one and one["title"] for one in told] == ["Gallery", "There", None]


async def test_cancelling_marks_the_tree_and_tells_the_workers(ann: Client, gateway: Gateway, house: House) -> None:
    scrape = await _scrape(ann)
    found = _found(scrape, "https://example.org/a.jpg")
    await gateway.hear(found)
    reply = await ann.post(f"/jobs/{scrape.job['id']}/cancel")
    assert (reply.status, reply.body["outcome"], reply.body["jobs_told"]) == (202, "cancellation_requested", 2)
    assert reply.body["job"]["state"] == "pending", "only its worker knows when it has ended"
    assert reply.body["job"]["cancel_requested_at"]
    assert await _cancels(house) == {UUID(scrape.job["id"])}, "one word about the root ends its tree"
    await gateway.hear(scrape.says(JobCancelled))
    assert (await ann.job(scrape.job["id"]))["state"] == "cancelled"


async def test_a_child_that_is_born_after_the_cancel_is_cancelled_too(
    ann: Client, gateway: Gateway, house: House
) -> None:
    scrape = await _scrape(ann)
    await gateway.hear(scrape.says(JobCompleted, children_total=1, **DONE))
    await ann.post(f"/jobs/{scrape.job['id']}/cancel")
    found = _found(scrape, "https://example.org/late.jpg")
    await gateway.hear(found)
    assert await _cancels(house) == {found.fetch_job_id}
    assert (await ann.job(found.fetch_job_id))["cancel_requested_at"]


async def test_a_grandchild_that_was_heard_of_before_its_parent_is_cancelled_too(
    ann: Client, gateway: Gateway, house: House
) -> None:
    scrape = await _scrape(ann)
    await ann.post(f"/jobs/{scrape.job['id']}/cancel")
    page, image = uuid7(), uuid7()
    lineage = {**scrape.job, "root_id": scrape.job["id"]}
    await gateway.hear(Voice({**lineage, "id": str(image), "parent_id": str(page)}).says(JobAccepted))
    await gateway.hear(Voice({**lineage, "id": str(page), "parent_id": scrape.job["id"]}).says(JobAccepted))
    assert await _cancels(house) >= {page, image}


async def test_cancelling_what_has_ended_says_so(ann: Client, gateway: Gateway) -> None:
    scrape = await _scrape(ann)
    await gateway.hear(scrape.says(JobCompleted, **DONE))
    reply = await ann.post(f"/jobs/{scrape.job['id']}/cancel")
    assert (reply.status, reply.body["outcome"]) == (200, "already_ended")
    assert (await ann.post(f"/jobs/{uuid7()}/cancel")).status == 404


async def test_cancelling_one_child_leaves_its_siblings_alone(ann: Client, gateway: Gateway, house: House) -> None:
    scrape = await _scrape(ann)
    found = [_found(scrape, f"https://example.org/{name}.jpg") for name in "ab"]
    await gateway.hear(*found)
    await ann.post(f"/jobs/{found[0].fetch_job_id}/cancel")
    assert await _cancels(house) == {found[0].fetch_job_id}


async def test_of_a_branch_the_workers_are_told_of_those_whose_parents_they_are_not_told_of() -> None:
    branch, child, grandchild, orphan = (uuid7() for _ in range(4))
    open_jobs = {child: branch, grandchild: child, branch: uuid7(), orphan: uuid7()}
    assert set(spokesmen_of(open_jobs)) == {branch, grandchild, orphan}
    assert spokesmen_of({}) == []


async def test_a_generated_image_is_taken_in_as_a_child_and_becomes_the_scenes_image(
    ann: Client, gateway: Gateway
) -> None:
    path = "/chapters/c/images/scenes/1"
    await ann.post(path, {"scene_description": "A view"})
    generate = Voice((await ann.get("/jobs")).body["items"][0])
    assert generate.job["kind"] == GenerateImage.wire_name
    generated = generate.states(
        ImageGenerated,
        object_key=f"generated/{generate.job['id']}/1/0.png",
        sha256=SHA,
        size_bytes=10,
        content_type="image/png",
        width_px=8,
        height_px=8,
        provider="sketch",
        model="sketch-1",
        generation_seconds=1.5,
        description="A view",
    )
    await gateway.hear(generated, generate.says(JobCompleted, children_total=1, **DONE))
    upload_id = child_id(UUID(generate.job["id"]), AcceptUpload.wire_name, generated.object_key)
    upload = await _child(ann, upload_id)
    assert upload.job["parent_id"] == generate.job["id"]
    stored = media_stored(upload)
    await gateway.hear(stored)
    status = (await ann.get(f"{path}/status")).body
    assert (status["status"], status["image_id"]) == ("completed", str(stored.asset_id))
    assert status["metadata"] == {
        "model_used": "sketch-1",
        "service": "sketch",
        "generation_time": 1.5,
        "task_id": generate.job["id"],
    }
    assert stored.clean_copy.key in status["image_url"]
    again = await ann.post(path, {"scene_description": "Another view"})
    assert (again.body["retry_count"], again.body["record_id"]) == (1, status["record_id"])
    assert again.body["estimated_time_seconds"] == 2


async def _cancels(house: House) -> set[UUID]:
    told: set[UUID] = set()

    async def some() -> bool:
        told.update(one.job_id for one in await house.heard("media") if isinstance(one, CancelJob))
        return bool(told) and not await house.value("SELECT count(*) FROM gateway.outbox")

    await until(some)
    told.update(one.job_id for one in await house.heard("media") if isinstance(one, CancelJob))
    return told

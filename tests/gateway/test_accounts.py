"""Of every URL that was seen in a crawl clients learn what became of it."""

import csv
import io
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.media import MediaRejected
from contracts.scraper import ImageFound, UrlLine, UrlsAccounted
from shared.identifiers import uuid7
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.sayings import media_stored
from tests.gateway.test_retrying import fail, retry

SITE = "https://example.org"
GONE = {"code": "http_404", "sentence": "The server answered 404."}


@pytest.fixture
async def crawl(ann: Client) -> Voice:
    """Give a job of Ann's that sees URLs."""
    return Voice((await ann.post("/scrapes", {"url": SITE})).body)


def accounted(crawl: Voice, *lines: dict[str, Any]) -> UrlsAccounted:
    told = tuple(UrlLine(**{"kind": "page", "found_on": SITE, **line}) for line in lines)
    said: UrlsAccounted = crawl.states(UrlsAccounted, source_job_id=crawl.job["id"], lines=told)
    return said


def of_fetch(crawl: Voice, fetch_job_id: UUID) -> Voice:
    return Voice({**crawl.job, "id": str(fetch_job_id), "parent_id": crawl.job["id"]})


async def urls_of(client: Client, crawl: Voice, query: str = "") -> list[dict[str, Any]]:
    reply = await client.get(f"/jobs/{crawl.job['id']}/urls{query}")
    assert reply.status == 200, reply.body
    items: list[dict[str, Any]] = reply.body["items"]
    return items


async def test_each_url_has_one_line_and_of_an_image_it_says_what_media_made_of_it(
    ann: Client, gateway: Gateway, crawl: Voice
) -> None:
    fetches = {name: uuid7() for name in ("new", "again", "bad", "open")}
    images = [
        {"kind": "image", "url": f"{SITE}/{name}.jpg", "outcome": "found", "fetch_job_id": fetch}
        for name, fetch in fetches.items()
    ]
    await gateway.hear(accounted(crawl, {"url": SITE, "outcome": "read", "found_on": None}, *images))
    new = media_stored(of_fetch(crawl, fetches["new"]))
    await gateway.hear(new)
    await gateway.hear(media_stored(of_fetch(crawl, fetches["again"]), already_stored=True))
    refusal = {"url": f"{SITE}/bad.jpg", "code": "image_truncated", "sentence": "Half of it."}
    await gateway.hear(of_fetch(crawl, fetches["bad"]).states(MediaRejected, **refusal))

    lines = await urls_of(ann, crawl)
    assert [(line["url"].removeprefix(SITE), line["outcome"], line["code"]) for line in lines] == [
        ("", "read", None),
        ("/new.jpg", "stored", None),
        ("/again.jpg", "duplicate", None),
        ("/bad.jpg", "refused", "image_truncated"),
        ("/open.jpg", "found", None),
    ]
    assert lines[1]["image_id"] == str(new.asset_id)
    assert [line["found_on"] for line in lines] == [None, *[SITE] * 4]


async def test_an_image_that_was_fetched_at_the_second_try_is_told_to_be_stored(
    ann: Client, gateway: Gateway, crawl: Voice
) -> None:
    image, fetch_job_id = f"{SITE}/a.jpg", uuid7()
    found = crawl.states(ImageFound, fetch_job_id=fetch_job_id, url=image, found_in="img")
    line = {"kind": "image", "url": image, "outcome": "found", "fetch_job_id": fetch_job_id}
    rejected = of_fetch(crawl, fetch_job_id).states(MediaRejected, url=image, **GONE)
    await gateway.hear(found, accounted(crawl, line), rejected)
    fetch = await fail(gateway, Voice(await ann.job(fetch_job_id)), GONE["code"])
    assert [(line["outcome"], line["code"]) for line in await urls_of(ann, crawl)] == [("refused", "http_404")]
    again = Voice((await retry(ann, fetch))["items"][0]["job"])
    assert [(line["outcome"], line["code"]) for line in await urls_of(ann, crawl)] == [("found", None)]
    stored = media_stored(again)
    await gateway.hear(stored)
    [told] = await urls_of(ann, crawl)
    assert (told["outcome"], told["code"], told["image_id"]) == ("stored", None, str(stored.asset_id))


async def test_what_was_read_counts_in_whatever_order_it_is_heard(ann: Client, gateway: Gateway, crawl: Voice) -> None:
    refused = accounted(crawl, {"url": f"{SITE}/1", "outcome": "refused", **GONE})
    read = accounted(crawl, {"url": f"{SITE}/1", "outcome": "read"})
    await gateway.hear(refused)
    assert [(line["outcome"], line["code"]) for line in await urls_of(ann, crawl)] == [("refused", "http_404")]
    await gateway.hear(read)
    await gateway.hear(refused)
    assert [(line["outcome"], line["code"]) for line in await urls_of(ann, crawl)] == [("read", None)]


async def test_several_lines_about_one_url_may_be_heard_together(ann: Client, gateway: Gateway, crawl: Voice) -> None:
    lines = ({"url": SITE, "outcome": outcome} for outcome in ("skipped", "read", "refused"))
    await gateway.hear(accounted(crawl, *lines))
    assert [line["outcome"] for line in await urls_of(ann, crawl)] == ["read"]


async def test_lines_come_in_pages_and_by_outcome(ann: Client, gateway: Gateway, crawl: Voice) -> None:
    lines = [{"url": f"{SITE}/{number}", "outcome": "refused" if number % 3 else "read"} for number in range(9)]
    await gateway.hear(accounted(crawl, *lines))
    seen: list[str] = []
    cursor = ""
    while True:
        body = (await ann.get(f"/jobs/{crawl.job['id']}/urls?outcome=refused&limit=4{cursor}")).body
        seen += [line["url"] for line in body["items"]]
        if body["next_cursor"] is None:
            break
        cursor = f"&cursor={body['next_cursor']}"
    assert seen == [line["url"] for line in lines if line["outcome"] == "refused"]


async def test_the_table_has_all_lines_and_no_formula(
    ann: Client, gateway: Gateway, crawl: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.routes.accounts.PAGE", 2)
    hostile = {
        "kind": "image",
        "url": '=cmd|"/c calc"!A1',
        "outcome": "refused",
        "code": "url_invalid",
        "sentence": "No.",
    }
    lines = [{"url": f"{SITE}/{number}", "outcome": "read"} for number in range(4)]
    await gateway.hear(accounted(crawl, *lines, hostile))
    reply = await ann.get(f"/jobs/{crawl.job['id']}/urls/export")
    assert reply.headers["content-type"].startswith("text/csv")
    table = list(csv.DictReader(io.StringIO(reply.body.decode())))
    assert [row["url"] for row in table] == [*(line["url"] for line in lines), f"'{hostile['url']}"]
    assert table[-1]["code"] == "url_invalid"


async def test_nobody_sees_what_became_of_the_urls_of_others(
    ann: Client, bob: Client, gateway: Gateway, crawl: Voice
) -> None:
    await gateway.hear(accounted(crawl, {"url": SITE, "outcome": "read"}))
    for path in (f"/jobs/{crawl.job['id']}/urls", f"/jobs/{crawl.job['id']}/urls/export"):
        assert (await bob.get(path)).status == 404
        assert (await ann.get(path)).status == 200
    assert (await ann.get(f"/jobs/{uuid4()}/urls")).status == 404

"""Whoever looks at a list of jobs sees which is which, where he is, and what of it is left."""

from typing import Any
from uuid import UUID

from contracts.jobs import JobFailed
from contracts.media import FetchMedia
from contracts.scraper import ImageFound
from shared.identifiers import child_id
from tests.gateway.browser import Page
from tests.gateway.dashboard.panels import ROWS, TOLD, go
from tests.gateway.dashboard.pictures import show_picture
from tests.gateway.living import Client, Gateway, Voice
from tests.living import until

_MANY = 60
_CURRENT = "document.querySelector('.office-nav [aria-current=page]')"
_AGAIN = "document.querySelector('.job-again:not([hidden])')"


async def _scrape(client: Client, url: str = "https://example.org/gallery") -> Voice:
    return Voice((await client.post("/scrapes", {"url": url})).body)


async def _images(gateway: Gateway, scrape: Voice, count: int) -> list[str]:
    """Have a page be found to hold so many images; give their jobs."""
    urls = [f"https://example.org/{number}.jpg" for number in range(count)]
    jobs = [child_id(UUID(scrape.job["id"]), FetchMedia.wire_name, url) for url in urls]
    found = [
        ImageFound(**scrape.lineage(), fetch_job_id=job, url=url, found_in="img")
        for job, url in zip(jobs, urls, strict=True)
    ]
    await gateway.hear(*found)
    return [str(job) for job in jobs]


async def test_a_job_is_known_by_what_it_is_about_and_one_of_a_list_by_its_picture(
    office: Page, gateway: Gateway, ann: Client
) -> None:
    scrape = await _scrape(ann)
    shown = await show_picture(gateway, ann, title="Hills", mapped=False)
    await go(office, "jobs")
    await office.until(f"{ROWS}.some((row) => row.includes('picture {shown.image_id[:8]}'))")
    await go(office, "jobs", open=scrape.job["id"])
    heading = await office.until("document.querySelector('.office .sheet-line')?.innerText")
    assert "example.org/gallery" in heading


async def test_jobs_of_one_kind_are_told_apart_by_what_was_asked_for(
    office: Page, gateway: Gateway, ann: Client
) -> None:
    scrape = await _scrape(ann)
    await _images(gateway, scrape, 2)
    await go(office, "jobs")
    for about in ("example.org/gallery", "example.org/0.jpg", "example.org/1.jpg"):
        await office.until(f"{ROWS}.some((row) => row.includes('{about}'))")


async def test_of_a_large_job_all_that_failed_is_reached_and_nothing_else(
    office: Page, gateway: Gateway, ann: Client
) -> None:
    scrape, other = await _scrape(ann), await _scrape(ann, "https://example.org/other")
    jobs = await _images(gateway, scrape, _MANY)
    failed: dict[str, Any] = {"attempt": 1, "code": "http_404", "sentence": "It is not there."}
    await gateway.hear(Voice(await ann.job(jobs[0])).says(JobFailed, **failed), other.says(JobFailed, **failed))
    await go(office, "jobs", open=scrape.job["id"])
    await office.run(
        "[...document.querySelectorAll('.tree-counts a')].find((one) => one.innerText === '1 job').click()"
    )
    await office.until(f"{ROWS}.length === 1 && {ROWS}[0].includes('It is not there.')")
    assert "Only what follows from" in await office.run(TOLD)
    await go(office, "jobs", open=scrape.job["id"])
    await office.run("[...document.querySelectorAll('.office a')].find((one) => one.innerText === 'Show all').click()")
    await office.until("[...document.querySelectorAll('.panel-more .button')].find((one) => one.checkVisibility())")
    await office.run(
        "[...document.querySelectorAll('.panel-more .button')].find((one) => one.checkVisibility()).click()"
    )
    await office.until(f"{ROWS}.length === {_MANY + 1}")
    assert await office.run(f"{ROWS}.filter((row) => row.includes('Scrape pages')).length") == 1


async def test_the_panel_where_one_is_is_seen_among_the_others_on_a_phone(office: Page) -> None:
    await office.look(360, 740, still=True)
    for panel in ("audit", "jobs", "usage"):
        await go(office, panel)
        place = await office.run(f"(({{ left, right }}) => [left, right])({_CURRENT}.getBoundingClientRect())")
        assert place[0] >= 0, panel
        assert place[1] <= 360, panel


async def test_what_was_done_again_is_no_failure_any_more(board: Page, gateway: Gateway, ann: Client) -> None:
    job = await _scrape(ann)
    await gateway.hear(job.says(JobFailed, attempt=1, code="timed_out", sentence="It took too long."))
    await board.until("document.querySelector('.failures-box')?.checkVisibility()")
    await board.until(_AGAIN)
    await board.run(f"{_AGAIN}.click()")
    await until(lambda: _retried(ann, job))
    await board.until("!document.querySelector('.failures-box').checkVisibility()")


async def _retried(ann: Client, job: Voice) -> Any:
    return (await ann.job(job.job["id"]))["retried_as"]

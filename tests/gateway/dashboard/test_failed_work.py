"""Whoever sees on the first page that something has failed sees there why, and does it again from there."""

from typing import Any
from uuid import UUID

from contracts.jobs import JobCompleted, JobFailed
from contracts.media import FetchMedia
from contracts.scraper import ImageFound
from shared.identifiers import child_id
from tests.gateway.browser import Page
from tests.gateway.living import Client, Gateway, Voice
from tests.living import until

_DONE: dict[str, Any] = {"attempt": 1, "started_at": "2025-01-01T00:00:00Z"}
_MANY = 30
_OPENED = "(document.querySelector('.job-head[aria-expanded=false]')?.click() ?? document.querySelector('.job-facts'))"
_AGAIN = "document.querySelector('.job-again:not([hidden])')"


async def _gallery(gateway: Gateway, ann: Client) -> Voice:
    """Have a page scraped whose first images fail and all later ones are there."""
    scrape = Voice((await ann.post("/scrapes", {"url": "https://example.org/gallery"})).body)
    urls = [f"https://example.org/{number}.jpg" for number in range(_MANY)]
    found = [
        ImageFound(
            **scrape.lineage(),
            fetch_job_id=child_id(UUID(scrape.job["id"]), FetchMedia.wire_name, url),
            url=url,
            found_in="img",
        )
        for url in urls
    ]
    for one in found:
        await gateway.hear(one)
    await gateway.hear(scrape.says(JobCompleted, **_DONE))
    for number, one in enumerate(found):
        fetch = Voice(await ann.job(one.fetch_job_id))
        failed = {"attempt": 1, "code": "http_not_found", "sentence": "The image is not there."}
        await gateway.hear(fetch.says(JobFailed, **failed) if number < 2 else fetch.says(JobCompleted, **_DONE))
    return scrape


async def test_why_something_of_a_large_job_failed_is_told_though_newer_ones_went_well(
    board: Page, gateway: Gateway, ann: Client
) -> None:
    await _gallery(gateway, ann)
    await board.until("document.querySelector('.job-failed')?.innerText === '2 failed'")
    told = await board.until(f"{_OPENED} && document.querySelector('.job-detail .report')?.innerText")
    assert "The image is not there." in told
    assert "http_not_found" in told
    assert "2 \u00d7" in told


async def test_what_failed_of_a_large_job_is_done_again_at_once(board: Page, gateway: Gateway, ann: Client) -> None:
    scrape = await _gallery(gateway, ann)
    await board.until("document.querySelector('.job-failed')?.innerText === '2 failed'")
    await board.until(f"{_AGAIN}?.innerText === 'Do 2 again'")
    await board.run(f"{_AGAIN}.click()")
    await board.until(f"!{_AGAIN}")

    async def are_done_again() -> bool:
        tree = (await ann.job(scrape.job["id"]))["tree"]
        return (tree["failed"], tree["pending"]) == (0, 2)

    await until(are_done_again)


async def test_a_failed_job_is_done_again_where_it_is_seen(board: Page, gateway: Gateway, ann: Client) -> None:
    job = Voice((await ann.post("/scrapes", {"url": "https://example.org/gallery"})).body)
    await gateway.hear(job.says(JobFailed, attempt=1, code="timed_out", sentence="It took too long."))
    await board.until(f"{_AGAIN}?.innerText === 'Do again'")
    await board.run(f"{_AGAIN}.click()")

    async def done_again() -> Any:
        return (await ann.job(job.job["id"]))["retried_as"]

    new = await until(done_again)
    await board.until(f"document.querySelector('.job[data-job=\"{new}\"]')")
    await board.until(f"!{_AGAIN}")


async def test_what_may_cost_money_once_more_is_asked_about_first(board: Page, gateway: Gateway, ann: Client) -> None:
    asked = {"scene_description": "A mill"}
    reply = await ann.post("/chapters/tests/images/scenes/1", asked)
    job = Voice(await ann.job(reply.body["task_id"]))
    await gateway.hear(job.says(JobFailed, attempt=1, code="outcome_unknown", sentence="Nobody knows."))
    await board.until(_AGAIN)
    await board.run(f"{_AGAIN}.click()")
    assert await board.run(f"{_AGAIN}.innerText") == "Again, though it may cost?"
    assert (await ann.job(job.job["id"]))["retried_as"] is None
    await board.run(f"{_AGAIN}.click()")
    await until(lambda: _retried(ann, job))


async def _retried(ann: Client, job: Voice) -> Any:
    return (await ann.job(job.job["id"]))["retried_as"]


async def test_from_a_job_of_the_first_page_a_way_leads_to_all_that_is_known_of_it(
    board: Page, gateway: Gateway, ann: Client
) -> None:
    job = Voice((await ann.post("/scrapes", {"url": "https://example.org/gallery"})).body)
    await gateway.hear(job.says(JobFailed, attempt=1, code="timed_out", sentence="It took too long."))
    link = "[...document.querySelectorAll('.job-links a')].find((one) => one.innerText === 'All about this job')"
    await board.until(f"{_OPENED} && {link}")
    await board.run(f"{link}.click()")
    await board.until("document.querySelector('.office .timeline')?.checkVisibility()")
    assert await board.run("location.hash") == f"#panel=jobs&open={job.job['id']}"

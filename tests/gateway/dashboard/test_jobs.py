"""Jobs are followed as they run."""

from typing import Any

from contracts.jobs import JobCancelled, JobCompleted, JobFailed, JobProgressed, JobRetryScheduled, JobStarted
from contracts.scraper import PageScraped, SkippedImage
from tests.gateway.browser import Page
from tests.gateway.dashboard.conftest import enter
from tests.gateway.living import Client, Gateway, Voice, gateway_settings
from tests.living import House

NOW = "2025-01-01T00:00:00Z"
_BAR = "document.querySelector('.job .bar')"


async def _scene(client: Client, number: int = 1) -> Voice:
    """Have a scene drawn by nobody: the test says what happens to it."""
    asked = {"scene_description": f"Scene {number}"}
    reply = await client.post(f"/chapters/tests/images/scenes/{number}", asked)
    return Voice(await client.job(reply.body["task_id"]))


async def test_a_job_appears_when_it_is_submitted_and_tells_how_far_it_is(
    board: Page, gateway: Gateway, ann: Client
) -> None:
    job = await _scene(ann)
    await board.until("document.querySelector('.job')?.innerText.includes('Scene 1')")
    assert await board.run("document.querySelector('.job').dataset.state") == "pending"
    await gateway.hear(job.says(JobStarted, attempt=1, started_at=NOW, worker="w"))
    await board.until("document.querySelector('.job').dataset.state === 'in_progress'")
    # Nobody knows how long it will be, so the bar says no number, least of all 0 %.
    assert await board.run(f"{_BAR}.hasAttribute('aria-valuenow')") is False
    assert await board.run(f"{_BAR}.classList.contains('is-unmeasured')") is True
    await gateway.hear(job.says(JobProgressed, progress=0.25, stage="painting the sky"))
    await board.until(f"{_BAR}.getAttribute('aria-valuenow') === '25'")
    assert "painting the sky" in await board.run("document.querySelector('.job-status').innerText")
    await gateway.hear(job.says(JobCompleted, attempt=1, started_at=NOW))
    await board.until("document.querySelector('.job').dataset.state === 'completed'")


async def test_a_job_tells_what_its_pages_say_of_themselves_and_what_was_left_out(
    board: Page, gateway: Gateway, ann: Client
) -> None:
    scrape = Voice((await ann.post("/scrapes", {"url": "https://example.org/gallery"})).body)
    dots = tuple(
        SkippedImage(url=f"https://example.org/{name}.gif", code="too_small", sentence="A dot.") for name in "ab"
    )
    says = {
        "title": "Gallery",
        "author": "Ada",
        "licence": "javascript:alert(1)",
        "published_at": "2025-08-30T10:00:00Z",
    }
    counts = {"images_found": 3, "images_skipped": 5, "skipped": dots}
    await gateway.hear(scrape.states(PageScraped, url="https://example.org/gallery", **says, **counts))
    await board.until(
        "document.querySelector('.job [aria-expanded=false]')?.click() ?? document.querySelector('.report') !== null"
    )
    assert "3 pictures, 5 left out (2 too small)" in await board.run("document.querySelector('.report').innerText")
    await board.run("document.querySelector('details.report summary').click()")
    told = await board.until(
        "document.querySelector('details.report dl') && document.querySelector('.job-detail').innerText"
    )
    for word in ("Ada", "2025-08-30 10:00", "A dot. too_small", "and 3 more", "javascript:alert(1)"):
        assert word in told
    assert await board.run("document.querySelector('a[href^=javascript]')") is None


async def test_a_retry_says_why_and_when(board: Page, gateway: Gateway, ann: Client) -> None:
    job = await _scene(ann)
    news: dict[str, Any] = {"attempt": 2, "code": "timed_out", "sentence": "It took too long."}
    await gateway.hear(job.says(JobRetryScheduled, **news, next_attempt_at="2999-01-01T00:00:00Z"))
    await board.until("document.querySelector('.job')?.dataset.state === 'retrying'")
    told = await board.run("document.querySelector('.job').innerText")
    for word in ("Will retry", "attempt 2", "next try in", "It took too long.", "timed_out"):
        assert word in told


async def test_failures_stand_on_top_grouped_by_their_reason(board: Page, gateway: Gateway, ann: Client) -> None:
    jobs = [await _scene(ann, number) for number in range(3)]
    for job, code in zip(jobs, ("no_model", "timed_out", "no_model"), strict=True):
        await gateway.hear(job.says(JobFailed, attempt=1, code=code, sentence=f"It was {code}."))
    groups = "[...document.querySelectorAll('.failures summary')].map((reason) => reason.innerText)"
    await board.until(f"{groups}.length === 2")
    assert [" ".join(text.split()) for text in await board.run(groups)] == ["No model 2", "Timed out 1"]
    await board.run("document.querySelector('.failures summary').click()")
    await board.run("document.querySelector('.reason-jobs button').click()")
    job = await board.until("document.activeElement.closest('.job:has([aria-expanded=true])')?.innerText")
    assert "It was no_model." in job


async def test_a_job_is_cancelled_after_a_second_thought(board: Page, gateway: Gateway, ann: Client) -> None:
    job = await _scene(ann)
    await board.until("document.querySelector('.job-cancel')")
    await board.run("document.querySelector('.job-cancel').click()")
    assert await board.run("document.querySelector('.job-cancel').textContent") == "Really cancel?"
    assert (await ann.job(job.job["id"]))["cancel_requested_at"] is None
    await board.run("document.querySelector('.job-cancel').click()")
    await board.until("document.querySelector('.job-status').innerText.includes('Cancelling')")
    assert (await ann.job(job.job["id"]))["cancel_requested_at"] is not None
    await gateway.hear(job.says(JobCancelled, cancelled_by="ann"))
    await board.until("document.querySelector('.job').dataset.state === 'cancelled'")


async def test_jobs_are_filtered_by_state(board: Page, gateway: Gateway, ann: Client) -> None:
    done, failed, _waiting = [await _scene(ann, number) for number in range(3)]
    await gateway.hear(
        done.says(JobCompleted, attempt=1, started_at=NOW),
        failed.says(JobFailed, attempt=1, code="no_model", sentence="There is none."),
    )
    subjects = "[...document.querySelectorAll('.work-panel > .jobs .job-subject')].map((one) => one.textContent)"
    await board.until(f"{subjects}.length === 3")
    for state, expected in (("completed", "Scene 0"), ("failed", "Scene 1"), ("active", "Scene 2")):
        await board.run(f"document.querySelector('.work-panel input[value={state}]').click()")
        await board.until(f"{subjects}.join() === '{expected}'")


async def test_no_two_states_share_a_colour_or_a_sign(board: Page) -> None:
    looks = await board.run(
        """import('/modules/states.js').then(({ stateBadge }) => {
            const names = ['pending', 'retrying', 'paused', 'in_progress', 'completed', 'failed', 'cancelled'];
            const badges = names.map((name) => stateBadge(name));
            document.body.append(...badges);
            const look = (badge) => [getComputedStyle(badge).color, badge.firstChild.innerHTML, badge.textContent];
            return badges.map(look);
        })"""
    )
    for feature in zip(*looks, strict=True):
        assert len(set(feature)) == 7


async def test_a_lost_gateway_is_told_and_what_happened_meanwhile_is_caught_up(page: Page, house: House) -> None:
    settings = gateway_settings(house.servers)
    async with Gateway(settings) as gateway, gateway.client() as ann:
        await gateway.until_well()
        await enter(page, gateway)
        await _scene(ann, 1)
        await page.until("document.querySelectorAll('.job').length === 1")
    await page.until("document.querySelector('#offline').checkVisibility()")
    assert "The connection is lost" in await page.run("document.querySelector('#offline').innerText")
    sent_before = len(page.resumed_from)
    async with Gateway(settings) as gateway, gateway.client() as ann:
        await gateway.until_well()
        await _scene(ann, 2)
        await page.until("document.querySelector('#offline').hidden")
        await page.until("document.querySelectorAll('.job').length === 2")
        seen = await house.value("SELECT min(sequence) FROM gateway.events WHERE type = 'job.submitted'")
        assert set(page.resumed_from[sent_before:]) == {str(seen)}


async def test_a_page_that_has_heard_of_nothing_yet_catches_up_too(page: Page, house: House) -> None:
    settings = gateway_settings(house.servers)
    async with Gateway(settings) as gateway, gateway.client() as ann:
        await gateway.until_well()
        job = await _scene(ann)
        await enter(page, gateway)
        await page.until("document.querySelector('.job')?.dataset.state === 'pending'")
    await page.until("document.querySelector('#offline').checkVisibility()")
    async with Gateway(gateway_settings(house.servers)) as elsewhere:
        await elsewhere.until_well()
        await elsewhere.hear(job.says(JobCompleted, attempt=1, started_at=NOW))
    async with Gateway(settings) as gateway:
        await page.until("document.querySelector('.job').dataset.state === 'completed'")


async def test_where_not_all_can_be_told_any_more_the_page_says_so_until_it_is_loaded_anew(
    page: Page, house: House
) -> None:
    settings = gateway_settings(house.servers)
    async with Gateway(settings) as gateway, gateway.client() as ann:
        await gateway.until_well()
        await enter(page, gateway)
        await _scene(ann, 1)
        await _scene(ann, 2)
        await page.until("document.querySelectorAll('.job').length === 2")
    await page.until("document.querySelector('#offline').checkVisibility()")
    await house.admin.execute("DELETE FROM gateway.events")
    async with Gateway(gateway_settings(house.servers)) as elsewhere, elsewhere.client() as ann:
        await elsewhere.until_well()
        await _scene(ann, 3)
    await house.admin.execute("DELETE FROM gateway.events")
    async with Gateway(settings) as gateway, gateway.client() as ann:
        await gateway.until_well()
        await page.until("document.querySelector('#offline').innerText.includes('Not all that happened')")
        await page.until("document.querySelector('#connection').dataset.state === 'live'")
        assert await page.run("document.querySelector('#offline').checkVisibility()") is True
        await page.run("[...document.querySelectorAll('#offline button')].at(-1).click()")
        await page.until("document.querySelector('#offline').hidden")
        await page.until("document.querySelectorAll('.job').length === 3")
        await page.until("document.querySelector('#connection').dataset.state === 'live'")
        assert await page.run("document.querySelector('#offline').hidden") is True

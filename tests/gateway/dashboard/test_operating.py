"""The operators' panels: what they show, what they do, and what they offer to whom."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from contracts.catalogue import CATALOGUE
from contracts.envelope import Command
from contracts.image_generation import ImageGenerated
from contracts.jobs import JobCompleted, JobFailed, JobRetryScheduled, JobStarted, WaitingWork, WorkerReported
from shared.objects import ObjectStore
from tests.gateway.browser import Page
from tests.gateway.dashboard.accessibility import barriers
from tests.gateway.dashboard.conftest import asked_nobody_else, enter
from tests.gateway.dashboard.panels import ROWS, TOLD, act, answer, go, rows
from tests.gateway.dashboard.pictures import BLUE, png_of, show_picture
from tests.gateway.dashboard.shooting import shoot
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.operating.doing import FETCH, ended, fetching, report
from tests.gateway.sayings import set_aside

NOW: Final = "2025-01-01T00:00:00Z"
SLOW: Final = {"code": "fetch_timeout", "sentence": "Too slow."}
# Not one text: a path of the gateway that begins like a folder of some machines.
WORK: Final = "/work"
PANELS: Final = ("jobs", "failures", "queues", "workers", "letters", "webhooks", "chapters", "usage", "audit")


async def failing(ann: Client, gateway: Gateway, number: int = 0, **why: str) -> Voice:
    job = await fetching(ann, number)
    await gateway.hear(ended(job, JobFailed, **{**SLOW, **why}))
    return job


async def test_jobs_are_found_by_their_address_and_looked_into(office: Page, gateway: Gateway, ann: Client) -> None:
    job = await fetching(ann)
    again: dict[str, Any] = {"attempt": 1, "next_attempt_at": NOW, **SLOW}
    for news in (
        job.says(JobStarted, attempt=1, started_at=NOW, worker="w"),
        job.says(JobRetryScheduled, **again),
        job.says(JobStarted, attempt=2, started_at=NOW, worker="w"),
        job.says(JobFailed, attempt=2, **SLOW),
    ):
        await gateway.hear(news)
    other = await failing(ann, gateway, 1, code="http_404", sentence="It is not there.")
    waiting = await fetching(ann, 2)
    await rows(office, count=3)
    await go(office, "jobs", state="failed", code="fetch_timeout")
    [told] = await rows(office, count=1)
    for word in ("Failed", "Download a picture", "Too slow. fetch_timeout", "ann"):
        assert word in told
    code = "document.querySelector('.filters').elements.code"
    assert await office.run(f"{code}.value") == "fetch_timeout"
    await office.run(f"{code}.value = 'http_404'; {code}.form.requestSubmit()")
    await office.until(f"{ROWS}.length === 1 && {ROWS}[0].includes('It is not there.')")
    assert "code=http_404" in await office.run("location.hash")

    await go(office, "jobs", open=job.job["id"])
    words = "[...document.querySelectorAll('.timeline li')].map((one) => one.children[1].textContent)"
    line = await office.until(f"{words}.length === 5 && {words}")
    assert [text.split(":")[0] for text in line] == [
        "Handed in",
        "Attempt 1 began",
        "Attempt 1 failed",
        "Attempt 2 began",
        "Failed for good",
    ]
    await act(office, "curl")
    command = await office.until("document.querySelector('.command pre')?.textContent")
    assert "Bearer $DIORAMA_TOKEN" in command
    assert "/api/v1/media/store" in command
    assert "https://example.org/0.jpg" in command
    await act(office, "retry")
    await office.until(f"{TOLD}.includes('Done again as')")
    assert (await ann.job(job.job["id"]))["retried_as"]

    await go(office, "jobs", open=waiting.job["id"])
    for yes in (False, True):
        await act(office, "cancel")
        assert "Cancel this job?" in await answer(office, yes=yes)
        cancelled = "[...document.querySelectorAll('.timeline li')].some((one) => one.innerText.includes('oz asked'))"
        assert bool(yes and await office.until(cancelled)) is yes
        assert bool((await ann.job(waiting.job["id"]))["cancel_requested_at"]) is yes
    assert (await ann.job(other.job["id"]))["retried_as"] is None


async def test_a_job_tells_what_follows_from_it(office: Page, gateway: Gateway, ann: Client) -> None:
    shown = await show_picture(gateway, ann)
    await go(office, "jobs", open=shown.fetch.job["id"])
    counts = await office.until("document.querySelector('.tree-counts')?.innerText")
    assert " ".join(counts.split()) == "Done 1 job"
    [child] = await rows(office, count=1)
    assert child.startswith("Done Map depth")


async def test_a_group_of_failures_is_done_again_once_its_number_is_known(
    office: Page, gateway: Gateway, ann: Client
) -> None:
    jobs = [await failing(ann, gateway, number) for number in range(2)]
    await failing(ann, gateway, 2, code="http_404", sentence="It is not there.")
    await go(office, "failures")
    first, second = await rows(office, count=2)
    for word in ("Fetch timeout", "2 jobs", "Too slow.", "It may pass"):
        assert word in first
    assert "It will not pass by itself." in second
    await act(office, "retry")
    assert "2 jobs of this reason will be done again" in await answer(office, yes=False)
    assert [(await ann.job(job.job["id"]))["retried_as"] for job in jobs] == [None, None], "it was only asked"
    await act(office, "retry")
    await answer(office)
    [left] = await rows(office, count=1)
    assert "Http 404" in left or "HTTP 404" in left
    assert all([(await ann.job(job.job["id"]))["retried_as"] for job in jobs])


async def test_queues_warn_and_kinds_of_work_rest_by_the_wish_of_somebody(
    office: Page, gateway: Gateway, oz: Client
) -> None:
    since = datetime.now(UTC) - timedelta(seconds=90)
    waiting = (WaitingWork(kind=FETCH, waiting=7, running=2, oldest_waiting_at=since),)

    def here() -> WorkerReported:
        return report("here", running=2, memory_bytes=105_000_000, work=waiting, kinds=(FETCH,))

    await gateway.hear(here(), report("silent", at=datetime.now(UTC) - timedelta(seconds=40)))
    await go(office, "queues")
    warned = await office.until("document.querySelector('.warnings')?.innerText")
    assert "Media: Nobody listens" in warned
    assert "No consumer" in await office.run(TOLD)
    await act(office, "pause", "media.fetch_media.v1")
    assert "You will be its owner" in await answer(office)
    [rests] = await office.until(f"(rows => rows.length === 1 && rows)({ROWS}.filter((row) => row.includes('Rests')))")
    assert "Download a picture media.fetch_media.v1 Rests 7 2" in rests
    assert "oz, ends in" in rests
    [pause] = (await oz.get(f"{WORK}/pauses")).body["items"]
    assert (pause["kind"], pause["owner"]) == (FETCH, "oz")
    async with gateway.client("uma", roles=("operator",)) as uma:
        await uma.post(f"{WORK}/pause", {"kind": FETCH, "seconds": 60, "take_over": True})
    await office.until(f"{TOLD}.includes('uma, ends')")
    await act(office, "pause", "media.fetch_media.v1")
    assert "uma has paused it" in await answer(office)
    await office.until(f"!{TOLD}.includes('Rests')")
    assert (await oz.get(f"{WORK}/pauses")).body["items"] == []

    await gateway.hear(here())  # by now it may have been silent for too long
    await go(office, "workers")
    told = {row.split(" ")[1]: row for row in await office.until(f"{ROWS}.length > 1 && {ROWS}")}
    assert "Working 2 of 4" in told["here"]
    assert "105 MB" in told["here"]
    assert "Gone" in told["silent"]


async def test_dead_letters_are_looked_into_and_decided_on_after_a_second_thought(
    office: Page, gateway: Gateway, oz: Client
) -> None:
    await go(office, "letters")
    assert "No dead letters" in await office.until(TOLD)
    letters = [set_aside(excerpt='{"url": 7', code=code, sentence="No.") for code in ("not_json", "odd")]
    await gateway.hear(*letters)
    ids = {letter.code: letter.dead_letter_id for letter in letters}

    async def state(code: str) -> str:
        return str((await oz.get(f"/dead-letters/{ids[code]}")).body["state"])

    await go(office, "letters", state="dead", code="not_json")
    await rows(office, count=1)
    await act(office, "open")
    assert '{"url": 7' in await office.until("document.querySelector('.letter pre')?.textContent")
    await act(office, "discard")
    assert "This cannot be taken back." in await answer(office, yes=False)
    assert await state("not_json") == "dead"
    await act(office, "redrive")
    await answer(office)
    await office.until("document.querySelector('.letter').innerText.includes('On its way again')")
    assert (await state("not_json"), await state("odd")) == ("redriving", "dead")
    await go(office, "letters", code="odd")
    await rows(office, count=1)
    await office.run("document.querySelector('.panel-body > .actions button:last-child').click()")
    assert "Give up 1 letter" in await answer(office)
    await office.until(f"{ROWS}.join().includes('Being given up')")
    assert await state("odd") == "discarding"


async def test_a_chapter_is_a_grid_whose_failed_scenes_are_drawn_again(
    page: Page, gateway: Gateway, ann: Client
) -> None:
    drawn, failed = [Voice(await ann.job((await _scene(ann, number)).body["task_id"])) for number in (1, 2)]
    made: dict[str, Any] = {
        "object_key": "generated/1.png",
        "sha256": "ab" * 32,
        "size_bytes": 9,
        "content_type": "image/png",
    }
    made |= {"width_px": 8, "height_px": 8, "provider": "sketch", "model": "m", "generation_seconds": 1.0}
    async with ObjectStore.of(gateway.settings) as objects:
        await objects.put(made["object_key"], png_of(BLUE), content_type="image/png")
    await gateway.hear(
        drawn.states(ImageGenerated, **made, description="A view"),
        drawn.says(JobCompleted, attempt=1, started_at=NOW),
        failed.says(JobFailed, attempt=1, code="provider_down", sentence="It is down."),
    )
    await enter(page, gateway, "&panel=chapters")
    cells = "[...document.querySelectorAll('.grid-cell')].map((one) => one.dataset.status)"
    await page.until(f"{cells}.join() === 'completed,failed'")
    await page.until("document.querySelector('.grid-cell img')?.naturalWidth > 0")
    assert "It is down. provider_down" in await page.run(TOLD)
    await page.run("document.querySelector('.chapter .button').click()")
    assert "Draw 1 scene again" in await answer(page)
    await page.until(f"{cells}.join() === 'completed,pending'")
    await page.until("!document.querySelector('.chapter .button')")
    asked_nobody_else(page, gateway)
    assert page.complaints == []


async def _scene(client: Client, number: int) -> Any:
    return await client.post(f"/chapters/dawn/images/scenes/{number}", {"scene_description": f"Scene {number}"})


async def test_usage_and_audit_tell_how_much_was_done_and_by_whom(
    office: Page, gateway: Gateway, ann: Client, oz: Client
) -> None:
    jobs = [await fetching(ann, number) for number in range(3)]
    await gateway.hear(*(ended(job, JobCompleted) for job in jobs[:2]))
    await oz.post(f"/jobs/{jobs[2].job['id']}/cancel")
    await go(office, "usage")
    bars = "[...document.querySelectorAll('.bars-bar')].map((bar) => Number(bar.getAttribute('height')) > 0)"
    assert await office.until(f"{bars}.length && {bars}") == [False] * 29 + [True]
    [day] = await rows(office, count=1)
    assert " 2 0 0 " in day
    assert "Jobs done: 2" in await office.run(TOLD)
    await office.run("document.querySelector('.filters input[value=\"7\"]').click()")
    await office.until(f"{bars}.length === 7")
    await go(office, "audit", action="job.cancel")
    [act_told] = await rows(office, count=1)
    for word in ("oz", "job.cancel", "Jobs: 1"):
        assert word in act_told


async def test_whoever_comes_to_a_panel_hears_its_name_first(office: Page) -> None:
    await go(office, "failures")
    assert await office.run("document.activeElement.id") == "office-title"
    assert await office.run("document.title") == "Failures · Diorama"
    await office.run("document.querySelector('.office-back').click()")
    await office.until("document.querySelector('.pictures').checkVisibility()")
    assert await office.run("document.querySelector('.office').checkVisibility()") is False


async def test_what_somebody_may_not_see_is_not_offered_and_told_where_he_comes_by_address(
    page: Page, gateway: Gateway
) -> None:
    await enter(page, gateway, "&panel=queues")
    assert "Only operators see this." in await page.until("document.querySelector('.refusal')?.innerText")
    offered = await page.run("[...document.querySelectorAll('.office-nav li')].map((one) => one.innerText)")
    assert offered == ["Jobs", "Failures", "Dead letters", "Webhooks", "Chapters", "Usage", "Audit"]
    await go(page, "letters")
    assert await page.run("document.querySelectorAll('.panel-body .actions button').length") == 0
    assert not [url for url in page.requests if "/api/v1/queues" in url or "/api/v1/workers" in url]
    assert page.complaints == []


async def test_a_job_that_is_not_there_is_told(page: Page, gateway: Gateway) -> None:
    await enter(page, gateway, "&panel=jobs&open=00000000-0000-4000-8000-000000000000")
    told = await page.until("document.querySelector('.office .problem')?.innerText")
    assert "There is no such job." in told
    assert "job_not_found" in told


@pytest.mark.parametrize("known", [False, True], ids=["before it is known who looks", "afterwards"])
async def test_panels_that_are_slow_or_broken_say_so_and_come_back(page: Page, gateway: Gateway, known: bool) -> None:
    await enter(page, gateway, token=gateway.token("oz", ("operator",)))
    if known:
        await go(page, "jobs")
    await page.run(
        """window.real = window.fetch;
        window.fetch = () => new Promise((resolve, reject) => { window.lose = () => reject(new TypeError('lost')); })"""
    )
    await page.run("void (location.hash = 'panel=failures')")
    await page.until(f"{TOLD}.includes('takes its time')")
    await page.run("window.lose()")
    assert "gateway_unreachable" in await page.until("document.querySelector('.office .problem')?.innerText")
    await page.run("window.fetch = window.real; document.querySelector('.office .problem button').click()")
    await page.until(f"{TOLD}.includes('Nothing that failed') && !document.querySelector('.office .problem')")


async def test_rows_keep_the_focus_while_what_they_show_changes(office: Page, gateway: Gateway, ann: Client) -> None:
    job = await fetching(ann)
    await rows(office, count=1)
    await office.run("document.querySelector('.office [data-act=open]').focus()")
    await gateway.hear(ended(job, JobFailed, **SLOW))
    await fetching(ann, 1)
    assert "Too slow." in (await rows(office, count=2))[1]
    focused = "document.activeElement.closest('tr')?.innerText.includes('Too slow.')"
    assert await office.run(focused) is True


_LIGHT: Final = {False: "light", True: "dark"}
_UNNAMED: Final = """[...document.querySelectorAll('.office :is(a, button, input, select)')]
    .filter((one) => one.checkVisibility() && !(one.labels?.length || one.ariaLabel || one.innerText.trim()))
    .map((one) => one.outerHTML)"""
_HEADLESS: Final = "document.querySelectorAll('.office :is(th:not([scope]), table:not(:has(caption)))').length"


@pytest.mark.parametrize("dark", [False, True])
async def test_every_panel_fits_a_phone_and_names_what_it_offers(
    office: Page, gateway: Gateway, ann: Client, oz: Client, dark: bool
) -> None:
    await failing(ann, gateway)
    await show_picture(gateway, ann)
    letter = set_aside()
    await gateway.hear(letter, report(f"a-host-with-a-long-name/{'1' * 40}", running=1, memory_bytes=10**8))
    hook = (await oz.post("/webhooks", {"url": f"https://example.org/{'hook' * 30}"})).body
    await _scene(oz, 1)
    job = await failing(oz, gateway, 1)
    await oz.post(f"{WORK}/pause", {"kind": FETCH, "seconds": 600})
    inside = {"jobs": job.job["id"], "letters": str(letter.dead_letter_id), "webhooks": hook["id"]}
    places: list[tuple[str, dict[str, str]]] = [(panel, {}) for panel in PANELS]
    places += [(panel, {"open": id_}) for panel, id_ in inside.items()]
    for width in (1280, 360):
        await office.look(width, 740, dark=dark, still=True)
        for panel, parts in places:
            await go(office, panel, **parts)
            await shoot(office, "-".join([panel, *parts, str(width), _LIGHT[dark]]))
            assert await office.run("document.documentElement.scrollWidth") <= width, panel
            assert await barriers(office) == [], panel
            assert await office.run(_UNNAMED) == [], panel
            assert await office.run(_HEADLESS) == 0, panel


async def test_no_two_states_of_a_kind_share_a_colour_a_sign_or_a_word(office: Page) -> None:
    looks = await office.run(
        """import('/modules/operating/badges.js').then(({ SETS, badge }) => Object.keys(SETS).map((set) => {
            const badges = Object.keys(SETS[set]).map((state) => badge(set, state));
            document.body.append(...badges);
            return badges.map((one) => [getComputedStyle(one).color, one.firstChild.innerHTML, one.textContent]);
        }))"""
    )
    for one in looks:
        for feature in zip(*one, strict=True):
            assert len(set(feature)) == len(one)


async def test_every_kind_of_work_can_be_named(office: Page) -> None:
    known = await office.run("import('/modules/operating/kinds.js').then(({ KINDS }) => KINDS)")
    assert known == sorted(name for name, message in CATALOGUE.items() if issubclass(message, Command))

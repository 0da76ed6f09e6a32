"""Nobody waits in the dark: a job that waits says why, and whoever asks is answered."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.jobs import (
    JobAccepted,
    JobCancelled,
    JobCompleted,
    JobFailed,
    JobStarted,
    JobUnknown,
    PauseWork,
    ReportJobs,
    ResumeWork,
)
from contracts.media import AcceptUpload, FetchMedia
from shared.identifiers import uuid7
from shared.jobs import Job
from tests.living import House, until
from tests.shared.chores import about, all_said, bytes_in, do_nothing, fetch, is_in, put, upload


def pause() -> PauseWork:
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    return PauseWork(addressee="media", kind=FetchMedia.wire_name, owner="me", expires_at=expires_at)


async def _paused(house: House) -> bool:
    return bool(await house.value("SELECT count(*) FROM media.pauses WHERE expires_at > now()"))


async def _resumed(house: House) -> bool:
    return not await _paused(house)


async def test_a_paused_job_says_so_and_runs_when_it_is_resumed(house: House) -> None:
    async with house.worker("media", works={FetchMedia: do_nothing, AcceptUpload: do_nothing}):
        await house.say(pause())
        await until(lambda: _paused(house))
        await house.say(paused := fetch())
        await house.say(other := upload())
        await until(lambda: is_in(house, "completed", other))
        await until(lambda: house.value("SELECT announced FROM media.tasks WHERE id = $1", paused.job_id))
        await until(lambda: all_said(house))
        assert await is_in(house, "pending", paused)
        (accepted,) = about(await house.heard(), paused.job_id)
        assert isinstance(accepted, JobAccepted)
        assert accepted.waiting_for == "pause"
        await house.say(ResumeWork(addressee="media", kind=FetchMedia.wire_name))
        await until(lambda: _resumed(house))
        await until(lambda: is_in(house, "completed", paused))


async def test_a_job_that_waits_for_a_worker_says_so(house: House) -> None:
    async with house.worker("media", works={AcceptUpload: do_nothing}):
        await put(house, waiting := fetch(), announced=False)
        await until(lambda: house.value("SELECT announced FROM media.tasks"))
        await until(lambda: all_said(house))
    (accepted,) = about(await house.heard(), waiting.job_id)
    assert accepted.waiting_for == "worker"


async def test_a_pause_ends_by_itself(house: House) -> None:
    async with house.worker("media", works={FetchMedia: do_nothing}):
        await house.say(pause())
        await until(lambda: _paused(house))
        await house.say(command := fetch())
        await until(lambda: is_in(house, "pending", command))
        await house.admin.execute("UPDATE media.pauses SET expires_at = now() + interval '0.5 s'")
        await until(lambda: is_in(house, "completed", command))


async def ask(house: House, *job_ids: UUID) -> list[Any]:
    await bytes_in(house, "gateway")
    asked = await house.say(ReportJobs(addressee="media", job_ids=job_ids))
    await until(lambda: house.value("SELECT true FROM media.inbox WHERE message_id = $1", asked))
    await until(lambda: all_said(house))
    return await house.heard()


async def test_who_asks_for_an_unknown_job_is_told_so(house: House) -> None:
    unknown = uuid7()
    async with house.worker("media"):
        (answer,) = await ask(house, unknown)
    assert isinstance(answer, JobUnknown)
    assert (answer.job_id, answer.service) == (unknown, "media")


async def test_who_asks_for_a_waiting_job_is_told_that_it_waits(house: House) -> None:
    async with house.worker("media"):
        await put(house, waiting := fetch())
        (answer,) = await ask(house, waiting.job_id)
    assert isinstance(answer, JobAccepted)
    assert answer.job_id == waiting.job_id


async def test_who_asks_for_an_ended_job_hears_what_was_said_again(house: House) -> None:
    async with house.worker("media", works={FetchMedia: do_nothing}):
        await house.say(command := fetch())
        await until(lambda: is_in(house, "completed", command))
        await until(lambda: all_said(house))
        first = about(await house.heard(), command.job_id)
        again = about(await ask(house, command.job_id), command.job_id)
    assert again == first
    assert isinstance(again[-1], JobCompleted)


async def stay(_job: Job[FetchMedia]) -> None:
    await asyncio.Event().wait()


async def test_no_question_makes_a_later_answer_longer(house: House) -> None:
    running, waiting, unknown = fetch(), upload(), uuid7()
    async with house.worker("media", works={FetchMedia: stay}, grace_seconds=2.5):
        await put(house, waiting)  # nobody works on its kind here
        await house.say(running)
        await until(lambda: house.value(_KEPT))
        for _ in range(4):
            answers = await ask(house, running.job_id, waiting.job_id, unknown)
            assert Counter(map(type, answers)) == {JobStarted: 1, JobAccepted: 1, JobUnknown: 1}
        assert await house.value(_KEPT) == 1, "only what was said to everybody is kept"


async def test_what_was_answered_before_the_end_of_a_job_is_not_said_again_after_it(house: House) -> None:
    go_on = asyncio.Event()

    async def wait(_job: Job[FetchMedia]) -> None:
        await go_on.wait()

    async with house.worker("media", works={FetchMedia: wait}):
        await house.say(command := fetch())
        await until(lambda: house.value(_KEPT))
        for _ in range(2):
            await ask(house, command.job_id)
        go_on.set()
        await until(lambda: is_in(house, "completed", command))
        for _ in range(3):
            news = about(await ask(house, command.job_id), command.job_id)
            assert [type(one) for one in news] == [JobStarted, JobCompleted]


_KEPT = "SELECT count(*) FROM media.said"


async def test_who_asks_for_a_job_that_ended_long_ago_is_told_its_end(house: House) -> None:
    """What was said of it is no longer kept; its row is."""
    completed, failed, cancelled = fetch(), fetch(), fetch()
    begun = datetime.now(UTC)
    await put(house, completed, state="completed", lease_epoch=2, attempt=2, started_at=begun)
    await put(house, failed, state="failed", lease_epoch=4, attempt=4, error_code="gone", error_sentence="It is gone.")
    await put(house, cancelled, state="cancelled", lease_epoch=1)
    await house.admin.execute("UPDATE media.tasks SET finished_at = now() - interval '9 days'")
    async with house.worker("media"):
        news = await ask(house, completed.job_id, failed.job_id, cancelled.job_id)
    ends: dict[UUID, Any] = {one.job_id: one for one in news}
    assert len(news) == len(ends) == 3
    assert isinstance(ends[completed.job_id], JobCompleted)
    assert ends[completed.job_id].attempt == 2
    assert isinstance(ends[failed.job_id], JobFailed)
    assert (ends[failed.job_id].code, ends[failed.job_id].sentence) == ("gone", "It is gone.")
    assert isinstance(ends[cancelled.job_id], JobCancelled)
    assert {one.sequence for one in news} == {2**31 - 1}, "whatever was heard before, the end comes after it"

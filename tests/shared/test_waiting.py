"""Whoever asks for a job is told what it waits for now and until when; of two wishes to pause the later one holds."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.jobs import JobRetryScheduled, JobStarted, PauseWork, ReportJobs, ResumeWork
from contracts.media import FetchMedia
from services.gateway.rules.jobs import apply_news, job_of_news
from shared.errors import TryAgain
from shared.jobs import Job
from shared.outbox import Outbox
from tests.living import House, until
from tests.shared.chores import about, all_said, bytes_in, do_nothing, fetch, put


def pause(hours: float = 1) -> PauseWork:
    expires_at = datetime.now(UTC) + timedelta(hours=hours)
    return PauseWork(addressee="media", kind=FetchMedia.wire_name, owner="me", expires_at=expires_at)


RESUME = ResumeWork(addressee="media", kind=FetchMedia.wire_name)


async def _is_paused(house: House) -> bool:
    return bool(await house.value("SELECT count(*) FROM media.pauses WHERE expires_at > now()"))


async def ask(house: House, *job_ids: UUID) -> list[Any]:
    """Ask for jobs, and give the answers alone."""
    await until(lambda: all_said(house))
    await bytes_in(house, "gateway")
    asked = await house.say(ReportJobs(addressee="media", job_ids=job_ids))
    await until(lambda: house.value("SELECT true FROM media.inbox WHERE message_id = $1", asked))
    await until(lambda: all_said(house))
    return await house.heard()


async def answer_about(house: House, command: FetchMedia) -> Any:
    """Give the last word about a job, as the order of news has it."""
    return about(await ask(house, command.job_id), command.job_id)[-1]


@pytest.mark.parametrize(("rate_limited", "waiting_for"), [(False, "retry"), (True, "limit")])
async def test_a_job_that_waits_for_its_next_attempt_says_until_when_and_for_what(
    house: House, *, rate_limited: bool, waiting_for: str
) -> None:
    async def busy(_job: Job[FetchMedia]) -> None:
        raise TryAgain("busy", "Later.", retry_after_seconds=600, rate_limited=rate_limited)

    command = fetch()
    async with house.worker("media", works={FetchMedia: busy}):
        await house.say(command)
        await until(lambda: house.value("SELECT true FROM media.tasks WHERE state = 'pending' AND run_at > now()"))
        await until(lambda: all_said(house))
        [said] = [one for one in about(await house.heard(), command.job_id) if isinstance(one, JobRetryScheduled)]
        [answer] = about(await ask(house, command.job_id), command.job_id)
    assert isinstance(answer, JobRetryScheduled)
    assert (said.waiting_for, answer.waiting_for) == (waiting_for, waiting_for)
    assert (answer.attempt, answer.code, answer.sentence) == (said.attempt, said.code, said.sentence)
    assert abs(answer.next_attempt_at - said.next_attempt_at) < timedelta(seconds=5)
    assert (answer.lease_epoch, answer.sequence) > (said.lease_epoch, said.sequence), "it is the latest word"
    job = job_of_news(answer)
    assert apply_news(job, answer)
    assert (job.waiting_for, job.next_attempt_at) == (waiting_for, answer.next_attempt_at)


async def test_a_waiting_job_says_for_what_it_waits_now(house: House) -> None:
    async with house.worker("media", works={}):
        await put(house, waiting := fetch())
        assert (await answer_about(house, waiting)).waiting_for == "worker"
        await house.say(pause())
        await until(lambda: _is_paused(house))
        paused = await answer_about(house, waiting)
        assert paused.waiting_for == "pause"
        await house.say(RESUME)

        async def resumed() -> bool:
            return not await _is_paused(house)

        await until(resumed)
        resumed_answer = await answer_about(house, waiting)
        assert resumed_answer.waiting_for == "worker"
        assert (resumed_answer.lease_epoch, resumed_answer.sequence) >= (paused.lease_epoch, paused.sequence)


async def test_a_running_job_says_that_it_runs(house: House) -> None:
    async with house.worker("media", works={FetchMedia: do_nothing}):
        await put(
            house,
            running := fetch(),
            state="in_progress",
            lease_token=UUID(int=1),
            lease_until=datetime.now(UTC) + timedelta(minutes=5),
            lease_epoch=3,
            attempt=1,
            worker="another/1/x",
            started_at=datetime.now(UTC),
        )
        answer = await answer_about(house, running)
    assert isinstance(answer, JobStarted)
    assert (answer.lease_epoch, answer.attempt, answer.worker) == (3, 2, "another/1/x")


def _said_at(message: PauseWork | ResumeWork, at: datetime) -> bytes:
    envelope = Outbox("gateway").encode(message)
    text = envelope.body.decode()
    time = text.split('"time":"')[1].split('"')[0]
    return text.replace(time, at.isoformat()).encode()


@pytest.mark.parametrize("paused", [False, True])
async def test_of_two_wishes_the_later_one_holds_in_whatever_order_they_come(house: House, *, paused: bool) -> None:
    later, earlier = (pause(), RESUME) if paused else (RESUME, pause())
    now = datetime.now(UTC)
    async with house.worker("media"):
        for message, at in ((later, now), (earlier, now - timedelta(seconds=1))):
            body = _said_at(message, at)
            message_id = UUID(body.decode().split('"id":"')[1].split('"')[0])
            await house.publisher.publish(message.routing_key, body, message_id=message_id, type_=message.wire_name)
            await until(_heard(house, message_id))
    assert await _is_paused(house) == paused


@pytest.mark.parametrize("paused", [False, True])
async def test_the_clocks_of_those_who_say_them_do_not_matter(house: House, *, paused: bool) -> None:
    """Two gateways whose clocks are apart, and one database that has noted both wishes."""
    later, earlier = (pause(), RESUME) if paused else (RESUME, pause())
    now = datetime.now(UTC)
    async with house.worker("media"):
        for message, ahead_seconds in ((earlier, 60), (later, 0)):
            said_at = now - timedelta(seconds=1) if message is earlier else now
            body = _said_at(message.model_copy(update={"said_at": said_at}), now + timedelta(seconds=ahead_seconds))
            message_id = UUID(body.decode().split('"id":"')[1].split('"')[0])
            await house.publisher.publish(message.routing_key, body, message_id=message_id, type_=message.wire_name)
            await until(_heard(house, message_id))
    assert await _is_paused(house) == paused


def _heard(house: House, message_id: UUID) -> Any:
    return lambda: house.value("SELECT true FROM media.inbox WHERE message_id = $1", message_id)


async def test_wishes_that_waited_together_are_obeyed_in_their_order(house: House) -> None:
    """Nobody was there while an operator paused, resumed and paused again."""
    for message in (pause(), RESUME, pause(hours=2)):
        await house.say(message)
    async with house.worker("media"):
        await until(lambda: _is_paused(house))
    remaining = await house.value("SELECT extract(epoch FROM expires_at - now()) FROM media.pauses")
    assert remaining > 3700, "the last one holds"

"""What cannot be written or said ends the job once, with a reason; the work is not done again for it."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from contracts.jobs import JobCompleted, JobFailed, JobStarted
from contracts.media import FetchMedia
from shared.errors import Refused
from shared.jobs import Job
from tests.living import House, until
from tests.shared.chores import about, all_ended, all_said, fetch

TOO_MUCH = "a" * 300_000


def deep() -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for _ in range(3000):
        nested = {"in": nested}
    return nested


async def refuse_with_nul(_job: Job[Any]) -> None:
    raise Refused("not_an_image", "It has a \x00 in it.")


async def refuse_with_surrogates(_job: Job[Any]) -> None:
    raise Refused("not_an_image", "\udcff\udc00 in a file name")


async def refuse_at_length(_job: Job[Any]) -> None:
    raise Refused("not_an_image", "no " * 100_000)


async def refuse_without_a_code(_job: Job[Any]) -> None:
    raise Refused("Not A Code", "Hm.")


async def return_too_much(_job: Job[Any]) -> Any:
    return {"text": TOO_MUCH}


async def return_surrogates(_job: Job[Any]) -> Any:
    return {"name": "\udcff"}


async def return_an_object(_job: Job[Any]) -> Any:
    return {"it": object()}


async def return_an_endless_depth(_job: Job[Any]) -> Any:
    return deep()


async def return_a_huge_number(_job: Job[Any]) -> Any:
    return {"n": 10**400}


async def return_a_list(_job: Job[Any]) -> Any:
    return [1, 2]


async def complete_with_too_much(job: Job[Any]) -> None:
    async with job.completing() as tx:
        tx.result(text=TOO_MUCH)


async def return_somewhat_too_much(_job: Job[Any]) -> Any:
    return {"text": "a" * 5000}


async def say_too_much(job: Job[Any]) -> None:
    async with job.completing() as tx:
        tx.say(job.news(JobCompleted, attempt=1, started_at=job.started_at, result={"text": TOO_MUCH}))


async def complete_with_surrogates(job: Job[Any]) -> None:
    async with job.completing() as tx:
        tx.result(name="\udcff")


async def fail_with_nul(job: Job[Any]) -> None:
    async with job.failing("not_an_image", "It has a \x00 in it, and \udcff."):
        pass


FAILS = {
    refuse_with_nul: "not_an_image",
    refuse_with_surrogates: "not_an_image",
    refuse_at_length: "not_an_image",
    refuse_without_a_code: "unexpected_error",
    return_too_much: "result_too_large",
    return_somewhat_too_much: "result_too_large",
    return_an_object: "result_unsayable",
    return_an_endless_depth: "result_unsayable",
    return_a_huge_number: "result_unsayable",
    return_a_list: "result_unsayable",
    complete_with_too_much: "result_too_large",
    say_too_much: "message_unsayable",
    fail_with_nul: "not_an_image",
}


async def tell_nonsense(job: Job[Any]) -> None:
    job.progress(float("nan"), "a\x00b")
    job.progress(float("inf"), "\udcff" * 1000)
    job.progress(-float("inf"))
    job.progress(10**400 if job.attempt < 0 else 2, "x" * 10_000)
    await asyncio.sleep(0)


async def return_nul(_job: Job[Any]) -> Any:
    return {"title": "a\x00b"}


COMPLETES = (tell_nonsense, return_nul, return_surrogates, complete_with_surrogates)


async def run_each_once(house: House, behaviours: Any) -> tuple[dict[Any, UUID], Counter[UUID], list[Any]]:
    commands = {behaviour: fetch() for behaviour in behaviours}
    by_id = {command.job_id: behaviour for behaviour, command in commands.items()}
    runs: Counter[UUID] = Counter()

    async def behave(job: Job[FetchMedia]) -> Any:
        runs[job.id] += 1
        return await by_id[job.id](job)

    async with house.worker("media", works={FetchMedia: behave}, heartbeat_seconds=0.2):
        for command in commands.values():
            await house.say(command)
        await until(lambda: all_ended(house, len(commands)))
        await until(lambda: all_said(house))
    return {behaviour: command.job_id for behaviour, command in commands.items()}, runs, await house.heard()


async def test_what_cannot_be_said_fails_once_with_its_reason(house: House) -> None:
    jobs, runs, news = await run_each_once(house, FAILS)
    news = [one for one in news if not isinstance(one, JobStarted)]
    ends = {behaviour.__name__: about(news, job_id) for behaviour, job_id in jobs.items()}
    assert {name: [type(one) for one in said] for name, said in ends.items()} == {name: [JobFailed] for name in ends}
    assert {name: said[0].code for name, said in ends.items()} == {one.__name__: code for one, code in FAILS.items()}
    assert set(runs.values()) == {1}


async def test_what_is_only_strange_completes(house: House) -> None:
    jobs, runs, news = await run_each_once(house, COMPLETES)
    for behaviour, job_id in jobs.items():
        assert [type(one) for one in about(news, job_id)][-1] is JobCompleted, behaviour.__name__
    assert set(runs.values()) == {1}


async def test_a_result_can_be_stored_by_whoever_hears_it(house: House) -> None:
    """PostgreSQL's jsonb holds no NUL; what is said with one could be heard by nobody who writes it down."""
    jobs, _, news = await run_each_once(house, [return_nul])
    completed = about(news, jobs[return_nul])[-1]
    async with house.admin.acquire() as connection:
        stored = await connection.fetchval("SELECT $1::jsonb ->> 'title'", completed.result)
    assert stored == "ab"


async def test_a_stage_without_a_thread_of_sense_is_stored_as_text(house: House) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def talk(job: Job[FetchMedia]) -> None:
        job.progress(0.5, "loading \x00\udcff" + "x" * 500)
        begun.set()
        await go.wait()

    async with house.worker("media", works={FetchMedia: talk}, heartbeat_seconds=0.2):
        await house.say(fetch())
        await asyncio.wait_for(begun.wait(), 20)
        stage = await until(lambda: house.value("SELECT stage FROM media.tasks"))
        go.set()
    assert stage.startswith("loading ?xxx")
    assert len(stage) == 80


@pytest.mark.parametrize("share", [float("nan"), float("inf"), -1.0, None])
async def test_a_share_that_is_none_does_not_cost_the_neighbours_their_heartbeat(
    house: House, share: float | None
) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def talk(job: Job[FetchMedia]) -> None:
        job.progress(share)
        begun.set()
        await go.wait()

    async with house.worker("media", works={FetchMedia: talk}, heartbeat_seconds=0.2):
        await house.say(command := fetch())
        await asyncio.wait_for(begun.wait(), 20)
        before = await house.value("SELECT lease_until FROM media.tasks WHERE id = $1", command.job_id)
        await until(
            lambda: house.value("SELECT lease_until > $2 FROM media.tasks WHERE id = $1", command.job_id, before)
        )
        go.set()

"""A job goes to its worker and comes back, through the real broker; and the process ends as it is asked to."""

import asyncio
import signal
import sys
from pathlib import Path

import aiohttp

from tests.gateway.living import Client, types_of
from tests.living import House, until

REPOSITORY = Path(__file__).parents[2]


async def test_a_probe_goes_to_its_worker_and_back(ann: Client, house: House) -> None:
    async with house.worker("media"), ann.events() as events:
        job = (await ann.post("/probes", {"service": "media"})).body
        told = await events.take(2)
        assert types_of(told) == ["job.submitted", "job.completed"]
        shown = await ann.job(job["id"])
        assert (shown["state"], shown["attempt"], shown["tree"]["ended"]) == ("completed", 1, True)
        assert shown["started_at"]
        assert shown["finished_at"]


async def test_a_job_whose_command_was_lost_on_the_way_heals(ann: Client, house: House) -> None:
    job = (await ann.post("/probes", {"service": "media"})).body
    await until(lambda: house.heard("media"))  # the command is taken away, and nobody works on it
    await house.admin.execute("UPDATE gateway.jobs SET ask_at = now(), updated_at = now() - interval '1 hour'")

    async def completed() -> bool:
        return bool((await ann.job(job["id"]))["state"] == "completed")

    async with house.worker("media"):
        await until(completed)


async def test_a_cancelled_job_ends_as_cancelled_although_its_worker_was_away(ann: Client, house: House) -> None:
    job = (await ann.post("/probes", {"service": "media"})).body
    await ann.post(f"/jobs/{job['id']}/cancel")

    async def ended() -> str | None:
        state = (await ann.job(job["id"]))["state"]
        return state if state in {"completed", "cancelled"} else None

    async with house.worker("media"):
        # The command came first: whichever of the two the worker takes up first, the job reaches its end.
        assert await until(ended) in {"completed", "cancelled"}


async def test_many_jobs_at_once_all_come_back(ann: Client, house: House) -> None:
    async with house.worker("media"):
        replies = await asyncio.gather(*(ann.post("/probes", {"service": "media"}) for _ in range(200)))
        assert {reply.status for reply in replies} == {202}

        async def all_completed() -> bool:
            return bool(await house.value("SELECT count(*) = 200 FROM gateway.jobs WHERE state = 'completed'"))

        await until(all_completed)
    assert await house.value("SELECT count(*) FROM gateway.events WHERE type = 'job.completed'") == 200


async def test_the_process_starts_prints_tokens_and_ends_with_zero_on_sigterm(house: House) -> None:
    environment = house.servers.environment_of("gateway")
    printing = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.gateway.tokens",
        "carol",
        env=environment,
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
    )
    token = (await printing.communicate())[0].decode().strip()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.gateway", env=environment, cwd=REPOSITORY, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{environment['HTTP_PORT']}") as session:

            async def ready() -> bool:
                try:
                    async with session.get("/readyz") as response:
                        return response.status == 200
                except aiohttp.ClientConnectionError:
                    return False

            await until(ready, seconds=60)
            headers = {"Authorization": f"Bearer {token}"}
            async with session.get("/api/v1/events", headers=headers) as stream:
                assert stream.status == 200
                process.send_signal(signal.SIGTERM)
                async with asyncio.timeout(20):
                    while await stream.content.read(100):
                        pass  # the open stream is ended by the gateway, and does not hold it up
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

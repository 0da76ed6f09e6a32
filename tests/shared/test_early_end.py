"""A process that is told to end before it works ends at once: the first of a container passes over what it has no ear
for, and would keep whoever restarts it waiting until it is killed."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from deploy.local.settings import REPOSITORY
from tests.living import until
from tests.ports import free_port

_IN_TIME_SECONDS = 10


@asynccontextmanager
async def waiting_worker(*wrapper: str) -> AsyncIterator[Process]:
    """Start a worker that waits for a database where none listens."""
    port = free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": f"postgresql://media:secret@127.0.0.1:{free_port()}/diorama",
        "RABBITMQ_URL": f"amqp://diorama:secret@127.0.0.1:{free_port()}/diorama",
        "S3_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
        "S3_ACCESS_KEY_ID": "key",
        "S3_SECRET_ACCESS_KEY": "secret",
        "HTTP_PORT": str(port),
    }
    command = (*wrapper, sys.executable, "-m", "services.media")
    process = await asyncio.create_subprocess_exec(*command, env=environment, cwd=REPOSITORY, stderr=PIPE, stdout=PIPE)

    async def waits() -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/startupz") as answer:
                return answer.status == 503
        except aiohttp.ClientError:
            return False  # it does not listen yet

    try:
        await until(waits, seconds=60)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_worker_that_still_waits_for_its_database_ends_in_order_when_it_is_told_to(
    number: signal.Signals,
) -> None:
    async with waiting_worker() as process:
        process.send_signal(number)
        async with asyncio.timeout(_IN_TIME_SECONDS):
            _, complaint = await process.communicate()
    assert process.returncode == 0, complaint
    assert b"Traceback" not in complaint

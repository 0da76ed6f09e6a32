"""A link to the broker ends when it is told to, whatever its session is doing."""

import asyncio

from aio_pika.abc import AbstractConnection

from shared.broker import Link
from tests.living import House


async def test_a_link_ends_though_its_session_has_taken_the_first_cancel_for_none(house: House) -> None:
    begun = asyncio.Event()

    async def session(_: AbstractConnection) -> None:
        # As `asyncio.wait_for` does before Python 3.12, where a cancel comes together with what it waits for.
        try:
            begun.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    running = asyncio.create_task(Link(house.servers.rabbitmq_url, "tests", session).run())
    await begun.wait()
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=20)
    assert done == {running}

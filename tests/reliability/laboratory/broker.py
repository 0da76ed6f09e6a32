"""What only the broker's own node can be asked, or told, to do."""

import asyncio
import os
import re
from collections.abc import Sequence
from pathlib import Path

import aio_pika
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity

from deploy.database import SERVICES
from deploy.local.definitions import VHOST
from deploy.local.stack import Stack
from shared.broker import BROKER_AWAY
from shared.topology import dead_queue_of, queue_of

_ANSWER_SECONDS = 10
_LOOK_SECONDS = 0.1
MARKER = "laboratory.marker"
"""A queue that nobody declares again: it tells a broker that has lost its disk from one that was only killed."""


class BrokerRefused(Exception):
    """The broker's node did not do what it was told."""


async def told(servers: Stack, expression: str) -> str:
    """Have the node of a stack's broker evaluate Erlang; return what came of it, as Erlang prints it.

    `erl_call` answers in milliseconds, where `rabbitmqctl` starts a whole node to ask for the same. Raises
    BrokerRefused, TimeoutError.
    """
    broker = servers._servers.broker
    assert broker is not None, "the laboratory's broker is its own"
    installation = await broker._find()
    process = await asyncio.create_subprocess_exec(
        str(_erl_call(installation.binaries)),
        *("-name", "diorama@localhost", "-e"),
        env={**os.environ, **broker._environment(installation)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            output, _ = await process.communicate(f"{expression}.\n".encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    answer = output.decode().strip()
    if not answer.startswith("{ok, "):
        raise BrokerRefused(answer)
    return answer.removeprefix("{ok, ").removesuffix("}")


def _erl_call(binaries: Path) -> Path:
    beside, unpacked = binaries / "erl_call", binaries.parent / "usr/lib/erlang/bin/erl_call"
    return beside if beside.exists() else unpacked


async def messages_of(servers: Stack, queues: Sequence[str]) -> dict[str, int]:
    """Count all that quorum queues hold at this moment, delivered or not. Raises as `told` does.

    Whoever declares a queue passively is told only of what waits, and what the node keeps for its statistics is
    seconds old: it is asked for the state of each queue itself.
    """
    names = ", ".join(f'<<"{queue}">>' for queue in queues)
    counts = await told(
        servers,
        f"""
        list_to_tuple([begin
            {{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"{VHOST}">>, queue, N)),
            {{ok, {{_, Count}}, _}} = ra:local_query(amqqueue:get_pid(Q), fun rabbit_fifo:query_messages_total/1),
            Count
        end || N <- [{names}]])
        """,
    )
    return dict(zip(queues, map(int, re.findall(r"\d+", counts)), strict=True))


def consumers_of(queue: str, expression: str) -> str:
    """Give the Erlang that evaluates an expression for each consumer C of a queue."""
    name = f'rabbit_misc:r(<<"{VHOST}">>, queue, <<"{queue}">>)'
    return f"{{ok, Q}} = rabbit_amqqueue:lookup({name}), [{expression} || C <- rabbit_amqqueue:consumers(Q)]"


async def is_there(channel: AbstractChannel, queue: str) -> bool:
    """Ask the broker for a queue; where it is not there the channel is closed by that."""
    try:
        await channel.declare_queue(queue, passive=True)
    except ChannelNotFoundEntity:
        return False
    return True


async def missing(servers: Stack, *queues: str) -> list[str]:
    """Name those of the queues that are not there."""
    async with await aio_pika.connect(servers.rabbitmq_url, timeout=5) as connection:
        gone = []
        for queue in queues:
            async with connection.channel() as channel:
                if not await is_there(channel, queue):
                    gone.append(queue)
        return gone


async def delete_queue(servers: Stack, queue: str) -> None:
    """Delete a queue with all that is in it."""
    async with await aio_pika.connect(servers.rabbitmq_url, timeout=5) as connection:
        await (await connection.channel()).queue_delete(queue)


async def purge_queue(servers: Stack, queue: str) -> None:
    """Throw away what waits in a queue, which stays what it is."""
    async with await aio_pika.connect(servers.rabbitmq_url, timeout=5) as connection:
        await (await (await connection.channel()).get_queue(queue, ensure=False)).purge()


async def until_declared(servers: Stack, *, seconds: float) -> None:
    """Wait until every queue of the house is there. Raises TimeoutError."""
    queues = [name for service in SERVICES for name in (queue_of(service), dead_queue_of(service))]
    async with asyncio.timeout(seconds):
        while True:
            try:
                if not await missing(servers, *queues):
                    return
            except BROKER_AWAY:
                pass  # it may be on its way back
            await asyncio.sleep(_LOOK_SECONDS)


async def mark(servers: Stack) -> None:
    """Lay down the queue by which a broker is known again."""
    async with await aio_pika.connect(servers.rabbitmq_url, timeout=5) as connection:
        await (await connection.channel()).declare_queue(MARKER, durable=True)

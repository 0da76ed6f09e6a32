"""Jobs that tests put in a worker's way, and looks at what became of them."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import aio_pika

from contracts.envelope import Command, Message
from contracts.jobs import CheckWorker
from contracts.media import AcceptUpload, FetchMedia
from shared.jobs import Job
from shared.topology import queue_of
from tests.living import House, lineage

_DONE = ("completed", "failed", "cancelled")


def fetch(**more: Any) -> FetchMedia:
    return FetchMedia(**lineage(**more), url="http://example.com/a.png")


def upload(**more: Any) -> AcceptUpload:
    return AcceptUpload(**lineage(**more), object_key="uploads/a")


def check(service: str = "media", **more: Any) -> CheckWorker:
    return CheckWorker(**lineage(**more), service=service)


async def do_nothing(_job: Job[Any]) -> None: ...


async def put(house: House, command: Command, **columns: Any) -> None:
    """Lay a task into the table of media, pending and known to all where not said otherwise."""
    values: dict[str, Any] = {
        "id": command.job_id,
        "kind": command.wire_name,
        "command": command.model_dump(mode="json", exclude_none=True),
        "project_id": command.project_id,
        "root_job_id": command.root_job_id,
        "parent_job_id": command.parent_job_id,
        "state": "pending",
        "announced": True,
        **columns,
    }
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await house.admin.execute(
        f"""
        INSERT INTO media.tasks ({", ".join(values)}, rank_at, deadline_at)
        VALUES ({places}, now() - interval '10 s', now() + interval '1 day')
        """,
        *values.values(),
    )


async def state_of(house: House, command: Command) -> str | None:
    state: str | None = await house.value("SELECT state FROM media.tasks WHERE id = $1", command.job_id)
    return state


async def is_in(house: House, state: str, *commands: Command) -> bool:
    return {await state_of(house, command) for command in commands} == {state}


async def all_ended(house: House, count: int) -> bool:
    ended = await house.value("SELECT count(*) FROM media.tasks WHERE state = ANY ($1)", list(_DONE))
    return bool(ended == count)


async def all_said(house: House, service: str = "media") -> bool:
    return not await house.value(f'SELECT count(*) FROM "{service}".outbox')


async def reason_of(house: House, command: Command) -> str | None:
    code: str | None = await house.value("SELECT error_code FROM media.tasks WHERE id = $1", command.job_id)
    return code


def about(news: list[Message], job_id: UUID) -> list[Any]:
    """Pick what was said of one job, in the order in which it counts."""
    mine = [one for one in news if getattr(one, "job_id", None) == job_id and hasattr(one, "sequence")]
    return sorted(mine, key=lambda one: (one.lease_epoch, one.sequence))


async def tell_broker(house: House, *arguments: str) -> None:
    """Run `rabbitmqctl` against the broker of the tests."""
    broker: Any = house.servers._servers.broker
    installation = await broker._find()
    environment: Mapping[str, str] = {**os.environ, **broker._environment(installation)}
    process = await asyncio.create_subprocess_exec(
        str(Path(installation.server).parent / "rabbitmqctl"),
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


async def waiting_in(house: House, queue: str) -> int:
    """Count the messages of a queue that nobody has been given yet."""
    connection = await aio_pika.connect(house.servers.rabbitmq_url)
    async with connection, connection.channel() as channel:
        declared = await channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0


async def bytes_in(house: House, service: str) -> list[bytes]:
    """Take the bodies of everything that waits in a service's queue."""
    connection = await aio_pika.connect(house.servers.rabbitmq_url)
    async with connection, connection.channel() as channel:
        queue = await channel.get_queue(queue_of(service), ensure=False)
        bodies = []
        while (delivery := await queue.get(no_ack=True, fail=False)) is not None:
            bodies.append(delivery.body)
        return bodies

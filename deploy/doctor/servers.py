"""The three servers: each is asked to do what it is there for."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar
from uuid import uuid4

import asyncpg

from deploy.doctor.findings import Ill
from deploy.local.object_store import ObjectStoreAccess
from shared.broker import BROKER_AWAY, Link
from shared.objects import ObjectStore

T = TypeVar("T")

_CONNECT_SECONDS: Final = 5.0


@asynccontextmanager
async def database(url: str | None) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Connect as an administrator, who sees every schema; raises Ill where nobody answers."""
    if url is None:
        raise Ill("nobody has said where it is", "Set DATABASE_ADMIN_URL.")
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_SECONDS)
    except (OSError, asyncpg.PostgresError) as error:
        raise Ill(f"PostgreSQL does not let us in: {error or type(error).__name__}") from error
    try:
        yield connection
    finally:
        await connection.close(timeout=_CONNECT_SECONDS)


async def check_database(url: str | None) -> str:
    began = time.perf_counter()
    async with database(url) as connection:
        version = await connection.fetchval("SHOW server_version")
    return f"PostgreSQL {version} answers in {_milliseconds(began)} ms"


async def with_broker(url: str | None, use: Callable[[Any], Awaitable[T]]) -> T:
    """Do something with a connection to the broker; raises Ill where it does not let us in."""
    if url is None:
        raise Ill("nobody has said where it is", "Set RABBITMQ_URL.")
    done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    async def session(connection: Any) -> None:
        try:
            done.set_result(await use(connection))
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever asked shall have it
            done.set_exception(error)
        await asyncio.Event().wait()  # the link would come back for more

    link = asyncio.create_task(Link(url, "diorama.doctor", session).run())
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            return await done
    except TimeoutError:
        raise Ill("RabbitMQ does not let us in, or does not answer") from None
    except BROKER_AWAY as error:
        raise Ill(f"RabbitMQ went away: {error!r}") from error
    finally:
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)


async def check_broker(url: str | None) -> str:
    began = time.perf_counter()

    async def open_channel(connection: Any) -> None:
        async with connection.channel():
            pass

    await with_broker(url, open_channel)
    return f"RabbitMQ opens a channel in {_milliseconds(began)} ms"


async def check_object_store(access: ObjectStoreAccess | None) -> str:
    """Write an object, read it back, and remove it."""
    if access is None:
        raise Ill("nobody has said where it is", "Set S3_ENDPOINT_URL, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY.")
    key, body = f"doctor/{uuid4()}", uuid4().bytes
    async with ObjectStore(
        endpoint_url=access.endpoint_url,
        bucket=access.bucket,
        access_key_id=access.access_key_id,
        secret_access_key=access.secret_access_key,
        region=access.region,
    ) as store:
        began = time.perf_counter()
        await store.put(key, body, content_type="application/octet-stream")
        read = await store.get(key)
        await store.delete(key)
        taken_ms = _milliseconds(began)
    if read != body:
        raise Ill("what was read is not what was written")
    return f"an object was written, read and removed in {taken_ms} ms"


def _milliseconds(began: float) -> int:
    return round((time.perf_counter() - began) * 1000)

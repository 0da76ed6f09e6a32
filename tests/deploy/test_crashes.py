"""A server that dies comes back by itself, with what it had confirmed; an erased broker comes back empty but whole."""

import asyncio

import asyncpg
import pytest
from aio_pika import DeliveryMode, Message
from aiormq.abc import FieldTable
from aiormq.exceptions import ChannelNotFoundEntity

from deploy.local.stack import Stack
from tests.deploy.clients import broker, database, objects
from tests.deploy.waiting import until

QUORUM: FieldTable = {"x-queue-type": "quorum"}


async def test_a_killed_database_comes_back_with_its_data_though_a_backend_was_busy(servers: Stack) -> None:
    async with database(servers.database_admin_url) as connection, database(servers.database_admin_url) as busy:
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        work = asyncio.create_task(busy.execute("SELECT count(*) FROM generate_series(1, 1e10)"))
        running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%generate_series(1, 1e10)' AND pid <> $1"
        while not await connection.fetchval(running, connection.get_server_pid()):
            await asyncio.sleep(0)
        before, crashes = servers.supervisor.pid("postgres"), servers.supervisor.child("postgres").crashes
        await servers.supervisor.kill("postgres")
        with pytest.raises((asyncpg.PostgresError, OSError)):
            await work
    seconds = await servers.supervisor.ready("postgres")
    assert servers.supervisor.pid("postgres") != before
    assert servers.supervisor.child("postgres").crashes == crashes + 1
    assert seconds < 10
    async with database(servers.database_admin_url) as connection:
        assert await connection.fetchval("SELECT answer FROM kept") == 42


def declaration_is_on_disk(servers: Stack, queue: str) -> bool:
    """RabbitMQ 3.10 writes a new quorum queue's name half a second late; killed before, the queue gets no leader."""
    [names] = (servers.directory / "rabbitmq" / "mnesia").glob("*/quorum/*/names.dets")
    return queue.encode() in names.read_bytes()


async def test_a_killed_broker_comes_back_with_its_messages(servers: Stack) -> None:
    async with broker(servers.rabbitmq_url) as channel:
        queue = await channel.declare_queue("diorama.scraper", durable=True, arguments=QUORUM)
        message = Message(b"kept", delivery_mode=DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, queue.name)
    await until(lambda: declaration_is_on_disk(servers, "diorama.scraper"))
    await servers.supervisor.kill("rabbitmq")
    await servers.supervisor.ready("rabbitmq")
    async with broker(servers.rabbitmq_url) as channel:
        queue = await channel.declare_queue("diorama.scraper", durable=True, arguments=QUORUM)
        async with queue.iterator(timeout=20) as messages:
            async for delivery in messages:
                await delivery.ack()
                assert delivery.body == b"kept"
                break


async def test_a_killed_object_store_comes_back_with_its_objects(servers: Stack) -> None:
    bucket = servers.object_store.bucket
    async with objects(servers.object_store) as s3:
        await s3.put_object(Bucket=bucket, Key="media/kept.bin", Body=b"kept")
        await servers.supervisor.kill("object_store")
        await servers.supervisor.ready("object_store")
        answer = await s3.get_object(Bucket=bucket, Key="media/kept.bin")
        assert await answer["Body"].read() == b"kept"


async def test_an_erased_broker_forgets_everything_but_its_definitions(servers: Stack) -> None:
    async with broker(servers.rabbitmq_url) as channel:
        await channel.declare_queue("diorama.depth_map", durable=True, arguments=QUORUM)
    await servers.erase_broker()
    async with broker(servers.rabbitmq_url) as channel:
        with pytest.raises(ChannelNotFoundEntity):
            await channel.declare_queue("diorama.depth_map", passive=True)


async def test_a_killed_epmd_comes_back_and_the_broker_with_it_can_still_be_killed(servers: Stack) -> None:
    await servers.supervisor.kill("epmd")
    await servers.supervisor.ready("epmd")
    await servers.supervisor.kill("rabbitmq")
    await servers.supervisor.ready("rabbitmq")
    async with broker(servers.rabbitmq_url) as channel:
        assert not channel.is_closed


async def test_a_held_part_stays_down_until_it_is_started_again(servers: Stack) -> None:
    await servers.supervisor.hold("object_store")
    assert servers.supervisor.pid("object_store") is None
    assert servers.supervisor.child("object_store").held
    assert not await servers.supervisor.child("object_store").program.is_ready()
    await servers.supervisor.start_again("object_store")
    assert servers.supervisor.pid("object_store") is not None


async def test_a_frozen_database_answers_nobody_and_goes_on_where_it_was(servers: Stack) -> None:
    async with database(servers.database_admin_url) as connection:
        servers.supervisor.pause("postgres")
        try:
            with pytest.raises(TimeoutError):
                await asyncpg.connect(servers.database_admin_url, timeout=0.5)
            answer = asyncio.create_task(connection.fetchval("SELECT 1"))
            done, _ = await asyncio.wait([answer], timeout=0.5)
            assert not done
        finally:
            servers.supervisor.resume("postgres")
        assert await answer == 1


async def test_a_frozen_part_can_still_be_ended(servers: Stack) -> None:
    servers.supervisor.pause("object_store")
    await servers.supervisor.hold("object_store")
    assert servers.supervisor.pid("object_store") is None
    await servers.supervisor.start_again("object_store")

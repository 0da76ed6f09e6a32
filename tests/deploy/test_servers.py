"""The three servers are real, private, and what the services are promised."""

from ipaddress import ip_address

import aio_pika
import asyncpg
import pytest
from aio_pika import DeliveryMode, ExchangeType, Message
from aiormq.abc import FieldTable
from aiormq.exceptions import AMQPConnectionError, AMQPError
from botocore.exceptions import ClientError

from deploy.local.definitions import DEAD_LETTER_EXCHANGE, DELIVERY_LIMIT
from deploy.local.postgres import PostgresServer
from deploy.local.stack import Stack
from tests.deploy.clients import broker, database, objects
from tests.deploy.listeners import listening_addresses

QUORUM: FieldTable = {"x-queue-type": "quorum"}


async def test_the_database_is_postgresql_18_with_its_extensions_and_keeps_what_it_confirms(servers: Stack) -> None:
    async with database(servers.database_admin_url) as connection:
        assert connection.get_server_version().major == 18
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await connection.fetchval("SELECT current_setting($1)", name) == "on"
        extensions = {"vector", "pg_trgm", "unaccent", "pg_stat_statements"}
        available = await connection.fetch("SELECT name FROM pg_available_extensions")
        assert extensions <= {row["name"] for row in available}
        await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        assert await connection.fetchval("SELECT count(*) FROM pg_stat_statements") > 0


async def test_the_database_sorts_and_folds_text_as_unicode_whatever_the_machines_locale(servers: Stack) -> None:
    async with database(servers.database_admin_url) as connection:
        assert await connection.fetchval("SELECT upper('straße é')") == "STRAßE É"
        assert await connection.fetchval("SHOW server_encoding") == "UTF8"


async def test_an_object_survives_the_way_there_and_back(servers: Stack) -> None:
    async with objects(servers.object_store) as s3:
        await s3.put_object(Bucket=servers.object_store.bucket, Key="media/a.bin", Body=b"bytes")
        answer = await s3.get_object(Bucket=servers.object_store.bucket, Key="media/a.bin")
        assert await answer["Body"].read() == b"bytes"


async def test_strangers_are_refused_by_every_server(servers: Stack) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(servers.database_admin_url.replace(servers.passwords.postgres, "wrong"), timeout=5)
    with pytest.raises(AMQPConnectionError):
        await aio_pika.connect(servers.rabbitmq_url.replace(servers.passwords.rabbitmq, "wrong"))
    guest = servers.rabbitmq_url.replace(f"diorama:{servers.passwords.rabbitmq}", "guest:guest")
    with pytest.raises(AMQPError):
        await aio_pika.connect(guest)
    async with objects(servers.object_store, secret="wrong-secret") as s3:
        with pytest.raises(ClientError, match=r"SignatureDoesNotMatch|Forbidden|403"):
            await s3.list_objects_v2(Bucket=servers.object_store.bucket)


async def test_nothing_listens_beyond_the_loopback_address(servers: Stack) -> None:
    pids = [child.pid for child in servers.supervisor if child.pid]
    addresses = listening_addresses(pids)
    assert len(addresses) >= len(pids)
    assert not [host for host, _ in addresses if not ip_address(host).is_loopback]


async def test_no_command_line_holds_a_password(servers: Stack) -> None:
    passwords = servers.passwords
    hidden = {passwords.postgres, passwords.rabbitmq, passwords.erlang_cookie, passwords.s3_secret_access_key}
    for child in servers.supervisor:
        shown = " ".join((*child.program.wrapper, *child.program.command))
        assert not [secret for secret in hidden if secret in shown]


async def test_a_message_that_nobody_can_take_ends_as_a_dead_letter_of_its_service(servers: Stack) -> None:
    async with broker(servers.rabbitmq_url) as channel:
        dead_letters = await channel.declare_exchange(DEAD_LETTER_EXCHANGE, ExchangeType.DIRECT, durable=True)
        dead = await channel.declare_queue("diorama.media.dead", durable=True, arguments=QUORUM)
        await dead.bind(dead_letters, "media")
        queue = await channel.declare_queue("diorama.media", durable=True, arguments=QUORUM)
        message = Message(b"poison", delivery_mode=DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, queue.name)
        deliveries = 0
        async with queue.iterator(timeout=10) as returned:
            async for delivery in returned:
                deliveries += 1
                await delivery.nack(requeue=True)
                if deliveries > DELIVERY_LIMIT:
                    break
        async with dead.iterator(timeout=10) as arrived:
            async for letter in arrived:
                await letter.ack()
                assert letter.body == b"poison"
                assert letter.headers["x-first-death-reason"] == "delivery_limit"
                break
        assert deliveries == DELIVERY_LIMIT + 1


async def test_settings_of_a_test_win_over_the_stacks_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = PostgresServer(tmp_path_factory.mktemp("postgres"), 1, "secret", {"max_connections": "7"})
    program = await server.prepare()
    assert "max_connections=7" in program.command
    assert "max_connections=200" not in program.command

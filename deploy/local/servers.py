"""The three servers that a stack lives on: private ones, or those that already run elsewhere."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.object_store import ObjectStore, ObjectStoreAccess
from deploy.local.passwords import Passwords
from deploy.local.ports import Ports
from deploy.local.postgres import PostgresServer
from deploy.local.program import Program
from deploy.local.rabbitmq import BrokerPorts, RabbitMQServer

POSTGRES, RABBITMQ, OBJECT_STORE = "postgres", "rabbitmq", "object_store"


@dataclass(frozen=True, kw_only=True)
class Outside:
    """Parts that already run elsewhere and are used instead of private ones."""

    database_admin_url: str | None = field(default=None, repr=False)
    rabbitmq_url: str | None = field(default=None, repr=False)
    object_store: ObjectStoreAccess | None = None


@dataclass(frozen=True, kw_only=True)
class Servers:
    """How to reach the servers, and what has to run for it.

    Attributes:
        first: must be ready before the others start.
        then: start side by side.
        broker: the private RabbitMQ, if it is one.

    """

    database_admin_url: str = field(repr=False)
    rabbitmq_url: str = field(repr=False)
    object_store: ObjectStoreAccess
    first: Sequence[Program]
    then: Sequence[Program]
    broker: RabbitMQServer | None


async def prepare_servers(
    directory: Path,
    ports: Ports,
    passwords: Passwords,
    outside: Outside,
    *,
    postgres_settings: Mapping[str, str] | None,
    web_origin: str,
) -> Servers:
    """Make the data folders of the servers that are not outside. Raises CannotRun for what cannot be made."""
    database, broker, objects = await asyncio.gather(
        _database(directory, ports, passwords, outside, postgres_settings),
        _broker(directory, ports, passwords, outside),
        _objects(directory, ports, passwords, outside, web_origin),
    )
    (admin_url, postgres_programs), (rabbitmq_url, server, first, rabbitmq_programs) = database, broker
    access, object_programs = objects
    return Servers(
        database_admin_url=admin_url,
        rabbitmq_url=rabbitmq_url,
        object_store=access,
        first=first,
        then=[*postgres_programs, *rabbitmq_programs, *object_programs],
        broker=server,
    )


async def _database(
    directory: Path,
    ports: Ports,
    passwords: Passwords,
    outside: Outside,
    settings: Mapping[str, str] | None,
) -> tuple[str, list[Program]]:
    if outside.database_admin_url:
        return outside.database_admin_url, []
    server = PostgresServer(directory / POSTGRES, ports.take(POSTGRES), passwords.postgres, settings)
    return server.url, [await server.prepare()]


async def _broker(
    directory: Path,
    ports: Ports,
    passwords: Passwords,
    outside: Outside,
) -> tuple[str, RabbitMQServer | None, list[Program], list[Program]]:
    if outside.rabbitmq_url:
        return outside.rabbitmq_url, None, [], []
    numbers = BrokerPorts(ports.take(RABBITMQ), ports.take("rabbitmq_distribution"), ports.take("epmd"))
    unpack_into = directory.parent / "rabbitmq-package"  # one for all stacks
    server = RabbitMQServer(
        directory / RABBITMQ,
        numbers,
        passwords.rabbitmq,
        passwords.erlang_cookie,
        unpack_into=unpack_into,
    )
    epmd, broker = await server.prepare()
    return server.url, server, [epmd], [broker]


async def _objects(
    directory: Path,
    ports: Ports,
    passwords: Passwords,
    outside: Outside,
    web_origin: str,
) -> tuple[ObjectStoreAccess, list[Program]]:
    if outside.object_store:
        return outside.object_store, []
    keys = (passwords.s3_access_key_id, passwords.s3_secret_access_key)
    store = ObjectStore(directory / OBJECT_STORE, ports.take(OBJECT_STORE), *keys, web_origin)
    return store.access, [await store.prepare()]

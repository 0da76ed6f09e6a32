"""Where experiments are made: real servers, real services, and a wire that can fail between each two that speak."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, urlsplit, urlunsplit

from deploy.database import PROJECTION_ROLE, SERVICES, as_role
from deploy.local.ports import LOOPBACK
from deploy.local.servers import OBJECT_STORE, POSTGRES, RABBITMQ, Outside
from deploy.local.stack import Stack
from deploy.local.state import read_state
from deploy.local.supervisor import Supervisor
from tests.journeys.gallery import Gallery
from tests.reliability.laboratory.proxies import Wire
from tests.reliability.laboratory.schedule import LEASE_SECONDS, LINKS

_QUICK = {"LEASE_SECONDS": str(LEASE_SECONDS), "HEARTBEAT_SECONDS": "1", "GRACE_SECONDS": "4"}
"""Losses are noticed sooner than in production, by the same rules."""


class Premises:
    """A whole house under test. Use it as an async context manager, on the main thread.

    Attributes:
        servers: the three servers; whoever looks from outside uses their own addresses.
        services: the five services, which reach the servers over wires alone.
        wires: by service and server.
        gallery: the one site that may be fetched.

    """

    servers: Stack
    services: Stack
    gallery: Gallery

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.wires: dict[tuple[str, str], Wire] = {}
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            self.servers = await self._open.enter_async_context(Stack(self.directory / "servers", services=()))
            await self._lay_wires()
            self.services = await self._open.enter_async_context(self._stack("services", SERVICES, {}))
            state = read_state(self.services.directory)
            assert state is not None
            self.gallery = await self._open.enter_async_context(Gallery(state.urls["sample_site"]).opened())
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    def supervisor_of(self, part: str) -> Supervisor:
        """Give who looks after a server or a service."""
        return (self.services if part in SERVICES else self.servers).supervisor

    @asynccontextmanager
    async def without(self, *services: str) -> AsyncIterator[None]:
        """Have services away in order, and let them come back in the end."""
        supervisor = self.services.supervisor
        await asyncio.gather(*map(supervisor.hold, services))
        try:
            yield
        finally:
            for service in services:
                supervisor.child(service).release()

    @asynccontextmanager
    async def launching(self, service: str, launcher: Sequence[str]) -> AsyncIterator[None]:
        """Have a service of the house run from another launcher, through crashes and restarts as well."""
        child = self.services.supervisor.child(service)
        sound = child.program
        child.program = replace(sound, command=(sys.executable, *launcher))
        try:
            await child.kill()
            await self.services.supervisor.ready(service)
            yield
        finally:
            child.program = sound
            await child.kill()

    @asynccontextmanager
    async def stand_in(self, service: str, launcher: Sequence[str] | None) -> AsyncIterator[Stack]:
        """Run another process of a service, on the wires of the first one and with a launcher of its own."""
        site = self.gallery.address.removeprefix("http://")
        name = f"stand-in-{service}-{'broken' if launcher else 'sound'}"
        launchers = {service: launcher} if launcher else {}
        async with self._stack(name, (service,), launchers, OUTBOUND_ALLOW=site) as stack:
            yield stack

    def _stack(
        self, name: str, services: Sequence[str], launchers: Mapping[str, Sequence[str]], **environment: str
    ) -> Stack:
        directory = self.directory / name
        directory.mkdir(mode=0o700, exist_ok=True)
        shutil.copy(self.servers.directory / "secrets.json", directory)
        outside = Outside(
            database_admin_url=self.servers.database_admin_url,
            rabbitmq_url=self.servers.rabbitmq_url,
            object_store=self.servers.object_store,
        )
        wired = {service: {**self._wired(service), **environment} for service in services}
        return Stack(directory, services=services, outside=outside, service_environment=wired, launchers=launchers)

    def _wired(self, service: str) -> dict[str, str]:
        """Give the variables that lead a service onto its wires."""
        admin_url, roles = self.servers.database_admin_url, self.servers.passwords.roles
        database, broker = self.wires[service, POSTGRES], self.wires[service, RABBITMQ]
        wired = {
            **_QUICK,
            "DATABASE_URL": _over(database, as_role(admin_url, service, roles)),
            "RABBITMQ_URL": _over(broker, self.servers.rabbitmq_url),
        }
        if service == "gateway":
            wired["PROJECTION_DATABASE_URL"] = _over(database, as_role(admin_url, PROJECTION_ROLE, roles))
        if (objects := self.wires.get((service, OBJECT_STORE))) is not None:
            wired["S3_ENDPOINT_URL"] = _over(objects, self.servers.object_store.endpoint_url)
        return wired

    async def _lay_wires(self) -> None:
        addresses = {
            POSTGRES: urlsplit(self.servers.database_admin_url),
            RABBITMQ: urlsplit(self.servers.rabbitmq_url),
            OBJECT_STORE: urlsplit(self.servers.object_store.endpoint_url),
        }
        for service, server in LINKS:
            wire = Wire(*_place(addresses[server]))
            self.wires[service, server] = await self._open.enter_async_context(wire)


def log_of(stack: Stack, part: str) -> str:
    """Give what a part has logged so far."""
    return stack.supervisor.child(part).log.read_text(errors="replace")


def _place(address: SplitResult) -> tuple[str, int]:
    assert address.hostname is not None
    assert address.port is not None
    return address.hostname, address.port


def _over(wire: Wire, url: str) -> str:
    """Give an address by which a server is reached over a wire."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{at}{LOOPBACK}:{wire.port}"))

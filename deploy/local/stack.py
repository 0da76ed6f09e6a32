"""One whole stack: PostgreSQL, RabbitMQ, object store and services, put together and supervised."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

from deploy.database import SERVICES, as_role, prepare
from deploy.local.control import Action, Control
from deploy.local.errors import CannotRun
from deploy.local.object_store import ObjectStoreAccess
from deploy.local.passwords import Passwords
from deploy.local.ports import LOOPBACK, Ports
from deploy.local.private_files import DIRECTORY_MODE, private_directory
from deploy.local.processes import own_identity
from deploy.local.program import Program
from deploy.local.servers import POSTGRES, RABBITMQ, Outside, Servers, prepare_servers
from deploy.local.service_programs import (
    GATEWAY,
    Surroundings,
    service_environment,
    service_names,
    service_program,
)
from deploy.local.settings import REPOSITORY, passed_on
from deploy.local.state import PartState, StackState, claim, clear_leftovers, forget_state, write_state
from deploy.local.supervisor import Supervisor


class Ready(NamedTuple):
    """A part that has answered for the first time."""

    name: str
    address: str
    seconds: float


def _tell_nobody(_part: Ready) -> None: ...


class Stack:
    """A stack in a folder of its own. Use it as an async context manager, on the main thread.

    Ports, passwords and data stay in the folder, so that the next start is the same stack.

    Args:
        directory: holds all state; made when missing.
        services: which services run; with none, no database is prepared either.
        processes: how many processes of a service, where not one; they are named `media`, `media-2` and so on.
        outside: parts that already run elsewhere.
        secret_key: with which the gateway signs local tokens; default: one of the stack's own.
        environment: what services inherit; default: that of this process, without what the stack itself gives.
        service_environment: variables for one service that win over everything.
        launchers: what Python is given to start one service, where not `-m services.<service>`.
        postgres_settings: server settings that win over those of `deploy.local.postgres`.
        report: told of each part as it becomes ready.

    """

    passwords: Passwords
    _servers: Servers
    _sample_site: str

    def __init__(
        self,
        directory: Path,
        *,
        services: Sequence[str] = SERVICES,
        processes: Mapping[str, int] | None = None,
        outside: Outside | None = None,
        secret_key: str | None = None,
        environment: Mapping[str, str] | None = None,
        service_environment: Mapping[str, Mapping[str, str]] | None = None,
        launchers: Mapping[str, Sequence[str]] | None = None,
        postgres_settings: Mapping[str, str] | None = None,
        report: Callable[[Ready], None] = _tell_nobody,
    ) -> None:
        self.directory = directory.resolve()
        self.supervisor = Supervisor(self.directory / "logs", self._publish)
        self._services = tuple(services)
        self._processes = processes or {}
        self._outside = outside or Outside()
        self._secret_key = secret_key
        self._inherited = passed_on() if environment is None else environment
        self._extra = service_environment or {}
        self._launchers = launchers or {}
        self._postgres_settings = postgres_settings
        self._report = report
        self._ready = False
        self._lock: IO[bytes] | None = None
        self._control: Control | None = None
        self._control_port = 0
        self._ports: Ports | None = None
        self._service_ports: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start every part and return when all answer.

        Raises CannotRun: `already_running`, `part_not_ready`, or why a server cannot be prepared. Then nothing runs.
        """
        private_directory(self.directory, DIRECTORY_MODE)
        self._lock = claim(self.directory)
        try:
            await clear_leftovers(self.directory)
            self._ports = ports = Ports(self.directory / "ports.json")
            self._take_ports_and_passwords(ports)
            await self._start_servers(ports)
            await self._start_services()
            await self._open_control()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End every part in reverse order; safe to repeat."""
        self._ready = False
        if self._control is not None:
            await self._control.close()
            self._control = None
        await self.supervisor.stop()
        if self._ports is not None:
            self._ports.release()
        if self._lock is not None:
            forget_state(self.directory)
            self._lock.close()
            self._lock = None

    @property
    def database_admin_url(self) -> str:
        """As a superuser, into the database `diorama`."""
        return self._servers.database_admin_url

    @property
    def rabbitmq_url(self) -> str:
        return self._servers.rabbitmq_url

    @property
    def object_store(self) -> ObjectStoreAccess:
        return self._servers.object_store

    @property
    def gateway_url(self) -> str:
        return f"http://{LOOPBACK}:{self._service_ports[GATEWAY]}"

    def database_url(self, role: str) -> str:
        """As one of `deploy.database.ROLES`."""
        return as_role(self.database_admin_url, role, self.passwords.roles)

    def environment_of(self, name: str) -> dict[str, str]:
        """Give the environment of one service process, for a program that acts in its place."""
        service = name.partition("-")[0]
        return service_environment(service, name, self._service_ports[name], self._surroundings())

    async def prepare_database(self) -> None:
        """Create roles and schemas and run all migrations; safe to repeat."""
        await prepare(self.database_admin_url, self.passwords.roles)

    async def token(self) -> str:
        """Make a token with which a local user may use the gateway."""
        command = (sys.executable, "-m", "services.gateway.tokens")
        environment = self.environment_of(GATEWAY)
        done = await asyncio.to_thread(
            subprocess.run,
            command,
            env=environment,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CannotRun("no_token", f"The gateway made no token: {done.stderr.strip()}")
        return done.stdout.strip()

    async def erase_broker(self) -> float:
        """Take the broker's disk away and start it anew from its definitions; return the seconds until it answers.

        Raises CannotRun `unknown_part` where the broker is outside.
        """
        await self.supervisor.hold(RABBITMQ)
        if self._servers.broker is not None:
            await asyncio.to_thread(self._servers.broker.erase)
        return await self.supervisor.start_again(RABBITMQ)

    def _take_ports_and_passwords(self, ports: Ports) -> None:
        self.passwords = Passwords.kept_in(self.directory / "secrets.json")
        self._control_port = ports.take("control")
        self._sample_site = f"{LOOPBACK}:{ports.take('sample_site')}"
        names = [name for service in self._services for name in self._names_of(service)]
        # The gateway has its port even where it does not run: its address is the origin of its web pages.
        self._service_ports = {name: ports.take(name) for name in (GATEWAY, *names)}

    def _names_of(self, service: str) -> list[str]:
        return service_names(service, self._processes.get(service, 1))

    async def _start_servers(self, ports: Ports) -> None:
        self._servers = servers = await prepare_servers(
            self.directory,
            ports,
            self.passwords,
            self._outside,
            postgres_settings=self._postgres_settings,
            web_origin=self.gateway_url,
        )
        self.supervisor.launch(*servers.first)
        await _together(self._until_ready(program) for program in servers.first)
        self.supervisor.launch(*servers.then)
        others = (program for program in servers.then if program.name != POSTGRES)
        await _together([self._start_database(), *(self._until_ready(program) for program in others)])

    async def _start_database(self) -> None:
        """Prepare it while the broker is still starting."""
        for program in self._servers.then:
            if program.name == POSTGRES:
                await self._until_ready(program)
        if self._services:
            await self.prepare_database()

    async def _start_services(self) -> None:
        around = self._surroundings()
        programs = [
            service_program(service, name, self._service_ports[name], around, self._launchers.get(service))
            for service in self._services
            for name in self._names_of(service)
        ]
        self.supervisor.launch(*programs)
        await _together(self._until_ready(program) for program in programs)

    async def _until_ready(self, program: Program) -> None:
        seconds = await self.supervisor.ready(program.name)
        self._report(Ready(program.name, program.address, seconds))

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            database_url=self.database_url,
            rabbitmq_url=self.rabbitmq_url,
            object_store=self.object_store,
            secret_key=self._secret_key or self.passwords.secret_key,
            scratch=self.directory / "scratch",
            inherited=self._inherited,
            extra=self._extra,
            sample_site=self._sample_site,
        )

    async def _open_control(self) -> None:
        self._control = Control(self._actions(), self.passwords.control)
        await self._control.open(self._control_port)
        self._ready = True
        self._publish()

    def _actions(self) -> dict[str, Action]:
        return {
            "kill": self.supervisor.kill,
            "hold": self.supervisor.hold,
            "start": self.supervisor.start_again,
            "ready": self.supervisor.ready,
            "pause": _awaitable(self.supervisor.pause),
            "resume": _awaitable(self.supervisor.resume),
            "erase_broker": lambda _name: self.erase_broker(),
            "token": lambda _name: self.token(),
        }

    def _publish(self) -> None:
        """Tell other processes how the stack is now."""
        parts = {
            child.program.name: PartState(
                process=child.identity(),
                address=child.program.address,
                log=child.log,
                crashes=child.crashes,
                held=child.held,
            )
            for child in self.supervisor
        }
        state = StackState(
            supervisor=own_identity(),
            ready=self._ready,
            urls=self._urls(),
            control_port=self._control_port,
            control_secret=self.passwords.control,
            parts=parts,
        )
        write_state(self.directory, state)

    def _urls(self) -> dict[str, str]:
        return {
            "database_admin": self.database_admin_url,
            "rabbitmq": self.rabbitmq_url,
            "object_store": self.object_store.endpoint_url,
            "gateway": self.gateway_url,
            "sample_site": f"http://{self._sample_site}",
        }


async def _together(waits: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait for all at once; the first failure ends the others and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for wait in waits:
                group.create_task(wait)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


def _awaitable(action: Callable[[str], None]) -> Action:
    async def acted(name: str) -> None:
        action(name)

    return acted

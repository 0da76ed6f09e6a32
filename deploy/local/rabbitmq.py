"""RabbitMQ as a private node: own ports, own data folder, own epmd, the loopback address only."""

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.definitions import CONSUMER_TIMEOUT_MS, USER, VHOST, definitions
from deploy.local.ports import LOOPBACK
from deploy.local.private_files import private_directory, write_private
from deploy.local.program import Program, first_bytes
from deploy.local.rabbitmq_package import Installation, find_or_unpack
from shared.broker import Link

_NODE = "diorama@localhost"
_LOGIN_SECONDS = 5.0
_GREETING = b"AMQP\x00\x00\x09\x01"
_METHOD_FRAME = b"\x01"
"""A broker that answers the greeting of AMQP 0-9-1 with a method frame (Connection.Start) takes connections."""


@dataclass(frozen=True)
class BrokerPorts:
    amqp: int
    distribution: int
    epmd: int


class RabbitMQServer:
    """One RabbitMQ node that starts from generated definitions, with the user and the vhost `diorama`.

    Args:
        directory: holds everything; made when missing.
        ports: on the loopback address.
        password: of the user `diorama`; takes effect at each start.
        cookie: Erlang's shared secret.
        unpack_into: where RabbitMQ is unpacked when the system has none.
        installation: which RabbitMQ to run; default: the system's, or the unpacked one.

    """

    def __init__(
        self,
        directory: Path,
        ports: BrokerPorts,
        password: str,
        cookie: str,
        *,
        unpack_into: Path | None = None,
        installation: Installation | None = None,
    ) -> None:
        self.directory = directory.resolve()
        self.ports = ports
        self._password = password
        self._cookie = cookie
        self._installation = installation
        self._unpack_into = (unpack_into or self.directory / "package").resolve()

    @property
    def url(self) -> str:
        return f"amqp://{USER}:{self._password}@{LOOPBACK}:{self.ports.amqp}/{VHOST}"

    async def prepare(self) -> tuple[Program, Program]:
        """Write the configuration and say how to run epmd, which must be ready first, and the broker.

        Raises CannotRun `rabbitmq_missing`.
        """
        installation = await self._find()
        self._write_configuration(installation)
        return self._epmd(installation), self._broker(installation)

    async def is_ready(self) -> bool:
        answer = await first_bytes(LOOPBACK, self.ports.amqp, _GREETING)
        return answer.startswith(_METHOD_FRAME) and await self._admits_our_user()

    def erase(self) -> None:
        """Lose the disk of a stopped broker: every queue, message, user and policy."""
        shutil.rmtree(self.directory / "mnesia", ignore_errors=True)

    async def _admits_our_user(self) -> bool:
        """Log in: the broker listens a moment before it has applied its definitions."""
        admitted = asyncio.Event()

        async def enter(_connection: object) -> None:
            admitted.set()

        link = asyncio.create_task(Link(self.url, "readiness", enter).run())
        try:
            async with asyncio.timeout(_LOGIN_SECONDS):
                await admitted.wait()
        except TimeoutError:
            return False
        finally:
            link.cancel()
            await asyncio.gather(link, return_exceptions=True)
        return True

    async def _find(self) -> Installation:
        if self._installation is not None:
            return self._installation
        return await asyncio.to_thread(find_or_unpack, self._unpack_into)

    def _write_configuration(self, installation: Installation) -> None:
        private_directory(self.directory)
        home = private_directory(self.directory / "home")
        write_private(home / ".erlang.cookie", self._cookie, mode=0o400)
        write_private(self.directory / "definitions.json", definitions(self._password, installation.version))
        write_private(self.directory / "rabbitmq.conf", self._configuration())
        write_private(self.directory / "plugins", "[].\n")
        write_private(self.directory / "environment", "")

    def _configuration(self) -> str:
        settings = {
            "listeners.tcp.default": f"{LOOPBACK}:{self.ports.amqp}",
            "load_definitions": self.directory / "definitions.json",
            # The stock 50 MB is spent before anyone sees the alarm.
            "disk_free_limit.absolute": "512MB",
            "vm_memory_high_watermark.relative": 0.25,
            # The stock 512 MB of write-ahead log are held in memory.
            "raft.wal_max_size_bytes": 64_000_000,
            "consumer_timeout": CONSUMER_TIMEOUT_MS,
            "log.console": "true",
            "log.console.level": "info",
            "log.file": "false",
        }
        return "".join(f"{name} = {value}\n" for name, value in settings.items())

    def _epmd(self, installation: Installation) -> Program:
        port = str(self.ports.epmd)
        return Program(
            name="epmd",
            command=(str(installation.binaries / "epmd"), "-address", LOOPBACK, "-port", port),
            environment=self._environment(installation),
            address=f"{LOOPBACK}:{port}",
            is_ready=self._epmd_answers,
            directory=self.directory,
        )

    def _broker(self, installation: Installation) -> Program:
        return Program(
            name="rabbitmq",
            command=(str(installation.server),),
            environment=self._environment(installation),
            address=f"{LOOPBACK}:{self.ports.amqp}",
            is_ready=self.is_ready,
            directory=self.directory,
            grace_seconds=30,
        )

    async def _epmd_answers(self) -> bool:
        names_request = b"\x00\x01n"
        return bool(await first_bytes(LOOPBACK, self.ports.epmd, names_request))

    def _environment(self, installation: Installation) -> Mapping[str, str]:
        own = self.directory
        return {
            "PATH": f"{installation.binaries}:/usr/bin:/bin",
            "HOME": str(own / "home"),
            "LC_ALL": "C.UTF-8",
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_EPMD_PORT": str(self.ports.epmd),
            # The start script then becomes the broker instead of waiting beside it, so that signals reach it.
            "RUNNING_UNDER_SYSTEMD": "true",
            "RABBITMQ_NODENAME": _NODE,
            "RABBITMQ_DIST_PORT": str(self.ports.distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": " ".join(
                (
                    *("-kernel", "inet_dist_use_interface", "{127,0,0,1}"),
                    # Erlang's threads would look out for work a while before they sleep, on cores that others need.
                    *("+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none"),
                )
            ),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_MNESIA_BASE": str(own / "mnesia"),
            "RABBITMQ_LOG_BASE": str(own / "log"),
            "RABBITMQ_SCHEMA_DIR": str(own / "schema"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(own / "generated"),
            "RABBITMQ_PID_FILE": str(own / "pid"),
            "RABBITMQ_CONFIG_FILE": str(own / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(own / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(own / "environment"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(own / "plugins"),
        }

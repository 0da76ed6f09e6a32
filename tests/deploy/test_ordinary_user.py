"""The stack also runs for one who may not install anything, and for root where namespaces are forbidden."""

import os
import pwd
import shutil
import site
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from deploy.local import rabbitmq_package, unprivileged
from deploy.local.errors import CannotRun
from deploy.local.postgres import PostgresServer
from deploy.local.rabbitmq import BrokerPorts, RabbitMQServer
from deploy.local.settings import REPOSITORY
from deploy.local.supervisor import Supervisor
from tests.deploy.commands import run
from tests.ports import free_port

NOBODY = pwd.getpwnam("nobody")
STARTS_SERVERS = """
import asyncio, os, pathlib, sys
from deploy.local.stack import Stack

async def main():
    async with Stack(pathlib.Path(sys.argv[1]), services=()) as stack:
        await stack.supervisor.kill("postgres")
        await stack.supervisor.ready("postgres")
        names = sorted(child.program.name for child in stack.supervisor if child.pid)
        print("user", os.geteuid(), *names)

asyncio.run(main())
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder below which every user may have a folder; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="diorama-") as folder:
        path = Path(folder)
        path.chmod(0o711)
        yield path


def as_ordinary_user() -> tuple[tuple[str, ...], str, int]:
    """A command prefix, a Python that works under it, and the user number that it sees."""
    if os.geteuid() != 0:
        return (), sys.executable, os.geteuid()
    dropped = ("setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups", "--")
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        if _works(*dropped, python, "-c", "import deploy.local.stack"):
            return dropped, python, NOBODY.pw_uid
    # A checkout that others cannot reach: the same user number, without rights, inside a namespace.
    mapped = ("unshare", "--user", f"--map-user={NOBODY.pw_uid}", f"--map-group={NOBODY.pw_gid}", "--")
    return mapped, sys.executable, NOBODY.pw_uid


def _works(*command: str) -> bool:
    try:
        return run(*command, environment=_environment(), directory=Path("/")).returncode == 0
    except FileNotFoundError:
        return False


def _environment() -> dict[str, str]:
    path = os.pathsep.join((str(REPOSITORY), *site.getsitepackages()))
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def test_the_servers_run_for_an_ordinary_user(open_folder: Path) -> None:
    prefix, python, user = as_ordinary_user()
    folder = open_folder / "stack"
    folder.mkdir()
    if prefix and prefix[0] == "setpriv":
        os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    command = (*prefix, python, "-c", STARTS_SERVERS, str(folder))
    done = run(*command, environment=_environment(), directory=Path("/"))
    assert done.stdout.split() == ["user", str(user), "epmd", "object_store", "postgres", "rabbitmq"], done.stderr


@pytest.fixture
def without_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    succeeds = unprivileged._succeeds
    monkeypatch.setattr(unprivileged, "_succeeds", lambda *command: command[0] != "unshare" and succeeds(*command))


@pytest.mark.usefixtures("without_namespaces")
@pytest.mark.parametrize(
    ("mode", "granted", "used"),
    [
        (0o711, unprivileged._LET_PASS, "setpriv"),
        (0o700, unprivileged._LET_PASS, "--ambient-caps=+dac_read_search"),
        (0o700, [(), ("dac_override",)], "--ambient-caps=+dac_override"),
    ],
    ids=["checkout open to others", "checkout closed to others", "closed, in a container"],
)
async def test_root_gives_the_folder_away_where_namespaces_are_forbidden(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch, mode: int, granted: Sequence[tuple[str, ...]], used: str
) -> None:
    monkeypatch.setattr(unprivileged, "_LET_PASS", granted)
    home = open_folder / "home"
    home.mkdir(mode=mode)
    server = PostgresServer(home / "postgres", free_port(), "secret")
    supervisor = Supervisor(open_folder / "logs")
    program = await server.prepare()
    assert used in program.wrapper
    supervisor.launch(program)
    try:
        await supervisor.ready("postgres")
    finally:
        await supervisor.stop()


@pytest.mark.usefixtures("without_namespaces")
async def test_root_is_told_what_to_do_where_the_other_user_cannot_enter(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unprivileged, "_LET_PASS", ((),))
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(CannotRun, match="DATABASE_ADMIN_URL") as refusal:
        await PostgresServer(closed / "postgres", 1, "secret").prepare()
    assert refusal.value.code == "root_refused"


async def test_a_rabbitmq_unpacked_elsewhere_runs_from_there(open_folder: Path) -> None:
    root = open_folder / "package"
    for folder in ("usr/lib/rabbitmq", "usr/lib/erlang"):
        shutil.copytree(Path("/") / folder, root / folder, symlinks=True)
    (root / "usr" / "bin").mkdir()
    (root / "usr" / "bin" / "erl").symlink_to("../lib/erlang/bin/erl")
    installation = rabbitmq_package.unpacked(root)
    assert installation is not None
    numbers = BrokerPorts(free_port(), free_port(), free_port())
    server = RabbitMQServer(open_folder / "rabbitmq", numbers, "secret", "cookie", installation=installation)
    supervisor = Supervisor(open_folder / "logs")
    try:
        for program in await server.prepare():
            supervisor.launch(program)
            await supervisor.ready(program.name)
        assert _executable(supervisor.pid("rabbitmq")).is_relative_to(root)
    finally:
        await supervisor.stop()


def _executable(pid: int | None) -> Path:
    return Path(f"/proc/{pid}/exe").readlink()


def test_where_no_package_can_be_had_a_sentence_says_what_to_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rabbitmq_package, "_SYSTEM", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotRun, match="RABBITMQ_URL") as refusal:
        rabbitmq_package.find_or_unpack(tmp_path / "package")
    assert refusal.value.code == "rabbitmq_missing"

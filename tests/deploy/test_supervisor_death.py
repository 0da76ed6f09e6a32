"""A supervisor that is itself killed leaves no orphan, and the next one finds all data."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local import state
from deploy.local.processes import Identity, identity
from deploy.local.servers import Outside
from deploy.local.settings import REPOSITORY
from deploy.local.stack import Stack
from deploy.local.state import StackState, running
from tests.deploy.clients import database
from tests.deploy.waiting import until


@contextmanager
def command_line_stack(folder: Path, **variables: str) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {**os.environ, "DIORAMA_STATE": str(folder), "STACK": "mortal", **variables}
    with subprocess.Popen(
        (sys.executable, "-m", "deploy.local", "up", "--servers-only"),
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


ELSEWHERE = "amqp://elsewhere"
"""The broker takes the longest to start, and is not what these tests are about."""


def is_ready(directory: Path) -> bool:
    found = running(directory)
    return found is not None and found.ready


def processes_of(directory: Path) -> list[Identity]:
    found = StackState.model_validate(json.loads((directory / "stack.json").read_text()))
    return [part.process for part in found.parts.values() if part.process]


async def test_nothing_outlives_a_killed_supervisor_and_the_next_one_has_all_data(tmp_path: Path) -> None:
    directory = tmp_path / "mortal"
    with command_line_stack(tmp_path) as supervisor:
        await until(lambda: is_ready(directory), seconds=60)
        found = running(directory)
        assert found is not None
        async with database(found.urls["database_admin"]) as connection:
            await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        children = processes_of(directory)
        assert len(children) == 4
        supervisor.kill()
        await until(lambda: not any(child.lives() for child in children))
    async with Stack(directory, services=()) as stack, database(stack.database_admin_url) as connection:
        assert await connection.fetchval("SELECT answer FROM kept") == 42
        assert stack.database_admin_url == found.urls["database_admin"]


async def test_a_frozen_child_of_a_killed_supervisor_is_cleared_by_the_next(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    directory = tmp_path / "mortal"
    monkeypatch.setattr(state, "_LEFTOVER_PATIENCE_SECONDS", 0.5)
    with command_line_stack(tmp_path, RABBITMQ_URL=ELSEWHERE) as supervisor:
        await until(lambda: is_ready(directory), seconds=60)
        children = processes_of(directory)
        frozen = children[-1]
        os.kill(frozen.pid, signal.SIGSTOP)
        supervisor.kill()
        await until(lambda: [child for child in children if child.lives()] == [frozen])
    async with Stack(directory, services=(), outside=Outside(rabbitmq_url=ELSEWHERE)):
        assert not frozen.lives()


async def test_a_stack_asked_to_end_drains_and_exits_with_0(tmp_path: Path) -> None:
    directory = tmp_path / "mortal"
    with command_line_stack(tmp_path, RABBITMQ_URL=ELSEWHERE) as supervisor:
        await until(lambda: is_ready(directory), seconds=60)
        children = processes_of(directory)
        supervisor.send_signal(signal.SIGINT)
        await until(lambda: supervisor.poll() is not None, seconds=30)
        assert supervisor.returncode == 0
    assert not any(child.lives() for child in children)
    assert not (directory / "stack.json").exists()


SUPERVISES = """
import asyncio, pathlib, sys
from deploy.local import child
from deploy.local.program import Program
from deploy.local.supervisor import Supervisor

async def at_once():
    return True

async def main():
    if sys.argv[2] == "off":
        child.mortal = lambda number: ()
    command = (sys.executable, "-c", "import time; time.sleep(600)")
    program = Program(name="sleeper", command=command, environment={}, address="nowhere", is_ready=at_once)
    supervisor = Supervisor(pathlib.Path(sys.argv[1]))
    supervisor.launch(program)
    await supervisor.ready("sleeper")
    print(supervisor.pid("sleeper"), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def child_of_a_killed_supervisor(folder: Path, guard: str) -> Identity:
    command = (sys.executable, "-c", SUPERVISES, str(folder / "logs"), guard)
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE) as supervisor:  # noqa: S603 - our own script
        assert supervisor.stdout is not None
        sleeper = identity(int(supervisor.stdout.readline()))
        supervisor.kill()
    assert sleeper is not None
    return sleeper


async def test_the_kernel_ends_the_child_of_a_killed_supervisor(tmp_path: Path) -> None:
    sleeper = child_of_a_killed_supervisor(tmp_path, "on")
    await until(lambda: not sleeper.lives())


async def test_without_the_kernels_word_the_child_would_live_on(tmp_path: Path) -> None:
    sleeper = child_of_a_killed_supervisor(tmp_path, "off")
    assert sleeper.lives()
    os.kill(sleeper.pid, signal.SIGKILL)
    await until(lambda: not sleeper.lives())


async def test_a_start_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "interrupted", services=())
    start = asyncio.create_task(stack.start())
    await until(lambda: len([child for child in stack.supervisor if child.pid]) == 4)
    children = [found for child in stack.supervisor if (found := child.identity())]
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert not any(child.lives() for child in children)
    assert not (stack.directory / "stack.json").exists()

"""The supervisor with small programs: it brings back, gives up, ends in order, and leaves nothing behind."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from signal import SIGTERM

import pytest

from deploy.local.errors import CannotRun
from deploy.local.processes import identity
from deploy.local.program import Program
from deploy.local.supervisor import Supervisor
from tests.deploy.waiting import until

Runs = Callable[..., Program]

SLEEPS = "import time; print('ready', flush=True); time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"
ENDS_AND_TELLS = """
import pathlib, signal, sys, time
def end(*_):
    with pathlib.Path('order').open('a') as order:
        order.write(sys.argv[1] + ' ')
    sys.exit()
signal.signal(signal.SIGTERM, end)
print('ready', flush=True)
time.sleep(600)
"""
HAS_A_CHILD = f"""
import pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
pathlib.Path('child').write_text(str(child.pid))
{SLEEPS}
"""


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "logs")
    yield supervisor
    supervisor.hurry()
    await supervisor.stop()


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    def program(name: str, code: str, *, grace_seconds: float = 10) -> Program:
        log = tmp_path / "logs" / f"{name}.log"

        async def has_said_ready() -> bool:
            return log.exists() and "ready" in log.read_text()

        return Program(
            name=name,
            command=(sys.executable, "-c", code, name),
            environment={},
            address="nowhere",
            is_ready=has_said_ready,
            directory=tmp_path,
            stop_signal=SIGTERM,
            grace_seconds=grace_seconds,
        )

    return program


async def test_a_crashed_program_comes_back_as_another_process(supervisor: Supervisor, runs: Runs) -> None:
    supervisor.launch(runs("sleeper", SLEEPS))
    await supervisor.ready("sleeper")
    before = supervisor.pid("sleeper")
    await supervisor.kill("sleeper")
    await until(lambda: supervisor.pid("sleeper") not in {before, None})
    assert supervisor.child("sleeper").crashes == 1


async def test_a_program_that_keeps_crashing_is_reported_with_the_end_of_its_log(
    supervisor: Supervisor,
    runs: Runs,
) -> None:
    supervisor.launch(runs("broken", "raise SystemExit('the configuration names no port')"))
    with pytest.raises(CannotRun, match=r"broken crashed 3 times(.|\n)*the configuration names no port") as refusal:
        await supervisor.ready("broken")
    assert refusal.value.code == "part_not_ready"


async def test_a_program_that_cannot_be_found_is_reported_by_name(supervisor: Supervisor, runs: Runs) -> None:
    program = runs("absent", SLEEPS)
    supervisor.launch(Program(**{**vars(program), "command": ("/nowhere/absent",)}))
    with pytest.raises(CannotRun, match="/nowhere/absent"):
        await supervisor.ready("absent")


async def test_a_program_that_never_answers_is_reported_at_the_timeout(supervisor: Supervisor, runs: Runs) -> None:
    supervisor.launch(runs("silent", "import time; time.sleep(600)"))
    with pytest.raises(CannotRun, match=r"silent did not answer"):
        await supervisor.ready("silent", timeout_seconds=0.3)


async def test_waves_end_in_reverse_order(supervisor: Supervisor, runs: Runs, tmp_path: Path) -> None:
    for name in ("database", "broker", "service"):
        supervisor.launch(runs(name, ENDS_AND_TELLS))
        await supervisor.ready(name)
    await supervisor.stop()
    assert (tmp_path / "order").read_text().split() == ["service", "broker", "database"]


async def test_a_program_that_does_not_listen_is_killed_after_its_grace(supervisor: Supervisor, runs: Runs) -> None:
    supervisor.launch(runs("deaf", DEAF, grace_seconds=0.3))
    await supervisor.ready("deaf")
    pid = supervisor.pid("deaf")
    assert pid is not None
    await supervisor.stop()
    assert identity(pid) is None


async def test_what_a_killed_program_had_started_dies_with_it(
    supervisor: Supervisor,
    runs: Runs,
    tmp_path: Path,
) -> None:
    supervisor.launch(runs("parent", HAS_A_CHILD))
    await supervisor.ready("parent")
    child = int((tmp_path / "child").read_text())
    assert identity(child)
    await supervisor.kill("parent")
    await until(lambda: identity(child) is None)


async def test_a_held_program_is_not_brought_back(supervisor: Supervisor, runs: Runs) -> None:
    supervisor.launch(runs("held", SLEEPS), runs("other", SLEEPS))
    await asyncio.gather(supervisor.ready("held"), supervisor.ready("other"))
    await supervisor.hold("held")
    await supervisor.kill("other")
    await until(lambda: supervisor.pid("other"))  # whoever was not held has had its time to come back
    assert supervisor.pid("held") is None
    await supervisor.start_again("held")
    assert supervisor.pid("held")


async def test_one_who_asks_for_an_unknown_part_is_told_which_there_are(supervisor: Supervisor, runs: Runs) -> None:
    supervisor.launch(runs("sleeper", SLEEPS))
    with pytest.raises(CannotRun, match="there is sleeper"):
        await supervisor.kill("dreamer")

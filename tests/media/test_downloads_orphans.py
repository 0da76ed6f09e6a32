"""Nothing that was started while a video was taken outlives the taking, whatever it does to be forgotten."""

import asyncio
import os
import signal
import sys
from asyncio import Future, Task
from pathlib import Path

import pytest

from services.media.downloads import Platforms, platforms, take
from shared import process_groups
from shared.addresses import Policy
from shared.errors import Refused
from shared.fetch import Proxy
from tests.media.test_downloads_platforms import lives, programs, seconds_to_end, until

ROOT = Path(__file__).parents[2]
SETTINGS = Platforms(extractors=("generic",), deadline_seconds=30, max_bytes=1_000_000)
FLEES = """
import os, time
import services.media.downloads.extracting as e
import shared.guarding as g
def fetch(order):
    here, there = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            e._say({'progress': [int(os.readlink('/proc/self')), None]})
            os.write(there, b'x')
            time.sleep(600)
        os._exit(0)
    os.wait()
    os.read(here, 1)
    END
e.fetch = fetch
e.resource.setrlimit = lambda *_: None  # by which only root could start anything in there
"""
ENDS = {"stays": "time.sleep(600)", "is done": "return", "is killed": "os.kill(os.getpid(), 9)"}
# Who may not read where Python lies, as root's own, cannot be confined to it.
AS_NOBODY = "os.setgroups([]); os.setgid(65534); os.setuid(65534); e._confine = lambda _: None\n"
TOGETHER = "g._is_parted = lambda: False\n"
UNGUARDED = TOGETHER + "g._adopt_orphans = lambda: None\n"


async def fled(folder: Path, monkeypatch: pytest.MonkeyPatch, end: str, more: str = "") -> tuple[Task[None], int]:
    """Have a program take a video that starts another one, which leaves its group and its parent; give that one."""
    program = f"{FLEES.replace('END', ENDS[end])}{more}main()"
    monkeypatch.setattr(platforms, "_PROGRAM", platforms._PROGRAM.replace("main()", program))
    heard: Future[int] = asyncio.get_running_loop().create_future()

    async def take_it() -> None:
        url, hear = "http://example.com/", lambda pid, _: heard.done() or heard.set_result(pid)
        async with take(SETTINGS, url, folder, proxy=way_out, progress=hear):
            raise AssertionError("there is no video")

    task = asyncio.create_task(take_it())
    async with asyncio.timeout(20):
        return task, await heard


def way_out(max_bytes: int) -> Proxy:
    return Proxy(Policy(), max_bytes=max_bytes)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    "more",
    [
        pytest.param("", id="as we are"),
        pytest.param(TOGETHER, id="without a namespace"),
        pytest.param(
            AS_NOBODY,
            id="as nobody",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user"),
        ),
    ],
)
async def test_who_left_the_group_and_lost_its_parent_ends_with_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, more: str
) -> None:
    task, pid = await fled(tmp_path, monkeypatch, end, more)
    if end == "stays":
        assert lives(pid)
        assert await seconds_to_end(task) < 3
    else:
        with pytest.raises(Refused, match="platform_failed"):
            await asyncio.wait_for(task, 20)
    assert not lives(pid)


async def test_without_a_guard_that_adopts_orphans_it_lives_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control; nor does anybody look for its mark."""
    monkeypatch.setattr(process_groups, "_end_marked", lambda _: None)
    task, pid = await fled(tmp_path, monkeypatch, "stays", UNGUARDED)
    await seconds_to_end(task)
    assert lives(pid)
    os.kill(pid, signal.SIGKILL)


async def test_where_the_guard_itself_is_killed_the_kernel_ends_what_it_has_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import shared.guarding as g, sys; sys.exit(not g._is_parted())", cwd=ROOT
    )
    if await probe.wait():
        pytest.skip("processes may have no namespaces here")
    task, pid = await fled(tmp_path, monkeypatch, "stays")
    (guard,) = programs()
    os.kill(guard, signal.SIGKILL)
    with pytest.raises(Refused, match="platform_failed"):
        await asyncio.wait_for(task, 20)
    await until(lambda: not lives(pid))


async def killed_with_its_guard(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    task, pid = await fled(folder, monkeypatch, "stays", TOGETHER)
    (guard,) = programs()
    os.kill(guard, signal.SIGKILL)
    assert lives(pid)
    await seconds_to_end(task)
    return pid


async def test_where_the_guard_is_killed_and_there_are_no_namespaces_its_orphans_are_found_by_their_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = await killed_with_its_guard(tmp_path, monkeypatch)
    await until(lambda: not lives(pid))


async def test_without_a_look_for_marks_they_live_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    monkeypatch.setattr(process_groups, "_end_marked", lambda _: None)
    pid = await killed_with_its_guard(tmp_path, monkeypatch)
    assert lives(pid)
    os.kill(pid, signal.SIGKILL)

"""What a browser leaves behind where all were killed, and that none is started that nothing would hold."""

import asyncio
import fcntl
import json
import os
import sys
import time
from pathlib import Path

import pytest

from services.scraper.rendering import becoming
from services.scraper.rendering.homes import PREFIX, make_home, remove_home
from shared.errors import TryAgain
from tests.scraper.rendering.windows import open_folder

BECOMES = """
import json, os, sys
from services.scraper.rendering import becoming
order, landlock_version, sandboxes = json.loads(sys.argv[1])
becoming.hide_the_machine = lambda *_, **__: landlock_version
becoming._can_sandbox = lambda: sandboxes
becoming._hand_over_pipes = lambda: None
becoming.become_browser(order, os.getppid())
"""


def left(place: Path, name: str, *, age_seconds: float = 3600) -> Path:
    folder = place / name
    (folder / "profile").mkdir(parents=True)
    then = time.time() - age_seconds
    os.utime(folder, (then, then))
    return folder


def test_a_folder_whose_browser_is_dead_is_removed_and_no_other_one() -> None:
    with open_folder() as place:
        dead, held = left(place, f"{PREFIX}dead"), left(place, f"{PREFIX}held")
        begun, other = left(place, f"{PREFIX}begun", age_seconds=1), left(place, "render-other")
        linked = place / f"{PREFIX}link"
        linked.symlink_to(other)
        holder = os.open(held, os.O_RDONLY)
        fcntl.flock(holder, fcntl.LOCK_EX)
        try:
            home = make_home(place)
        finally:
            os.close(holder)
        assert not dead.exists()
        assert {held, begun, other, linked, home} == set(place.iterdir())
        remove_home(make_home(place))
        assert {begun, other, linked, home} == set(place.iterdir())  # the control: nobody holds the other one any more


def test_a_folder_is_handed_over_when_all_in_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may write it sooner could have us hand over what he has put there a link to."""
    handed: list[Path] = []

    def hand_over(path: Path, _user: int, _group: int, *, follow_symlinks: bool = True) -> None:
        assert not follow_symlinks
        handed.append(path)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", hand_over)
    with open_folder() as place:
        home = make_home(place)
        assert handed.index(home) == len(handed) - 1
        assert set(handed) == {home, *home.rglob("*")}


def test_a_disk_that_cannot_be_written_is_told_as_what_passes(tmp_path: Path) -> None:
    with pytest.raises(TryAgain, match="scratch_unavailable"):
        make_home(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("landlock_version", "sandboxes", "said", "complained"),
    [
        (6, True, "", []),
        (6, False, "--no-sandbox", [becoming.NOT_SANDBOXED]),
        (0, True, "", [becoming.NOT_CONFINED]),
        (3, False, None, [becoming.NOT_CONFINED, becoming.NOT_HELD]),
    ],
)
async def test_a_browser_that_nothing_would_hold_is_not_started(
    landlock_version: int, said: str | None, complained: list[str], *, sandboxes: bool
) -> None:
    order = {"home": "/nonexistent", "proxy_port": 1, "arguments": ["/bin/echo"]}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", BECOMES, json.dumps([order, landlock_version, sandboxes])),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    out, errors = await process.communicate()
    assert errors.decode().splitlines() == complained
    assert out.decode() == ("" if said is None else f"{said}\n")
    assert process.returncode == (1 if said is None else 0)

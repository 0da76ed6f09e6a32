"""Scratch folders are gone with their processes, however these end."""

import subprocess
import sys
from pathlib import Path

from shared.scratch import scratch_folder

_HOLDS_ONE = """
import sys
from pathlib import Path
from shared.scratch import scratch_folder

with scratch_folder("media", Path(sys.argv[1])) as folder:
    (folder / "half.download").write_bytes(b"half")
    print(folder, flush=True)
    sys.stdin.read()
"""


def holder(place: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(  # noqa: S603 - a program of ours
        [sys.executable, "-c", _HOLDS_ONE, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def test_what_a_killed_process_leaves_is_removed_by_the_next_and_nothing_else_is(tmp_path: Path) -> None:
    living, kept = holder(tmp_path)
    killed, left = holder(tmp_path)
    others = tmp_path / "other-service"
    others.mkdir()
    (tmp_path / f"{left.name}-link").symlink_to(others)
    try:
        killed.kill()
        killed.communicate()
        assert (left / "half.download").exists(), "nobody else clears up after a SIGKILL"
        with scratch_folder("media", tmp_path) as folder:
            assert not left.exists()
            assert (kept / "half.download").exists()
            assert others.exists()
            assert list(folder.iterdir()) == []
        assert not folder.exists()
    finally:
        living.communicate("", timeout=30)
    assert not kept.exists()

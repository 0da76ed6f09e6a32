"""Replicas that share an accelerator use it one at a time, in turn, and nobody keeps it who has died."""

import asyncio
import errno
import fcntl
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.depth_map.inference import Inference
from services.depth_map.turns import Turns
from shared.errors import Refused
from tests.depth_map.tiny_models import brightness_model, described


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(brightness_model())
    path.chmod(0o444)
    return path


class Accelerator:
    """Remembers who used it, and notices two at once."""

    def __init__(self) -> None:
        self.used: list[str] = []
        self._busy = False

    async def use(self, who: str) -> None:
        assert not self._busy, "two at once"
        self._busy = True
        await asyncio.sleep(0.005)
        self.used.append(who)
        self._busy = False


async def test_two_replicas_never_use_it_at_once_and_none_is_starved(weights: Path) -> None:
    accelerator = Accelerator()

    async def replica(name: str) -> None:
        turns = Turns(weights)
        for _ in range(8):
            async with turns.mine():
                await accelerator.use(name)

    await asyncio.gather(replica("a"), replica("b"), replica("c"))

    assert sorted(accelerator.used) == ["a"] * 8 + ["b"] * 8 + ["c"] * 8
    # Who never stops asking would otherwise have its eight turns before anybody else has one.
    assert len(set(accelerator.used[:6])) > 1
    assert all(left != right for left, right in zip(accelerator.used[:12], accelerator.used[1:12], strict=False))


async def test_without_turns_two_at_once_are_noticed() -> None:
    accelerator = Accelerator()
    with pytest.raises(AssertionError, match="two at once"):
        await asyncio.gather(accelerator.use("a"), accelerator.use("b"))


async def test_a_model_is_only_run_in_its_turn(weights: Path) -> None:
    accelerator = Accelerator()

    class Model:
        async def run(self, _: Any, payload: bytes, **__: Any) -> Any:
            await accelerator.use("one")
            return {"shape": [2, 2]}, [payload[: 4 * 4]]

    model: Any = Model()
    (folder := weights.parent / "described").mkdir()
    replicas = [Inference(model, described(folder, brightness_model()), Turns(weights)) for _ in range(3)]
    picture = np.zeros((2, 2, 3), np.float32).tobytes()
    await asyncio.gather(*(each.map_of(picture, (2, 2, 3)) for each in replicas for _ in range(3)))
    assert len(accelerator.used) == 9


async def test_a_replica_that_is_killed_in_its_turn_gives_it_up(weights: Path) -> None:
    program = """
        import asyncio, sys
        from pathlib import Path
        from services.depth_map.turns import Turns

        async def main():
            async with Turns(Path(sys.argv[1])).mine():
                print("mine", flush=True)
                await asyncio.sleep(600)

        asyncio.run(main())
    """
    lines = "\n".join(line[8:] for line in program.splitlines())
    dying = await asyncio.create_subprocess_exec(
        sys.executable, "-c", lines, str(weights), stdout=asyncio.subprocess.PIPE
    )
    assert dying.stdout is not None
    try:
        assert await dying.stdout.readline() == b"mine\n"
        waiting = asyncio.create_task(Turns(weights).prove())
        await _somebody_is_next(weights)
        assert not waiting.done()
    finally:
        dying.send_signal(signal.SIGKILL)
        await dying.wait()
    await asyncio.wait_for(waiting, 5)


async def test_who_gives_up_waiting_is_in_nobodys_way(weights: Path) -> None:
    async with Turns(weights).mine():
        waiting = [asyncio.create_task(Turns(weights).prove()) for _ in range(2)]
        await _somebody_is_next(weights)
        waiting[0].cancel()
        await asyncio.gather(waiting[0], return_exceptions=True)
    await asyncio.wait_for(waiting[1], 5)


async def test_a_folder_without_locks_is_told_before_any_work(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unlockable(*_: object) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(fcntl, "flock", unlockable)
    with pytest.raises(Refused, match="accelerator_unshared"):
        await Turns(weights).prove()


async def _somebody_is_next(weights: Path) -> None:
    """Wait until whoever asked first has the lock of those who come next, and so waits for the turn."""
    while _takes_lock(weights):
        await asyncio.sleep(0)


def _takes_lock(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True

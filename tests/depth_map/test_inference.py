"""One process holds the model: pictures that wait are shown to it together, and nobody suffers from a neighbour."""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from services.depth_map.app import options_of
from services.depth_map.drawing import DrawOptions, draw, finish, look
from services.depth_map.estimators import Cues, OnnxEstimator, OnnxModel
from services.depth_map.inference import Inference, infer
from services.depth_map.mapping import DepthMapping
from services.depth_map.rules import EdgeSettings, NormalSettings
from services.depth_map.settings import Settings
from services.depth_map.turns import Turns
from shared.errors import Failure, Refused, TryAgain
from shared.sandbox import Killed, Rehearsal, Sandbox
from tests.depth_map.needed import NEEDED
from tests.depth_map.scenes import file_of, room
from tests.depth_map.stored import Drawer
from tests.depth_map.tiny_models import brightness_model, described

SMALL, WIDE = (2, 2, 3), (2, 4, 3)


def grey(value: float, shape: Sequence[int] = SMALL) -> bytes:
    return np.full(shape, value, np.float32).tobytes()


class Slow:
    """A model in the place of the sandbox: it waits for a word before each batch, and chokes on the value 13."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []
        self.go = asyncio.Semaphore(0)
        self.dies = 0
        self.death: Failure = Refused("decoder_crashed", "It crashed.")

    async def run(self, _: Callable[..., Any], payload: bytes, *, model: Any, shape: list[int]) -> Any:
        assert model["name"] == "brightness"
        pictures = np.frombuffer(payload, np.float32).reshape(-1, *shape)
        self.batches.append([float(one[0, 0, 0]) for one in pictures])
        await self.go.acquire()
        self.dies -= 1
        if self.dies >= 0 or (pictures == 13).any():
            raise self.death
        return {"shape": shape[:2]}, [one.mean(axis=2).tobytes() for one in pictures]


def told(answer: Any) -> float:
    return float(np.frombuffer(answer[1], np.float32)[0])


def slow_inference(folder: Path, batch: int) -> tuple[Slow, Inference]:
    slow: Any = Slow()
    return slow, Inference(slow, described(folder, brightness_model(batch="n"), batch=batch))


async def test_those_of_equal_size_that_wait_go_together_and_each_gets_its_own(tmp_path: Path) -> None:
    slow, inference = slow_inference(tmp_path, batch=3)
    shapes = [SMALL, SMALL, WIDE, SMALL, SMALL, SMALL, WIDE]
    async with inference:
        waiting = [
            asyncio.create_task(inference.map_of(grey(value, shape), shape)) for value, shape in enumerate(shapes)
        ]
        await _until(lambda: len(slow.batches) == 1)
        for _ in shapes:
            slow.go.release()
        answers = await asyncio.gather(*waiting)

    assert [told(answer) for answer in answers] == list(range(7))
    assert [answer[0] for answer in answers] == [shape[:2] for shape in shapes]
    assert [sorted(batch) for batch in slow.batches] == [[0, 1, 3], [2, 6], [4, 5]]


async def test_nobody_waits_for_a_batch_to_fill(tmp_path: Path) -> None:
    slow, inference = slow_inference(tmp_path, batch=8)
    slow.go.release()
    async with inference:
        assert told(await inference.map_of(grey(4), SMALL)) == 4
    assert slow.batches == [[4]]


async def test_who_shares_a_batch_with_a_picture_that_cannot_be_mapped_is_mapped(tmp_path: Path) -> None:
    slow, inference = slow_inference(tmp_path, batch=3)
    for _ in range(4):
        slow.go.release()
    async with inference:
        asked = (inference.map_of(grey(value), SMALL) for value in (1, 13, 2))
        first, choking, last = await asyncio.gather(*asked, return_exceptions=True)
    assert (told(first), told(last)) == (1, 2)
    assert isinstance(choking, Refused)
    assert slow.batches == [[1, 13, 2], [1], [13], [2]]


@pytest.mark.parametrize("death", [Refused("decoder_crashed", "It crashed."), Killed()])
async def test_a_picture_under_which_the_process_died_once_is_shown_again_and_not_for_ever(
    tmp_path: Path, death: Failure
) -> None:
    slow, inference = slow_inference(tmp_path, batch=3)
    slow.death = death
    for _ in range(4):
        slow.go.release()
    slow.dies = 1
    async with inference:
        assert told(await inference.map_of(grey(4), SMALL)) == 4
        with pytest.raises(type(death), match=death.code):
            await inference.map_of(grey(13), SMALL)
    assert slow.batches == [[4], [4], [13], [13]]


async def test_a_picture_whose_process_somebody_kills_is_shown_again_at_once_and_uses_no_attempt(
    tmp_path: Path,
) -> None:
    model = described(tmp_path, brightness_model())
    async with _holder(model) as holder, Inference(holder, model) as inference:
        (child,) = holder._children
        os.kill(child.pid, signal.SIGSTOP)  # so that it cannot answer first
        waiting = asyncio.create_task(inference.map_of(grey(4), SMALL))
        await _until(lambda: child.calls > 0)
        os.kill(child.pid, signal.SIGKILL)
        assert told(await waiting) == 4


async def test_weights_that_are_gone_when_the_process_is_replaced_end_nobodys_job(tmp_path: Path) -> None:
    model = described(tmp_path, brightness_model())
    assert model.path is not None
    async with _holder(model, calls_per_process=1) as holder, Inference(holder, model) as inference:
        assert told(await inference.map_of(grey(4), SMALL)) == 4
        model.path.rename(tmp_path / "moved")
        with pytest.raises(TryAgain, match="model_missing") as failure:
            await inference.map_of(grey(4), SMALL)
        assert failure.value.rate_limited
        (tmp_path / "moved").rename(model.path)
        assert told(await inference.map_of(grey(5), SMALL)) == 5


async def test_who_takes_turns_waits_for_weights_that_are_gone_too(tmp_path: Path) -> None:
    model = described(tmp_path, brightness_model())
    turns = Turns(model.path)
    async with _holder(model, calls_per_process=200) as holder, Inference(holder, model, turns) as inference:
        assert told(await inference.map_of(grey(4), SMALL)) == 4
        model.path.rename(tmp_path / "moved")
        with pytest.raises(TryAgain, match="model_missing") as failure:
            await inference.map_of(grey(4), SMALL)
        assert failure.value.rate_limited
        (tmp_path / "moved").rename(model.path)
        assert told(await inference.map_of(grey(5), SMALL)) == 5


async def test_who_has_gone_away_is_not_shown_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    slow, inference = slow_inference(tmp_path, batch=1)
    async with inference:
        waiting = [asyncio.create_task(inference.map_of(grey(value), SMALL)) for value in (1, 2, 3)]
        await _until(lambda: len(slow.batches) == 1)
        for gone in waiting[:2]:
            gone.cancel()
        await asyncio.gather(*waiting[:2], return_exceptions=True)
        slow.go.release()
        slow.go.release()
        assert told(await waiting[2]) == 3
    assert slow.batches == [[1], [3]]


async def test_who_still_waits_at_the_end_is_let_go(tmp_path: Path) -> None:
    slow, inference = slow_inference(tmp_path, batch=1)
    async with inference:
        waiting = [asyncio.create_task(inference.map_of(grey(value), SMALL)) for value in (1, 2)]
        await _until(lambda: len(slow.batches) == 1)
    done, left = await asyncio.wait(waiting, timeout=5)
    assert left == set()
    assert all(task.cancelled() for task in done)


async def test_bytes_that_are_not_what_was_announced_are_refused(tmp_path: Path) -> None:
    slow, inference = slow_inference(tmp_path, batch=1)
    async with inference:
        with pytest.raises(Refused, match="picture_torn"):
            await inference.map_of(grey(1)[:-1], SMALL)
    assert slow.batches == []


def test_a_model_that_takes_one_picture_is_not_shown_several(tmp_path: Path) -> None:
    for taken in (1, 4):
        with pytest.raises(Refused) as refusal:
            OnnxEstimator(described(tmp_path, brightness_model(batch=taken), batch=4))
        assert refusal.value.code == "model_unfit"
    OnnxEstimator(described(tmp_path, brightness_model(batch="n"), batch=4))


def test_a_batch_gives_what_each_would_have_got_alone(tmp_path: Path) -> None:
    model = described(tmp_path, brightness_model(batch="n"), batch=4).model_dump(mode="json")
    pictures = [np.random.default_rng(seed).random((8, 6, 3), np.float32).tobytes() for seed in range(3)]

    told_together, together = infer(b"".join(pictures), {"model": model, "shape": [8, 6, 3]})

    assert told_together == {"shape": [8, 6]}
    assert together == [infer(one, {"model": model, "shape": [8, 6, 3]})[1][0] for one in pictures]


@pytest.mark.parametrize("resampling", ["area", "bicubic"])
@pytest.mark.parametrize(
    ("size", "changes"),
    [
        ((320, 240), {}),
        ((320, 240), {"flip_check": True, "normals": {"field_of_view_degrees": 50}}),
        ((1800, 300), {"edges": {"high_threshold": 150}, "flip_check": True}),
    ],
)
async def test_maps_are_the_same_whether_one_process_draws_or_two_ask_a_third(
    tmp_path: Path, size: tuple[int, int], changes: dict[str, Any], resampling: str
) -> None:
    model = described(tmp_path, brightness_model(), resampling=resampling)
    options = DrawOptions.model_validate({"estimator": model, **changes})
    picture = file_of(room(*size), "JPEG")
    store: Any = Drawer(picture)
    pool: Any = None
    async with _mappers() as mappers, _holder(model) as holder, Inference(holder, model) as inference:
        depth = DepthMapping(pool, store, mappers, options, inference)
        drawn = await depth.draw(UUID(int=3), "original", report=lambda *_: None)

    facts, files = draw(picture, options.model_dump(mode="json"))
    assert drawn.facts == facts
    assert set(files) == {body for key, body in store.kept.items() if key != "original"}


@pytest.mark.parametrize("lie", [{}, {"sha256": "\0"}, {"width_px": 0}, {"height_px": 10**12}])
async def test_what_is_told_of_a_picture_by_who_read_it_is_looked_at_before_it_is_written_down(
    tmp_path: Path, lie: dict[str, Any]
) -> None:
    """With its control: an honest one is drawn."""
    options = DrawOptions(estimator=described(tmp_path, brightness_model())).model_dump(mode="json")
    told, (_, _, near) = look(file_of(room(320, 240)), options)
    said = np.ones((32, 32), np.float32).tobytes() + near
    async with _mappers() as mappers:
        asked = mappers.run(finish, said, drawn=options, shape=[32, 32], source=told["source"] | lie)
        with pytest.raises(Refused, match="decoder_failed") if lie else nullcontext():
            await asked


def _mappers() -> Sandbox:
    return Sandbox(processes=1, memory_bytes=512 * 1024**2, seconds=60, preload=["services.depth_map.drawing"])


def _holder(model: OnnxModel, **more: Any) -> Sandbox:
    assert model.path is not None
    nothing = np.zeros(SMALL, model.numbers).tobytes()
    first = Rehearsal(infer, nothing, {"model": model.model_dump(mode="json"), "shape": list(SMALL)})
    return Sandbox(
        processes=1,
        memory_bytes=256 * 1024**2,
        seconds=60,
        preload=["services.depth_map.inference"],
        readable=(model.path,),
        rehearsal=first,
        **more,
    )


async def test_weights_that_are_wrong_are_told_before_anything_is_asked(tmp_path: Path) -> None:
    model = described(tmp_path, brightness_model())
    assert model.path is not None
    model.path.write_bytes(brightness_model(then="Neg"))
    with pytest.raises(Refused, match="model_altered"):
        async with _holder(model):
            pytest.fail("it must not open")


def test_the_environment_says_how_maps_are_drawn() -> None:
    plain = Settings(**NEEDED)
    changed = Settings(
        **NEEDED, depth_edges={"high_threshold": 300}, depth_normals=True, depth_field_of_view_degrees=40
    )

    assert options_of(plain, Cues()) == DrawOptions(estimator=Cues())
    assert options_of(changed, Cues()) == DrawOptions(
        estimator=Cues(), edges=EdgeSettings(high_threshold=300), normals=NormalSettings(field_of_view_degrees=40)
    )
    with pytest.raises(SystemExit, match=r"DEPTH_EDGES: .*low_threshold"):
        options_of(Settings(**NEEDED, depth_edges={"low_threshold": 900}), Cues())


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)

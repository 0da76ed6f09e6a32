"""Threads follow what a container may use, and not what the machine has."""

import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import pytest

from services.depth_map import app
from services.depth_map.drawing import SPECIMEN, DrawOptions, look
from services.depth_map.estimators import OnnxModel
from services.depth_map.processors import usable_processors
from services.depth_map.settings import Settings
from tests.depth_map.needed import NEEDED
from tests.depth_map.tiny_models import brightness_model, described

HERE = len(os.sched_getaffinity(0))


def counted(root: Path, membership: str, files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    (root / "membership").write_text(membership)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return usable_processors(root / "membership", root)


@pytest.mark.parametrize(
    ("membership", "files", "processors"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "20000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 64),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "800000 100000"}, 3),
        ("0::/elsewhere\n", {"cpu.max": "400000 100000"}, 4),
        ("3:cpu,cpuacct:/x\n1:memory:/x\n", {"cpu/cpu.cfs_quota_us": "500000", "cpu/cpu.cfs_period_us": "100000"}, 5),
        ("3:cpu,cpuacct:/x\n", {"cpu/x/cpu.cfs_quota_us": "-1\n", "cpu/x/cpu.cfs_period_us": "100000\n"}, 64),
        ("", {}, 64),
    ],
)
def test_the_quota_of_the_narrowest_cgroup_counts(
    tmp_path: Path, membership: str, files: dict[str, str], processors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert counted(tmp_path, membership, files, monkeypatch) == processors


def test_no_more_are_counted_than_the_scheduler_lets_us_on() -> None:
    assert 1 <= usable_processors() <= HERE


@pytest.mark.parametrize("processors", [1, 64, 65, 384])
async def test_a_model_is_drawn_with_however_many_processors_there_are(
    tmp_path: Path, processors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "usable_processors", lambda: processors)
    description = tmp_path / "model.json"
    description.write_text(described(tmp_path, brightness_model()).model_dump_json())
    objects: Any = None

    model = await app._estimator(Settings(**NEEDED, depth_estimator=str(description)), objects)
    assert isinstance(model, OnnxModel)
    assert model.threads == min(processors, 64)
    told, _ = look(SPECIMEN, DrawOptions(estimator=model).model_dump(mode="json"))
    assert told["shape"] == [32, 32, 3]


async def test_a_model_that_stands_still_is_given_up_as_soon_with_many_threads_as_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}

    class Noting:
        def __init__(self, **limits: Any) -> None:
            told.update(limits)

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(app, "Sandbox", Noting)
    model = described(tmp_path, brightness_model(batch="n"), threads=16, batch=2)
    async with AsyncExitStack() as stack:
        await app._inference(Settings(**NEEDED, mapper_seconds=7), model, stack)
    assert (told["seconds"], told["threads"]) == (2 * 7, 16), "each of a batch has the time of one"

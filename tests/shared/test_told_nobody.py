"""What runs models tells its maker nothing: not from where, not how often, not that it is there."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.sandbox import Sandbox
from shared.sandbox.process import _TOLD_NOBODY
from tests.house.sources import HOUSE
from tests.shared import hostile_functions as hostile

RUNS_A_MODEL = """
import numpy as np
import onnxruntime
from tests.depth_map.tiny_models import brightness_model
session = onnxruntime.InferenceSession(brightness_model())
[given] = session.get_inputs()
session.run(None, {given.name: np.zeros((1, 3, 28, 28), np.float32)})
"""


def left_behind(home: Path, told: dict[str, str]) -> Iterator[Path]:
    """Run a model as nobody's process of CI, and give what it has left at home to know itself by."""
    environment = {"HOME": str(home), "PATH": "", **told}
    subprocess.run([sys.executable, "-c", RUNS_A_MODEL], cwd=HOUSE, env=environment, check=True)  # noqa: S603
    return (file for file in home.rglob("*") if file.is_file())


@pytest.mark.parametrize("how", [{}, {"large_pages": True}, {"confined": False}], ids=str)
async def test_every_process_that_may_run_a_model_is_told_to_tell_nobody(how: dict[str, bool]) -> None:
    async with Sandbox(processes=1, memory_bytes=2**28, seconds=60, **how) as sandbox:
        found, _ = await sandbox.run(hostile.surroundings, b"")
    assert found["environment"].items() >= _TOLD_NOBODY.items()


def test_a_runtime_that_was_told_so_keeps_no_name_of_the_machine(tmp_path: Path) -> None:
    assert list(left_behind(tmp_path, _TOLD_NOBODY)) == []


def test_a_runtime_that_was_told_nothing_makes_itself_one(tmp_path: Path) -> None:
    assert list(left_behind(tmp_path, {})) != []


@pytest.mark.parametrize("service", ["media", "depth_map"])
def test_a_service_itself_does_not_load_the_runtime(service: str) -> None:
    program = f"import sys, services.{service}.app; print('onnxruntime' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], cwd=HOUSE, check=True, capture_output=True, text=True)  # noqa: S603
    assert told.stdout.strip() == "False"

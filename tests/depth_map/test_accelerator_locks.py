"""A lock of its own for each accelerator: another build of ONNX Runtime, and beside that the same packages."""

import re
from pathlib import Path

import pytest

SERVICE = Path(__file__).parents[2] / "services" / "depth_map"
BUILDS = {"cuda": "onnxruntime-gpu", "openvino": "onnxruntime-openvino"}


def pinned(lock: Path) -> set[str]:
    return set(re.findall(r"^([a-z0-9][\w.-]*==[^ ]+)", lock.read_text(), re.MULTILINE))


def builds(pins: set[str]) -> list[str]:
    return [name for name in (pin.partition("==")[0] for pin in pins) if name.startswith("onnxruntime")]


@pytest.mark.parametrize("accelerator", BUILDS)
def test_each_lock_holds_one_build_of_the_runtime_and_all_else_that_the_service_needs(accelerator: str) -> None:
    plain = pinned(SERVICE / "requirements.lock")
    ours = pinned(SERVICE / "accelerators" / accelerator / "requirements.lock")

    assert builds(plain) == ["onnxruntime"]
    assert builds(ours) == [BUILDS[accelerator]], "two builds would overwrite each other's files"
    assert {pin for pin in plain if not pin.startswith("onnxruntime==")} <= ours

"""The same request is the same picture: in this process, in another one, and whatever was drawn in between."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from services.image_generation.providers.provider import GenerationRequest
from services.image_generation.providers.sketch import SOFTWARE, STYLES, draw, render
from shared.sandbox import Sandbox

HOUSE = Path(__file__).parents[2]
REQUEST = GenerationRequest(
    description="two boats on a lake, birds, a red house", style="oil", width_px=160, height_px=96, seed=11
)
_PROGRAM = """
import hashlib, sys
from services.image_generation.providers.sketch import render
_, (body,) = render(sys.stdin.buffer.read(), {})
print(hashlib.sha256(body).hexdigest())
"""


def png(description: str = "a castle by the sea", *, seed: int = 5, style: str = "") -> bytes:
    return draw(description, width_px=160, height_px=96, seed=seed, style=style).png()


@pytest.mark.parametrize("style", STYLES)
def test_equal_requests_give_equal_bytes_whatever_was_drawn_in_between(style: str) -> None:
    first = png(style=style)
    png("another scene at night", seed=9)

    assert png(style=style) == first
    assert png(style=style, seed=6) != first
    assert png("a castle by the lake", style=style) != first


def test_other_processes_draw_the_same_bytes() -> None:
    def hashed(hash_seed: str) -> str:
        return subprocess.run(  # noqa: S603 - this interpreter and the program above
            [sys.executable, "-c", _PROGRAM],
            input=REQUEST.model_dump_json().encode(),
            cwd=HOUSE,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(HOUSE)},
            capture_output=True,
            check=True,
            timeout=120,
        ).stdout.decode()

    assert hashed("1") == hashed("2")


async def test_a_confined_process_draws_what_this_one_draws() -> None:
    payload = REQUEST.model_dump_json().encode()
    async with Sandbox(processes=1, memory_bytes=1024**3, seconds=60) as sandbox:
        facts, blobs = await sandbox.run(render, payload, sample=1)

    here, bodies = render(payload, {"sample": 1})
    assert blobs == bodies
    assert facts == here
    assert json.loads(json.dumps(facts)) == facts


def test_each_sample_has_a_seed_of_its_own() -> None:
    payload = REQUEST.model_dump_json().encode()
    (first, _), (second, _) = render(payload, {"sample": 0}), render(payload, {"sample": 1})

    assert (first["seed"], second["seed"]) == (11, 12)


def test_the_file_says_that_no_model_made_it() -> None:
    sketch = draw("a lake with a zorp", width_px=96, height_px=64, seed=5)
    with Image.open(io.BytesIO(sketch.png())) as image:
        told = dict(image.text)  # type: ignore[attr-defined]  # only PNG files have it

    assert told["Software"] == SOFTWARE == "Diorama sketch (procedural, not a model)"
    provenance = json.loads(told["Provenance"])
    assert provenance == sketch.provenance
    assert provenance["software"] == SOFTWARE
    assert provenance["drawn"] == ["lake"]
    assert provenance["seed"] == 5


def test_the_file_does_not_tell_the_description() -> None:
    assert b"confidential" not in draw("confidential lake", width_px=96, height_px=64, seed=5).png()


def test_progress_rises_to_the_end() -> None:
    shares: list[float] = []
    draw("a lake", width_px=96, height_px=64, seed=1, progress=shares.append)

    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) >= 4

"""The sketch as a provider: free, on this machine, and resumed after a crash by drawing again."""

import hashlib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from services.image_generation.providers.confined import RunConfined
from services.image_generation.providers.provider import (
    Capabilities,
    Done,
    GeneratedPicture,
    GenerationRequest,
    Submitted,
)
from services.image_generation.providers.sketch.picture import MODEL_NAME, draw
from services.image_generation.providers.sketch.styles import STYLES
from services.image_generation.providers.terms import NAME
from services.image_generation.rules import PICTURE_PIXELS, SEED_LIMIT, Pace

CONTENT_TYPE = "image/png"


class SketchSettings(BaseModel):
    """How large pictures of the sketch are: about `pixels`, whatever their shape."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="sketch", pattern=NAME)
    pixels: int = Field(default=PICTURE_PIXELS, ge=64 * 64, le=4_000_000)


def render(payload: bytes, options: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Draw one sample of a request; made to be run in a child process.

    Args:
        payload: a `GenerationRequest` as JSON.
        options: `sample`, its number from 0; each sample has a seed of its own.

    Returns:
        `seed`, `notes` and `provenance` as JSON values, and one PNG.

    Raises:
        Refused: as `rules.check` does.

    """
    request = GenerationRequest.model_validate_json(payload)
    seed = (request.seed + int(options.get("sample", 0))) % SEED_LIMIT
    sketch = draw(
        request.description,
        width_px=request.width_px,
        height_px=request.height_px,
        seed=seed,
        style=request.style,
        negative_prompt=request.negative_prompt,
    )
    return {"seed": seed, "notes": list(sketch.notes), "provenance": sketch.provenance}, [sketch.png()]


class SketchProvider:
    """Keeps nothing between calls: the request itself travels in `Submitted.resume`."""

    def __init__(self, settings: SketchSettings, run_confined: RunConfined) -> None:
        self.name = settings.name
        self._run_confined = run_confined
        self._capabilities = Capabilities(
            costs_money=False,
            seeds=True,
            negative_prompts=True,
            most_samples=4,
            pace=Pace(start_seconds=0.2, megapixel_seconds=1.6),
            pixels=settings.pixels,
            styles=tuple(STYLES),
        )

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def submit(self, request: GenerationRequest) -> Submitted:
        """Take a request; nothing is drawn yet."""
        told = request.model_dump_json(exclude={"track_id", "hint_url"})
        return Submitted(f"sketch-{hashlib.sha256(told.encode()).hexdigest()[:32]}", {"request": told})

    async def poll(self, submitted: Submitted) -> Done:
        """Draw every sample; raises what `render` and the sandbox raise."""
        told = submitted.resume["request"]
        request = GenerationRequest.model_validate_json(told)
        drawn = [await self._run_confined(render, told.encode(), sample=sample) for sample in range(request.samples)]
        pictures = tuple(
            GeneratedPicture(body, CONTENT_TYPE, request.width_px, request.height_px, facts["seed"])
            for facts, (body,) in drawn
        )
        notes = tuple(dict.fromkeys(note for facts, _ in drawn for note in facts["notes"]))
        return Done(pictures, MODEL_NAME, notes, {"samples": [facts["provenance"] for facts, _ in drawn]})

    async def cancel(self, submitted: Submitted) -> None:
        """Nothing runs outside `poll`; whoever awaits that has only to stop."""

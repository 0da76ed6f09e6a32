"""From a request to a finished picture."""

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from services.image_generation.providers.sketch.canvas import Canvas
from services.image_generation.providers.sketch.composition import Setting, set_stage, settle
from services.image_generation.providers.sketch.interior import paint_interior
from services.image_generation.providers.sketch.landscape import paint_landscape
from services.image_generation.providers.sketch.noise import Grid, stream
from services.image_generation.providers.sketch.reading import Scene, read
from services.image_generation.providers.sketch.space import paint_space
from services.image_generation.providers.sketch.styles import Style, style_of
from services.image_generation.providers.sketch.underwater import paint_underwater
from services.image_generation.rules import check

SOFTWARE: Final = "Diorama sketch (procedural, not a model)"
MODEL_NAME: Final = "sketch (procedural)"
CODE_VERSION: Final = 1
"""Raised whenever the same request would no longer give the same picture."""

Report = Callable[[float], None]


@dataclass(frozen=True)
class Sketch:
    """A picture with what there is to say about it.

    Attributes:
        image: RGB, of exactly the size asked for.
        style: the style it was drawn in.
        scene: what was understood of the description, and what was not.
        notes: sentences for the person who asked.
        provenance: how it was made, as JSON values; enough to make it again.

    """

    image: Image.Image
    style: str
    scene: Scene
    notes: tuple[str, ...]
    provenance: dict[str, Any]

    def png(self) -> bytes:
        """Encode as PNG; its `Software` text says that no model made it."""
        told = PngInfo()
        told.add_text("Software", SOFTWARE)
        told.add_itxt("Provenance", json.dumps(self.provenance, sort_keys=True))
        buffer = io.BytesIO()
        self.image.save(buffer, "PNG", pnginfo=told, compress_level=4)
        return buffer.getvalue()


def draw(
    description: str,
    *,
    width_px: int,
    height_px: int,
    seed: int,
    style: str = "",
    negative_prompt: str = "",
    progress: Report | None = None,
) -> Sketch:
    """Draw a description.

    Equal arguments give equal pixels and equal bytes on one machine. The scene is read as English words and some
    emoji; words that are not known vary the composition.

    Args:
        description: what to show; any text of at most 4,000 characters.
        width_px: at least 64.
        height_px: at least 64.
        seed: varies where things stand, not what they are.
        style: see `styles.STYLES`; an unknown one is drawn in the default style and noted.
        negative_prompt: things that must not appear.
        progress: is told the share that is done, from 0 to 1.

    Raises:
        Refused: as `rules.check` does.

    """
    check(description, style=style, negative_prompt=negative_prompt, seed=seed)
    report = progress or (lambda _: None)
    hand, known = style_of(style)
    scene = read(description, negative_prompt)
    setting = settle(scene, seed)
    canvas = Canvas(-(-width_px // hand.coarseness), -(-height_px // hand.coarseness))
    _paint(canvas, setting, seed, hand.grain, report)
    pixels = hand.hand(np.clip(canvas.pixels, 0, 1), canvas.depth, stream(seed, "style", hand.name))
    image = _finished(pixels, hand, width_px, height_px)
    report(1.0)
    notes = _notes(scene, style, hand, known=known)
    return Sketch(image, hand.name, scene, notes, _provenance(description, setting, hand, seed, image))


def _paint(canvas: Canvas, setting: Setting, seed: int, grain: float, report: Report) -> None:
    """Paint the scene as it is before any style."""
    places = setting.scene.places
    if setting.indoors:
        paint_interior(canvas, setting, seed, grain, report)
    elif "space" in places:
        paint_space(canvas, setting, seed, report)
    elif "underwater" in places:
        paint_underwater(canvas, setting, seed, report)
    else:
        paint_landscape(set_stage(setting, canvas, seed, grain), report)


def _finished(pixels: Grid, hand: Style, width_px: int, height_px: int) -> Image.Image:
    image = Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))
    if hand.coarseness == 1:
        return image
    size = image.width * hand.coarseness, image.height * hand.coarseness
    return image.resize(size, Image.Resampling.NEAREST).crop((0, 0, width_px, height_px))


def _notes(scene: Scene, wish: str, hand: Style, *, known: bool) -> tuple[str, ...]:
    notes = []
    if not known:
        notes.append(f"The sketch does not know the style {wish[:40]!r}; it drew in {hand.name!r}.")
    if not scene.understood:
        notes.append("The sketch knew none of these words; it chose a scene by them.")
    elif scene.unknown:
        notes.append(f"The sketch did not know: {', '.join(scene.unknown[:12])}.")
    return tuple(notes)


def _provenance(description: str, setting: Setting, hand: Style, seed: int, image: Image.Image) -> dict[str, Any]:
    text = description.encode("utf-8", "surrogatepass")
    return {
        "software": SOFTWARE,
        "code_version": CODE_VERSION,
        "seed": seed,
        "style": hand.name,
        "width_px": image.width,
        "height_px": image.height,
        "description_sha256": hashlib.sha256(text).hexdigest(),
        "hour": setting.hour,
        "weather": setting.weather,
        "season": setting.season,
        "drawn": list(setting.scene.understood),
    }

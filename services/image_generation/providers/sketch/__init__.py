"""A local procedural renderer: it draws what it understands of a description, needs no key and no model."""

from services.image_generation.providers.sketch.picture import MODEL_NAME, SOFTWARE, Sketch, draw
from services.image_generation.providers.sketch.provider import SketchProvider, SketchSettings, render
from services.image_generation.providers.sketch.styles import DEFAULT_STYLE, STYLES

__all__ = [
    "DEFAULT_STYLE",
    "MODEL_NAME",
    "SOFTWARE",
    "STYLES",
    "Sketch",
    "SketchProvider",
    "SketchSettings",
    "draw",
    "render",
]

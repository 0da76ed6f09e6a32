"""Smaller copies of pictures: two that every image gets, and others of the allowed sizes on demand."""

from services.media.renditions.drawing import WEBP_QUALITY, Rendition, render, rendition_size
from services.media.renditions.sizes import (
    ALLOWED_SIDES_PX,
    RENDITION_SIDES_PX,
    allowed_side,
    rendition_keys,
)

__all__ = [
    "ALLOWED_SIDES_PX",
    "RENDITION_SIDES_PX",
    "WEBP_QUALITY",
    "Rendition",
    "allowed_side",
    "render",
    "rendition_keys",
    "rendition_size",
]

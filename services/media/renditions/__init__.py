"""Smaller copies of pictures: two that every image gets, and others of the allowed sizes on demand."""

from services.media.renditions.drawing import WEBP_QUALITY, Rendition, render
from services.media.renditions.sizes import RENDITION_SIDES_PX, rendition_keys

__all__ = ["RENDITION_SIDES_PX", "WEBP_QUALITY", "Rendition", "render", "rendition_keys"]

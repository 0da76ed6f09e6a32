"""The sheet that is painted on, and the stencils through which things are put on it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from services.image_generation.providers.sketch.noise import Grid
from services.image_generation.providers.sketch.palette import Colour

Point = tuple[float, float]

HALO_SHARE = 8
"""The glow of lamps is gathered on a sheet so many times smaller than the picture."""


class Canvas:
    """Pixels (H, W, 3), the distance of what was painted (H, W), what things cover (H, W), and their glow."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self.width_px, self.height_px = width_px, height_px
        self.pixels: Grid = np.zeros((height_px, width_px, 3), np.float32)
        self.depth: Grid = np.full((height_px, width_px), np.inf, np.float32)
        self.cover: Grid = np.zeros((height_px, width_px), np.float32)
        self.glow: Grid = np.zeros((height_px, width_px, 3), np.float32)
        self.glows = False

    def stamp(self, art: Grid, left: int, top: int, z: float | None = None, glow: Grid | None = None) -> None:
        """Put art (h, w, 4) on the sheet, hidden by whatever is nearer than `z` metres."""
        top_cut, left_cut = max(0, -top), max(0, -left)
        high = min(art.shape[0], self.height_px - top)
        wide = min(art.shape[1], self.width_px - left)
        if high <= top_cut or wide <= left_cut:
            return
        art = art[top_cut:high, left_cut:wide]
        area = np.s_[top + top_cut : top + high, left + left_cut : left + wide]
        alpha = art[..., 3]
        if z is not None:
            alpha = alpha * (self.depth[area] > z * 0.985)
            self.depth[area] = np.where(alpha > 0.5, z, self.depth[area])  # noqa: PLR2004 - half covered counts
            self.cover[area] = np.maximum(self.cover[area], alpha)
        self.pixels[area] += (art[..., :3] - self.pixels[area]) * alpha[..., None]
        if glow is not None:
            self.shine(glow[top_cut:high, left_cut:wide], alpha, area)

    def shine(self, glow: Grid, alpha: Grid, area: tuple[slice, slice]) -> None:
        """Lay light (h, w, 4) over an area; it is not dimmed by the hour, and it spreads."""
        share = (glow[..., 3] * alpha)[..., None]
        self.pixels[area] += (glow[..., :3] - self.pixels[area]) * share
        self.glow[area] += glow[..., :3] * share
        self.glows = True

    def spread_glow(self, strength: float) -> None:
        """Let what shines light up the air around it."""
        if not self.glows:
            return
        small = (max(1, self.width_px // HALO_SHARE), max(1, self.height_px // HALO_SHARE))
        halo = np.zeros_like(self.pixels)
        for channel in range(3):
            plane = Image.fromarray(self.glow[..., channel]).resize(small, Image.Resampling.BOX)
            near, far = (_blurred(plane, small, times) for times in (2, 8))
            full = Image.fromarray(near * 0.7 + far * 1.0).resize(
                (self.width_px, self.height_px), Image.Resampling.BICUBIC
            )
            halo[..., channel] = np.asarray(full)
        self.pixels += (1 - np.clip(self.pixels, 0, 1)) * np.clip(halo * strength, 0, 1)


def _blurred(plane: Image.Image, size: tuple[int, int], times: int) -> Grid:
    tiny = (max(1, size[0] // times), max(1, size[1] // times))
    small = plane.resize(tiny, Image.Resampling.HAMMING).resize(size, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(small, np.float32), 0, None)


@dataclass(frozen=True)
class Sprite:
    """A thing drawn once and put in many places; `art` shows it in plain light, `glow` what shines at night."""

    art: Image.Image
    glow: Image.Image | None
    width_metres: float
    height_metres: float


class Stencil:
    """Draws shapes in metres, x from the middle, y up from the foot, at `over` times the final sharpness."""

    def __init__(self, width_metres: float, height_metres: float, px_per_metre: float, over: int = 3) -> None:
        self.width_metres, self.height_metres = width_metres, height_metres
        self._scale, self._over = px_per_metre * over, over
        size = (max(over, round(width_metres * self._scale)), max(over, round(height_metres * self._scale)))
        self._art = Image.new("RGBA", size, (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self._art)
        self._glow: Image.Image | None = None
        self._glow_draw: ImageDraw.ImageDraw | None = None

    def polygon(self, points: Sequence[Point], colour: Colour, glow: Colour | None = None) -> None:
        for draw, paint in self._targets(colour, glow):
            draw.polygon([self._at(point) for point in points], fill=paint)

    def box(  # noqa: PLR0917 - four sides in the order in which every drawing library takes them
        self, left: float, bottom: float, right: float, top: float, colour: Colour, glow: Colour | None = None
    ) -> None:
        self.polygon([(left, bottom), (right, bottom), (right, top), (left, top)], colour, glow)

    def ellipse(self, middle: Point, across: float, up: float, colour: Colour, glow: Colour | None = None) -> None:
        """Fill an ellipse with the half axes `across` and `up`."""
        x, y = self._at(middle)
        wide, high = max(0.6, across * self._scale), max(0.6, up * self._scale)
        for draw, paint in self._targets(colour, glow):
            draw.ellipse([x - wide, y - high, x + wide, y + high], fill=paint)

    def line(self, points: Sequence[Point], width: float, colour: Colour, glow: Colour | None = None) -> None:
        pixels = max(1, round(width * self._scale))
        for draw, paint in self._targets(colour, glow):
            draw.line([self._at(point) for point in points], fill=paint, width=pixels, joint="curve")

    def sprite(self) -> Sprite:
        """Take the finished drawing."""
        glow = self._glow.reduce(self._over) if self._glow is not None else None
        return Sprite(self._art.reduce(self._over), glow, self.width_metres, self.height_metres)

    def _at(self, point: Point) -> Point:
        return (point[0] + self.width_metres / 2) * self._scale, (self.height_metres - point[1]) * self._scale

    def _targets(self, colour: Colour, glow: Colour | None) -> list[tuple[ImageDraw.ImageDraw, tuple[int, ...]]]:
        targets: list[tuple[ImageDraw.ImageDraw, tuple[int, ...]]] = [(self._draw, (*_bytes(colour), 255))]
        if glow is not None and self._glow_draw is None:
            self._glow = Image.new("RGBA", self._art.size, (0, 0, 0, 0))
            self._glow_draw = ImageDraw.Draw(self._glow)
        if self._glow_draw is not None:
            # A shape that does not shine hides the light behind it.
            targets.append((self._glow_draw, (*_bytes(glow), 255) if glow is not None else (0, 0, 0, 0)))
        return targets


def _bytes(colour: Colour) -> tuple[int, ...]:
    return tuple(round(255 * min(1.0, max(0.0, part))) for part in colour)


def as_array(image: Image.Image) -> Grid:
    """Colours from 0 to 1 of an image, (h, w, channels)."""
    return np.asarray(image, np.float32) / np.float32(255)

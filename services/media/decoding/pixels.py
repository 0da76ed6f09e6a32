"""Whatever a decoder hands over becomes 8-bit, small, sRGB and upright, without ever copying it whole."""

from collections.abc import Callable
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image, ImageCms

BAND_ROWS: Final = 256
MAX_PROFILE_BYTES: Final = 4 * 1024 * 1024

_SRGB: Final = ImageCms.createProfile("sRGB")
_PROFILE_SPACES: Final = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
_AS_THEY_ARE: Final = frozenset({"L", "RGB", "RGBA", "CMYK", "LAB"})
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def eight_bit(image: Image.Image, *, factor: int) -> Image.Image:
    """Reduce an image `factor` times by averaging; mode L, RGB, RGBA, CMYK or LAB.

    It goes through in bands, so that a picture of 50 megapixels is never in memory twice.
    """
    convert = _conversion(image)
    if factor == 1 and convert is _as_it_is:
        return image
    width, height = image.size
    band_px = max(factor, BAND_ROWS // factor * factor)
    reduced: Image.Image | None = None
    for top in range(0, height, band_px):
        band = convert(image.crop((0, top, width, min(height, top + band_px)))).reduce(factor)
        if reduced is None:
            reduced = Image.new(band.mode, (band.width, -(-height // factor)))
        reduced.paste(band, (0, top // factor))
    if reduced is None:
        raise ValueError("the image has no rows")
    return reduced


def _conversion(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        return _grey_conversion(image)
    if image.has_transparency_data:
        return lambda band: band.convert("RGBA")
    if image.mode in _AS_THEY_ARE:
        return _as_it_is
    return lambda band: band.convert("L" if image.mode == "1" else "RGB")


def _as_it_is(band: Image.Image) -> Image.Image:
    return band


def _grey_conversion(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    black, white = _grey_range(image)

    def convert(band: Image.Image) -> Image.Image:
        levels = (np.asarray(band).astype(np.float64) - black) * (255 / (white - black))
        return Image.fromarray(np.nan_to_num(levels, nan=0.0).clip(0, 255).round().astype(np.uint8))

    return convert


def _grey_range(image: Image.Image) -> tuple[float, float]:
    """Find black and white: 16-bit modes have theirs, wider ones take what they hold."""
    if image.mode.startswith("I;16"):
        return 0.0, 65_535.0
    lowest, highest = (float(extreme) for extreme in image.getextrema())  # type: ignore[arg-type] # one channel: two numbers
    if not np.isfinite([lowest, highest]).all() or (lowest >= 0 and highest <= 1):
        return 0.0, 1.0
    if image.mode == "I" and lowest >= 0 and highest <= 65_535:  # noqa: PLR2004 - 16 bits in a wider mode
        return 0.0, 65_535.0
    return lowest, max(highest, lowest + 1)


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Bring colours into sRGB, by the embedded ICC profile where it fits; RGB, or RGBA if not all is opaque."""
    if image.mode == "RGBA":
        opaque = to_srgb(image.convert("RGB"), profile)
        alpha = image.getchannel("A")
        if alpha.getextrema() != (255, 255):
            opaque.putalpha(alpha)
        return opaque
    source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")) if image.mode == "LAB" else _read(profile)
    if source is not None and image.mode == "L" and _space(source) == "RGB":
        image = image.convert("RGB")
    if source is None or _space(source) != _PROFILE_SPACES.get(image.mode, image.mode.title()):
        return image.convert("RGB")
    return _transformed(image, source)


def _read(profile: bytes | None) -> ImageCms.ImageCmsProfile | None:
    if not profile or len(profile) > MAX_PROFILE_BYTES:
        return None
    try:
        return ImageCms.ImageCmsProfile(BytesIO(profile))
    except (OSError, ImageCms.PyCMSError):
        return None


def _space(profile: ImageCms.ImageCmsProfile) -> str:
    return profile.profile.xcolor_space.strip()


def _transformed(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    try:
        converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    except ImageCms.PyCMSError:
        # A profile that cannot be followed is worth less than none.
        converted = None
    return converted or image.convert("RGB")


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn and mirror as the EXIF orientation (1 to 8) asks."""
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)

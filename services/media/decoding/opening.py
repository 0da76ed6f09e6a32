import struct
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

import pi_heif.options
from pi_heif.as_plugin import HeifImageFile
from PIL import AvifImagePlugin, Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from services.media.decoding.frames import Frames, measure_frames
from services.media.decoding.metadata import Metadata, read_metadata
from services.media.decoding.pixels import eight_bit, to_srgb, upright
from shared.errors import Refused
from shared.image_formats import ImageFormat, image_format
from shared.png_chunks import without_torn_end

MAX_JPEG_PIXEL_PASSES: Final = 2_000_000_000
"""Scans of a progressive JPEG times its pixels: about 2 s of decoding. Cameras write about ten scans."""

MAX_ODD_NETPBM_PIXELS: Final = 1_000_000
"""Pixels of a Netpbm image whose white is neither 255 nor 65,535, which are scaled one by one: about 2 s."""

WORKING_GAP: Final = 1.5
"""The working picture keeps this many times the largest rendition, so that the last resize stays sharp."""

WORKING_PIXELS: Final = 16_000_000
"""Beyond so many it keeps less, never less than the rendition, so that three copies fit into memory."""

# Opened directly: only these decoders ever see a byte, whatever else Pillow knows. The extra pictures
# that cameras append to a JPEG are left alone.
_DECODERS: Final[Mapping[str, Callable[[BytesIO], ImageFile]]] = {
    "jpeg": JpegImageFile,
    "png": PngImageFile,
    "webp": WebPImageFile,
    "gif": GifImageFile,
    "avif": AvifImageFile,
    "heic": HeifImageFile,
    "tiff": TiffImageFile,
    "bmp": BmpImageFile,
    "netpbm": PpmImageFile,
}

# Peak bytes of memory per pixel while decoding, measured with Pillow 13 and rounded up: WebP keeps two
# canvases and two copies, AVIF and HEIC their planes and two copies, a progressive CMYK JPEG its coefficients.
_DECODING_BYTES_PER_PIXEL: Final = {"webp": 17, "avif": 14, "heic": 16, "tiff": 12, "jpeg": 8}
_DEFAULT_BYTES_PER_PIXEL: Final = 8

# One thread decodes: predictable memory, and a child that may not start others still works.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
pi_heif.options.DECODE_THREADS = 1
# Of a HEIC its main picture is read alone.
pi_heif.options.THUMBNAILS = pi_heif.options.DEPTH_IMAGES = pi_heif.options.AUX_IMAGES = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large an image may be, by its header, before anything is decoded."""

    max_pixels: int = 50_000_000
    max_side_px: int = 16_384
    memory_bytes: int = 400 * 1024 * 1024

    def pixels_of(self, found: ImageFormat) -> int:
        """Pixels that an image of this format may have, in view of what its decoder needs."""
        per_pixel = _DECODING_BYTES_PER_PIXEL.get(found.name, _DEFAULT_BYTES_PER_PIXEL)
        return min(self.max_pixels, self.memory_bytes // per_pixel)


@dataclass(frozen=True, slots=True)
class Picture:
    """The first frame of a file, upright, in sRGB, and what the file told about itself.

    Attributes:
        image: RGB, or RGBA where some pixel is not opaque; reduced, as a rule never below 1.5 times the asked
            longest side (or the original size where that is smaller).
        width_px: of the original, upright.
        height_px: of the original, upright.
        frames: of an animation, or the pages of a TIFF.

    """

    image: Image.Image = field(repr=False)
    format: ImageFormat
    width_px: int
    height_px: int
    frames: Frames
    metadata: Metadata

    @property
    def animated(self) -> bool:
        return self.frames.duration_ms is not None


def decode(payload: bytes, bounds: Bounds, *, longest_px: int) -> Picture:
    """Read the first frame of untrusted bytes, no larger than is needed for a rendition of `longest_px`.

    Raises:
        Refused: see `image_formats.image_format`; `image_too_large`, `image_too_complex`, `image_truncated`,
            `image_corrupt`, `metadata_too_large`.

    """
    found = image_format(payload)
    needed_px = max(1, round(longest_px * WORKING_GAP))
    with _hostile_bytes(payload, found, bounds):
        image = _DECODERS[found.name](BytesIO(_mended(payload, found)))
        _check_size(image, found, bounds)
        width_px, height_px = image.size
        metadata = _load(image, payload, needed_px)
        if found.name == "heic":
            # Its box may have told another size than its stream has.
            _check_size(image, found, bounds)
            width_px, height_px = image.size
        small = to_srgb(eight_bit(image, factor=_factor(image.size, longest_px)), _profile(image))
        # What was told beside the pixels stays here.
        small.info.clear()
        frames = measure_frames(image, payload)
    if found.name == "tiff":
        # Pillow has turned it already.
        return Picture(small, found, width_px, height_px, frames, metadata)
    if metadata.turned:
        width_px, height_px = height_px, width_px
    return Picture(upright(small, metadata.orientation), found, width_px, height_px, frames, metadata)


def opens_alike(copy: bytes, picture: Picture) -> bool:
    """Tell whether the header of a copy of what was decoded is understood, and says that it is held as before."""
    try:
        metadata = read_metadata(_DECODERS[picture.format.name](BytesIO(copy)))
    except Exception:  # noqa: BLE001 - decoders raise anything, as they do where they read the original
        return False
    return metadata.orientation == picture.metadata.orientation


def _mended(payload: bytes, found: ImageFormat) -> bytes:
    return without_torn_end(payload) if found.name == "png" else payload


def _load(image: ImageFile, payload: bytes, needed_px: int) -> Metadata:
    if isinstance(image, TiffImageFile):
        metadata = read_metadata(image)
        image.load()
        return metadata
    if isinstance(image, JpegImageFile):
        _check_passes(payload, image.width * image.height)
        image.draft(None, _fitting(image.size, needed_px))
    if isinstance(image, PpmImageFile):
        _check_white(image)
    image.load()
    # A PNG may tell how it was held behind its pixels.
    return read_metadata(image)


def _factor(size: tuple[int, int], longest_px: int) -> int:
    factor = max(1, round(max(size) // (longest_px * WORKING_GAP)))
    while size[0] * size[1] // factor**2 > WORKING_PIXELS and max(size) // (factor + 1) >= longest_px:
        factor += 1
    return factor


def _profile(image: ImageFile) -> bytes | None:
    profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) else None


@contextmanager
def _hostile_bytes(payload: bytes, found: ImageFormat, bounds: Bounds) -> Iterator[None]:
    allowed_pixels = Image.MAX_IMAGE_PIXELS
    # Pillow raises at twice this number, before some of its decoders allocate their canvas.
    Image.MAX_IMAGE_PIXELS = bounds.max_pixels // 2
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Refused:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large("It declares more pixels than are taken", found, bounds) from error
    except MemoryError as error:
        raise _too_large("It takes more memory than one image may have", found, bounds) from error
    except Exception as error:
        raise _refusal(error, payload, found, bounds) from error
    finally:
        Image.MAX_IMAGE_PIXELS = allowed_pixels


def _refusal(error: Exception, payload: bytes, found: ImageFormat, bounds: Bounds) -> Refused:
    said = str(error).lower()
    name = found.name.upper()
    if "out of memory" in said:
        return _too_large("It takes more memory than one image may have", found, bounds)
    if "decompressed data too large" in said or "in text chunks" in said:
        return Refused("metadata_too_large", f"The texts in this {name} unpack to far more than an image needs.")
    if "truncated" in said or _ran_out(error) or (found.name == "webp" and len(payload) < _riff_bytes(payload)):
        return Refused("image_truncated", f"This {name} ends too early: send or download it again.")
    return Refused("image_corrupt", f"This {name} is damaged and cannot be decoded.")


def _ran_out(error: Exception) -> bool:
    # Opening wraps what its parser met; the first error tells whether bytes were missing.
    return isinstance(error.__cause__ or error, EOFError | IndexError | struct.error)


def _riff_bytes(payload: bytes) -> int:
    return int.from_bytes(payload[4:8], "little") + 8


def _check_size(image: Image.Image, found: ImageFormat, bounds: Bounds) -> None:
    width_px, height_px = image.size
    if max(width_px, height_px) > bounds.max_side_px or width_px * height_px > bounds.pixels_of(found):
        raise _too_large(f"It measures {width_px} x {height_px} pixels", found, bounds)


def _too_large(why: str, found: ImageFormat, bounds: Bounds) -> Refused:
    return Refused(
        "image_too_large",
        f"{why}. Of this format ({found.name.upper()}) up to {bounds.pixels_of(found) // 1_000_000} megapixels "
        f"and {bounds.max_side_px} pixels a side are taken: send a smaller version.",
    )


def _check_passes(payload: bytes, pixels: int) -> None:
    # Entropy-coded bytes never hold this marker, so that it counts scans (and those of small previews).
    passes = payload.count(b"\xff\xda")
    if passes * pixels > MAX_JPEG_PIXEL_PASSES:
        raise Refused(
            "image_too_complex",
            f"This JPEG asks for {passes} passes over {pixels / 1e6:.1f} megapixels: save it again as an "
            "ordinary JPEG.",
        )


def _check_white(image: PpmImageFile) -> None:
    is_scaled = any(tile.codec_name == "ppm" for tile in image.tile)
    if is_scaled and image.width * image.height > MAX_ODD_NETPBM_PIXELS:
        raise Refused(
            "image_too_complex",
            "This Netpbm image counts its shades neither to 255 nor to 65535, which is slow to read: save it with "
            "8 or 16 bits.",
        )


def _fitting(size: tuple[int, int], longest_px: int) -> tuple[int, int]:
    scale = min(1.0, longest_px / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))

"""Opening picture files that nobody vouches for."""

import io
import warnings

import numpy as np
import pi_heif
from numpy.typing import NDArray
from PIL import Image, ImageOps

from shared.errors import Refused
from shared.png_chunks import PNG_START, without_torn_end

Pixels = NDArray[np.uint8]

# All that are stored as images: HEIF is what telephones write as HEIC, PPM is every Netpbm.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "HEIF", "TIFF", "BMP", "PPM")
# Three bytes a pixel while it is drawn; the same bound as the most used image proxies have.
MOST_PIXELS = 50_000_000
# Smaller pictures show no scene, and no estimator takes them.
LEAST_SIDE_PX = 16

_WHITE_OF_16_BITS = 65_535

# Of a HEIC its main picture is read alone, and by one thread, since the process may not start others.
pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


def opened(file: bytes) -> Pixels:
    """Decode the first frame of an untrusted file: upright, on white, as RGB.

    To be called where a crash or a full memory harms nobody.

    Args:
        file: the whole file; what it is called and said to be plays no part.

    Returns:
        uint8, height x width x 3.

    Raises:
        Refused: `picture_unreadable`, `picture_too_large` or `picture_too_small`.

    """
    with warnings.catch_warnings():
        # Pillow warns of broken EXIF and the like, which says nothing to whoever asked for a depth map.
        warnings.simplefilter("ignore")
        return _decoded(file)


def _decoded(file: bytes) -> Pixels:
    try:
        # What a browser shows is opened, too, and so stored.
        whole = without_torn_end(file) if file.startswith(PNG_START) else file
        with Image.open(io.BytesIO(whole), formats=FORMATS) as image:
            _must_be_drawable(*image.size)
            image.load()
            # A frame may turn out larger than the header said.
            _must_be_drawable(*image.size)
            return np.array(_flattened(_upright(image)))
    except (Refused, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except Exception as error:
        # Decoders fail on hostile bytes in every way there is.
        raise Refused(
            "picture_unreadable",
            f"The file is broken, or in none of the formats {', '.join(FORMATS)}. Try to save it anew.",
        ) from error


def _must_be_drawable(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise _too_large()
    if min(width, height) < LEAST_SIDE_PX:
        raise Refused(
            "picture_too_small",
            f"The picture is {width}x{height} px; depth needs at least {LEAST_SIDE_PX} px on each side.",
        )


def _too_large() -> Refused:
    return Refused(
        "picture_too_large", f"The picture has more than {MOST_PIXELS // 1_000_000} megapixels. Reduce it first."
    )


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - broken EXIF tells no orientation; browsers show such a picture as it lies
        return image


def _flattened(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _of_8_bits(image).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    glass = image.convert("RGBA")
    paper = Image.new("RGBA", glass.size, "white")
    paper.alpha_composite(glass)
    return paper.convert("RGB")


def _of_8_bits(image: Image.Image) -> Image.Image:
    """Scale deep grey by the white that its values suggest: 1, 255, 65535, or their own maximum."""
    values = np.nan_to_num(np.asarray(image, np.float32), posinf=0, neginf=0)
    top = float(values.max(initial=0))
    if image.mode.startswith("I;16"):
        white = float(_WHITE_OF_16_BITS)
    else:
        white = next((bound for bound in (1.0, 255.0, float(_WHITE_OF_16_BITS)) if top <= bound), top)
    return Image.fromarray(np.rint(np.clip(values / white, 0, 1) * 255).astype(np.uint8))

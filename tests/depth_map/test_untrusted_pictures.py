"""Files that nobody vouches for: shown upright on white, or refused with a code."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from services.depth_map import pictures
from services.depth_map.pictures import opened
from shared.errors import Refused
from shared.image_formats import IMAGE_FORMATS, ImageFormat, image_format
from shared.png_chunks import PNG_END, png_chunk
from tests.depth_map.scenes import CORPUS, file_of, room
from tests.media.heic import heic
from tests.media.samples import exif_with_place

VERDICTS = {"opened", "picture_unreadable", "picture_too_large", "picture_too_small"}


def _refused(file: bytes) -> str:
    with pytest.raises(Refused) as refusal:
        opened(file)
    assert refusal.value.sentence.endswith(".")
    return refusal.value.code


def _verdict(file: bytes) -> str:
    try:
        opened(file)
    except Refused as refusal:
        return refusal.code
    return "opened"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF", "TIFF", "BMP", "PPM"])
def test_every_format_that_is_promised_is_opened(kind: str) -> None:
    rgb = opened(file_of(room(160, 120), kind))

    assert rgb.shape == (120, 160, 3)
    assert rgb.dtype == np.uint8
    assert np.abs(rgb.astype(int) - room(160, 120)).mean() < 12


@pytest.mark.parametrize("known", IMAGE_FORMATS.values(), ids=str)
def test_whatever_is_stored_as_an_image_is_opened(known: ImageFormat) -> None:
    picture = Image.fromarray(room(96, 64))
    kinds = {"netpbm": "PPM", "heic": None}
    kind = kinds.get(known.name, known.name.upper())
    file = heic(picture) if kind is None else file_of(room(96, 64), kind)
    assert image_format(file) is known

    rgb = opened(file)
    assert rgb.shape == (64, 96, 3)
    assert np.abs(rgb.astype(int) - room(96, 64)).mean() < 12


@pytest.mark.parametrize("quarter_turns", range(4))
def test_a_photo_of_a_telephone_is_turned_once_whatever_its_camera_also_wrote(quarter_turns: int) -> None:
    upright = room(96, 64)
    stored = Image.fromarray(upright).rotate(-90 * quarter_turns, expand=True)

    rgb = opened(heic(stored, quarter_turns=quarter_turns, exif=exif_with_place(6).tobytes()[6:]))
    assert rgb.shape == upright.shape
    assert np.abs(rgb.astype(int) - upright).mean() < 12


@pytest.mark.parametrize("white", [255, 65_535])
def test_grey_without_compression_is_scaled_by_its_white(white: int) -> None:
    slope = np.linspace(0, white, 64 * 64).reshape(64, 64)
    file = b"P5 64 64 %d\n" % white + slope.astype(">u2" if white > 255 else "u1").tobytes()

    rgb = opened(file)
    assert np.abs(rgb[..., 0].astype(int) - slope * 255 / white).max() <= 1


@pytest.mark.parametrize("kind", ["ICO", "TGA", "PCX", "JPEG2000"])
def test_a_format_that_is_not_promised_is_refused_though_pillow_could_open_it(kind: str) -> None:
    file = file_of(room(64, 64), kind)
    Image.open(io.BytesIO(file)).load()

    assert _refused(file) == "picture_unreadable"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_turned_upright_whatever_its_camera_wrote(kind: str, orientation: int) -> None:
    upright = room(160, 96)
    exif = Image.Exif()
    exif[0x0112] = orientation
    # Each orientation tells how the stored rows and columns lie; this undoes it.
    stored: dict[int, Callable[[Any], Any]] = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: np.rot90,
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }
    file = file_of(np.ascontiguousarray(stored[orientation](upright)), kind, exif=exif.tobytes())

    rgb = opened(file)
    assert rgb.shape == upright.shape
    assert np.abs(rgb.astype(int) - upright).mean() < 12


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(mode: str) -> None:
    image = Image.new("RGBA", (40, 40), (10, 20, 30, 0))
    image.paste((200, 0, 0, 255), (0, 0, 40, 20))
    file = io.BytesIO()
    (image.quantize(4) if mode == "P" else image.convert(mode)).save(file, "PNG")

    rgb = opened(file.getvalue())
    assert (rgb[30, 20] == 255).all()
    assert rgb[10, 20, 2] < 120


def test_half_transparent_red_is_pink() -> None:
    file = io.BytesIO()
    Image.new("RGBA", (20, 20), (255, 0, 0, 128)).save(file, "PNG")

    assert np.abs(opened(file.getvalue())[10, 10].astype(int) - (255, 127, 127)).max() <= 1


def test_the_four_inks_of_print_become_three_colours() -> None:
    file = io.BytesIO()
    Image.new("CMYK", (32, 32), (0, 255, 255, 0)).save(file, "JPEG")

    red = opened(file.getvalue())[16, 16].astype(int)
    assert red[0] > 200
    assert red[1:].max() < 60


def test_16_bits_of_grey_are_scaled_and_not_cut() -> None:
    slope = np.linspace(0, 65_535, 256 * 64).reshape(64, 256).astype(np.uint16)

    rgb = opened(file_of(slope, "PNG"))
    assert np.abs(rgb[..., 0].astype(int) - slope // 257).max() <= 1


@pytest.mark.parametrize(("dtype", "white"), [(np.float32, 1.0), (np.float32, 65_535.0), (np.int32, 65_535)])
def test_deeper_pixels_are_scaled_by_their_white(dtype: type, white: float) -> None:
    slope: NDArray[Any] = np.linspace(0, white, 64 * 64).reshape(64, 64).astype(dtype)

    rgb = opened(file_of(slope, "TIFF"))
    assert (int(rgb.min()), int(rgb.max())) == (0, 255)
    assert rgb[0, 0, 0] < rgb[-1, -1, 0]


def test_an_animation_shows_its_first_frame() -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "lime", "blue")]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])

    assert tuple(opened(file.getvalue())[16, 16]) == (255, 0, 0)


def _png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(7_072, 7_072), (12_000, 12_000), (60_000, 60_000)])
def test_a_file_that_claims_too_many_pixels_is_refused_before_any_is_decoded(
    width: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = _png_claiming(width, height)
    assert _refused(file) == "picture_too_large"

    # Negative control: with the guard off, the decoder is reached.
    monkeypatch.setattr(pictures, "_must_be_drawable", lambda *_: None)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    reached: list[str] = []

    def load(*_: object) -> None:
        reached.append("decoder")
        raise OSError

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    assert _refused(file) == "picture_unreadable"
    assert reached


def test_a_picture_too_small_to_show_anything_is_refused() -> None:
    assert _refused(file_of(room(400, 400)[:15])) == "picture_too_small"
    assert opened(file_of(room(400, 400)[:16])).shape == (16, 400, 3)


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"\x00" * 64,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF",
        b"GIF89a",
        b"\xff\xd8\xff",
    ],
)
def test_what_is_no_picture_is_refused(file: bytes) -> None:
    assert _refused(file) == "picture_unreadable"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP"])
def test_a_picture_that_was_cut_short_is_refused(kind: str) -> None:
    whole = file_of(room(200, 150), kind)

    assert opened(whole).shape == (150, 200, 3)
    assert _refused(whole[: len(whole) // 2]) == "picture_unreadable"


@pytest.mark.parametrize("kind", [b"tEXt", b"eXIf", b"IEND"])
def test_a_png_that_is_torn_behind_its_pixels_is_whole_all_the_same(kind: bytes) -> None:
    whole = file_of(room(64, 48), "PNG")
    torn = whole.removesuffix(PNG_END) + png_chunk(kind, bytes(200))[:100]

    assert (opened(torn) == opened(whole)).all()


def test_broken_exif_does_not_cost_the_picture() -> None:
    file = file_of(room(64, 48), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff\x00garbage")

    assert opened(file).shape == (48, 64, 3)


def test_bytes_turned_over_at_random_are_opened_or_refused_and_nothing_else() -> None:
    chance = np.random.default_rng(11)
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "TIFF", "BMP", "PPM"):
        whole = np.frombuffer(file_of(room(64, 48), kind), np.uint8)
        for _ in range(40):
            spoilt = whole.copy()
            places = chance.integers(0, len(whole), 8)
            spoilt[places] = chance.integers(0, 256, 8)
            assert _verdict(spoilt.tobytes()) in VERDICTS


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of hostile files lies outside the repository")
def test_every_hostile_file_of_the_corpus_is_opened_or_refused_with_a_code() -> None:
    verdicts: dict[str, str] = {}
    for path in sorted(p for f in ("bad", "thumbor", "tiny", "heif") for p in (CORPUS / "images" / f).iterdir()):
        verdicts[path.name] = _verdict(path.read_bytes())

    assert set(verdicts.values()) <= VERDICTS
    expected = {
        "broken.png": "picture_unreadable",
        "decompression_bomb.gif": "picture_too_large",
        "truncated_jpeg.jpg": "picture_unreadable",
        "imagers_Bad_reallybig.bmp": "picture_too_large",
        "crash-5762152299364352.fli": "picture_unreadable",
        "16383x16383.png": "picture_too_large",
        "9643x10328.jpg": "picture_too_large",
        "truncated_end_chunk.png": "opened",
        "1x1.png": "picture_too_small",
        "hopper_bad_exif.jpg": "opened",
    }
    assert {name: verdicts[name] for name in expected} == expected

"""How many frames there are and for how long they run is read from what is there, not from what is claimed."""

import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from services.media.decoding.frames import Frames, measure_frames
from services.media.processing import process
from shared.errors import Refused
from tests.media.hostile import gif_of_frames, png_of_frames, webp_of_frames
from tests.media.samples import animation, encoded, photo, png_chunk


def facts_of(payload: bytes) -> dict[str, object]:
    return process(payload, {})[0]


@pytest.mark.parametrize(
    ("format_name", "delays"), [("GIF", [100, 250, 40]), ("WEBP", [100, 250, 41]), ("PNG", [9, 1, 5])]
)
def test_the_delays_of_all_frames_are_added_up(format_name: str, delays: list[int]) -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime", "blue")]
    payload = encoded(frames[0], format_name, save_all=True, append_images=frames[1:], duration=delays)

    assert facts_of(payload)["duration_ms"] == sum(delays)


@pytest.mark.parametrize(
    ("payload", "frames", "duration_ms"),
    [
        (gif_of_frames(500), 500, 5_000),
        (webp_of_frames(500, 8), 500, 5_000),
        (png_of_frames(500), 500, 5_000),
        (gif_of_frames(1), 1, None),
    ],
    ids=["gif", "webp", "png", "still"],
)
def test_many_frames_are_counted_without_being_decoded(payload: bytes, frames: int, duration_ms: int | None) -> None:
    facts = facts_of(payload)
    assert (facts["frames"], facts["duration_ms"]) == (frames, duration_ms)


def test_an_avif_that_claims_to_run_for_ages_runs_for_as_long_as_can_be_said() -> None:
    honest = bytearray(animation("AVIF"))
    at = honest.index(b"mdhd") + 4
    version = honest[at]
    ticks = at + (24 if version else 16)
    honest[ticks : ticks + (8 if version else 4)] = b"\xff" * (8 if version else 4)
    rate = ticks - 4
    honest[rate:ticks] = struct.pack(">I", 1)

    facts = facts_of(bytes(honest))
    assert facts["frames"] == 3
    assert facts["duration_ms"] == 2**31 - 1


def test_a_rate_of_nothing_divides_nothing() -> None:
    honest = bytearray(animation("AVIF"))
    at = honest.index(b"mdhd") + 4
    ticks = at + (24 if honest[at] else 16)
    honest[ticks - 4 : ticks] = bytes(4)
    picture = Image.new("RGB", (40, 30))
    picture.format, picture.n_frames = "AVIF", 3  # type: ignore[attr-defined] # as the decoder leaves them

    assert measure_frames(picture, bytes(honest)) == Frames(3, 0)


@pytest.mark.parametrize("torn", [b"tEXt", b"iTXt", b"eXIf", b"tIME", b"prIv", b"IDAT"])
def test_a_png_whose_pixels_are_there_is_whole_without_the_rest(torn: bytes) -> None:
    whole = encoded(photo(64, 48), "PNG")
    chunk = png_chunk(torn, bytes(200))
    for kept in (8, 9, 20, 207):
        _, (*renditions, copy) = process(whole[:-12] + chunk[:kept], {})
        assert renditions == process(whole, {})[1]
        assert (np.asarray(Image.open(BytesIO(copy))) == np.asarray(Image.open(BytesIO(whole)))).all()


def test_a_png_whose_pixels_are_torn_is_not_mended() -> None:
    whole = encoded(photo(64, 48), "PNG")
    with pytest.raises(Refused) as refused:
        process(whole[: whole.rindex(b"IDAT") + 400], {})
    assert refused.value.code == "image_truncated"


def test_a_netpbm_picture_is_read_at_every_depth_but_not_as_text() -> None:
    grey = b"P5 # a comment\n4 2\n%d\n"
    for white, row in ((255, b"\xff" * 8), (65_535, b"\xff" * 16), (100, b"\x64" * 8), (1000, b"\x03\xe8" * 8)):
        facts = facts_of(grey % white + row)
        assert (facts["format"], facts["dominant_colour"]) == ("netpbm", "#ffffff"), white
    with pytest.raises(Refused) as refused:
        process(b"P2 4 2 255\n" + b"255 " * 8, {})
    assert refused.value.code == "format_refused"

"""What is downloaded at the end of the demo is what it is said to be."""

import io

import numpy as np
import pytest
from PIL import Image

from deploy.demo.inspection import depth_faults, edge_faults

SIZE = (12, 8)


def png(pixels: "np.ndarray[tuple[int, int], np.dtype[np.uint8 | np.uint16]]") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


RAMP = np.arange(SIZE[0] * SIZE[1], dtype=np.uint16).reshape(SIZE[1], SIZE[0]) * 600
EDGES = np.where(RAMP % 1200 == 0, 255, 0).astype(np.uint8)


def test_a_16_bit_map_of_the_images_size_with_relief_has_no_fault() -> None:
    assert depth_faults(png(RAMP), SIZE) == []
    assert edge_faults(png(EDGES), SIZE) == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"<html>", "not a PNG"),
        (png(RAMP)[:60], "not a PNG"),
        (png((RAMP // 256).astype(np.uint8)), "8 bits, not 16"),
        (png(RAMP[:4]), "its depth map is (12, 4), the image (12, 8)"),
        (png(np.full_like(RAMP, 9)), "flat"),
    ],
)
def test_a_depth_map_that_is_none_is_told(body: bytes, fault: str) -> None:
    (found,) = depth_faults(body, SIZE)
    assert fault in found


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "not a PNG"),
        (png(EDGES[:4]), "its edge map is (12, 4)"),
        (png(EDGES // 2), "more than 0 and 255"),
    ],
)
def test_an_edge_map_that_is_none_is_told(body: bytes, fault: str) -> None:
    (found,) = edge_faults(body, SIZE)
    assert fault in found

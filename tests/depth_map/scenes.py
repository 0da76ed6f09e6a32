"""Pictures whose depth is known because they were painted so, and files made of them."""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.depth_map.estimators import Plane

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"

Pixels = NDArray[np.uint8]


def room(width: int = 640, height: int = 480) -> Pixels:
    """A grainy floor below a wall, with a red post that stands in front and a small blue one far behind."""
    rgb = np.empty((height, width, 3), np.uint8)
    rgb[:] = (205, 210, 215)
    rgb[height // 2 :] = (120, 95, 70)
    cv2.rectangle(rgb, (width // 8, height // 5), (width // 4, height * 9 // 10), (190, 40, 40), -1)
    cv2.rectangle(rgb, (width * 5 // 8, height * 2 // 5), (width * 11 // 16, height * 3 // 5), (40, 60, 180), -1)
    grain = np.random.default_rng(7).normal(0, 4, rgb.shape)
    return np.clip(rgb + grain, 0, 255).astype(np.uint8)


def file_of(rgb: NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, kind, **options)
    return file.getvalue()


def seen(rgb: Pixels) -> Plane:
    return rgb.astype(np.float32) / np.float32(255)


def rank_correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Spearman's, ties sharing their mean rank."""
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((2 * ends - counts - 1)[inverse] / 2, np.float64)


def measured_pairs() -> dict[str, tuple[Pixels, NDArray[np.float64]]]:
    """Pictures of the corpus with their measured depth in metres, 0 where unknown."""
    folder = CORPUS / "depth_pairs"

    def picture(name: str) -> Pixels:
        return np.array(Image.open(folder / name).convert("RGB"))

    def deep(name: str, per_metre: float) -> NDArray[np.float64]:
        return np.asarray(Image.open(folder / name), np.float64) / per_metre

    raw = np.frombuffer((folder / "o3d_NYU_depth.pgm").read_bytes()[-640 * 480 * 2 :], "<u2")
    kinect = np.minimum(raw.reshape(480, 640), 1090).astype(np.float64)
    return {
        "nyu_fastdepth": (
            picture("nyu_fastdepth_rgb.png"),
            np.load(folder / "nyu_fastdepth_depth.npy").squeeze().astype(np.float64),
        ),
        "o3d_TUM": (picture("o3d_TUM_color.png"), deep("o3d_TUM_depth.png", 5000)),
        "o3d_NYU_raw": (
            picture("o3d_NYU_color.ppm"),
            np.where(kinect < 1090, 351.3 / (1092.5 - kinect), 0),
        ),
        "nyu_m3d_00000": (picture("nyu_m3d_00000.jpg"), deep("nyu_m3d_00000_depth.png", 1000)),
        "o3d_synth_00000": (picture("o3d_synth_00000_color.jpg"), deep("o3d_synth_00000_depth.png", 1000)),
    }

"""What `transformers` makes of pictures for Depth Anything: an independent implementation to compare with.

It is no dependency of this project. Where it is installed, with Pillow and NumPy only, this writes anew what
`test_image_processor.py` compares with everywhere else:

    uv run --no-project --with 'transformers==4.57.6' --with-requirements requirements.lock \
        python -m tests.depth_map.image_processor
"""

import importlib.util
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.depth_map.estimators import depth_anything_v2_small
from tests.depth_map.scenes import Pixels, room

FIGURES: Final = Path(__file__).with_name("image_processor.json")
ITS_OWN: Final = ((1024, 768), (768, 1024), (640, 480), (1920, 1080), (2000, 1333), (518, 518), (1000, 521))
"""Sizes for which it is left to find how large the picture shall be."""

TOLD: Final = ((400, 300), (100, 160), (1600, 400))
"""Sizes for which it is told: it enlarges as little as it may, where the authors' code lets no side be below 518 px,
and it does not narrow panoramas."""

PICTURES: Final = (*ITS_OWN, *TOLD)
CROP_PX: Final = 4


def is_here() -> bool:
    return importlib.util.find_spec("transformers") is not None


def processed(picture: Pixels) -> NDArray[np.float32]:
    """Have it make the tensor of a picture: 3 x height x width."""
    from transformers.models.dpt.image_processing_dpt import DPTImageProcessor  # noqa: PLC0415

    size: dict[str, Any] = {"size": {"height": 518, "width": 518}, "keep_aspect_ratio": True}
    if (picture.shape[1], picture.shape[0]) in TOLD:
        width, height = depth_anything_v2_small().input_size.sides(picture.shape[1], picture.shape[0])
        size = {"size": {"height": height, "width": width}, "keep_aspect_ratio": False}
    processor = DPTImageProcessor(
        **size,
        ensure_multiple_of=14,
        resample=3,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )
    return np.asarray(processor(picture, return_tensors="np").pixel_values[0], np.float32)


def figures(tensor: NDArray[np.float32]) -> dict[str, Any]:
    """Tell of a tensor what another can be compared by: shape, mean and spread of each channel, and a few values."""
    rows, columns = (side // 2 for side in tensor.shape[1:])
    middle = tensor[:, rows : rows + CROP_PX, columns : columns + CROP_PX]
    corner = tensor[:, :CROP_PX, -CROP_PX:]
    return {
        "shape": list(tensor.shape),
        "mean": np.mean(tensor, axis=(1, 2), dtype=np.float64).round(6).tolist(),
        "std": np.std(tensor, axis=(1, 2), dtype=np.float64).round(6).tolist(),
        "middle": middle.astype(np.float64).round(6).ravel().tolist(),
        "corner": corner.astype(np.float64).round(6).ravel().tolist(),
    }


def main() -> None:
    """Write the figures, a line for each picture."""
    lines = (
        f"{json.dumps(f'{width}x{height}')}: {json.dumps(figures(processed(room(width, height))))}"
        for width, height in PICTURES
    )
    FIGURES.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()

"""The names that people use for colours, each with the shade that it stands for."""

from typing import Final

import numpy as np

from services.media.analysis.colour_space import Lab, distances, to_oklab

COLOUR_NAMES: Final[dict[str, str]] = {
    "black": "#0a0a0a",
    "charcoal": "#333437",
    "grey": "#808080",
    "silver": "#bfc0c2",
    "white": "#fafafa",
    "ivory": "#f7f2dc",
    "beige": "#dccdaa",
    "tan": "#c9a778",
    "peach": "#f7c4a0",
    "copper": "#bb6c36",
    "terracotta": "#b8634b",
    "brown": "#7a4a25",
    "chocolate": "#452a18",
    "taupe": "#8a7a6c",
    "maroon": "#6e1423",
    "red": "#dc1e1e",
    "crimson": "#b01238",
    "salmon": "#f59280",
    "coral": "#fb6f4c",
    "rust": "#a9441c",
    "orange": "#fb9012",
    "amber": "#fbc12e",
    "gold": "#cda434",
    "yellow": "#f9e52b",
    "cream": "#fbeeb4",
    "olive": "#727521",
    "lime": "#a3e02b",
    "green": "#2c9a3c",
    "forest": "#1d4d26",
    "moss": "#67794f",
    "sage": "#9fb08c",
    "mint": "#a4e8c6",
    "teal": "#0c7d7d",
    "turquoise": "#36cfc4",
    "cyan": "#1fd8f2",
    "sky": "#86c3f0",
    "powder blue": "#bcd2ea",
    "blue": "#2258d8",
    "steel": "#5b7c9c",
    "navy": "#101a62",
    "indigo": "#46259a",
    "violet": "#8b43d6",
    "lavender": "#c4b3ea",
    "purple": "#6f2080",
    "magenta": "#dd28c0",
    "pink": "#f7a8c4",
    "rose": "#e34a7f",
}

_NAMES: Final = tuple(COLOUR_NAMES)
_PLACES: Final = to_oklab(
    np.array([list(bytes.fromhex(shade.removeprefix("#"))) for shade in COLOUR_NAMES.values()], dtype=float)
)


def name_colour(colour: Lab) -> str:
    """Name one OKLab colour, shape (3,), by the nearest of `COLOUR_NAMES`."""
    return _NAMES[int(distances(colour[None], _PLACES).argmin())]

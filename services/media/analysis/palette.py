"""The few colours that a person would name, found by clustering where distances are as eyes see them."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.media.analysis.colour_names import name_colour
from services.media.analysis.colour_space import Lab, distances, nearest, to_hex, to_oklab

MAX_COLOURS: Final = 6

Weights = NDArray[np.float64]

_VISIBLE_ALPHA: Final = 128
_FIRST_CLUSTERS: Final = 12
_ROUNDS: Final = 10
# Distance below which two areas pass for one colour.
_ONE_COLOUR: Final = 0.1
# A cluster below this share is dirt at the edges of others, unless it is all there is.
_LEAST_SHARE: Final = 0.005


@dataclass(frozen=True, slots=True)
class Swatch:
    """One colour of a palette; `hex` as `#rrggbb`, `share` of the visible pixels, 0 to 1."""

    hex: str
    name: str
    share: float


def find_palette(pixels: NDArray[np.uint8]) -> tuple[Swatch, ...]:
    """Find up to six colours in sRGB pixels, shape (height, width, 4), the largest share first."""
    visible = pixels[pixels[..., 3] >= _VISIBLE_ALPHA][:, :3]
    if not len(visible):
        return ()
    colours, counts = _counted(visible)
    centres, shares = _merged(*_clustered(to_oklab(colours), counts / counts.sum()))
    order = np.argsort(-shares, kind="stable")[:MAX_COLOURS]
    shares = shares[order] / shares[order].sum()
    return tuple(
        Swatch(hex=to_hex(centre), name=name_colour(centre), share=round(float(share), 4))
        for centre, share in zip(centres[order], shares, strict=True)
    )


def _counted(visible: NDArray[np.uint8]) -> tuple[NDArray[np.float64], Weights]:
    """Count colours in bins of 8 levels; each bin stands for the mean of what fell into it."""
    packed = (visible >> 3).astype(np.int64) @ np.array([1024, 32, 1])
    _, members, counts = np.unique(packed, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(members, weights=visible[:, channel]) for channel in range(3)], axis=1)
    return sums / counts[:, None], counts.astype(np.float64)


def _clustered(points: Lab, weights: Weights) -> tuple[Lab, Weights]:
    """Cluster by weighted k-means; started far apart, and without chance, so that it is repeatable."""
    centres = points[[int(weights.argmax())]]
    apart, worth = distances(points, centres)[:, 0], np.sqrt(weights)
    while len(centres) < min(_FIRST_CLUSTERS, len(points)):
        farthest = points[[int((apart**2 * worth).argmax())]]
        centres = np.vstack([centres, farthest])
        apart = np.minimum(apart, distances(points, farthest)[:, 0])
    shares: Weights = np.zeros(len(centres))
    for _ in range(_ROUNDS):
        members = nearest(points, centres)
        shares = np.bincount(members, weights, minlength=len(centres)).astype(np.float64)
        sums = np.stack(
            [np.bincount(members, weights * points[:, axis], minlength=len(centres)) for axis in range(3)],
            axis=1,
        )
        centres = np.where(shares[:, None] > 0, sums / np.maximum(shares[:, None], 1e-12), centres)
    return centres[shares > 0], shares[shares > 0]


def _merged(centres: Lab, shares: Weights) -> tuple[Lab, Weights]:
    """Join what passes for one colour, then what is missed least, until few enough are left."""
    kept = shares >= min(_LEAST_SHARE, shares.max())
    centres, shares = centres[kept], shares[kept]
    while len(centres) > 1:
        apart = distances(centres, centres) + np.diag(np.full(len(centres), np.inf))
        if apart.min() > _ONE_COLOUR:
            if len(centres) <= MAX_COLOURS:
                break
            # A small area is missed less than a large one, though a vivid one is still missed.
            apart *= np.minimum(shares[:, None], shares[None, :]) ** 0.25
        first, second = divmod(int(apart.argmin()), len(centres))
        together = shares[first] + shares[second]
        centres[first] = (centres[first] * shares[first] + centres[second] * shares[second]) / together
        shares[first] = together
        centres, shares = np.delete(centres, second, axis=0), np.delete(shares, second)
    return centres, shares

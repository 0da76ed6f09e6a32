"""Frames of one colour round a picture, as scans, films and some cameras leave them: no part of what is seen."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from services.depth_map.estimators.estimator import Plane
from services.depth_map.estimators.feeding import Pixels

LARGEST_SHARE: Final = 0.25
"""Of a side, for each of two bars: a film of 2.39:1 on a screen of 4:3 has 0.22."""

_TOLERANCE_LEVELS: Final = 16
_PLAIN_SHARE: Final = 0.98
_THIN_SHARE: Final = 0.06
# What is behind a bar differs from it along its edge, if not everywhere. Before plain paper a thing with straight sides
# does so too, along a part of the edge, but leaves no more than a thin bar of the paper seldom.
# And a straight edge is crossed within two lines, also in a JPEG, where what is round or ragged comes little by little.
_LINES_ACROSS: Final = 2
# Shares of a line: what is seen at least behind a bar, and what of it comes within these lines.
_BEHIND_THIN: Final = (0.3, 0.25)
_BEHIND_WIDE: Final = (0.85, 0.5)
# Compression lets a bar and what is behind it run into each other for a block or two.
_SOFT_LINES: Final = 16
_SOFT_PARTS: Final = 200


def drawn_within_frame(levels: Pixels, draw: Callable[[Pixels], Plane]) -> Plane:
    """Draw a map, height x width, of what is within a picture's frame, which is as near as what it borders on."""
    rows, columns = within_frame(levels)
    height, width = levels.shape[:2]
    bars = (rows.start, height - rows.stop, columns.start, width - columns.stop)
    drawn = draw(levels[rows, columns])
    return np.asarray(cv2.copyMakeBorder(drawn, *bars, cv2.BORDER_REPLICATE), np.float32) if any(bars) else drawn


def within_frame(levels: Pixels) -> tuple[slice, slice]:
    """Give the rows and columns within the frame of a picture, uint8, height x width x 3; all where it has none.

    A frame is two bars of one colour at opposite sides, or four, whose inner edges are straight.
    """
    rows = _between_bars(levels)
    columns = _between_bars(levels[rows].transpose(1, 0, 2))
    return rows, columns


def _between_bars(lines: Pixels) -> slice:
    """Tell which lines are between two bars of one colour; all where there are none."""
    count = len(lines)
    colour = np.median(lines[0], axis=0)
    if not (_is_plain(lines[0], colour) and _is_plain(lines[-1], colour)):
        return slice(0, count)
    first, last = _bar(lines, colour), _bar(lines[::-1], colour)
    return slice(first, count - last) if first and last else slice(0, count)


def _bar(lines: Pixels, colour: Pixels) -> int:
    """Count the lines of a bar and of its soft edge; 0 where what begins with these lines is none."""
    limit = int(len(lines) * LARGEST_SHARE)
    plain = next((index for index in range(limit) if not _is_plain(lines[index], colour)), limit)
    least, crossed = _BEHIND_THIN if plain <= len(lines) * _THIN_SHARE else _BEHIND_WIDE
    soft = [1 - _share_of(line, colour) for line in lines[plain : min(plain + _SOFT_LINES, limit)]]
    before = [0.0] * _LINES_ACROSS + soft
    straight = any(there - here >= crossed for here, there in zip(before, soft, strict=False))
    seen = next((index for index, share in enumerate(soft, plain) if share >= least), None)
    return seen + max(1, len(lines) // _SOFT_PARTS) if straight and seen is not None else 0


def _is_plain(line: Pixels, colour: Pixels) -> bool:
    return _share_of(line, colour) >= _PLAIN_SHARE


def _share_of(line: Pixels, colour: Pixels) -> float:
    """Tell which part of a line has a colour."""
    return float((np.abs(line - colour).max(axis=1) <= _TOLERANCE_LEVELS).mean())

"""Which maps a person should look at first, and what may be wrong with them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

REASONS: Final = {
    "blurry_edges": "Outlines are soft where the picture's are sharp.",
    "misaligned_edges": "Outlines lie beside those of the picture.",
    "mirror_or_glass": "It shows what a mirror or a pane shows, not the mirror or the pane.",
    "inverted": "What is near is drawn far.",
    "banding": "Smooth surfaces are drawn as steps.",
    "flat": "There is no relief where there should be.",
    "missing_detail": "Something thin or small is missing.",
    "artefacts": "It shows what is not in the picture.",
    "unsuitable_image": "The picture itself is not fit for training.",
    "other": "See the note.",
}
"""Why maps are rejected: by code, with what a reviewer is told it means."""

SOUNDEST: Final = 1000
"""Of maps about which no signal says anything bad; 0 is the most suspicious."""

_FLAT_SHARE: Final = 0.5
_ALIGNED: Final = 0.5
_FLIPPED: Final = 0.1


def soundness_of(quality: Mapping[str, Any]) -> int:
    """Give 0 for the most suspicious maps up to 1000, by the signals of depth mapping; unknown ones say nothing."""
    if quality.get("flat") is True:
        return 0
    suspicion = 300 if quality.get("banded") is True else 0
    suspicion += round(200 * _share(quality.get("flat_share"), 0))
    suspicion += round(250 * (1 - _share(quality.get("edge_alignment"), 1)))
    suspicion += round(250 * min(1.0, _share(quality.get("flip_difference"), 0) / (2 * _FLIPPED)))
    return SOUNDEST - suspicion


def warnings_of(quality: Mapping[str, Any]) -> list[str]:
    """Name what a reviewer should look for."""
    return list(_warnings(quality))


def _warnings(quality: Mapping[str, Any]) -> Iterator[str]:
    if quality.get("flat") is True or _share(quality.get("flat_share"), 0) > _FLAT_SHARE:
        yield "flat"
    if quality.get("banded") is True:
        yield "banding"
    if _share(quality.get("edge_alignment"), 1) < _ALIGNED:
        yield "misaligned_edges"
    if _share(quality.get("flip_difference"), 0) > _FLIPPED:
        yield "unstable"


def _share(value: Any, default: float) -> float:
    """Read a share; whatever is none says nothing."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return float(value) if known else default

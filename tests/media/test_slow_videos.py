"""What moves hardly at all, or says that it ends at once, is stored as any other video."""

import struct
from pathlib import Path

import pytest

from contracts.media import Video
from services.media.video.reading import read
from tests.media.films import film

FILM = film(frames=30)


def told_by(path: Path, content: bytes) -> Video:
    """Read a video, and say what it is as it is said to others."""
    path.write_bytes(content)
    facts, _ = read(b"", {"path": str(path), "seconds": 5.0})
    return Video.model_validate(facts["video"])


def timed(mp4: bytes, ticks_a_second: int, ticks: int) -> bytes:
    """Have the track of a film count time otherwise."""
    at = mp4.index(b"mdhd") + 4 + 12
    return mp4[:at] + struct.pack(">II", ticks_a_second, ticks) + mp4[at + 8 :]


@pytest.mark.parametrize(("ticks_a_second", "ticks"), [(2**31 - 1, 2**31 - 1), (1, 2**31 - 1), (2**31 - 1, 1)])
def test_however_it_counts_its_time_it_can_be_told_of(tmp_path: Path, ticks_a_second: int, ticks: int) -> None:
    told = told_by(tmp_path / "film.mp4", timed(FILM, ticks_a_second, ticks))
    assert told.video_codec == "h264"
    assert told.duration_seconds is None or told.duration_seconds > 0


def test_time_that_is_counted_as_usual_is_told(tmp_path: Path) -> None:
    """The control."""
    assert told_by(tmp_path / "film.mp4", FILM).duration_seconds == pytest.approx(1.5, abs=0.1)

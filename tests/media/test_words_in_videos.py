"""What programs write into videos beside the pictures is often no UTF-8, and is no reason to refuse them."""

from pathlib import Path

import pytest

from services.media.video.reading import read
from tests.media.films import film


@pytest.mark.parametrize(
    ("container", "codec", "words", "latin"),
    [
        ("mp4", "libx264", b"VideoHandler", b"Vid\xe9oHandler"),
        ("mov", "mjpeg", b"VideoHandler", b"Vid\xe9oHandler"),
        ("avi", "mjpeg", b"Lavf", b"L\xe4vf"),
        ("webm", "libvpx-vp9", b"Lavf", b"L\xe4vf"),
    ],
)
def test_a_video_whose_words_are_in_an_old_encoding_is_read_as_any_other(
    tmp_path: Path, container: str, codec: str, words: bytes, latin: bytes
) -> None:
    plain = film(container=container, codec=codec, frames=6)
    assert words in plain
    told = []
    for content in (plain, plain.replace(words, latin)):
        path = tmp_path / "film"
        path.write_bytes(content)
        facts, _ = read(b"", {"path": str(path), "seconds": 5.0})
        told.append(facts)
    assert told[0] == told[1]

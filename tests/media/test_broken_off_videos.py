"""A video whose platform breaks off, or is overloaded, may still be had: it is tried again, and says what was wrong."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.errors import Refused, TryAgain
from tests.media.test_downloads_platforms import CLIP, MP4, Cinema, page
from tests.shared.strangers import Stranger, answer

LIST = [("Content-Type", "application/vnd.apple.mpegurl")]
MASTER = b'#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100000,CODECS="avc1.64001f",RESOLUTION=160x96\n/parts.m3u8\n'
PARTS = b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n/0.ts\n#EXTINF:5,\n/1.ts\n#EXT-X-ENDLIST\n"

AWAY = answer(status=503)
CUT = answer(CLIP, headers=MP4)[:-50_000]


@pytest.fixture
async def cinema(tmp_path: Path) -> AsyncIterator[Cinema]:
    async with Stranger() as host:
        host.otherwise = answer(status=404)
        yield Cinema(host, tmp_path, allow=frozenset({("127.0.0.1", host.port)}))


@pytest.mark.parametrize(
    ("clip", "code"), [(AWAY, "http_503"), (CUT, "fetch_connection_failed")], ids=["overloaded", "cut off"]
)
async def test_a_file_that_breaks_off_is_tried_again(cinema: Cinema, clip: bytes, code: str) -> None:
    cinema.host.answers |= {"/watch": page("/clip.mp4"), "/clip.mp4": clip}
    failure = await cinema.failure("/watch")
    assert (type(failure), failure.code) == (TryAgain, code)


@pytest.mark.parametrize(
    ("part", "code"), [(AWAY, "http_503"), (CUT, "fetch_connection_failed")], ids=["overloaded", "cut off"]
)
async def test_a_film_of_which_a_part_breaks_off_is_tried_again(cinema: Cinema, part: bytes, code: str) -> None:
    cinema.host.answers |= {"/watch": answer(MASTER, headers=LIST), "/parts.m3u8": answer(PARTS, headers=LIST)}
    cinema.host.answers |= {"/0.ts": answer(CLIP), "/1.ts": part}
    failure = await cinema.failure("/watch")
    assert (type(failure), failure.code) == (TryAgain, code)


async def test_a_film_of_which_a_part_is_gone_is_not_and_says_so(cinema: Cinema) -> None:
    cinema.host.answers |= {"/watch": answer(MASTER, headers=LIST), "/parts.m3u8": answer(PARTS, headers=LIST)}
    cinema.host.answers |= {"/0.ts": answer(CLIP)}
    failure = await cinema.failure("/watch")
    assert (type(failure), failure.code) == (Refused, "http_404")

"""A video is worth more than what is said in it: subtitles that are not to be had take nothing else with them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.media.downloads import take
from shared.errors import Failure
from tests.media.test_downloads_platforms import CLIP, MP4, SETTINGS, SUBTITLE, Cinema, page
from tests.shared.strangers import Stranger, answer

TRACKS = "<track kind='subtitles' srclang='{}' src='/{}.vtt'>"
VTT = [("Content-Type", "text/vtt")]


@pytest.fixture
async def cinema(tmp_path: Path) -> AsyncIterator[Cinema]:
    async with Stranger() as host:
        host.otherwise = answer(status=404)
        host.answers |= {
            "/watch": page("/clip.mp4", "".join(TRACKS.format(one, one) for one in ("en", "de"))),
            "/clip.mp4": answer(CLIP, headers=MP4),
            "/de.vtt": answer(SUBTITLE, headers=VTT),
        }
        settings = replace(SETTINGS, subtitle_languages=("en", "de"))
        yield Cinema(host, tmp_path, settings, allow=frozenset({("127.0.0.1", host.port)}))


async def taken(cinema: Cinema) -> tuple[bytes, list[str], tuple[str, ...]]:
    """Take the video; give it, and which subtitles came and which did not."""
    async with take(cinema.settings, cinema.url("/watch"), cinema.folder, proxy=cinema.proxy) as found:
        content = await asyncio.to_thread(found.video.read_bytes)
        return content, [one.language for one in found.subtitles], found.left_out


@pytest.mark.parametrize("status", [404, 403, 429])
async def test_a_video_comes_without_the_subtitles_that_its_platform_does_not_give(cinema: Cinema, status: int) -> None:
    cinema.host.answers["/en.vtt"] = answer(status=status)
    assert await taken(cinema) == (CLIP, ["de"], ("en",))
    assert [one.target for one in cinema.host.asked].count("/clip.mp4") <= 2, "once to look at it, and once to take it"


async def test_a_video_comes_with_all_that_are_to_be_had(cinema: Cinema) -> None:
    """The control."""
    cinema.host.answers["/en.vtt"] = answer(SUBTITLE, headers=VTT)
    assert await taken(cinema) == (CLIP, ["en", "de"], ())


async def test_however_many_are_lost_the_video_comes(cinema: Cinema) -> None:
    languages = [f"a{letter}" for letter in "abcdef"]
    cinema.host.answers["/watch"] = page("/clip.mp4", "".join(TRACKS.format(one, one) for one in languages))
    cinema.settings = replace(cinema.settings, subtitle_languages=tuple(languages))
    assert await taken(cinema) == (CLIP, [], tuple(languages))


async def test_what_the_host_of_subtitles_answers_is_not_taken_for_what_that_of_the_video_did(cinema: Cinema) -> None:
    cinema.host.answers |= {"/en.vtt": answer(status=503), "/clip.mp4": answer(status=404)}
    with pytest.raises(Failure) as caught:
        await taken(cinema)
    assert caught.value.code == "http_404"

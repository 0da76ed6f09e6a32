"""A video is kept as any image is, with a poster and a preview; and what its page keeps beside it is kept too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from contracts.jobs import JobCompleted, JobFailed
from contracts.media import DescribeMedia, FetchMedia, MediaDescribed, MediaRejected, MediaStored
from services.media import library
from services.media.downloads import Pages, Platforms, Taken
from services.media.handlers import describe_media, fetch_media
from services.media.library import Library
from services.media.store.blobs import CONDEMNED_HOURS
from shared.errors import Refused, TryAgain
from shared.objects import ObjectStore
from tests.living import House, lineage, until
from tests.media.films import film
from tests.media.parts import LIMITS, library_before
from tests.shared.strangers import Stranger, answer

FILM = film(frames=30)
SOUND = b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42" + bytes(range(256)) * 10
WORDS = b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"
PAGE = (
    b"<html><head><title>A day at sea</title></head><body><video>"
    b"<source src='/film.mp4' type='video/mp4'><track kind='subtitles' srclang='en' src='/en.vtt'></video>"
)
MASTER = (
    "#EXTM3U\n"
    '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",DEFAULT=YES,URI="/sound.m3u8"\n'
    '#EXT-X-STREAM-INF:BANDWIDTH=100000,CODECS="avc1.64001f",RESOLUTION=160x96,AUDIO="a"\n/picture.m3u8\n'
)


def playlist(segment: str) -> bytes:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{segment}\n#EXT-X-ENDLIST\n".encode()


@dataclass
class Archive:
    house: House
    host: Stranger
    library: Library
    objects: ObjectStore

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.host.port}{path}"

    async def fetch(self, path: str, **wish: Any) -> list[Any]:
        return await self.obeyed(FetchMedia(**lineage(**wish), url=self.url(path)))

    async def refusal(self, path: str) -> str:
        with pytest.raises(Refused) as caught:
            await self.library.hold_link(self.url(path), lambda _share, _stage: None)
        return caught.value.code

    async def obeyed(self, command: Any) -> list[Any]:
        """Have a command worked on; give what was said, the end of the job last."""
        said = await self.house.obeyed(command)
        ends = JobCompleted | JobFailed
        return [one for one in said if isinstance(one, MediaStored | MediaDescribed | MediaRejected | ends)]


@pytest.fixture
async def archive(house: House, tmp_path: Path) -> AsyncIterator[Archive]:
    platforms = Platforms(
        extractors=("generic", "html5"), format="bv*,ba", subtitle_languages=("en",), deadline_seconds=30
    )
    works = {FetchMedia: fetch_media, DescribeMedia: describe_media}
    async with (
        Stranger() as host,
        library_before(host, house, tmp_path, limits=replace(LIMITS, platforms=platforms)) as (own, objects),
        house.worker("media", works=works, crafts={"library": own}),
    ):
        host.otherwise = answer(status=404)
        yield Archive(house, host, own, objects)
    assert left_in(tmp_path) == []


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_a_linked_video_is_stored_with_its_pictures_and_makes_no_map(archive: Archive) -> None:
    archive.host.answers["/film.mp4"] = answer(FILM)
    stored, described, ended = await archive.fetch("/film.mp4", pipeline=("depth",))

    assert (stored.content_type, stored.width_px, stored.height_px) == ("video/mp4", 160, 96)
    assert stored.original_key.endswith(".mp4")
    assert stored.video.video_codec == "h264"
    assert stored.video.duration_seconds == pytest.approx(1.5, abs=0.1)
    assert stored.video.tracks == ()
    assert stored.pipeline == ()
    assert [rendition.name for rendition in stored.renditions] == ["250", "1440", "preview"]
    assert await archive.objects.get(stored.original_key) == FILM
    for rendition in stored.renditions:
        assert (await archive.objects.get(rendition.key))[8:12] == b"WEBP"
    assert described.palette
    assert isinstance(ended, JobCompleted)


async def test_the_video_of_a_page_is_stored_with_its_subtitles_and_its_title(archive: Archive) -> None:
    archive.host.answers |= {
        "/watch": answer(PAGE, headers=[("Content-Type", "text/html")]),
        "/film.mp4": answer(FILM, headers=[("Content-Type", "video/mp4")]),
        "/en.vtt": answer(WORDS, headers=[("Content-Type", "text/vtt")]),
    }
    stored, _, _ = await archive.fetch("/watch")

    assert str(stored.context.title).startswith("A day at sea")
    (track,) = stored.video.tracks
    assert (track.kind, track.language, track.content_type) == ("subtitles", "en", "text/vtt")
    assert await archive.objects.get(track.key) == WORDS


async def test_sound_that_is_kept_apart_is_kept_too_and_goes_with_its_video(archive: Archive) -> None:
    page = b"<html><title>Sea</title><video><source src='/all.m3u8' type='application/x-mpegURL'></video>"
    archive.host.answers |= {
        "/watch": answer(page, headers=[("Content-Type", "text/html")]),
        "/all.m3u8": answer(MASTER.encode(), headers=[("Content-Type", "application/x-mpegURL")]),
        "/picture.m3u8": answer(playlist("/film.mp4")),
        "/sound.m3u8": answer(playlist("/sound.m4a")),
        "/film.mp4": answer(FILM),
        "/sound.m4a": answer(SOUND),
    }
    stored, *_ = await archive.fetch("/watch")

    assert await archive.objects.get(stored.original_key) == FILM
    (track,) = stored.video.tracks
    assert track.kind == "audio"
    assert await archive.objects.get(track.key) == SOUND

    await archive.house.admin.execute("UPDATE media.assets SET deleted_at = now()")
    await archive.house.admin.execute(
        "UPDATE media.blobs SET asset_count = 0, condemned_at = now() - $1 * interval '2 hours'", CONDEMNED_HOURS
    )
    await archive.library._collect_page()
    keys = [stored.original_key, track.key, *(rendition.key for rendition in stored.renditions)]
    assert [await archive.objects.exists(key) for key in keys] == [False] * 5


async def test_who_breaks_off_where_subtitles_are_stored_leaves_what_the_next_one_finishes(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    archive.host.answers["/watch"] = answer(PAGE, headers=[("Content-Type", "text/html")])
    folder = tmp_path_factory.mktemp("taken")
    video, audio = folder / "film.mp4", folder / "sound.m4a"
    await asyncio.to_thread(video.write_bytes, FILM)
    await asyncio.to_thread(audio.write_bytes, SOUND)
    put_once, broken = archive.objects.put_once, []

    async def breaks_off(key: str, *content: Any, **options: Any) -> Any:
        if not key.startswith("media/tracks/") or len(broken) > 1:
            return await put_once(key, *content, **options)
        broken.append(key)
        if len(broken) > 1:
            await put_once(key, *content, **options)
        raise ZeroDivisionError

    monkeypatch.setattr(library, "take", lambda *_, **__: nullcontext(Taken(video, audio)))
    monkeypatch.setattr(archive.objects, "put_once", breaks_off)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await archive.library.hold_link(archive.url("/watch"), lambda _share, _stage: None)
        assert await archive.house.value("SELECT count(*) FROM media.blobs") == 0
    held = await archive.library.hold_link(archive.url("/watch"), lambda _share, _stage: None)
    assert [track["key"] for track in held.facts["video"]["tracks"]] * 2 == broken
    assert await archive.objects.get(broken[0]) == SOUND


async def test_yt_dlp_is_told_the_one_spelling_of_a_page_and_of_pages_of_platforms_alone(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.host.answers |= {
        "/page": answer(b"<html><p>Nothing moves.", headers=[("Content-Type", "text/html")]),
        "/closed": answer(status=403),
        "/absent": answer(status=404),
    }
    told: list[str] = []

    def take(_platforms: Platforms, url: str, *_: Any, **__: Any) -> Any:
        told.append(url)
        raise Refused("video_missing", "None.")

    monkeypatch.setattr(library, "take", take)
    smuggled = "#__youtubedl_smuggle=%7B%22to_generic%22%3A1%7D"
    assert await archive.refusal(f"/page{smuggled}") == await archive.refusal("/closed") == "video_missing"
    assert await archive.refusal("/absent") == "http_404"
    assert told == [archive.url("/page"), archive.url("/closed")]

    async with Pages(("vimeo",)) as pages:
        archive.library._pages = pages
        assert await archive.refusal("/page") == "web_page_not_image"
    assert len(told) == 2


async def test_videos_that_wait_leave_places_for_images(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.host.answers["/page"] = answer(b"<html><p>", headers=[("Content-Type", "text/html")])
    go_on = asyncio.Event()

    @asynccontextmanager
    async def take(*_: Any, **__: Any) -> AsyncIterator[Any]:
        await go_on.wait()
        raise Refused("video_missing", "None.")
        yield

    monkeypatch.setattr(library, "take", take)
    waiting = [asyncio.create_task(archive.refusal("/page")) for _ in range(8)]

    async def all_wait() -> bool:
        return archive.library._in_line == len(waiting)

    await until(all_wait)
    with pytest.raises(TryAgain) as caught:
        await archive.library.hold_link(archive.url("/page"), lambda _share, _stage: None)
    assert (caught.value.code, caught.value.rate_limited) == ("videos_in_line", True)
    go_on.set()
    assert await asyncio.gather(*waiting) == ["video_missing"] * 8
    assert await archive.refusal("/page") == "video_missing"


async def test_a_page_without_a_video_is_refused_as_what_it_is(archive: Archive) -> None:
    archive.host.answers["/page"] = answer(b"<html><p>Nothing moves.", headers=[("Content-Type", "text/html")])
    rejected, ended = await archive.fetch("/page")
    assert isinstance(rejected, MediaRejected)
    assert isinstance(ended, JobFailed)
    assert rejected.code == ended.code == "web_page_not_image"


async def test_a_hostile_video_is_rejected_and_the_worker_goes_on(archive: Archive) -> None:
    archive.host.answers |= {"/half.mp4": answer(FILM[: len(FILM) // 2]), "/film.mp4": answer(FILM)}
    rejected, _ = await archive.fetch("/half.mp4")
    assert rejected.code == "video_corrupt"
    *_, ended = await archive.fetch("/film.mp4")
    assert isinstance(ended, JobCompleted)


async def test_a_video_is_described_again_by_its_poster(archive: Archive) -> None:
    archive.host.answers["/film.mp4"] = answer(FILM)
    stored, first, _ = await archive.fetch("/film.mp4")
    again, _ = await archive.obeyed(DescribeMedia(**lineage(), asset_id=stored.asset_id))
    assert (again.palette, again.perceptual_hash) == (first.palette, first.perceptual_hash)
    assert again.subject_version == first.subject_version + 1

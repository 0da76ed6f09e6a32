"""Videos taken from pages by yt-dlp: what comes, what it is refused for, and how soon it is gone when told to."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from services.media.downloads import Platforms, platforms, take
from shared.addresses import Policy
from shared.errors import Failure, Refused, TryAgain
from shared.fetch import Proxy
from shared.sandbox.confinement import landlock_version
from tests.shared.outer_world import INNER_NAMES, NAMES, corpus_urls
from tests.shared.strangers import PUBLIC_ADDRESS, Stranger, StubResolver, answer, diverting, redirect

CLIP = b"\0\0\0\x18ftypisom\0\0\0\0isomavc1" + bytes(range(256)) * 400
SUBTITLE = b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"
SETTINGS = Platforms(extractors=("generic", "html5"), format="b/bv*,ba", deadline_seconds=30, max_bytes=1_000_000)
MP4 = [("Content-Type", "video/mp4")]


def page(source: str, more: str = "") -> bytes:
    html = f"<html><head><title>A cat</title></head><body><video>{more}<source src='{source}' type='video/mp4'></video>"
    return answer(html.encode(), headers=[("Content-Type", "text/html")])


@dataclass
class Cinema:
    """One host with pages and clips, and the folder that videos from it go to."""

    host: Stranger
    folder: Path
    settings: Platforms = SETTINGS
    allow: frozenset[tuple[str, int]] = frozenset()
    proxies: list[Proxy] = field(default_factory=list)
    heard: list[tuple[int, int | None]] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.host.port}{path}"

    def proxy(self, max_bytes: int) -> Proxy:
        self.proxies.append(Proxy(Policy(allow=self.allow), max_bytes=max_bytes))
        return self.proxies[-1]

    async def take(self, path: str, **changes: Any) -> tuple[bytes, dict[str, Any]]:
        wanted = take(
            replace(self.settings, **changes),
            self.url(path),
            self.folder,
            proxy=self.proxy,
            progress=lambda received, total: self.heard.append((received, total)),
        )
        async with wanted as taken:
            content = await asyncio.to_thread(taken.video.read_bytes)
            return content, dict(taken.facts)

    async def failure(self, path: str, **changes: Any) -> Failure:
        with pytest.raises(Failure) as caught:
            await self.take(path, **changes)
        return caught.value

    def left_over(self) -> list[Path]:
        return list(self.folder.iterdir())


@pytest.fixture
async def cinema(tmp_path: Path) -> AsyncIterator[Cinema]:
    async with Stranger() as host:
        host.otherwise = answer(status=404)
        yield Cinema(host, tmp_path, allow=frozenset({("127.0.0.1", host.port)}))


async def test_the_video_of_a_page_comes_through_the_proxy_with_what_its_page_says_and_is_heard_of(
    cinema: Cinema,
) -> None:
    cinema.host.answers |= {"/watch": page("/clip.mp4"), "/clip.mp4": answer(CLIP, headers=MP4)}
    content, facts = await cinema.take("/watch")

    assert content == CLIP
    assert cinema.heard
    assert all(total == len(CLIP) for _, total in cinema.heard)
    assert str(facts["title"]).startswith("A cat")
    (proxy,) = cinema.proxies
    assert proxy.received_bytes > len(CLIP)
    assert (proxy.refused, proxy.overrun) == ([], False)
    assert cinema.left_over() == []


ATTACKS = [
    *(url for url in corpus_urls("block") if not url.startswith("data:")),  # that has all it leads to in itself
    *(f"http://{name}/" for name in INNER_NAMES),
    *("http://127.0.0.1/", "https://[::ffff:169.254.169.254]/", "http://example.com:22/"),
    *("file:///etc/passwd", "ftp://127.0.0.1/clip.mp4", "rtmp://127.0.0.1/clip"),
]
ALL_IN_TURN = """
import os
import services.media.downloads.extracting as e
one, program, kept, failed = e.fetch, e.yt_dlp.YoutubeDL, [], []
def once(parameters):
    kept.append(kept[0] if kept else program(parameters))
    return kept[0]
def fetch(order):
    for url in json.loads(order['url']):
        try: one({**order, 'url': url})
        except e.yt_dlp.utils.YoutubeDLError as error: failed.append(type(error).__name__)
    came = os.listdir(order['folder'])
    e.Path(order['folder'], 'x').write_text('x')
    e._say({'done': {'files': [{'name': 'x'}], 'facts': {'asked': len(kept), 'came': came, 'failed': failed}}})
e.yt_dlp.YoutubeDL, e.fetch = once, fetch
"""


async def all_in_turn(attacks: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], Stranger]:
    """Have one program ask for each place, and be led there in each way; give what was dialled, and the host."""
    monkeypatch.setattr(platforms, "_PROGRAM", platforms._PROGRAM.replace("main()", f"{ALL_IN_TURN}main()"))
    dialled: list[str] = []
    async with Stranger() as host:
        host.otherwise = answer(status=404)
        pages = {f"/moved/{number}": redirect(f"{place}?moved") for number, place in enumerate(attacks[::2])}
        pages |= {f"/page/{number}": page(f"{place}?named") for number, place in enumerate(attacks[1::2])}
        for number, place in enumerate(attacks[::10]):
            pages[f"/clip/{number}"] = page(f"/sent/{number}")
            host.answers[f"/sent/{number}"] = redirect(f"{place}?sent")
        host.answers |= pages
        turning = ["http://turning.example/"] * 3
        urls = [*attacks, *turning, *(f"http://example.com{path}" for path in pages)]
        names = NAMES | {"turning.example": [PUBLIC_ADDRESS]}
        resolver = StubResolver(names, {"turning.example": ["127.0.0.1"]})
        opening = diverting(host.port, dialled)
        wanted = take(
            replace(SETTINGS, max_bytes=50_000_000, deadline_seconds=120),
            json.dumps(urls),
            folder,
            proxy=lambda size: Proxy(Policy(), max_bytes=size, resolver=resolver, open_socket=opening),
        )
        async with wanted as taken:
            assert taken.facts["asked"] == len(urls)
            assert taken.facts["came"] == []
            assert len(taken.facts["failed"]) == len(urls), "nothing was taken"
        assert {one.target for one in host.asked} >= set(host.answers), "each page was asked for"
    return dialled, host


async def test_no_attack_of_the_table_reaches_the_trap_through_yt_dlp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialled, _ = await all_in_turn(ATTACKS, tmp_path, monkeypatch)
    assert set(dialled) == {PUBLIC_ADDRESS}


async def test_where_nobody_judges_each_way_leads_to_the_trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    monkeypatch.setattr(Policy, "check_address", lambda *_: None)
    dialled, trap = await all_in_turn(["http://inner.example/"] * 2, tmp_path, monkeypatch)
    assert set(dialled) == {PUBLIC_ADDRESS, "127.0.0.1"}
    ways = {one.target for one in trap.asked if one.headers["host"] == "inner.example"}
    assert ways == {"/", "/?moved", "/?named", "/?sent"}


async def test_a_page_of_a_platform_that_is_not_allowed_is_refused_unseen(cinema: Cinema) -> None:
    cinema.host.answers["/watch"] = page("/clip.mp4")
    failure = await cinema.failure("/watch", extractors=("vimeo",))
    assert failure.code == "platform_not_supported"
    assert cinema.host.connections == 0


async def test_a_video_that_is_too_large_is_refused_also_where_its_size_is_not_told(cinema: Cinema) -> None:
    cinema.host.answers |= {
        "/watch": page("/clip.mp4"),
        "/clip.mp4": answer(CLIP, headers=MP4),
        "/endless": page("/long.mp4"),
        "/long.mp4": answer(CLIP * 20, headers=MP4, declared=False),
    }
    assert (await cinema.failure("/watch", max_bytes=50_000)).code == "body_too_large"
    assert (await cinema.failure("/endless")).code == "body_too_large"
    assert cinema.left_over() == []


@pytest.mark.parametrize(("status", "kind"), [(404, Refused), (503, TryAgain)])
async def test_what_the_platform_answers_is_the_code(cinema: Cinema, status: int, kind: type[Failure]) -> None:
    cinema.host.answers["/watch"] = answer(status=status)
    failure = await cinema.failure("/watch")
    assert isinstance(failure, kind)
    assert failure.code == f"http_{status}"


async def test_a_video_that_takes_too_long_is_given_up(cinema: Cinema) -> None:
    cinema.host.hangs.add("/watch")
    started = time.monotonic()
    failure = await cinema.failure("/watch", deadline_seconds=3)
    assert failure.code == "fetch_timeout"
    assert time.monotonic() - started < 6
    assert cinema.left_over() == []


async def test_a_cancel_ends_the_program_within_three_seconds_and_leaves_nothing(cinema: Cinema) -> None:
    cinema.host.hangs.add("/watch")
    taking = asyncio.create_task(cinema.take("/watch"))
    await cinema.host.until(lambda: len(cinema.host.asked) == 1)
    (pid,) = programs()

    assert await seconds_to_end(taking) < 3
    assert not lives(pid)
    assert cinema.left_over() == []


async def test_a_program_that_ignores_being_told_to_end_is_killed_with_all_it_started(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    told = tmp_path_factory.mktemp("told") / "pids"
    monkeypatch.setattr(
        platforms,
        "_PROGRAM",
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "other = os.fork()\n"
        f"other and open({str(told)!r}, 'w').write(f'{{os.getpid()}} {{other}} ')\n"
        "time.sleep(600)",
    )
    taking = asyncio.create_task(cinema.take("/watch"))
    pids = await pids_in(told)

    assert await seconds_to_end(taking) < 3
    await until(lambda: not any(map(lives, pids)))


async def test_a_program_that_was_taken_over_names_no_file_outside_its_folder(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = tmp_path.parent / "secret.mp4"
    await asyncio.to_thread(secret.write_bytes, CLIP)
    for name in (f"../../{secret.name}", str(secret), "link.mp4", "..", "\0"):
        monkeypatch.setattr(platforms, "_PROGRAM", forging(name, secret))
        assert (await cinema.failure("/watch")).code == "platform_failed"


async def test_a_program_that_fills_the_disk_is_ended(cinema: Cinema, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        platforms,
        "_PROGRAM",
        "import json, sys, time\n"
        "order = json.loads(sys.stdin.readline())\n"
        "for number in range(30): open(f\"{order['folder']}/{number}\", 'wb').write(bytes(100_000))\n"
        "time.sleep(600)",
    )
    assert (await cinema.failure("/watch")).code == "body_too_large"
    assert cinema.left_over() == []


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (SUBTITLE, True),
        (b"\xef\xbb\xbf" + SUBTITLE, True),
        (b"<html><script>", False),
        (b"WEBVTT\n\0", False),
        (b"WEBVTT\n\xff\xfe", False),
        (SUBTITLE * 120_000, False),
    ],
    ids=["subtitles", "with a mark", "a page", "with a zero", "no text", "too many"],
)
async def test_subtitles_are_kept_only_where_they_are_such(
    cinema: Cinema,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    content: bytes,
    kept: bool,
) -> None:
    words = tmp_path_factory.mktemp("told") / "words"
    await asyncio.to_thread(words.write_bytes, content)
    said = {"files": [{"name": "x.mp4"}], "subtitles": [{"name": "x.en.vtt", "language": "en"}]}
    monkeypatch.setattr(
        platforms,
        "_PROGRAM",
        "import json, pathlib, sys\n"
        "folder = pathlib.Path(json.loads(sys.stdin.readline())['folder'])\n"
        "(folder / 'x.mp4').write_text('x')\n"
        f"(folder / 'x.en.vtt').write_bytes(pathlib.Path({str(words)!r}).read_bytes())\n"
        f"print({json.dumps({'done': said})!r})",
    )
    settings = replace(SETTINGS, max_bytes=10_000_000)
    async with take(settings, cinema.url("/watch"), cinema.folder, proxy=cinema.proxy) as taken:
        assert [one.language for one in taken.subtitles] == ["en"] * kept


@pytest.mark.skipif(landlock_version() < 4, reason="this kernel has no Landlock")
async def test_the_program_can_connect_to_the_proxy_alone_and_write_to_its_folder_alone(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with Stranger() as trap:
        outside = tmp_path.parent / "written"
        monkeypatch.setattr(
            platforms,
            "_PROGRAM",
            platforms._PROGRAM.replace(
                "main()",
                "import services.media.downloads.extracting as e\n"
                "def fetch(order):\n"
                "    import socket, sys\n"
                "    def tries(what):\n"
                "        try: what()\n"
                "        except PermissionError: return 'kept'\n"
                "        return 'done'\n"
                "    import resource\n"
                f"    trap = lambda: socket.create_connection(('127.0.0.1', {trap.port}))\n"
                "    proxy = lambda: socket.create_connection(('127.0.0.1', order['proxy_port']))\n"
                f"    outside = lambda: open({str(outside)!r}, 'w')\n"
                "    inside = lambda: open(order['folder'] + '/x', 'w').write('x')\n"
                "    outcome = [tries(one) for one in (trap, proxy, outside, inside)]\n"
                "    outcome += resource.getrlimit(resource.RLIMIT_NPROC)\n"
                "    e._say({'done': {'files': [{'name': 'x'}], 'facts': {'title': outcome}}})\n"
                "e.fetch = fetch\n"
                "main()",
            ),
        )
        _, facts = await cinema.take("/watch")
        assert facts["title"] == ["kept", "done", "kept", "done", 0, 0]
        assert trap.connections == 0


def forging(name: str, secret: Path) -> str:
    return (
        "import json, os, sys\n"
        "order = json.loads(sys.stdin.readline())\n"
        f"os.symlink({str(secret)!r}, order['folder'] + '/link.mp4')\n"
        f"print(json.dumps({{'done': {{'files': [{{'name': {name!r}}}]}}}}))"
    )


def programs() -> list[int]:
    """The programs that this very process runs."""
    own = f"/proc/{os.getpid()}/task/{os.getpid()}/children"
    children = [int(pid) for pid in Path(own).read_text().split()]
    return [pid for pid in children if b"extracting" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def seconds_to_end(taking: asyncio.Task[Any]) -> float:
    started = time.monotonic()
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    return time.monotonic() - started


async def pids_in(path: Path) -> list[int]:
    def read() -> list[int]:
        return [int(pid) for pid in path.read_text().split()] if path.exists() else []

    await until(lambda: len(read()) == 2)
    return read()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)

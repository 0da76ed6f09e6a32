"""A page takes no more than it may, and whatever becomes of it, nothing of its browser is left."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.scraper.rendering import devtools, loading, tab
from services.scraper.rendering.browser import Browser
from services.scraper.rendering.devtools import Devtools
from services.scraper.rendering.keeper import TOO_HEAVY
from services.scraper.rendering.renderer import IN_LINE_PER_PLACE, Renderer
from services.scraper.rendering.tab import Tab
from shared.addresses import Policy
from shared.errors import Refused, TryAgain
from shared.fetch import Fetched, Proxy
from shared.guarding import descendants
from tests.living import until
from tests.scraper.rendering.windows import LIMITS, commands_with, needs_chromium, open_folder, window
from tests.scraper.site import Site

PAGE = Fetched("http://a.example/", "http://a.example/", 200, {}, "text/html", None, 0, "", b"", b"")
ENDLESS = "<img src=/a.png><script>for (;;);</script>"
# Not quiet before it is refused, however slow the machine is: its script does not end.
GREEDY = """<script>
const kept = []; while (kept.length < 64) kept.push(new Uint8Array(32 << 20).fill(kept.length + 1)); for (;;);
</script>"""
SPAWNS = """
import asyncio, sys
from pathlib import Path
from services.scraper.rendering.browser import browsing, find_browser
from shared.addresses import Policy
from shared.fetch import Proxy

async def main():
    async with Proxy(Policy(), max_bytes=1) as proxy:
        scratch = Path(sys.argv[1])
        async with browsing(find_browser(None), proxy, scratch, user_agent="x", memory_bytes=2**30) as browser:
            listening = asyncio.create_task(browser.devtools.listen())
            await browser.devtools.send("Target.createTarget", url="about:blank")
            print("ready", flush=True)
            await listening

asyncio.run(main())
"""


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        yield site


@needs_chromium
async def test_a_page_that_never_ends_is_given_up_and_its_browser_killed(site: Site) -> None:
    site.say("/", ENDLESS)
    async with window(site, replace(LIMITS, seconds=3)) as shown:
        began_at = time.monotonic()
        with pytest.raises(TryAgain, match="render_timeout"):
            await shown.images()
        assert time.monotonic() - began_at < 3 + 3
        assert shown.left_over() == []


@needs_chromium
async def test_a_page_that_is_never_quiet_gives_what_it_has_by_then(site: Site) -> None:
    site.say("/", "<img src=/a.png><script>setInterval(() => fetch('/news'), 50)</script>")
    async with window(site, replace(LIMITS, settle_seconds=1)) as shown:
        assert await shown.images() == ["/a.png"]
        assert site.times_asked("/news") <= 200


@needs_chromium
async def test_a_page_that_takes_brings_builds_or_tries_too_much_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tab, "HTML_LIMIT_CHARACTERS", 100_000)
    monkeypatch.setattr(loading, "TRIED_LIMIT", 300)
    site.say("/greedy", GREEDY)
    site.say("/bulky", "<script src=/huge.js></script>")
    site.say("/huge.js", b"//" + b"x" * 300_000, content_type="text/javascript")
    site.say("/long", "<img name=documentElement><script>document.body.append('x'.repeat(200_000))</script>")
    site.say("/restless", "<script>setInterval(() => { for (let i = 0; i < 9; i++) fetch('/' + i) }, 1)</script>")
    codes = {
        "/greedy": "page_too_heavy",
        "/bulky": "page_too_heavy",
        "/long": "body_too_large",
        "/restless": "page_too_heavy",
    }
    limits = replace(LIMITS, at_once=len(codes), memory_bytes=700 * 1024 * 1024, max_bytes=100_000)
    async with window(site, limits) as shown:
        came = await asyncio.gather(*map(shown.images, codes), return_exceptions=True)
        assert [getattr(error, "code", error) for error in came] == list(codes.values())
        assert shown.left_over() == []


async def test_a_browser_that_tells_of_more_than_we_hear_is_not_heard_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devtools, "HEARD_LIMIT_BYTES", 1000)
    said, heard = asyncio.StreamReader(), list[str]()
    devtools_of_it = Devtools(said, lambda _: asyncio.sleep(0))
    devtools_of_it.hear = lambda _session, event, _told: heard.append(event)
    said.feed_data(b'{"method": "Network.dataReceived"}\0' * 100)
    with pytest.raises(Refused, match="page_too_heavy"):
        await devtools_of_it.listen()
    assert 0 < len(heard) < 30


async def test_a_browser_that_was_ended_for_what_its_page_needs_is_told_so_whoever_waited_for_an_answer() -> None:
    said = asyncio.StreamReader()
    browser = Browser(Devtools(said, lambda _: asyncio.sleep(0)), notes=[TOO_HEAVY])
    browser.ended.set()
    async with Proxy(Policy(), max_bytes=1) as proxy:
        shown_in = Tab(browser.devtools, proxy, nobody, nobody)
        renderer = Renderer(None, "x", lambda _bytes, _connections: proxy, limits=LIMITS)
        browser.devtools.hear = shown_in._hear
        showing = asyncio.create_task(renderer._shown(browser, shown_in, PAGE))
        shown_in._begin(shown_in._dismiss())
        await asyncio.sleep(0)
        said.feed_eof()
        with pytest.raises(Refused, match="page_too_heavy"):
            await showing


async def nobody(_url: str) -> Any:
    raise AssertionError("nobody asks")


@needs_chromium
async def test_a_cancelled_page_is_gone_within_three_seconds_and_one_whose_renderer_dies_is_refused(site: Site) -> None:
    for name in ("one", "two"):
        site.say(f"/{name}", f"<script src=/{name}.js></script><script>for (;;);</script>")
    async with window(site) as shown:
        cancelled, other = (asyncio.create_task(shown.images(path)) for path in ("/one", "/two"))
        await until(lambda: asyncio.sleep(0, site.times_asked("/one.js") and site.times_asked("/two.js")))
        began_at = time.monotonic()
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert time.monotonic() - began_at < 3
        assert len(shown.left_over()) > 3  # of the other one
        for pid in descendants() & {int(command.split()[0]) for command in commands_with("--type=renderer")}:
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(Refused, match="page_too_heavy"):
            await other
        assert shown.left_over() == []


@needs_chromium
async def test_a_browser_ends_and_leaves_nothing_where_its_service_or_its_keeper_is_killed() -> None:
    async with asyncio.TaskGroup() as both:
        both.create_task(kill(lambda service, _: service))
        both.create_task(kill(lambda _, keeper: keeper))


async def kill(victim: Callable[[int, int], int]) -> None:
    with open_folder() as scratch:
        service = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SPAWNS, str(scratch)),
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert service.stdout
        assert await service.stdout.readline() == b"ready\n"
        assert [*scratch.iterdir()]
        (keeper,) = (command.split()[0] for command in commands_with(f"{scratch}/") if "keeper import" in command)
        os.kill(victim(service.pid, int(keeper)), signal.SIGKILL)
        await service.wait()

        async def is_gone() -> bool:
            # Its folder goes last: to look through all processes meanwhile would take the time that they need to end.
            return not any(scratch.iterdir()) and not any(commands_with(f"{scratch}/"))

        await until(is_gone, seconds=3)


async def test_who_would_have_to_wait_behind_too_many_is_asked_for_patience(site: Site) -> None:
    site.say("/robots.txt", "", content_type="text/plain")
    held = asyncio.Event()

    async def hold(_: str) -> None:
        await held.wait()
        raise Refused("not_a_page", "It is none.")

    async with window(site, replace(LIMITS, at_once=1), program=Path("/nowhere/chromium")) as shown:
        show: Any = shown.renderer.show
        line = [asyncio.create_task(show(site.origin, hold, None)) for _ in range(IN_LINE_PER_PLACE)]
        await asyncio.sleep(0)
        with pytest.raises(TryAgain, match="renderers_busy") as busy:
            await show(site.origin, hold, None)
        assert busy.value.rate_limited
        held.set()
        assert {type(error) for error in await asyncio.gather(*line, return_exceptions=True)} == {Refused}

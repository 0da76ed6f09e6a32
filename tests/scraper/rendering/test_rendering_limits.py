"""A page takes no more than it may, and whatever becomes of it, nothing of its browser is left."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.scraper.rendering.renderer import Limits
from shared.errors import Refused, TryAgain
from tests.living import until
from tests.scraper.rendering.windows import commands_with, needs_chromium, open_folder, window
from tests.scraper.site import Site

LIMITS = Limits(seconds=40, settle_seconds=20)
ENDLESS = "<img src=/a.png><script>for (;;);</script>"
GREEDY = """<script>
const kept = []; setInterval(() => kept.push(new Uint8Array(32 << 20).fill(kept.length + 1)), 5)
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
    async with window(site, replace(LIMITS, seconds=4)) as shown:
        began_at = time.monotonic()
        with pytest.raises(TryAgain, match="render_timeout"):
            await shown.images()
        assert time.monotonic() - began_at < 4 + 3
        assert shown.left_over() == []


@needs_chromium
async def test_a_page_that_is_never_quiet_gives_what_it_has_by_then(site: Site) -> None:
    site.say("/", "<img src=/a.png><script>setInterval(() => fetch('/news'), 50)</script>")
    async with window(site, replace(LIMITS, settle_seconds=2)) as shown:
        assert await shown.images() == ["/a.png"]
        assert site.times_asked("/news") <= 200


@needs_chromium
async def test_a_page_that_takes_too_much_memory_or_brings_too_many_bytes_is_refused(site: Site) -> None:
    site.say("/", GREEDY)
    async with window(site, replace(LIMITS, memory_bytes=700 * 1024 * 1024)) as shown:
        with pytest.raises(Refused, match="page_too_heavy"):
            await shown.images()
        assert shown.left_over() == []
    site.say("/", "<script src=/huge.js></script>")
    site.say("/huge.js", b"//" + b"x" * 300_000, content_type="text/javascript")
    async with window(site, replace(LIMITS, max_bytes=100_000)) as shown:
        with pytest.raises(Refused, match="page_too_heavy"):
            await shown.images()


@needs_chromium
async def test_a_cancelled_page_is_gone_within_three_seconds(site: Site) -> None:
    site.say("/", "<script src=/one.js></script><script>for (;;);</script>")
    async with window(site) as shown:
        task = asyncio.create_task(shown.images())
        await until(lambda: asyncio.sleep(0, site.times_asked("/one.js")))
        assert len(shown.left_over()) > 3
        began_at = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began_at < 3
        assert shown.left_over() == []


@needs_chromium
async def test_a_browser_ends_and_leaves_nothing_where_its_service_is_killed() -> None:
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
        service.send_signal(signal.SIGKILL)
        await service.wait()

        async def is_gone() -> bool:
            return not [*scratch.iterdir(), *commands_with(f"{scratch}/")]

        await until(is_gone, seconds=3)


async def test_who_would_have_to_wait_behind_too_many_is_asked_for_patience(site: Site) -> None:
    site.say("/robots.txt", "", content_type="text/plain")
    held = asyncio.Event()

    async def hold(_: str) -> None:
        await held.wait()
        raise Refused("not_a_page", "It is none.")

    async with window(site, program=Path("/nowhere/chromium")) as shown:
        line = [asyncio.create_task(shown.renderer.show(site.origin, hold)) for _ in range(8)]  # type: ignore[arg-type]
        await asyncio.sleep(0)
        with pytest.raises(TryAgain, match="renderers_busy") as busy:
            await shown.renderer.show(site.origin, hold)  # type: ignore[arg-type]
        assert busy.value.rate_limited
        held.set()
        assert {type(error) for error in await asyncio.gather(*line, return_exceptions=True)} == {Refused}

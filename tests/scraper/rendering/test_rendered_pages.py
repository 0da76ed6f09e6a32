"""What scripts build is read like any page, and costs its host little."""

from collections.abc import AsyncIterator

import pytest

from shared.errors import Refused
from tests.scraper.rendering.windows import needs_chromium, window
from tests.scraper.site import USER_AGENT, Site

pytestmark = needs_chromium

SCRIPT = "text/javascript"
WALL = "<title>Wall</title><link rel=stylesheet href=/wall.css><script src=/wall.js></script><main></main>"
BUILDS = """
addEventListener('load', async () => {
  const show = (src, more = {}) => document.body.append(Object.assign(new Image(), {src, alt: 'from a list', ...more}));
  const onerror = event => { event.target.src = '/broken.png' };
  for (const url of await (await fetch('/wall.json')).json()) show(url, {onerror});
  const far = document.createElement('img');
  Object.assign(far.style, {display: 'block', width: '300px', height: '300px', marginTop: '4000px'});
  document.body.append(far);
  new IntersectionObserver(seen => { if (seen.some(one => one.isIntersecting)) far.src = '/far.png' }).observe(far);
  document.title = navigator.userAgent;
  document.fonts.add(new FontFace('own', 'url(/own.woff2)')); document.fonts.load('1em own');
  alert('Subscribe!');
});
"""


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        yield site


async def test_images_that_scripts_bring_are_found_and_nothing_but_scripts_and_their_data_is_asked(site: Site) -> None:
    site.say("/", WALL, headers=[("Content-Security-Policy", "frame-src 'none'")])
    site.say("/wall.js", BUILDS, content_type=SCRIPT)
    site.say("/wall.css", "main { background: url(/back.png) }", content_type="text/css")
    site.say("/wall.json", '["/a.png", "/b.png"]', content_type="application/json")
    async with window(site) as shown:
        page = await shown.crawler.page(f"{site.origin}/", rendered=True)

        assert [image.url.removeprefix(site.origin) for image in page.images] == ["/a.png", "/b.png", "/far.png"]
        assert page.title == USER_AGENT
        assert sorted(site.asked) == ["/", "/robots.txt", "/wall.css", "/wall.js", "/wall.json"]
        assert site.agents == {USER_AGENT}
        assert shown.left_over() == []
        assert (await shown.crawler.page(f"{site.origin}/")).images == ()  # the control: without scripts there are none


async def test_where_scripts_go_on_to_is_asked_for_as_any_page_and_read_instead(site: Site) -> None:
    site.say("/", "<script>location.replace('/hall#top')</script><img src=/a.png>")
    site.say("/hall", status=301, headers=[("Location", "/great-hall")])
    site.say("/great-hall", "<img src=/b.png>")
    async with window(site) as shown:
        page = await shown.crawler.page(f"{site.origin}/", rendered=True)
        assert page.url == f"{site.origin}/great-hall"
        assert [image.url for image in page.images] == [f"{site.origin}/b.png"]
        assert site.asked == ["/robots.txt", "/", "/hall", "/great-hall"]


@pytest.mark.parametrize("script", ["location = '/closed'", "history.pushState({}, '', '/closed')"])
async def test_what_robots_txt_closes_is_read_by_no_script_either(site: Site, script: str) -> None:
    site.say("/robots.txt", "User-agent: *\nDisallow: /closed", content_type="text/plain")
    site.say("/", f"<script>{script}</script><img src=/a.png>")
    async with window(site) as shown:
        with pytest.raises(Refused, match="robots_disallowed"):
            await shown.images()
        with pytest.raises(Refused, match="robots_disallowed"):
            await shown.images("/closed")
        assert site.times_asked("/closed") == 0
        assert len(shown.proxies) == 1  # no browser was started for the second


async def test_a_page_that_sends_its_visitors_in_circles_ends(site: Site) -> None:
    site.say("/", "<script>setTimeout(() => location.reload(), 20)</script><img src=/a.png>")
    async with window(site) as shown:
        assert await shown.images() == ["/a.png"]
        assert site.times_asked("/") <= 6

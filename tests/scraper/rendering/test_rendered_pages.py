"""What scripts build is read like any page, and costs its host little."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from services.scraper.rendering.loading import DOCUMENT_LIMIT
from tests.scraper.rendering.windows import LIMITS, needs_chromium, window
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
  document.title = [navigator.userAgent, navigator.language, Intl.DateTimeFormat().resolvedOptions().timeZone];
  document.fonts.add(new FontFace('own', 'url(/own.woff2)')); document.fonts.load('1em own');
  alert('Subscribe!');
});
"""
ANNOYS = """<meta http-equiv=refresh content='50; url=/later'>
<link rel=prefetch href=/prefetched><link rel=manifest href=/manifest.json>
<script type=speculationrules>{"prefetch": [{"urls": ["/ahead"], "eagerness": "immediate"}],
  "prerender": [{"urls": ["/further"], "eagerness": "immediate"}]}</script>
<script>
  const click = fields => Object.assign(document.createElement('a'), fields).click();
  const frame = (fields, sandbox) => { const made = Object.assign(document.createElement('iframe'), fields);
    if (sandbox) made.setAttribute('sandbox', sandbox); document.body.append(made) };
  const leak = name => `<script>setInterval(() => fetch('${location.origin}/closed/${name}', {mode: 'no-cors'}), 50)</`
    + `script>`;
  const bothers = [
    () => addEventListener('beforeunload', event => event.preventDefault()),
    () => navigator.serviceWorker.register('/service.js').catch(() => {}),
    () => new Worker('/worker.js'), () => new SharedWorker('/shared.js'),
    () => Notification.requestPermission(), () => navigator.geolocation.getCurrentPosition(() => {}, () => {}),
    () => alert('Subscribe!'), () => confirm('Sure?'), () => prompt('Why?'), () => print(), () => open('/window'),
    () => click({href: '/saved.zip', download: 'saved.zip'}), () => click({href: 'mailto:somebody@example.com'}),
    () => frame({srcdoc: leak('framed')}), () => frame({srcdoc: leak('sandboxed')}, 'allow-scripts'),
    () => frame({src: 'data:text/html,' + leak('data')}),
    () => frame({src: 'data:text/html,' + leak('far')}, 'allow-scripts'),
    () => frame({src: URL.createObjectURL(new Blob([leak('blob')], {type: 'text/html'}))}, 'allow-scripts'),
    () => CSS.paintWorklet.addModule('/closed/paint.js').catch(() => {}), () => new EventSource('/closed/events'),
    () => new AudioContext().audioWorklet.addModule('/closed/sound.js').catch(() => {}),
    () => setInterval(() => { new Image().src = '/counted.png'; navigator.sendBeacon('/beacon', 'x') }, 50),
    () => setInterval(() => fetch('/closed/stream').catch(() => {}), 50), () => fetch('/news'),
  ];
  for (const bother of bothers) try { bother() } catch {}
</script>"""


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
        assert page.title == f"{USER_AGENT},en-US,UTC"
        assert sorted(site.asked) == ["/", "/robots.txt", "/wall.css", "/wall.js", "/wall.json"]
        assert site.agents == {USER_AGENT}
        assert shown.left_over() == []
        assert (await shown.crawler.page(f"{site.origin}/")).images == ()  # the control: without scripts there are none


async def test_a_page_that_bothers_its_visitors_is_read_as_soon_as_it_waits_for_nothing_that_it_may_have(
    site: Site,
) -> None:
    site.say("/robots.txt", "User-agent: *\nDisallow: /closed/", content_type="text/plain")
    site.say("/", f"<title>Loud</title><img src=/a.png>{ANNOYS}")
    site.say("/news", "{}", content_type="application/json")
    async with window(site, replace(LIMITS, seconds=200, settle_seconds=100)) as shown, asyncio.timeout(50):
        assert await shown.images() == ["/a.png"]
        assert sorted(site.asked) == ["/", "/news", "/robots.txt"]
        assert shown.left_over() == []


async def test_where_scripts_go_on_to_is_asked_for_as_any_page_and_read_instead_and_circles_end(site: Site) -> None:
    site.say("/", "<script>location.replace('/hall#top')</script><img src=/a.png>")
    site.say("/hall", status=301, headers=[("Location", "/great-hall")])
    goes_on = "location = '/archive'; setInterval(() => location.reload(), 200)"
    site.say("/great-hall", f"<img src=/b.png><script>{goes_on}</script>")
    site.say("/archive", b"PK", content_type="application/zip")
    async with window(site) as shown:
        page = await shown.crawler.page(f"{site.origin}/", rendered=True)
        assert page.url == f"{site.origin}/great-hall"
        assert [image.url for image in page.images] == [f"{site.origin}/b.png"]
        assert site.asked[:5] == ["/robots.txt", "/", "/hall", "/great-hall", "/archive"]
        assert len(site.asked) <= 4 + DOCUMENT_LIMIT


async def test_what_robots_txt_closes_is_read_by_no_script_either(site: Site) -> None:
    site.say("/robots.txt", "User-agent: *\nDisallow: /closed", content_type="text/plain")
    site.say("/goes", "<script>location = '/closed'</script><img src=/a.png>")
    site.say("/pretends", "<script>history.pushState({}, '', '/closed')</script><img src=/a.png>")
    async with window(site) as shown:
        paths = ("/goes", "/pretends", "/closed")
        came = await asyncio.gather(*map(shown.images, paths), return_exceptions=True)
        assert [getattr(error, "code", error) for error in came] == ["robots_disallowed"] * 3
        assert site.times_asked("/closed") == 0
        assert len(shown.proxies) == 2  # no browser was started for the last

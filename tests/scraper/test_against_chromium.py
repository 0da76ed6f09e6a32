"""What is found of a page is what a real browser loads of it, no less and nothing else."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

from services.scraper.extraction import Page, extract
from services.scraper.rules import canonical_url
from tests.gateway import browser
from tests.scraper.reading import CORPUS
from tests.scraper.site import Site

pytestmark = pytest.mark.skipif(browser.BINARY is None, reason="no Chromium is on the path")

SCREENS = ((1920, 1080, 2), (375, 800, 2))
"""Width, height, and dots for each CSS pixel."""

LOADED = frozenset(
    ("img", "srcset", "picture", "noscript", "preload", "poster", "background", "input", "svg", "object")
)
"""Where a browser finds what it loads, when it runs no scripts."""

STAND_INS = re.compile(r"/max/60/|[wh]_1,[wh]_1/|c_pad,w_100,|default-artist|(?:blank|grey|1x1\.trans)\.gif$")
"""What pages show until their scripts run: the true pictures are found instead."""

ROOM = b"""<!doctype html><head><link rel=preload as=image href=1.png><link rel=preload as=image media=print href=x.png>
<style>.a{background:url(2.png)} p.a{background:url(3.png)} .none{background:url(x.png)}
@media print{.a{background:url(x.png)}} i::before{content:'';background:url(4.png)} i::after{background:url(x.png)}
.b:hover{background:url(x.png)} @supports(display:grid){b{display:block;background:image-set('5.png' 2x,'6.png' 1x)}}
:is(html,nav) u{background:url(7.png)} s{background:url(x.png);background:none}</style></head>
<body background=8.png><p class=a>a<i>b</i><b>c</b><u>d</u><s>e</s></p><div class=a>f</div><div class=b>g</div>
<div background=x.png style="--later:url(x.png)">h</div><div style="display:none"><p class=a>i</p></div>
<img src=old.png srcset="9.png 400w, 10.png 4000w" sizes="(max-width: 600px) 100px, 100vw">
<img srcset="11.png 1.5x, x.png 1w 2x"><picture><source media=print srcset=x.png><source type=image/none srcset=x.png>
<source srcset=12.png><img src=old.png></picture>
<picture><source media="(max-width:600px)" srcset=13.png><img src=14.png><source srcset=x.png></picture>
<video poster=15.png></video><input type=image src=16.png><input src=x.png><svg><image href=17.png /></svg>
<object data=18.png type=image/png></object><noscript><img src=19.png></noscript><template><img src=x.png></template>
<table><tr background=20.png><td background=21.png>j</td></tr></table><img style="display:none" src=22.png>
"""


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[browser.Page]:
    """A tab that runs no scripts of pages."""
    async with browser.browsing(tmp_path / "profile") as tab:
        await tab.send("Emulation.setScriptExecutionDisabled", value=True)
        yield tab


async def loaded_by(tab: browser.Page, url: str) -> set[str]:
    loaded: set[str] = set()
    for width_px, height_px, density in SCREENS:
        await tab.open("about:blank")  # the page before would load more, were it shown on another screen
        await tab.until("location.href === 'about:blank'")
        tab.images.clear()
        screen = {"width": width_px, "height": height_px, "deviceScaleFactor": density, "mobile": False}
        await tab.send("Emulation.setDeviceMetricsOverride", **screen)
        await tab.open(url)
        await tab.until(f"location.href === {url!r} && document.readyState === 'complete'")
        loaded |= {name_of(image) for image in tab.images if image.startswith("http")}
    return loaded


def name_of(url: str) -> str:
    return canonical_url(url).partition(":")[2]


def names_of(page: Page) -> list[set[str]]:
    """Name the candidates of each image that a browser should load."""
    return [{name_of(url) for url in (one.url, *one.alternatives)} for one in page.images if one.found_in in LOADED]


async def test_a_browser_loads_what_is_found_of_a_page_that_knows_every_place(tab: browser.Page) -> None:
    async with Site() as site:
        site.say("/room.html", ROOM)
        url = f"{site.origin}/room.html"
        loaded = await loaded_by(tab, url)
        page = extract(ROOM, url=url)
    assert page.skipped == ()
    # What stands for old browsers and for plainer screens is remembered; an embedded image is a document of its own.
    remembered, embedded = name_of(f"{site.origin}/old.png"), name_of(f"{site.origin}/18.png")
    smaller = name_of(f"{site.origin}/6.png")
    assert loaded | {remembered, embedded, smaller} == set().union(*names_of(page))
    assert [names for names in names_of(page) if not names & (loaded | {embedded})] == []
    assert len(page.images) == 19


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of real pages lies outside the repository")
async def test_a_browser_loads_what_is_found_of_real_pages(tab: browser.Page) -> None:
    async with Site() as site:
        for path in sorted(CORPUS.glob("*.html")):
            html = path.read_bytes()
            url = f"{site.origin}/{path.name}"
            site.say(f"/{path.name}", html, content_type="text/html")
            loaded = await loaded_by(tab, url)
            page = extract(html, url=url)
            assert missed(page, loaded, url) == set(), path.name
            idle = [names for names in names_of(page) if not names & loaded]
            assert [names for names in idle if not any(_stands_for_a_drawing(name, html) for name in names)] == []


def missed(page: Page, loaded: set[str], url: str) -> set[str]:
    told = {name_of(known) for one in page.images for known in (one.url, *one.alternatives)}
    told |= {urljoin(url, one.url).partition(":")[2] for one in page.skipped}
    cut = tuple(one.url.partition(":")[2][:250] for one in page.skipped if one.url.endswith("…"))
    unheard = {name for name in loaded - told if not STAND_INS.search(name) and not name.endswith(".svg")}
    return {name for name in unheard if not (cut and name.startswith(cut))}


def _stands_for_a_drawing(name: str, html: bytes) -> bool:
    """Tell whether a browser shows a drawing instead, which is not rasterised here."""
    return bool(re.search(rb'type="image/svg\+xml"><img src="\w+:' + re.escape(name.encode()), html))

"""Real pages, and what other projects' own test results say of them."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import pytest

from services.scraper.extraction import Page, extract
from services.scraper.rules import canonical_url
from shared.errors import Refused
from tests.scraper.reading import ADDRESS, CORPUS, urls

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of real pages lies outside the repository")

EXCUSED: dict[tuple[str, str], str] = {
    ("metascraper_indiehackers", "author"): "who is quoted while the page loads; it names no author",
}
"""Where a golden result is not what the page says of itself, and what it is instead."""


def expectations() -> list[tuple[str, dict[str, str]]]:
    metascraper = [(path, _metascraper_golden(path)) for path in sorted(CORPUS.glob("*.expected.md"))]
    others = [(path, json.loads(path.read_text("utf-8"))) for path in sorted(CORPUS.glob("*.expected.json"))]
    return [(path.name.partition(".expected")[0], golden) for path, golden in (*metascraper, *others)]


def _metascraper_golden(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^ +(\w+): '(.*)',$", path.read_text("utf-8"), re.MULTILINE))


def page_of_corpus(name: str, address: str = ADDRESS) -> Page:
    return extract((CORPUS / f"{name}.html").read_bytes(), url=address)


def known_urls(page: Page) -> set[str]:
    return {url for image in page.images for url in (image.url, *image.alternatives)}


def plain(text: str) -> str:
    """Spell typography as the pages do; some golden texts were prettified and cut."""
    text = (
        text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("\N{HORIZONTAL ELLIPSIS}", "").replace("...", "")
    )
    return " ".join(text.split()).casefold()


@dataclass(frozen=True)
class Line:
    """One thing that a golden result names: what it says, what was found, and whether that agrees."""

    page: str
    thing: str
    expected: str
    found: str
    holds: bool
    excuse: str = ""


def compared(name: str, golden: dict[str, str]) -> Iterator[Line]:
    """Compare a page with its golden result, line by line; what the golden result leaves open has no line."""
    address = golden.get("url") or golden.get("canonical_url") or ADDRESS
    page = page_of_corpus(name, address if address.startswith("http") else f"https://www.{address}/")

    def line(thing: str, expected: str | None, found: str | None, *, holds: bool) -> Iterator[Line]:
        if expected and expected != "null":
            yield Line(name, thing, expected, found or "-", holds, EXCUSED.get((name, thing), ""))

    known, said = known_urls(page), {skipped.url for skipped in page.skipped}
    image, logo = golden.get("image", ""), golden.get("logo", "")
    place = next((f"image {one.position} of {len(page.images)}" for one in page.images if image in known), None)
    yield from line("image", image, place, holds=image in known)
    yield from line("logo", logo, "told as an icon" if logo in said else "taken", holds=logo in known | said)
    title = plain(golden.get("title", ""))
    yield from line("title", golden.get("title"), page.title, holds=title in plain(page.title or ""))
    author = golden.get("author") or golden.get("byline")
    yield from line("author", author, page.author, holds=plain(author or "") == plain(page.author or ""))
    date = golden.get("date") or golden.get("publishedTime")
    told = (page.published_at, page.modified_at)  # some golden results are of the last change
    when = next((one for one in told if _moment(one) == _moment(date)), page.published_at)
    yield from line("date", date, when, holds=_moment(date) == _moment(when))
    site = golden.get("siteName") or golden.get("publisher") or golden.get("site_name")
    yield from line("site", site, page.site_name, holds=plain(site or "") == plain(page.site_name or ""))
    tongue = (golden.get("lang") or golden.get("language") or "").lower()
    yield from line("language", tongue, page.language, holds=(page.language or "").lower().startswith(tongue))
    if address != ADDRESS and address.startswith("http"):
        same = (page.canonical_url or "").partition(":")[2] == address.partition(":")[2]
        yield from line("canonical URL", address, page.canonical_url, holds=same)
    words = golden.get("description") or golden.get("excerpt")
    holds = plain(page.description or "").startswith(plain(words or ""))
    yield from line("description", words, page.description, holds=holds)


def _moment(text: str | None) -> datetime | None:
    # Where a page says no zone, the golden results took it for this one.
    moment = datetime.fromisoformat(text) if text else None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC) if moment else None


def table(lines: list[Line]) -> str:
    """Set the lines of one page out as a table."""
    rows = []
    for line in lines:
        outcome = "found" if line.holds else "other" if line.excuse else "MISSED"
        excuse = f"  ({line.excuse})" if line.excuse and not line.holds else ""
        rows.append(f"  {outcome:<7}{line.thing:<14}{line.expected[:44]!r:<48}{line.found[:44]!r}{excuse}")
    return "\n".join([lines[0].page, *rows])


@pytest.mark.parametrize(("name", "golden"), expectations())
def test_the_images_and_metadata_of_a_golden_result_are_found(
    name: str, golden: dict[str, str], record_property: Callable[[str, object], None]
) -> None:
    lines = list(compared(name, golden))
    record_property("table", table(lines))
    assert [line for line in lines if not line.holds and not line.excuse] == []
    assert [line for line in lines if line.holds and line.excuse] == [], "this needs no excuse any more"


def test_every_excuse_is_of_a_golden_result() -> None:
    known = {(line.page, line.thing) for name, golden in expectations() for line in compared(name, golden)}
    assert known >= EXCUSED.keys()


def test_every_golden_result_is_compared() -> None:
    assert len(expectations()) == len(list(CORPUS.glob("*.expected.*"))) >= 17


class _Oracle(HTMLParser):
    """Another parser, which knows only the plainest ways to show an image."""

    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.shown: set[str] = set()
        self.shared: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in reversed(attrs)}
        later = any(name.startswith("data-") and "src" in name for name in attributes) or "data-original" in attributes
        if tag == "img" and not later:
            self.shown.add(attributes.get("src", ""))
        if tag == "meta" and "og:image" in {attributes.get("property"), attributes.get("name")}:
            self.shared.add(attributes.get("content", ""))
        if tag == "base" and not self.base:
            self.base = attributes.get("href", "")


def absolute(references: set[str], base: str) -> set[str]:
    """Resolve references; schemes are left out, for the same file by http and https is one image."""
    found = set()
    for reference in references - {""}:
        try:
            found.add(canonical_url(urljoin(base, reference.strip())).partition(":")[2])
        except Refused:
            continue
    return found


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.html")), ids=lambda path: path.stem)
def test_what_another_parser_sees_is_found_or_told(path: Path) -> None:
    oracle = _Oracle()
    oracle.feed(path.read_text("utf-8", errors="replace"))
    base = urljoin(ADDRESS, oracle.base)
    page = page_of_corpus(path.stem)
    told = absolute(known_urls(page), base) | absolute({skipped.url for skipped in page.skipped}, base)
    # The small previews that this page shows until its scripts run belong to images that were found.
    expected = {url for url in absolute(oracle.shown | oracle.shared, base) if not re.search(r"/max/60/.*q=20$", url)}
    cut = {url for url in expected if any(len(skipped.url) == 300 for skipped in page.skipped) and len(url) > 299}
    assert expected - cut <= told
    assert len(absolute(set(urls(page)), base)) == len(page.images)


def test_a_relative_base_moves_every_relative_image() -> None:
    page = page_of_corpus("readability_base-url-base-element-relative", "http://fakehost/test/page.html")
    assert (
        urls(page)
        == [
            "http://fakehost/test/base/foo/bar/baz.png",
            "http://fakehost/foo/bar/baz.png",
            "http://test/foo/bar/baz.png",
            "https://test/foo/bar/baz.png",
        ][: len(page.images)]
    )
    assert len(page.images) >= 3


def test_every_image_that_a_lazy_loader_knows_is_found() -> None:
    text = (CORPUS / "readability_bug-1255978.html").read_text("utf-8")
    lazy = set(re.findall(r'data-original="([^"]+)"', text))
    assert len(lazy) == 71
    assert absolute(lazy, ADDRESS) <= absolute(known_urls(page_of_corpus("readability_bug-1255978")), ADDRESS)


def test_every_shared_image_of_a_long_list_is_found() -> None:
    text = (CORPUS / "readability_pixnet.html").read_text("utf-8")
    shared = set(re.findall(r'property="og:image" content="([^"]+)"', text))
    assert len(shared) == 46
    assert shared <= known_urls(page_of_corpus("readability_pixnet"))


def test_the_large_images_behind_blurred_previews_are_found_with_their_captions() -> None:
    page = page_of_corpus("readability_lazy-image-1")
    fallbacks = [image for image in page.images if image.found_in == "noscript"]
    assert len(fallbacks) == 10
    assert all("/max/60/" not in image.url for image in fallbacks)
    assert "Memory leak in action" in {image.caption for image in fallbacks}


def test_the_picture_of_a_product_is_found_by_its_microdata() -> None:
    (image,) = page_of_corpus("extruct_product_microdata").images
    assert (image.url, image.alt) == ("https://gallery.example/rooms/anvil_executive.jpg", "Executive Anvil logo")


@pytest.mark.parametrize("name", ["extruct_null_ld", "extruct_jsonld_control_chars", "readability_svg-parsing"])
def test_a_page_without_images_has_none(name: str) -> None:
    assert page_of_corpus(name).images == ()

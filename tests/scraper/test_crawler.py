"""Pages are fetched as their sites allow it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.scraper.crawler import PAGE_LIMIT_BYTES, Crawler, extract_in
from services.scraper.crawler.robots import ROBOTS_LIMIT_BYTES
from services.scraper.extraction import Page
from shared.errors import Refused, TryAgain
from shared.fetch import Outbound
from shared.robots_tags import header_directives, product_token
from shared.sandbox import Sandbox
from tests.scraper.site import AT_ONCE, USER_AGENT, Clock, Notebook, Site, crawling
from tests.shared.strangers import Stranger, answer


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        site.say("/", "<title>Hall</title><img src=a.jpg>")
        yield site


async def read(site: Site, path: str = "/") -> Page:
    async with crawling(site) as crawler:
        return await crawler.page(f"{site.origin}{path}")


async def refused(site: Site, path: str = "/") -> str:
    with pytest.raises(Refused) as refusal:
        await read(site, path)
    return refusal.value.code


async def test_a_page_is_fetched_and_read_under_our_own_name(site: Site) -> None:
    page = await read(site)
    assert (page.title, page.images[0].url) == ("Hall", f"{site.origin}/a.jpg")
    assert site.asked == ["/robots.txt", "/"]
    assert site.agents == {USER_AGENT}


async def test_the_charset_of_the_header_is_used(site: Site) -> None:
    site.say("/", "<title>Зал</title>".encode("cp1251"), content_type="text/html; charset=windows-1251")
    assert (await read(site)).title == "Зал"


async def test_relative_urls_are_resolved_against_where_the_page_came_from(site: Site) -> None:
    site.say("/old", status=301, headers=[("Location", "/new/hall.html")])
    site.say("/new/hall.html", "<img src=a.jpg>")
    page = await read(site, "/old")
    assert (page.url, page.images[0].url) == (f"{site.origin}/new/hall.html", f"{site.origin}/new/a.jpg")


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        ("User-agent: *\nDisallow: /", False),
        ("User-agent: *\nDisallow: /private", True),
        ("User-agent: *\nDisallow: /\nAllow: /$", True),
        ("User-agent: Diorama\nDisallow: /", False),
        ("User-agent: diorama/1.0\nDisallow: /", False),
        ("User-agent: *\nDisallow: /\n\nUser-agent: DIORAMA\nAllow: /", True),
        ("User-agent: Dioramas\nDisallow: /", True),
        ("User-agent: other\nUser-agent: diorama\nDisallow: /", False),
        ("User-agent: other\nDisallow: /", True),
        ("\ufeffUser-agent: *\r\nDisallow: /", False),
        ("<html><body>User-agent: not here</body></html>", True),
        ("", True),
    ],
)
async def test_robots_txt_is_obeyed(site: Site, rules: str, allowed: bool) -> None:
    site.say("/robots.txt", rules, content_type="text/plain")
    if allowed:
        assert (await read(site)).title == "Hall"
    else:
        assert await refused(site) == "robots_disallowed"
        assert "/" not in site.asked


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_a_site_without_robots_txt_is_open(site: Site, status: int) -> None:
    site.say("/robots.txt", status=status)
    assert (await read(site)).title == "Hall"


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_site_that_cannot_tell_its_rules_is_closed_for_now(site: Site, status: int) -> None:
    site.say("/robots.txt", status=status, headers=[("Retry-After", "120")])
    with pytest.raises(TryAgain) as failure:
        await read(site)
    assert failure.value.code == "robots_unavailable"
    assert failure.value.retry_after_seconds == 120
    assert "/" not in site.asked


async def test_a_robots_txt_without_end_closes_its_site(site: Site) -> None:
    site.say("/robots.txt", b"#" * (ROBOTS_LIMIT_BYTES + 1))
    assert await refused(site) == "robots_too_large"
    assert "/" not in site.asked


async def test_a_robots_txt_of_thousands_of_names_is_read_at_once(site: Site) -> None:
    names = "".join(f"User-agent: {number}\n" for number in range(4_000))
    rules = "Disallow: /x\n" * 4_000
    site.say("/robots.txt", f"{names}User-agent: diorama\n{rules}Disallow: /\n")
    async with asyncio.timeout(5):
        assert await refused(site) == "robots_disallowed"


async def test_where_a_redirect_ends_is_checked_too(site: Site) -> None:
    site.say("/robots.txt", "User-agent: *\nDisallow: /private")
    site.say("/open", status=302, headers=[("Location", "/private")])
    site.say("/private", "<img src=a.jpg>")
    assert await refused(site, "/open") == "robots_disallowed"


async def test_each_origin_has_its_own_rules() -> None:
    async with Site() as closed, Site() as opened, crawling(closed, opened) as crawler:
        closed.say("/robots.txt", "User-agent: *\nDisallow: /")
        opened.say("/", "<title>Hall</title>")
        with pytest.raises(Refused, match="robots_disallowed"):
            await crawler.page(f"{closed.origin}/")
        assert (await crawler.page(f"{opened.origin}/")).title == "Hall"


@pytest.mark.parametrize("content_type", ["image/jpeg", "application/pdf", "text/plain", "application/json"])
async def test_what_is_no_page_is_refused(site: Site, content_type: str) -> None:
    site.say("/", b"<html>", content_type=content_type)
    assert await refused(site) == "not_a_page"


@pytest.mark.parametrize("content_type", ["text/html", "TEXT/HTML;charset=utf-8", "application/xhtml+xml"])
async def test_a_page_is_known_by_its_type(site: Site, content_type: str) -> None:
    site.say("/", "<title>Hall</title>", content_type=content_type)
    assert (await read(site)).title == "Hall"


@pytest.mark.parametrize(
    ("body", "page"),
    [(b" <!DOCTYPE html><title>Hall</title>", True), (b"\x89PNG\r\n", False), (b"words", False)],
)
async def test_a_page_without_a_type_is_known_by_its_beginning(body: bytes, page: bool) -> None:
    stranger = Stranger(answers={"/robots.txt": answer(status=404), "/": answer(body)})
    async with stranger, Outbound(user_agent=USER_AGENT, allow=frozenset({("127.0.0.1", stranger.port)})) as outbound:
        crawler = Crawler(outbound, USER_AGENT, Notebook(Clock()), limits=AT_ONCE)
        if page:
            assert (await crawler.page(f"http://127.0.0.1:{stranger.port}/")).title == "Hall"
        else:
            with pytest.raises(Refused, match="not_a_page"):
                await crawler.page(f"http://127.0.0.1:{stranger.port}/")


async def test_a_page_that_is_too_large_is_refused(site: Site) -> None:
    site.say("/", b" " * (PAGE_LIMIT_BYTES + 1))
    assert await refused(site) == "body_too_large"
    site.say("/", b"<title>Hall</title>" + b" " * (PAGE_LIMIT_BYTES - 19))
    assert (await read(site)).title == "Hall"


@pytest.mark.parametrize(("status", "code"), [(404, "http_404"), (410, "http_410"), (403, "http_403")])
async def test_a_page_that_is_not_there_is_refused(site: Site, status: int, code: str) -> None:
    site.say("/", status=status)
    assert await refused(site) == code


async def test_an_inner_address_is_refused() -> None:
    async with Site() as site, crawling() as crawler:
        with pytest.raises(Refused):
            await crawler.page(f"{site.origin}/")
        assert site.asked == []


@pytest.mark.parametrize("url", ["", "a.html", "ftp://gallery.example/", "https://user@gallery.example/"])
async def test_what_is_no_web_address_is_refused(url: str) -> None:
    async with crawling() as crawler:
        with pytest.raises(Refused):
            await crawler.page(url)


@pytest.mark.parametrize(
    ("headers", "markup", "code"),
    [
        ([("X-Robots-Tag", "noimageindex")], "", "robots_noimageindex"),
        ([("X-Robots-Tag", "NoIndex, NOIMAGEINDEX")], "", "robots_noimageindex"),
        ([("X-Robots-Tag", "noindex, nofollow")], "", "robots_noindex"),
        ([("X-Robots-Tag", "NONE")], "", "robots_noindex"),
        ([("X-Robots-Tag", "noarchive"), ("x-robots-tag", "diorama: noimageindex")], "", "robots_noimageindex"),
        ([], "<meta name=robots content='noimageindex'>", "robots_noimageindex"),
        ([], "<meta name=robots content='noindex'>", "robots_noindex"),
        ([], "<meta name=Diorama content='none'>", "robots_noindex"),
        ([("X-Robots-Tag", "noai, noimageai")], "", "robots_noimageai"),
        ([], "<meta name=robots content='index, noai'>", "robots_noai"),
    ],
)
async def test_the_images_of_a_page_that_asks_for_it_are_skipped_with_that_reason(
    site: Site, headers: list[tuple[str, str]], markup: str, code: str
) -> None:
    site.say("/", f"{markup}<title>Hall</title><img src=a.jpg><img src=b.svg>", headers=headers)
    page = await read(site)
    assert (page.title, page.images) == ("Hall", ())
    assert [skipped.code for skipped in page.skipped] == [code, "svg_not_rasterised"]


async def test_where_noai_is_not_honoured_it_closes_nothing_and_the_others_do(site: Site) -> None:
    site.say("/", "<img src=a.jpg>", headers=[("X-Robots-Tag", "noai, noimageai")])
    site.say("/closed", "<img src=a.jpg>", headers=[("X-Robots-Tag", "noai, noindex")])
    async with crawling(site, honour_noai=False) as crawler:
        assert len((await crawler.page(f"{site.origin}/")).images) == 1
        assert (await crawler.page(f"{site.origin}/closed")).images == ()


@pytest.mark.parametrize(
    ("headers", "markup"),
    [
        ([("X-Robots-Tag", "otherbot: noimageindex")], ""),
        ([("X-Robots-Tag", "otherbot: nofollow, noimageindex")], ""),
        ([("X-Robots-Tag", "max-image-preview: none")], ""),
        ([("X-Robots-Tag", "nofollow, noarchive")], ""),
        ([], "<meta name=otherbot content='noimageindex'>"),
        ([], "<meta name=robots content='max-image-preview:none'>"),
    ],
)
async def test_what_a_page_asks_of_others_or_for_other_things_closes_nothing(
    site: Site, headers: list[tuple[str, str]], markup: str
) -> None:
    site.say("/", f"{markup}<img src=a.jpg>", headers=headers)
    assert len((await read(site)).images) == 1


def test_header_rules_are_those_for_all_and_for_us() -> None:
    values = ["noindex", "a: nofollow, noimageindex", "Diorama: NoArchive", "unavailable_after: 25 Jun 2030, none"]
    assert header_directives(values, "Diorama") == {
        "noindex",
        "noarchive",
        "unavailable_after: 25 jun 2030",
        "none",
    }


def test_our_name_is_the_product_of_our_user_agent() -> None:
    assert product_token(USER_AGENT) == "Diorama"
    with pytest.raises(ValueError, match="user agent"):
        product_token("/1.0")


async def test_a_page_is_read_in_the_sandbox(site: Site) -> None:
    allow = frozenset({("127.0.0.1", site.port)})
    site.say("/heavy", b"<div>" * 1_000_000)
    async with (
        Outbound(user_agent=USER_AGENT, allow=allow) as outbound,
        Sandbox(processes=1, memory_bytes=1 << 30, seconds=20) as sandbox,
    ):
        crawler = Crawler(outbound, USER_AGENT, Notebook(Clock()), limits=AT_ONCE, extract=extract_in(sandbox))
        assert (await crawler.page(f"{site.origin}/")).images[0].url == f"{site.origin}/a.jpg"
        with pytest.raises(Refused, match="page_too_complex"):
            await crawler.page(f"{site.origin}/heavy")

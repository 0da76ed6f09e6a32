"""An image is taken as the robots.txt of its own site allows it, whichever page shows it."""

from collections.abc import AsyncIterator

import pytest

from services.scraper.crawler import Crawler, Permits, Permitted, permits
from services.scraper.crawler.robots import ROBOTS_LIMIT_BYTES
from services.scraper.extraction import FoundImage
from tests.scraper.site import Site, crawling
from tests.shared.strangers import Stranger

CLOSED = "User-agent: *\nDisallow: /closed/"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        yield site


@pytest.fixture
async def shelf() -> AsyncIterator[Site]:
    """Another site, at which images lie."""
    async with Site() as shelf:
        shelf.say("/robots.txt", CLOSED)
        yield shelf


async def shown(site: Site, *others: Site, html: str) -> Permitted:
    """Read a page of a site, and tell which of its images may be had."""
    site.say("/", html)
    async with crawling(site, *others) as crawler:
        page = await crawler.page(f"{site.origin}/")
        return await crawler.permits.sort(page.images)


def taken(permitted: Permitted) -> list[str]:
    return [image.url for image in permitted.images]


def reasons(permitted: Permitted) -> dict[str, str]:
    return {one.url: one.code for one in permitted.closed}


@pytest.mark.parametrize(("rules", "is_taken"), [(CLOSED, False), ("User-agent: other\nDisallow: /closed/", True)])
async def test_an_image_is_closed_by_its_own_site_and_not_by_the_page_that_shows_it(
    site: Site, shelf: Site, rules: str, *, is_taken: bool
) -> None:
    shelf.say("/robots.txt", rules)
    image = f"{shelf.origin}/closed/a.jpg"
    permitted = await shown(site, shelf, html=f"<img src={image}>")
    assert taken(permitted) == ([image] if is_taken else [])
    assert reasons(permitted) == ({} if is_taken else {image: "robots_disallowed"})
    assert shelf.asked == ["/robots.txt"]


async def test_a_site_is_asked_for_its_rules_once_for_all_images_of_a_page(site: Site, shelf: Site) -> None:
    site.say("/robots.txt", "User-agent: *\nDisallow: /own/closed/")
    images = "".join(
        f"<img src={shelf.origin}/{number}.jpg><img src={shelf.origin}/closed/{number}.jpg><img src=/own/{number}.jpg>"
        for number in range(30)
    )
    permitted = await shown(site, shelf, html=f"{images}<img src=/own/closed/a.jpg>")
    assert len(permitted.images) == 60
    assert len(permitted.closed) == 31
    assert set(reasons(permitted).values()) == {"robots_disallowed"}
    assert (site.times_asked("/robots.txt"), shelf.times_asked("/robots.txt")) == (1, 1)


async def test_where_the_largest_is_closed_the_next_that_is_open_takes_its_place_and_that_is_told(
    site: Site, shelf: Site
) -> None:
    sizes = {"closed/4": 4000, "closed/3": 3000, "2": 2000, "closed/1": 1000, "0": 500}
    sources = ", ".join(f"{shelf.origin}/{name}.jpg {width}w" for name, width in sizes.items())
    permitted = await shown(site, shelf, html=f'<img srcset="{sources}" sizes=100vw alt=A>')
    [image] = permitted.images
    assert (image.url, image.alternatives) == (f"{shelf.origin}/2.jpg", (f"{shelf.origin}/0.jpg",))
    assert (image.alt, image.width_px) == ("A", None)
    [closed] = permitted.closed
    assert (closed.url, closed.code) == (f"{shelf.origin}/closed/4.jpg", "robots_disallowed")
    assert closed.sentence.endswith(f"takes its place: {shelf.origin}/2.jpg")


async def test_smaller_candidates_that_are_closed_are_not_carried_along(site: Site, shelf: Site) -> None:
    html = f'<img srcset="{shelf.origin}/2.jpg 2000w, {shelf.origin}/closed/1.jpg 1000w, {site.origin}/0.jpg 9w">'
    permitted = await shown(site, shelf, html=html)
    [image] = permitted.images
    assert (image.url, image.alternatives) == (f"{shelf.origin}/2.jpg", (f"{site.origin}/0.jpg",))
    assert permitted.closed == ()


async def test_images_of_which_the_same_file_is_left_are_one(site: Site, shelf: Site) -> None:
    small = f"{shelf.origin}/small.jpg"
    html = "".join(f'<img srcset="{shelf.origin}/closed/{number}.jpg 2000w, {small} 100w">' for number in range(2))
    permitted = await shown(site, shelf, html=f"{html}<img src={small}>")
    assert taken(permitted) == [small]


async def test_what_is_no_web_address_is_asked_of_nobody(site: Site) -> None:
    image = FoundImage("data:image/png;base64,AAAA", ("ftp://example.org/a.jpg",), "img", 0)
    async with crawling(site) as crawler:
        assert (await crawler.permits.sort([image])).images == (image,)
    assert site.asked == []


async def test_a_site_that_cannot_tell_its_rules_loses_no_image_and_keeps_no_other_waiting(
    site: Site, shelf: Site
) -> None:
    shelf.say("/robots.txt", status=503)
    html = f'<img src=/a.jpg><img src={shelf.origin}/b.jpg><img srcset="{shelf.origin}/c.jpg 9w, /d.jpg 1w">'
    permitted = await shown(site, shelf, html=html)
    assert taken(permitted) == [f"{site.origin}/a.jpg"]
    assert [(one.image.url, one.origin, one.failure.code) for one in permitted.untold] == [
        (f"{shelf.origin}/{name}.jpg", shelf.origin, "robots_unavailable") for name in "bc"
    ]
    assert permitted.untold[1].image.alternatives == (f"{site.origin}/d.jpg",)
    assert shelf.asked == ["/robots.txt"]


async def test_who_waits_no_longer_takes_the_largest_that_is_known_to_be_open(site: Site, shelf: Site) -> None:
    shelf.say("/robots.txt", status=503)
    images = [
        FoundImage(f"{shelf.origin}/a.jpg", (f"{shelf.origin}/b.jpg", f"{site.origin}/c.jpg"), "srcset", 0),
        FoundImage(f"{shelf.origin}/d.jpg", (), "img", 1),
    ]
    async with crawling(site, shelf) as crawler:
        permitted = await crawler.permits.sort(images, waits=False)
    assert taken(permitted) == [f"{site.origin}/c.jpg"]
    assert [one.image.url for one in permitted.untold] == [f"{shelf.origin}/d.jpg"]


async def test_a_site_that_never_answers_does_not_hold_the_page_up(site: Site) -> None:
    async with Stranger() as silent:
        silent.hangs.add("/robots.txt")
        allow_silent = Site()
        allow_silent.port = silent.port
        async with crawling(site, allow_silent) as crawler:
            images = [
                FoundImage(f"http://127.0.0.1:{silent.port}/a.jpg", (), "img", 0),
                FoundImage(f"{site.origin}/b.jpg", (), "img", 1),
            ]
            permitted = await impatient(crawler).sort(images)
    assert taken(permitted) == [f"{site.origin}/b.jpg"]
    assert [one.failure.code for one in permitted.untold] == ["robots_unavailable"]


def impatient(crawler: Crawler) -> Permits:
    return Permits(crawler._robots, patience_seconds=0.5)


async def test_a_page_has_us_ask_no_more_than_so_many_sites(
    site: Site, shelf: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permits, "ORIGINS_LIMIT", 1)
    permitted = await shown(site, shelf, html=f"<img src=/a.jpg><img src={shelf.origin}/b.jpg>")
    assert taken(permitted) == [f"{site.origin}/a.jpg"]
    assert reasons(permitted) == {f"{shelf.origin}/b.jpg": "too_many_origins"}
    assert shelf.asked == []


async def test_rules_that_take_too_long_to_be_tried_close_what_is_left(
    site: Site, shelf: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permits, "_JUDGING_SECONDS", 0.05)
    rules = "".join(f"Disallow: /*{number}*x\n" for number in range(25_000))
    assert len(rules) < ROBOTS_LIMIT_BYTES
    shelf.say("/robots.txt", f"User-agent: *\n{rules}")
    images = [FoundImage(f"{shelf.origin}/{'a' * 3000}/{number}.jpg", (), "img", number) for number in range(5000)]
    async with crawling(site, shelf) as crawler:
        permitted = await crawler.permits.sort(images)
    assert set(reasons(permitted).values()) == {"robots_too_complex"}
    assert len(permitted.images) + len(permitted.closed) == 5000
    assert len(permitted.images) < 2500, "all together they would take minutes"


async def test_a_robots_txt_without_end_closes_the_images_of_its_site(site: Site, shelf: Site) -> None:
    shelf.say("/robots.txt", b"#" * (ROBOTS_LIMIT_BYTES + 1))
    permitted = await shown(site, shelf, html=f"<img src={shelf.origin}/a.jpg>")
    assert reasons(permitted) == {f"{shelf.origin}/a.jpg": "robots_too_large"}


async def test_an_image_that_lies_inward_is_asked_of_nobody(site: Site) -> None:
    async with Stranger() as trap:
        permitted = await shown(site, html=f"<img src=http://127.0.0.1:{trap.port}/a.jpg>")
        assert trap.connections == 0
    assert set(reasons(permitted).values()) <= {"url_port_refused", "address_refused"}
    assert permitted.images == ()

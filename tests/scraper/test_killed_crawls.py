"""A scraper is killed in the middle of a crawl, again and again: no page is fetched twice, no image found twice."""

from contracts.scraper import ImageFound
from tests.living import House
from tests.scraper.killing import crawl_and_kill
from tests.scraper.large_site import LargeSite

PAGES, KILLS = 60, 3


async def test_no_page_is_fetched_twice_and_every_image_is_found_once_however_often_the_scraper_dies(
    house: House,
) -> None:
    async with LargeSite(PAGES).opened() as site:
        await crawl_and_kill(house, site, kills=KILLS)
        assert site.answered == dict.fromkeys((f"/page/{number}" for number in range(PAGES)), 1)
        assert site.trespasses == 0
        found = [one for one in await house.heard() if isinstance(one, ImageFound)]
        assert sorted(one.url for one in found) == sorted(site.image_urls)
        failed = await house.rows("SELECT kind, error_code FROM scraper.tasks WHERE state <> 'completed'")
        assert failed == [], "no step used up its attempts"

"""Which pages a crawl asks."""

import time

import pytest

from contracts.scraper import CrawlScope
from services.scraper.rules import parsed
from services.scraper.sources import Scope
from services.scraper.sources.scopes import key_of, matches


@pytest.mark.parametrize(
    ("pattern", "url", "fits"),
    [
        ("/a/*", "https://x.org/a/b?c=1", True),
        ("/a/*", "https://x.org/b/a/", False),
        ("*.html", "https://x.org/a.html", True),
        ("*.html", "https://x.org/a.html?x", False),
        ("*/a/*/b", "https://x.org/1/a/2/b", True),
        ("*/a/*/a/*", "https://x.org/a/", False),
        ("/a", "https://x.org/a", True),
        ("/a", "https://x.org/ab", False),
        ("a*a", "https://x.org/a", False),
        ("https://x.org/*", "https://x.org/", True),
        ("https://y.org/*", "https://x.org/", False),
        ("*", "https://x.org/", True),
    ],
)
def test_a_star_stands_for_any_text(pattern: str, url: str, fits: bool) -> None:
    assert matches(pattern, parsed(url)) is fits


def test_a_pattern_of_many_stars_is_compared_at_once() -> None:
    place = parsed("https://x.org/" + "a" * 4000)
    begun = time.process_time()
    assert not matches("*a" * 240 + "b", place)
    assert time.process_time() - begun < 0.1


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://example.org/a", True),
        ("http://www.example.org/", True),
        ("https://pictures.example.org/", True),
        ("https://example.org.evil.net/", False),
        ("https://notexample.org/", False),
        ("https://example.org:8443/", False),
        ("https://org/", False),
    ],
)
def test_a_site_is_its_host_and_the_hosts_below_it(url: str, same: bool) -> None:
    scope = Scope(CrawlScope(), ["https://www.example.org/start"])
    assert (scope.refusal(url, 1) is None) is same


def test_an_address_has_no_hosts_below_it() -> None:
    assert Scope(CrawlScope(), ["http://1.2.3.4/"]).refusal("http://9.1.2.3.4.example.org/", 1) is not None


def test_two_spellings_of_a_url_are_one() -> None:
    assert key_of("HTTP://Example.org:80/a?utm_source=x#y") == key_of("http://example.org/a")

"""Pages that want to break their reader, or to keep it busy, do neither."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scraper.extraction import Page, extract, page_of, read_page
from services.scraper.extraction.gathering import IMAGES_LIMIT
from shared.errors import Refused
from shared.sandbox import Sandbox
from tests.scraper.unguarded import parse_unguarded

ADDRESS = "https://gallery.example/"
# Far more than any of these takes on an idle machine, and far less than a parser that went astray.
PATIENCE_SECONDS = 30.0


def within_patience(html: bytes) -> Page | Refused:
    begin = time.perf_counter()
    outcome: Page | Refused
    try:
        outcome = extract(html, url=ADDRESS)
    except Refused as refusal:
        outcome = refusal
    assert time.perf_counter() - begin < PATIENCE_SECONDS
    return outcome


def filled(text: bytes, size_bytes: int = 3_000_000) -> bytes:
    return text * (size_bytes // len(text))


def test_ten_thousand_nested_elements_are_read() -> None:
    page = within_patience(b"<div>" * 10_000 + b"<img src=a.jpg>" + b"</div>" * 10_000)
    assert isinstance(page, Page)
    assert len(page.images) == 1


def test_five_megabytes_in_one_attribute_are_read() -> None:
    page = within_patience(b'<div title="' + b"x" * 5_000_000 + b'"><img src=a.jpg>')
    assert isinstance(page, Page)
    assert len(page.images) == 1


@pytest.mark.parametrize(
    "html",
    [
        b"<div " + b" ".join(b"a%d=x" % number for number in range(500_000)) + b">",
        b"<p " + b"a " * 2_000_000 + b">",
        b"".join(b"<html a%d=x>" % number for number in range(100_000)),
        b"<div>" * 1_000_000,
        b"<span>" * 20_000 + b"</x>" * 500_000,
        b"<span>" * 20_000 + b"<p></p>" * 500_000,
        b"".join(b"<b x%d>" % number for number in range(50_000)),
        b"".join(b"<p><b x%d>" % number for number in range(3_000)),
        b"<svg>" + b"<g>" * 300_000,
        b"<svg><style>" + b"<div>" * 300_000 + b"</style>",
        b"<p '>" + b"<div>" * 300_000,
        b'<p ="><div>' + b"<div>" * 300_000,
        b"<!--><!--->" + b"<div>" * 300_000,
    ],
    ids=[
        "attributes",
        "short attributes",
        "attributes of one root",
        "nested",
        "closed in vain",
        "closed by paragraphs",
        "formatting",
        "formatting reopened",
        "drawing",
        "style in a drawing",
        "a lone quote",
        "an equals sign",
        "empty comments",
    ],
)
def test_a_page_that_would_keep_the_parser_busy_is_refused_before_it_is_parsed(html: bytes) -> None:
    outcome = within_patience(html)
    assert isinstance(outcome, Refused)
    assert outcome.code == "page_too_complex"


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize(
    "html",
    [
        b"<div " + b" ".join(b"a%d=x" % number for number in range(200_000)) + b">",
        b"<div>" * 200_000,
        b"".join(b"<b x%d>" % number for number in range(100_000)),
    ],
    ids=["attributes", "nested", "formatting"],
)
async def test_without_the_count_the_parser_would_be_busy(html: bytes) -> None:
    async with Sandbox(processes=1, memory_bytes=1 << 30, seconds=1) as sandbox:
        with pytest.raises(Refused, match=r"takes_too_long|needs_too_much_memory"):
            await sandbox.run(parse_unguarded, html)


@pytest.mark.parametrize(
    "html",
    [
        b"<p>words" * 200_000,
        b"<ul>" + b"<li>words" * 200_000,
        b"<table>" + b"<tr><td>1<td>2" * 100_000,
        b"<select>" + b"<option>1" * 100_000,
        b"<script>" + b"'<div>'" * 300_000 + b"</script>",
        b"<!--" + b"<div>" * 300_000 + b"-->",
        b"<svg>" + b"<path d='M0 0'/>" * 100_000 + b"</svg>",
        b"<p>a<br>b<hr><input><wbr>" * 50_000,
        b"<p><a href=x><b>bold</b></a></p>" * 50_000,
    ],
    ids=["paragraphs", "items", "cells", "options", "script", "comment", "drawing", "void", "formatting"],
)
def test_a_large_but_honest_page_is_not_refused(html: bytes) -> None:
    page = within_patience(html + b"<img src=a.jpg>")
    assert isinstance(page, Page)


@pytest.mark.parametrize(
    "html",
    [
        b"",
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"<",
        b"<!",
        b"<!-",
        b"<img",
        b"<img src=",
        b'<img src="a.jpg',
        b"<img srcset='a.jpg 1x, b",
        b"<meta property=og:image content",
        b"<script type=application/ld+json>{",
        b"<html><head><title>cut",
        b"<picture><source srcset=a",
    ],
)
def test_a_page_that_was_cut_off_is_read_as_far_as_it_goes(html: bytes) -> None:
    page = within_patience(html)
    assert isinstance(page, Page)
    assert page.images == ()


def test_zero_bytes_and_broken_utf_8_do_not_hide_an_image() -> None:
    page = within_patience(b"<p>\0\xff\xfe\xed\xa0\x80</p><img src='a.jpg' alt='\0\xffa'>")
    assert isinstance(page, Page)
    assert page.images[0].url == f"{ADDRESS}a.jpg"
    assert "\0" not in (page.images[0].alt or "")


@pytest.mark.parametrize(
    "html",
    [
        filled(b"<"),
        filled(b"<!-- -"),
        filled(b"\0"),
        filled(b"<a b='"),
        filled(b"<script>"),
        b"<script type=application/ld+json>" + filled(b"/*"),
        b"<script type=application/ld+json>" + filled(b"\n"),
        b'<script type=application/ld+json>"' + filled(b'\\"'),
        b"<script type=application/ld+json>[" + filled(b'{"image":"/a"},') + b"{}]",
        b'<img srcset="' + filled(b"a 1w,") + b'">',
        b'<img srcset="' + filled(b"(") + b'">',
        b'<p style="background:' + filled(b"url(") + b'">',
        b"<p style='background:" + filled(b'url("') + b"'>",
        b'<p style="background:url(' + filled(b"a") + b'">',
        filled(b"<body><img><noscript><img src=b></noscript>"),
        b"<picture>" + filled(b"<img src=a>"),
        b"<figure>" + filled(b"<img src=a.jpg>"),
        filled(b"<meta property=og:image:url content=a><meta property=og:image:width content=5>"),
        filled(b'<picture><source media="(min-width:' + b"(" * 900 + b'" srcset="a 1w"><img src=a></picture>'),
        filled(b'<img srcset="b 2w" sizes="' + b"calc(" * 190 + b'">'),
        b"<div itemprop=image itemscope>" * 5_000,
        b"<h1><div>words" * 5_000 + filled(b"<img src=a>"),
        b"<figure><figcaption>words<img src=a>" * 5_000,
        b"<style>" + filled(b"{background:") + b"</style>",
        b"<style>" + filled(b"background:url(") + b"</style>",
        b"<style>" + filled(b'p{background:url("') + b"</style>",
        b"<style>" + filled(b"p{background:url(a)}") + b"</style>" + filled(b"<p>"),
        b"<style>" + filled(b"*{background:url(a)}", 1_000_000) + b"</style>" + filled(b"<p>", 1_000_000),
        b"<style>"
        + filled(b"@media (width>1px){p{background:url(a)}}", 100_000)
        + b"</style>"
        + filled(b"<p>", 300_000),
        b"<style>p{background:url(a)}"
        + filled(b"p{background:red}", 1_000_000)
        + b"</style>"
        + filled(b"<p>", 300_000),
        filled(b"<i itemprop=author class=byline rel=license></i>"),
        b"<script type=application/ld+json>[" + filled(b'{"@type":"Article","@id":"a"},') + b"{}]",
        filled(b"<link rel=preload as=image imagesrcset='a 1w'>"),
        b"<meta charset='" + filled(b"<meta "),
    ],
    ids=range(34),
)
def test_no_page_takes_long(html: bytes) -> None:
    within_patience(html)


def test_too_many_images_are_told() -> None:
    page = within_patience(b"".join(b"<img src=%d.jpg>" % number for number in range(100_000)))
    assert isinstance(page, Page)
    assert len(page.images) == IMAGES_LIMIT
    assert [skipped.code for skipped in page.skipped] == ["too_many_images"]


PIECES = st.sampled_from(
    [
        *("<img ", "<source ", "<picture>", "</picture>", "<noscript>", "</noscript>", "<figure>", "<figcaption>"),
        *("<meta ", "<base ", "<link ", "<video ", "<template>", "<svg>", "</svg>", "<table>", "<!--", "-->"),
        *(
            "src=",
            "srcset=",
            "sizes=",
            "style=",
            "property=og:image ",
            "content=",
            "href=",
            "itemprop=image ",
            "itemscope ",
        ),
        *(
            "a.jpg",
            "'",
            '"',
            ">",
            " ",
            "//",
            "data:,",
            "url(",
            ")",
            ", ",
            "2x",
            "9w",
            "\0",
            "\\",
            "&amp;",
            "é",
            "{{",
            "../",
        ),
        *('<script type="application/ld+json">', '{"image":', "[", "]", "}", "</script>"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=40))
def test_no_mixture_of_markup_breaks_the_reading(pieces: list[str]) -> None:
    page = extract("".join(pieces).encode(), url=ADDRESS)
    assert [image.position for image in page.images] == list(range(len(page.images)))
    _, blobs = read_page("".join(pieces).encode(), {"url": ADDRESS})
    assert page_of(blobs) == page


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reading(html: bytes) -> None:
    assert extract(html, url=ADDRESS).url == ADDRESS


@pytest.mark.usefixtures("unhurried")
async def test_the_sandbox_reads_a_page_and_ends_what_takes_too_long() -> None:
    many = b"".join(b"<img src=%d.jpg>" % number for number in range(300_000))
    async with Sandbox(processes=1, memory_bytes=1 << 30, seconds=20) as sandbox:
        _, blobs = await sandbox.run(read_page, b"<img src=a.jpg>", url=ADDRESS)
        assert page_of(blobs) == extract(b"<img src=a.jpg>", url=ADDRESS)
        with pytest.raises(Refused, match="page_too_complex"):
            await sandbox.run(read_page, b"<div>" * 1_000_000, url=ADDRESS)
    async with Sandbox(processes=1, memory_bytes=1 << 30, seconds=0.5) as sandbox:
        with pytest.raises(Refused, match="takes_too_long"):
            await sandbox.run(read_page, many, url=ADDRESS)

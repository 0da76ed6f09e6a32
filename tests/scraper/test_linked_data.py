"""JSON-LD is read as pages write it, broken or not."""

import json

import pytest

from tests.scraper.reading import only_image, read, urls

ROOM = "https://gallery.example/rooms"


def script(text: str) -> str:
    return f'<script type="application/ld+json">{text}</script>'


def linked(data: object) -> str:
    return script(json.dumps(data))


@pytest.mark.parametrize(
    "data",
    [
        {"@type": "Article", "image": "a.jpg"},
        {"@type": "Article", "image": ["a.jpg"]},
        {"@type": "Article", "image": {"@type": "ImageObject", "url": "a.jpg"}},
        {"@type": "Article", "image": {"url": "a.jpg"}},
        {"@type": "Article", "image": {"@list": ["a.jpg"]}},
        {"@type": ["Thing", "http://schema.org/ImageObject"], "contentUrl": "a.jpg"},
        {"@type": "ImageObject", "contentUrl": "a.jpg", "url": "landing.html"},
        {"@type": "ImageObject", "@id": "https://gallery.example/rooms/a.jpg"},
        {"@type": "VideoObject", "thumbnailUrl": ["a.jpg"], "contentUrl": "film.mp4"},
        {"@graph": [{"@type": "WebSite"}, {"@type": "Article", "image": "a.jpg"}]},
        {
            "@graph": [
                {"@type": "Article", "image": {"@id": "#p"}},
                {"@type": "ImageObject", "@id": "#p", "url": "a.jpg"},
            ]
        },
        [{"@type": "Product", "offers": [{"itemOffered": {"image": "a.jpg"}}]}],
        {"@type": "Recipe", "author": {"@type": "Person", "image": "a.jpg"}},
        {"@type": "Article", "publisher": {"logo": {"@type": "ImageObject", "url": "logo.png"}}, "image": "a.jpg"},
    ],
)
def test_an_image_is_found_wherever_the_data_holds_it(data: object) -> None:
    image = only_image(linked(data))
    assert (image.url, image.found_in) == (f"{ROOM}/a.jpg", "json-ld")


@pytest.mark.parametrize(
    "text",
    [
        '{"image": "a.jpg",}',
        '{"image": ["a.jpg", ], }',
        '{"name": "two\nlines\tand a tab", "image": "a.jpg"}',
        '<!-- {"image": "a.jpg"} -->',
        '//<![CDATA[\n{"image": "a.jpg"}\n//]]>',
        '/*<![CDATA[*/ {"image": "a.jpg"} /*]]>*/',
        '{"image": "a.jpg"};',
        '/* made by hand */ {"image": "a.jpg"}',
        '{\n  // the hall\n  "image": "a.jpg"}',
        "{&quot;image&quot;: &quot;a.jpg&quot;}",
        '\ufeff{"image": "a.jpg"}',
        '{"url": "http://x.example/, ]", "image": "a.jpg",}',
    ],
)
def test_broken_data_is_mended_where_it_can_be(text: str) -> None:
    assert urls(read(script(text))) == [f"{ROOM}/a.jpg"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "42",
        '"a.jpg"',
        "[]",
        "{",
        '{"image": "a.jpg"',
        '{"image": "a.jpg}',
        "[" * 100_000,
        '{"image":' * 50_000,
        '{"image": 1' + "0" * 10_000 + "}",
        '{"image": null}',
        '{"image": {"@id": "#picture"}}',
        '{"image": {"@type": "ImageObject"}}',
        '{"image": [[], {}, 7, null, true]}',
        '{"@type": {"image": 3}, "thumbnailUrl": {"url": {}}}',
        "function() { return 'a.jpg' }",
    ],
)
def test_data_that_says_nothing_is_passed_over_and_its_neighbours_are_read(text: str) -> None:
    page = read(f"{script(text)}{linked({'image': 'b.jpg'})}<img src=c.jpg>")
    assert urls(page) == [f"{ROOM}/b.jpg", f"{ROOM}/c.jpg"]


def test_what_an_image_object_says_is_kept() -> None:
    image = only_image(
        linked(
            {
                "@type": "ImageObject",
                "contentUrl": "https:\\/\\/cdn.example\\/a.jpg".replace("\\/", "/") + "?w=1&amp;h=2",
                "thumbnailUrl": "small.jpg",
                "name": "East &amp; West",
                "caption": " The  hall ",
                "creator": [{"@type": "Person", "name": "Ann Lee"}],
                "license": "https://licence.example/by/4.0/",
                "width": {"@type": "QuantitativeValue", "value": 1200},
                "height": "630px",
            }
        )
    )
    assert image.url == "https://cdn.example/a.jpg?w=1&h=2"
    assert image.alternatives == ()
    assert (image.title, image.caption, image.credit) == ("East & West", "The hall", "Ann Lee")
    assert image.licence == "https://licence.example/by/4.0/"
    assert (image.width_px, image.height_px) == (1200, 630)


def test_a_thumbnail_alone_is_better_than_nothing() -> None:
    assert urls(read(linked({"@type": "ImageObject", "thumbnailUrl": "small.jpg"}))) == [f"{ROOM}/small.jpg"]


def test_texts_that_no_store_could_hold_are_cleaned() -> None:
    image = only_image(script(r'{"@type": "ImageObject", "url": "a.jpg", "caption": "a\u0000b\ud800c"}'))
    assert image.caption == "abc"


def test_a_url_with_half_a_character_is_told_and_not_taken() -> None:
    page = read(script(r'{"image": "a\ud800.jpg"}'))
    assert page.images == ()
    (skipped,) = page.skipped
    assert skipped.code == "url_invalid"
    assert skipped.url.encode()


@pytest.mark.parametrize("kind", ["application/json", "text/javascript", "application/ld+jsonp", ""])
def test_scripts_of_other_types_are_not_read(kind: str) -> None:
    assert read(f'<script type="{kind}">{{"image": "a.jpg"}}</script>').images == ()


@pytest.mark.parametrize("kind", ["APPLICATION/LD+JSON", "application/ld+json; charset=utf-8", " application/ld+json "])
def test_the_type_may_be_spelled_in_any_way(kind: str) -> None:
    assert len(read(f'<script type="{kind}">{{"image": "a.jpg"}}</script>').images) == 1

"""What a page says of itself and of its images is kept, from wherever it says it."""

import json

import pytest

from services.scraper.extraction.words import moment, moment_in_words
from tests.scraper.reading import only_image, read


def linked(data: object) -> str:
    return f'<script type="application/ld+json">{json.dumps(data)}</script>'


ARTICLE = {"@type": "NewsArticle", "author": {"@type": "Person", "name": "Ann Lee"}}


@pytest.mark.parametrize(
    "markup",
    [
        linked(ARTICLE),
        linked({"@graph": [{"@type": "WebSite", "author": "nobody"}, ARTICLE]}),
        linked({**ARTICLE, "author": [{"@type": "Person", "name": "Ann Lee"}, {"name": "Bo"}]}),
        linked({**ARTICLE, "author": "By Ann Lee"}),
        linked({**ARTICLE, "author": None, "creator": ["Ann Lee"]}),
        linked(
            [{"@type": "Article", "author": {"@id": "#ann"}}, {"@type": "Person", "@id": "#ann", "name": "Ann Lee"}]
        ),
        "<meta name=author content='Ann Lee'>",
        "<meta property=article:author content='https://gallery.example/ann'><meta name=byl content='Ann Lee'>",
        "<meta name=author content=nobody><meta property=dc:creator content='Ann Lee'>",
        "<div itemscope><span itemprop=author>Ann Lee</span></div>",
        "<div itemprop=author itemscope><a itemprop=url href=x>more</a><b itemprop=name>Ann Lee</b></div>",
        "<meta itemprop=author content='Ann Lee'>",
        "<p class=byline>by <b>Ann</b> Lee</p>",
        "<a rel=author href=/ann>Ann Lee</a><p class=byline>nobody</p>",
    ],
)
def test_the_author_is_named_wherever_the_page_names_one(markup: str) -> None:
    assert read(f"<body>{markup}").author == "Ann Lee"


@pytest.mark.parametrize(
    "markup",
    [
        "",
        "<meta name=author content=''>",
        "<meta name=author content='https://gallery.example/ann'>",
        linked({"@type": "Person", "name": "Ann Lee"}),
        linked({"@type": "Comment", "author": "Ann Lee"}),
        linked({"@type": "Article", "author": {"@id": "#nobody"}}),
        linked({"@type": "Article", "author": [3, {}, None]}),
        f"<p class=byline>{'words ' * 50}</p>",
        "<p class=byline><p>",
        "<link rel=author href=/ann>",
    ],
)
def test_nobody_is_named_where_the_page_names_nobody(markup: str) -> None:
    assert read(f"<body>{markup}").author is None


@pytest.mark.parametrize(
    "markup",
    [
        linked({"@type": "BlogPosting", "datePublished": "2017-07-04T10:52:50+0100"}),
        linked({"@type": ["http://schema.org/VideoObject"], "uploadDate": "2017-07-04 10:52:50 +01:00"}),
        "<meta property=article:published_time content=2017-07-04T10:52:50+01:00>",
        "<meta name=date content='Tue, 04 Jul 2017 10:52:50 +0100'>",
        "<meta name=date content=today><meta name=pubdate content=2017-07-04T10:52:50+01>",
        "<div itemscope><time itemprop=datePublished datetime=2017-07-04T10:52:50+01:00>yesterday</time></div>",
        "<time pubdate datetime=2017-07-04T10:52:50+01:00>yesterday</time>",
        "<article><time datetime=2017-07-04T10:52:50+01:00>yesterday</time><time datetime=2018-01-01></time></article>",
        "<p class='entry-date' title=2017-07-04T10:52:50+01:00>yesterday</p><p class=post-update>3 May 2018</p>",
    ],
)
def test_the_moment_of_publication_is_told_in_one_way(markup: str) -> None:
    assert read(f"<body>{markup}").published_at == "2017-07-04T10:52:50+01:00"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2017-07-04", "2017-07-04"),
        (" 2017-07-04T10:52 ", "2017-07-04T10:52:00"),
        ("2017-07-04T10:52:50.123Z", "2017-07-04T10:52:50.123000+00:00"),
        ("2017-07-04T10:52:50.1234567Z", "2017-07-04T10:52:50.123456+00:00"),
        ("2017-13-04", None),
        ("2017-07-04T25:00", None),
        ("0000-00-00", None),
        ("2017", None),
        ("yesterday", None),
        ("Tue, 99 Jul 99999 10:52:50 +9999999999", None),
        ("9" * 100_000, None),
        ("", None),
        (None, None),
        (20170704, None),
    ],
)
def test_a_moment_is_as_exact_as_it_was_said_or_none(text: object, told: str | None) -> None:
    assert moment(text) == told


def test_the_date_of_each_of_many_posts_is_not_that_of_the_page() -> None:
    assert read("<p class=post-date>3 May 2018</p>" * 2).published_at == "2018-05-03"
    assert read("<p class=post-date>3 May 2018</p><p class=post-date>4 May 2018</p>").published_at is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Wednesday, October 11th 2017 (12:00 pm)", "2017-10-11T12:00:00"),
        ("oct. 1st, 2017, 12:05 A.M.", "2017-10-01T00:05:00"),
        ("Wednesday 11 October 2017 at 23:59", "2017-10-11T23:59:00"),
        ("May 3, 2018", "2018-05-03"),
        ("3 May 2018", "2018-05-03"),
        ("3 May 4 2018", None),
        ("May 2018", None),
        ("May 32, 2018", None),
        ("May 3, 2018 (25:00)", None),
        ("Mayor 3, 2018 votes", None),
        ("yesterday", None),
        ("may 3 " * 100_000, None),
        (None, None),
    ],
)
def test_a_day_is_read_as_pages_show_it_to_people(text: object, told: str | None) -> None:
    assert moment_in_words(text) == told


@pytest.mark.parametrize(
    "markup",
    [
        linked({"@type": "Article", "dateModified": "2017-07-05"}),
        "<meta property=article:modified_time content=2017-07-05>",
        "<time itemprop=dateModified datetime=2017-07-05>yesterday</time>",
    ],
)
def test_the_last_change_is_told_apart_from_publication(markup: str) -> None:
    page = read(f"<body>{markup}<time itemprop=datePublished datetime=2017-07-04>")
    assert (page.published_at, page.modified_at) == ("2017-07-04", "2017-07-05")


@pytest.mark.parametrize(
    ("markup", "licence"),
    [
        ("<link rel=license href=https://licence.example/by>", "https://licence.example/by"),
        (
            "<footer><a rel='noopener license' href=https://licence.example/by>CC</a></footer>",
            "https://licence.example/by",
        ),
        ("<a rel=license href=/by>CC</a>", "https://gallery.example/by"),
        ("<a rel=license href='javascript:show()'>CC</a>", None),
        (linked({"@type": "WebPage", "license": "https://licence.example/by"}), "https://licence.example/by"),
        ("<meta name=dc.rights content='All rights reserved'>", "All rights reserved"),
        ("<figure><img src=a.jpg><a rel=license href=https://licence.example/by>CC</a></figure>", None),
        ("<p>licence</p>", None),
    ],
)
def test_the_licence_of_a_page_is_its_own_and_not_that_of_a_figure(markup: str, licence: str | None) -> None:
    assert read(f"<body>{markup}").licence == licence


def test_what_the_page_says_only_in_its_data_is_its_title_and_description() -> None:
    page = read(linked({"@type": "Recipe", "name": "Soup", "description": "Hot", "image": "a.jpg"}))
    assert (page.title, page.description) == ("Soup", "Hot")


def test_what_the_article_says_it_is_about_wins_over_what_the_site_says_on_every_page() -> None:
    page = read("<meta name=description content='All art'>" + linked({"@type": "Article", "description": "A hall"}))
    assert page.description == "A hall"


@pytest.mark.parametrize("tag", ["p", "div"])
def test_a_page_that_does_not_say_what_it_is_about_is_described_by_its_first_paragraph(tag: str) -> None:
    page = read(f"<main><div><h1>E</h1><{tag}>A hall with a view of the <b>sea</b></{tag}></div><p>{'x' * 99}</main>")
    assert page.description == "A hall with a view of the sea"


GALLERY = {"@type": "WebSite", "name": "The Gallery of Art", "alternateName": ["TGA", "Gallery"]}


@pytest.mark.parametrize(
    ("markup", "name"),
    [
        ("<meta property=og:site_name content=' The Gallery '>", "The Gallery"),
        (linked({"@type": "Article", "publisher": {"name": "The Gallery"}}), "The Gallery"),
        (linked(GALLERY) + "<meta property=og:site_name content=x>", "The Gallery of Art"),
        (linked(GALLERY) + "<title>East - TGA</title>", "TGA"),
        (linked({"@type": "WebSite", "name": [None, 3]}), None),
    ],
)
def test_the_site_is_named(markup: str, name: str | None) -> None:
    assert read(markup).site_name == name


@pytest.mark.parametrize(
    ("markup", "heading"),
    [
        ("<h1>East</h1><img src=a.jpg>", "East"),
        ("<h1>East</h1><h2>The <b>hall</b></h2><div><p><img src=a.jpg></p></div>", "The hall"),
        ("<h1>East</h1><aside><h2>Also</h2></aside><img src=a.jpg>", "East"),
        ("<h1>East</h1><section><h2>Hall</h2><p>x</p></section><section><img src=a.jpg></section>", "East"),
        ("<header><h1>East</h1></header><main><img src=a.jpg></main>", "East"),
        ("<article><h1>East</h1><section><h2>Hall</h2><img src=a.jpg></section></article>", "Hall"),
        ("<h1><img src=a.jpg></h1>", None),
        ("<img src=a.jpg><h1>East</h1>", None),
        ("<h1>East</h1><p style='background:url(a.jpg)'>", "East"),
        ('<h1>East</h1><script type=application/ld+json>{"image": "a.jpg"}</script>', None),
    ],
)
def test_an_image_has_the_nearest_heading_of_its_own_section(markup: str, heading: str | None) -> None:
    assert only_image(f"<body>{markup}").heading == heading


def test_a_shared_image_has_the_heading_of_where_the_page_shows_it() -> None:
    image = only_image(
        "<meta property=og:image content=a.jpg><body><h1>East</h1><img src=a.jpg><h2>x</h2><img src=a.jpg>"
    )
    assert image.heading == "East"


@pytest.mark.parametrize(
    "markup",
    [
        (
            "<figure><img src=a.jpg><figcaption>The hall</figcaption><i itemprop=author>Ann Lee</i>"
            "<i itemprop=description>At noon</i><link itemprop=license href=https://licence.example/by></figure>"
        ),
        (
            "<div class='wp-caption alignleft'><a><img src=a.jpg></a><p class=wp-caption-text>The hall</p>"
            "<i class=photo-credit>Ann Lee</i><i itemprop=description>At noon</i>"
            "<a rel=license href=https://licence.example/by>CC</a></div>"
        ),
        (
            "<div itemscope itemtype=https://schema.org/ImageObject><img itemprop=contentUrl src=a.jpg>"
            "<i itemprop=caption>The hall</i><i itemprop=creator itemscope><b itemprop=name>Ann Lee</b></i>"
            "<meta itemprop=description content='At noon'><a itemprop=license href=https://licence.example/by>CC</a></div>"
        ),
        (
            "<div itemprop=image itemscope><meta itemprop=url content=a.jpg><meta itemprop=caption content='The hall'>"
            "<meta itemprop=creditText content='Ann Lee'><meta itemprop=description content='At noon'>"
            "<link itemprop=license href=https://licence.example/by></div>"
        ),
        linked(
            {
                "@type": "ImageObject",
                "url": "a.jpg",
                "caption": {"@type": "MediaObject", "name": "The hall"},
                "author": {"name": "Ann Lee"},
                "description": "At noon",
                "license": "https://licence.example/by",
            }
        ),
    ],
)
def test_what_frames_an_image_tells_of_it(markup: str) -> None:
    image = only_image(f"<body>{markup}")
    assert (image.caption, image.credit) == ("The hall", "Ann Lee")
    assert (image.description, image.licence) == ("At noon", "https://licence.example/by")


def test_a_caption_within_a_frame_within_another_belongs_to_the_inner_one() -> None:
    page = read(
        "<figure><img src=a.jpg><figure><img src=b.jpg><figcaption>B</figcaption></figure><figcaption>A</figcaption>"
        "</figure>"
    )
    assert [image.caption for image in page.images] == ["A", "B"]


def test_when_an_image_was_made_is_told_by_its_data() -> None:
    image = only_image(linked({"@type": "ImageObject", "url": "a.jpg", "uploadDate": "2017-07-04"}))
    assert image.published_at == "2017-07-04"

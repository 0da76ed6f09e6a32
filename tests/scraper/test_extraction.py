"""The images of a page are found wherever a browser would load them from, once each, and nowhere else."""

import pytest

from services.scraper.extraction import extract
from tests.scraper.reading import codes, only_image, read, urls

ROOM = "https://gallery.example/rooms"


@pytest.mark.parametrize(
    ("markup", "url", "found_in"),
    [
        ('<img src="a.jpg">', f"{ROOM}/a.jpg", "img"),
        ("<img src=/a.jpg>", "https://gallery.example/a.jpg", "img"),
        ('<img src="//cdn.example/a.jpg">', "https://cdn.example/a.jpg", "img"),
        ('<img src=" a\n.jpg ">', f"{ROOM}/a.jpg", "img"),
        ('<img src="../a.jpg#top">', "https://gallery.example/a.jpg", "img"),
        ('<img src="http:\\\\cdn.example\\a.jpg">', "http://cdn.example/a.jpg", "img"),
        ('<img srcset="a.jpg 1x, b.jpg 2x">', f"{ROOM}/b.jpg", "srcset"),
        ('<img src="a.jpg" srcset="b.jpg 400w, c.jpg 800w">', f"{ROOM}/c.jpg", "srcset"),
        ('<picture><source srcset="b.webp 2x"><img src="a.jpg"></picture>', f"{ROOM}/b.webp", "picture"),
        ('<img src="grey.gif" data-src="a.jpg">', f"{ROOM}/a.jpg", "lazy"),
        ('<img data-original="/a">', "https://gallery.example/a", "lazy"),
        ('<img data-lazy-src="a.jpg" data-lazy-srcset="a-9.jpg 900w">', f"{ROOM}/a-9.jpg", "lazy"),
        ('<img src="data:image/gif;base64,AA" data-srcset="a.jpg 1x">', f"{ROOM}/a.jpg", "lazy"),
        ('<amp-img src="a.jpg" width="9" height="9"></amp-img>', f"{ROOM}/a.jpg", "img"),
        ("<body><noscript><img src=a.jpg></noscript>", f"{ROOM}/a.jpg", "noscript"),
        ('<meta property="og:image" content="a.jpg">', f"{ROOM}/a.jpg", "og:image"),
        ('<meta name="og:image:url" content="a.jpg">', f"{ROOM}/a.jpg", "og:image"),
        ('<meta name="twitter:image" content="a.jpg">', f"{ROOM}/a.jpg", "twitter:image"),
        ('<meta property="twitter:image:src" content="a.jpg">', f"{ROOM}/a.jpg", "twitter:image"),
        ('<link rel="IMAGE_SRC" href="a.jpg">', f"{ROOM}/a.jpg", "image_src"),
        ("<link rel=preload as=image href=a.jpg>", f"{ROOM}/a.jpg", "preload"),
        ('<link rel=preload as=image href=b.jpg imagesrcset="a.jpg 900w, b.jpg 400w">', f"{ROOM}/a.jpg", "preload"),
        ("<input type=IMAGE src=a.jpg>", f"{ROOM}/a.jpg", "input"),
        ("<svg><image href=a.jpg></image></svg>", f"{ROOM}/a.jpg", "svg"),
        ("<svg><image xlink:href=a.jpg /></svg>", f"{ROOM}/a.jpg", "svg"),
        ("<object data=a.jpg></object>", f"{ROOM}/a.jpg", "object"),
        ("<object data=a type=image/jpeg></object>", f"{ROOM}/a", "object"),
        ("<embed src=a.jpg?v=1>", f"{ROOM}/a.jpg?v=1", "object"),
        ("<amp-anim src=a.gif></amp-anim>", f"{ROOM}/a.gif", "img"),
        ("<amp-video poster=a.jpg></amp-video>", f"{ROOM}/a.jpg", "poster"),
        ('<div data-bgset="b.jpg 400w, a.jpg 900w">', f"{ROOM}/a.jpg", "lazy"),
        ('<video poster="a.jpg"></video>', f"{ROOM}/a.jpg", "poster"),
        ('<div style="background: #fff url(a.jpg) no-repeat">', f"{ROOM}/a.jpg", "background"),
        ("<div style=\"background-image:url( 'a b.jpg' )\">", f"{ROOM}/a%20b.jpg", "background"),
        ('<div style="background-image:url(&quot;a;b.jpg&quot;)">', f"{ROOM}/a;b.jpg", "background"),
        ('<div style="background-image:url(a\\29 .jpg)">', f"{ROOM}/a).jpg", "background"),
        ("<div style=\"background: image-set('a.jpg' 1x)\">", f"{ROOM}/a.jpg", "background"),
        ('<div data-bg="a.jpg">', f"{ROOM}/a.jpg", "background"),
        ('<div data-original="a.jpg" style="background:url(blank.gif)">', f"{ROOM}/a.jpg", "lazy"),
        ('<table background="a.jpg">', f"{ROOM}/a.jpg", "background"),
        ("<table><td background=a>", f"{ROOM}/a", "background"),
        ('<meta itemprop="image" content="a.jpg">', f"{ROOM}/a.jpg", "microdata"),
        ('<a itemprop="image" href="a.jpg">', f"{ROOM}/a.jpg", "microdata"),
        (
            '<div itemprop="image" itemscope><meta itemprop="url" content="a.jpg"></div>',
            f"{ROOM}/a.jpg",
            "microdata",
        ),
    ],
)
def test_an_image_is_found_where_a_browser_would_look(markup: str, url: str, found_in: str) -> None:
    image = only_image(markup)
    assert (image.url, image.found_in, image.position) == (url, found_in, 0)


@pytest.mark.parametrize(
    "markup",
    [
        "<!-- <img src=a.jpg> -->",
        "<template><img src=a.jpg></template>",
        "<script>'<img src=a.jpg>'</script>",
        "<style>/* <img src=a.jpg> */ p { background: url(a.jpg) }</style>",
        "<textarea><img src=a.jpg></textarea>",
        "<title><img src=a.jpg></title>",
        "<iframe><img src=a.jpg></iframe>",
        "<xmp><img src=a.jpg></xmp>",
        "&lt;img src=a.jpg&gt;",
        "<picture><source srcset=a.jpg></picture>",
        "<video><source srcset=a.jpg></video>",
        "<picture><img><source srcset=a.jpg></picture>",
        '<picture><source srcset="a.jpg" media="print"><img></picture>',
        '<picture><source srcset="a.jxl" type="image/jxl"><img></picture>',
        "<div style=\"color: red; --note: 'url(a.jpg)'\">",
        '<div style="cursor: url(a.jpg)">',
        '<div style="/* background: url(a.jpg) */">',
        "<img>",
        "<img src>",
        "<img src=''>",
        "<img src=' '>",
        "<img src='#'>",
        "<img src='east.html'>",
        "<img src='blob:https://gallery.example/1'>",
        "<img src='javascript:void(0)'>",
        "<img src='JavaScript:1'>",
        "<img src='about:blank'>",
        "<img alt='a.jpg'>",
        "<img data-lazy='false'>",
        "<link rel=preload as=image media=print href=a.jpg>",
        "<link rel=preload as=image type=image/jxl href=a.jpg>",
        "<link rel=preload as=style href=a.jpg>",
        "<link rel=prefetch href=a.jpg>",
        "<link rel=stylesheet href=a.jpg>",
        "<input type=text src=a.jpg>",
        "<svg><use href=a.jpg></use></svg>",
        "<object data=film.mp4 type=video/mp4></object>",
        "<object data=a.jpg type=text/html></object>",
        "<embed src=game.swf>",
        "<a href=a.jpg>a</a>",
        "<div background=a.jpg>",
        "<div style='background: url(a.jpg); display:none'>",
        "<div style='display: NONE'><p style='background: url(a.jpg)'></div>",
        '<meta name="description" content="a.jpg">',
    ],
)
def test_what_a_browser_would_not_load_is_neither_found_nor_mentioned(markup: str) -> None:
    page = read(f"<body>{markup}")
    assert (page.images, page.skipped) == ((), ())


@pytest.mark.parametrize(
    ("markup", "code"),
    [
        ("<img src='data:image/png;base64,iVBORw0KGgo='>", "data_url"),
        ("<img src='DATA:image/png,x'>", "data_url"),
        ("<img src=logo.svg>", "svg_not_rasterised"),
        ("<img src='logo.SVG?v=2#icon'>", "svg_not_rasterised"),
        ("<picture><source srcset=logo type=image/svg+xml><img></picture>", "svg_not_rasterised"),
        ("<img src=t.gif width=1 height=1>", "tracking_pixel"),
        ("<img src=t.gif width=0>", "tracking_pixel"),
        ("<img src=t.gif style='width:1px; height: 1px'>", "tracking_pixel"),
        ("<noscript><img src=t.gif height=1 width=1></noscript>", "tracking_pixel"),
        ("<img src=/img/blank.gif>", "placeholder"),
        ("<link rel='shortcut ICON' href=a.ico>", "icon"),
        ("<link rel=apple-touch-icon sizes=180x180 href=a.png>", "icon"),
        ("<img src=1x1.trans.gif>", "placeholder"),
        ("<img src='{{ picture.url }}'>", "url_template"),
        ("<img src='/i/${id}.jpg'>", "url_template"),
        ("<img src='ftp://gallery.example/a.jpg'>", "url_scheme_refused"),
        ("<img src='file:///etc/a.jpg'>", "url_scheme_refused"),
        ("<img src='http://'>", "url_invalid"),
        ("<img src='http://user:word@gallery.example/a.jpg'>", "url_credentials_refused"),
        (f"<img src='/{'a' * 5000}.jpg'>", "url_too_long"),
    ],
)
def test_an_image_that_is_not_taken_is_told_with_the_reason(markup: str, code: str) -> None:
    page = read(markup)
    assert page.images == ()
    (skipped,) = page.skipped
    assert skipped.code == code
    assert skipped.sentence.endswith(".")
    assert 0 < len(skipped.url) <= 300


def test_an_icon_that_the_page_also_shows_is_an_image_of_it() -> None:
    page = read("<link rel=icon href=a.png><img src=a.png>")
    assert (urls(page), codes(page)) == ([f"{ROOM}/a.png"], [])


def test_a_preloaded_picture_is_the_one_that_is_shown_later() -> None:
    image = only_image('<link rel=preload as=image href=a.jpg><figure><img src=a.jpg alt="A hall"></figure>')
    assert (image.url, image.alt) == (f"{ROOM}/a.jpg", "A hall")


def test_a_long_data_url_is_cut_where_it_is_told() -> None:
    (skipped,) = read(f"<img src='data:image/png;base64,{'A' * 100_000}'>").skipped
    assert skipped.url.startswith("data:image/png;base64,AAA")
    assert skipped.url.endswith("…")
    assert len(skipped.url) <= 60


def test_whether_an_address_may_be_dialled_is_not_for_the_reader_to_say() -> None:
    assert urls(read("<img src=http://127.0.0.1:8080/a.jpg>")) == ["http://127.0.0.1:8080/a.jpg"]


def test_the_largest_candidate_wins_and_the_others_are_remembered() -> None:
    image = only_image('<img src="s.jpg" srcset="m.jpg 800w, l.jpg 1600w, s.jpg 400w" sizes="50vw">')
    assert image.url == f"{ROOM}/l.jpg"
    assert image.alternatives == (f"{ROOM}/m.jpg", f"{ROOM}/s.jpg")
    assert image.width_px == 1600


def test_a_density_and_a_width_are_compared_by_the_place_that_they_fill() -> None:
    image = only_image('<picture><source srcset="a.jpg 1x, b.jpg 3x" width="400"><img srcset="c.jpg 1000w"></picture>')
    assert image.url == f"{ROOM}/c.jpg"
    assert image.alternatives == (f"{ROOM}/b.jpg", f"{ROOM}/a.jpg")


def test_a_crop_for_telephones_does_not_win_over_the_picture_for_desks() -> None:
    image = only_image(
        '<picture><source media="(max-width: 600px)" srcset="small.jpg"><img src="large.jpg" alt="a"></picture>'
    )
    assert (image.url, image.alternatives) == (f"{ROOM}/large.jpg", (f"{ROOM}/small.jpg",))


def test_the_file_for_old_browsers_does_not_win_over_the_sources() -> None:
    image = only_image('<picture><source srcset="a.webp 1x, b.webp 2x"><img src="old.jpg"></picture>')
    assert (image.url, image.alternatives[-1]) == (f"{ROOM}/b.webp", f"{ROOM}/old.jpg")


def test_of_formats_of_the_same_size_the_first_wins_as_in_a_browser() -> None:
    image = only_image(
        '<picture><source type="image/avif" srcset="a.avif"><source type="image/webp" srcset="a.webp"><img src="a.jpg">'
        "</picture>"
    )
    assert image.url == f"{ROOM}/a.avif"


def test_a_source_with_an_svg_leaves_the_picture_to_the_others() -> None:
    page = read('<picture><source type="image/svg+xml" srcset="a.svg"><img src="a.png"></picture>')
    assert (urls(page), codes(page)) == ([f"{ROOM}/a.png"], [])


def test_a_lazy_image_is_its_true_source_and_not_what_stands_in_for_it() -> None:
    image = only_image('<img src="grey-box.png" data-src="a.jpg" data-srcset="b.jpg 900w">')
    assert (image.url, image.alternatives) == (f"{ROOM}/b.jpg", (f"{ROOM}/a.jpg",))


def test_many_lazy_images_that_share_a_grey_box_are_many_images() -> None:
    page = read("".join(f'<img src="grey-box.png" data-src="{name}.jpg">' for name in "abc"))
    assert urls(page) == [f"{ROOM}/{name}.jpg" for name in "abc"]


def test_many_pictures_that_share_a_file_for_failures_are_many_images() -> None:
    page = read("".join(f'<picture><source srcset="{name}.webp"><img src="missing.png"></picture>' for name in "abc"))
    assert urls(page) == [f"{ROOM}/{name}.webp" for name in "abc"]


@pytest.mark.parametrize(
    "before",
    [
        '<img class="lazy" src="data:image/gif;base64,AA" data-src="a.jpg" alt="A">',
        '<img class="lazy" alt="A">',
        '<img src="spacer.gif" alt="A">',
        '<div><img src="/thumbs/a.jpg?w=20" alt="A"></div>',
        '<div><div><img src="/thumbs/a.jpg?w=20" alt="A"></div></div> <img class="later">',
        '<picture><source srcset="/thumbs/a.jpg?w=20"><img src="data:image/gif;base64,AA" alt="A"></picture>',
    ],
)
def test_a_noscript_fallback_is_the_image_that_it_stands_in_for(before: str) -> None:
    page = read(f"<figure>{before}\n<noscript><img src='a.jpg'></noscript></figure>")
    (image,) = page.images
    assert (image.url, image.alt) == (f"{ROOM}/a.jpg", "A")


@pytest.mark.parametrize(
    "between",
    ["", "<p>words</p>", "words"],
)
def test_a_noscript_image_is_no_fallback_of_another_picture(between: str) -> None:
    page = read(f"<img src=first.jpg>{between}<noscript><img src=count.php?x=1></noscript>")
    assert urls(page) == [f"{ROOM}/first.jpg", f"{ROOM}/count.php?x=1"]


def test_a_picture_shown_twice_is_one_image_at_its_first_place_with_the_best_words() -> None:
    page = read(
        '<meta property="og:image" content="https://GALLERY.example:443/rooms/./a.jpg?utm_source=x">'
        '<img src="b.jpg"><figure><img src="a.jpg#1" alt="A hall" title="East">'
        "<figcaption>The east hall</figcaption></figure>"
        '<img src="a.jpg" alt="The east hall at noon">'
    )
    first, second = page.images
    assert first.url.startswith(f"{ROOM}/a.jpg")
    assert (first.alt, first.title, first.caption) == ("The east hall at noon", "East", "The east hall")
    assert (second.url, second.position) == (f"{ROOM}/b.jpg", 1)


def test_a_shared_image_that_is_also_a_candidate_of_the_page_is_one_image() -> None:
    page = read('<meta property="og:image" content="m.jpg"><img srcset="m.jpg 800w, l.jpg 1600w">')
    assert urls(page) == [f"{ROOM}/l.jpg"]


def test_two_pictures_that_turn_out_to_be_one_are_joined() -> None:
    page = read('<img src="a.jpg"><img src="x.jpg"><img src="b.jpg"><img srcset="a.jpg 1x, b.jpg 2x">')
    assert urls(page) == [f"{ROOM}/b.jpg", f"{ROOM}/x.jpg"]


def test_the_same_file_by_http_and_https_is_one_image() -> None:
    page = read('<img src="http://cdn.example/a.jpg"><img src="https://cdn.example/a.jpg">')
    assert urls(page) == ["http://cdn.example/a.jpg"]


def test_a_query_that_names_another_picture_makes_another_image() -> None:
    assert len(read('<img src="a.php?id=1"><img src="a.php?id=2">').images) == 2


def test_images_come_in_the_order_of_the_page() -> None:
    page = read('<img src=1.jpg><div style="background:url(2.jpg)"><video poster=3.jpg></video><img src=4.jpg></div>')
    assert [image.url[-5] for image in page.images] == ["1", "2", "3", "4"]
    assert [image.position for image in page.images] == [0, 1, 2, 3]


def test_what_the_page_says_of_an_image_is_kept() -> None:
    image = only_image(
        "<figure><a href=full.html><img src=a.jpg alt=' The  east\nhall ' title=East width=640 height='480px'></a>"
        "<figcaption>The hall <b>at noon</b> <span class='photo-credit'>Photo: Ann Lee</span></figcaption>"
        "<a rel='license' href='https://licence.example/by/4.0/'>CC BY</a></figure>"
    )
    assert (image.alt, image.title) == ("The east hall", "East")
    assert image.caption == "The hall at noon Photo: Ann Lee"
    assert image.credit == "Photo: Ann Lee"
    assert image.licence == "https://licence.example/by/4.0/"
    assert (image.width_px, image.height_px) == (640, 480)


def test_a_caption_belongs_to_its_own_figure_only() -> None:
    page = read("<figure><img src=a.jpg><figcaption>A</figcaption></figure><img src=b.jpg>")
    assert [image.caption for image in page.images] == ["A", None]


def test_the_height_of_a_promised_width_follows_the_shape() -> None:
    image = only_image('<img srcset="l.jpg 1600w" width="400" height="300">')
    assert (image.width_px, image.height_px) == (1600, 1200)


def test_open_graph_arrays_keep_each_image_with_its_own_words() -> None:
    page = read(
        '<meta property="og:image" content="http://cdn.example/a.jpg">'
        '<meta property="og:image:secure_url" content="https://secure.example/a.jpg">'
        '<meta property="og:image:width" content="1200"><meta property="og:image:height" content="630">'
        '<meta property="og:image:alt" content="A"><meta property="og:image" content="b.jpg">'
        '<meta property="og:image:alt" content="B">'
    )
    first, second = page.images
    assert (first.url, first.alternatives) == ("https://secure.example/a.jpg", ("http://cdn.example/a.jpg",))
    assert (first.alt, first.width_px, first.height_px) == ("A", 1200, 630)
    assert (second.url, second.alt, second.width_px) == (f"{ROOM}/b.jpg", "B", None)


def test_a_twitter_card_has_its_alt() -> None:
    image = only_image('<meta name=twitter:image content=a.jpg><meta name=twitter:image:alt content="A hall">')
    assert image.alt == "A hall"


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ('<base href="/art/">', "https://gallery.example/art/a.jpg"),
        ('<base href="deep/">', f"{ROOM}/deep/a.jpg"),
        ('<base href="//cdn.example/x/y">', "https://cdn.example/x/a.jpg"),
        (
            '<base target="_top"><base href="https://one.example/"><base href="https://two.example/">',
            "https://one.example/a.jpg",
        ),
        ('<base href="data:text/plain,x">', f"{ROOM}/a.jpg"),
        ('<base href="javascript:1">', f"{ROOM}/a.jpg"),
        ('<base href="http://[">', f"{ROOM}/a.jpg"),
    ],
)
def test_a_base_is_honoured_where_it_is_a_web_address(base: str, url: str) -> None:
    assert urls(read(f"<head>{base}</head><img src=a.jpg>")) == [url]


def test_what_a_page_says_of_itself_is_read() -> None:
    page = read(
        '<html lang="de-AT"><head><title> East\n room </title><link rel="canonical" href="/rooms/east">'
        '<meta name="description" content="All about &amp;quot;east&amp;quot;"></head><svg><title>Icon</title></svg>'
    )
    assert (page.url, page.title, page.language) == (f"{ROOM}/east.html", "East room", "de-AT")
    assert (page.canonical_url, page.description) == ("https://gallery.example/rooms/east", 'All about "east"')


def test_a_page_that_says_nothing_of_itself_is_read_too() -> None:
    page = read("<svg><title>Icon</title></svg>")
    assert (page.title, page.description, page.canonical_url, page.language) == (None, None, None, None)


@pytest.mark.parametrize(
    ("markup", "language"),
    [
        ("<html xml:lang=fr>", "fr"),
        ("<html lang=''><meta http-equiv=content-language content='pl, en'>", "pl"),
        ("<meta property=og:locale content=pt_BR>", "pt-BR"),
        ("<html lang='{{ lang }}'>", None),
    ],
)
def test_a_language_is_a_tag_or_nothing(markup: str, language: str | None) -> None:
    assert read(markup).language == language


def test_the_shared_title_wins_over_the_title_element() -> None:
    page = read(
        '<title>East | Gallery</title><meta property="og:title" content="East"><meta property=og:url content=/e>'
    )
    assert (page.title, page.canonical_url) == ("East", "https://gallery.example/e")


def test_robots_rules_for_all_and_for_us_are_kept() -> None:
    html = (
        b"<meta name=robots content='NoImageIndex, follow'><meta name=diorama content=none><meta name=other content=x>"
    )
    page = extract(html, url=f"{ROOM}/", robots_token="Diorama")
    assert page.directives == {"noimageindex", "follow", "none"}

"""The backgrounds that a page's own styles paint are found where a browser would load them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scraper.extraction.style_rules import specificity
from tests.scraper.reading import codes, only_image, read, urls

ROOM = "https://gallery.example/rooms"
HALL = "<body><section id=s class='hall wide'><p class=hall title=t>words</p></section>"


def styled(rules: str, markup: str = HALL) -> str:
    return f"<head><style>{rules}</style></head>{markup}"


@pytest.mark.parametrize(
    "rules",
    [
        ".wide { background: url(a.jpg) }",
        "#s{background-image:url('a.jpg')}",
        'body > section.hall { color: red; BACKGROUND: #fff URL( "a.jpg" ) no-repeat }',
        "nav, section { background: url(a.jpg) }",
        ":is(nav, section) { background: url(a.jpg) }",
        "section:not(.narrow){background:url(a.jpg)}",
        ":is(html, nav) p { background: url(a.jpg) }",
        "nav, :where(html) :is(p) { background: url(a.jpg) }",
        "<!-- section { background: url(a.jpg) } -->",
        "/* } */ section /* { */ { /* ; */ background: url(a.jpg) }",
        "@charset 'utf-8'; @import url(more.css); section { background: url(a.jpg) }",
        "@media screen and (min-width: 600px) { section { background: url(a.jpg) } }",
        "@media (max-width: 600px) { section { background: url(a.jpg) } }",
        "@supports (display: grid) { @layer hall { section { background: url(a.jpg) } } }",
        "section::before { content: ''; background: url(a.jpg) }",
        "section:after { content: 'x'; background: url(a.jpg) }",
        "p { color: red } p:not([title='}']) { background: url(a.jpg) }",
        "p[title~=t] { background: url(a.jpg) }",
        "section { background: image-set('a.jpg' 1x) }",
        "section { background: url(a.jpg); background: -moz-linear-gradient(red, blue) }",
        "section { background: url(a.jpg); background: var(--paint) }",
        "section { background: url(a.jpg) !important; background: red }",
        "section { background: url(a.jpg); .inner { background: url(b.jpg) } }",
        "section { background: url(a.jpg) ",
        "section { background: url(a.jpg",
        "@media screen { p { color: red }; section { background: url(a.jpg) } }",
    ],
)
def test_a_background_is_found_on_the_element_that_a_rule_selects(rules: str) -> None:
    image = only_image(styled(rules))
    assert (image.url, image.found_in) == (f"{ROOM}/a.jpg", "background")


@pytest.mark.parametrize(
    "rules",
    [
        "nav { background: url(a.jpg) }",
        ".Wide .hall .none { background: url(a.jpg) }",
        "section:hover { background: url(a.jpg) }",
        "p:focus-within, p:target { background: url(a.jpg) }",
        "section::before { background: url(a.jpg) }",
        "section::after { content: none; background: url(a.jpg) }",
        "section::selection { background: url(a.jpg) }",
        "@media print { section { background: url(a.jpg) } }",
        "@supports not (display: grid) { section { background: url(a.jpg) } }",
        "@font-face { font-family: x; src: url(a.jpg); background: url(a.jpg) }",
        "@keyframes x { from { background: url(a.jpg) } }",
        "@page { background: url(a.jpg) }",
        "section { list-style: url(a.jpg); cursor: url(a.jpg) }",
        "section { --later: url(a.jpg); background: var(--later) }",
        "/* section { background: url(a.jpg) } */",
        "section { /* background: url(a.jpg) */ }",
        "section { content: 'background: url(a.jpg)' }",
        "section { background: url(a.jpg); background: red }",
        "section { background: url(a.jpg) } section { background: none }",
        "section { background: none !important } #s { background: url(a.jpg) }",
        "section { background: url(a.jpg) } .wide { background: #fff }",
        "section >< p { background: url(a.jpg) }",
        "} section { background: url(a.jpg) }",
        "p { color: red }; section { background: url(a.jpg) }",
        "",
    ],
)
def test_what_no_browser_would_load_at_once_is_neither_found_nor_mentioned(rules: str) -> None:
    page = read(styled(rules))
    assert (page.images, page.skipped) == ((), ())


def test_the_rule_that_weighs_most_wins_and_the_other_files_are_not_loaded() -> None:
    assert urls(
        read(styled("#s{background:url(a.jpg)} .wide{background:url(b.jpg)} section{background:url(c.jpg)}"))
    ) == [f"{ROOM}/a.jpg"]


def test_of_equal_rules_the_last_wins() -> None:
    assert urls(read(styled("section{background:url(a.jpg)} section{background:url(b.jpg)}"))) == [f"{ROOM}/b.jpg"]


def test_the_style_attribute_wins_over_style_elements_unless_they_insist() -> None:
    inline = "<body><p style='background:url(inline.jpg)'>x</p>"
    assert urls(read(styled("p{background:url(a.jpg)}", inline))) == [f"{ROOM}/inline.jpg"]
    assert urls(read(styled("p{background:url(a.jpg)!important}", inline))) == [f"{ROOM}/a.jpg"]
    assert urls(read(styled("p{background:url(a.jpg)}", "<body><p style='background:none'>x</p>"))) == []
    assert urls(read(styled("p{background:url(a.jpg)}", "<body><p style='color:red'>x</p>"))) == [f"{ROOM}/a.jpg"]


def test_every_style_wins_over_the_attribute_of_old_pages() -> None:
    assert urls(read("<body background=a.jpg style='background:url(b.jpg)'>")) == [f"{ROOM}/b.jpg"]
    assert urls(read(styled("body{background:url(b.jpg)}", "<body background=a.jpg>"))) == [f"{ROOM}/b.jpg"]
    assert urls(read("<body background=a.jpg style='color:red'>")) == [f"{ROOM}/a.jpg"]


def test_what_a_style_attribute_hides_paints_nothing_before_a_loader_does() -> None:
    assert urls(read("<div style='display:none'><p style='background:url(a.jpg)' data-bg=b.jpg></div>")) == [
        f"{ROOM}/b.jpg"
    ]
    assert urls(read(styled("p{background:url(a.jpg)}", "<body style='display:none'><p>"))) == []
    assert urls(read("<p style='display:none;display:block;background:url(a.jpg)'>")) == [f"{ROOM}/a.jpg"]
    assert urls(read("<div style='display:none'><img src=a.jpg></div>")) == [f"{ROOM}/a.jpg"]


def test_only_the_last_background_of_a_style_attribute_is_loaded() -> None:
    assert urls(read("<p style='background:url(a.jpg);background:url(b.jpg)'>")) == [f"{ROOM}/b.jpg"]


def test_the_file_for_large_screens_wins_and_that_for_small_ones_is_remembered() -> None:
    image = only_image(
        styled(
            ".wide{background:url(small.jpg)} @media (min-width:800px){.wide{background:url(large.jpg)}}"
            "@media print{.wide{background:url(print.jpg)}}"
        )
    )
    assert (image.url, image.alternatives) == (f"{ROOM}/large.jpg", (f"{ROOM}/small.jpg",))


def test_the_media_of_a_style_element_counts() -> None:
    markup = (
        "<style media=print>p{background:url(a.jpg)}</style><style media=screen>p{background:url(b.jpg)}</style><p>"
    )
    assert urls(read(markup)) == [f"{ROOM}/b.jpg"]


def test_styles_of_another_language_are_not_read() -> None:
    assert read("<style type=text/less>p{background:url(a.jpg)}</style><p>").images == ()


def test_an_element_and_what_is_generated_before_and_after_it_have_backgrounds_of_their_own() -> None:
    rules = (
        "p{background:url(a.jpg)} p::before{content:'';background:url(b.jpg)} p:after{content:'';background:url(c.jpg)}"
    )
    assert urls(read(styled(rules))) == [f"{ROOM}/{name}.jpg" for name in "abc"]


def test_each_layer_of_a_background_is_an_image() -> None:
    assert urls(read(styled("section{background:url(a.jpg), linear-gradient(red,blue), url(b.jpg)}"))) == [
        f"{ROOM}/a.jpg",
        f"{ROOM}/b.jpg",
    ]


def test_of_an_image_set_the_sharpest_wins_and_the_others_are_remembered() -> None:
    markup = "<p style=\"background: image-set('a.avif' type('image/avif'), url(b.jpg) 3x, 'c.jpg' 2x), url(d.jpg)\">"
    first, second = read(markup).images
    assert (first.url, first.alternatives) == (f"{ROOM}/b.jpg", (f"{ROOM}/c.jpg", f"{ROOM}/a.avif"))
    assert (second.url, second.alternatives) == (f"{ROOM}/d.jpg", ())


def test_backgrounds_come_at_the_place_of_their_element() -> None:
    page = read(styled("section{background:url(b.jpg)}", "<body><img src=a.jpg><section><img src=c.jpg></section>"))
    assert urls(page) == [f"{ROOM}/{name}.jpg" for name in "abc"]


def test_a_page_with_more_rules_than_are_searched_says_so() -> None:
    rules = "".join(f".x{number}{{background:url({number}.jpg)}}" for number in range(3000))
    page = read(styled(rules + "p{background:url(a.jpg)}"))
    assert codes(page) == ["too_many_styles"]


@pytest.mark.parametrize(
    ("selector", "weight"),
    [("*", (0, 0, 0)), ("a b", (0, 0, 2)), ("#a.b[c]:not(.d) e", (1, 4, 1)), ("ul.list > li:first-child", (0, 2, 2))],
)
def test_selectors_weigh_what_the_standard_says_or_near_it(selector: str, weight: tuple[int, int, int]) -> None:
    assert specificity(selector) == weight


CSS = st.sampled_from(
    [
        *(
            "p",
            "section",
            ".hall",
            "#s",
            "*",
            "[title]",
            "[title='t' i]",
            ":not(",
            ":is(",
            ":where(",
            ":nth-child(",
            "2n+1",
        ),
        *(
            ")",
            "(",
            " ",
            ">",
            "+",
            "~",
            "|",
            "||",
            "&",
            ",",
            "::before",
            ":after",
            ":root",
            ":empty",
            ":link",
            "\\",
            "\\31 ",
        ),
        *(
            "{",
            "}",
            ";",
            ":",
            "@media ",
            "@layer ",
            "@supports ",
            "screen",
            "(width>1px)",
            "/*",
            "*/",
            "'",
            '"',
            "<!--",
        ),
        *(
            "background:",
            "background-image:",
            "url(a.jpg)",
            "url(",
            "image-set(",
            "2x",
            "content:'';",
            "!important",
            "red",
        ),
    ]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(CSS, max_size=30).map("".join))
def test_no_style_breaks_the_reading_of_the_page(rules: str) -> None:
    page = read(styled(rules.replace("<", ""), HALL + "<img src=z.jpg>"))
    assert f"{ROOM}/z.jpg" in urls(page)


@settings(max_examples=300, deadline=None)
@given(st.lists(CSS, max_size=12).map("".join))
def test_no_selector_breaks_the_matching(selector: str) -> None:
    page = read(styled(f"{selector}{{content:'';background:url(a.jpg)}}", HALL))
    assert [image.position for image in page.images] == list(range(len(page.images)))


@pytest.mark.parametrize(
    "hidden",
    [
        "p { display: none }",
        "div p { display: none } p { display: block }",
        "p { display: none !important } p:first-child { display: flex }",
        "@media (max-width: 749px) { p { display: none } } @media (min-width: 750px) { p { display: none } }",
        "p { display: /* not block */ none; }",
        "body { display: none }",
    ],
)
def test_what_style_elements_never_show_loads_no_background(hidden: str) -> None:
    page = "<div><p style='background:url(a.jpg)'><img src=b.jpg></p></div>"
    assert urls(read(styled(hidden, page))) == [f"{ROOM}/b.jpg"]


@pytest.mark.parametrize(
    "shown",
    [
        "p { display: none } div p { display: block }",
        "p { display: none; display: block }",
        "p { display: block !important } div p { display: none }",
        "@media (max-width: 749px) { p { display: none } }",
        "@media print { p { display: none } }",
        "p:hover { display: none }",
        "p::before { display: none }",
        "@supports not (color: red) { p { display: none } }",
    ],
)
def test_what_style_elements_show_on_some_screen_loads_its_background(shown: str) -> None:
    page = "<div><p style='background:url(a.jpg)'></p></div>"
    assert urls(read(styled(shown, page))) == [f"{ROOM}/a.jpg"]


def test_a_style_of_its_own_shows_what_a_style_element_hides() -> None:
    page = "<p style='display:block;background:url(a.jpg)'></p>"
    assert urls(read(styled("p { display: none }", page))) == [f"{ROOM}/a.jpg"]
    assert urls(read(styled("p { display: none !important }", page))) == []

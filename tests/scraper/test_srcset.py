"""srcset is read as the HTML standard reads it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scraper.extraction.srcset import CANDIDATE_LIMIT, Source, parse_srcset
from tests.scraper.letter import by_the_letter

SPACES = st.text(" \t\n\f\r", min_size=1, max_size=3)
URLS = st.from_regex(r"[a-z0-9/:.?=&%_~-][a-z0-9/:.?=&%,_~()-]{0,20}[a-z0-9/:.?=&%_~()-]", fullmatch=True)
DENSITIES = st.floats(0, 1000).map(lambda number: round(number, 3))
SOURCES = st.one_of(
    st.builds(Source, URLS),
    st.builds(Source, URLS, width_px=st.integers(1, 99_999)),
    st.builds(Source, URLS, density=DENSITIES),
)


@st.composite
def written(draw: st.DrawFn, sources: list[Source]) -> str:
    """Spell sources as an author might, with any white space that the standard allows."""
    text = ""
    for source in sources:
        descriptor = ""
        if source.width_px is not None:
            descriptor = f"{source.width_px}w"
        elif source.density is not None:
            descriptor = f"{source.density:f}x"
        before = draw(SPACES) if descriptor else draw(st.just(" "))
        text += draw(SPACES) + source.url + before + descriptor + draw(st.sampled_from([",", " ,", ",  "]))
    return text


@given(st.data(), st.lists(SOURCES, max_size=8))
def test_what_was_written_is_read_back_however_it_was_spaced(data: st.DataObject, sources: list[Source]) -> None:
    assert parse_srcset(data.draw(written(sources))) == sources


PARTS = st.sampled_from(
    [
        *("a", "data:,", "/", "(", ")", "[", '"', "\\", "-", "+", "."),
        *(",", " ", "\t", "\n", "\f", "\r", "\v", "\u00a0"),
        *("0w", "1w", "20w", "007w", "1W", "1h", "w", "h"),
        *("1x", "2x", "-0x", ".5x", "1.x", "1e1x", "1E-2x", "1e999x", "x"),
    ]
)


@settings(max_examples=1000)
@given(st.lists(PARTS, max_size=25).map("".join))
def test_every_text_is_read_as_the_standard_puts_it_to_the_letter(text: str) -> None:
    assert parse_srcset(text) == by_the_letter(text)


@pytest.mark.parametrize("digits", ["2147483648", "99999999999", "9" * 5000])
def test_a_width_that_no_browser_can_count_is_an_error(digits: str) -> None:
    assert parse_srcset(f"a {digits}w, b 1w") == [Source("b", width_px=1)]


def test_zeros_before_a_width_count_nothing() -> None:
    assert parse_srcset(f"a {'0' * 5000}7w") == [Source("a", width_px=7)]


@given(st.text(alphabet="a/ ,\t\n()wxh1.-+e\u00a0\x00", max_size=60))
def test_no_text_breaks_the_reading(text: str) -> None:
    for source in parse_srcset(text):
        assert source.url
        assert not source.url.startswith(",")
        assert source.width_px is None or source.density is None


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("", []),
        (" \t\n,,, ", []),
        ("a.jpg", [Source("a.jpg")]),
        ("a.jpg,", [Source("a.jpg")]),
        ("a.jpg 2x", [Source("a.jpg", density=2)]),
        ("a.jpg 1x,b.jpg 2x", [Source("a.jpg", density=1), Source("b.jpg", density=2)]),
        # Without a space a comma belongs to the URL.
        ("a.jpg,b.jpg 2x", [Source("a.jpg,b.jpg", density=2)]),
        ("a.jpg, b.jpg", [Source("a.jpg"), Source("b.jpg")]),
        ("a.jpg,,, b.jpg", [Source("a.jpg"), Source("b.jpg")]),
        ("data:,a, b.jpg 1x", [Source("data:,a"), Source("b.jpg", density=1)]),
        ("a.jpg 100w 50h", [Source("a.jpg", width_px=100)]),
        ("a.jpg 50h 100w", [Source("a.jpg", width_px=100)]),
        ("a.jpg .5x", [Source("a.jpg", density=0.5)]),
        ("a.jpg 1e3x", [Source("a.jpg", density=1000)]),
        ("a.jpg -0x", [Source("a.jpg", density=0)]),
        ("a.jpg\f2x\n,\tb.jpg\r3x", [Source("a.jpg", density=2), Source("b.jpg", density=3)]),
    ],
)
def test_candidates_are_told_apart(text: str, sources: list[Source]) -> None:
    assert parse_srcset(text) == sources


@pytest.mark.parametrize(
    "descriptors",
    [
        "1w 1x",
        "1x 1x",
        "1w 2w",
        "0w",
        "-1w",
        "+1w",
        "1.0w",
        "1W",
        "0x1w",
        "1.5e1.5x",
        "10h",
        "0h 1w",
        "1h 1x",
        "-1x",
        "+1x",
        "1.x",
        "x",
        "w",
        "infx",
        "nanx",
        "1e999x",
        "1",
        "2 x",
        "foo",
        "(x, y) 3x",
        "\u00a01x",
        "\u0661x",
    ],
)
def test_a_candidate_with_wrong_descriptors_is_left_out_and_its_neighbours_are_not(descriptors: str) -> None:
    assert parse_srcset(f"a.jpg {descriptors}, b.jpg 2x") == [Source("b.jpg", density=2)]


def test_a_comma_within_parentheses_ends_no_candidate() -> None:
    assert parse_srcset("data:,a ( , data:,b 1x, ), data:,c") == [Source("data:,c")]


def test_an_open_parenthesis_swallows_the_rest() -> None:
    assert parse_srcset("a.jpg (1x, b.jpg 2x, c.jpg 3x") == []


def test_an_endless_list_is_cut() -> None:
    assert len(parse_srcset("a 1x, " * 100_000)) == CANDIDATE_LIMIT

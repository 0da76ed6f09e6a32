"""One thing has one canonical URL, and two things have two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scraper.rules import (
    TRACKING_PARAMETERS,
    Candidate,
    canonical_url,
    image_subject,
    largest_first,
    page_subject,
)
from shared.errors import Refused


@pytest.mark.parametrize(
    ("spelled", "canonical"),
    [
        ("HTTP://Gallery.Example/", "http://gallery.example/"),
        ("https://gallery.example", "https://gallery.example/"),
        ("https://gallery.example:443/a", "https://gallery.example/a"),
        ("http://gallery.example:80/a", "http://gallery.example/a"),
        ("https://gallery.example:8443/a", "https://gallery.example:8443/a"),
        ("https://gallery.example./a", "https://gallery.example/a"),
        ("https://gallery.example/a#b", "https://gallery.example/a"),
        ("https://gallery.example/a/./b/../c", "https://gallery.example/a/c"),
        ("https://gallery.example/a/%2E%2e/c", "https://gallery.example/c"),
        ("https://gallery.example/%7Eann/%41%2d", "https://gallery.example/~ann/A-"),
        ("https://gallery.example/a%2fb", "https://gallery.example/a%2Fb"),
        ("https://gallery.example/a b/ü", "https://gallery.example/a%20b/%C3%BC"),
        ("https://gallery.example/100%", "https://gallery.example/100%"),
        ("https://bücher.example/a", "https://xn--bcher-kva.example/a"),
        ("https://gallery.example/a?", "https://gallery.example/a"),
        ("https://gallery.example/a?b=2&a=1", "https://gallery.example/a?b=2&a=1"),
        ("https://gallery.example/a?x=%7e", "https://gallery.example/a?x=~"),
        ("https://gallery.example/a?utm_source=x&b=2&UTM_Medium=y", "https://gallery.example/a?b=2"),
        ("https://gallery.example/a?fbclid=x", "https://gallery.example/a"),
        ("https://gallery.example/a?utm=1&gclid2=3", "https://gallery.example/a?utm=1&gclid2=3"),
        (" https://gallery.example/a\n", "https://gallery.example/a"),
        ("http://127.0.0.1:8080/a", "http://127.0.0.1:8080/a"),
    ],
)
def test_a_url_has_one_canonical_form(spelled: str, canonical: str) -> None:
    assert canonical_url(spelled) == canonical
    assert canonical_url(canonical) == canonical


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://gallery.example/a", "https://gallery.example/A"),
        ("https://gallery.example/a", "https://gallery.example/a/"),
        ("https://gallery.example/a", "http://gallery.example/a"),
        ("https://gallery.example/a?b=1&c=2", "https://gallery.example/a?c=2&b=1"),
        ("https://gallery.example/a%2Fb", "https://gallery.example/a/b"),
        ("https://gallery.example/a?b=%26", "https://gallery.example/a?b=&"),
    ],
)
def test_what_may_be_two_things_stays_two(one: str, other: str) -> None:
    assert canonical_url(one) != canonical_url(other)


@pytest.mark.parametrize("name", sorted(TRACKING_PARAMETERS))
def test_every_tracking_parameter_is_dropped(name: str) -> None:
    assert canonical_url(f"https://gallery.example/?{name.upper()}=1&id=2") == "https://gallery.example/?id=2"


@given(st.text(max_size=40), st.text(alphabet="abc&=%?#/.~\u00fc 0279AFaf", max_size=40))
def test_the_canonical_form_of_a_canonical_form_is_itself(path: str, query: str) -> None:
    try:
        canonical = canonical_url(f"https://gallery.example/{path}?{query}")
    except Refused:
        return
    assert canonical_url(canonical) == canonical


@pytest.mark.parametrize("text", ["", "a.jpg", "ftp://gallery.example/", "https://", "https://a b/"])
def test_what_is_no_web_address_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        canonical_url(text)


def test_two_spellings_make_one_job() -> None:
    assert page_subject("https://Gallery.example/a?utm_source=x") == page_subject("https://gallery.example/a#b")
    assert image_subject("https://Gallery.example/%61.jpg") == image_subject("https://gallery.example/a.jpg")


def test_a_promised_width_beats_a_guess_and_a_placeholder_comes_last() -> None:
    promised = Candidate("p", "srcset", width_px=300)
    smaller = Candidate("s", "srcset", width_px=200)
    guessed = Candidate("g", "img", shown_px=1920)
    dense = Candidate("d", "picture", density=2, shown_px=1920)
    placeholder = Candidate("x", "img", width_px=9000, placeholder=True)
    assert largest_first([placeholder, guessed, dense, smaller, promised]) == [
        promised,
        smaller,
        dense,
        guessed,
        placeholder,
    ]


def test_of_equals_the_first_written_wins() -> None:
    first, second = Candidate("a", "img", width_px=9), Candidate("b", "img", width_px=9)
    assert largest_first([first, second]) == [first, second]

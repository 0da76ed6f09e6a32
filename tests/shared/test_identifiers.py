"""Identifiers are ordered by time, and come out the same when work is repeated."""

import time
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import identifiers
from shared.identifiers import child_id, uuid7

PARENT = UUID("01900000-0000-7000-8000-000000000001")


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identifiers, "_last_millisecond_and_counter", (0, 0))


def stop_clock(monkeypatch: pytest.MonkeyPatch, *milliseconds: int) -> None:
    times = iter(milliseconds)
    monkeypatch.setattr("shared.identifiers.time.time_ns", lambda: next(times) * 1_000_000)


def test_each_new_identifier_is_greater_than_the_one_before() -> None:
    made = [uuid7() for _ in range(20_000)]
    assert made == sorted(set(made))


def test_an_identifier_tells_its_version_and_the_millisecond_in_which_it_was_made() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid7()
    assert (made.version, made.variant) == (7, RFC_4122)
    # Others were made a moment ago, perhaps more than there is room for in a millisecond.
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000 + 10


@pytest.mark.usefixtures("fresh")
def test_the_order_survives_a_clock_that_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_clock(monkeypatch, 5000, 4000, 3000, 5001)
    made = [uuid7() for _ in range(4)]
    assert made == sorted(made)
    assert [one.int >> 80 for one in made] == [5000, 5000, 5000, 5001]


@pytest.mark.usefixtures("fresh")
def test_a_millisecond_that_is_full_borrows_from_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_clock(monkeypatch, *[7000] * 10_000)
    made = [uuid7() for _ in range(10_000)]
    assert made == sorted(set(made))
    assert made[-1].int >> 80 == 7000 + 10_000 // 4096


def test_a_repeated_parent_makes_the_same_children() -> None:
    assert child_id(PARENT, "fetch", "http://a", "v1") == child_id(PARENT, "fetch", "http://a", "v1")


text = st.text(st.characters(codec="utf-8", exclude_characters="\x1f"), max_size=8)


@given(st.tuples(text, text, text), st.tuples(text, text, text))
def test_children_differ_where_kind_subject_or_recipe_differ(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert (child_id(PARENT, *one) == child_id(PARENT, *other)) == (one == other)


def test_children_of_different_parents_differ() -> None:
    assert child_id(PARENT, "fetch", "a") != child_id(uuid7(), "fetch", "a")

from uuid import UUID

import pytest

from services.media.rules import (
    are_near_duplicates,
    asset_id,
    hamming,
    similarity,
    subject_of_asset,
    subject_of_upload,
    subject_of_url,
)
from shared.addresses import parse_url

PROJECT = UUID("0190b1f2-0000-7000-8000-000000000001")
OTHER_PROJECT = UUID("0190b1f2-0000-7000-8000-000000000002")


def test_the_same_bytes_in_the_same_project_are_one_asset() -> None:
    assert asset_id(PROJECT, "ab" * 32) == asset_id(PROJECT, "ab" * 32)
    assert asset_id(PROJECT, "ab" * 32) != asset_id(PROJECT, "cd" * 32)
    assert asset_id(PROJECT, "ab" * 32) != asset_id(OTHER_PROJECT, "ab" * 32)


def test_the_id_of_an_asset_never_changes_between_versions() -> None:
    assert asset_id(PROJECT, "ab" * 32) == UUID("541f2ad5-1cab-5943-a730-31514b5636f1")


def test_spellings_that_lead_to_the_same_place_are_one_subject() -> None:
    spellings = ["HTTPS://Example.com:443/a%20b.jpg?x=1#top", "https://example.com/./a b.jpg?x=1"]
    assert {subject_of_url(parse_url(url)) for url in spellings} == {"url:https://example.com/a%20b.jpg?x=1"}


def test_subjects_of_different_things_never_meet() -> None:
    assert subject_of_asset(PROJECT) == f"asset:{PROJECT}"
    assert subject_of_upload(PROJECT) == f"upload:{PROJECT}"


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [
        ("0000000000000000", "0000000000000000", 0),
        ("0000000000000000", "ffffffffffffffff", 64),
        ("8000000000000001", "0000000000000001", 1),
        ("00000000000000ff", "0000000000000000", 8),
    ],
)
def test_the_distance_of_two_hashes_is_the_bits_in_which_they_differ(first: str, second: str, distance: int) -> None:
    assert hamming(first, second) == hamming(second, first) == distance
    assert similarity(first, second) == 1 - distance / 64


def test_six_bits_apart_are_near_and_seven_are_not() -> None:
    assert are_near_duplicates("0" * 16, "0" * 14 + "3f")
    assert not are_near_duplicates("0" * 16, "0" * 14 + "7f")
    assert not are_near_duplicates("0" * 16, None)

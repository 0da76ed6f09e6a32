from uuid import UUID

from services.media.rules import asset_id

PROJECT = UUID("0190b1f2-0000-7000-8000-000000000001")
OTHER_PROJECT = UUID("0190b1f2-0000-7000-8000-000000000002")


def test_the_same_bytes_in_the_same_project_are_one_asset() -> None:
    assert asset_id(PROJECT, "ab" * 32) == asset_id(PROJECT, "ab" * 32)
    assert asset_id(PROJECT, "ab" * 32) != asset_id(PROJECT, "cd" * 32)
    assert asset_id(PROJECT, "ab" * 32) != asset_id(OTHER_PROJECT, "ab" * 32)


def test_the_id_of_an_asset_never_changes_between_versions() -> None:
    assert asset_id(PROJECT, "ab" * 32) == UUID("541f2ad5-1cab-5943-a730-31514b5636f1")

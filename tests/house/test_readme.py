import pytest

from contracts.depth_map import MapDepth
from contracts.media import MediaStored
from deploy.contracts.tables import read_tables
from tests.house.readme import HEADER, rows_in, rows_of, written
from tests.house.sources import HOUSE

TABLES = {"gateway": ([MediaStored], []), "depth_map": ([MediaStored], [MapDepth])}


def test_the_readme_says_who_hears_and_says_what() -> None:
    rows = rows_of(read_tables(HOUSE))

    assert rows_in((HOUSE / "README.md").read_text()) == rows, f"the README's table should be:\n\n{written(rows)}\n"


def test_a_table_is_read_as_it_was_written() -> None:
    rows = rows_of(TABLES)

    assert rows_in(f"# Diorama\n\n{written(rows)}\n\nMore prose | with a bar.\n") == rows


def test_a_service_hears_its_table_and_says_its_own_words() -> None:
    hears, says = rows_of(TABLES)["depth_map"]

    assert hears == {"MediaStored", "MapDepth"}
    assert says == {"DepthMapped", "DepthMapReviewed"}
    assert {"MapDepth", "ScrapePages", "CancelJob"} <= rows_of(TABLES)["gateway"][1]


@pytest.mark.parametrize(
    ("before", "after"),
    [("`MapDepth`, ", ""), ("`DepthMapped`", "`DepthMapped`, `MediaLost`"), ("| depth_map |", "| depths |")],
)
def test_a_table_that_is_out_of_date_is_found(before: str, after: str) -> None:
    table = written(rows_of(TABLES))
    outdated = "\n".join(
        line.replace(before, after) if line.startswith("| depth_map |") else line for line in table.splitlines()
    )

    assert outdated != table
    assert rows_in(outdated) != rows_of(TABLES)


def test_a_readme_without_the_table_is_found() -> None:
    with pytest.raises(ValueError, match="no table with the header"):
        rows_in(HEADER.replace("hears", "heard"))

"""A manifest with cells that are too long to be read loses those rows and no others."""

from pathlib import Path

from contracts.scraper import ManifestColumns
from services.scraper.sources.manifests import ManifestImage, RefusedRow, read_rows

PICTURE = "data:image/png;base64," + "A" * 200_000


def read(folder: Path, body: str) -> list[tuple[int, str]]:
    path = folder / "manifest"
    path.write_text(body)
    rows = list(read_rows(path, ManifestColumns()))
    assert all(isinstance(row, ManifestImage | RefusedRow) for row in rows)
    return [(row.number, row.url if isinstance(row, ManifestImage) else row.code) for row in rows]


def test_a_picture_that_is_written_into_its_cell_spoils_no_other_row(tmp_path: Path) -> None:
    body = f"url,caption\nhttps://a.org/1,One\n{PICTURE},Two\nhttps://a.org/3,Three\n"
    assert read(tmp_path, body) == [(1, "https://a.org/1"), (2, "row_unreadable"), (3, "https://a.org/3")]


def test_nor_does_one_that_is_quoted(tmp_path: Path) -> None:
    body = f'url,caption\nhttps://a.org/1,One\n"{PICTURE}","Two"\nhttps://a.org/3,"Thr\nee"\n'
    assert read(tmp_path, body) == [(1, "https://a.org/1"), (2, "row_unreadable"), (3, "https://a.org/3")]


def test_what_is_wrong_with_such_a_row_is_told(tmp_path: Path) -> None:
    path = tmp_path / "manifest"
    path.write_text(f"url\n{PICTURE}\n")
    [row] = read_rows(path, ManifestColumns())
    assert isinstance(row, RefusedRow)
    assert row.sentence == "Row 1 has a cell of more than 131072 characters."

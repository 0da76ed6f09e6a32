from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house.rooms import (
    BANNED_NAMES,
    LONGEST_FILE_LINES,
    TOP_LEVEL,
    banned_names,
    overlong_files,
    strays_at_the_top,
)
from tests.house.sources import HOUSE
from tests.house.trees import plant

CHECKS = (strays_at_the_top, banned_names, overlong_files)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_house_has_the_rooms_of_its_plan(check: Callable[[Path], list[str]]) -> None:
    assert check(HOUSE) == []


def test_the_top_level_is_complete() -> None:
    assert sorted(name for name in TOP_LEVEL if not (HOUSE / name).exists()) == []


@pytest.mark.parametrize("name", ["src/diorama.py", "uv.lock", "docs/index.md", "package.json"])
def test_a_stray_at_the_top_is_found(name: str, tmp_path: Path) -> None:
    stray = name.partition("/")[0]

    assert strays_at_the_top(plant(tmp_path, {name: "x"})) == [f"{stray} has no place at the top level"]


def test_what_git_ignores_is_no_stray(tmp_path: Path) -> None:
    plant(
        tmp_path, {".gitignore": ".local/\n*.pyc\n.env\n", ".local/x": "", "a.pyc": "", ".env": "", ".git/config": ""}
    )

    assert strays_at_the_top(tmp_path) == []


@pytest.mark.parametrize("name", sorted(BANNED_NAMES))
@pytest.mark.parametrize("place", ["services/media/{}.py", "shared/{}/x.py", "tests/shared/{}.py", "deploy/{}/x.sh"])
def test_a_room_whose_name_says_nothing_is_found(name: str, place: str, tmp_path: Path) -> None:
    assert len(banned_names(plant(tmp_path, {place.format(name): ""}))) == 1


@pytest.mark.parametrize("suffix", [".py", ".sql", ".js", ".css"])
def test_a_file_of_one_line_too_many_is_found(suffix: str, tmp_path: Path) -> None:
    plant(tmp_path, {f"shared/long{suffix}": "x\n" * (LONGEST_FILE_LINES + 1)})
    plant(tmp_path, {f"shared/short{suffix}": "x\n" * LONGEST_FILE_LINES, "shared/data.json": "x\n" * 9999})

    (told,) = overlong_files(tmp_path)

    assert told.startswith(f"shared/long{suffix} has {LONGEST_FILE_LINES + 1} lines")

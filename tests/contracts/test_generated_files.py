import subprocess
import sys
from pathlib import Path

import pytest

from contracts.catalogue import CATALOGUE
from deploy.contracts.__main__ import main
from deploy.contracts.generation import ASYNCAPI, TOPOLOGY, generate, stale
from deploy.contracts.schemas import FOLDER
from deploy.contracts.tables import ContractBrokenError, Tables, read_tables
from tests.contracts.houses import tables

HOUSE = Path(__file__).resolve().parents[2]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty house with the services of the plan."""

    def told_by_hand(_root: Path) -> Tables:
        return tables()

    monkeypatch.setattr("deploy.contracts.__main__.read_tables", told_by_hand)
    return tmp_path


def test_the_generated_files_are_those_that_the_code_generates_now() -> None:
    files = generate(HOUSE, CATALOGUE, read_tables(HOUSE))

    assert stale(HOUSE, files) == [], "run `make contracts`"


def test_what_was_generated_is_not_stale(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], house) == 0
    assert main(["--check"], house) == 0

    assert str(TOPOLOGY) in capsys.readouterr().err
    assert len(list((house / FOLDER).glob("*/0001.json"))) == len(CATALOGUE)


@pytest.mark.parametrize("path", [TOPOLOGY, ASYNCAPI, FOLDER / "media.media_stored.v1" / "0001.json"], ids=str)
def test_a_generated_file_that_is_absent_is_stale(path: Path, house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([], house)
    (house / path).unlink()

    assert main(["--check"], house) == 1
    assert f"{path} is stale: run `make contracts`" in capsys.readouterr().err
    assert not (house / path).exists(), "a check writes nothing"


@pytest.mark.parametrize("path", [TOPOLOGY, ASYNCAPI], ids=str)
def test_a_generated_file_that_says_something_else_is_stale(path: Path, house: Path) -> None:
    main([], house)
    (house / path).write_text((house / path).read_text().replace("media.media_stored", "media.media_lost"))

    assert main(["--check"], house) == 1
    assert main([], house) == 0
    assert main(["--check"], house) == 0


def test_what_is_refused_is_told_and_nothing_is_written(
    house: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_root: Path) -> Tables:
        raise ContractBrokenError(["this is wrong: do that", "and this: do that too"])

    monkeypatch.setattr("deploy.contracts.__main__.read_tables", refuse)

    assert main([], house) == 2
    assert capsys.readouterr().err == "this is wrong: do that\nand this: do that too\n"
    assert list(house.iterdir()) == []


def test_the_generator_runs_as_make_runs_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.contracts", "--check"], cwd=HOUSE, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import pytest
from pydantic import Field

from contracts.catalogue import CATALOGUE
from contracts.envelope import Event, Message
from deploy.contracts.compatibility import transitive_incompatibilities, without_words
from deploy.contracts.schemas import FOLDER, golden_files, revisions_of, schema_of
from deploy.contracts.tables import ContractBrokenError

HOUSE = Path(__file__).resolve().parents[2]
EVERY = pytest.mark.parametrize("message", CATALOGUE.values(), ids=CATALOGUE)
WIRE_NAME = "media.media_framed.v1"


class MediaFramed(Event):
    """Said when a picture is framed."""

    wire_name: ClassVar = WIRE_NAME
    asset_id: UUID


class MediaFramedMore(Event):
    """Said when a picture is framed."""

    wire_name: ClassVar = WIRE_NAME
    asset_id: UUID
    colour: str | None = None


class MediaFramedInOtherWords(Event):
    """Said once a frame is around a picture."""

    wire_name: ClassVar = WIRE_NAME
    asset_id: UUID = Field(description="the picture")


class MediaFramedOtherwise(Event):
    """Said when a picture is framed."""

    wire_name: ClassVar = WIRE_NAME
    asset_id: str


class MediaFramedWithAnotherColour(Event):
    """Said when a picture is framed."""

    wire_name: ClassVar = WIRE_NAME
    asset_id: UUID
    colour: int | None = None


@EVERY
def test_the_latest_golden_schema_is_what_the_code_accepts(message: type[Message]) -> None:
    revisions = revisions_of(HOUSE, message.wire_name)

    assert revisions, f"{message.wire_name} has no golden schema: run `make contracts`"
    assert revisions[-1] == schema_of(message)


@EVERY
def test_every_revision_can_read_every_other_one(message: type[Message]) -> None:
    revisions = revisions_of(HOUSE, message.wire_name)

    for revision in revisions:
        assert transitive_incompatibilities(revisions, revision) == []


def test_every_golden_schema_belongs_to_a_message() -> None:
    assert {folder.name for folder in (HOUSE / FOLDER).iterdir()} == CATALOGUE.keys()


def test_no_golden_schema_was_changed_or_removed_since_it_was_committed() -> None:
    if shutil.which("git") is None or _git("rev-parse", "--verify", "--quiet", "HEAD").returncode:
        pytest.skip("there is no commit to compare with")
    listed = _git("ls-tree", "-r", "--name-only", "HEAD", "--", f"{FOLDER}/").stdout.split()
    committed = {name: _git("show", f"HEAD:{name}").stdout for name in listed}

    assert changed_revisions(HOUSE, {name: text for name, text in committed.items() if _is_ours(name)}) == []


def changed_revisions(root: Path, committed: dict[str, str]) -> list[str]:
    """Name the committed revisions that are gone or mean something else; only the words of the latest may differ."""
    return [name for name, text in committed.items() if not _stands(root / name, json.loads(text))]


def _stands(path: Path, committed: dict[str, Any]) -> bool:
    if not path.is_file():
        return False
    now = json.loads(path.read_text())
    return now == committed or (_is_latest(path) and without_words(now) == without_words(committed))


def _is_latest(path: Path) -> bool:
    return path == max(path.parent.glob("*.json"))


def _is_ours(name: str) -> bool:
    return Path(name).parent.name in CATALOGUE


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  arguments are those above
        ["git", *arguments],  # noqa: S607  git is found where it is installed
        cwd=HOUSE,
        capture_output=True,
        text=True,
        check=False,
    )


def settle(root: Path, message: type[Message]) -> list[Path]:
    """Write what the generator wants written; name it."""
    files = golden_files(root, {WIRE_NAME: message})
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return list(files)


def test_a_new_message_gets_its_first_revision(tmp_path: Path) -> None:
    assert settle(tmp_path, MediaFramed) == [FOLDER / WIRE_NAME / "0001.json"]
    assert revisions_of(tmp_path, WIRE_NAME) == [schema_of(MediaFramed)]
    assert settle(tmp_path, MediaFramed) == []


def test_a_new_message_without_a_golden_schema_is_noticed(tmp_path: Path) -> None:
    assert revisions_of(tmp_path, WIRE_NAME) == []
    assert golden_files(tmp_path, {WIRE_NAME: MediaFramed}).keys() == {FOLDER / WIRE_NAME / "0001.json"}


def test_a_new_optional_field_is_a_new_revision_and_the_first_stays(tmp_path: Path) -> None:
    settle(tmp_path, MediaFramed)
    first = (tmp_path / FOLDER / WIRE_NAME / "0001.json").read_bytes()

    assert settle(tmp_path, MediaFramedMore) == [FOLDER / WIRE_NAME / "0002.json"]
    assert (tmp_path / FOLDER / WIRE_NAME / "0001.json").read_bytes() == first


def test_an_optional_field_that_goes_is_a_new_revision_too(tmp_path: Path) -> None:
    settle(tmp_path, MediaFramedMore)

    assert settle(tmp_path, MediaFramed) == [FOLDER / WIRE_NAME / "0002.json"]


def test_other_words_are_written_into_the_latest_revision(tmp_path: Path) -> None:
    settle(tmp_path, MediaFramed)

    assert settle(tmp_path, MediaFramedInOtherWords) == [FOLDER / WIRE_NAME / "0001.json"]
    assert revisions_of(tmp_path, WIRE_NAME)[0]["description"] == "Said once a frame is around a picture."


def test_any_other_change_is_refused_and_a_new_version_is_asked_for(tmp_path: Path) -> None:
    settle(tmp_path, MediaFramed)

    with pytest.raises(ContractBrokenError, match=r"asset_id: format .* wire name media\.media_framed\.v2"):
        settle(tmp_path, MediaFramedOtherwise)
    assert revisions_of(tmp_path, WIRE_NAME) == [schema_of(MediaFramed)]


def test_a_change_is_compared_with_every_revision_and_not_with_the_latest_alone(tmp_path: Path) -> None:
    settle(tmp_path, MediaFramedMore)
    settle(tmp_path, MediaFramed)

    with pytest.raises(ContractBrokenError, match=r"colour: type changed .* \(revision 1\)"):
        settle(tmp_path, MediaFramedWithAnotherColour)


def test_a_revision_that_is_missing_is_noticed(tmp_path: Path) -> None:
    settle(tmp_path, MediaFramed)
    settle(tmp_path, MediaFramedMore)
    (tmp_path / FOLDER / WIRE_NAME / "0001.json").unlink()

    with pytest.raises(ContractBrokenError, match="bring back the one that is missing"):
        golden_files(tmp_path, {WIRE_NAME: MediaFramedMore})


def test_a_golden_schema_whose_class_is_gone_is_noticed(tmp_path: Path) -> None:
    settle(tmp_path, MediaFramed)

    with pytest.raises(ContractBrokenError, match=r"media\.media_framed\.v1 has golden schemas but no class"):
        golden_files(tmp_path, {})


def test_a_committed_revision_that_was_changed_or_removed_is_noticed(tmp_path: Path) -> None:
    settle(tmp_path, MediaFramed)
    settle(tmp_path, MediaFramedMore)
    first, second = (f"{FOLDER}/{WIRE_NAME}/{number}.json" for number in ("0001", "0002"))
    committed = {name: (tmp_path / name).read_text() for name in (first, second)}
    assert changed_revisions(tmp_path, committed) == []

    reworded = committed[second].replace("is framed", "was framed")
    (tmp_path / second).write_text(reworded)
    assert changed_revisions(tmp_path, committed) == [], "the words of the latest may follow the code"

    (tmp_path / first).write_text(committed[first].replace("is framed", "was framed"))
    (tmp_path / second).write_text(committed[second].replace('"colour"', '"color"'))
    assert changed_revisions(tmp_path, committed) == [first, second]

    (tmp_path / second).unlink()
    assert second in changed_revisions(tmp_path, committed)

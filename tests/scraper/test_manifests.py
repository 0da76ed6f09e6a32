"""Manifests become one job for each of their rows."""

from typing import Any
from uuid import UUID, uuid4

from contracts.jobs import JobChildrenNamed, JobCompleted
from contracts.media import FetchMedia
from contracts.scraper import ImageContext, ImageFound, ImportManifest, ManifestRow
from services.scraper.handlers import import_manifest
from tests.living import House, lineage, until


def row(number: int) -> ManifestRow:
    context = ImageContext(caption=f"Caption {number}", position=number)
    return ManifestRow(fetch_job_id=uuid4(), url=f"https://example.org/{number}.jpg", context=context)


async def obeyed(house: House, command: ImportManifest) -> list[Any]:
    await house.say(command)
    said: list[Any] = []

    async def ended() -> bool:
        said.extend(await house.heard())
        return any(isinstance(one, JobCompleted) for one in said)

    await until(ended)
    return said


async def test_each_row_of_a_manifest_is_found_once_and_named_as_a_child(house: House) -> None:
    rows = tuple(row(number) for number in range(1, 501))
    command = ImportManifest(**lineage(pipeline=("describe",)), rows=rows)
    async with house.worker("scraper", works={ImportManifest: import_manifest}):
        said = await obeyed(house, command)
        found = [one for one in said if isinstance(one, ImageFound)]
        assert {one.fetch_job_id: (one.url, one.context) for one in found} == {
            one.fetch_job_id: (one.url, one.context) for one in rows
        }
        assert len(found) == 500
        assert {(one.job_id, one.pipeline, one.found_in) for one in found} == {
            (command.job_id, ("describe",), "manifest")
        }
        named: dict[UUID, str] = {
            child.job_id: child.kind for one in said if isinstance(one, JobChildrenNamed) for child in one.children
        }
        assert named == {one.fetch_job_id: FetchMedia.wire_name for one in rows}
        [end] = [one for one in said if isinstance(one, JobCompleted)]
        assert (end.children_total, end.result) == (500, {"rows": 500})
        await house.say(command)
        await house.say(ImportManifest(**lineage(), rows=(row(1),)))

        async def others_ended() -> bool:
            said.extend(await house.heard())
            return len([one for one in said if isinstance(one, JobCompleted)]) == 2

        await until(others_ended)
        assert len([one for one in said if isinstance(one, ImageFound)]) == 501, "a command is obeyed once"

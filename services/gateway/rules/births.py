"""Jobs that other services make when they hear a fact; the gateway knows them by the same rule."""

from typing import Any

from contracts.depth_map import MapDepth
from contracts.envelope import Lineage
from contracts.image_generation import ImageGenerated
from contracts.media import AcceptUpload, FetchMedia, MediaStored
from contracts.scraper import ImageContext, ImageFound, ImportManifest
from shared.identifiers import child_id

DEFAULT_RECIPE = "default"
DEPTH_STEPS = frozenset({"depth"})


def fetch_of_found_image(fact: ImageFound) -> FetchMedia:
    """Give the command under which media fetches an image that was found."""
    return FetchMedia.model_construct(
        **_as_child(fact) | {"job_id": fact.fetch_job_id},
        url=fact.url,
        alternatives=fact.alternatives,
        context=fact.context,
        found=True,
    )


def fetches_of_manifest(command: ImportManifest) -> list[FetchMedia]:
    """Give the commands under which media fetches the images of a manifest, once its rows are said to be found."""
    return [
        FetchMedia.model_construct(
            **_as_child(command) | {"job_id": row.fetch_job_id},
            url=row.url,
            alternatives=(),
            context=row.context,
            found=True,
        )
        for row in command.rows
    ]


def upload_of_generated_image(fact: ImageGenerated) -> AcceptUpload:
    """Give the command under which media takes in an image that was generated."""
    return AcceptUpload.model_construct(
        **_as_child(fact) | {"job_id": child_id(fact.job_id, AcceptUpload.wire_name, fact.object_key)},
        object_key=fact.object_key,
        context=ImageContext(title=fact.description[:2000]),
    )


def maps_of_stored_image(fact: MediaStored) -> MapDepth | None:
    """Give the command that draws the maps of a stored image; None where its pipeline asks for none."""
    if DEPTH_STEPS.isdisjoint(fact.pipeline):
        return None
    job_id = child_id(fact.job_id, MapDepth.wire_name, str(fact.asset_id), DEFAULT_RECIPE)
    return MapDepth.model_construct(
        **_as_child(fact) | {"job_id": job_id},
        asset_id=fact.asset_id,
        original_key=fact.original_key,
        sha256=fact.sha256,
        recipe=DEFAULT_RECIPE,
    )


def _as_child(fact: Lineage) -> dict[str, Any]:
    return {
        "parent_job_id": fact.job_id,
        "root_job_id": fact.root_job_id,
        "project_id": fact.project_id,
        "submitted_by": fact.submitted_by,
        "pipeline": fact.pipeline,
        "priority": 0,
    }

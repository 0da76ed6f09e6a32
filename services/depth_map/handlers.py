"""What depth mapping hears: images that were stored and deleted, and commands to map one and to review maps."""

from collections.abc import Sequence
from typing import Any

from contracts.depth_map import DepthMapped, DepthMapReviewed, MapDepth, ReviewDepthMap, StoredMap
from contracts.media import MediaDeleted, MediaStored
from services.depth_map import store
from services.depth_map.mapping import DepthMapping, Maps
from shared.errors import Refused
from shared.handling import Heard, Reactions, Selective, Works
from shared.identifiers import child_id
from shared.image_formats import IMAGE_FORMATS
from shared.jobs import Job
from shared.outbox import Transaction

DEFAULT_RECIPE = "default"
_PICTURES = tuple(known.extension for known in IMAGE_FORMATS.values())
_FIRST = 1  # version of what was never deleted
STEP = "depth"
"""The step of a pipeline that is ours."""


async def on_media_stored(tx: Transaction, stored: Sequence[Heard[MediaStored]]) -> None:
    """Map stored images whose pipeline asks for it, and keep the maps of those that were deleted before."""
    images = [heard.message for heard in stored]
    back = [(image.asset_id, image.subject_version) for image in images if image.subject_version > _FIRST]
    if back:
        await store.upsert_deletions(tx.connection, back, deleted=False)
    for image in (image for image in images if STEP in image.pipeline):
        job_id = child_id(image.job_id, MapDepth.wire_name, str(image.asset_id), DEFAULT_RECIPE)
        lineage = image.child_lineage(job_id)
        tx.work(MapDepth(**lineage, asset_id=image.asset_id, original_key=image.original_key, sha256=image.sha256))


async def on_media_deleted(tx: Transaction, deleted: Sequence[Heard[MediaDeleted]]) -> None:
    """Condemn the maps of deleted images."""
    gone = [(heard.message.asset_id, heard.message.subject_version) for heard in deleted]
    await store.upsert_deletions(tx.connection, gone, deleted=True)


def _concerns(image: MediaStored) -> bool:
    return STEP in image.pipeline or image.subject_version > _FIRST


async def map_depth(job: Job[MapDepth], depth: DepthMapping) -> None:
    """Draw the maps of one stored image, unless the same recipe has drawn them already and nobody wants them anew."""
    command = job.command
    if command.recipe not in {DEFAULT_RECIPE, depth.recipe}:
        raise Refused(
            "recipe_unknown", f"Maps are drawn here by the recipe {depth.recipe}; ask for that or the default."
        )
    known = await store.select_depth_map(depth.pool, command.asset_id, depth.recipe)
    if known is not None and not command.redraw:
        async with job.completing() as tx:
            tx.say(_mapped(command, depth.recipe, known))
            tx.result(recipe=depth.recipe, already_mapped=True)
        return
    if not command.original_key.endswith(_PICTURES):  # a video would be read as a whole, to be refused then
        raise Refused("not_an_image", "Maps are drawn of images alone; this is a video.")
    maps = await depth.draw(command.asset_id, command.original_key, report=job.progress)
    async with job.completing() as tx:
        about, drawn = (command.asset_id, command.project_id, depth.recipe), _as_row(maps)
        current = await store.upsert_depth_map(
            tx.connection, *about, maps=drawn, facts=maps.facts, redraw=command.redraw
        )
        tx.say(_mapped(command, depth.recipe, current))
        # Another job may have drawn the same meanwhile.
        tx.result(recipe=depth.recipe, already_mapped=not current["recorded"])


def _as_row(maps: Maps) -> dict[str, Any]:
    pictures = {"depth": maps.depth, "edges": maps.edges, "preview": maps.preview, "coloured": maps.coloured}
    if maps.normals is not None:
        pictures["normals"] = maps.normals
    return {**{name: stored.model_dump() for name, stored in pictures.items()}, "sidecar_key": maps.sidecar_key}


def _mapped(command: MapDepth, recipe: str, current: dict[str, Any]) -> DepthMapped:
    maps, facts = current["maps"], current["facts"]
    return DepthMapped(
        **command.own_lineage(),
        asset_id=command.asset_id,
        subject_version=current["subject_version"],
        depth=StoredMap.model_validate(maps["depth"]),
        edges=StoredMap.model_validate(maps["edges"]),
        preview=StoredMap.model_validate(maps["preview"]),
        coloured=StoredMap.model_validate(maps["coloured"]),
        normals=StoredMap.model_validate(maps["normals"]) if "normals" in maps else None,
        sidecar_key=maps["sidecar_key"],
        kind=facts["kind"],
        estimator=facts["estimator"],
        recipe=recipe,
        quality=facts["quality"],
    )


async def review_depth_map(job: Job[ReviewDepthMap]) -> None:
    """Record what somebody has decided of maps, unless a later decision is here already; say which one holds."""
    command = job.command
    decided = command.model_dump(include={"decision", "map_version", "verdict", "reasons", "note"})
    async with job.completing() as tx:
        about = (command.asset_id, command.recipe, command.project_id)
        await store.upsert_review(
            tx.connection, *about, **decided, reviewed_by=command.reviewed_by, reviewed_at=command.reviewed_at
        )
        held = await store.select_review(tx.connection, *about)
        if held is None:
            raise Refused("map_unknown", "No maps of this image by this recipe were drawn here.")
        tx.say(_reviewed(command, held))
        tx.result(verdict=held["verdict"], holds=held["decision"] == command.decision)


def _reviewed(command: ReviewDepthMap, held: dict[str, Any]) -> DepthMapReviewed:
    return DepthMapReviewed(
        **command.own_lineage(),
        asset_id=command.asset_id,
        recipe=command.recipe,
        subject_version=held["decision"],
        map_version=held["map_version"],
        verdict=held["verdict"],
        reasons=tuple(held["reasons"]),
        note=held["note"],
        reviewed_by=held["reviewed_by"],
        reviewed_at=held["reviewed_at"],
    )


REACTIONS: Reactions = {MediaStored: Selective(on_media_stored, _concerns), MediaDeleted: on_media_deleted}
WORK: Works = {MapDepth: map_depth, ReviewDepthMap: review_depth_map}

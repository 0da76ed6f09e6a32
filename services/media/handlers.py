"""What media hears: images that were found or generated, and the commands that it works on."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from contracts.image_generation import ImageGenerated
from contracts.media import (
    AcceptUpload,
    CleanCopy,
    DeleteMedia,
    DescribeMedia,
    DrawRendition,
    Embedding,
    FetchMedia,
    MediaDeleted,
    MediaDescribed,
    MediaRejected,
    MediaStored,
    NamedColour,
    Rendition,
    Video,
)
from contracts.scraper import ImageContext, ImageFound
from services.media import store
from services.media.library import Held, Library
from services.media.on_demand import Original, Renditions
from services.media.rules import asset_id
from services.media.tagging.tagger import Seen, Tagger, Unanswered
from shared.errors import Refused, TryAgain
from shared.handling import Heard, Reactions, Works
from shared.identifiers import child_id
from shared.jobs import Completion, Job
from shared.manners import HOST_BUSY
from shared.outbox import Transaction
from shared.retry import ATTEMPTS

PIXELS = "diorama.pixels"
"""The origin of what media reads from the pixels alone."""

PIXEL_KINDS = frozenset({"colours", "embedding"})
"""What is seen in the pixels by everybody who describes here; taggers look for more, or in other ways."""

_OURS = frozenset({HOST_BUSY, "bytes_going", "object_store_unavailable", "scratch_unavailable", "videos_in_line"})
"""What passes on our own side: it tells nothing of a picture, nor that another size of it may be had sooner."""


async def on_image_found(tx: Transaction, found: Sequence[Heard[ImageFound]]) -> None:
    """Fetch every image that a page shows, or a list names."""
    for image in (heard.message for heard in found):
        lineage = image.child_lineage(image.fetch_job_id)
        wanted = {"url": image.url, "alternatives": image.alternatives, "context": image.context}
        tx.work(FetchMedia(**lineage, **wanted, found=True))


async def on_image_generated(tx: Transaction, generated: Sequence[Heard[ImageGenerated]]) -> None:
    """Take every generated image into the library."""
    for image in (heard.message for heard in generated):
        job_id = child_id(image.job_id, AcceptUpload.wire_name, image.object_key)
        context = ImageContext(title=image.description[:200], credit=f"Drawn by {image.model}"[:200])
        tx.work(AcceptUpload(**image.child_lineage(job_id), object_key=image.object_key, context=context))


async def fetch_media(job: Job[FetchMedia], library: Library) -> None:
    """Download one image, or the first of its alternatives that is one, and keep it.

    A link that a person named by hand is taken whatever its host asks of robots: whoever names it has chosen it, as by
    opening it. For what was found, or read in a list, that holds: see `Wishes`.
    """
    command = job.command
    refusals: list[Refused] = []
    passing: TryAgain | None = None
    gate = library.visit()
    for url in (command.url, *command.alternatives):
        try:
            held = await library.hold_link(url, job.progress, found=command.found, gate=gate)
        except Refused as refusal:
            refusals.append(refusal)
        except TryAgain as trouble:
            # It will have its turn, or may be had soon: what is next best is only taken instead in the end.
            if trouble.code in _OURS or (not trouble.rate_limited and job.attempt < ATTEMPTS):
                raise
            passing = passing or trouble
        else:
            await _store(job, library, held, _told(held, command.context), source_url=url)
            return
    if passing is not None:  # what is only away now may still be had
        raise passing
    await _reject(job, refusals[0], url=command.url)


def _told(held: Held, context: ImageContext) -> ImageContext:
    """Add what a video's own page says to what the page says on which its link was found."""
    said = {name: text for name, text in held.said.items() if text and getattr(context, name) is None}
    return context.model_copy(update=said)


async def accept_upload(job: Job[AcceptUpload], library: Library) -> None:
    """Keep an image that lies in the object store already."""
    try:
        held = await library.hold_object(job.command.object_key, job.progress)
    except Refused as refusal:
        await _reject(job, refusal, object_key=job.command.object_key)
    else:
        await _store(job, library, held, job.command.context, source_url=None)


async def describe_media(job: Job[DescribeMedia], library: Library) -> None:
    """Look at a stored image again; what the same origins saw in it before is replaced."""
    command = job.command
    if command.describer is not None:
        await _ask(job, library, library.taggers.called(command.describer))
        return
    known = PIXEL_KINDS | library.taggers.kinds
    if strange := [kind for kind in command.kinds if kind not in known]:
        told = ", ".join(sorted(known))
        raise Refused(
            "kind_unknown", f"Nobody looks for {strange[0]} here; ask for {told}, or for nothing in particular."
        )
    original = await _original(job, library)
    seen = None
    if not command.kinds or PIXEL_KINDS.intersection(command.kinds):
        seen = await library.look_again(original["sha256"], original["original_key"], job.progress)
    async with job.completing() as tx:
        if seen is not None:
            version = await _count(tx, command)
            tx.say(_described(command.own_lineage(), command.asset_id, version, seen))
            tx.result(origin=PIXELS, version=version)
        _follow_taggers(tx, library, command, command.asset_id, command.kinds)


async def _ask(job: Job[DescribeMedia], library: Library, tagger: Tagger) -> None:
    """Have one tagger describe an image, apart from all others: whatever becomes of it is no matter of theirs."""
    command = job.command
    original = await _original(job, library)
    job.progress(0.1, "reading")
    picture = await library.show(original["renditions"])
    job.progress(0.3, "looking")
    if tagger.costs_money:
        async with library.taggers.turn(tagger):
            seen = await _look_once(job, tagger, picture)
    else:
        seen = await tagger.look(picture)
    async with job.completing() as tx:
        version = await _count(tx, command)
        if tagger.costs_money:
            await store.delete_paid_look(tx.connection, job.id)
        tx.say(
            MediaDescribed(
                **command.own_lineage(),
                asset_id=command.asset_id,
                subject_version=version,
                origin=tagger.origin,
                tags=seen.tags,
                objects=seen.objects,
                caption=seen.caption,
                embedding=seen.embedding,
            )
        )
        tx.result(origin=tagger.origin, version=version, tags=len(seen.tags), objects=len(seen.objects))


async def _look_once(job: Job[DescribeMedia], tagger: Tagger, picture: bytes) -> Seen:
    """Ask somebody who is paid; after a crash nobody knows what became of the question, and it is not asked again."""
    async with job.recording() as tx:
        first = await store.insert_paid_look(tx.connection, job.id, tagger.origin)
    if not first:
        raise Unanswered(tagger.origin)
    try:
        return await tagger.look(picture)
    except Unanswered:
        raise
    except (Refused, TryAgain):  # it was answered that there is nothing to pay for, so it may be asked again
        async with job.recording() as tx:
            await store.delete_paid_look(tx.connection, job.id)
        raise


def _follow_taggers(tx: Completion, library: Library, command: Any, asset: UUID, kinds: tuple[str, ...]) -> None:
    """Have each tagger describe an image in a job of its own, so that its failure is nobody else's."""
    for tagger in library.taggers.looking_for(kinds):
        job_id = child_id(command.job_id, DescribeMedia.wire_name, str(asset), tagger.origin)
        tx.follow(DescribeMedia(**command.child_lineage(job_id), asset_id=asset, kinds=kinds, describer=tagger.origin))


async def _original(job: Job[DescribeMedia], library: Library) -> dict[str, Any]:
    original = await store.select_original(library.pool, job.command.asset_id, job.command.project_id)
    if original is None:
        raise _gone()
    return original


async def _count(tx: Completion, command: DescribeMedia) -> int:
    version = await store.update_asset_described(tx.connection, command.asset_id, command.project_id)
    if version is None:
        raise _gone()
    return version


def _gone() -> Refused:
    return Refused("image_unknown", "The project has no such image: it was deleted, or was never stored.")


async def draw_rendition(job: Job[DrawRendition], library: Library, renditions: Renditions) -> None:
    """Draw a stored image in one of the allowed sizes, for whoever asked for it."""
    command = job.command
    original = await store.select_original(library.pool, command.asset_id, command.project_id)
    if original is None:
        raise _gone()
    size = original["width_px"], original["height_px"]
    drawn = await renditions.draw(Original(original["sha256"], original["original_key"], *size), command.longest_px)
    async with job.completing() as tx:
        tx.result(key=drawn.key, width_px=drawn.width_px, height_px=drawn.height_px, already_drawn=drawn.cached)


async def delete_media(job: Job[DeleteMedia]) -> None:
    """Turn an asset into a tombstone."""
    command = job.command
    async with job.completing() as tx:
        version = await store.update_asset_deleted(tx.connection, command.asset_id, command.project_id)
        if version is not None:
            tx.say(MediaDeleted(**command.own_lineage(), asset_id=command.asset_id, subject_version=version))
        tx.result(deleted=version is not None)


async def _store(job: Job[Any], library: Library, held: Held, context: ImageContext, *, source_url: str | None) -> None:
    command = job.command
    async with job.completing() as tx:
        await store.upsert_blob(
            tx.connection, held.sha256, size_bytes=held.size_bytes, original_key=held.original_key, facts=held.facts
        )
        asset = await store.upsert_asset(
            tx.connection, asset_id(command.project_id, held.sha256), command.project_id, held.sha256, source_url
        )
        steps = _steps_of(command, held.facts)
        tx.say(_stored(command.own_lineage() | {"pipeline": steps}, asset, held, context, source_url))
        if not asset.already_stored:
            tx.say(_described(command.own_lineage(), asset.id, asset.described_version, held.facts))
            _follow_taggers(tx, library, command, asset.id, ())
        _name_steps(tx, command, asset, steps)
        lost = {"subtitles_left_out": list(held.subtitles_left_out)} if held.subtitles_left_out else {}
        tx.result(asset_id=str(asset.id), already_stored=asset.already_stored, **lost)


def _name_steps(tx: Completion, command: Any, asset: store.Asset, pipeline: Sequence[str]) -> None:
    """Name the jobs that other services make of this fact, so that the tree is known to its end."""
    if DEPTH in pipeline:
        tx.name_child(child_id(command.job_id, MAP_DEPTH, str(asset.id), "default"), MAP_DEPTH)


def _steps_of(command: Any, facts: dict[str, Any]) -> tuple[str, ...]:
    """Give the steps that follow: what moves has no one map, and nobody shall wait for it."""
    return tuple(step for step in command.pipeline if step != DEPTH or "video" not in facts)


DEPTH = "depth"
MAP_DEPTH = "depth_map.map_depth.v1"


def _stored(
    lineage: dict[str, Any], asset: store.Asset, held: Held, context: ImageContext, source_url: str | None
) -> MediaStored:
    facts = held.facts
    return MediaStored(
        **lineage,
        asset_id=asset.id,
        subject_version=asset.subject_version,
        sha256=held.sha256,
        size_bytes=held.size_bytes,
        content_type=facts["content_type"],
        width_px=facts["width_px"],
        height_px=facts["height_px"],
        original_key=held.original_key,
        renditions=tuple(Rendition.model_validate(rendition) for rendition in facts["renditions"]),
        clean_copy=None if (copy := facts["clean_copy"]) is None else CleanCopy.model_validate(copy),
        thumbhash=facts["thumbhash"],
        source_url=source_url,
        context=context,
        already_stored=asset.already_stored,
        video=Video.model_validate(facts["video"]) if "video" in facts else None,
    )


def _described(lineage: dict[str, Any], asset_id: UUID, version: int, facts: dict[str, Any]) -> MediaDescribed:
    embedding = facts.get("embedding")  # what was stored before there were any has none
    return MediaDescribed(
        **lineage,
        asset_id=asset_id,
        subject_version=version,
        origin=PIXELS,
        palette=tuple(NamedColour.model_validate(colour) for colour in facts["palette"]),
        perceptual_hash=facts["perceptual_hash"],
        embedding=None if embedding is None else Embedding.model_validate(embedding),
    )


async def _reject(job: Job[Any], refusal: Refused, **what: str) -> None:
    async with job.failing(refusal.code, refusal.sentence) as tx:
        tx.say(MediaRejected(**job.command.own_lineage(), **what, code=refusal.code, sentence=refusal.sentence[:500]))


REACTIONS: Reactions = {ImageFound: on_image_found, ImageGenerated: on_image_generated}
WORK: Works = {
    FetchMedia: fetch_media,
    AcceptUpload: accept_upload,
    DescribeMedia: describe_media,
    DrawRendition: draw_rendition,
    DeleteMedia: delete_media,
}

"""Drawing the scenes of a chapter with one request: a parent, and a child for each scene."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts.image_generation import GenerateImage
from services.gateway.routes.acting import act_once, begin
from services.gateway.routes.auditing import note
from services.gateway.routes.callers import Calling
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told as documented
from services.gateway.routes.documented.operations import SUBMITTING
from services.gateway.routes.documented.shapes.versions import ChapterTaken
from services.gateway.routes.drawing import check_drawable
from services.gateway.routes.models import MANY
from services.gateway.routes.people.fields import ChapterId
from services.gateway.routes.people.homes import chapter_of
from services.gateway.routes.problems import not_found
from services.gateway.routes.replies import API, job_location, job_reply, plain, submitted_job
from services.gateway.routes.scenes.asked import ChapterImagesAsked
from services.gateway.routes.scenes.wanted import Meant, Place, look_of, of_family, references_of, told
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.submitting import check_sizes, new_job
from services.gateway.rules.happenings import job_happening
from services.gateway.rules.jobs import JobRow
from services.gateway.rules.scenes import BATCH_KIND, UNMEASURED_SECONDS, says_something
from services.gateway.store import chapters as chapter_store
from services.gateway.store import projection
from services.gateway.store import scenes as store
from services.gateway.store.reading import Row
from services.gateway.store.scenes import Prospect
from services.gateway.store.submissions import SceneHeld, SceneWanted, select_scenes, upsert_scenes
from shared.identifiers import child_id
from shared.outbox import Transaction

_NOT_DESCRIBED: Final = "Nobody has said what it shows: describe the scene."
_DRAWN_ALREADY: Final = "It was drawn by the same recipe before; ask `again`, or choose that version."
_UNDER_WAY: Final = "Another image of this scene is being drawn; wait for it or cancel its task first."
routes = APIRouter(prefix=API, tags=["scenes"], route_class=SecondLook)


@dataclass
class _Batch:
    """What becomes of the scenes of a chapter.

    Attributes:
        root: the lineage of the parent.
        begun: the scenes that are to be drawn, by their numbers, with their commands.
        items: what is told of each scene, in their order.

    """

    root: Mapping[str, Any]
    chapter_id: str
    look: Mapping[str, Any]
    prospect: Prospect
    begun: dict[int, tuple[GenerateImage, SceneWanted]] = field(default_factory=dict)
    items: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def commands(self) -> list[GenerateImage]:
        return [command for command, _ in self.begun.values()]

    def child(self, number: int) -> dict[str, Any]:
        """Give the lineage of a scene's job; the same parent has the same children."""
        parent = self.root["job_id"]
        job_id = child_id(parent, GenerateImage.wire_name, f"{self.chapter_id}/{number}")
        return {**self.root, "job_id": job_id, "parent_job_id": parent}

    def tell(self, number: int, outcome: str, **more: Any) -> None:
        nothing = dict.fromkeys(("task_id", "version", "code", "sentence", "estimated_time_seconds"))
        self.items[number] = {"scene_number": number, "outcome": outcome, **nothing, **more}

    def skip(self, number: int, code: str, sentence: str, **more: Any) -> None:
        self.tell(number, "skipped", code=code, sentence=sentence, **more)


@routes.post(
    "/chapters/{chapter_id}/images",
    status_code=202,
    summary="Draw the images of a chapter's scenes",
    **documented(
        "draw_chapter",
        ChapterTaken,
        status=202,
        also={200: ChapterTaken},
        problems=(*SUBMITTING, "chapter_not_found", "chapter_ambiguous", "beyond_provider", "image_not_found"),
        once=True,
        waits=True,
    ),
)
async def post_chapter_images(
    request: Request, caller: Calling, chapter_id: ChapterId, asked: ChapterImagesAsked
) -> Response:
    """Draw all registered scenes of a chapter, or those that are named, at most 500: a job for each, under one parent.

    What is said of how they look holds for the chapter from then on, and each scene grows from a seed of one family: so
    one that is drawn anew later looks alike. Scenes that were drawn by the same recipe before are skipped, unless they
    are asked for `again`; those that are being drawn are let be. Each scene fails alone. Where nothing is begun, the
    answer is a 200 without a job.
    """

    async def act(tx: Transaction) -> Answer:
        found = await chapter_of(tx.connection, caller, chapter_id, asked.project_id)
        home = caller.writing(found["project_id"])
        chapter = await chapter_store.select_locked_chapter(tx.connection, home, chapter_id)
        if chapter is None:
            raise not_found("chapter")
        look = look_of(chapter["look"], asked)
        place = (home, chapter_id, None)
        prospect = await store.select_prospect(
            tx.connection, place, look.get("provider"), look.get("aspect_ratio"), asked.samples
        )
        named = None if asked.scenes is None else [scene.number for scene in asked.scenes]
        rows = await store.select_scenes_to_draw(tx.connection, home, chapter_id, named, MANY + 1)
        batch = _Batch(new_job(caller, home, asked.pipeline), chapter_id, look, prospect)
        references = await references_of(tx.connection, home, asked.references)
        await _decide(tx, batch, asked, rows[:MANY], references)
        check_sizes(batch.commands)
        for command in batch.commands[:1]:  # they differ in what they show and in their seeds alone
            check_drawable(prospect.offers, command)
        parent = await _begin(tx, batch) if batch.begun else None
        if look != chapter["look"]:
            await chapter_store.update_chapter(tx.connection, home, chapter_id, {"look": look})
        if parent is not None:
            await note(
                tx.connection, caller, "chapter.draw", chapter_id, home, job_id=parent.id, scenes=len(batch.begun)
            )
        return _tell(batch, parent, more=len(rows) > MANY)

    return await act_once(request, caller, act, show=_show)


async def _decide(
    tx: Transaction, batch: _Batch, asked: ChapterImagesAsked, rows: Sequence[Row], references: Sequence[str]
) -> None:
    """Decide of each scene whether it is drawn, and have the scenes follow."""
    described = {scene.number: scene.scene_description for scene in asked.scenes or ()}
    meant: dict[int, tuple[Meant, Place]] = {}
    for row in rows:
        number = row["number"]
        if says_something(description := described.get(number) or row["description"]):
            meant[number] = _meant(batch, asked, row, description, references)
        batch.skip(number, "not_described", _NOT_DESCRIBED)
    home: UUID = batch.root["project_id"]
    recipes = {number: one.recipe for number, (one, _) in meant.items()}
    known = {} if asked.again else await store.select_drawn_recipes(tx.connection, home, batch.chapter_id, recipes)
    for number, version in known.items():
        batch.skip(number, "drawn_already", _DRAWN_ALREADY, version=version)
    wanted = {
        number: one.at(place, script_id=asked.script_id, user_tier=asked.user_tier)
        for number, (one, place) in meant.items()
        if number not in known
    }
    held = await _place(tx, wanted)
    seconds = round(batch.prospect.seconds or UNMEASURED_SECONDS)
    for number, scene in wanted.items():
        now = held[scene.place]
        if now.task_id == scene.task_id:
            batch.begun[number] = (meant[number][0].command, scene)
            batch.tell(number, "begun", task_id=now.task_id, estimated_time_seconds=seconds)
        elif now.drawing == scene.drawing:
            batch.tell(number, "joined", task_id=now.task_id, estimated_time_seconds=seconds)
        else:
            batch.skip(number, "generation_in_progress", _UNDER_WAY, task_id=now.task_id)


def _meant(
    batch: _Batch, asked: ChapterImagesAsked, row: Row, description: str, references: Sequence[str]
) -> tuple[Meant, Place]:
    # Of what is being drawn the same take is meant, so that whoever asks twice is told of the same task.
    take = row["retry_count"] + (0 if row["under_way"] else 1)
    place = Place(batch.root["project_id"], batch.chapter_id, row["number"], take)
    command = told(batch.child(row["number"]), description, batch.look, asked, references)
    command = command.model_copy(update={"seed": None})  # what is asked for is the family's
    return of_family(command, batch.look, place, batch.prospect.offers), place


async def _place(tx: Transaction, wanted: Mapping[int, SceneWanted]) -> dict[tuple[UUID, str, int], SceneHeld]:
    if not wanted:
        return {}
    await upsert_scenes(tx.connection, list(wanted.values()), [])
    return await select_scenes(tx.connection, [scene.place for scene in wanted.values()])


async def _begin(tx: Transaction, batch: _Batch) -> JobRow:
    """Make the parent, which has ended with the naming of its children, and the jobs of the scenes."""
    now = datetime.now(UTC)
    root = batch.root
    parent = JobRow(
        id=root["job_id"],
        project_id=root["project_id"],
        submitted_by=root["submitted_by"],
        kind=BATCH_KIND,
        service="gateway",
        parent_id=None,
        root_id=root["root_job_id"],
        pipeline=root["pipeline"],
        created_at=now,
        updated_at=now,
    )
    await projection.insert_jobs(tx.connection, [parent], living=True)
    await projection.insert_events(tx.connection, [job_happening("job.submitted", parent)])
    parent.state, parent.started_at, parent.finished_at, parent.progress = "completed", now, now, 1.0
    parent.waiting_for, parent.children_total = None, len(batch.begun)
    parent.result = {"chapter_id": batch.chapter_id, "look": dict(batch.look)}
    await projection.update_jobs(tx.connection, [parent])
    jobs = await begin(tx, batch.commands)
    children = [
        {"parent_id": parent.id, "child_id": job.id, "project_id": job.project_id, "kind": job.kind} for job in jobs
    ]
    await projection.insert_job_children(tx.connection, children)
    await projection.insert_events(tx.connection, [job_happening("job.completed", parent)])
    return parent


def _tell(batch: _Batch, parent: JobRow | None, *, more: bool) -> Answer:
    job = None if parent is None else submitted_job(parent)
    body = {"job": job, "items": list(batch.items.values()), "total": len(batch.begun), "more": more}
    location = f"{API}/jobs" if parent is None else job_location(parent.id)
    return Answer(plain(body), location, 200 if parent is None else 202)


async def _show(told: Mapping[str, Any], job: Row) -> dict[str, Any]:
    return {**told, "job": job_reply(job)}

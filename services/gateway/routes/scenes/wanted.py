"""From what a client asks for to what is said to those who draw."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from contracts.image_generation import GenerateImage, ProvidersReported
from services.gateway.routes.looks import Look
from services.gateway.routes.problems import Problem
from services.gateway.routes.scenes.asked import DrawingAsked
from services.gateway.rules.scenes import (
    IMAGE_TYPE,
    drawing_of,
    family_of,
    priority_of,
    recipe_of,
    seed_in_family,
)
from services.gateway.store.images import select_examples
from services.gateway.store.submissions import SceneWanted
from shared.database import Connection
from shared.identifiers import uuid7

_USUAL: Final = {"style": "", "aspect_ratio": "1:1"}


@dataclass(frozen=True)
class Place:
    """A scene of a chapter, and for which time it is drawn, from 0."""

    project_id: UUID
    chapter_id: str
    number: int
    take: int = 0


@dataclass(frozen=True)
class Meant:
    """A picture that is to be drawn.

    Attributes:
        family: of the seeds, one of which is taken; None: the seed is named, or any.

    """

    command: GenerateImage
    family: int | None = None

    @property
    def recipe(self) -> str:
        return recipe_of(self.command, self.family)

    def at(
        self,
        place: Place,
        *,
        script_id: str | None,
        user_tier: str | None,
        from_task_id: UUID | None = None,
        from_sample: int | None = None,
    ) -> SceneWanted:
        """Give what its scene becomes."""
        command = self.command
        return SceneWanted(
            record_id=uuid7(),
            project_id=command.project_id,
            task_id=command.job_id,
            chapter_id=place.chapter_id,
            scene_number=place.number,
            script_id=script_id,
            image_type=IMAGE_TYPE,
            scene_description=command.description,
            style=command.style,
            aspect_ratio=command.aspect_ratio,
            user_tier=user_tier,
            created_at=datetime.now(UTC),
            drawing=drawing_of(command),
            recipe=self.recipe,
            from_task_id=from_task_id,
            from_sample=from_sample,
        )


def told(
    job: Mapping[str, Any], description: str, look: Mapping[str, Any], asked: DrawingAsked, references: Sequence[str]
) -> GenerateImage:
    """Give the command of a picture; what is asked for goes before how its chapter looks."""
    drawn = {**_USUAL, **{name: value for name, value in look.items() if name != "seed"}, **asked.look}
    return GenerateImage(
        **job,
        **drawn,
        description=description,
        samples=asked.samples,
        references=tuple(references),
        priority=priority_of(asked.user_tier),
    )


def of_family(command: GenerateImage, look: Mapping[str, Any], place: Place, offers: ProvidersReported | None) -> Meant:
    """Have a picture grow from a seed of its chapter's family, unless it names its own, or nobody heeds seeds."""
    if command.seed is not None:
        return Meant(command)
    family = look.get("seed")
    if family is None:
        family = family_of(place.project_id, place.chapter_id)
    member = with_seed(command, seed_in_family(family, place.number, place.take), offers)
    return Meant(member, family)


def with_seed(command: GenerateImage, seed: int, offers: ProvidersReported | None) -> GenerateImage:
    """Give a picture a seed that nobody has asked for, where that can be heeded; it decides nothing of who draws."""
    if offers is not None and offers.lack(command.model_copy(update={"seed": seed})) is not None:
        return command
    return command.model_copy(update={"seed": seed, "seed_asked_for": False})


def look_of(look: Mapping[str, Any], asked: DrawingAsked) -> dict[str, Any]:
    """Give how a chapter looks once this is asked for all of it."""
    return Look.model_validate({**look, **asked.look}).said


async def references_of(connection: Connection, project_id: UUID, ids: Sequence[UUID]) -> tuple[str, ...]:
    """Give the keys of what may be shown of images of a project, in the order in which they were named."""
    if not ids:
        return ()
    keys = await select_examples(connection, project_id, ids)
    if missing := [image_id for image_id in ids if image_id not in keys]:
        raise _missing(missing)
    return tuple(keys[image_id] for image_id in ids)


def _missing(ids: Iterable[UUID]) -> Problem:
    errors = [{"pointer": "/body/references", "message": f"there is no image {one} in the project"} for one in ids]
    return Problem(404, "image_not_found", "Some of the images to be shown are not in the project.", errors=errors)

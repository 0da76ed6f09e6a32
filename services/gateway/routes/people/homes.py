"""Which project a chapter is of, where a request names none."""

from collections.abc import Sequence
from uuid import UUID

from services.gateway.routes.callers import Caller
from services.gateway.routes.problems import Problem, not_found
from services.gateway.store.chapters import select_namesakes
from services.gateway.store.reading import Row
from shared.database import Connection


async def chapter_of(connection: Connection, caller: Caller, chapter_id: str, project_id: UUID | None) -> Row:
    """Give the one chapter of the caller that has this id; raises 404 and 409 problems."""
    chapter = await known_chapter(connection, caller, chapter_id, project_id)
    if chapter is None:
        raise not_found("chapter")
    return chapter


async def known_chapter(connection: Connection, caller: Caller, chapter_id: str, project_id: UUID | None) -> Row | None:
    """Give the chapter, or None where none is registered; raises a 409 problem where several projects have one."""
    found = await select_namesakes(connection, caller.seeing(project_id), chapter_id)
    if len(found) > 1:
        raise ambiguous([chapter["project_id"] for chapter in found])
    return found[0] if found else None


def ambiguous(projects: Sequence[UUID]) -> Problem:
    """Say which projects could be meant."""
    errors = [{"pointer": "/project_id", "message": str(project)} for project in projects[:20]]
    sentence = f"{len(projects)} of your projects have a chapter of this id; say which one you mean by `project_id`."
    return Problem(409, "chapter_ambiguous", sentence, errors=errors)

"""Requests that were paid for and whose answers nobody has heard, and jobs that go on with them."""

from typing import Any
from uuid import UUID, uuid4

from contracts.image_generation import GenerateImage, PaidRequest
from services.image_generation.rules.admission import FAILURES_UNTIL_CLOSED
from tests.image_generation.ateliers import VANISHING, ModelsLabServer
from tests.image_generation.shift import Outcome, Shift
from tests.living import lineage


def wishes(count: int) -> list[GenerateImage]:
    return [GenerateImage(**lineage(), description=f"picture {number}") for number in range(count)]


def going_on(lost: GenerateImage, request_id: str) -> GenerateImage:
    """Give the command that the gateway makes of a lost one when it is told its name."""
    job_id = uuid4()
    told = PaidRequest(job_id=lost.job_id, request_id=request_id)
    return lost.model_copy(update={"job_id": job_id, "root_job_id": job_id, "resumes": told})


def again(before: GenerateImage, **changed: Any) -> GenerateImage:
    """Give the command that the gateway makes of a failed one that somebody does again."""
    job_id = uuid4()
    anew = {"job_id": job_id, "root_job_id": job_id, "retries": before.job_id, "resumes": None}
    return before.model_copy(update={**anew, **changed})


def name_of(server: ModelsLabServer, job_id: UUID) -> str:
    return next(name for name, track in server.tracks.items() if track == str(job_id))


async def lose(shift: Shift, server: ModelsLabServer, count: int = 1) -> list[GenerateImage]:
    """Have requests taken whose answers nobody hears."""
    commands = wishes(count)
    for start in range(0, count, FAILURES_UNTIL_CLOSED - 1):
        some = commands[start : start + FAILURES_UNTIL_CLOSED - 1]
        server.next.extend([VANISHING] * len(some))
        outcomes = await shift.work(some)
        assert {outcome.code for outcome in outcomes.values()} == {"outcome_unknown"}
        await shift.house.admin.execute("DELETE FROM image_generation.accounts")  # or nobody would be asked for a while
    return commands


async def end(shift: Shift, command: GenerateImage) -> Outcome:
    return (await shift.work([command]))[command.job_id]


def paid(server: ModelsLabServer, *commands: GenerateImage) -> int:
    return sum(server.taken[str(command.job_id)] for command in commands)

"""Doing again what has failed: which jobs may be, and under which command."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

from contracts.catalogue import CATALOGUE
from contracts.envelope import Command
from contracts.image_generation import GenerateImage, PaidRequest
from shared.errors import Refused
from shared.identifiers import child_id

COSTS_MONEY: Final = GenerateImage.wire_name
NEVER_PAID_FOR: Final = (
    *("description_empty", "description_too_long", "negative_prompt_too_long", "style_too_long"),
    *("aspect_ratio_unknown", "seed_out_of_range"),
)
"""Why a job that costs money failed before anybody was asked for anything. Of whatever failed for another reason nobody
here knows whether it was paid for, so that a filter must name the reason."""

OUTCOME_UNKNOWN: Final = "outcome_unknown"
_RETRY: Final = "retry"


def retry_of(job: Mapping[str, Any], retried_by: str) -> Command:
    """Give the command of the job that does a failed one again: the same wish, place and parent under an id of its own.

    The id follows from the failed job's, so that each is done again at most once. `job` has the columns of `jobs`,
    `tree_cancelled`, `project_there`, and `draws_scene`: whether a scene still waits for it, or it never was of one.
    Raises Refused where it cannot be; a filter leaves such jobs out by the same conditions, see `store.retrying`.
    """
    if job["state"] != "failed":
        raise Refused("not_failed", f"Only failed jobs are done again; this one is {job['state']}.")
    if not job["project_there"]:
        raise Refused("project_deleted", "Its project was deleted, so that nobody would have what came of it.")
    if job["tree_cancelled"]:
        raise Refused("tree_cancelled", "What it belongs to was cancelled; hand that in anew.")
    if job["kind"] == GenerateImage.wire_name and not job["draws_scene"]:
        raise Refused("scene_drawn_anew", "Its scene has been drawn anew since then.")
    return _command(job, retried_by)


def _command(job: Mapping[str, Any], retried_by: str) -> Command:
    kind: str = job["kind"]
    job_id = retry_id(job["id"], kind)
    root_id = job_id if job["root_id"] == job["id"] else job["root_id"]
    changed = {"job_id": str(job_id), "root_job_id": str(root_id), "submitted_by": retried_by, "resumes": None}
    if kind == GenerateImage.wire_name:
        changed["retries"] = str(job["id"])
    try:
        command = CATALOGUE[kind].model_validate({**(job["request"] or {}), **changed})
    except (KeyError, ValidationError) as error:
        raise Refused("command_unknown", "It is not known here what was asked for; hand it in anew.") from error
    if not isinstance(command, Command):
        raise Refused("command_unknown", "It is not known here what was asked for; hand it in anew.")
    return command


def resumption_of(job: Mapping[str, Any], request_id: str) -> GenerateImage:
    """Give the command of the job that goes on with what was paid for by one that ended as `outcome_unknown`.

    It takes the place of a retry, so that there is only one of both. Its picture becomes a version of the scene, also
    where that has been drawn anew since. Raises Refused where it is not known what was asked for.
    """
    command = _command(job, job["submitted_by"])
    if not isinstance(command, GenerateImage):
        raise Refused("command_unknown", "Only what draws can go on.")
    told = PaidRequest(job_id=job["id"], request_id=request_id)
    return command.model_copy(update={"resumes": told, "retries": None})


def retry_id(job_id: UUID, kind: str) -> UUID:
    """Give the id of the job that does a failed one again."""
    return child_id(UUID(str(job_id)), kind, _RETRY)

"""Doing failed jobs again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts.envelope import Command
from contracts.image_generation import GenerateImage
from contracts.jobs import CancelJob
from services.gateway.routes.acting import act_once
from services.gateway.routes.auditing import entry
from services.gateway.routes.callers import Caller, Calling
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.jobs import RetriedJobs
from services.gateway.routes.problems import Problem
from services.gateway.routes.replies import API, job_reply, plain
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.wishes import FailedJobs, RetryAsked
from services.gateway.rules.happenings import job_happening
from services.gateway.rules.jobs import job_of_command
from services.gateway.rules.retrying import retry_of
from services.gateway.store import jobs as job_store
from services.gateway.store import projection
from services.gateway.store import retrying as store
from services.gateway.store.audit import insert_audit
from services.gateway.store.images import select_shown_anew
from services.gateway.store.jobs import JobFilter
from services.gateway.store.projects import keep_projects
from services.gateway.store.reading import Row
from services.gateway.store.retrying import FailedFilter
from shared.errors import Refused
from shared.outbox import Transaction

RETRIES_LIMIT: Final = 500
routes = APIRouter(prefix=API, tags=["jobs"], route_class=SecondLook)


@dataclass
class Plan:
    """What becomes of jobs that shall be done again.

    Attributes:
        commands: of the new jobs, by the ids of the failed ones.
        undelivered: the services of those failed ones that no worker took in: their commands may still arrive.
        known: the new jobs of those that were done again before.
        skipped: why the others cannot be, as `id, code, sentence`.
        more: a filter finds more than are done at once.

    """

    commands: dict[UUID, Command] = field(default_factory=dict)
    undelivered: dict[UUID, str] = field(default_factory=dict)
    known: dict[UUID, UUID] = field(default_factory=dict)
    skipped: list[dict[str, Any]] = field(default_factory=list)
    more: bool = False

    @property
    def retries(self) -> dict[UUID, UUID]:
        return {job_id: command.job_id for job_id, command in self.commands.items()}


@routes.post(
    "/jobs/retry",
    status_code=202,
    summary="Do failed jobs again",
    **told(
        "retry_jobs",
        RetriedJobs,
        status=202,
        problems=("job_not_found", "project_not_found", "not_a_member", "viewer_only", "operator_only"),
        once=True,
        waits=True,
    ),
)
async def post_retry(request: Request, caller: Calling, asked: RetryAsked) -> Response:
    """Do again the jobs that are named, or those that a filter finds: at most 500 at once, the oldest first.

    Each becomes a new job with the same parent that counts instead of the failed one, and each only once: whoever asks
    again is told of the same new job. A filter leaves out what cannot be done again, and, unless it names the code,
    images that were to be generated and may have been paid for: all but those whose wish was refused before anybody was
    asked. Operators may name the jobs of everybody.
    """

    async def act(tx: Transaction) -> Answer:
        plan = await _plan(tx, caller, asked)
        if not asked.dry_run:
            await _carry_out(tx, caller, plan)
        return await _answer(tx, caller, asked, plan)

    return await act_once(request, caller, act, looks_only=asked.dry_run, show=_show_only_retry)


async def _show_only_retry(told: Mapping[str, Any], job: Row) -> dict[str, Any]:
    (item,) = told["items"]
    return {**told, "items": [{**item, "job": job_reply(job)}]}


async def _plan(tx: Transaction, caller: Caller, asked: RetryAsked) -> Plan:
    rows = await _rows(tx, caller, asked)
    plan = Plan(more=asked.ids is None and len(rows) > RETRIES_LIMIT)
    for row in rows[:RETRIES_LIMIT]:
        if row["superseded_by"] is not None:
            plan.known[row["id"]] = row["superseded_by"]
            continue
        try:
            plan.commands[row["id"]] = await _shown_anew(tx, retry_of(row, caller.user_id))
        except Refused as refused:
            plan.skipped.append({"id": str(row["id"]), "code": refused.code, "sentence": refused.sentence})
            continue
        if row["ended_by_letter"] is not None:
            plan.undelivered[row["id"]] = row["service"]
    return plan


async def _shown_anew(tx: Transaction, command: Command) -> Command:
    if not isinstance(command, GenerateImage) or not command.references:
        return command
    references = await select_shown_anew(tx.connection, command.project_id, command.references)
    return command.model_copy(update={"references": references})


async def _rows(tx: Transaction, caller: Caller, asked: RetryAsked) -> list[Row]:
    locked = not asked.dry_run
    if asked.ids is not None:
        ids = list(dict.fromkeys(asked.ids))
        rows = await store.select_named_jobs(tx.connection, caller.reach, ids, locked=locked)
        _check_all_found(ids, rows)
        for row in rows:
            caller.ending(row["project_id"])
        return rows
    wanted = asked.filter or FailedJobs()
    fields = wanted.model_dump(exclude={"project_id", "everybody"})
    filter_ = FailedFilter(projects=_projects(caller, wanted), **fields)
    return await store.select_failed_jobs(tx.connection, filter_, RETRIES_LIMIT + 1, locked=locked)


def _projects(caller: Caller, wanted: FailedJobs) -> list[UUID] | None:
    if wanted.everybody:
        caller.operating()
        return None
    if wanted.project_id is None:
        return caller.writable
    caller.ending(wanted.project_id)
    return [wanted.project_id]


def _check_all_found(ids: Sequence[UUID], rows: Sequence[Mapping[str, Any]]) -> None:
    missing = [str(job_id) for job_id in ids if job_id not in {row["id"] for row in rows}]
    if missing:
        errors = [{"pointer": "/body/ids", "message": f"there is no job {job_id}"} for job_id in missing]
        raise Problem(404, "job_not_found", "Some of these jobs do not exist.", errors=errors[:20])


async def _carry_out(tx: Transaction, caller: Caller, plan: Plan) -> None:
    if not plan.commands:
        return
    if not await keep_projects(tx.connection, {command.project_id for command in plan.commands.values()}):
        raise Problem(404, "project_not_found", "A project was deleted meanwhile; nothing is done again.")
    now = datetime.now(UTC)
    noted = [
        entry(caller, "job.retry", job_id, command.project_id, kind=command.wire_name, retried_as=command.job_id)
        for job_id, command in plan.commands.items()
    ]
    await insert_audit(tx.connection, noted)
    jobs = [job_of_command(command, now) for command in plan.commands.values()]
    await projection.insert_jobs(tx.connection, jobs)
    await store.update_retried_jobs(tx.connection, plan.retries)
    await projection.insert_events(tx.connection, [job_happening("job.submitted", job) for job in jobs])
    for job_id, service in plan.undelivered.items():
        tx.say(CancelJob(addressee=service, job_id=job_id, cancelled_by=caller.user_id))
    for command in plan.commands.values():
        tx.say(command)


async def _answer(tx: Transaction, caller: Caller, asked: RetryAsked, plan: Plan) -> Answer:
    done = {**plan.known, **({} if asked.dry_run else plan.retries)}
    wanted = JobFilter(ids=list(done.values()))
    rows = await job_store.select_jobs(tx.connection, caller.reach, wanted, None, 2 * RETRIES_LIMIT) if done else []
    by_id = {row["id"]: job_reply(row) for row in rows}
    items = [
        {"id": job_id, "outcome": outcome, "job": by_id.get(done.get(job_id))}
        for outcome, ids in (("retried", plan.commands), ("already_retried", plan.known))
        for job_id in ids
    ]
    body = {"items": items, "total": len(plan.commands), "skipped": plan.skipped, "more": plan.more}
    return Answer(plain({**body, "dry_run": asked.dry_run}), f"{API}/jobs", 200 if asked.dry_run else 202)

"""Jobs: looking at them, doing failed ones again, and ending them."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from services.gateway.cli.asking import ask
from services.gateway.cli.client import Gateway, GatewayProblem
from services.gateway.cli.meaning import After, Before, Ids, given, meant
from services.gateway.cli.paging import Limit, WholeList, listed
from services.gateway.cli.telling import (
    REFUSED,
    AsJson,
    DryRun,
    end_unless,
    tell,
    tell_fields,
    tell_json,
    tell_list,
    tell_table,
)

_COLUMNS: Final = {
    "id": "id",
    "kind": "kind",
    "state": "state",
    "waiting for": "waiting_for",
    "attempt": "attempt",
    "next attempt": "next_attempt_at",
    "created": "created_at",
    "error": "error.code",
}
_FIELDS: Final = (
    *("id", "kind", "service", "state", "waiting_for", "stage", "progress", "attempt", "next_attempt_at"),
    *("error.code", "error.sentence", "retried_from", "retried_as", "parent_id", "root_id", "project_id"),
    *("submitted_by", "created_at", "started_at", "finished_at", "request", "result", "tree"),
)
_REFUSED: Final = "refused"
_CANCELLED: Final = {
    "job": "job.id",
    "outcome": "outcome",
    "jobs told": "jobs_told",
    "state": "job.state",
    "why": "error.sentence",
}

Kind = Annotated[str | None, typer.Option(help="Wire name of a command, such as media.fetch_media.v1.")]
ServiceOf = Annotated[str | None, typer.Option(help="The service that does them.")]
Code = Annotated[str | None, typer.Option(help="Why they failed.")]
Root = Annotated[UUID | None, typer.Option(help="The root of the tree that they belong to.")]
Everybody = Annotated[bool, typer.Option("--everybody", help="Of all projects; for operators.")]

app = typer.Typer(no_args_is_help=True, help="Jobs: list, show, retry, cancel.")


@app.command("list")
def list_jobs(
    *,
    state: Annotated[list[str] | None, typer.Option(help="Repeat it for several.")] = None,
    kind: Kind = None,
    service: ServiceOf = None,
    code: Code = None,
    root: Root = None,
    after: After = None,
    before: Before = None,
    everybody: Everybody = False,
    limit: Limit = 50,
    every: WholeList = False,
    as_json: AsJson = False,
) -> None:
    """Show the newest jobs."""
    found = _found(kind=kind, service=service, code=code, root=root, after=after, before=before)
    wanted = {"state": state, **found, **given(everybody=everybody)}
    listing = listed("/jobs", limit=limit, every=every, **wanted)
    tell_list(listing, _COLUMNS, none="There are no such jobs.", as_json=as_json)


@app.command()
def show(job_id: UUID, *, as_json: AsJson = False) -> None:
    """Show a job with the tree of what follows from it."""
    job = ask(lambda gateway: gateway.get(f"/jobs/{job_id}"))
    if as_json:
        tell_json(job)
    else:
        tell_fields(job, _FIELDS)


@app.command()
def retry(
    ids: Ids = None,
    *,
    kind: Kind = None,
    service: ServiceOf = None,
    code: Code = None,
    root: Root = None,
    after: After = None,
    before: Before = None,
    everybody: Everybody = False,
    every: Annotated[bool, typer.Option("--all", help="All failed jobs.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Do failed jobs again: those that are named, or those that the options find."""
    wanted = _found(kind=kind, service=service, code=code, root=root, after=after, before=before)
    body = {**meant(ids, wanted, every=every, also=given(everybody=everybody)), "dry_run": dry_run}
    answer = ask(lambda gateway: gateway.post("/jobs/retry", body))
    if as_json:
        tell_json(answer)
    else:
        tell_retries(answer)
    end_unless(answer["items"])


def tell_retries(answer: dict[str, Any]) -> None:
    if answer["items"]:
        tell_table(answer["items"], {"failed job": "id", "outcome": "outcome", "new job": "job.id"})
    if answer["skipped"]:
        tell_table(answer["skipped"], {"not done again": "id", "why": "code", "": "sentence"})
    done = "would be done" if answer["dry_run"] else "are done"
    tell(f"{answer['total']} failed jobs {done} again{'; there are more' if answer['more'] else ''}.")


@app.command()
def cancel(ids: Annotated[list[UUID], typer.Argument()], *, as_json: AsJson = False) -> None:
    """End jobs and everything that follows from them; of one that cannot be ended the others do not suffer."""
    answers: list[dict[str, Any]] = []

    async def cancel_each(gateway: Gateway) -> None:
        for job_id in dict.fromkeys(ids):
            answers.append(await _cancelled(gateway, job_id))  # noqa: PERF401 - an answer counts though the next fails

    try:
        ask(cancel_each)
    finally:  # also where the gateway went away meanwhile: what was done is told
        if answers and as_json:
            tell_json(answers)
        elif answers:
            tell_table(answers, _CANCELLED)
    end_unless(all(answer["outcome"] != _REFUSED for answer in answers), REFUSED)


async def _cancelled(gateway: Gateway, job_id: UUID) -> dict[str, Any]:
    try:
        return await gateway.post(f"/jobs/{job_id}/cancel", {})
    except GatewayProblem as problem:
        error = {"code": problem.code, "sentence": problem.sentence}
        return {"outcome": _REFUSED, "job": {"id": str(job_id)}, "error": error}


def _found(*, code: str | None, root: UUID | None, after: datetime | None, before: datetime | None, **same: Any) -> Any:
    return given(**same, error_code=code, root_id=root, created_after=after, created_before=before)

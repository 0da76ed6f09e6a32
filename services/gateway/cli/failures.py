"""Why jobs fail, and doing all that failed for one reason again."""

from typing import Annotated, Any, Final
from uuid import UUID

import typer

from services.gateway.cli.asking import ask
from services.gateway.cli.client import Gateway
from services.gateway.cli.jobs import tell_retries
from services.gateway.cli.meaning import After, Before, given
from services.gateway.cli.telling import AsJson, DryRun, end_unless, tell, tell_json, tell_table

_COLUMNS: Final = {
    "jobs": "jobs",
    "code": "error_code",
    "kind": "kind",
    "first": "first_at",
    "last": "last_at",
    "retry may help": "retry_may_help",
    "newest": "newest_job_ids",
    "for example": "sentence",
}
Kind = Annotated[str | None, typer.Option(help="Wire name of a command, such as media.fetch_media.v1.")]
Project = Annotated[UUID | None, typer.Option(help="Default: all of yours; of an operator everybody's.")]

app = typer.Typer(no_args_is_help=True, help="Why jobs fail: by reason, and doing them again.")


@app.command("list")
def list_failures(
    *,
    kind: Kind = None,
    service: Annotated[str | None, typer.Option()] = None,
    project: Project = None,
    after: After = None,
    before: Before = None,
    as_json: AsJson = False,
) -> None:
    """Show why jobs fail that nobody has done again, the most frequent reason first."""
    same = given(kind=kind, service=service, project_id=project)
    wanted = {**same, **given(created_after=after, created_before=before)}
    items = ask(lambda gateway: _failures(gateway, wanted))
    if as_json:
        tell_json(items)
    elif items:
        tell_table([{**one, "newest_job_ids": one["newest_job_ids"][0]} for one in items], _COLUMNS)
    else:
        tell("Nothing has failed.")
    end_unless(items)


@app.command()
def retry(
    code: Annotated[str, typer.Argument(help="The error code of the group.")],
    *,
    kind: Kind = None,
    project: Project = None,
    after: After = None,
    before: Before = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Do all jobs again that failed for one reason: as many as there are, not only the first 500."""
    found = given(kind=kind, project_id=project, created_after=after, created_before=before)
    answers = ask(lambda gateway: _retried(gateway, code, found, dry_run=dry_run))
    if as_json:
        tell_json(answers)
    else:
        for answer in answers:
            tell_retries(answer)
    end_unless(any(answer["items"] for answer in answers))


async def _failures(gateway: Gateway, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await gateway.get("/failures", **wanted))["items"]
    return items


async def _retried(gateway: Gateway, code: str, found: dict[str, Any], *, dry_run: bool) -> list[dict[str, Any]]:
    groups = [one for one in await _failures(gateway, {**found, "limit": 200}) if one["error_code"] == code]
    answers = []
    for group in groups:
        more = True
        while more:
            answer = await gateway.post("/jobs/retry", {**group["retry"], "dry_run": dry_run})
            answers.append(answer)
            more = answer["more"] and bool(answer["items"]) and not dry_run
    return answers

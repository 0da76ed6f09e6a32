"""Dead letters: looking at them, having them delivered once more, and giving them up."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from services.gateway.cli.asking import ask
from services.gateway.cli.meaning import After, Before, Ids, given, meant
from services.gateway.cli.paging import Limit, WholeList, listed
from services.gateway.cli.telling import AsJson, DryRun, end_unless, tell, tell_fields, tell_json, tell_list, tell_table

_COLUMNS: Final = {
    "id": "id",
    "service": "service",
    "state": "state",
    "code": "code",
    "type": "message_type",
    "job": "job_id",
    "received": "received_at",
}
_FIELDS: Final = (
    *("id", "service", "state", "code", "sentence", "message_type", "message_id", "topic", "size_bytes", "job_id"),
    *("project_id", "asked_by", "received_at", "updated_at", "excerpt"),
)
_SENTENCES: Final = {"redrive": "{} delivered once more", "discard": "{} given up"}

ServiceOf = Annotated[str | None, typer.Option(help="The service that set them aside.")]
Code = Annotated[str | None, typer.Option(help="Why they were set aside.")]
MessageType = Annotated[str | None, typer.Option("--type", help="Wire name of the message.")]
Every = Annotated[bool, typer.Option("--all", help="All dead letters.")]

app = typer.Typer(no_args_is_help=True, help="Messages that could not be read or taken in.")


@app.command("list")
def list_letters(
    *,
    service: ServiceOf = None,
    code: Code = None,
    message_type: MessageType = None,
    after: After = None,
    before: Before = None,
    state: Annotated[str | None, typer.Option(help="dead, redriving, taken_in, discarded ...")] = "dead",
    limit: Limit = 50,
    every: WholeList = False,
    as_json: AsJson = False,
) -> None:
    """Show the newest dead letters; with --state '' also those of which something became."""
    wanted = _found(service=service, code=code, message_type=message_type, after=after, before=before)
    listing = listed("/dead-letters", limit=limit, every=every, state=state or None, **wanted)
    tell_list(listing, _COLUMNS, none="There are no such dead letters.", as_json=as_json)


@app.command()
def show(letter_id: UUID, *, as_json: AsJson = False) -> None:
    """Show a dead letter, and how its body begins."""
    letter = ask(lambda gateway: gateway.get(f"/dead-letters/{letter_id}"))
    if as_json:
        tell_json(letter)
    else:
        tell_fields(letter, _FIELDS)


@app.command()
def redrive(
    ids: Ids = None,
    *,
    service: ServiceOf = None,
    code: Code = None,
    message_type: MessageType = None,
    after: After = None,
    before: Before = None,
    every: Every = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Have letters delivered once more; what was taken in meanwhile is recognised."""
    wanted = _found(service=service, code=code, message_type=message_type, after=after, before=before)
    _have_done("redrive", {**meant(ids, wanted, every=every), "dry_run": dry_run}, as_json=as_json)


@app.command()
def discard(
    ids: Ids = None,
    *,
    service: ServiceOf = None,
    code: Code = None,
    message_type: MessageType = None,
    after: After = None,
    before: Before = None,
    every: Every = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give letters up: they are kept for their time and never delivered again."""
    wanted = _found(service=service, code=code, message_type=message_type, after=after, before=before)
    _have_done("discard", {**meant(ids, wanted, every=every), "dry_run": dry_run}, as_json=as_json)


def _found(*, after: datetime | None, before: datetime | None, **same: str | None) -> dict[str, Any]:
    return given(**same, received_after=after, received_before=before)


def _have_done(what: str, body: dict[str, Any], *, as_json: bool) -> None:
    answer = ask(lambda gateway: gateway.post(f"/dead-letters/{what}", body))
    if as_json:
        tell_json(answer)
    else:
        if answer["items"]:
            tell_table(answer["items"], {"letter": "id", "service": "service", "code": "code"})
        if answer["skipped"]:
            tell_table(answer["skipped"], {"left as it is": "id", "state": "state"})
        done = _SENTENCES[what].format("would be" if answer["dry_run"] else "are")
        tell(f"{answer['total']} letters {done}{'; there are more' if answer['more'] else ''}.")
    end_unless(answer["items"])

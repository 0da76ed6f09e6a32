"""API keys: how scripts and machines sign in."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

import typer

from services.gateway.cli.asking import ask
from services.gateway.cli.meaning import given
from services.gateway.cli.paging import Limit, WholeList, listed
from services.gateway.cli.telling import AsJson, tell, tell_fields, tell_json, tell_list

_COLUMNS: Final = {
    "id": "id",
    "name": "name",
    "scopes": "scopes",
    "state": "state",
    "project": "project_id",
    "made by": "created_by",
    "last used": "last_used_at",
    "expires": "expires_at",
}
_MADE: Final = ("key", "id", "name", "scopes", "project_id", "expires_at")

app = typer.Typer(no_args_is_help=True, help="API keys: list, create, revoke.")


@app.command("list")
def list_tokens(
    *,
    revoked: Annotated[bool, typer.Option("--revoked", help="Also those that were revoked.")] = False,
    limit: Limit = 50,
    every: WholeList = False,
    as_json: AsJson = False,
) -> None:
    """Show API keys, the newest first."""
    listing = listed("/api-keys", limit=limit, every=every, **given(revoked=revoked))
    tell_list(listing, _COLUMNS, none="There are no API keys.", as_json=as_json)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    *,
    scope: Annotated[list[str] | None, typer.Option(help="read, write, manage or operate; repeat it.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="It expires after so long.")] = None,
    project: Annotated[UUID | None, typer.Option(help="Default: your personal project.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key. It is shown this once."""
    end = None if days is None else datetime.now(UTC) + timedelta(days=days)
    body = {"name": name, "scopes": scope or ["read"], **given(expires_at=end, project_id=project)}
    made = ask(lambda gateway: gateway.post("/api-keys", body))
    if as_json:
        tell_json(made)
    else:
        tell_fields(made, _MADE)


@app.command()
def revoke(key_id: UUID, *, as_json: AsJson = False) -> None:
    """End an API key for good."""
    ask(lambda gateway: gateway.delete(f"/api-keys/{key_id}"))
    if as_json:
        tell_json({"id": str(key_id), "state": "revoked"})
    else:
        tell(f"{key_id} works no more.")

"""Who am I: what the gateway makes of a credential."""

import math
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.gateway.routes.callers import Caller, Known
from services.gateway.routes.documented import told
from services.gateway.routes.replies import API
from services.gateway.rules.people import Scope

routes = APIRouter(prefix=API, tags=["people"])


class Membership(BaseModel):
    """What somebody is in a project."""

    project_id: UUID
    role: Literal["owner", "editor", "viewer"]
    personal: bool = Field(description="where things go when no project is named")


class Me(BaseModel):
    """Who calls."""

    user_id: str = Field(description="the token's `sub`; of an API key `key:` and its id, as in `submitted_by`")
    credential: Literal["token", "api_key"]
    api_key_id: UUID | None
    roles: list[str] = Field(description="from `app_metadata`; `operator` means something here")
    scopes: list[Scope] = Field(description="what the credential is good for; a user's token is good for everything")
    memberships: list[Membership] = Field(description="your projects; of an API key the one it belongs to")
    expires_at: datetime | None = Field(description="of the credential; streams end then. An API key may have no end")


@routes.get("/me", summary="Who you are here, and what your credential is good for", **told("get_me", Me))
async def get_me(caller: Known) -> Me:
    principal = caller.principal
    return Me(
        user_id=principal.user_id,
        credential="token" if principal.api_key is None else "api_key",
        api_key_id=None if principal.api_key is None else principal.api_key.id,
        roles=sorted(principal.roles),
        scopes=sorted(principal.scopes),
        memberships=_memberships(caller),
        expires_at=datetime.fromtimestamp(principal.expires_at, UTC) if math.isfinite(principal.expires_at) else None,
    )


def _memberships(caller: Caller) -> list[Membership]:
    return [
        Membership(project_id=project_id, role=role, personal=project_id == caller.personal_project)
        for project_id, role in caller.memberships.items()
    ]

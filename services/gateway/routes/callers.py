"""Who calls, and which projects are theirs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from services.gateway.identity import Principal
from services.gateway.routes.parts import Parts
from services.gateway.routes.problems import Problem, unauthenticated

_VIEWER = "viewer"


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in user and the roles he has in his projects, the personal project first."""

    principal: Principal
    memberships: Mapping[UUID, str]

    @property
    def user_id(self) -> str:
        return self.principal.user_id

    @property
    def personal_project(self) -> UUID:
        return next(iter(self.memberships))

    def seeing(self, project_id: UUID | None) -> list[UUID]:
        """Give the projects to look into: the one that was asked for, or all."""
        if project_id is None:
            return list(self.memberships)
        self._check(project_id)
        return [project_id]

    def writing(self, project_id: UUID | None) -> UUID:
        """Give the project to write into: the one that was asked for, or the personal one."""
        if project_id is None:
            return self.personal_project
        self._check(project_id)
        if self.memberships[project_id] == _VIEWER:
            raise Problem(403, "viewer_only", "In this project you may look at everything and change nothing.")
        return project_id

    def _check(self, project_id: UUID) -> None:
        if project_id not in self.memberships:
            raise Problem(403, "not_a_member", "You are not a member of this project.")


def parts_of(request: Request) -> Parts:
    """Give what the routes work with."""
    parts: Parts = request.app.state.parts
    return parts


async def caller_of(request: Request) -> Caller:
    """Find out who calls; raises a 401 problem."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise unauthenticated("token_missing", "Send a bearer token in the Authorization header.")
    parts = parts_of(request)
    principal = parts.tokens.principal(token.strip())
    return Caller(principal, await parts.memberships.of(principal.user_id))


Calling = Annotated[Caller, Depends(caller_of)]

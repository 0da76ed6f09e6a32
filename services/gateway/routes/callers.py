"""Who calls, and which projects are theirs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from services.gateway.identity import Principal
from services.gateway.routes.parts import Parts
from services.gateway.routes.problems import Problem, unauthenticated
from services.gateway.rules.people import OWNER

OPERATOR = "operator"
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
    def is_operator(self) -> bool:
        """Whether he may see and end the jobs of everybody, and what becomes of dead letters and pauses."""
        return OPERATOR in self.principal.roles

    @property
    def writable(self) -> list[UUID]:
        """The projects in which he may change something as their member."""
        return [project for project, role in self.memberships.items() if role != _VIEWER]

    @property
    def personal_project(self) -> UUID:
        return next(iter(self.memberships))

    def seeing(self, project_id: UUID | None) -> list[UUID]:
        """Give the projects to look into: the one that was asked for, or all."""
        if project_id is None:
            return list(self.memberships)
        self._check(project_id)
        return [project_id]

    @property
    def reach(self) -> list[UUID] | None:
        """The projects whose jobs and dead letters he may see; None for an operator, who may see everybody's."""
        return None if self.is_operator else list(self.memberships)

    def writing(self, project_id: UUID | None) -> UUID:
        """Give the project to write into: the one that was asked for, or the personal one."""
        if project_id is None:
            return self.personal_project
        self._check(project_id)
        if self.memberships[project_id] == _VIEWER:
            raise Problem(403, "viewer_only", "In this project you may look at everything and change nothing.")
        return project_id

    def owning(self, project_id: UUID | None) -> list[UUID]:
        """Give the projects that he owns, or the one that was asked for where he does."""
        owned = [project for project, role in self.memberships.items() if role == OWNER]
        if project_id is None:
            return owned
        self._check(project_id)
        if project_id not in owned:
            raise not_an_owner()
        return [project_id]

    def ending(self, project_id: UUID) -> None:
        """Check the right to end or repeat jobs of a project: its writers have it, and operators."""
        if not self.is_operator:
            self.writing(project_id)

    def operating(self) -> None:
        """Check that an operator calls; raises a 403 problem."""
        if not self.is_operator:
            raise Problem(403, "operator_only", "Only operators may do this: the role comes from `app_metadata`.")

    def _check(self, project_id: UUID) -> None:
        if project_id not in self.memberships:
            raise Problem(403, "not_a_member", "You are not a member of this project.")


def not_an_owner() -> Problem:
    return Problem(403, "owner_only", "Only owners of the project may do this; ask one of them.")


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


async def fresh_caller_of(request: Request, caller: Calling) -> Caller:
    """Find out who calls, with the memberships that he has at this moment."""
    parts_of(request).memberships.forget(caller.user_id)
    return await caller_of(request)


CallingNow = Annotated[Caller, Depends(fresh_caller_of)]

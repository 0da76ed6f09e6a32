"""Who calls, by which credential, and which projects are theirs."""

import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request
from starlette.requests import HTTPConnection

from services.gateway.identity import NotAUserError, Principal, is_ticket, key_id_of, looks_like_a_key
from services.gateway.routes.edge.limiting import admit, admit_stranger
from services.gateway.routes.parts import Parts
from services.gateway.routes.problems import Problem, unauthenticated
from services.gateway.rules.people import KEY_PREFIX, OPERATOR, OWNER, Scope
from services.gateway.store.presenting import digest_of
from services.gateway.store.tickets import delete_ticket

_VIEWER = "viewer"
_LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is signed in and the roles he has in his projects, the personal project first; of a key, its project."""

    principal: Principal
    memberships: Mapping[UUID, str]

    @property
    def user_id(self) -> str:
        return self.principal.user_id

    @property
    def person_id(self) -> str:
        """The user whose memberships count: the caller himself, or whoever made his API key."""
        key = self.principal.api_key
        return self.user_id if key is None else key.created_by

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
        """His own project, where things go when he names none; of a key, its project."""
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
            project_id = self.personal_project
        self._check(project_id)
        if self.memberships[project_id] == _VIEWER:
            raise Problem(403, "viewer_only", "In this project you may look at everything and change nothing.")
        return project_id

    def owning(self, project_id: UUID | None) -> list[UUID]:
        """Give the projects that he owns, or the one that was asked for where he does."""
        self.needs("manage")
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
        self.needs("operate")
        if not self.is_operator:
            raise Problem(403, "operator_only", "Only operators may do this: the role comes from `app_metadata`.")

    def needs(self, scope: Scope) -> None:
        """Check what the credential is good for; raises a 403 problem. A user's token is good for everything."""
        if scope not in self.principal.scopes:
            sentence = f"This API key lacks the scope `{scope}`; make one that has it, or sign in as a user."
            raise Problem(403, "scope_missing", sentence)

    def signed_in(self) -> None:
        """Check that a user calls himself, and no key; raises a 403 problem."""
        if self.principal.api_key is not None:
            raise Problem(403, "users_only", "An API key may not do this; sign in as a user.")

    def _check(self, project_id: UUID) -> None:
        if project_id not in self.memberships:
            raise Problem(403, "not_a_member", "You are not a member of this project.")


def not_an_owner() -> Problem:
    return Problem(403, "owner_only", "Only owners of the project may do this; ask one of them.")


def parts_of(connection: HTTPConnection) -> Parts:
    """Give what the routes work with."""
    parts: Parts = connection.app.state.parts
    return parts


async def memberships_of(parts: Parts, principal: Principal) -> Mapping[UUID, str]:
    """Give the roles that this principal has now, by project; nothing where a key or its maker has none any more.

    Raises DatabaseAwayError.
    """
    key = principal.api_key
    if key is None:
        return await parts.memberships.of(principal.user_id)
    if not await parts.api_keys.works(key):
        return {}
    role = (await parts.memberships.of(key.created_by)).get(key.project_id)
    return {} if role is None else {key.project_id: role}


async def still_sees(parts: Parts, caller: Caller, projects: Iterable[UUID]) -> bool:
    """Tell whether whoever follows a stream may still do so: his credential works, and he sees all these projects.

    Raises DatabaseAwayError.
    """
    if caller.is_operator and caller.principal.api_key is None:
        return True
    now = await memberships_of(parts, caller.principal)
    return bool(now) and (caller.is_operator or now.keys() >= set(projects))


async def known_caller(request: Request) -> Caller:
    """Find out who calls, whatever his credential is good for, and count it; raises 401 and 429 problems."""
    caller = await _caller(parts_of(request), await _counted(request, _principal))
    request.state.caller = caller
    return caller


async def caller_of(request: Request) -> Caller:
    """Find out who calls, and whether his credential is good for looking, or for changing something.

    Raises 401, 403 and 429 problems.
    """
    caller = await known_caller(request)
    caller.needs("read" if request.method in _LOOKING else "write")
    return caller


async def reader_of(request: Request) -> Caller:
    """Find out who calls where nothing is changed, whatever the method; raises 401, 403 and 429 problems."""
    caller = await known_caller(request)
    caller.needs("read")
    return caller


async def streaming_caller_of(
    connection: HTTPConnection,
    ticket: Annotated[
        str | None, Query(max_length=100, description="from `POST /tickets`, where no header can be sent")
    ] = None,
) -> Caller:
    """Find out who wants to follow a stream, of a request or a WebSocket: by his credential, or by a ticket.

    A ticket is gone afterwards, whatever becomes of the request. Raises 400, 401, 403 and 429 problems.
    """
    if ticket is None:
        principal = await _counted(connection, _principal)
    elif "authorization" in connection.headers:
        raise Problem(400, "two_credentials", "Send a ticket or an Authorization header, not both.")
    else:
        principal = await _counted(connection, partial(_principal_of_ticket, ticket=ticket))
    caller = await _caller(parts_of(connection), principal)
    caller.needs("read")
    return caller


async def _counted(connection: HTTPConnection, find: Callable[[HTTPConnection], Awaitable[Principal]]) -> Principal:
    """Count a request once, of whoever sends it, or of the address of one who cannot say who he is."""
    parts = parts_of(connection)
    try:
        principal = await find(connection)
    except (Problem, NotAUserError):
        # A request without a header was counted when it came in, and nobody saw a WebSocket come in.
        if connection.scope["type"] == "websocket" or "authorization" in connection.headers:
            await admit_stranger(connection, parts)
        raise
    await admit(connection, principal, parts)
    return principal


async def _principal_of_ticket(connection: HTTPConnection, ticket: str) -> Principal:
    found = await delete_ticket(parts_of(connection).pool, digest_of(ticket)) if is_ticket(ticket) else None
    if found is None:
        sentence = "This ticket was used, has expired or never existed; get another one from `POST /tickets`."
        raise unauthenticated("ticket_invalid", sentence)
    return found


async def _principal(connection: HTTPConnection) -> Principal:
    sent = connection.headers.getlist("authorization")
    if len(sent) > 1:
        raise unauthenticated("token_malformed", "Send one Authorization header.")
    scheme, _, credential = (sent or [""])[0].partition(" ")
    credential = credential.strip(" ")
    if scheme.lower() != "bearer" or not credential:
        raise unauthenticated("token_missing", "Send a bearer token or an API key in the Authorization header.")
    parts = parts_of(connection)
    if looks_like_a_key(credential):
        return await _principal_of_key(parts, credential)
    return await parts.tokens.verified(credential)


async def _principal_of_key(parts: Parts, credential: str) -> Principal:
    key_id = key_id_of(credential)
    known = await parts.api_keys.shown(key_id, credential) if key_id is not None else None
    if known is None:
        raise unauthenticated("api_key_invalid", "This API key was revoked or never existed.")
    expires_at = math.inf if known.expires_at is None else known.expires_at.timestamp()
    if expires_at <= time.time():
        raise unauthenticated("api_key_expired", "This API key has expired; make another one.")
    return Principal(
        user_id=f"{KEY_PREFIX}{known.key.id}",
        roles=frozenset({OPERATOR}) if "operate" in known.scopes else frozenset(),
        expires_at=expires_at,
        scopes=known.scopes,
        api_key=known.key,
    )


async def _caller(parts: Parts, principal: Principal) -> Caller:
    memberships = await memberships_of(parts, principal)
    if not memberships:
        sentence = "This API key does not work any more: whoever made it is no longer a member of its project."
        raise unauthenticated("api_key_ownerless", sentence)
    return Caller(principal, memberships)


Calling = Annotated[Caller, Depends(caller_of)]
Reading = Annotated[Caller, Depends(reader_of)]
Known = Annotated[Caller, Depends(known_caller)]
Streaming = Annotated[Caller, Depends(streaming_caller_of)]


async def fresh_caller_of(request: Request, caller: Calling) -> Caller:
    """Find out who calls, with the memberships that he has at this moment."""
    parts_of(request).memberships.forget(caller.person_id)
    return await caller_of(request)


CallingNow = Annotated[Caller, Depends(fresh_caller_of)]

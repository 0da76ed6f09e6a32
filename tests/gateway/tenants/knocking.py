"""Trying attacks at a gateway, and judging what came of them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import aiohttp
import orjson

from tests.gateway.tenants.attacks import Attack
from tests.gateway.tenants.belongings import HERS, UUIDS, Belongings

_AT_ONCE: Final = 8
_CAUGHT_UP: Final = b"caught up"
_SECONDS: Final = 15


@dataclass(frozen=True)
class Told:
    """A whole reply: its status, its headers and what it holds."""

    status: int
    text: str


@dataclass
class Findings:
    """What attacks have brought.

    Attributes:
        tried: how many attacks.
        otherwise: those that were answered with another status than is due.
        leaked: those that were told something of Ann's, by operation.

    """

    tried: int = 0
    otherwise: list[str] = field(default_factory=list)
    leaked: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Attacker:
    """Somebody who has nothing to do with what he asks for."""

    hers: Belongings
    session: aiohttp.ClientSession

    async def try_all(
        self,
        attacks: Iterable[Attack],
        due: Callable[[Attack], frozenset[int]] = lambda one: one.told,
        *,
        at_once: int = _AT_ONCE,
    ) -> Findings:
        """Try attacks side by side; `due` gives the statuses that each may be answered with."""
        findings, places = Findings(), asyncio.Semaphore(at_once)

        async def attempt(attack: Attack) -> None:
            async with places:
                told = await self.told(attack)
            findings.tried += 1
            self._judge(findings, attack, told, due(attack))

        await asyncio.gather(*map(attempt, attacks))
        return findings

    def _judge(self, findings: Findings, attack: Attack, told: Told, due: frozenset[int]) -> None:
        if told.status not in due:
            findings.otherwise.append(f"{attack}: {told.status}, due {sorted(due)}: {told.text[-300:]}")
        if stolen := self.stolen(told.text, sent_in(attack)):
            findings.leaked.setdefault(attack.operation, []).append(f"{attack}: {told.status} {stolen}")

    def stolen(self, text: str, sent: str) -> set[str]:
        """Give what a text tells of Ann's that was not sent by the attacker himself."""
        found = {word for word in HERS if word in text} | (set(UUIDS.findall(text)) & self.hers.ids)
        return {one for one in found if one not in sent}

    async def told(self, attack: Attack) -> Told:
        body = attack.body
        sent = {"data": body()} if callable(body) else {} if body is None else {"json": body}
        async with asyncio.timeout(_SECONDS), AsyncExitStack() as stack:
            params, session = dict(attack.params), self.session
            if attack.by_ticket:  # which takes the place of what its bearer is known by
                async with session.post("/api/v1/tickets") as made:
                    params["ticket"] = (await made.json())["ticket"]
                session = await stack.enter_async_context(aiohttp.ClientSession(self.hers.life.gateway.url))
            asked = {"params": params, "headers": attack.headers, "allow_redirects": False, **sent}
            reply = await stack.enter_async_context(session.request(attack.method, attack.path, **asked))
            return await _read(reply)

    async def talk(self) -> str:
        """Ask for what is Ann's over a socket, and for everything; give all that is said there."""
        hers, job = self.hers.home, self.hers.values["job_id"]
        asked = ({"project_id": hers}, {"job_id": job}, {"project_id": hers, "job_id": job}, {})
        heard, open_ = "", {str(number) for number in range(len(asked))}
        async with asyncio.timeout(_SECONDS), self.session.ws_connect("/api/v1/ws") as socket:
            for number, part in enumerate(asked):
                await socket.send_str(
                    orjson.dumps({"type": "subscribe", "id": str(number), "after": 0, **part}).decode()
                )
            while open_:
                text = await socket.receive_str()
                heard += text
                message = orjson.loads(text)
                if message["type"] in {"error", "caught_up"}:
                    open_.discard(message["subscription"])
        return heard


async def _read(reply: aiohttp.ClientResponse) -> Told:
    """Read a reply to its end; a stream to where nothing more has happened."""
    head = f"{reply.status} {reply.raw_headers!r} "
    if reply.content_type != "text/event-stream":
        return Told(reply.status, head + (await reply.read()).decode(errors="replace"))
    lines = b""
    while _CAUGHT_UP not in lines and (line := await reply.content.readline()):
        lines += line
    return Told(reply.status, head + lines.decode())


def sent_in(attack: Attack) -> str:
    """Give all that an attack says itself."""
    body = attack.body() if callable(attack.body) else attack.body
    if isinstance(body, aiohttp.BytesPayload):
        body = body._value
    if isinstance(body, aiohttp.FormData):
        body = body._fields
    return repr((attack.path, dict(attack.params), dict(attack.headers), body))


@asynccontextmanager
async def attacker(hers: Belongings, credential: str | None) -> AsyncIterator[Attacker]:
    """Be somebody with a credential, or nobody."""
    headers = {} if credential is None else {"Authorization": f"Bearer {credential}"}
    # A connection that waits for its next request may be closed while that is on its way.
    anew = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(hers.life.gateway.url, headers=headers, connector=anew) as session:
        yield Attacker(hers, session)

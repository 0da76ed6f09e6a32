"""Talking over an open socket: what is asked for, what is told, and until when."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.gateway.routes.callers import Caller
from services.gateway.routes.journeys import (
    HEARTBEAT_SECONDS,
    End,
    Journey,
    Part,
    Sign,
    end_of_feed,
    gap_behind,
    part_of_job,
    part_of_projects,
    start_behind,
)
from services.gateway.routes.parts import Parts
from services.gateway.routes.problems import Problem, not_found, problem_of
from services.gateway.routes.sockets.closing import Close, Farewell, farewell_at
from services.gateway.routes.sockets.words import (
    SUBSCRIPTIONS_LIMIT,
    Authenticate,
    Ping,
    Subscribe,
    Unsubscribe,
    Word,
    read_word,
    said,
)
from services.gateway.rules.pacing import Allowance
from services.gateway.store.tenancy import DatabaseAwayError
from services.gateway.stream import Item, written
from shared.errors import Refused

SEND_SECONDS: Final = 30.0
"""A client that takes in nothing for so long is let go."""
_LAST_MOMENT: Final = datetime.max.replace(tzinfo=UTC).timestamp() - 1
_WORDS_AT_ONCE: Final = 50
_WORDS_EACH_SECOND: Final = 10

SignIn = Callable[[WebSocket, str], Awaitable[Caller]]


def as_text(message: Any) -> str:
    return orjson.dumps(message, default=str).decode()


class Conversation:
    """One socket with a caller who is known: up to twenty subscriptions, each with a journey of its own."""

    def __init__(self, websocket: WebSocket, parts: Parts, caller: Caller, *, sign_in: SignIn) -> None:
        self._websocket = websocket
        self._parts = parts
        self._caller = caller
        self._sign_in = sign_in
        self._allowance = Allowance(at_once=_WORDS_AT_ONCE, each_second=_WORDS_EACH_SECOND)
        self._journeys: dict[str, tuple[Journey, asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def hold(self) -> None:
        """Talk until either side ends it; raises Farewell or WebSocketDisconnect."""
        try:
            await self._greet()
            for talk in (self._listen, self._stay_in_touch, self._leave):
                self._start(talk())
            await self._over
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, talk: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(talk)
        self._tasks.add(task)
        task.add_done_callback(self._note_end)
        return task

    def _note_end(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._over.done():
            self._over.set_exception(error)

    async def _greet(self) -> None:
        try:
            end = await end_of_feed(self._parts)
        except DatabaseAwayError:
            raise farewell_at(End.AWAY) from None
        hello = {"type": "hello", "user_id": self._caller.user_id, "sequence": end, **self._lasts()}
        await self._send({**hello, "heartbeat_seconds": HEARTBEAT_SECONDS, "subscriptions_limit": SUBSCRIPTIONS_LIMIT})

    def _lasts(self) -> dict[str, Any]:
        return {"expires_at": datetime.fromtimestamp(min(self._caller.principal.expires_at, _LAST_MOMENT), UTC)}

    async def _listen(self) -> None:
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code") or Close.GOING_AWAY)
            if not self._allowance.take(time.monotonic()):
                sentence = f"At most {_WORDS_EACH_SECOND} messages a second in the long run."
                raise Farewell(Close.TOO_MANY_WORDS, "too_many_messages", sentence)
            await self._hear(said(message))

    async def _hear(self, text: str | bytes) -> None:
        name: str | None = None
        try:
            word = read_word(text)
            name = getattr(word, "id", None)
            await self._act(word)
        except (Problem, Refused, DatabaseAwayError) as error:
            problem = problem_of(error)
            told = {"type": "error", "code": problem.code, "detail": problem.sentence}
            await self._send(told if name is None else {**told, "subscription": name})

    async def _act(self, word: Word) -> None:
        match word:
            case Subscribe():
                await self._subscribe(word)
            case Unsubscribe():
                await self._unsubscribe(word)
            case Authenticate():
                await self._authenticate(word)
            case Ping():
                await self._send({"type": "pong"})

    async def _subscribe(self, word: Subscribe) -> None:
        if word.id in self._journeys:
            raise Problem(409, "subscription_exists", "There is a subscription of this name; choose another one.")
        if len(self._journeys) >= SUBSCRIPTIONS_LIMIT:
            sentence = f"At most {SUBSCRIPTIONS_LIMIT} subscriptions at a time; end one first, or open another socket."
            raise Problem(429, "too_many_subscriptions", sentence)
        part = await self._part(word)
        start = await start_behind(self._parts, 0 if word.after is None and word.job_id is not None else word.after)
        journey = Journey(self._parts, self._caller, part, start.position)
        await self._send({"type": "subscribed", "subscription": word.id, "after": start.position})
        if word.after is not None and start.gap:
            await self._send({**gap_behind(word.after), "subscription": word.id})
        self._journeys[word.id] = (journey, self._start(self._follow(word.id, journey)))

    async def _part(self, word: Subscribe) -> Part:
        projects = self._caller.seeing(word.project_id)
        if word.job_id is None:
            return part_of_projects(self._parts, projects, word.types)
        part = await part_of_job(self._parts, self._caller, word.job_id, word.types)
        if word.project_id is not None and word.project_id not in part.projects:
            raise not_found("job")
        return part

    async def _follow(self, name: str, journey: Journey) -> None:
        try:
            first = await journey.first()
        except DatabaseAwayError:
            raise farewell_at(End.AWAY) from None
        async with aclosing(journey.steps(first)) as steps:
            async for step in steps:
                if step is Sign.CAUGHT_UP:
                    await self._send({"type": "caught_up", "subscription": name, "sequence": journey.position})
                elif not isinstance(step, Sign):
                    await self._tell(name, step)
        raise farewell_at(journey.end or End.LEAVING)

    async def _tell(self, name: str, items: Iterable[Item]) -> None:
        start = f'{{"type":"event","subscription":{as_text(name)},"sequence":'
        for item in items:
            await self._send_text(f'{start}{item.sequence},"event":{written(item).decode()}}}')

    async def _unsubscribe(self, word: Unsubscribe) -> None:
        if word.id not in self._journeys:
            raise not_found("subscription")
        _, task = self._journeys.pop(word.id)
        task.cancel()
        await asyncio.wait([task])
        await self._send({"type": "unsubscribed", "subscription": word.id})

    async def _authenticate(self, word: Authenticate) -> None:
        """Go on with a newer credential of the same user."""
        try:
            caller = await self._sign_in(self._websocket, word.token)
        except Farewell as refused:
            raise Problem(401, refused.code, refused.sentence) from refused
        if caller.user_id != self._caller.user_id:
            raise Problem(403, "other_user", "This token belongs to somebody else; open another socket for him.")
        self._caller = caller
        for journey, _ in self._journeys.values():
            journey.caller = caller
        await self._send({"type": "authenticated", **self._lasts()})

    async def _stay_in_touch(self) -> None:
        while (left := self._caller.principal.expires_at - time.time()) > 0:
            await asyncio.sleep(min(HEARTBEAT_SECONDS, left))
            await self._send({"type": "ping"})
        raise farewell_at(End.EXPIRED)

    async def _leave(self) -> None:
        await self._parts.stream.closing.wait()
        raise farewell_at(End.LEAVING)

    async def _send(self, message: Mapping[str, Any]) -> None:
        await self._send_text(as_text(message))

    async def _send_text(self, text: str) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._websocket.send_text(text)
        except TimeoutError:
            raise farewell_at(End.SLOW) from None

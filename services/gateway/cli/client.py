"""A small client of the gateway: JSON with a token, problems as exceptions, and an event stream that resumes."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from uuid import uuid4

import aiohttp
import orjson

from shared.errors import Failure

T = TypeVar("T")

API: Final = "/api/v1"

_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 3.0
_ANSWER_SECONDS: Final = 20.0
_UPLOAD_SECONDS: Final = 600.0
_SILENCE_SECONDS: Final = 40.0
"""The gateway sends a sign of life every 15 s; a stream that is silent for longer leads nowhere."""

_PASSING: Final = frozenset({408, 425, 429, 502, 503, 504})
_ERRORS: Final = 400
_NOTHING_TO_SAY: Final = 204
_TOO_MUCH: Final = 429
_LINE_BYTES: Final = 1024 * 1024
_AWAY: Final = (aiohttp.ClientError, ConnectionError, TimeoutError)


class GatewayProblem(Failure):
    """The gateway refused a request (RFC 9457): the same request will be refused again."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(code, sentence)
        self.status = status


class GatewayAway(Failure):
    """The gateway did not answer, or answered that it cannot for now, until the patience was used up."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event of a stream: its place in the order of all, its type, and what it says."""

    id: str
    type: str
    data: dict[str, Any]


class Gateway:
    """One user's way to the gateway. Use it as an async context manager.

    Requests are repeated, with growing pauses, while the gateway or what stands behind it is away: reading is safe to
    repeat, and what is posted carries an Idempotency-Key. All methods raise GatewayProblem, and GatewayAway (code
    `gateway_away`) once `patience_seconds` have passed since the call began. A gateway to which it was too much (429)
    is not away: that is a GatewayProblem then.
    """

    def __init__(self, url: str, token: str, *, patience_seconds: float = 60.0) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._patience_seconds = patience_seconds

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(read_bufsize=_LINE_BYTES, trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """Read what lies at a path below `/api/v1`."""
        return await self._asked("GET", f"{API}{path}", params=_spelled(parameters))

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Hand something in, once, however often the way there breaks."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid4())}
        return await self._asked("POST", f"{API}{path}", data=orjson.dumps(body), headers=headers)

    async def send_file(self, path: str, file: Path, **fields: str) -> dict[str, Any]:
        """Send a file as a form, once, however often the way there breaks."""
        key = str(uuid4())

        async def ask() -> dict[str, Any]:
            form = aiohttp.FormData(fields)
            with file.open("rb") as opened:
                form.add_field("file", opened, filename=file.name)
                headers = {"Idempotency-Key": key}
                return await self._answered("POST", f"{API}{path}", _UPLOAD_SECONDS, data=form, headers=headers)

        return await self._persistently(ask)

    async def delete(self, path: str) -> None:
        """Delete what lies at a path below `/api/v1`."""
        await self._asked("DELETE", f"{API}{path}")

    async def items(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """Read a list to its end, page after page."""
        found: list[dict[str, Any]] = []
        page = await self.get(path, **parameters)
        while True:
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            page = await self.get(path, **parameters, cursor=page["next_cursor"])

    async def download(self, url: str) -> bytes:
        """Read a file by the URL that the gateway has signed; the token is not sent there."""
        return await self._persistently(lambda: self._downloaded(url))

    def events(self, path: str = "/events") -> "EventStream":
        """Follow what happens from now on; read it with `async for`."""
        return EventStream(self._session, f"{self.url}{API}{path}", self._authorised())

    def _authorised(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    async def _asked(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        return await self._persistently(lambda: self._answered(method, path, _ANSWER_SECONDS, **request))

    async def _answered(self, method: str, path: str, seconds: float, **request: Any) -> dict[str, Any]:
        headers = {**self._authorised(), **request.pop("headers", {})}
        timeout = aiohttp.ClientTimeout(total=seconds)
        url = f"{self.url}{path}"
        async with self._session.request(method, url, headers=headers, timeout=timeout, **request) as answer:
            body = await answer.read()
            check(answer.status, body, answer.headers)
            return {} if answer.status == _NOTHING_TO_SAY else _record(answer.status, body)

    async def _downloaded(self, url: str) -> bytes:
        async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS)) as answer:
            body = await answer.read()
            check(answer.status, body, answer.headers)
            return body

    async def _persistently(self, ask: Callable[[], Awaitable[T]]) -> T:
        began, pause_seconds = time.monotonic(), _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await ask()
            except (*_AWAY, _NotNow) as error:
                wait_seconds = max(pause_seconds, getattr(error, "retry_after_seconds", 0.0))
                if time.monotonic() + wait_seconds - began > self._patience_seconds:
                    if isinstance(error, _NotNow) and error.problem.status == _TOO_MUCH:
                        raise error.problem from error
                    raise _away(self.url, time.monotonic() - began, error) from error
            await asyncio.sleep(wait_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)


class EventStream:
    """A stream that comes back by itself behind the last event that was seen, so that none is missed.

    Attributes:
        opened: set while the stream stands.
        seen: events so far.
        reconnects: how often it had to come back.

    """

    def __init__(self, session: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> None:
        self._session = session
        self._url = url
        self._headers = headers
        self._last_id: str | None = None
        self._entered = False
        self.opened = asyncio.Event()
        self.seen = 0
        self.reconnects = 0

    async def __aiter__(self) -> AsyncIterator[Told]:
        """Yield every event; raises GatewayProblem where the stream is refused for good, and otherwise never ends."""
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            try:
                async for told in self._once():
                    pause_seconds = _FIRST_PAUSE_SECONDS
                    yield told
            except (*_AWAY, _NotNow):
                pass  # it comes back, however it was lost
            finally:
                self.opened.clear()
            self.reconnects += self._entered
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)

    async def _once(self) -> AsyncIterator[Told]:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_ANSWER_SECONDS, sock_read=_SILENCE_SECONDS)
        async with self._session.get(self._url, headers=self._resuming(), timeout=timeout) as answer:
            if answer.status >= _ERRORS:
                check(answer.status, await answer.read(), answer.headers)
            self._entered = True
            self.opened.set()
            reading = EventReading()
            async for line in answer.content:
                told = reading.take(line.decode())
                self._last_id = reading.last_id or self._last_id
                if told is not None:
                    self.seen += 1
                    yield told

    def _resuming(self) -> dict[str, str]:
        # A stream that broke before its first word was entered at a place that nobody knows: all is read again.
        last_id = self._last_id or ("0" if self._entered else None)
        resume = {} if last_id is None else {"Last-Event-ID": last_id}
        return {**self._headers, **resume, "Accept": "text/event-stream"}


class EventReading:
    """Server-sent events, read line by line as the HTML standard says (§9.2.6).

    Attributes:
        last_id: behind which to resume, also where it came alone.

    """

    def __init__(self) -> None:
        self.last_id = self._id = ""
        self._clear()

    def _clear(self) -> None:
        self._type = "message"
        self._data: list[str] = []

    def take(self, line: str) -> Told | None:
        """Take one line; give the event that it completes."""
        line = line.rstrip("\r\n")
        if line:
            self._note(line)
            return None
        data, type_ = "\n".join(self._data), self._type
        self._clear()
        self.last_id = self._id
        return Told(self._id, type_, orjson.loads(data)) if data else None

    def _note(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._type = value
        elif name == "id":
            self._id = value


class _NotNow(Exception):
    """An answer that says: later."""

    def __init__(self, problem: GatewayProblem, retry_after_seconds: float) -> None:
        super().__init__(problem.sentence)
        self.problem = problem
        self.retry_after_seconds = retry_after_seconds


def check(status: int, body: bytes, headers: Mapping[str, str]) -> None:
    """Raise GatewayProblem for an answer that is final, or have the request repeated for one that may change."""
    if status < _ERRORS:
        return
    problem = _problem(status, body)
    if status in _PASSING:
        raise _NotNow(problem, _seconds(headers.get("Retry-After", "")))
    raise problem


def _problem(status: int, body: bytes) -> GatewayProblem:
    try:
        said = orjson.loads(body)
        return GatewayProblem(status, str(said["code"]), str(said["detail"]))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return GatewayProblem(status, "not_a_problem", f"It answered {status}: {_begin_of(body)}")


def _record(status: int, body: bytes) -> dict[str, Any]:
    """Read an answer; raises GatewayProblem for one that no gateway gives."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = None
    if isinstance(said, dict):
        return said
    raise GatewayProblem(status, "not_json", f"What answers there is no gateway: {_begin_of(body)}")


def _begin_of(body: bytes) -> str:
    return body[:200].decode(errors="replace")


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _spelled(parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Write parameters as a query; a list is repeated, and None is left out."""
    return [
        (name, str(one))
        for name, value in parameters.items()
        for one in (value if isinstance(value, list) else [value])
        if one is not None
    ]


def _away(url: str, seconds: float, error: Exception) -> GatewayAway:
    reason = str(error) or type(error).__name__
    return GatewayAway("gateway_away", f"{url} gave no useful answer for {seconds:.0f} s: {reason}")

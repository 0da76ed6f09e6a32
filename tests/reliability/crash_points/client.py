"""A client that asks once more whenever no answer came, and never has anything done twice by that."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import aiohttp
import orjson

from services.gateway.cli.client import API, Gateway, GatewayProblem, check
from shared.hints import proof_of
from tests.journeys.gallery import Picture
from tests.reliability.crash_points.voice import same_id

HINTS_SECRET: Final = "a secret that only providers are told"
_GONE: Final = 404
_UNAUTHENTICATED: Final = 401


@dataclass(frozen=True)
class Answer:
    """What was answered; `version` is its ETag."""

    version: str
    body: dict[str, Any]


class Client(Gateway):
    """A user's way to the gateway, who also edits and deletes, and sends files."""

    async def change(self, path: str, changes: Mapping[str, Any]) -> None:
        """Edit something that nobody else edits: where its version is another by now, this very edit was done."""
        headers = {"If-Match": (await self._sent("GET", path)).version}
        with _but("version_stale"):
            await self._sent("PATCH", path, changes, headers)

    async def say(self, event: Mapping[str, Any]) -> None:
        """Say a CloudEvent, which is taken in once by its source and id."""
        await self._sent("POST", "/events", event, {"Content-Type": "application/cloudevents+json"})

    async def put(self, path: str, body: Mapping[str, Any] | None = None) -> None:
        await self._sent("PUT", path, body)

    async def remove(self, path: str) -> None:
        """Delete something: where it is not there, this is done."""
        try:
            await self._sent("DELETE", path)
        except GatewayProblem as problem:
            if problem.status != _GONE:
                raise

    async def hint(self, job_id: UUID) -> None:
        """Hint that there is news of a job, as its provider does."""
        await self._sent("POST", f"/hints/{job_id}/{proof_of(HINTS_SECRET, job_id)}")

    async def upload(self, pictures: Sequence[Picture], **fields: str) -> list[dict[str, Any]]:
        """Send files in one form; tell what became of each."""
        names = [picture.name for picture in pictures]
        headers = {**self._authorised(), "Idempotency-Key": str(same_id(f"upload {names} {fields}"))}

        async def send() -> list[dict[str, Any]]:
            form = aiohttp.FormData(fields, default_to_multipart=True)
            for picture in pictures:
                form.add_field("file", picture.body, filename=picture.name, content_type=picture.content_type)
            url = f"{self.url}{API}/images/upload"
            async with self._session.post(url, data=form, headers=headers) as answer:
                body = await answer.read()
                check(answer.status, body, answer.headers)
                return list(orjson.loads(body)["items"])

        return await self._persistently(send)

    async def send_past(self, promised: Mapping[str, Any], body: bytes) -> None:
        """Put bytes where an upload says."""
        async with self._session.put(promised["url"], data=body, headers=promised["headers"]) as answer:
            answer.raise_for_status()

    async def follow_with_a_ticket(self) -> None:
        """Open a stream as browsers do; a ticket that nobody heard of, or that was taken, is replaced."""
        while True:
            ticket = (await self.post("/tickets", {}))["ticket"]
            with _but("ticket_invalid"):
                await self._persistently(lambda: self._opened(ticket))  # noqa: B023 - it is awaited right here
                return

    async def _opened(self, ticket: str) -> None:
        async with self._session.get(f"{self.url}{API}/events", params={"ticket": ticket}) as answer:
            if answer.status == _UNAUTHENTICATED:
                check(answer.status, await answer.read(), answer.headers)

    async def _sent(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        request: dict[str, Any] = {"headers": {**self._authorised(), **(headers or {})}}
        if body is not None:
            request |= {"json": body}

        async def ask() -> Answer:
            async with self._session.request(method, f"{self.url}{API}{path}", **request) as answer:
                said = await answer.read()
                check(answer.status, said, answer.headers)
                return Answer(answer.headers.get("ETag", ""), orjson.loads(said) if said else {})

        return await self._persistently(ask)


@contextmanager
def _but(code: str) -> Iterator[None]:
    """Let a problem of one code pass."""
    try:
        yield
    except GatewayProblem as problem:
        if problem.code != code:
            raise

"""However often and wherever a request is sent, and whatever fails on the way: one key, one answer, one job."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import asyncpg
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from services.gateway.routes import desk
from services.gateway.store import submissions
from tests.gateway.living import Client, Gateway, Reply, gateway_settings
from tests.living import House
from tests.shared.machines import Machine, explore, finds_a_broken_promise

EXAMPLES, STEPS = 40, 8
REQUESTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/probes", {"service": "media"}),
    ("/probes", {"service": "depth_map"}),
    ("/scrapes", {"url": "https://example.org/gallery"}),
)
USERS = ("ann", "bob")
_lives = count(1)


@dataclass(frozen=True)
class Asked:
    """A request as a client sends it, and where to."""

    user: str
    key: str | None
    request: int
    gateway: int


_REQUEST = {
    "user": st.sampled_from(USERS),
    "request": st.integers(0, len(REQUESTS) - 1),
    "gateway": st.integers(0, 1),
}
_KEYED = st.builds(Asked, key=st.sampled_from(["k-1", "k-2"]), **_REQUEST)
_ASKED = st.one_of(_KEYED, st.builds(Asked, key=st.none(), **_REQUEST))


@dataclass
class Trouble:
    """What the database does to the next batches: it fails before they commit, or its answer to the commit is lost."""

    failures: int = 0
    lost_answers: int = 0
    insert: Any = field(default_factory=lambda: submissions.insert_answers)
    write: Any = field(default_factory=lambda: desk.Desk._write_once)

    async def insert_answers(self, connection: Any, answers: Any) -> None:
        await self.insert(connection, answers)
        if self.failures > 0:
            self.failures -= 1
            raise asyncpg.CannotConnectNowError("the database system is shutting down")

    async def write_once(self, at: desk.Desk, batch: list[desk.Submission]) -> Any:
        written = await self.write(at, batch)
        if self.lost_answers > 0:
            self.lost_answers -= 1
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        return written


class Submitting(Machine):
    """Two gateways, their clients, and what those were answered."""

    def __init__(self, house: House, clients: list[dict[str, Client]], trouble: Trouble) -> None:
        super().__init__()
        self.house, self.clients, self.trouble = house, clients, trouble
        self.answered: dict[tuple[str, str], tuple[int, str]] = {}
        self.jobs: set[str] = set()
        self.life = next(_lives)
        self.of_earlier_lives = self.do(self._all_jobs())

    @initialize(asked=_ASKED)
    def somebody_asks(self, asked: Asked) -> None:
        self.several_ask_at_once(many=[asked])

    @rule(many=st.lists(_ASKED, min_size=1, max_size=5))
    def several_ask_at_once(self, many: list[Asked]) -> None:
        replies = self.do(self._send(many))
        for asked, reply in zip(many, replies, strict=True):
            if reply.status == 202:
                self._accept(asked, reply)
        for asked, reply in zip(many, replies, strict=True):
            assert reply.status == self._expected(asked), reply.body

    @rule(many=st.lists(_ASKED, min_size=1, max_size=5), failures=st.integers(1, 3))
    def several_ask_while_the_database_fails(self, many: list[Asked], failures: int) -> None:
        """Whoever is told of the failure does not know whether he has a job, and asks again."""
        self.trouble.failures = failures
        self._ask_in_trouble(many)

    @rule(many=st.lists(_KEYED, min_size=1, max_size=5), lost_answers=st.integers(1, 3))
    def several_ask_while_answers_are_lost(self, many: list[Asked], lost_answers: int) -> None:
        """All is written, and nobody is told; without a key whoever asks again would have two jobs."""
        self.trouble.lost_answers = lost_answers
        assert 503 in self._ask_in_trouble(many)

    def _ask_in_trouble(self, many: list[Asked]) -> set[int]:
        replies = self.do(self._send(many))
        self.trouble.failures = self.trouble.lost_answers = 0
        told = list(zip(many, replies, strict=True))
        for asked, reply in told:
            assert reply.status in {202, 422, 503}, reply.body
            if reply.status == 202:
                self._accept(asked, reply)
        self.several_ask_at_once(many=[asked for asked, reply in told if reply.status == 503])
        for asked, reply in told:
            assert reply.status in {503, self._expected(asked)}, reply.body
        return {reply.status for reply in replies}

    async def _send(self, many: list[Asked]) -> list[Reply]:
        return await asyncio.gather(*(self._post(asked) for asked in many))

    async def _post(self, asked: Asked) -> Reply:
        path, body = REQUESTS[asked.request]
        headers = {} if asked.key is None else {"Idempotency-Key": f"{asked.key}-{self.life}"}
        return await self.clients[asked.gateway][asked.user].post(path, body, headers=headers)

    def _accept(self, asked: Asked, reply: Reply) -> None:
        job_id = reply.body["id"]
        if asked.key is not None:
            request, known_id = self.answered.setdefault((asked.user, asked.key), (asked.request, job_id))
            assert asked.request == request, "one key answers two requests"
            assert job_id == known_id, "one key has two jobs"
        else:
            assert job_id not in self.jobs, "without a key each request is a new one"
        self.jobs.add(job_id)

    def _expected(self, asked: Asked) -> int:
        if asked.key is None:
            return 202
        return 202 if self.answered[asked.user, asked.key][0] == asked.request else 422

    @invariant()
    def there_are_the_jobs_that_were_promised_and_each_is_said_once(self) -> None:
        assert self.do(self._all_jobs()) - self.of_earlier_lives == self.jobs
        assert sorted(self.do(self._said())) == sorted(self.jobs)

    async def _all_jobs(self) -> set[str]:
        return {str(row["id"]) for row in await self.house.rows("SELECT id FROM gateway.jobs")}

    async def _said(self) -> list[str]:
        rows = await self.house.rows(
            """
            SELECT message_id, job_id FROM gateway.outbox WHERE job_id = ANY ($1::uuid[])
            UNION
            SELECT message_id, job_id FROM gateway.said WHERE job_id = ANY ($1::uuid[])
            """,
            list(self.jobs),
        )
        return [str(row["job_id"]) for row in rows]


@pytest.fixture
async def submitting(house: House, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[], Submitting]]:
    trouble = Trouble()

    async def write_once(at: desk.Desk, batch: list[desk.Submission]) -> Any:
        return await trouble.write_once(at, batch)

    monkeypatch.setattr(submissions, "insert_answers", trouble.insert_answers)
    monkeypatch.setattr(desk.Desk, "_write_once", write_once)
    async with AsyncExitStack() as stack:
        clients: list[dict[str, Client]] = []
        for _ in range(2):
            gateway = await stack.enter_async_context(Gateway(gateway_settings(house.servers)))
            await gateway.until_well()
            clients.append({user: await stack.enter_async_context(gateway.client(user)) for user in USERS})
        yield lambda: Submitting(house, clients, trouble)


async def test_one_key_has_one_answer_and_one_job(submitting: Callable[[], Submitting]) -> None:
    await explore(submitting, examples=EXAMPLES, steps=STEPS)


async def _remember_nothing(_connection: Any, _answered: Any) -> None: ...


def _replay_whatever_was_asked(_one: Any, _before: Any, answer: Any) -> Any:
    return replace(answer, replayed=True)


@pytest.mark.parametrize(
    ("name", "mutation", "promise"),
    [
        ("_remember", _remember_nothing, "one key has two jobs"),
        ("replay", _replay_whatever_was_asked, "one key answers two requests"),
    ],
)
async def test_a_mutated_desk_breaks_these_promises(
    submitting: Callable[[], Submitting], monkeypatch: pytest.MonkeyPatch, *, name: str, mutation: Any, promise: str
) -> None:
    monkeypatch.setattr(desk, name, mutation)
    await finds_a_broken_promise(submitting, promise, examples=EXAMPLES, steps=STEPS)

"""A whole house whose processes can be made to die at a point, and the rounds that are played in it."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

import asyncpg
import orjson

from deploy.database import SERVICES, WORKERS
from deploy.local import child
from deploy.local.settings import REPOSITORY
from deploy.local.stack import Stack
from deploy.local.state import read_state
from services.gateway.cli.client import Gateway
from services.gateway.identity import issuers_of, mint
from services.gateway.identity.issuers import LOCAL
from services.gateway.settings import Settings
from tests.deploy.clients import objects
from tests.journeys.end_state import Books, until_quiet
from tests.reliability.crash_points.client import HINTS_SECRET, Client
from tests.reliability.crash_points.hands import OPERATOR, USER, Hands, Piece
from tests.reliability.crash_points.hired import BUSY, PAID, Till
from tests.reliability.crash_points.ledger import Ledger
from tests.reliability.crash_points.outcome import Outcome, Unreadable, keys_of, outcome_of
from tests.reliability.crash_points.probed import MISTAKES_FILE, POINTS_FILE, Mistakes
from tests.reliability.crash_points.receiver import Receiver
from tests.reliability.crash_points.site import Site
from tests.reliability.crash_points.steps import points_of
from tests.reliability.crash_points.voice import Voice
from tests.reliability.crash_points.workload import PIECES, work

_REPORTING: Final = {"REPORT_SECONDS": "2"}
QUICK: Final = {"LEASE_SECONDS": "4", "HEARTBEAT_SECONDS": "0.5", "GRACE_SECONDS": "4", **_REPORTING}
SETTINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "gateway": {
        "MEMBERSHIP_SECONDS": "0",  # who comes in each round for the first time is not remembered
        "USAGE_SECONDS": "0.5",
        "IMAGE_HINTS_SECRET": HINTS_SECRET,
        **_REPORTING,
    },
    "scraper": {**QUICK, "HOST_PAUSE_SECONDS": "0"},
    "media": {**QUICK, "DECODER_PROCESSES": "1"},
    "image_generation": QUICK,
    "depth_map": {**QUICK, "CONCURRENCY": "1"},
}
"""Losses are noticed sooner than in production, by the same rules."""

MID_WORK: Final = "shared.jobs:Job._ending:committing.1:before"
"""Where a worker dies that shall leave a job behind: its work is done, and nothing of it is recorded."""


class Act(Enum):
    """When in the life of a process it is to die."""

    WORKING = "while it works"
    RESTARTING = "while it stops or starts"
    RECOVERING = "while it takes up what a crash has left"


Armed = Mapping[str, str]
"""By service, the point at which it is to die."""

_ALL_IS_COUNTED: Final = """
    SELECT NOT EXISTS (
        SELECT FROM gateway.events WHERE sequence > coalesce((SELECT sequence FROM gateway.usage_mark), 0)
    )
"""


@dataclass
class Rig:
    """The house, the ledger of each service, and all that a round needs."""

    stack: Stack
    folder: Path
    points: Sequence[str]
    ledgers: Mapping[str, Ledger]
    hands: Hands
    till: Till

    async def play(self, act: Act, armed: Armed, pieces: Sequence[Piece] = PIECES) -> None:
        """Play one round from an empty house on: the workload, in which some services die at a point.

        With nothing armed every service lives through the act undisturbed. Raises an ExceptionGroup where the workload
        cannot be done to its end.
        """
        await self._empty()
        for service, point in armed.items():
            self.ledgers[service].arm(point)
        match act:
            case Act.WORKING:
                await work(self.hands, pieces)
            case Act.RESTARTING:
                await self._work_with_a_restart(armed or SERVICES, pieces)
            case Act.RECOVERING:
                for worker in armed or WORKERS:
                    self.ledgers[worker].arm(MID_WORK)
                await work(self.hands, pieces)
        for service in SERVICES:
            await self.stack.supervisor.ready(service)

    async def outcome(self, *, seconds: float) -> Outcome:
        """Wait until the house is quiet, and read what is there; raises AssertionError where it does not get quiet."""
        await until_quiet(self.stack, seconds=seconds)
        await self.hands.until(_ALL_IS_COUNTED)
        try:
            return await outcome_of(self.hands.books, self.hands.s3, self.hands.bucket)
        except Unreadable:
            # Of a file that was written and deleted at once `rclone serve s3` may keep a wrong picture for many rounds.
            # What is compared is what lies on the disk, and begun anew it sees that.
            await self._anew("object_store")
            return await outcome_of(self.hands.books, self.hands.s3, self.hands.bucket)

    def fired(self, armed: Armed) -> set[str]:
        """Name the services that have died at their points."""
        return {service for service, point in armed.items() if self.ledgers[service].has_fired(point)}

    def visited(self) -> dict[str, set[str]]:
        """Give by service the points that were visited in this round."""
        return {service: ledger.visited() for service, ledger in self.ledgers.items()}

    @asynccontextmanager
    async def mistaken(self, service: str, mistakes: Mistakes, *, lasting: bool = False) -> AsyncIterator[None]:
        """Have one service make mistakes until it dies, or also after that, and no longer than the block lasts."""
        file = self.folder / MISTAKES_FILE
        file.write_bytes(orjson.dumps(mistakes))
        try:
            await self._anew(service)
            if not lasting:
                file.unlink()
            yield
        finally:
            file.unlink(missing_ok=True)
            await self._anew(service)

    async def _anew(self, service: str) -> None:
        await self.stack.supervisor.hold(service)
        await self.stack.supervisor.start_again(service)

    async def _restart(self, services: Collection[str]) -> None:
        """End services in order and start them again; then their queues seem to have been created anew."""
        await asyncio.gather(*map(self.stack.supervisor.hold, services))
        for service in services:
            token = await self.hands.books.value(f"SELECT token FROM {service}.bus_mark")
            await self.hands.voice.forget_mark(service, token)
        await asyncio.gather(*map(self.stack.supervisor.start_again, services))

    async def _work_with_a_restart(self, services: Collection[str], pieces: Sequence[Piece]) -> None:
        """Have services restart in the middle of their work, which goes on when they are back."""
        self.hands.go_on.clear()
        self.hands.site.opened.clear()
        working = asyncio.create_task(work(self.hands, pieces))
        try:
            for worker in ("scraper", "media"):
                await self.hands.until(f"SELECT count(*) FROM {worker}.tasks WHERE state = 'in_progress'")
            await self._restart(services)
        finally:
            self.hands.go_on.set()
            self.hands.site.opened.set()
            await working

    async def _empty(self) -> None:
        for ledger in self.ledgers.values():
            ledger.clear()
        self.hands.site.begin()
        self.hands.receiver.refuses = True
        self.hands.go_on.set()
        self.till.clear()
        s3, bucket = self.hands.s3, self.hands.bucket
        await asyncio.gather(*(s3.delete_object(Bucket=bucket, Key=key) for key in await keys_of(s3, bucket)))
        tables = await self.hands.books.rows(
            """
            SELECT format('DELETE FROM %I.%I', n.nspname, c.relname) AS statement
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
              AND c.relname NOT IN ('schema_migrations', 'bus_mark')
            """,
            list(SERVICES),
        )
        for row in tables:
            await _deleted(self.hands.books, row["statement"])


class _Shared(Books):
    """Books that many read at once, through one connection."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self._turn = asyncio.Lock()

    async def rows(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        async with self._turn:
            return await super().rows(sql, *arguments)


async def _deleted(books: Books, statement: str) -> None:
    while True:
        with suppress(asyncpg.TransactionRollbackError):  # whoever works beside us was quicker
            await books.rows(statement)
            return


@asynccontextmanager
async def rigged(directory: Path) -> AsyncIterator[Rig]:
    """Start a house in which every service runs with its probes."""
    folder = directory / "points"
    folder.mkdir(parents=True, exist_ok=True)
    points = points_of(REPOSITORY)
    (folder / POINTS_FILE).write_bytes(orjson.dumps(points))
    launchers = {service: ("-m", "tests.reliability.crash_points.probed", service, str(folder)) for service in SERVICES}
    # Each round kills a process, and none of these deaths is a reason to wait longer before the next start.
    pause, child.STABLE_SECONDS = child.STABLE_SECONDS, 0.0
    try:
        async with AsyncExitStack() as held:
            ledgers = {
                service: held.enter_context(Ledger(folder / f"{service}.ledger", points)) for service in SERVICES
            }
            receiver = await held.enter_async_context(Receiver().served())
            stack = await held.enter_async_context(
                Stack(directory / "stack", service_environment=_settings(directory, receiver), launchers=launchers)
            )
            yield Rig(stack, folder, points, ledgers, await _hands(held, stack, receiver), Till(directory / "till"))
    finally:
        child.STABLE_SECONDS = pause


def _settings(directory: Path, receiver: Receiver) -> dict[str, Mapping[str, str]]:
    """Give the settings of all services: providers keep their books in a till, and one receiver may be told."""
    providers = {"sketch": {}, **{name: {"folder": str(directory / "till")} for name in (BUSY, PAID)}}
    drawing = {**SETTINGS["image_generation"], "IMAGE_PROVIDERS": orjson.dumps(providers).decode()}
    telling = {**SETTINGS["gateway"], "OUTBOUND_ALLOW": receiver.address}
    # Each death is followed by a start, and most of that would be compiling what others have compiled before.
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(directory / "compiled")}
    own = {**SETTINGS, "gateway": telling, "image_generation": drawing}
    return {service: {**settings, **compiled} for service, settings in own.items()}


async def _hands(held: AsyncExitStack, stack: Stack, receiver: Receiver) -> Hands:
    state = read_state(stack.directory)
    if state is None:
        raise LookupError("the stack has not said how it is reached")
    books = _Shared(stack)
    held.push_async_callback(books.close)
    return Hands(
        gateway=await held.enter_async_context(Client(stack.gateway_url, _token(stack, USER))),
        operator=await held.enter_async_context(Gateway(stack.gateway_url, _token(stack, OPERATOR, "operator"))),
        voice=await held.enter_async_context(Voice(stack.rabbitmq_url)),
        books=books,
        site=await held.enter_async_context(Site(state.urls["sample_site"]).served()),
        receiver=receiver,
        s3=await held.enter_async_context(objects(stack.object_store)),
        bucket=stack.object_store.bucket,
        go_on=asyncio.Event(),
    )


def _token(stack: Stack, user_id: str, *roles: str) -> str:
    environment = {name.lower(): value for name, value in stack.environment_of("gateway").items()}
    values = {name: environment[name] for name in Settings.model_fields.keys() & environment.keys()}
    issuer = issuers_of(Settings.model_validate(values))[LOCAL]
    return mint(issuer, user_id, lifetime_seconds=24 * 3600, roles=roles)

"""One experiment: load, faults beside it, silence, and the comparison of what was promised with what is there."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import orjson

from contracts.envelope import routing_key_of
from contracts.jobs import CheckWorker, JobRetryScheduled
from deploy.database import WORKERS
from deploy.local.stack import Stack
from tests.journeys.end_state import Books, books_of, differences, until_quiet
from tests.journeys.visitors import visiting
from tests.living import until
from tests.reliability.laboratory.bucket import compared
from tests.reliability.laboratory.checker import Checker, Finding, judged, unsaid
from tests.reliability.laboratory.faults import Inflicted, inflict
from tests.reliability.laboratory.ledger import Ledger
from tests.reliability.laboratory.listener import Listener
from tests.reliability.laboratory.load import Load, Users
from tests.reliability.laboratory.premises import Premises
from tests.reliability.laboratory.schedule import LEASE_SECONDS, Kind, Lane, Planned, plan

KINDS_AT_LEAST = len(Kind)
KINDS_IN_SHORT = 12
ALL_SECONDS = 300.0
"""From here on the schedule strikes every service and every link with every kind of fault."""
FAULTS_A_SECOND, JOBS_A_SECOND = 100 / 300, 5000 / 300
WORKING_JOBS_A_SECOND = 2.5
"""Of jobs that do something: fetch a page or an image, draw, map."""
_TAKE_OVER_SECONDS, _SLACK_SECONDS = 5.0, 10.0
PATIENCE_SECONDS = 140.0
_HEARD_SECONDS = 20.0
_LOOK_SECONDS = 0.2
_LATEST = 5


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an experiment gave.

    Attributes:
        accepted: jobs that were answered with 202.
        jobs: these, and all that followed from them.
        probes: those of them that do nothing.
        poison: accepted jobs that could not succeed.
        orphans: objects of attempts that died before they had recorded them.
        refused: what was handed in and never accepted.
        drained_seconds: from the end of the last fault until nothing was left to do; None where that never came.
        drain_limit_seconds: what that may take.
        lingering: what was left to do when that would have been over without any retry.
        latest: the jobs that ended last, and when since the end of the last fault.
        recoveries: for each fault, from its end until the services that it struck had ended a newer job, in seconds.

    """

    seed: int
    seconds: float
    faults: Sequence[Inflicted]
    accepted: int
    jobs: int
    probes: int
    poison: int
    refused: Sequence[str]
    findings: Sequence[Finding]
    orphans: Sequence[str]
    drained_seconds: float | None
    lingering: str | None
    latest: Sequence[str] = ()
    drain_limit_seconds: float
    recoveries: Sequence[float]

    @property
    def by_kind(self) -> Counter[Kind]:
        """Count the faults that were observed."""
        return Counter(fault.planned.kind for fault in self.faults if fault.seen)

    @property
    def working_jobs(self) -> int:
        """Count the jobs that were to do something."""
        return self.jobs - self.probes

    @property
    def kinds_at_least(self) -> int:
        return KINDS_AT_LEAST if self.seconds >= ALL_SECONDS else KINDS_IN_SHORT

    @property
    def unseen(self) -> list[str]:
        """Name what was planned, and never observed of one target."""
        seen = {fault.planned.what for fault in self.faults if fault.seen}
        return sorted({fault.planned.what for fault in self.faults} - seen)

    @property
    def recovery(self) -> tuple[float, float]:
        """Give the median and the longest recovery, in seconds."""
        return (median(self.recoveries), max(self.recoveries)) if self.recoveries else (0.0, 0.0)

    def count(self, kind: str) -> int:
        return sum(finding.kind == kind for finding in self.findings)

    def shortcomings(self) -> list[str]:
        """Name what is below the bar on any machine, in sentences; nothing where all is well."""
        faults, kinds = self.by_kind.total(), len(self.by_kind)
        faults_at_least = FAULTS_A_SECOND * self.seconds
        found = [f"{finding.kind}: {finding.sentence}" for finding in self.findings]
        found += [f"refused: {sentence}" for sentence in self.refused]
        if faults < faults_at_least or kinds < self.kinds_at_least:
            found.append(f"only {faults} faults of {kinds} kinds, not {faults_at_least:.0f} of {self.kinds_at_least}")
        if self.seconds >= ALL_SECONDS:
            found += [f"never observed: {what}" for what in self.unseen]
        for what, count, a_second in (
            ("jobs", self.jobs, JOBS_A_SECOND),
            ("jobs that do something", self.working_jobs, WORKING_JOBS_A_SECOND),
        ):
            if count < a_second * self.seconds:
                found.append(f"only {count} {what}, not {a_second * self.seconds:.0f}")
        if self.drained_seconds is None:
            found.append(f"never drained: {self.lingering}")
        return found

    def too_slow(self) -> list[str]:
        """Name what took longer than it may on a machine that has nothing else to do."""
        if self.drained_seconds is None or self.drained_seconds <= self.drain_limit_seconds:
            return []
        late = f"drained in {self.drained_seconds:.1f} s, not in {self.drain_limit_seconds:.1f} s"
        return [f"{late}: {'; '.join([self.lingering or 'what was told last came late', *self.latest])}"]


@dataclass(frozen=True, slots=True)
class Retry:
    """When an attempt was put off, and until when."""

    at: datetime
    next_at: datetime


def drain_limit_seconds(retries: Iterable[Retry], last_at: datetime) -> float:
    """Give how long all may take after the last fault: lease, takeover, the longest pause before a retry, some slack.

    Of a pause that had begun when that fault was over, only the rest counts. What the fault has spoilt is noticed
    within lease and takeover, so that a pause which begins by then counts as a whole. One that begins later gives no
    time: no fault is to blame for it.
    """
    noticed_seconds = LEASE_SECONDS + _TAKE_OVER_SECONDS
    noticed_at = last_at + timedelta(seconds=noticed_seconds)
    pauses = [(one.next_at - max(one.at, last_at)).total_seconds() for one in retries if one.at <= noticed_at]
    return noticed_seconds + max([0.0, *pauses]) + _SLACK_SECONDS


@asynccontextmanager
async def users_of(services: Stack, ledger: Path) -> AsyncIterator[Users]:
    """Let three users in who were never here before."""
    book = Ledger(ledger)
    try:
        async with visiting(services) as painter, visiting(services) as prober, visiting(services) as collector:
            yield Users(painter, prober, collector, book)
    finally:
        book.close()


async def experiment(
    premises: Premises, *, seed: int, seconds: float, patience_seconds: float = PATIENCE_SECONDS
) -> Outcome:
    """Break things for so many seconds under load, and tell what became of what was accepted meanwhile.

    `patience_seconds`: how long it is waited for the end of all work before it is looked at what is there.
    """
    path = premises.directory / f"ledger-{seed}-{datetime.now(UTC):%H%M%S}.jsonl"
    async with Listener(premises.servers) as listener, users_of(premises.services, path) as users:
        load = Load(users, premises.gallery, seed)
        faults = await _break_under_load(premises, load, plan(seed, seconds))
        last_at = max(fault.ended_at for fault in faults)
        drained_seconds, lingering = await _drained(premises.servers, last_at, patience_seconds)
        async with books_of(premises.servers) as books:
            checker = Checker(books, listener, path)
            accepted = checker.accepted
            kinds = await checker.count_kinds()
            await _until_heard(checker)

            async def look() -> list[Finding]:
                different = [Finding("wrong", one) for one in await differences(premises.servers, users.painter)]
                return [*await checker.findings(), *await unsaid(books), *different]

            findings = await judged(look)
            findings += [Finding("wrong", fault.disorderly) for fault in faults if fault.disorderly]
            contents = await compared(premises.servers, books)
            return Outcome(
                seed=seed,
                seconds=seconds,
                faults=faults,
                accepted=len(accepted),
                jobs=kinds.total(),
                probes=kinds[CheckWorker.wire_name],
                poison=sum(one.poison for one in accepted),
                refused=load.refused,
                findings=[*findings, *contents.findings],
                orphans=contents.orphans,
                drained_seconds=drained_seconds,
                lingering=lingering,
                latest=await _latest(books, last_at),
                drain_limit_seconds=drain_limit_seconds(await _retries(books), last_at),
                recoveries=await _recoveries(books, faults),
            )


async def _break_under_load(premises: Premises, load: Load, planned: dict[Lane, list[Planned]]) -> list[Inflicted]:
    stop = asyncio.Event()
    loading = asyncio.create_task(load.run(stop))
    began = time.monotonic()
    async with asyncio.TaskGroup() as lanes:
        running = [lanes.create_task(_along(premises, lane, faults, began)) for lane, faults in planned.items()]
    stop.set()
    await loading
    return sorted((fault for lane in running for fault in lane.result()), key=lambda fault: fault.began_at)


async def _along(premises: Premises, lane: Lane, faults: Sequence[Planned], began: float) -> list[Inflicted]:
    """Inflict the faults of one lane, each when it is due and the one before it is over."""
    inflicted: list[Inflicted] = []
    for planned in faults:
        if inflicted:
            await asyncio.sleep(lane.rest_seconds)
        await asyncio.sleep(max(0.0, began + planned.at_seconds - time.monotonic()))
        inflicted.append(await inflict(premises, planned))
    return inflicted


async def _drained(servers: Stack, last_at: datetime, patience_seconds: float) -> tuple[float | None, str | None]:
    """Wait until nothing is left to do; return how long that took, and what lingered where it took long."""
    lingering = None
    passed_seconds = (datetime.now(UTC) - last_at).total_seconds()
    swift_seconds = min(patience_seconds, max(0.0, drain_limit_seconds((), last_at) - passed_seconds))
    for seconds in (swift_seconds, patience_seconds - swift_seconds):
        try:
            await until_quiet(servers, seconds=seconds)
        except AssertionError as left:
            lingering = lingering or str(left)
        else:
            return (datetime.now(UTC) - last_at).total_seconds(), lingering
    return None, lingering


async def _latest(books: Books, last_at: datetime) -> list[str]:
    tasks = " UNION ALL ".join(
        f"SELECT id, kind, attempt, created_at, started_at, finished_at FROM {service}.tasks" for service in WORKERS
    )
    rows = await books.rows(
        f"""
        SELECT tasks.kind, tasks.attempt, updated_at - $1 AS shown,
               tasks.created_at - $1 AS made, tasks.started_at - $1 AS begun, tasks.finished_at - $1 AS ended
        FROM gateway.jobs JOIN ({tasks}) AS tasks USING (id) ORDER BY updated_at DESC LIMIT {_LATEST}
        """,
        last_at,
    )
    return [
        f"{row['kind']}, attempt {row['attempt']}: "
        + ", ".join(
            f"{what} {row[what].total_seconds():+.1f} s" for what in ("made", "begun", "ended", "shown") if row[what]
        )
        for row in rows
    ]


async def _retries(books: Books) -> list[Retry]:
    news = [
        orjson.loads(row["body"])["data"]
        for service in WORKERS
        for row in await books.rows(
            f"SELECT body FROM {service}.said WHERE routing_key = $1", routing_key_of(JobRetryScheduled)
        )
    ]
    return [Retry(*(datetime.fromisoformat(one[name]) for name in ("at", "next_attempt_at"))) for one in news]


async def _until_heard(checker: Checker) -> None:
    """Give the listener time to hear the end of what was said, and what it has asked for."""
    for _ in range(2):
        with suppress(TimeoutError):
            await until(lambda: _is_heard(checker), seconds=_HEARD_SECONDS)
            return
        await checker.listener.ask_again()


async def _is_heard(checker: Checker) -> bool:
    await asyncio.sleep(_LOOK_SECONDS)
    return not [one async for one in checker.unheard()]


async def _recoveries(books: Books, faults: Sequence[Inflicted]) -> list[float]:
    found = [await _recovery(books, fault) for fault in faults if fault.seen]
    return [seconds for seconds in found if seconds is not None]


async def _recovery(books: Books, fault: Inflicted) -> float | None:
    """Give the seconds until each worker that was struck has ended a job it was given after the fault began."""
    struck = [fault.planned.target] if fault.planned.target in WORKERS else WORKERS
    longest = timedelta()
    for service in struck:
        ended_at = await books.value(
            f"SELECT min(finished_at) FROM {service}.tasks WHERE created_at > $1 AND finished_at > $2",
            fault.began_at,
            fault.ended_at,
        )
        if ended_at is None:  # the load was over before
            return None
        longest = max(longest, ended_at - fault.ended_at)
    return longest.total_seconds()

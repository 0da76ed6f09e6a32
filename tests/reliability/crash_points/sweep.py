"""The sweep: at each point that a service comes to, it dies once; what is left in the end is the same each time."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from deploy.database import WORKERS
from shared.errors import Failure
from tests.reliability.crash_points.excuses import unexcused
from tests.reliability.crash_points.hands import Piece
from tests.reliability.crash_points.outcome import Outcome, differences
from tests.reliability.crash_points.rig import Act, Armed, Rig
from tests.reliability.crash_points.workload import PIECES

QUIET_WITHIN_SECONDS: Final = 120.0
"""Far longer than a crash holds anything up, for a busy machine is no difference."""

SAME_WITHIN_SECONDS: Final = 30.0
"""What was lost on the bus is asked about after 10 s of silence, so that it is too early to judge before."""

TRIES: Final = 5
"""What depends on time, such as a heartbeat, is not always come to in the first round."""


@dataclass(frozen=True, order=True)
class Death:
    """One service dies at one point, at one time of its life."""

    act: str
    service: str
    point: str

    def __str__(self) -> str:
        return f"{self.service} at {self.point} {self.act}"


@dataclass(frozen=True)
class Recording:
    """What undisturbed rounds have shown: what is left in the end, and who comes to which point when."""

    expected: Outcome
    visited: Mapping[Act, defaultdict[str, set[str]]]

    def deaths(self) -> list[Death]:
        """Give every death that there can be: each point of each service, in the quickest act that comes to it."""
        acts: dict[tuple[str, str], Act] = {}
        for act in Act:
            for service, points in self.visited.get(act, {}).items():
                for point in points:
                    acts.setdefault((service, point), act)
        return sorted(Death(act.value, service, point) for (service, point), act in acts.items())

    def deaths_once(self) -> list[Death]:
        """Give one death for each point: where several services come to it, of the one that dies least elsewhere."""
        by_point: defaultdict[str, list[Death]] = defaultdict(list)
        for death in self.deaths():
            by_point[death.point].append(death)
        chosen: list[Death] = []
        load: Counter[str] = Counter()
        for deaths in sorted(by_point.values(), key=len):
            least = min(deaths, key=lambda death: load[death.service])
            load[least.service] += 1
            chosen.append(least)
        return sorted(chosen)

    def steady(self) -> list[Death]:
        """Give the deaths that no timing decides about: the service came there in several acts, or all workers did."""
        acts = Counter(
            (service, point)
            for by_service in self.visited.values()
            for service, points in by_service.items()
            for point in points
        )
        return [
            death
            for death in self.deaths()
            if acts[death.service, death.point] > 1
            or all(death.point in self.visited[Act(death.act)][worker] for worker in WORKERS)
        ]

    def unvisited(self, points: Iterable[str]) -> list[str]:
        """Give the points that nobody came to, without those that are excused."""
        seen = {point for by_service in self.visited.values() for some in by_service.values() for point in some}
        return unexcused(point for point in points if point not in seen)


@dataclass
class Report:
    """What became of the deaths.

    Attributes:
        same: after these everything was as it should be.
        differing: what was otherwise, by the deaths of the round.
        missed: points that were not come to again, however often it was tried.

    """

    rounds: int = 0
    same: list[Death] = field(default_factory=list)
    differing: dict[tuple[Death, ...], list[str]] = field(default_factory=dict)
    missed: list[Death] = field(default_factory=list)


def _say_nothing(_line: str) -> None: ...


async def recorded(rig: Rig, pieces: Sequence[Piece] = PIECES, acts: Sequence[Act] = tuple(Act)[::-1]) -> Recording:
    """Play each act once, undisturbed; raises AssertionError where even these do not end alike.

    The work alone comes last: what a first start has left to do is then no part of it. Where all is played and some
    points were not come to, all is played again, a few times.
    """
    recording = Recording(Counter(), {act: defaultdict(set) for act in acts})
    for _ in range(TRIES):
        for act in acts:
            recording = await _recorded_once(rig, pieces, act, recording)
        if pieces is not PIECES or not recording.unvisited(rig.points):
            break
    return recording


async def _recorded_once(rig: Rig, pieces: Sequence[Piece], act: Act, before: Recording) -> Recording:
    await rig.play(act, {}, pieces)
    found = await rig.outcome(seconds=QUIET_WITHIN_SECONDS)
    expected = before.expected or found
    differing = differences(expected, found)
    assert not differing, f"undisturbed, {act.value}: {differing}"
    for service, points in rig.visited().items():
        before.visited[act][service].update(points)
    return Recording(expected, before.visited)


@dataclass
class Sweep:
    """Plays rounds with deaths, and compares what is left with what undisturbed rounds leave.

    Attributes:
        alone: one death in each round, instead of one of each service.

    """

    rig: Rig
    expected: Outcome
    pieces: Sequence[Piece] = PIECES
    alone: bool = False
    same_within_seconds: float = SAME_WITHIN_SECONDS
    tell: Callable[[str], None] = _say_nothing
    report: Report = field(default_factory=Report)
    _tries: Counter[Death] = field(default_factory=Counter)

    async def run(self, deaths: Iterable[Death]) -> Report:
        """Die each of these deaths once."""
        waiting = list(deaths)
        while waiting:
            together = _next_round(waiting, alone=self.alone)
            waiting = [death for death in waiting if death not in together]
            told, fired = await self._round(together)
            waiting += self._tried_in_vain(together - fired)
            if not told:
                self.report.same += sorted(fired)
            elif len(fired) < 2:
                self.report.differing[tuple(fired or together)] = told
            else:
                await self._blame(sorted(fired), told)
        return self.report

    async def _blame(self, together: list[Death], told: list[str]) -> None:
        """Find out which death of a round it was; where none makes a difference alone, they do it together."""
        blamed = False
        for death in together:
            alone, fired = await self._round({death})
            if alone:
                blamed = True
                self.report.differing[death,] = alone
            elif fired:
                self.report.same.append(death)
        if not blamed:
            self.report.differing[tuple(together)] = told

    def _tried_in_vain(self, unfired: Iterable[Death]) -> list[Death]:
        """Give those that are tried again; what was tried often enough was missed."""
        again: list[Death] = []
        for death in sorted(unfired):
            self._tries[death] += 1
            (again if self._tries[death] < TRIES else self.report.missed).append(death)
        return again

    async def _round(self, together: set[Death]) -> tuple[list[str], set[Death]]:
        """Play one round; tell in what its end differs, and give the deaths that were died."""
        self.report.rounds += 1
        began = time.monotonic()
        armed = {death.service: death.point for death in together}
        [act] = {Act(death.act) for death in together}
        crashes = {child.program.name: child.crashes for child in self.rig.stack.supervisor}
        told = await self._differences(act, armed)
        fired = {death for death in together if death.service in self.rig.fired(armed)}
        meant = Counter(death.service for death in fired)
        if act is Act.RECOVERING:
            meant.update(armed.keys())
        told += self._other_deaths(crashes, meant)
        what = "differs" if told else "same"
        self.tell(f"{self.report.rounds:4} {time.monotonic() - began:5.1f} s {what}: {act.value}")
        for death in sorted(together):
            self.tell(f"       {death.service} {death.point}{'' if death in fired else ' (not come to)'}")
        for line in told[:20]:
            self.tell(f"       - {line[:400]}")
        return told, fired

    async def _differences(self, act: Act, armed: Armed) -> list[str]:
        """Give what still differs when the time is over."""
        try:
            await self.rig.play(act, armed, self.pieces)
            until = time.monotonic() + self.same_within_seconds
            while True:
                found = await self.rig.outcome(seconds=QUIET_WITHIN_SECONDS)
                told = differences(self.expected, found)
                if not told or time.monotonic() > until:
                    return told
        except (AssertionError, TimeoutError, Failure, ExceptionGroup) as error:
            causes = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
            return [f"it did not come to its end: {cause!r}" for cause in causes]

    def _other_deaths(self, before: Mapping[str, int], meant: Counter[str]) -> list[str]:
        """Tell who died otherwise than at his point: nobody shall die of somebody's death."""
        died = {child: child.crashes - before[child.program.name] for child in self.rig.stack.supervisor}
        return [
            f"{child.program.name} died {count} times: {child.last_error}"
            for child, count in died.items()
            if count > meant[child.program.name]
        ]


def _next_round(waiting: Sequence[Death], *, alone: bool) -> set[Death]:
    """Take the first death that waits, and with it the first of each other service in the same act."""
    first: dict[str, Death] = {}
    for death in waiting:
        if death.act == waiting[0].act:
            first.setdefault(death.service, death)
    return {waiting[0]} if alone else set(first.values())


def told_of(recording: Recording, points: Sequence[str]) -> list[str]:
    """Tell what was found in the code and what the recording came to."""
    deaths = recording.deaths()
    by_act: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for death in deaths:
        by_act[death.act][death.service] += 1
    seen = {death.point for death in deaths}
    lines = [f"{len(points)} points in the code, {len(seen)} visited, {len(deaths)} deaths by service and point"]
    return lines + [f"  {act}: {dict(counts)}" for act, counts in by_act.items()]

"""What tasks are believed to be: the rules of their lives, told once more in a few plain lines."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from contracts.envelope import Command
from contracts.media import AcceptUpload, FetchMedia
from shared.retry import ATTEMPTS, CRASHES
from shared.tasks import Lease, Settlement

LEASE_SECONDS = 15
DEADLINE_SECONDS = 24 * 3600
_PARENTS: dict[int, int] = {1: 0, 2: 1}


def _command(number: int) -> Command:
    parent = _PARENTS.get(number)
    about = {
        "job_id": UUID(int=number + 1),
        "root_job_id": UUID(int=1 if number in _PARENTS else number + 1),
        "parent_job_id": None if parent is None else UUID(int=parent + 1),
        "project_id": UUID(int=number % 2 + 100),
        "submitted_by": "ann",
        "priority": number - 4,
    }
    if number % 3 == 0:
        return AcceptUpload(**about, object_key="uploads/a")
    return FetchMedia(**about, url="http://example.com/a.png")


COMMANDS = tuple(_command(number) for number in range(9))
"""A root, its child and its grandchild, and six without family; in two projects and of two kinds."""

KINDS = (FetchMedia.wire_name, AcceptUpload.wire_name)


@dataclass(slots=True)
class Life:
    """What is believed of one task. Moments are seconds since the world began."""

    command: Command
    state: str
    run_at: float
    created_at: float
    rank_at: float
    announced: bool
    epoch: int = 0
    attempts: int = 0
    crashes: int = 0
    suspect: bool = False
    token: UUID | None = None
    lease_until: float = 0

    @property
    def deadline_at(self) -> float:
        return self.created_at + DEADLINE_SECONDS

    @property
    def family(self) -> set[UUID | None]:
        """Whose cancel is its own."""
        return family_of(self.command)

    def seen(self, now: float) -> tuple[object, ...]:
        """Give what can be seen of it: last, in how many seconds it may run, or its lease runs out."""
        moment = {"pending": self.run_at - now, "in_progress": self.lease_until - now}.get(self.state)
        return (self.state, self.epoch, self.attempts, self.crashes, self.suspect, self.announced, self.token, moment)

    def begin(self, lease: Lease, now: float) -> None:
        self.state, self.token, self.epoch, self.lease_until = "in_progress", lease.token, self.epoch + 1, 0
        self.prolong(now)

    def prolong(self, now: float) -> None:
        self.lease_until = now + LEASE_SECONDS

    def leave(self, state: str) -> None:
        """Turn to another state that nobody decided who held it."""
        self.state, self.token, self.epoch = state, None, self.epoch + 1

    def settle(self, state: str, attempts: int, run_at: float) -> None:
        self.state, self.token, self.attempts, self.run_at = state, None, attempts, run_at


def family_of(command: Command) -> set[UUID | None]:
    return {command.job_id, command.parent_job_id, command.root_job_id}


@dataclass
class TaskModel:
    """All tasks of a service, and what was cancelled or paused."""

    now: float = 0
    lives: dict[UUID, Life] = field(default_factory=dict)
    cancelled_at: dict[UUID, float] = field(default_factory=dict)
    paused_until: dict[str, float] = field(default_factory=dict)

    def in_state(self, state: str) -> list[Life]:
        return [life for life in self.lives.values() if life.state == state]

    def is_paused(self, command: Command) -> bool:
        return self.paused_until.get(command.wire_name, 0) > self.now

    def is_overdue(self, life: Life) -> bool:
        """Tell whether a task has had its time; after a pause of its kind it has all of it again."""
        resumed_at = self.paused_until.get(life.command.wire_name, 0)
        return max(life.deadline_at, resumed_at + DEADLINE_SECONDS) < self.now

    def is_cancelled(self, command: Command) -> bool:
        return bool(family_of(command) & set(self.cancelled_at))

    def holds(self, lease: Lease) -> bool:
        """Tell whether a lease is the one under which its task runs."""
        return self.lives[lease.job_id].token == lease.token

    def accept(self, commands: Sequence[Command], *, slots: int, announced: bool) -> set[UUID]:
        """Take in commands; return which of them may start at once."""
        starting: set[UUID] = set()
        for index, command in enumerate(commands):
            if command.job_id in self.lives:
                continue
            state = "cancelled" if self.is_cancelled(command) else "pending"
            rank_at = self.now - 30 * command.priority
            self.lives[command.job_id] = Life(command, state, self.now, self.now, rank_at, announced)
            if state == "pending" and index < slots and not self.is_paused(command):
                starting.add(command.job_id)
        return starting

    def due(self, *, suspects: bool) -> list[Life]:
        """List what may be claimed now, were nothing cancelled."""
        return [
            life
            for life in self.in_state("pending")
            if life.run_at <= self.now and life.suspect == suspects and not self.is_paused(life.command)
        ]

    def turns(self, lives: Sequence[Life]) -> list[tuple[int, float]]:
        """Give the places of these tasks in the queue: the project with the fewest running first, then by rank."""
        running = Counter(life.command.project_id for life in self.in_state("in_progress"))
        places = []
        for life in sorted(lives, key=lambda one: one.rank_at):
            running[life.command.project_id] += 1
            places.append((running[life.command.project_id], life.rank_at))
        return sorted(places)

    def settle(self, end: Settlement) -> None:
        """End an attempt, as whoever holds the lease says."""
        self.lives[end.lease.job_id].settle(end.state, end.attempts_used, self.now + end.retry_in_seconds)

    def cancel(self, job_id: UUID) -> None:
        self.cancelled_at.setdefault(job_id, self.now)
        self.end_doomed()

    def sweep(self) -> None:
        """Do what one look of a worker at its tasks does."""
        expired = [life for life in self.in_state("in_progress") if life.lease_until < self.now]
        silent, overdue = self._silent(), self._overdue()
        self.end_doomed()
        for life in expired:
            self._take_over(life)
        if expired:
            self.recall_cancels()
        if overdue:
            for life in self._overdue():
                life.leave("failed")
        if silent:
            for life in self._silent():
                life.announced = True

    def _silent(self) -> list[Life]:
        return [one for one in self.in_state("pending") if not one.announced and one.created_at < self.now - 1]

    def _overdue(self) -> list[Life]:
        return [one for one in self.in_state("pending") if self.is_overdue(one)]

    def _take_over(self, life: Life) -> None:
        """Charge a crash only to a task that was alone in its process."""
        given_up = life.suspect and (life.crashes + 1 >= CRASHES or life.attempts + 1 >= ATTEMPTS)
        life.leave("failed" if given_up else "pending")
        life.crashes, life.attempts = life.crashes + life.suspect, life.attempts + life.suspect
        life.suspect, life.run_at = True, self.now

    def end_doomed(self) -> None:
        recent = {job_id for job_id, at in self.cancelled_at.items() if at > self.now - 600}
        for life in self.in_state("pending"):
            if life.family & recent:
                life.leave("cancelled")

    def recall_cancels(self) -> None:
        waiting = {job_id for life in self.in_state("pending") for job_id in life.family}
        for job_id, at in self.cancelled_at.items():
            if at < self.now - 300 and job_id in waiting:
                self.cancelled_at[job_id] = self.now

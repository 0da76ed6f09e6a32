"""Whether a provider may be asked now, and for how long nobody asks after a trouble."""

from dataclasses import dataclass
from typing import Final

from services.image_generation.rules.trouble import Trouble, failure_of
from shared.errors import Failure, Refused, TryAgain

FAILURES_UNTIL_CLOSED: Final = 5
"""So many requests in a row that a provider could not answer; then nobody asks for a while."""
PROBE_SECONDS: Final = 120.0
"""Once that while is over one request tries; until it is answered, or for so long, the others wait."""

_FIRST_PAUSE_SECONDS: Final = 30.0
_LONGEST_PAUSE_SECONDS: Final = 600.0
_LONGEST_PATIENCE_SECONDS: Final = 3600.0
_UNTOLD_PATIENCE_SECONDS: Final = 10.0
_UNTIL_SOMEBODY_ACTS: Final = {Trouble.KEY: 300.0, Trouble.CREDIT: 900.0}
_FULL_PAUSE_SECONDS: Final = 2.0
_PAUSE_OF_EACH_SECONDS: Final = 0.1
"""However many wait for a place, about ten a second ask for one."""
_MICROS: Final = 1_000_000

BUDGET_USED_UP: Final = "budget_used_up"


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with an account and today's money.

    Attributes:
        reason: the last `Trouble`; None where all is well.
        failures: in a row.
        closed_seconds: for so long nobody shall ask; zero or less: one may try; None: it is open.
        on_their_way: requests that the provider has taken and not ended.
        waiting: jobs that wait for somebody's patience, at most 1,000.
        spent_micros: today, in millionths of a US dollar.
        spent_by_owner_micros: of that by who asks.

    """

    reason: str | None
    failures: int
    closed_seconds: float | None
    on_their_way: int
    waiting: int
    spent_micros: int
    spent_by_owner_micros: int

    @property
    def may_be_tried(self) -> bool:
        return self.closed_seconds is not None and self.closed_seconds <= 0


@dataclass(frozen=True, slots=True)
class Budgets:
    """Most that is spent on one day (UTC) by all and by each owner, in millionths of a US dollar; None: any sum."""

    of_all_micros: int | None = None
    of_owner_micros: int | None = None

    @property
    def any(self) -> bool:
        return self.of_all_micros is not None or self.of_owner_micros is not None


def objection(
    name: str, standing: Standing, budgets: Budgets, *, price_micros: int, most_in_flight: int | None
) -> Failure | None:
    """Say why a provider is not asked now; None: it is.

    The codes are `budget_used_up`, those of the trouble that the account has, and `account_full`.
    """
    if price_micros and (overdrawn := _overdrawn(standing, budgets, price_micros)):
        return overdrawn
    if standing.closed_seconds is not None and not standing.may_be_tried:
        return _closed(name, Trouble(standing.reason or Trouble.PASSING), standing.closed_seconds)
    if most_in_flight is not None and standing.on_their_way >= most_in_flight:
        sentence = f"{name} draws {standing.on_their_way} of our pictures already; this one waits for its turn."
        pause_seconds = _FULL_PAUSE_SECONDS + standing.waiting * _PAUSE_OF_EACH_SECONDS
        return TryAgain("account_full", sentence, retry_after_seconds=pause_seconds, rate_limited=True)
    return None


def passes_on(failure: Failure) -> bool:
    """Tell whether somebody else may be asked instead: here nobody can draw, and it is not for what is asked."""
    trouble = getattr(failure, "trouble", None)
    return failure.code == BUDGET_USED_UP or trouble in {Trouble.KEY, Trouble.CREDIT, Trouble.PASSING}


def counts_as_failure(trouble: Trouble) -> bool:
    """Tell whether a trouble says that the provider itself is away."""
    return trouble in {Trouble.PASSING, Trouble.UNKNOWN}


def closed_seconds(trouble: Trouble, failures: int, retry_after_seconds: float | None) -> float | None:
    """Say for how long nobody asks after a trouble, the `failures`th in a row; None: others may go on."""
    if trouble in _UNTIL_SOMEBODY_ACTS:
        return _UNTIL_SOMEBODY_ACTS[trouble]
    if trouble is Trouble.BUSY:
        asked_for = _UNTOLD_PATIENCE_SECONDS if retry_after_seconds is None else retry_after_seconds
        return min(asked_for, _LONGEST_PATIENCE_SECONDS)
    if counts_as_failure(trouble) and failures >= FAILURES_UNTIL_CLOSED:
        doublings = min(failures - FAILURES_UNTIL_CLOSED, 10)
        return float(min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**doublings))
    return None


def _overdrawn(standing: Standing, budgets: Budgets, price_micros: int) -> Refused | None:
    of_all, of_owner = budgets.of_all_micros, budgets.of_owner_micros
    if of_owner is not None and standing.spent_by_owner_micros + price_micros > of_owner:
        return _used_up("Your", of_owner)
    if of_all is not None and standing.spent_micros + price_micros > of_all:
        return _used_up("The", of_all)
    return None


def _used_up(whose: str, budget_micros: int) -> Refused:
    dollars = f"{budget_micros / _MICROS:.2f}"
    return Refused(
        BUDGET_USED_UP, f"{whose} budget of {dollars} US dollars is used up for today; it is whole at 0:00 UTC."
    )


def _closed(name: str, trouble: Trouble, seconds: float) -> Failure:
    if trouble in _UNTIL_SOMEBODY_ACTS:
        return failure_of(name, trouble, "")
    if trouble is Trouble.BUSY:
        return failure_of(name, trouble, "", seconds)
    return Closed(name, seconds)


class Closed(TryAgain):
    """Nobody asks this provider at the moment; waiting for it uses no attempt up."""

    trouble = Trouble.PASSING

    def __init__(self, name: str, seconds: float) -> None:
        sentence = f"{name} could not answer several times; it is asked again in {seconds:.0f} s."
        super().__init__("provider_away", sentence, retry_after_seconds=seconds, rate_limited=True)

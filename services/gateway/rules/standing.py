"""What operators are shown of queues and workers, and what they are warned of."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

GONE_SECONDS: Final = 30.0
"""Whoever reports every 10 s and was not heard of for so long is gone."""
FORGOTTEN_SECONDS: Final = 3600.0
"""So long it is shown who has gone."""
BEHIND_SECONDS: Final = 60.0

_WARNINGS: Final = {
    "queue_missing": "The queue is not there: start any service, for each declares all queues when it connects.",
    "no_consumer": "Nobody listens: start the service, or look whether its `/readyz` says that it lost its consumer.",
    "no_worker": "No process of this service has reported for a while.",
    "not_taken_over": "Messages lie in the dead queue, and the service does not take them over.",
    "behind": "The oldest message has waited for longer than a minute.",
}


def state_of(worker: Mapping[str, Any]) -> str:
    """Tell how a process is: as it said itself, unless it has fallen silent since."""
    if worker["state"] != "stopped" and worker["silent_seconds"] > GONE_SECONDS:
        return "gone"
    return str(worker["state"])


def lives(worker: Mapping[str, Any]) -> bool:
    return state_of(worker) in {"working", "stopping"}


def oldest_seconds(workers: Sequence[Mapping[str, Any]], waiting_seconds: float, now: datetime) -> float | None:
    """Tell how old the oldest message is at least; None where none waits.

    Whoever listens knows the message that he is at; where nobody does, the first that waits waits from the beginning.
    """
    if not workers:
        return round(waiting_seconds, 1) if waiting_seconds else None
    told = [one["oldest_unacknowledged_at"] for one in workers if one["oldest_unacknowledged_at"] is not None]
    return max(0.0, round((now - min(told)).total_seconds(), 1)) if told else None


def warning_of(*, missing: bool, consumers: int, workers: int, dead: int, oldest: float | None) -> dict[str, str]:
    """Give the gravest reason to look after a queue as `warning` and `sentence`; empty where there is none."""
    found = {
        "queue_missing": missing,
        "no_consumer": consumers == 0,
        "no_worker": workers == 0,
        "not_taken_over": dead > 0,
        "behind": oldest is not None and oldest > BEHIND_SECONDS,
    }
    for code, holds in found.items():
        if holds:
            return {"warning": code, "sentence": _WARNINGS[code]}
    return {}


def work_of(workers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give the work of a service by kind, as the process that reported last has it."""
    newest = max(workers, key=lambda worker: worker["at"], default=None)
    return [] if newest is None else [dict(one) for one in newest["work"]]

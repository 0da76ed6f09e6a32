"""Whether the database has been in sight for long enough to judge who else is there."""

import time


class Contact:
    """Notes when the database has answered.

    Where it was out of sight, for this process or for all, others have been no more able to renew their leases, and all
    together may have been frozen with their machine. Whoever is back first must not rob those who are about to be:
    their work would be done twice, and what it has paid for be paid for nothing.

    Args:
        lease_seconds: for how long a lease holds.
        in_sight: whether the database has answered as soon as it was asked for the first time.

    """

    def __init__(self, lease_seconds: float, *, in_sight: bool) -> None:
        self._lease_seconds = lease_seconds
        self._lost_after_seconds = max(2.5, min(5.0, lease_seconds / 3))
        self._respite_seconds = max(5.0, lease_seconds * 2 / 3)
        self._answered_at = _now() if in_sight else float("-inf")
        self._respite_until: float | None = None

    def answered(self) -> bool:
        """Note an answer; tell whether everybody has had the time to be heard since it was out of sight.

        Where each answer takes so long that it seems out of sight in between, everybody has had it all the same, now
        and then. One that comes after more than a lease begins the time anew.
        """
        now = _now()
        out_of_sight_seconds, self._answered_at = now - self._answered_at, now
        is_over = self._respite_until is not None and now >= self._respite_until
        seems_lost = self._respite_until is None and out_of_sight_seconds > self._lost_after_seconds
        if seems_lost or out_of_sight_seconds >= self._lease_seconds:
            self._respite_until = now + self._respite_seconds
        elif is_over:
            self._respite_until = None
        return self._respite_until is None


def _now() -> float:
    """Give a time that goes on also while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)

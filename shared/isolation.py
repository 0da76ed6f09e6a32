"""When tasks of crashed processes run one by one, with nothing beside them, so that only the guilty one is charged."""

import time

_PATIENCE_SECONDS = 30.0
_LONGEST_PATIENCE_SECONDS = 600.0
_REST_SECONDS = 60.0


class Isolation:
    """Decides how long a process that should run a suspect alone waits for what still runs beside it.

    What runs for long is not waited for: the process goes on as usual and tries again after a rest, with twice the
    patience, so that a suspect whose neighbours are always long gets its turn at last.
    """

    def __init__(self) -> None:
        self.active = False
        self._until = -_REST_SECONDS
        self._patience_factor = 1

    def begin(self) -> bool:
        """Begin where the process has rested; tell whether it did."""
        now = time.monotonic()
        if self.active or now < self._until + _REST_SECONDS:
            return False
        self.active = True
        self._extend(now)
        return True

    def give_up_when_over(self) -> bool:
        """End when the patience is over; tell whether it is."""
        if time.monotonic() < self._until:
            return False
        self.active = False
        self._patience_factor *= 2
        return True

    def went_on(self) -> None:
        """Note that a suspect was started."""
        self._patience_factor = 1
        self._extend(time.monotonic())

    def end(self) -> None:
        """End because no suspect is left; the next one need not wait for a rest."""
        self.active, self._until, self._patience_factor = False, -_REST_SECONDS, 1

    def _extend(self, now: float) -> None:
        self._until = now + min(_PATIENCE_SECONDS * self._patience_factor, _LONGEST_PATIENCE_SECONDS)

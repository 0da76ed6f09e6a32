"""Why a stack does not run, each with a stable code and a sentence that says what to do next."""

from shared.errors import Failure


class CannotRun(Failure):
    """A part of the stack is missing, refuses to start, or is already running elsewhere."""

"""When a job that nobody speaks of is asked about."""

from typing import Final

FIRST_ASK_SECONDS: Final = 10
"""The first pause; each further one is twice as long."""

LAST_ASK_SECONDS: Final = 300
"""The longest pause."""

NOBODY_ANSWERS: Final = ("worker_gone", "No worker has answered for it, though it was asked about again and again.")
"""Why a job ends that was asked about in vain for too long: code and sentence."""

NEVER_RECEIVED: Final = ("never_received", "Its worker was asked again and again, and has never received it.")
"""Why such a job ends whose worker answered the last question, that it has never heard of it: code and sentence."""

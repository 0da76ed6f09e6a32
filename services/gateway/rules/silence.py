"""When a job that nobody speaks of is asked about."""

from typing import Final

FIRST_ASK_SECONDS: Final = 10
"""The first pause; each further one is twice as long."""

LAST_ASK_SECONDS: Final = 300
"""The longest pause."""

DEAD_LETTER: Final = "dead_letter"
"""What a job waits for whose command lies among a worker's dead letters: for a person who redrives or discards it."""

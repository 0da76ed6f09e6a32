"""When a job that nobody speaks of is asked about."""

from typing import Final

FIRST_ASK_SECONDS: Final = 10
LAST_ASK_SECONDS: Final = 300
DEAD_LETTER: Final = "dead_letter"
"""What a job waits for whose command lies among a worker's dead letters: for a person who redrives or discards it."""


def pause_before_next_ask_seconds(asks: int) -> int:
    """Give the pause after the n-th ask in vain: 10 s, 20 s, 40 s ... at most 5 min."""
    return int(min(FIRST_ASK_SECONDS * 2 ** min(asks, 10), LAST_ASK_SECONDS))

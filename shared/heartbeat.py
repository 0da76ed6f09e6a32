"""Heartbeats: one after the other, and the next beside one that hangs on its way."""

import asyncio
from collections.abc import Awaitable, Callable

from shared.ending import end

_AT_ONCE = 3
"""Two connections may have died without a word, and a third is opened then."""

_CALM_SECONDS = 1.0


async def beat(
    renew: Callable[[], Awaitable[None]],
    *,
    reconnect: Callable[[], Awaitable[None]],
    pause_seconds: float,
    patience_seconds: float,
) -> None:
    """Renew again and again, until cancelled; raises what renewing raises.

    One that is not answered goes on, for a database that is only slow would never answer whoever asks anew. But a way
    to the database may have died without a word, and whoever waited for its end would lose all leases over it.

    Args:
        renew: may be called while it still waits; each call takes a connection of its own.
        reconnect: has calls from then on take new connections, for the others may have died with the one that hangs.
        pause_seconds: between an answer and the next question.
        patience_seconds: after so long another one is sent beside it.

    """
    flying: set[asyncio.Future[None]] = set()
    try:
        while True:
            if not flying:
                await asyncio.sleep(pause_seconds)
            if len(flying) < _AT_ONCE:
                flying.add(asyncio.ensure_future(renew()))
            done, _ = await asyncio.wait(flying, timeout=patience_seconds, return_when=asyncio.FIRST_COMPLETED)
            for answered in done:
                answered.result()
            flying -= done
            if not done and len(flying) < _AT_ONCE:
                await reconnect()
            if done and flying:
                await asyncio.sleep(pause_seconds)
    finally:
        if flying:
            await end(*flying, again_after_seconds=_CALM_SECONDS)

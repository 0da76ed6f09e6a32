"""Ports for what a test starts, or wants to find nobody at."""

import itertools
import random
import socket
from collections.abc import Iterator
from functools import cache

from deploy.local.ports import claimed, is_free

_BLOCKS = range(10_000, 20_000, 500)
"""Below the ports of stacks, and of the connections that are made all the time."""
_claims: list[socket.socket] = []


def free_port() -> int:
    """Give a port that nobody listens at, and that no other process of tests gets; this one not again for long."""
    return next(port for port in _own_block() if is_free(port))


@cache
def _own_block() -> Iterator[int]:
    """Go round in a block of ports that is claimed for as long as this process lives."""
    for start in random.sample(_BLOCKS, len(_BLOCKS)):
        claim = claimed(f"block {start} of tests")
        if claim is not None:
            _claims.append(claim)
            return itertools.cycle(range(start, start + _BLOCKS.step))
    raise RuntimeError(f"{len(_BLOCKS)} other processes run tests here")

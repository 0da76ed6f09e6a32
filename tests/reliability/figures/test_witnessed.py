"""The witness of a frozen process sees to it that whatever ran tries to write before it is told of its loss."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.identifiers import uuid7
from shared.tasks import Lease, Pulse
from tests.reliability.figures.witnessed import END, HOLD, Witness

LEASE_SECONDS = 0.2


@pytest.mark.parametrize("frozen_at", ["before the heartbeat", "while it is on its way"])
async def test_a_heartbeat_tells_of_no_loss_before_all_have_tried_to_write(tmp_path: Path, frozen_at: str) -> None:
    witness, lease = Witness(tmp_path / HOLD), Lease(uuid7(), uuid7(), 1, 1, datetime.now(UTC))
    asked: list[Sequence[Lease]] = []

    async def renew(_pool: Any, leases: Sequence[Lease], *_: Any) -> dict[Any, Pulse]:
        asked.append(leases)
        if frozen_at == "while it is on its way":
            stand_still(2 * LEASE_SECONDS)
        return {}

    witness._renew = renew
    if frozen_at == "before the heartbeat":
        stand_still(2 * LEASE_SECONDS)
    beating = asyncio.create_task(witness._renew_leases(None, [lease], [], LEASE_SECONDS))
    assert not (await asyncio.wait({beating}, timeout=LEASE_SECONDS))[0]
    witness._note(END, lease, held=False)
    async with asyncio.timeout(5):
        assert await beating == {}
    assert asked == [[lease]]


def stand_still(seconds: float) -> None:
    """Let nothing happen in this process meanwhile, as after SIGSTOP."""
    time.sleep(seconds)

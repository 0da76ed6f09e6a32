"""What the house has accepted, written down outside of it before anybody counts on it."""

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

import orjson


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job for which 202 was answered.

    Attributes:
        poison: it cannot succeed, and must end as failed.
        follow: how many jobs of which kind follow from it.
        broken: why each download must fail that is to fetch no picture, by its address.
        pictures: the hashes of the images that are stored by what follows from it, apart from what is only drawn then.

    """

    job_id: UUID
    service: str
    project_id: UUID
    at: datetime
    poison: bool = False
    follow: Mapping[str, int] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    pictures: Sequence[str] = ()


class Ledger:
    """A file to which lines are added and synced to the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._turn = threading.Lock()

    async def note(self, accepted: Accepted) -> None:
        """Return once it is on the disk."""
        await asyncio.to_thread(self._write, orjson.dumps(asdict(accepted), option=orjson.OPT_APPEND_NEWLINE))

    def _write(self, line: bytes) -> None:
        with self._turn:
            os.write(self._file, line)
            os.fdatasync(self._file)

    def close(self) -> None:
        os.close(self._file)


def read(path: Path) -> list[Accepted]:
    """Read what was written down."""
    return [_accepted(line) for line in path.read_bytes().splitlines()]


def _accepted(line: bytes) -> Accepted:
    row = orjson.loads(line)
    ids = {name: UUID(row[name]) for name in ("job_id", "project_id")}
    return Accepted(**row | ids | {"at": datetime.fromisoformat(row["at"])})

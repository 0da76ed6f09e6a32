"""Manifests in Parquet: files of strangers, read a few hundred rows at a time in a process that can do no harm."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from shared.errors import Refused
from shared.sandbox import Sandbox

MAGIC: Final = b"PAR1"
ENCRYPTED: Final = b"PARE"

_ANSWER_BYTES: Final = 128 * 1024 * 1024
_CALLS: Final = 1_000_000
_ROWS: Final = TypeAdapter(list[dict[str, str]])


def confined_to(path: Path, *, memory_bytes: int, seconds: float) -> Sandbox:
    """Give a process that reads one file and nothing else; limits are as of `Sandbox`."""
    return Sandbox(
        processes=1,
        memory_bytes=memory_bytes,
        seconds=seconds,
        calls_per_process=_CALLS,
        answer_bytes=_ANSWER_BYTES,
        preload=("services.scraper.sources.arrow", __name__),
        readable=(path,),
    )


async def rows_of(
    sandbox: Sandbox, path: Path, columns: Sequence[str], *, begin: int, rows: int
) -> AsyncIterator[list[dict[str, str]]]:
    """Give the rows of a file in lists of up to `rows`, without the first `begin` of them: texts by their columns.

    The first of the columns has to be there. Raises Refused: `manifest_unreadable`, or as `Sandbox.run`.
    """
    while page := await _page(sandbox, path=str(path), columns=list(columns), begin=begin, rows=rows):
        yield page
        begin += len(page)


async def _page(sandbox: Sandbox, **options: Any) -> list[dict[str, str]]:
    _, blobs = await sandbox.run(read_some, b"", **options)
    try:
        (blob,) = blobs
        page = _ROWS.validate_json(blob)
    except ValueError as error:
        raise Refused("decoder_failed", "What was read of this manifest makes no sense.") from error
    if len(page) > options["rows"]:
        raise Refused("decoder_failed", "More was read of this manifest than was asked for.")
    return page


def read_some(_payload: bytes, options: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Read up to `rows` rows of the file at `path` from the row `begin` on, as the sandbox calls it."""
    from services.scraper.sources.arrow import rows_from  # noqa: PLC0415 - 50 MB that the limited process alone needs

    page = rows_from(options["path"], tuple(options["columns"]), options["begin"], options["rows"])
    return {}, [_ROWS.dump_json(page)]

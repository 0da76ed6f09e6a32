"""What the database looks at to answer: rows that were read, counted and not timed."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, cast

import orjson


class _Explained(Exception):
    """A statement was explained instead of answered."""


class _Explaining:
    """Stands in for a connection: does what a statement says, and tells how instead of what came of it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, sql: str, *arguments: Any) -> Any:
        plan = await self._connection.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", *arguments)
        raise _Explained(orjson.loads(plan) if isinstance(plan, str) else plan)

    fetchrow = fetchval = fetch


async def rows_read(connection: Any, statement: Callable[[Any], Awaitable[Any]], *, of: str = "tasks") -> int:
    """Count the rows of a table that a function of one statement looks at; what it does is undone."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await statement(cast("Any", _Explaining(connection)))
    except _Explained as explained:
        (told,) = explained.args[0]
        return sum(_rows_of(node) for node in _nodes(told["Plan"]) if node.get("Relation Name") == of)
    finally:
        await transaction.rollback()
    raise AssertionError("no statement was asked for")


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


def _rows_of(node: Mapping[str, Any]) -> int:
    if not node["Node Type"].endswith("Scan"):
        return 0
    left_out = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return int((node["Actual Rows"] + left_out) * node["Actual Loops"])

"""Finds SQL in Python."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.house.sources import modules_of, room_of

_STARTS_AS_SQL = re.compile(
    r"""^\s*(?:--.*\n\s*)*(?:
        with\s+(?:recursive\s+)?\w+\s*(?:\([^)]*\)\s*)?as\s+(?:not\s+)?(?:materialized\s+)?\(
      | select\s[\s\S]*?\sfrom\s
      | select\s+(?:\d|\*|\$|exists\b|\w+\s*\()
      | insert\s+into\s
      | update\s+(?:only\s+)?\S+\s+(?:as\s+\w+\s+)?set\s
      | delete\s+from\s
      | merge\s+into\s
      | (?:create|alter|drop)\s+(?:or\s+replace\s+|unlogged\s+|unique\s+)*
        (?:table|index|view|schema|function|role|policy|type|sequence|trigger|extension|database)\s
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_SHOUTS_SQL = re.compile(
    r"\bSELECT\b[\s\S]+\bFROM\b|\bINSERT INTO\b|\bDELETE FROM\b|\bUPDATE\s+\S+\s+SET\b"
    r"|^\s*(?:SELECT|LISTEN|NOTIFY|TRUNCATE|COPY|LOCK TABLE|SET LOCAL)\s"
)
_QUERY_METHODS = frozenset({"fetchrow", "fetchval", "fetchmany", "executemany", "copy_records_to_table"})


def strayed_sql(root: Path) -> list[str]:
    """Find SQL, and calls that only SQL needs, outside of `store` rooms; `shared` may."""
    return [
        f"{path}:{line} holds SQL, which belongs in store: {what}"
        for path, tree in modules_of(root, "contracts", "services")
        if room_of(path) != "store"
        for line, what in sorted({*_statements(tree), *_queries(tree)})
    ]


def _statements(tree: ast.Module) -> Iterator[tuple[int, str]]:
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        text = _text(node)
        if text and id(node) not in prose and (_STARTS_AS_SQL.search(text) or _SHOUTS_SQL.search(text)):
            yield node.lineno, " ".join(text.split())[:60]  # type: ignore[attr-defined]


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "something" for part in node.values)
    return None


def _queries(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in _QUERY_METHODS:
            yield node.lineno, node.attr

"""The steps of the code: where something happens that the world can see, found in the source and not in a list.

A step is an `await` or an `async with` of something that changes a database, a queue, the object store or somebody
else's state, also where it is handed to somebody who awaits it together with others. What only reads is none. Before
and after each lies a point at which a process may die; a context has a third one within it, when all is done and
nothing is committed. A step in a loop is died at in the first turn that comes to it. Only the standard library is used
here, for this is imported before the code that it rewrites.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

STATEMENTS = frozenset({"execute", "executemany", "fetch", "fetchrow", "fetchval"})
"""Methods of a connection or a pool; those that fetch with a text which only reads are no steps."""

DONE = STATEMENTS | {
    *(
        "publish",
        "ack",
        "consume",
        "bind",
        "queue_bind",
        "exchange_declare",
        "queue_declare",
        "queue_delete",
        "connect",
    ),
    *("put_object", "delete_object", "create_bucket", "put_once"),
    *("submit", "poll", "cancel"),
    "call",
}
"""What is awaited: statements; words to the broker; objects; a provider and the writer of a batch; a limited child."""

HELD_OPEN = frozenset({"transaction", "recording", "completing", "failing", "committing", "_ending", "_send"})
"""What is entered and left: transactions by all their names, and a request to somebody else's server."""

NOT_AWAITED = frozenset({"bind", "cancel", "submit"})
"""What is no step where nobody awaits it: by a word alone a task is cancelled, a logger told its words, and a thread
given its work."""

REACHED, AROUND, ALONG = "__reached__", "__around__", "__along__"
"""The functions that rewritten code calls; see `probed`."""

_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE)\b")


@dataclass
class Rewriting(ast.NodeTransformer):
    """Puts a call at each point of one module, and notes the points' names in `points`.

    A point is named `module:function:step.number:side`. The number counts the steps of that name in the function, so
    that the name stays when lines move.
    """

    module: str
    points: list[str] = field(default_factory=list)
    _functions: list[str] = field(default_factory=list)
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._inside(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._inside(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._inside(node)

    def visit_Await(self, node: ast.Await) -> ast.AST:
        name = self._named(node.value, DONE)
        if name is None:
            return self.generic_visit(node)
        super().generic_visit(node.value)  # itself it is awaited here, and what it is given may be a step
        before, after = self._pointed(name, "before", "after")
        parts = [_call(REACHED, before), node, _call(REACHED, after)]
        return ast.Subscript(ast.Tuple(parts, ast.Load()), ast.Constant(1), ast.Load())

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Find what is handed to somebody else who awaits it."""
        name = self._named(node, DONE - NOT_AWAITED)
        self.generic_visit(node)
        return node if name is None else _call(ALONG, *self._pointed(name, "before", "after"), of=node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        for item in node.items:
            name = self._named(item.context_expr, HELD_OPEN)
            if name is not None:
                before, within, after = self._pointed(name, "before", "within", "after")
                item.context_expr = _call(AROUND, before, within, after, of=item.context_expr)
        return self.generic_visit(node)

    def _inside(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self._functions.append(node.name)
        try:
            return self.generic_visit(node)
        finally:
            self._functions.pop()

    def _named(self, expression: ast.expr, names: frozenset[str]) -> str | None:
        """Name the step that an expression takes, if it takes one."""
        match expression:
            case ast.Call(func=ast.Attribute(attr=name) as called) if name in names:
                return None if name in STATEMENTS and _only_reads(expression, called.attr) else self._numbered(name)
            case _:
                return None

    def _numbered(self, name: str) -> str:
        function = ".".join(self._functions)
        self._counts[function, name] += 1
        return f"{self.module}:{function}:{name}.{self._counts[function, name]}"

    def _pointed(self, step: str, *sides: str) -> list[str]:
        names = [f"{step}:{side}" for side in sides]
        self.points += names
        return names


def _only_reads(call: ast.Call, name: str) -> bool:
    """Tell whether a statement fetches with a text that changes and locks nothing."""
    if name.startswith("execute") or not call.args:
        return False
    match call.args[0]:
        case ast.Constant(value=str(text)):
            return not _WRITES.search(text)
        case ast.JoinedStr(values=values):
            return not any(isinstance(part, ast.Constant) and _WRITES.search(str(part.value)) for part in values)
        case _:
            return False


def _call(function: str, *points: str, of: ast.expr | None = None) -> ast.Call:
    arguments: list[ast.expr] = [ast.Constant(point) for point in points]
    return ast.Call(ast.Name(function, ast.Load()), [*arguments, *([of] if of else [])], [])


def rewritten(source: str, module: str) -> tuple[ast.Module, list[str]]:
    """Give the tree of a module with a call at each of its points, and the names of the points in their order."""
    rewriting = Rewriting(module)
    tree = rewriting.visit(ast.parse(source))
    return ast.fix_missing_locations(tree), rewriting.points


def modules_of(house: Path) -> Iterator[tuple[str, Path]]:
    """Give all that services are made of: the modules of `shared` and `services`, by name."""
    for floor in ("shared", "services"):
        for path in sorted((house / floor).rglob("*.py")):
            parts = path.relative_to(house).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def points_of(house: Path) -> list[str]:
    """Name every point of the house."""
    return [point for module, path in modules_of(house) for point in rewritten(path.read_text(), module)[1]]

"""Single faults that a slip of the hand could put into code.

A fault replaces one stretch of the source by another.  Left alone is what is no behaviour: text,
annotations, messages of errors, decorators, and what only a type checker reads.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

#: The comparison that differs at the boundary, and the one that says the contrary.
BOUNDARY = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
CONTRARY = {
    ast.Lt: ">=",
    ast.LtE: ">",
    ast.Gt: "<=",
    ast.GtE: "<",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
ARITHMETIC = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "/",
    ast.Pow: "*",
    ast.Mod: "*",
    ast.BitAnd: "|",
    ast.BitOr: "&",
}
#: Calls of one name that look like calls of another.
CONFUSED = {
    "all": "any",
    "argmax": "argmin",
    "ceil": "floor",
    "cumsum": "cumprod",
    "exp": "expm1",
    "log": "log1p",
    "max": "min",
    "maximum": "minimum",
    "mean": "sum",
    "median": "mean",
    "nanmax": "nanmin",
    "ones": "zeros",
    "var": "std",
    "zeros_like": "ones_like",
}
CONFUSED |= {new: old for old, new in CONFUSED.items() if new not in CONFUSED}
#: Keywords that only say how a thing is done.
MANNER = {"strict", "dtype", "copy", "name", "stacklevel", "optimize", "repr", "kw_only"}


@dataclass(frozen=True)
class Fault:
    """One stretch of a source and what replaces it.

    Attributes
    ----------
    kind : str
    line : int
        Its first line, counted from one.
    start, stop : int
        Where the stretch begins and ends in the source, in characters.
    before, after : str
    """

    kind: str
    line: int
    start: int
    stop: int
    before: str
    after: str

    def put_into(self, source: str) -> str:
        """Return the source with the fault in it."""
        assert source[self.start : self.stop] == self.before
        return source[: self.start] + self.after + source[self.stop :]


def faults(source: str) -> list[Fault]:
    """Return every fault that can be put into a source and leaves it a program.

    Examples
    --------
    >>> [fault.after for fault in faults("low = a < b")]
    ['a <= b', 'a >= b']
    """
    found = [Stretches(source).fault(*one) for one in _proposed(ast.parse(source))]
    return sorted(
        {f for f in found if f.before != f.after and _compiles(f.put_into(source))}, key=_place
    )


def _place(fault: Fault) -> tuple:
    return fault.start, fault.stop, fault.kind, fault.after


def _compiles(source: str) -> bool:
    try:
        compile(source, "fault", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


class Stretches:
    """Where the nodes of a source lie in it: ast counts bytes within lines."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines = source.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def _at(self, line: int, column: int) -> int:
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())

    def fault(self, kind: str, node: ast.AST, after: str) -> Fault:
        """Return the fault that replaces a node."""
        start = self._at(node.lineno, node.col_offset)  # type: ignore[attr-defined]
        stop = self._at(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
        return Fault(kind, node.lineno, start, stop, self.source[start:stop], after)  # type: ignore[attr-defined]


Proposal = tuple[str, ast.AST, str]


def _proposed(tree: ast.AST) -> Iterator[Proposal]:
    for node in _behaviour(tree):
        for kind, propose in PROPOSALS.items():
            yield from ((kind, *one) for one in propose(node))


def _behaviour(node: ast.AST) -> Iterator[ast.AST]:
    """Walk over what a program does."""
    yield node
    if isinstance(node, (ast.Raise, ast.JoinedStr, ast.Assert, ast.ImportFrom, ast.Import)):
        return
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _behaviour(child)


def _compared(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, right = ast.unparse(node.left), ast.unparse(node.comparators[0])
        for table in (BOUNDARY, CONTRARY):
            new = table.get(type(node.ops[0]))
            if new is not None:
                yield node, f"{left} {new} {right}"


def _calculated(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC and not _is_text(node):
        left, right = ast.unparse(node.left), ast.unparse(node.right)
        yield node, f"(({left}) {ARITHMETIC[type(node.op)]} ({right}))"
    if isinstance(node, ast.AugAssign) and type(node.op) in ARITHMETIC and not _is_text(node):
        new = ARITHMETIC[type(node.op)]
        yield node, f"{ast.unparse(node.target)} {new}= {ast.unparse(node.value)}"


def _is_text(node: ast.AST) -> bool:
    return any(
        isinstance(part, ast.JoinedStr)
        or (isinstance(part, ast.Constant) and isinstance(part.value, str))
        for part in ast.iter_child_nodes(node)
    )


def _joined(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.BoolOp):
        word = "or" if isinstance(node.op, ast.And) else "and"
        yield node, f"({f' {word} '.join(f'({ast.unparse(value)})' for value in node.values)})"


def _negated(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.UnaryOp) and not isinstance(node.operand, ast.Constant):
        yield node, f"({ast.unparse(node.operand)})"
    if isinstance(node, (ast.If, ast.IfExp)) and not isinstance(
        node.test, (ast.Compare, ast.UnaryOp)
    ):
        yield node.test, f"(not ({ast.unparse(node.test)}))"


def _constants(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if not isinstance(node, ast.Constant):
        return
    if isinstance(node.value, bool):
        yield node, str(not node.value)
    elif isinstance(node.value, int):
        yield node, str(node.value + 1)
    elif isinstance(node.value, float):
        yield node, repr(2 * node.value) if node.value else "0.5"


def _called(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if not isinstance(node, ast.Call):
        return
    name = node.func
    if isinstance(name, ast.Attribute) and name.attr in CONFUSED:
        other = ast.Attribute(name.value, CONFUSED[name.attr])
        yield name, ast.unparse(other)
    elif isinstance(name, ast.Name) and name.id in CONFUSED:
        yield name, CONFUSED[name.id]


def _swapped(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Call) and len(node.args) > 1:
        first, second, *rest = node.args
        if not any(isinstance(part, ast.Starred) for part in (first, second)):
            yield node, ast.unparse(ast.Call(node.func, [second, first, *rest], node.keywords))


def _dropped_keyword(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Call):
        for left_out in node.keywords:
            if left_out.arg is not None and left_out.arg not in MANNER:
                kept = [keyword for keyword in node.keywords if keyword is not left_out]
                yield node, ast.unparse(ast.Call(node.func, node.args, kept))


def _removed(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    statement = isinstance(node, (ast.AugAssign, ast.Raise, ast.Continue, ast.Break))
    call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    put = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript)
    if statement or call or put:
        yield node, "pass"
    guard = isinstance(node, ast.If) and not node.orelse
    if guard and isinstance(node.body[-1], (ast.Raise, ast.Return)):  # type: ignore[attr-defined]
        yield node, "pass"


PROPOSALS = {
    "comparison": _compared,
    "arithmetic": _calculated,
    "and, or": _joined,
    "negation": _negated,
    "constant": _constants,
    "function": _called,
    "swapped arguments": _swapped,
    "dropped keyword": _dropped_keyword,
    "removed statement": _removed,
}

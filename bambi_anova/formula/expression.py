"""One variable of a formula: what it reads, and its values on some rows.

A formula may come from a stranger.  So an expression becomes a tree of a few kinds of nodes,
which ``evaluation`` walks over; Python never runs it.

Letters: N rows.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from bambi_anova.errors import DataError
from bambi_anova.formula.evaluation import ARITHMETIC, COMPARISONS, Evaluation, Names, allowed
from bambi_anova.formula.functions import SEVERAL_COLUMNS, STATEFUL, STRUCTURE
from bambi_anova.formula.tokens import Token, Words

#: Words of an expression beyond which it is refused.
LONGEST = 200
_CONSTANTS = {"True": True, "False": False, "None": None}
_KINDS = (
    *(ast.Name, ast.Constant, ast.Call, ast.keyword, ast.Load),
    *(ast.BinOp, ast.UnaryOp, ast.Compare, *ARITHMETIC, *COMPARISONS),
)


@dataclass(frozen=True)
class Expression:
    """A variable of a formula.

    Attributes
    ----------
    text : str
        As it is written, without blanks: the name of the variable.
    tree : ast.expr
        What it means; names stand in it as the data have them.
    """

    text: str
    tree: ast.expr = field(repr=False, compare=False)

    def __str__(self) -> str:
        return self.text

    @property
    def is_column(self) -> bool:
        """Whether it is the name of one column."""
        return isinstance(self.tree, ast.Name)

    @property
    def written(self) -> str:
        """The variable as a formula can hold it."""
        return quote(self.text) if self.is_column else self.text

    @property
    def raw(self) -> Expression:
        """What stands in ``scale()`` or ``center()``; any other expression is itself."""
        if not isinstance(self.tree, ast.Call) or _called(self.tree) not in STATEFUL:
            return self
        return Expression(self.text[self.text.index("(") + 1 : -1].strip(), self.tree.args[0])

    @cached_property
    def functions(self) -> tuple[str, ...]:
        """The names of the functions that it calls."""
        found = (_called(node) for node in ast.walk(self.tree) if isinstance(node, ast.Call))
        return tuple(dict.fromkeys(found))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names whose values it reads: columns, and values of the user's."""
        nodes = list(ast.walk(self.tree))
        called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
        found = (n.id for n in nodes if isinstance(n, ast.Name) and id(n) not in called)
        return tuple(dict.fromkeys(found))

    @property
    def words(self) -> set[str]:
        """Every name in it; of a dotted one the first part, too, which may be the user's."""
        found = {*self.names, *self.functions}
        return found | {name.partition(".")[0] for name in found}

    def columns(self, known: Collection) -> tuple[str, ...]:
        """Return those of the known columns that it reads; its own values may be among them."""
        if self.text in known:
            return (self.text,)
        return tuple(name for name in self.names if name in known)

    def evaluate(self, frame: pd.DataFrame, namespace: Mapping[str, Any]) -> pd.Series:
        """Return its values on the N rows of a frame, which may hold them under its text.

        Raises
        ------
        DataError
            If a name is not known, or the expression has no value on these rows.

        Examples
        --------
        >>> from bambi_anova.formula.parse import parse_formula
        >>> rate = parse_formula("log(k / n) ~ A").response.outcome
        >>> rate.names
        ('k', 'n')
        >>> rate.evaluate(pd.DataFrame({"k": [1, 2], "n": [1, 2]}), {}).tolist()
        [0.0, 0.0]
        """
        if self.text in frame:
            return frame[self.text]
        names = Names(namespace)
        problem = names.unknown(self.names, self.functions, frame.columns)
        if problem is None:
            try:
                return Evaluation(frame, names).column(self.tree)
            except Exception as error:  # whatever the user's functions raise
                problem, cause = str(error), error
        else:
            cause = None
        raise DataError(f"formula: {self.text!r} cannot be evaluated: {problem}") from cause


def column(name: str) -> Expression:
    """Return the expression that is one column."""
    return Expression(name, ast.Name(name))


def read_expression(words: Words, text: str | None = None) -> Expression:
    """Read an expression of a formula.

    Parameters
    ----------
    words : Words
    text : str, optional
        The variable's name; by default the words without blanks.

    Raises
    ------
    FormulaError
        If it cannot be read, or holds what no expression may hold.
    """
    text = words.compact if text is None else text
    if len(words.tokens) > LONGEST:
        raise words.error(
            f": an expression of {len(words.tokens)} words, expected {LONGEST} at most. Compute "
            "the column in the data frame"
        )
    # Python sees numbers, operators and stand-ins, so that no name is a word of its own.
    spelled: list[str] = []
    meanings: dict[str, Token] = {}
    for token in words.tokens:
        if token.kind in ("name", "quoted", "string"):
            meanings[f"_{len(meanings)}"] = token
            spelled.append(f"_{len(meanings) - 1}")
        else:
            spelled.append(token.text)
    try:
        tree = _Meanings(meanings).visit(ast.parse(" ".join(spelled), mode="eval").body)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise words.error(
            f": {words.text!r} cannot be read as an expression. {allowed()}"
        ) from error
    for node in ast.walk(tree):
        problem = _problem(node)
        if problem:
            raise words.error(f": {words.text!r} {problem}. {allowed()}")
    return Expression(text, tree)


class _Meanings(ast.NodeTransformer):
    """Put names and text back in the place of their stand-ins."""

    def __init__(self, meanings: Mapping[str, Token]) -> None:
        self.meanings = meanings

    def visit_Name(self, node: ast.Name) -> ast.expr:
        token = self.meanings[node.id]
        if token.kind == "string":
            return ast.Constant(token.text[1:-1])
        if token.text in _CONSTANTS:
            return ast.Constant(_CONSTANTS[token.text])
        return ast.Name(token.text.strip("`"))

    def visit_keyword(self, node: ast.keyword) -> ast.keyword:
        name = None if node.arg is None else self.meanings[node.arg].text
        return ast.keyword(name, self.visit(node.value))


def _problem(node: ast.AST) -> str | None:
    """Say what an expression may not hold of a node."""
    if not isinstance(node, _KINDS) or (
        isinstance(node, ast.Constant) and not isinstance(node.value, (str, int, float, type(None)))
    ):
        return "holds something else than columns, numbers, operators and calls"
    if isinstance(node, ast.Compare) and len(node.ops) > 1:
        return "compares more than two sides at a time"
    if isinstance(node, ast.keyword) and not (node.arg or "").isidentifier():
        return "gives arguments in a way that has no meaning here"
    if not isinstance(node, ast.Call):
        return None
    name = _called(node)
    if name in STRUCTURE:
        return f"holds {name}(), which cannot stand inside an expression"
    if name in SEVERAL_COLUMNS:
        return f"calls {name}(), which makes several columns; expected one numeric column"
    if name in STATEFUL and (len(node.args) != 1 or node.keywords):
        return f"calls {name}() of something else than one column or expression"
    return None if name else "calls something else than a function's name"


def _called(node: ast.Call) -> str:
    """Return the name of the function that is called."""
    return node.func.id if isinstance(node.func, ast.Name) else ""


def quote(name: str) -> str:
    """Write a column's name so that a formula reads it as one variable.

    Raises
    ------
    DataError
        If there is a backtick in it.

    Examples
    --------
    >>> quote("dose"), quote("dose (mg)")
    ('dose', '`dose (mg)`')
    """
    if "`" in name or not name:
        raise DataError(f"column {name!r}: a formula cannot name it; rename the column")
    plain = re.fullmatch(r"[A-Za-z]\w*", name) is not None and name not in _CONSTANTS
    return name if plain else f"`{name}`"

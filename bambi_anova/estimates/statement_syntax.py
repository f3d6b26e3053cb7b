"""Statements about levels, such as "a > b and b > c": read safely, then held against draws.

A statement is parsed by Python's own grammar, and only comparisons, ``and``, ``or``, ``not``,
arithmetic, numbers, brackets, ``abs``, ``min``, ``max`` and the levels' names may stand in it;
nothing of it is ever run as code.  Levels that are no plain names stand in backticks or quotes.

Letters: H chains, D draws.
"""

from __future__ import annotations

import ast
import operator
import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import reduce

import numpy as np

from bambi_anova.errors import ArgumentError, nearest

Array = np.ndarray

_COMPARISONS: dict[type, Callable] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ARITHMETIC: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FUNCTIONS: dict[str, Callable] = {"abs": np.abs, "min": np.minimum, "max": np.maximum}


def holds(statement: str, values: Mapping[str, Array]) -> Array:
    """Return in which draws a statement holds.

    Parameters
    ----------
    statement : str
    values : mapping of str to ndarray, each of shape (H, D)
        Draws of each level's mean, by the level as text.

    Returns
    -------
    ndarray of bool, shape (H, D)

    Raises
    ------
    ArgumentError
        If the statement cannot be read, says nothing true or false, or names no level.

    Examples
    --------
    >>> values = {"a": np.array([[3.0, 1.0]]), "b": np.array([[2.0, 2.0]]), "0.2": np.zeros((1, 2))}
    >>> holds("a > b > `0.2`", values).tolist()
    [[True, False]]
    >>> holds("(a + b) / 2 > '0.2' + 2", values).tolist()
    [[True, False]]
    """
    reader = _Reader(statement, values)
    shape = next(iter(values.values())).shape
    found = np.broadcast_to(reader.truth(reader.tree), shape)
    if not reader.named:
        raise ArgumentError(
            f"statement={statement!r}: names no level; those that are numbers stand in backticks, "
            f"such as `{next(iter(values))}`"
        )
    return found


class _Reader:
    """Evaluate a statement's tree, node by node."""

    def __init__(self, statement: str, values: Mapping[str, Array]) -> None:
        if not isinstance(statement, str):
            raise ArgumentError(f"statement={statement!r}: expected text such as 'a > b'")
        self.statement, self.values = statement, values
        self.named: set[str] = set()
        # Python reads names in one form of Unicode, whatever form the levels have.
        self.forms = {unicodedata.normalize("NFKC", name): name for name in values}
        try:
            # Backticks become quotes, so that any level can be named.
            text = re.sub(r"`([^`]*)`", lambda match: repr(match[1]), statement)
            self.tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            raise self._error(
                "cannot be read; expected comparisons of levels such as 'a > b and b > c', levels "
                "that are no plain names in backticks"
            ) from error

    def truth(self, node: ast.expr) -> Array:
        """Return whether a part holds."""
        if isinstance(node, ast.BoolOp):
            join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return reduce(join, [self.truth(part) for part in node.values])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ~self.truth(node.operand)
        if isinstance(node, ast.Compare):
            sides = [self.number(side) for side in [node.left, *node.comparators]]
            found = np.array(True)
            for op, left, right in zip(node.ops, sides[:-1], sides[1:], strict=True):
                if type(op) not in _COMPARISONS:
                    raise self._error("only <, <=, > and >= compare means, which never are equal")
                found = found & _COMPARISONS[type(op)](left, right)
            return found
        raise self._error(f"{ast.unparse(node)!r} is neither true nor false; compare it")

    def number(self, node: ast.expr) -> Array:
        """Return the draws of a part's value."""
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            left, right = self.number(node.left), self.number(node.right)
            with np.errstate(divide="ignore", invalid="ignore"):
                return _ARITHMETIC[type(node.op)](left, right)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            inner = self.number(node.operand)
            return -inner if isinstance(node.op, ast.USub) else inner
        if isinstance(node, ast.Call):
            return self._call(node)
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return np.array(float(value))
        if isinstance(value, str):
            return self._level(value)
        if isinstance(node, ast.Constant) and (value is None or isinstance(value, bool)):
            return self._level(str(value))
        if isinstance(node, (ast.Name, ast.Attribute)):  # Golden.rain reads as an attribute
            name = ast.unparse(node)
            return self._level(name if name in self.values else self.forms.get(name, name))
        raise self._error(
            f"{ast.unparse(node)!r} is not understood; allowed are levels, numbers, + - * / and "
            f"{', '.join(_FUNCTIONS)}"
        )

    def _call(self, node: ast.Call) -> Array:
        name = ast.unparse(node.func)
        if name not in _FUNCTIONS or node.keywords or not node.args:
            raise self._error(f"{ast.unparse(node)!r}: expected one of {', '.join(_FUNCTIONS)}")
        given = [self.number(part) for part in node.args]
        if (name == "abs") != (len(given) == 1):
            raise self._error(f"{ast.unparse(node)!r}: abs takes one value, min and max several")
        return np.abs(given[0]) if name == "abs" else reduce(_FUNCTIONS[name], given)

    def _level(self, name: str) -> Array:
        if name not in self.values:
            raise self._error(f"{name!r} is not a level{nearest(name, self.values)}")
        self.named.add(name)
        return self.values[name]

    def _error(self, problem: str) -> ArgumentError:
        return ArgumentError(f"statement={self.statement!r}: {problem}")

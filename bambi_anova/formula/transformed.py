"""What was done to a response: a function of what was measured, or nothing.

Sums, differences and multiples are measured as well as their parts; so are products and quotients
of several columns, such as ``k / n``.  A bent function of one column, such as ``log(rt)`` or
``1 / rt``, is a transformation of it.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bambi_anova.formula.evaluation import Names
from bambi_anova.formula.expression import Expression
from bambi_anova.formula.functions import STATEFUL

#: Functions whose values are in the unit of their arguments.
_SAME_UNIT = frozenset(
    "I abs absolute fabs round rint floor ceil trunc clip where maximum minimum fmax fmin".split()
)


@dataclass(frozen=True)
class Transformed:
    """How a response was made of what was measured.

    Attributes
    ----------
    function : str
        The name of the one function around what was measured; empty if there is none, or if it
        is another kind of expression.
    of : str
        What was measured, as text.
    straight : bool
        Whether nothing was transformed.
    """

    function: str
    of: str
    straight: bool


def transformed(expression: Expression, namespace: Mapping[str, Any]) -> Transformed:
    """Tell what was done to a response.

    Examples
    --------
    >>> from bambi_anova.formula.parse import parse_formula
    >>> def told(text):
    ...     return transformed(parse_formula(f"{text} ~ A").response.outcome, {})
    >>> told("np.log(rt - 200)")
    Transformed(function='log', of='rt - 200', straight=False)
    >>> told("100 * k / n").straight, told("1 / rt").straight
    (True, False)
    """
    tree, names = _bare(expression.tree), Names(namespace)
    if _is_straight(tree, names):
        return Transformed("", expression.text, True)
    if isinstance(tree, ast.Call) and len(tree.args) == 1 and not tree.keywords:
        function, inner = _function(tree, names), _bare(tree.args[0])
        if function and _is_straight(inner, names):
            return Transformed(function, ast.unparse(inner), False)
    return Transformed("", expression.text, False)


def _bare(tree: ast.expr) -> ast.expr:
    """Take off ``I()``."""
    while isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "I":
        tree = tree.args[0]
    return tree


def _function(call: ast.Call, names: Names) -> str:
    """Return the name of an allowed function; nothing for the user's own."""
    found = names.function(call.func.id) if isinstance(call.func, ast.Name) else None
    return found if isinstance(found, str) else ""


def _is_straight(tree: ast.expr, names: Names) -> bool:
    """Whether an expression is measured as well as its columns."""
    if isinstance(tree, (ast.Name, ast.Constant, ast.Compare)):
        return True
    if isinstance(tree, ast.UnaryOp):
        return _is_straight(tree.operand, names)
    if isinstance(tree, ast.Call):
        known = _function(tree, names) in {*_SAME_UNIT, *STATEFUL}
        return known and all(_is_straight(part, names) for part in tree.args)
    if not isinstance(tree, ast.BinOp) or isinstance(tree.op, ast.Pow):
        return False
    left, right = _columns(tree.left), _columns(tree.right)
    if isinstance(tree.op, ast.Mult):
        bent = bool(left & right)
    elif isinstance(tree.op, ast.Div):
        # A quotient by another column is a rate; the inverse of a column is a bent function.
        bent = bool(right) and (not left or left == right)
    else:
        bent = False
    return not bent and _is_straight(tree.left, names) and _is_straight(tree.right, names)


def _columns(tree: ast.expr) -> set[str]:
    calls = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in calls}

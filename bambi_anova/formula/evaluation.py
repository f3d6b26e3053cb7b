"""A tree of an expression -> its values on some rows, by walking over it.

Names mean columns, what the user handed over in ``extra_namespace``, and the functions of
``functions``; nothing else can be reached, and no attribute of anything.

Letters: N rows.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.formula.functions import ELEMENTWISE, OF_R, STATEFUL, STRUCTURE, WHOLE

Array = np.ndarray

ARITHMETIC: dict[type, np.ufunc] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.true_divide,
    ast.Pow: np.power,
    ast.USub: np.negative,
    ast.UAdd: np.positive,
}
COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}
#: Whole numbers beyond this are computed as floats.
_MOST = 2.0**62


@dataclass(frozen=True)
class Names:
    """What names mean beside columns: the user's namespace, and the allowed functions."""

    own: Mapping[str, Any]

    def require_free(self) -> None:
        """Refuse words of the language.

        Raises
        ------
        ArgumentError
        """
        for name in ("I", *STRUCTURE[:3], *STATEFUL):
            if name in self.own:
                raise ArgumentError(
                    f"extra_namespace: {name!r} is a word of the formula language; give your "
                    "function another name"
                )

    def find(self, name: str) -> list[Any]:
        """Return what the user handed over under a name, in a list; nothing if it is not there.

        A dotted name reads what a module, a mapping or an object holds itself: no method of a
        class, no second level, nothing with an underscore in front, and nothing of NumPy, whose
        allowed functions are known anyway.
        """
        if name in self.own:
            return [self.own[name]]
        owner, _, part = name.partition(".")
        held = self.own.get(owner)
        if held is np or part.startswith("_"):
            return []
        held = held if isinstance(held, Mapping) else getattr(held, "__dict__", {})
        return [held[part]] if part in held else []

    def function(self, name: str) -> Callable[..., Any] | str | None:
        """Return a function of the user's, the name of an allowed one, or nothing."""
        found = self.find(name)
        if found:
            return found[0] if callable(found[0]) else None
        owner, _, part = name.rpartition(".")
        if name == "I" or name in STATEFUL:
            return name
        numpy = owner in ("", "np") or self.own.get(owner) is np
        return part if numpy and part in ELEMENTWISE else None

    def unknown(
        self, values: Iterable[str], functions: Iterable[str], columns: Collection
    ) -> str | None:
        """Say which name nobody knows, and what it might be."""
        for name in functions:
            if self.function(name) is None:
                advice = OF_R.get(name)
                meant = advice or allowed(name.split(".")[0])
                return f"there is no function {name!r} here{';' if advice else '.'} {meant}"
        for name in values:
            if name not in columns and not self.find(name):
                return f"there is no column {name!r}{nearest(name, map(str, columns))}"
        return None


def allowed(name: str = "name") -> str:
    """Say what an expression may hold, and what to do about all else."""
    return (
        "Allowed are columns, numbers, text in quotes, + - * / **, comparisons, I(), scale(), "
        "center(), functions of single values such as log(), exp(), sqrt(), abs(), np.where(), and "
        f"what is handed over as extra_namespace={{{name!r}: ...}}; anything else can be computed "
        "into a column of the data frame"
    )


@dataclass(frozen=True)
class Evaluation:
    """Evaluate trees on N rows."""

    frame: pd.DataFrame
    names: Names

    def column(self, tree: ast.expr) -> pd.Series:
        """Return the values of a tree as a column.

        Raises
        ------
        TypeError, ValueError
            Or whatever else the user's functions raise.
        """
        with np.errstate(all="ignore"):
            value = self._value(tree)
        index = self.frame.index
        if isinstance(value, (str, bool, int, float, np.generic)):
            return pd.Series([value] * len(index), index=index)
        if not isinstance(value, (pd.Series, pd.Categorical, pd.api.extensions.ExtensionArray)):
            value = _flat(np.asarray(value))
        if len(value) != len(index):
            raise ValueError(f"it gives {len(value)} values for {len(index)} rows")
        return pd.Series(getattr(value, "array", value), index=index)

    def _value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            in_data = node.id in self.frame
            return self.frame[node.id] if in_data else self.names.find(node.id)[0]
        if isinstance(node, ast.UnaryOp):
            return self._compute(ARITHMETIC[type(node.op)], self._value(node.operand))
        if isinstance(node, ast.BinOp):
            sides = self._value(node.left), self._value(node.right)
            return self._compute(ARITHMETIC[type(node.op)], *sides)
        if isinstance(node, ast.Compare):
            sides = self._value(node.left), self._value(node.comparators[0])
            return COMPARISONS[type(node.ops[0])](*sides)
        assert isinstance(node, ast.Call)  # the last kind that an expression may hold
        assert isinstance(node.func, ast.Name)
        return self._call(node.func.id, node)

    def _call(self, name: str, node: ast.Call) -> Any:
        function = self.names.function(name)
        given = [self._value(argument) for argument in node.args]
        named = {str(k.arg): self._value(k.value) for k in node.keywords}
        if callable(function):
            return function(*given, **named)
        if named:
            raise TypeError(f"{name}() takes no arguments by name")
        if function == "I" or function in STATEFUL:
            if len(given) != 1:
                raise TypeError(f"{name}() takes one column or expression")
            return given[0] if function == "I" else self._standardised(str(function), given[0])
        assert function is not None  # names are checked before anything is evaluated
        compute, count = ELEMENTWISE[function]
        if function == "round" and len(given) == 1:
            given.append(0)
        if len(given) != count:
            raise TypeError(f"{name}() takes {count} arguments, found {len(given)}")
        return self._compute(compute, *given)

    def _standardised(self, function: str, value: Any) -> Any:
        numbers = _numbers(value).astype(float)
        centred = numbers - numbers.mean()
        return self._wrapped(centred if function == "center" else centred / numbers.std())

    def _compute(self, function: Callable[..., Array], *values: Any) -> Any:
        """Return what a function makes of numbers; whole numbers stay whole, but never wrap."""
        numbers = [_numbers(value) for value in values]
        found = function(*(own.astype(float) for own in numbers))
        whole = function in WHOLE and all(own.dtype.kind == "i" for own in numbers)
        if whole and np.all(np.abs(found) < _MOST):
            negative = function is np.power and np.any(numbers[1] < 0)
            found = found if negative else function(*numbers)
        return self._wrapped(found)

    def _wrapped(self, found: Array) -> Any:
        if np.ndim(found) == 0:
            return np.asarray(found).item()
        return pd.Series(found, index=self.frame.index) if len(found) == len(self.frame) else found


def _numbers(value: Any) -> Array:
    """Return a number or a column of numbers as an array of int64 or of floats."""
    if isinstance(value, int) and abs(value) >= _MOST:
        value = float(value)
    kind = getattr(getattr(value, "dtype", None), "kind", None) or np.asarray(value).dtype.kind
    if kind not in "biuf":
        what = repr(value) if isinstance(value, str) else f"a {type(value).__name__}"
        raise TypeError(f"expected numbers, found {getattr(value, 'dtype', what)}")
    found = value.to_numpy(dtype=float) if kind == "f" and hasattr(value, "to_numpy") else value
    found = np.asarray(found)
    if kind in "biu" and not np.any(np.abs(found.astype(float)) >= _MOST):
        return _flat(found.astype(np.int64))
    return _flat(found.astype(float))


def _flat(values: Array) -> Array:
    """Return one column of numbers; refuse several."""
    if values.ndim > 1 and values.size != len(values):
        raise ValueError(
            f"it makes {values.size // max(len(values), 1)} columns; expected one numeric column. "
            "Add the columns to the data frame and name each of them"
        )
    return values.reshape(-1) if values.ndim > 1 else values

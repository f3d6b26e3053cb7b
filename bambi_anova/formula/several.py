"""Formulas of several parameters -> one text, in which they stand behind semicolons.

Bambi's ``Formula("y ~ A", "sigma ~ A")``, right-hand sides by parameter, and the text itself are
three ways to write ``"y ~ A; sigma ~ A"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bambi_anova.errors import FormulaError


def whole_formula(formula: Any, *further: Mapping[str, str | None] | None) -> Any:
    """Return a formula with those of further parameters behind it.

    Parameters
    ----------
    formula : str or bambi.Formula
    *further : mapping of str to str
        Right-hand sides by parameter; ``None`` for those that have none.

    Raises
    ------
    FormulaError
        If a right-hand side is no text, or a parameter has two.

    Examples
    --------
    >>> whole_formula("y ~ A * B", {"sigma": "A"})
    'y ~ A * B; sigma ~ A'
    """
    if isinstance(getattr(formula, "main", None), str):  # Bambi's, which is heavy to import
        formula = "; ".join([formula.main, *getattr(formula, "additionals", ())])
    sides: dict[str, str] = {}
    for given in further:
        if given is not None and not isinstance(given, Mapping):
            raise FormulaError(
                f"predictors={given!r:.80}: expected right-hand sides by parameter, such as "
                "{'sigma': 'A * B'}"
            )
        for name, side in (given or {}).items():
            if side is None:
                continue
            if not isinstance(side, str) or not side.strip():
                raise FormulaError(
                    f"{name}={side!r:.80}: expected the right-hand side of a formula, such as "
                    f"{name}='A * B'; a prior or a value of {name} goes into priors"
                )
            if name in sides:
                raise FormulaError(f"predictors: there are two formulas for {name!r}")
            sides[str(name)] = side
    if not sides or not isinstance(formula, str):
        return formula
    return "; ".join([formula, *(f"{name} ~ {_right(side)}" for name, side in sides.items())])


def _right(side: str) -> str:
    """Take off a tilde, with which R writes one-sided formulas."""
    return side.strip().removeprefix("~").strip()

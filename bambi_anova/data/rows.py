"""Formula + data frame -> coded rows: factors, groupings, covariates, response, offset.

Everything that can be wrong with a column is found here.  Letters: N rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bambi_anova.errors import DataError, FormulaError, listing, nearest
from bambi_anova.families.base import Family
from bambi_anova.families.response import ResponseValues, read_response
from bambi_anova.formula.parse import Formula, Term, is_call, quote, term_name
from bambi_anova.tables.columns import RESERVED

Array = np.ndarray

#: Parameters of Bambi's models, which covariates share a namespace with.
RESERVED_FOR_PARAMETERS = frozenset(
    "Intercept mu p omega sigma alpha nu kappa kappa_minus_2".split()
)
FUNCTIONS = {
    name: getattr(np, name) for name in ("log", "log2", "log10", "log1p", "exp", "sqrt", "abs")
}


@dataclass(frozen=True)
class Coded:
    """A categorical column: its levels in order, and each row's level.

    Attributes
    ----------
    name : str
    levels : tuple
        Levels as they stand in the data: the categories' order, or sorted.
    codes : ndarray of int, shape (N,)
    """

    name: str
    levels: tuple
    codes: Array

    @property
    def labels(self) -> tuple[str, ...]:
        """The levels as text."""
        return tuple(str(level) for level in self.levels)


@dataclass(frozen=True)
class Covariate:
    """A numeric predictor.

    Attributes
    ----------
    name : str
        Column or expression, as written.
    values : ndarray, shape (N,)
        Values before centring.
    mean, sd : float
        Over the N rows; effects are evaluated at the mean.
    centred : str
        formulae expression of the centred values, with the numbers written out, so that
        predictions for new rows use the same centre.
    """

    name: str
    values: Array
    mean: float
    sd: float
    centred: str


@dataclass(frozen=True)
class Rows:
    """The data as a design sees them: N rows without missing values.

    ``namespace`` holds the user's names for the formula's expressions.
    """

    data: pd.DataFrame
    response: ResponseValues
    factors: Mapping[str, Coded]
    groupings: Mapping[str, Coded]
    covariates: Mapping[str, Covariate]
    offset: Array | None
    namespace: Mapping = field(default_factory=dict)

    def codes(self, variables: Iterable[str]) -> tuple[Array, Array]:
        """Number the combinations of some categorical variables.

        Returns
        -------
        codes : ndarray of int, shape (N,)
        first : ndarray of int, shape (J,)
            The first row of each of the J combinations, which are in the variables' level order.
        """
        combined = np.zeros(len(self.data), dtype=np.int64)
        for name in variables:
            coded = self.groupings[name] if name in self.groupings else self.factors[name]
            combined = combined * len(coded.levels) + coded.codes
        _, first, codes = np.unique(combined, return_index=True, return_inverse=True)
        return codes, first


def read_rows(
    formula: Formula,
    data: pd.DataFrame,
    family: Family,
    categorical: Iterable[str] = (),
    dropna: bool = False,
    namespace: Mapping | None = None,
) -> Rows:
    """Code the columns that a formula names; the data frame itself is not changed.

    Parameters
    ----------
    formula : Formula
    data : pandas.DataFrame
    family : Family
    categorical : iterable of str
        Numeric columns to take as factors.
    dropna : bool
        Leave out rows with missing values; otherwise they are an error.
    namespace : mapping, optional
        Further names for the formula's expressions.

    Raises
    ------
    DataError, FormulaError
        If a column is missing, empty, constant, not finite or of the wrong kind.
    """
    if not isinstance(data, pd.DataFrame):
        raise DataError(f"data: expected a pandas DataFrame, got {type(data).__name__}")
    variables = _variables(formula)
    used = _used_columns(formula, variables, data)
    categorical = {categorical} if isinstance(categorical, str) else set(categorical)
    unknown = categorical - set(data.columns)
    if unknown:
        _unknown_column(sorted(unknown)[0], data)
    frame = _complete_rows(data, used, dropna)
    evaluate = _Evaluator(frame, {**FUNCTIONS, "np": np, **(namespace or {})})

    response = formula.response
    trials = evaluate(response.trials) if response.trials is not None else None
    values = read_response(
        family, response.text, evaluate(response.expression), trials, response.success
    )
    as_factor = categorical | formula.categorical
    factors: dict[str, Coded] = {}
    covariates: dict[str, Covariate] = {}
    for name in variables.common:
        column = evaluate(name)
        if name in as_factor or not _is_covariate(column):
            factors[name] = _coded(column, name, least=2)
        else:
            covariates[name] = _covariate(column, name, evaluate)
    for name in variables.slopes:
        column = evaluate(name)
        if name in as_factor or not _is_covariate(column):
            raise FormulaError(_factor_slope_advice(name, formula))
        covariates[name] = _covariate(column, name, evaluate)
    groupings = {
        name: factors[name] if name in factors else _coded(evaluate(name), name, least=2)
        for name in variables.units
    }
    offsets = [_finite(evaluate(text), text) for text in formula.offsets]
    offset = np.sum(offsets, axis=0) if offsets else None
    own_names = dict(namespace or {})
    return Rows(frame, values, factors, groupings, covariates, offset, own_names)


@dataclass(frozen=True)
class _Variables:
    """The variables of a formula by the part they play."""

    common: tuple[str, ...]
    units: tuple[str, ...]
    slopes: tuple[str, ...]


def _variables(formula: Formula) -> _Variables:
    def flat(terms: Iterable[Term]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for term in terms for name in term))

    slope_units = [unit for _, unit in formula.slopes]
    return _Variables(
        flat(formula.terms),
        flat([*formula.units, *slope_units]),
        tuple(dict.fromkeys(name for name, _ in formula.slopes)),
    )


def _used_columns(formula: Formula, variables: _Variables, data: pd.DataFrame) -> list[str]:
    """Return the columns that the formula reads, in the data's order; raise for unknown ones."""
    response = formula.response
    expressions = [
        response.expression,
        *([response.trials] if response.trials is not None else []),
        *variables.common,
        *variables.units,
        *variables.slopes,
        *formula.offsets,
    ]
    duplicated = data.columns[data.columns.duplicated()]
    used: set[str] = set()
    for text in expressions:
        if text in data.columns:
            used.add(text)
        elif re.fullmatch(r"[\w. ]*[^\W\d][\w. ]*", text):
            _unknown_column(text, data)
        else:
            used |= {name for name in data.columns if mentions(text, name)}
    for name in used & set(duplicated):
        raise DataError(f"data: there are several columns named {name!r}; rename them")
    return [name for name in data.columns if name in used]


def mentions(text: str, name: object) -> bool:
    """Whether an expression reads a column.

    Examples
    --------
    >>> mentions("log(dose + 1)", "dose"), mentions("log(dose + 1)", "os")
    (True, False)
    """
    if not isinstance(name, str):
        return False
    return re.search(rf"(?<![\w.]){re.escape(name)}(?![\w(])", text) is not None


def _unknown_column(name: str, data: pd.DataFrame) -> None:
    raise DataError(f"data: there is no column {name!r}{nearest(name, map(str, data.columns))}")


def _complete_rows(data: pd.DataFrame, used: list[str], dropna: bool) -> pd.DataFrame:
    missing = data[used].isna()
    incomplete = missing.any(axis=1).to_numpy()
    if incomplete.any() and not dropna:
        columns = [f"{name!r} ({count})" for name, count in missing.sum().items() if count]
        raise DataError(
            f"data: missing values in {int(incomplete.sum())} of {len(data)} rows, at index "
            f"{listing(data.index[incomplete], 8)}; by column: {listing(columns, 12)}. "
            "Pass dropna=True to leave these rows out"
        )
    if incomplete.all():
        raise DataError("data: no rows" + (" without missing values" if len(data) else ""))
    return data.loc[~incomplete]


@dataclass(frozen=True)
class _Evaluator:
    """Evaluate a formula's variable on the rows: a column, a number or an expression."""

    frame: pd.DataFrame
    namespace: Mapping

    def __call__(self, text: str) -> pd.Series:
        if text in self.frame.columns:
            return self.frame[text]
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return pd.Series(float(text), index=self.frame.index)
        import formulae

        # Outside a call formulae would read 'post - pre' as an algebra of terms: as 'post'.
        expression = text if is_call(text) else f"I({text})"
        try:
            design = formulae.design_matrices(
                f"0 + {expression}", self.frame, "error", extra_namespace=dict(self.namespace)
            )
            values = np.asarray(design.common)
        except Exception as error:  # whatever the user's expression raises
            words = re.findall(r"\w+", str(error)) or [text]
            known = nearest(words[-1], map(str, self.frame.columns))
            raise DataError(f"formula: {text!r} cannot be evaluated: {error}{known}") from error
        if values.ndim == 2 and values.shape[1] != 1:
            raise DataError(
                f"formula: {text!r} makes {values.shape[1]} columns; expected one numeric column. "
                "Add the columns to the data frame and name each of them"
            )
        return pd.Series(values.reshape(len(self.frame)), index=self.frame.index)


def _require_plain(name: str) -> None:
    """Refuse names that Bambi ("|") or the groups of a DataTree ("/") would take apart."""
    for char in "|/":
        if char in name:
            raise DataError(
                f"column {name!r}: a name cannot hold {char!r}; rename the column, or "
                "add the expression to the data frame under a plain name"
            )


def _is_covariate(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _coded(column: pd.Series, name: str, least: int) -> Coded:
    """Code a categorical column: categories in their order, other values sorted."""
    _require_plain(name)
    if name in RESERVED:
        raise DataError(
            f"column {name!r}: this name is kept for the tables and draws; rename the column"
        )
    if name in ("Intercept", "sigma"):
        raise DataError(f"column {name!r}: this name is a parameter's; rename the column")
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.cat.remove_unused_categories()
        codes, levels = column.cat.codes.to_numpy(), tuple(column.cat.categories)
    else:
        codes, found = pd.factorize(column, use_na_sentinel=False)
        try:
            order = np.argsort(np.asarray(found), kind="stable")
        except TypeError:
            order = np.argsort([str(level) for level in found], kind="stable")
        codes, levels = np.argsort(order)[codes], tuple(found[i] for i in order)
    levels = tuple(level.item() if isinstance(level, np.generic) else level for level in levels)
    if len(levels) < least:
        raise DataError(
            f"factor {name!r} has one level, {levels[0]!r}; expected {least} or more. "
            "Drop it from the formula, or check how the rows were selected"
        )
    if len({str(level) for level in levels}) < len(levels):
        raise DataError(f"factor {name!r}: two levels read the same as text; make them distinct")
    return Coded(name, levels, codes.astype(np.int64))


def _finite(column: pd.Series, name: str) -> Array:
    if not pd.api.types.is_numeric_dtype(column):
        raise DataError(f"column {name!r}: expected numbers, found {column.dtype}")
    values = column.to_numpy(dtype=float)
    bad = ~np.isfinite(values)
    if bad.any():
        raise DataError(
            f"column {name!r}: expected finite numbers; {int(bad.sum())} of {len(values)} rows "
            f"are not, at index {listing(column.index[bad], 5)}"
        )
    return values


def _covariate(column: pd.Series, name: str, evaluate: _Evaluator) -> Covariate:
    _require_plain(name)
    if name in RESERVED_FOR_PARAMETERS:
        raise DataError(f"column {name!r}: this name is a parameter's; rename the column")
    values = _finite(column, name)
    mean, sd = float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0
    if sd == 0:
        raise DataError(f"covariate {name!r} is constant ({mean:g}); drop it from the formula")
    return Covariate(name, values, mean, sd, _centred_expression(name, values, evaluate))


def _centred_expression(name: str, values: Array, evaluate: _Evaluator) -> str:
    """Write the centring out, so that Bambi can apply it to new rows.

    ``scale(x)`` and ``center(x)`` depend on the rows they see; their numbers are written out too.
    """
    stateful = re.fullmatch(r"(?:scale|standardize|center)\((.+)\)", name)
    if stateful is None or name in evaluate.frame.columns:
        if name not in evaluate.frame.columns and re.search(
            r"\b(scale|standardize|center)\(", name
        ):
            raise FormulaError(f"{name!r}: scale() and center() cannot stand inside another call")
        text = quote(name) if name in evaluate.frame.columns else name
        return f"I({text} {_minus(values.mean())})"
    inner = stateful[1]
    raw = _finite(evaluate(inner), inner)
    ratio = np.format_float_positional(raw.std() / values.std(), trim="0")
    return f"I((({inner}) {_minus(raw.mean())}) / {ratio})"


def _minus(number: float) -> str:
    """Write ``- number`` in digits that formulae can read (it knows no exponents)."""
    return f"{'-' if number >= 0 else '+'} {np.format_float_positional(abs(number), trim='0')}"


def _factor_slope_advice(name: str, formula: Formula) -> str:
    unit = next(unit for slope, unit in formula.slopes if slope == name)
    group = term_name(unit)
    return (
        f"({name}|{group}): {name!r} is a factor, and a factor's slopes are not a unit term here. "
        f"Write (1|{group}) + (1|{group}:{name}), or Error({group}/{name})"
    )

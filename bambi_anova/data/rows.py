"""Formula + data frame -> coded rows: factors, groupings, covariates, response, offset.

Everything that can be wrong with a column is found here.  Letters: N rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bambi_anova.data.frames import Source, Tally, open_frame
from bambi_anova.data.tally import tally
from bambi_anova.errors import DataError, FormulaError, listing, nearest
from bambi_anova.families.base import Family
from bambi_anova.families.registry import parameter_names
from bambi_anova.families.sufficient import renumber
from bambi_anova.families.values import LARGEST, ResponseValues, moments
from bambi_anova.formula.algebra import Term
from bambi_anova.formula.evaluation import Names
from bambi_anova.formula.expression import Expression
from bambi_anova.formula.functions import STATEFUL
from bambi_anova.formula.parse import Formula, term_name
from bambi_anova.tables.columns import RESERVED

if TYPE_CHECKING:
    from narwhals.typing import IntoFrame

Array = np.ndarray

#: What else has a name among the draws, where covariates and families' parameters have theirs.
RESERVED_FOR_DRAWS = frozenset({"Intercept", "chain", "draw"})
#: What may be the matter where the response and a factor are missing.
WIDE = (
    ". If the levels of a factor have columns of their own (wide data), see Model.from_design, or "
    "make them rows with data.melt"
)


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
    columns : tuple of str
        The columns that it reads.
    raw : Expression
        Its values; of ``scale(x)`` and ``center(x)``, which depend on the rows they see, ``x``.
    origin, unit : float
        Any row's centred value is ``(raw - origin) / unit``.
    """

    name: str
    values: Array
    mean: float
    sd: float
    columns: tuple[str, ...]
    raw: Expression
    origin: float
    unit: float = 1.0


@dataclass(frozen=True)
class Rows:
    """The data as a design sees them: N rows without missing values.

    Rows that an engine has tallied stand for several rows of the data each, and ``response.count``
    says how many.

    ``namespace`` holds the user's names for the formula's expressions; ``left_out`` counts the rows
    with missing values that the user had left out.
    """

    data: pd.DataFrame
    response: ResponseValues
    factors: Mapping[str, Coded]
    groupings: Mapping[str, Coded]
    covariates: Mapping[str, Covariate]
    offset: Array | None
    namespace: Mapping = field(default_factory=dict)
    left_out: int = 0

    @property
    def size(self) -> int:
        """The number of rows of the data: more than N if an engine has tallied them."""
        return round(float(self.response.counts.sum()))

    @property
    def coded(self) -> dict[str, Coded]:
        """All categorical columns: factors and those that units are made of."""
        return {**self.factors, **self.groupings}

    @property
    def tallied(self) -> bool:
        """Whether an engine has merged the rows of the data."""
        return self.response.count is not None

    def require_single(self, what: str) -> None:
        """Refuse what needs the rows of the data themselves.

        Raises
        ------
        DataError
            If an engine has tallied them.
        """
        if self.tallied:
            raise DataError(
                f"{what} needs the rows themselves, but the engine of the data has merged those "
                "that share every predictor; fit the table read into memory, such as "
                "table.collect() or table.df()"
            )

    def labels(self, names: Iterable[str], at: Array) -> pd.DataFrame:
        """Return the levels of some categorical columns in some rows."""
        coded = self.coded
        return pd.DataFrame(
            {name: [coded[name].levels[code] for code in coded[name].codes[at]] for name in names},
            index=range(len(at)),
        )

    def centred(self, name: str, frame: pd.DataFrame) -> Array:
        """Return a covariate's values on other rows, centred where these rows are.

        Raises
        ------
        DataError
            If they cannot be evaluated.
        """
        own = self.covariates[name]
        values = own.raw.evaluate(frame, self.namespace).to_numpy(dtype=float)
        return (values - own.origin) / own.unit

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
            coded = self.coded[name]
            combined = combined * len(coded.levels) + coded.codes
        return renumber(combined)


def read_rows(
    formula: Formula,
    data: IntoFrame | Source | Tally | str | os.PathLike,
    family: Family,
    categorical: Iterable[str] = (),
    dropna: bool = False,
    namespace: Mapping | None = None,
    collapse: bool = True,
) -> Rows:
    """Code the columns that a formula names; the data frame itself is not changed.

    Parameters
    ----------
    formula : Formula
    data : DataFrame
        Of pandas or another engine; see ``frames``.
    family : Family
    categorical : iterable of str
        Numeric columns to take as factors.
    dropna : bool
        Leave out rows with missing values; otherwise they are an error.
    namespace : mapping, optional
        Further names for the formula's expressions.
    collapse : bool
        Let a lazy table's engine merge rows; otherwise all of them are read.

    Raises
    ------
    DataError, FormulaError
        If a column is missing, empty, constant, not finite or of the wrong kind.
    """
    source = open_frame(data)
    namespace = dict(namespace or {})
    Names(namespace).require_free()
    used = _used_columns(formula, source.columns)
    _require_other_columns(formula, used)
    categorical = {categorical} if isinstance(categorical, str) else set(categorical)
    unknown = categorical - set(source.columns)
    if unknown:
        _unknown_column(sorted(unknown)[0], source.columns)
    tallied = source.tally
    if collapse and source.lazy is not None:
        tallied = tally(source.lazy, formula, used, family, dropna=dropna, namespace=namespace)
    if tallied is not None:
        frame, count, left_out = tallied.frame, tallied.count, tallied.left_out
    else:
        whole = source.take(used)
        frame, count = _complete_rows(whole, used, dropna), None
        left_out = len(whole) - len(frame)

    def values_of(expression: Expression) -> pd.Series:
        column = expression.evaluate(frame, namespace)
        _require_readable(column, expression.text)
        return column

    response, predictors = formula.response, formula.predictors.values()
    trials = None if response.trials is None else values_of(response.trials)
    outcome = values_of(response.outcome)
    read = family.read(response.text, outcome, trials, response.success)
    read = replace(read, count=count)
    columns = {name: values_of(expression) for name, expression in formula.variables.items()}
    as_factor = categorical | formula.categorical
    numeric = {
        name for name, own in columns.items() if name not in as_factor and _is_covariate(own)
    }
    factors: dict[str, Coded] = {}
    covariates: dict[str, Covariate] = {}

    def add_covariate(name: str) -> None:
        expression = formula.variables[name]
        covariates[name] = _covariate(columns[name], expression, frame, namespace, count)

    for name in _flat(term for own in predictors for term in own.terms):
        if name in numeric:
            add_covariate(name)
        else:
            if name not in as_factor:
                _require_kind(columns[name], name)
            factors[name] = coded_column(columns[name], name, least=2)
    bars = [bar for own in predictors for bar in own.bars]
    for bar in bars:
        for name in _flat(bar.slopes):
            if name in numeric:
                add_covariate(name)
            elif name not in factors:
                raise FormulaError(_no_term_advice(name, term_name(bar.unit)))
    units = [unit for own in predictors for unit in own.units]
    units += [bar.unit for bar in bars]
    groupings = {
        name: factors[name] if name in factors else coded_column(columns[name], name, least=2)
        for name in _flat(units)
    }
    for name, own in covariates.items():
        _require_other_factors(name, own.columns, [*factors, *groupings])
    offsets = [
        _finite(values_of(own), own.text) for predictor in predictors for own in predictor.offsets
    ]
    offset = np.sum(offsets, axis=0) if offsets else None
    return Rows(frame, read, factors, groupings, covariates, offset, namespace, left_out)


def _flat(terms: Iterable[Term]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for term in terms for name in term))


def _used_columns(formula: Formula, known: list) -> list[str]:
    """Return the columns that the formula reads, in the data's order; raise for unknown ones."""
    named = [own.text for own in formula.expressions if own.is_column]
    unknown = [name for name in named if name not in known]
    if unknown:
        wide = len(unknown) > 1 and not any(_like(own, known) for own in unknown)
        _unknown_column(unknown[0], known, WIDE if wide else "")
    used = formula.columns(known)
    for name in used:
        if known.count(name) > 1:
            raise DataError(f"data: there are several columns named {name!r}; rename them")
    return used


def _require_other_columns(formula: Formula, known: list[str]) -> None:
    """Refuse predictors that tell the response; ``post - pre ~ pre`` does not, nor do trials."""
    outcome = set(formula.response.outcome.columns(known))
    reading = [own for own in formula.predicting if outcome & set(own.columns(known))]
    if outcome and outcome <= {name for own in reading for name in own.columns(known)}:
        raise FormulaError(
            f"{formula.text!r}: {listing(repr(own.text) for own in reading)} would explain the "
            f"response {formula.response.text!r} by itself; leave out what reads "
            f"{listing(map(repr, sorted(outcome)))}"
        )


def _require_other_factors(name: str, columns: Iterable[str], coded: Sequence[str]) -> None:
    """Refuse a covariate whose column is a factor's or the units' too: Bambi sees one of them."""
    for column in columns:
        if column in coded:
            raise FormulaError(
                f"column {column!r}: the covariate {name!r} reads it as numbers, and the formula "
                "takes it for a factor or for units too; give these a column of their own, such as "
                f"data.assign({_new_name(column)}=data[{column!r}].astype(str))"
            )


def _new_name(column: str) -> str:
    return f"{column}_level" if column.isidentifier() else "level"


def _unknown_column(name: str, known: list, more: str = "") -> None:
    raise DataError(f"data: there is no column {name!r}{nearest(name, map(str, known))}{more}")


def _like(name: str, known: list) -> bool:
    """Whether a name is likely to be a slip for one of those that are there."""
    return "did you mean" in nearest(name, map(str, known))


def _require_readable(column: pd.Series, name: str) -> None:
    if isinstance(column.dtype, pd.SparseDtype):
        raise DataError(
            f"column {name!r}: sparse columns are not read; write data[{name!r}].sparse.to_dense()"
        )
    if getattr(column.dtype, "kind", "") == "c":
        raise DataError(
            f"column {name!r}: expected real numbers, found complex ones; take .real or abs()"
        )


def _require_kind(column: pd.Series, name: str) -> None:
    """Refuse numbers held as objects: levels or a straight line, nobody can tell."""
    if not pd.api.types.is_object_dtype(column):
        return
    kind = pd.api.types.infer_dtype(column)
    if kind in ("decimal", "integer", "floating", "mixed-integer-float"):
        raise DataError(
            f"column {name!r}: its numbers are held as objects ({kind}). For a covariate write "
            f"data[{name!r}].astype(float), for a factor categorical={name!r}"
        )


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


def _require_plain(name: str) -> None:
    """Refuse names that Bambi ("|"), the groups of a DataTree ("/") or a file would cut."""
    if name in (".", ".."):
        raise DataError(f"column {name!r}: a file cannot hold this name; rename the column")
    for char in "|/\0":
        if char in name:
            raise DataError(
                f"column {name!r}: a name cannot hold {char!r}; rename the column, or "
                "add the expression to the data frame under a plain name"
            )


def _is_covariate(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def coded_column(column: pd.Series, name: str, least: int) -> Coded:
    """Code a categorical column: categories in their order, other values sorted."""
    _require_plain(name)
    if name in RESERVED:
        raise DataError(
            f"column {name!r}: this name is kept for the tables and draws; rename the column"
        )
    if name in ("Intercept", "sigma"):
        raise DataError(f"column {name!r}: this name is a parameter's; rename the column")
    if column.isna().any():  # of an expression: columns have been asked before
        where = listing(column.index[column.isna()], 5)
        raise DataError(f"factor {name!r}: it has no value in some rows, at index {where}")
    categorical = isinstance(column.dtype, pd.CategoricalDtype)
    _require_levels(column.cat.categories if categorical else column, name)
    if categorical:
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
    for level in levels:
        if "\0" in str(level):
            raise DataError(f"factor {name!r}: level {level!r} holds the character NUL; rename it")
    if len({str(level) for level in levels}) < len(levels):
        raise DataError(f"factor {name!r}: two levels read the same as text; make them distinct")
    return Coded(name, levels, codes.astype(np.int64))


def _require_levels(values: pd.Series | pd.Index, name: str) -> None:
    """Refuse lists, dicts and arrays, which have no order and no name, and tuples, which nest."""
    if not pd.api.types.is_object_dtype(values):
        return
    kinds = set(map(type, values))
    odd = sorted(kind.__name__ for kind in kinds if kind is tuple or kind.__hash__ is None)
    if odd:
        raise DataError(
            f"column {name!r}: values of type {listing(odd)} cannot be levels; turn them into text"
        )


def _finite(column: pd.Series, name: str) -> Array:
    if not pd.api.types.is_numeric_dtype(column):
        raise DataError(f"column {name!r}: expected numbers, found {column.dtype}")
    values = column.to_numpy(dtype=float)
    bad = ~(np.abs(values) < LARGEST)
    if bad.any():
        raise DataError(
            f"column {name!r}: expected finite numbers below {LARGEST:g}; {int(bad.sum())} of "
            f"{len(values)} rows are not, at index {listing(column.index[bad], 5)}"
        )
    most = np.abs(values).max(initial=0.0)
    if 0 < most < 1 / LARGEST:
        raise DataError(
            f"column {name!r}: numbers of at most {most:.2g} vanish when they are squared; give "
            "them in smaller units"
        )
    return values


def _covariate(
    column: pd.Series,
    expression: Expression,
    frame: pd.DataFrame,
    namespace: Mapping[str, Any],
    count: Array | None,
) -> Covariate:
    name = expression.text
    _require_plain(name)
    if name in RESERVED_FOR_DRAWS | parameter_names():
        raise DataError(f"column {name!r}: this name is kept for the draws; rename the column")
    columns = expression.columns(frame.columns)
    if not columns:
        raise DataError(f"covariate {name!r} reads no column of the data; drop it from the formula")
    values = _finite(column, name)
    raw = expression if name in frame else expression.raw
    if count is not None and raw is not expression:
        inner = _finite(raw.evaluate(frame, namespace), raw.text)
        values = _standardised(expression.functions[0], inner, count)
    mean, sd = moments(values, count)
    if sd == 0:
        raise DataError(f"covariate {name!r} is constant ({mean:g}); drop it from the formula")
    if name not in frame and set(STATEFUL) & set(raw.functions):
        raise FormulaError(f"{name!r}: scale() and center() cannot stand inside another call")
    inner, origin, unit = values, mean, 1.0
    if raw is not expression:
        inner = _finite(raw.evaluate(frame, namespace), raw.text)
        origin, spread = moments(inner, count)
        unit = spread / sd
    if any(callable(own) for name in raw.functions for own in Names(namespace).find(name)):
        some = _finite(raw.evaluate(frame.iloc[::2], namespace), raw.text)
        if not np.allclose(some, inner[::2]):
            raise FormulaError(
                f"{raw.text!r} has other values where the function sees fewer rows, so that it "
                "would mean something else for new rows; compute the column in the data frame"
            )
    return Covariate(name, values, mean, sd, columns, raw, float(origin), float(unit))


def _standardised(function: str, inner: Array, count: Array) -> Array:
    """Return ``scale()`` or ``center()`` over the data's rows, not the tallied ones."""
    centred = inner - count @ inner / count.sum()
    sd = 1.0 if function == "center" else np.sqrt(count @ centred**2 / count.sum())
    return centred / sd


def _no_term_advice(name: str, unit: str) -> str:
    return (
        f"({name}|{unit}): {name!r} is a factor that is no term of the formula, so that it has no "
        f"cells. Add {name} to the terms, or write (1|{unit}:{name})"
    )

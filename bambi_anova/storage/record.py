"""A specification <-> what it was made from: columns of the data and the user's choices.

Nothing that was computed is kept.  A specification is made again as a model makes it, by the same
rules for formulas, priors and data, and must then be what it was.  The one exception are
expressions that call functions of ``extra_namespace``, which no file can hold: their values are
kept and stand for them until somebody hands over the functions again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from importlib.metadata import version
from typing import Any, get_type_hints

import numpy as np

from bambi_anova.data.frames import Tally
from bambi_anova.errors import StorageError
from bambi_anova.formula.parse import parse_formula
from bambi_anova.priors.assign import CORRELATION, Priors
from bambi_anova.priors.distributions import Prior
from bambi_anova.specification import Options, Specification, specify
from bambi_anova.storage.coded_columns import pack_columns, unpack_columns

Array = np.ndarray

#: Packages whose versions a file tells.
PACKAGES = ("bambi-anova", "bambi", "pymc", "arviz-stats", "numpy", "pandas")
#: The array of how many rows of the data each row stands for.
COUNT = "tally:count"
#: Values of ``extra_namespace`` that JSON can hold.
_PLAIN = (str, int, float, bool)


@dataclass(frozen=True)
class Record:
    """What a file says in JSON."""

    formula: str
    family: str
    links: dict  # of each linear predictor
    parameterization: str
    priors_on: str
    collapse: bool
    categorical: list
    columns: list  # what the numbers of the data's columns mean
    values: list  # columns that stand for expressions of the formula
    namespace: dict  # the user's names whose values can be kept
    functions: list  # those whose values cannot
    priors: dict  # the user's own, by parameter
    left_out: int  # rows with missing values that are not among the data
    outline: dict  # what the specification must be again
    sampling: dict
    log_evidence: dict | None
    versions: dict  # of the packages that made the fit; for people


def pack_specification(specification: Specification) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the fields of a record that say how a specification is made, and arrays.

    Raises
    ------
    StorageError
        If a prior is a function, or a column holds what cannot be written.
    """
    options, formula = specification.options, specification.formula
    rows = specification.design.rows
    used = {name for own in formula.expressions for name in own.words}
    namespace = {name: value for name, value in options.namespace.items() if name in used}
    functions = [name for name, value in namespace.items() if not isinstance(value, _PLAIN)]
    values = {
        own.text: own.evaluate(rows.data, rows.namespace)
        for own in formula.expressions
        if own.words & set(functions)
    }
    read = [name for name in formula.columns(rows.data.columns) if name not in values]
    arrays, columns = pack_columns(rows.data[read].assign(**values))
    if rows.response.count is not None:
        arrays[COUNT] = rows.response.count
    return {
        "formula": formula.text,
        "family": specification.family.name,
        "links": {name: own.link.name for name, own in specification.predictors.items()},
        "parameterization": options.parameterization,
        "priors_on": options.priors_on,
        "collapse": options.collapse,
        "categorical": [name for name in rows.factors if name in read],
        "columns": columns,
        "values": list(values),
        "namespace": {k: v for k, v in namespace.items() if k not in functions},
        "functions": functions,
        "priors": _pack_priors(specification.priors),
        "left_out": rows.left_out,
        "outline": _outline(specification),
        "versions": {name: version(name) for name in PACKAGES},
    }, arrays


def unpack_specification(
    record: Record, arrays: Mapping[str, Array], extra_namespace: Mapping[str, Any]
) -> Specification:
    """Return the specification that was packed.

    Raises
    ------
    AnovaError
        If it cannot be made, or is another one than it was.
    """
    link = next(iter(record.links.values()))  # further parameters have one choice
    missing = set(record.functions) - set(extra_namespace)
    known = {
        own.text for own in parse_formula(record.formula).expressions if not own.words & missing
    }
    namespace = {**record.namespace, **dict.fromkeys(missing), **extra_namespace}
    frame = unpack_columns(arrays, record.columns).drop(columns=known & set(record.values))
    found = specify(
        record.formula,
        Tally(frame, arrays[COUNT]) if COUNT in arrays else frame,
        record.family,
        {name: _unpack_prior(own) for name, own in record.priors.items()},
        link,
        record.categorical,
        options=Options(record.collapse, record.parameterization, record.priors_on, namespace),
        left_out=record.left_out,
    )
    for part, own in _outline(found).items():
        if own != record.outline.get(part):
            raise StorageError(
                f"the {part} of this model are not those that were saved; were the functions of "
                f"extra_namespace the same? It was made by {record.versions}"
            )
    return found


def _outline(specification: Specification) -> dict[str, Any]:
    """Return what tells whether a specification is the same, but for last digits."""
    rows, priors = specification.design.rows, specification.priors
    outcomes = (rows.response.values, rows.response.trials)
    return {
        "rows": rows.size,
        "outcomes": [f"{rows.response.counts @ own:.9g}" for own in outcomes if own is not None],
        "levels": {name: list(own.labels) for name, own in rows.factors.items()},
        "units": {unit.name: unit.size for unit in specification.design.units},
        "covariates": {n: f"{own.mean:.9g} {own.sd:.9g}" for n, own in rows.covariates.items()},
        "priors": [f"{name} ~ {prior}" for name, prior in priors.rows()],
    }


def _pack_priors(priors: Priors) -> dict[str, Any]:
    """Return the user's own priors by parameter; the others follow from the data."""
    every = {"Intercept": priors.intercept, **priors.auxiliary, **priors.covariates}
    found: dict[str, Any] = {}
    for name, prior in (every | dict(priors.sigmas)).items():
        if prior is None:
            continue
        if not isinstance(prior, Prior):
            found[name] = prior
        elif getattr(prior.given, "dist", None) is not None:
            raise StorageError(
                f"priors[{name!r}] is made by a function (dist=...), which cannot be saved; give "
                "it by the name of a PyMC distribution"
            )
        elif prior.given is not None:
            found[name] = {"name": prior.name, "args": dict(prior.args)}
    found |= {f"{CORRELATION}{n}": own.args["eta"] for n, own in priors.correlations.items()}
    nested = {name: _pack_priors(own) for name, own in priors.predictors.items()}
    return found | {name: {"priors": own} for name, own in nested.items() if own}


def _unpack_prior(packed: Any) -> Any:
    if not isinstance(packed, dict):
        return packed
    if "priors" in packed:  # of a further parameter's predictor
        return {name: _unpack_prior(own) for name, own in packed["priors"].items()}
    return Prior(**packed)


def typed[T](kind: type[T], packed: Any) -> T:
    """Build a dataclass of what JSON held, or say which of its fields is missing or odd.

    Examples
    --------
    >>> from bambi_anova.posterior.importance import LogEvidence
    >>> typed(LogEvidence, {"value": -12.5, "mcse": "small", "pareto_k": 0.1})
    Traceback (most recent call last):
    bambi_anova.errors.StorageError: LogEvidence: mcse='small' is no <class 'float'>
    """
    known = fields(kind)  # type: ignore[arg-type]
    wanted = [field.name for field in known]
    # Files of earlier versions lack fields that have come since: these have defaults.
    required = {one.name for one in known if one.default is MISSING}
    if not isinstance(packed, dict) or not required <= set(packed) <= set(wanted):
        raise StorageError(f"{kind.__name__}: expected fields {wanted}, found {packed!r:.200}")
    types = get_type_hints(kind)
    for name, value in packed.items():
        own = types[name]
        exact = isinstance(value, bool) == (own is bool)
        wide = isinstance(value, int) and isinstance(0.0, own)
        if not (exact and (wide or isinstance(value, own))):
            raise StorageError(f"{kind.__name__}: {name}={value!r:.60} is no {own}")
    return kind(**packed)

"""A specification <-> what it was made from: columns of the data and the user's choices.

Nothing that was computed is kept.  A specification is made again as a model makes it, by the same
rules for formulas, priors and data, and must then be what it was.  The one exception are
expressions that call functions of ``extra_namespace``, which no file can hold: their values are
kept and stand for them until somebody hands over the functions again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.metadata import version
from typing import Any, get_type_hints

import numpy as np
import pandas as pd

from bambi_anova.errors import StorageError
from bambi_anova.formula.parse import parse_formula
from bambi_anova.priors.assign import Priors
from bambi_anova.priors.distributions import Prior
from bambi_anova.specification import Options, Specification, specify
from bambi_anova.storage.columns import pack_columns, unpack_columns

Array = np.ndarray

#: Packages whose versions a file tells.
PACKAGES = ("bambi-anova", "bambi", "pymc", "arviz-stats", "numpy", "pandas")
#: Values of ``extra_namespace`` that JSON can hold.
_PLAIN = (str, int, float, bool)


@dataclass(frozen=True)
class Record:
    """What a file says in JSON.

    Attributes
    ----------
    formula, family, link, parameterization : str
    collapse : bool
    categorical : list of str
    priors : dict
        The user's own, by parameter.
    namespace : dict
        The user's names whose values can be kept.
    functions : list of str
        Those whose values cannot.
    coded : dict
        Values of columns that Arrow has no type for.
    outline : dict
        What the specification must be again.
    sampling : dict
    log_evidence : dict or None
    versions : dict
        Of the packages that made the fit; for people.
    """

    formula: str
    family: str
    link: str
    parameterization: str
    collapse: bool
    categorical: list
    priors: dict
    namespace: dict
    functions: list
    coded: dict
    outline: dict
    sampling: dict
    log_evidence: dict | None
    versions: dict


def pack_specification(specification: Specification) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the fields of a record that say how a specification is made, and arrays.

    Raises
    ------
    StorageError
        If a prior is a function, a column holds what cannot be written, or the specification
        would not come back as it is.
    """
    design, options = specification.design, specification.options
    rows = design.rows
    used = {name for own in design.formula.expressions for name in own.words}
    namespace = {name: value for name, value in options.namespace.items() if name in used}
    functions = [name for name, value in namespace.items() if not isinstance(value, _PLAIN)]
    values = pd.DataFrame(_values_of_calls(specification, functions))
    read = [name for name in design.formula.columns(rows.data.columns) if name not in values]
    data, coded = pack_columns(rows.data[read])
    fields_of_it = {
        "formula": design.formula.text,
        "family": specification.family.name,
        "link": specification.link.name,
        "parameterization": options.parameterization,
        "collapse": options.collapse,
        "categorical": [name for name in rows.factors if name in rows.data],
        "priors": _pack_priors(specification.priors),
        "namespace": {k: v for k, v in namespace.items() if k not in functions},
        "functions": functions,
        "coded": coded,
        "outline": _outline(specification),
        "versions": {name: version(name) for name in PACKAGES},
    }
    return fields_of_it, {"data": data, "values": pack_columns(values)[0]}


def unpack_specification(
    record: Record, arrays: Mapping[str, Array], extra_namespace: Mapping[str, Any]
) -> Specification:
    """Return the specification that was packed.

    Raises
    ------
    AnovaError
        If it cannot be made, or is another one than it was.
    """
    data = unpack_columns(arrays["data"], record.coded)
    missing = set(record.functions) - set(extra_namespace)
    namespace = {**record.namespace, **dict.fromkeys(missing), **extra_namespace}
    values = unpack_columns(arrays["values"], {})
    for expression in parse_formula(record.formula).expressions:
        if expression.words & missing:
            data[expression.text] = values[expression.text].to_numpy()
    found = specify(
        record.formula,
        data,
        record.family,
        {name: _unpack_prior(own) for name, own in record.priors.items()},
        record.link,
        record.categorical,
        options=Options(record.collapse, record.parameterization, namespace),
    )
    for part, own in _outline(found).items():
        if own != record.outline.get(part):
            raise StorageError(
                f"the {part} of this model are not those that were saved; were the functions of "
                f"extra_namespace the same? It was made by {record.versions}"
            )
    return found


def _values_of_calls(specification: Specification, functions: list[str]) -> dict[str, Array]:
    """Return the values of the expressions that read what no file can hold."""
    rows = specification.design.rows
    return {
        own.text: own.evaluate(rows.data, rows.namespace).to_numpy()
        for own in specification.formula.expressions
        if own.words & set(functions)
    }


def _outline(specification: Specification) -> dict[str, Any]:
    """Return what tells whether a specification is the same, but for last digits."""
    rows, priors = specification.design.rows, specification.priors
    outcomes = [
        values for values in (rows.response.values, rows.response.trials) if values is not None
    ]
    return {
        "rows": len(rows.data),
        "outcomes": [f"{values.sum():.9g}" for values in outcomes],
        "levels": {name: list(own.labels) for name, own in rows.factors.items()},
        "units": {unit.name: unit.size for unit in specification.design.units},
        "covariates": {n: f"{own.mean:.9g} {own.sd:.9g}" for n, own in rows.covariates.items()},
        "priors": [f"{name} ~ {prior}" for name, prior in priors.rows()],
    }


def _pack_priors(priors: Priors) -> dict[str, Any]:
    """Return the user's own priors by parameter; the others follow from the data."""
    every = {
        "Intercept": priors.intercept,
        **priors.auxiliary,
        **priors.covariates,
        **priors.sigmas,
    }
    found = {}
    for name, prior in every.items():
        given = getattr(prior, "given", prior)
        if getattr(given, "dist", None) is not None:
            raise StorageError(
                f"priors[{name!r}] is made by a function (dist=...), which cannot be saved; give "
                "it by the name of a PyMC distribution"
            )
        if given is not None:
            found[name] = _pack_prior(prior)
    return found


def _pack_prior(prior: Prior | float) -> Any:
    return {"name": prior.name, "args": dict(prior.args)} if isinstance(prior, Prior) else prior


def _unpack_prior(packed: Any) -> Any:
    return Prior(**packed) if isinstance(packed, dict) else packed


def typed[T](kind: type[T], packed: Any) -> T:
    """Build a dataclass of what JSON held, or say which of its fields is missing or odd.

    Examples
    --------
    >>> from bambi_anova.posterior.posterior import LogEvidence
    >>> typed(LogEvidence, {"value": -12.5, "mcse": "small", "pareto_k": 0.1})
    Traceback (most recent call last):
    bambi_anova.errors.StorageError: LogEvidence: mcse='small' is no <class 'float'>
    """
    wanted = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    if not isinstance(packed, Mapping) or set(packed) != set(wanted):
        found = sorted(packed) if isinstance(packed, Mapping) else packed
        raise StorageError(f"{kind.__name__}: expected fields {wanted}, found {found!r:.200}")
    types = get_type_hints(kind)
    for name, value in packed.items():
        own = types[name]
        exact = isinstance(value, bool) == (own is bool)
        wide = isinstance(value, int) and isinstance(0.0, own)
        if not (exact and (wide or isinstance(value, own))):
            raise StorageError(f"{kind.__name__}: {name}={value!r:.60} is no {own}")
    return kind(**packed)

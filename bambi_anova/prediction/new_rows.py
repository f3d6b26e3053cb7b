"""Predictions for new rows, in Bambi's vocabulary.

New rows are read as the data were: they are the fitted design with other rows, in which units that
the data do not hold are numbered after those that they do.

Letters: H chains, D draws, K = H D, T new rows, J units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bambi_anova.arguments import generator, one_of
from bambi_anova.data.frames import open_frame
from bambi_anova.data.rows import Coded
from bambi_anova.design.design import Design, Unit
from bambi_anova.errors import DataError, listing, nearest
from bambi_anova.families.sufficient import unmerged
from bambi_anova.families.values import ResponseValues
from bambi_anova.formula.expression import Expression
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.prediction.predictors import Noise, Predictor, UnitTerm, read_predictor
from bambi_anova.specification import Specification

if TYPE_CHECKING:
    import xarray as xr
    from narwhals.typing import IntoFrame

Array = np.ndarray

PARAMETERS, RESPONSE = KINDS = ("response_params", "response")


def predict(
    posterior: Posterior,
    data: IntoFrame | None = None,
    kind: str = PARAMETERS,
    *,
    include_group_specific: bool = True,
    sample_new_groups: bool = False,
    random_seed: int | None = None,
) -> xr.DataTree:
    """Predict new rows, by the arguments of ``bambi.Model.predict``.

    Parameters
    ----------
    posterior : Posterior
    data : DataFrame, optional
        T rows with the columns that the formula names, but for the response; by default the data
        of the fit.  Levels of factors must be known.
    kind : {"response_params", "response"}
        Draws of the parameter that the formula predicts, or of new responses as well; for
        responses of ``p(successes, trials)`` the column of trials is needed.
    include_group_specific : bool
        Whether units have effects; without, rows are about a unit whose effects are zero, and
        columns of units are not needed.
    sample_new_groups : bool
        Whether units may be new, or known ones in levels in which they were not seen.  Such
        effects are drawn from their population, N(0, sigma), in every draw anew, and are one
        unit's wherever it comes (brms: ``sample_new_levels = "gaussian"``).
    random_seed : int, optional

    Returns
    -------
    xarray.DataTree
        ``posterior`` with the predicted parameter, such as ``mu`` or ``p``, of shape (H, D, T) and
        on its own scale, and with ``kind="response"`` also ``posterior_predictive`` with the
        response.  Dimension ``__obs__`` carries the columns of factors, units and covariates.

    Raises
    ------
    DataError
        If a column is missing, or a level or a unit is not known.

    Examples
    --------
    >>> rows = pd.DataFrame({"condition": ["A"], "trial_type": ["x"]})
    >>> tree = result.predict(rows, include_group_specific=False)  # doctest: +SKIP
    >>> tree["posterior"]["p"].mean()  # doctest: +SKIP
    """
    one_of("kind", kind, KINDS)
    rng = generator(random_seed)
    model = posterior.specification
    rows = (
        NewRows.of_data(model)
        if data is None
        else _Reader(model, data).read(include_group_specific, kind == RESPONSE)
    )
    predictor = read_predictor(
        posterior.idata["posterior"].to_dataset(), model.with_designs(rows.designs)
    )

    noise = Noise(rng)

    def with_units(own: Predictor, before: str = "") -> Predictor:
        terms = own.units if include_group_specific else ()
        units = tuple(_with_new(t, rows, sample_new_groups, noise, before) for t in terms)
        return replace(own, units=units)

    further = {name: with_units(own, f"{name}/") for name, own in predictor.further.items()}
    predictor = replace(with_units(predictor), further=further)
    eta = predictor.at(np.arange(len(rows.offset))) + rows.offset
    with np.errstate(over="ignore"):  # as far as floating point reaches
        auxiliary = predictor.auxiliary_at(np.arange(len(rows.offset)))
        parameters = model.family.of_mean.at((model.link,), (eta,), auxiliary)
    found = {"posterior": {name: parameters[name] for name in model.predictors}}
    if kind == RESPONSE:
        nothing = ResponseValues(
            model.formula.response.text, np.zeros(len(rows.offset)), rows.trials
        )
        shape = unmerged(nothing, rows.offset)
        made = model.family.replicate(parameters, shape, rng)
        found["posterior_predictive"] = {model.formula.response.variable: made}
    return _tree(found, rows, predictor)


@dataclass(frozen=True)
class NewRows:
    """T rows that a fitted model is asked about.

    Attributes
    ----------
    designs : mapping of str to Design
        By predictor, the parent's first: the fitted design with these rows in the place of the
        data.
    offset : ndarray, shape (T,)
    trials : ndarray, shape (T,), or None
    unknown : mapping of str to sequence of str
        By unit term and varying slope: the units that the data do not hold, numbered from J up.
    """

    designs: Mapping[str, Design]
    offset: Array
    trials: Array | None
    unknown: Mapping[str, Sequence[str]]

    @property
    def design(self) -> Design:
        """The parent's design."""
        return next(iter(self.designs.values()))

    @classmethod
    def of_data(cls, model: Specification) -> NewRows:
        """Return the rows of the data themselves."""
        rows = model.design.rows
        rows.require_single("predicting the rows of the data")
        offset = np.zeros(len(rows.data)) if rows.offset is None else rows.offset
        designs = {name: one.design for name, one in model.predictors.items()}
        return cls(designs, offset, rows.response.trials, {})


class _Reader:
    """Reads rows of a frame as those of a fitted model were read."""

    def __init__(self, model: Specification, data: IntoFrame) -> None:
        source = open_frame(data)
        self.model, self.frame = model, source.take(source.columns).reset_index(drop=True)
        if self.frame.empty:
            raise DataError("data: no rows")

    def read(self, with_units: bool, with_trials: bool) -> NewRows:
        """Return the rows; without units these are of no meaning in them."""
        model, design = self.model, self.model.design
        factors = {name: self._coded(name, own) for name, own in design.rows.factors.items()}
        covariates = {
            name: replace(own, values=self._centred(name), mean=0.0)
            for name, own in design.rows.covariates.items()
        }
        groupings, numbered = dict(design.rows.groupings), {}
        if with_units:
            for name, own in groupings.items():
                groupings[name] = factors.get(name) or self._coded(name, own, known=False)
        designs = {name: one.design for name, one in model.predictors.items()}
        terms = {
            unit.name: unit
            for own in designs.values()
            for unit in [*own.units, *(slope.unit for slope in own.slopes)]
        }
        rows = replace(
            design.rows,
            data=self.frame,
            factors=factors,
            groupings=groupings,
            covariates=covariates,
        )
        for name, unit in terms.items():
            numbered[name] = _numbered(unit, design, rows.coded) if with_units else (unit, [])
        unknown = {name: labels for name, (_, labels) in numbered.items()}
        found = {}
        for name, fitted in designs.items():
            units = tuple(numbered[unit.name][0] for unit in fitted.units)
            slopes = tuple(replace(s, unit=numbered[s.unit.name][0]) for s in fitted.slopes)
            joints = tuple(replace(j, unit=numbered[j.unit.name][0]) for j in fitted.joints)
            found[name] = replace(fitted, rows=rows, units=units, slopes=slopes, joints=joints)
            unknown |= {slope.name: unknown[slope.unit.name] for slope in fitted.slopes}
        offsets = [self._numbers(own) for own in model.formula.parent.offsets]
        return NewRows(
            found,
            np.sum([np.zeros(len(self.frame)), *offsets], axis=0),
            self._trials(with_trials),
            unknown,
        )

    def _values(self, expression: Expression) -> pd.Series:
        known = self.model.design.rows.data.columns
        if expression.text not in self.frame:
            for name in expression.columns(known):
                if name not in self.frame:
                    hint = nearest(name, map(str, self.frame.columns))
                    if name in self.model.design.rows.groupings:
                        hint = "; units that the fit does not know get names of their own there"
                    raise DataError(
                        f"data: there is no column {name!r}, which the formula names{hint}"
                    )
        values = expression.evaluate(self.frame, self.model.options.namespace)
        if values.isna().any():
            where = listing(np.flatnonzero(values.isna()), 5)
            raise DataError(f"data: {expression.text!r} has no value in rows {where}")
        return values

    def _numbers(self, expression: Expression) -> Array:
        values = self._values(expression)
        if not pd.api.types.is_numeric_dtype(values) or not np.isfinite(values).all():
            raise DataError(f"data: {expression.text!r}: expected finite numbers")
        return values.to_numpy(dtype=float)

    def _centred(self, name: str) -> Array:
        own = self.model.design.rows.covariates[name]
        return (self._numbers(own.raw) - own.origin) / own.unit

    def _trials(self, needed: bool) -> Array | None:
        response = self.model.formula.response
        if self.model.design.rows.response.trials is None:
            return None
        if response.trials is None or not needed:
            return np.ones(len(self.frame))
        trials = self._numbers(response.trials)
        if not ((trials >= 0) & (trials == np.round(trials))).all():
            raise DataError(f"data: {response.trials.text!r}: expected whole numbers from 0 up")
        return trials

    def _coded(self, name: str, own: Coded, known: bool = True) -> Coded:
        """Find the levels of a column among those of the data, by value or by text."""
        values = self._values(self.model.formula.variables[name])
        places: dict[Any, int] = {label: place for place, label in enumerate(own.labels)}
        places |= {level: place for place, level in enumerate(own.levels)}
        levels, codes = list(own.levels), []
        for value in values.tolist():
            place = places.get(value, places.get(str(value)))
            if place is None:
                if known:
                    raise DataError(
                        f"data: factor {name!r} has a level that the fit knows nothing of, "
                        f"{value!r}{nearest(str(value), own.labels)}"
                    )
                place = places[value] = len(levels)
                levels.append(value)
            codes.append(place)
        return Coded(name, tuple(levels), np.array(codes, dtype=np.int64))


def _numbered(unit: Unit, fitted: Design, coded: Mapping[str, Coded]) -> tuple[Unit, list[str]]:
    """Number the units of new rows, and name those that the data do not hold."""
    old = np.transpose([fitted.rows.coded[name].codes[unit.first] for name in unit.variables])
    places = {tuple(key): place for place, key in enumerate(old.tolist())}
    new = np.transpose([coded[name].codes for name in unit.variables]).tolist()
    codes = np.array([places.setdefault(tuple(key), len(places)) for key in new])
    unknown = list(places)[unit.size :]
    labels = [coded[name].labels for name in unit.variables]
    names = [":".join(own[k] for own, k in zip(labels, key, strict=True)) for key in unknown]
    return replace(unit, codes=codes), names


def _with_new(term: UnitTerm, rows: NewRows, allowed: bool, noise: Noise, before: str) -> UnitTerm:
    """Return a unit term whose units that the data do not hold have effects drawn for them."""
    unknown = rows.unknown.get(term.name, ())
    if not unknown:
        return term
    if not allowed:
        raise DataError(
            f"data: the fit has seen no unit {listing(map(repr, unknown))} of {term.name!r}; pass "
            "sample_new_groups=True to draw new units, or include_group_specific=False"
        )
    drawn = term.made_of(noise, len(unknown), before)
    return replace(term, effects=np.concatenate([term.effects, drawn], axis=1))


def _tree(
    found: Mapping[str, Mapping[str, Array]], rows: NewRows, predictor: Predictor
) -> xr.DataTree:
    """Return arrays of shape (K, T) as groups of a tree, with what the rows are as coordinates."""
    import xarray as xr

    chains, draws = predictor.sample_shape
    taken = {"chain", "draw", *(name for group in found.values() for name in group)}
    own = rows.design.rows
    columns = own.factors if predictor.units == () else own.coded
    labels = own.labels(columns, np.arange(len(rows.offset)))
    for name in [name for covariate in own.covariates.values() for name in covariate.columns]:
        labels[name] = own.data[name].to_numpy()
    coords = {
        name: ("__obs__", labels[name].to_numpy()) for name in labels if name not in taken
    } | {"chain": np.arange(chains), "draw": np.arange(draws)}
    dims = ("chain", "draw", "__obs__")
    groups = {
        group: xr.Dataset(
            {name: (dims, values.reshape(chains, draws, -1)) for name, values in arrays.items()},
            coords,
        )
        for group, arrays in found.items()
    }
    return xr.DataTree.from_dict(groups)

"""Questions about a fitted model -> named quantities: means, deflections, contrasts, slopes.

Letters: H chains, D draws, C points of the reference grid, K quantities, M marginal means, J units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from bambi_anova.design.design import Design, Unit, nested
from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.estimates.contrast_families import Levels, Weights, as_text
from bambi_anova.estimates.contrast_weights import contrast_weights
from bambi_anova.estimates.covariates import centred_values, columns_of, require_covariate
from bambi_anova.estimates.effect_sizes import standardizer
from bambi_anova.estimates.effects import (
    Contrasts,
    Effects,
    Grid,
    Key,
    contrasts_of_means,
    deflection_effects,
    mean_effects,
)
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.reference_grid import ReferenceGrid, reference_grid, slope_ends
from bambi_anova.fitted import Fitted

Array = np.ndarray

COMPARE = ("difference", "ratio", "odds_ratio")
#: For each comparison that is no difference: the link on whose scale it is one, that link as a
#: function, and the values that it can take.
_RATIOS: dict[str, tuple[str, Callable[[Array], Array], tuple[float, float]]] = {
    "ratio": ("log", np.log, (0.0, np.inf)),
    "odds_ratio": ("logit", special.logit, (0.0, 1.0)),
}


def mean_quantities(
    fit: Fitted,
    term: str | None = None,
    population: str = "super",
    scale: str = "link",
    *,
    weights: str = "equal",
    at: Mapping[str, Any] | None = None,
    slope: str | None = None,
) -> Quantities:
    """Return the marginal means of a term, or its marginal slopes; see ``Result.means``."""
    points = _reference(fit, population, scale, at, slope)
    if slope is None:
        factors = points.grid.factors(term) if term is not None else list(points.grid.levels)
    else:
        factors = _slope_factors(fit.design, slope) if term is None else points.grid.factors(term)
    kept = [*_at_axes(points, fit.design, factors), *factors]
    effects = mean_effects(points.grid, kept, points.mean_counts(weights, kept))
    if slope is not None:
        effects.labels.insert(0, "slope", slope)
    return _linear(effects, points, population, scale)


def baseline_quantity(fit: Fitted, population: str = "super", scale: str = "link") -> Quantities:
    """Return the mean of all cells, the b0 of Kruschke's scripts."""
    points = _reference(fit, population, scale)
    effects = Effects(pd.DataFrame({"mean": ["all"]}), mean_effects(points.grid, []).weights)
    return _linear(effects, points, population, scale)


def _slope_factors(design: Design, slope: str) -> list[str]:
    """Return the factors that change a covariate's slope."""
    read = [c.name for c in design.rows.covariates.values() if _reads(c.name, slope, design)]
    names = {name for t in design.terms if t.covariate in read for name in t.factors}
    return [name for name in design.levels if name in names]


def _reads(covariate: str, column: str, design: Design) -> bool:
    known = design.rows.covariates[covariate]
    return column == covariate or column in columns_of(known, design.rows)


def deflection_quantities(
    fit: Fitted, term: str | None = None, population: str = "super", scale: str = "link"
) -> Quantities:
    """Return the deflections of one term or of all; see ``Result.deflections``."""
    points = _reference(fit, population, scale)
    grid = points.grid
    own = [t.factors for t in fit.design.terms if t.factors and not t.covariate]
    terms = own if term is None else [tuple(grid.factors(term))]
    if not terms:
        raise ArgumentError("deflections: this model has no factor terms")
    parts = [deflection_effects(grid, factors) for factors in terms]
    rows = [
        (":".join(part.labels.columns), as_text(levels))
        for part in parts
        for levels in part.labels.itertuples(index=False, name=None)
    ]
    labels = pd.DataFrame(rows, columns=["term", "level"])
    effects = Effects(labels, np.vstack([part.weights for part in parts]))
    return _linear(effects, points, population, scale)


def contrast_quantities(
    fit: Fitted,
    term: str,
    method: Any = "pairwise",
    by: str | Sequence[str] | None = None,
    population: str = "super",
    scale: str = "link",
    *,
    cells: bool = False,
    ref: Any = None,
    scores: Any = None,
    weights: str = "equal",
    at: Mapping[str, Any] | None = None,
    slope: str | None = None,
    compare: str = "difference",
    standardize: str | None = None,
) -> Quantities:
    """Return contrasts of a term's marginal means or slopes; see ``Result.contrasts``."""
    points = _reference(fit, population, scale, at, slope)
    grid = points.grid
    factors = grid.factors(term)
    by = _by(by, term, factors, grid)
    by = [*_at_axes(points, fit.design, [*by, *factors]), *by]
    sign = "-" if compare == "difference" else "/"
    methods = _methods(method, factors, cells, ref, scores, sign, grid, fit.design)
    counts = points.mean_counts(weights, [*by, *factors])
    contrasts = contrasts_of_means(grid, methods, by, counts)
    contrasts.labels.insert(0, "term", ":".join(factors))
    if slope is not None:
        contrasts.labels.insert(0, "slope", slope)
    if compare != "difference":
        if standardize is not None:
            raise ArgumentError("standardize: only differences have a standardised size")
        return _compared(contrasts, points, fit, population, scale, compare, slope)
    found = _linear(contrasts.effects, points, population, scale)
    return found if standardize is None else _standardized(found, fit, standardize)


def unit_slope_quantities(fit: Fitted, slope: str, unit: str | None = None) -> Quantities:
    """Return a covariate's slope in every unit; see ``Result.unit_slopes``."""
    design = fit.design
    require_covariate(slope, design.rows, "slope")
    varying = [s for s in design.slopes if _reads(s.covariate, slope, design)]
    names = list(dict.fromkeys(s.unit.name for s in varying))
    if not names:
        raise ArgumentError(
            f"slope={slope!r}: its slope does not vary by unit in this model; add ({slope}|unit) "
            "to the formula, or take result.slopes"
        )
    if unit is None and len(names) == 1:
        unit = names[0]
    if unit not in names:
        raise ArgumentError(f"unit={unit!r}: expected a unit whose slopes vary, one of {names}")
    chosen = next(s.unit for s in varying if s.unit.name == unit)
    points = _reference(fit, "super", "link", None, slope)
    held = np.zeros((chosen.size, len(points.counts)))
    held[chosen.codes, design.cell_codes] = 1
    held /= held.sum(axis=1, keepdims=True)
    found = _linear(Effects(_unit_labels(chosen, slope, design), held), points, "finite", "link")
    draws = found.draws
    for term in varying:
        if nested(chosen, term.unit):
            own = fit.draws.unit_slopes[term.name][..., term.unit.codes[chosen.first]]
            draws = draws + _steepness(term.covariate, slope, design) * own
    return replace(found, draws=draws)


def _unit_labels(unit: Unit, slope: str, design: Design) -> pd.DataFrame:
    rows = design.rows
    coded = {n: rows.groupings.get(n) or rows.factors[n] for n in unit.variables}
    labels = {n: [c.levels[code] for code in c.codes[unit.first]] for n, c in coded.items()}
    return pd.DataFrame({"slope": slope, **labels})


def _steepness(covariate: str, column: str, design: Design) -> float:
    """Return the derivative of a covariate by a column, at the column's mean."""
    ends = slope_ends({}, column, design)
    values = [centred_values(end, design.rows)[covariate] for end in ends]
    return (values[0] - values[1]) / (ends[0][column] - ends[1][column])


def _reference(
    fit: Fitted,
    population: str,
    scale: str,
    at: Mapping[str, Any] | None = None,
    slope: str | None = None,
) -> ReferenceGrid:
    fit._check(population, scale)
    return reference_grid(fit.draws, fit.design, fit.link, population, scale, at, slope)


def _at_axes(points: ReferenceGrid, design: Design, named: Sequence[str]) -> list[str]:
    """Return the axes of covariates' values that no argument names."""
    return [n for n in points.grid.levels if n not in design.levels and n not in named]


def parts_of(by: str | Sequence[str] | None) -> list[str]:
    """Return the terms that ``by`` names, as a list."""
    if by is None or isinstance(by, str):
        return [] if by is None else [by]
    if not isinstance(by, Sequence):
        raise ArgumentError(f"by={by!r}: expected a factor, or a list of factors")
    return list(by)


def _by(by: str | Sequence[str] | None, term: str, factors: list[str], grid: Grid) -> list[str]:
    names = [name for part in parts_of(by) for name in grid.factors(part)]
    for name in names:
        if name in factors:
            raise ArgumentError(f"by={name!r} is part of term={term!r}; name another factor")
    return list(dict.fromkeys(names))


def _linear(effects: Effects, points: ReferenceGrid, population: str, scale: str) -> Quantities:
    support = points.supported(effects.weights)
    return Quantities(effects.labels, effects.of(points.values), support, population, scale)


def _methods(
    method: Any,
    factors: list[str],
    cells: bool,
    ref: Any,
    scores: Any,
    sign: str,
    grid: Grid,
    design: Design,
) -> dict[Key, Weights]:
    """Return the contrasts of each factor of a term, or of its cells."""
    if cells and len(factors) > 1:
        values = tuple(grid.combinations(factors).itertuples(index=False, name=None))
        own: dict[Key, tuple[Any, Levels]] = {
            tuple(factors): (method, Levels(":".join(factors), values, False, ref, scores, sign))
        }
    else:
        chosen = _by_factor(method, factors)
        own = {
            name: (
                chosen[name],
                Levels(
                    name,
                    tuple(grid.levels[name]),
                    _is_ordered(name, design),
                    _of_factor(ref, name, factors),
                    _of_factor(scores, name, factors),
                    sign,
                ),
            )
            for name in factors
        }
    families = [m.replace(".", "_") for m, _ in own.values() if isinstance(m, str)]
    for argument, value, users in (
        ("ref", ref, ("trt_vs_ctrl", "trt_vs_ctrlk")),
        ("scores", scores, ("poly", "opoly")),
    ):
        if value is not None and not set(users) & set(families):
            raise ArgumentError(f"{argument} is for method {' or '.join(map(repr, users))} only")
    return {key: contrast_weights(given, levels) for key, (given, levels) in own.items()}


def _by_factor(method: Any, factors: list[str]) -> dict[str, Any]:
    """Tell which method each factor of a term has."""
    if isinstance(method, str):
        return dict.fromkeys(factors, method)
    named = isinstance(method, Mapping) and set(method) == set(factors)
    if named and (len(factors) > 1 or isinstance(method[factors[0]], str)):
        return dict(method)
    if len(factors) == 1:
        return {factors[0]: method}
    if isinstance(method, Mapping):
        strange = [str(name) for name in method if name not in factors]
        hint = f"; {strange[0]!r}{nearest(strange[0], factors)[1:]}" if strange else ""
    else:
        hint = ""
    raise ArgumentError(
        f"method={method!r}: expected a family's name, or a method for each of "
        f"{', '.join(map(repr, factors))} such as {{{factors[0]!r}: 'pairwise', ...}}{hint}; "
        "for contrasts among the cells pass cells=True"
    )


def _of_factor(value: Any, name: str, factors: list[str]) -> Any:
    """Return what an option says of a factor: its own entry, or what is said of all."""
    if isinstance(value, Mapping):
        unknown = [key for key in value if key not in factors]
        if unknown:
            raise ArgumentError(
                f"{unknown[0]!r} is not a factor of the term{nearest(str(unknown[0]), factors)}"
            )
        return value.get(name)
    return value


def _is_ordered(name: str, design: Design) -> bool:
    """Whether a factor is an ordered categorical, or an axis of numbers."""
    if name not in design.levels:
        return True
    data = design.rows.data
    dtype = data[name].dtype if name in data.columns else None
    return isinstance(dtype, pd.CategoricalDtype) and bool(dtype.ordered)


def _compared(
    contrasts: Contrasts,
    points: ReferenceGrid,
    fit: Fitted,
    population: str,
    scale: str,
    compare: str,
    slope: str | None,
) -> Quantities:
    """Return ratios: exponentials of contrasts on the scale where they are differences."""
    if compare not in _RATIOS:
        raise ArgumentError(f"compare={compare!r}: expected one of {COMPARE}")
    link, transform, (low, high) = _RATIOS[compare]
    support = points.supported(contrasts.outer @ contrasts.means)
    if scale == "link" and fit.link.name == link:
        draws = contrasts.effects.of(points.values)
    elif scale == "link" and fit.link.name != "identity":
        raise ArgumentError(
            f"compare={compare!r}: on the link scale of this model ({fit.link.name}) contrasts are "
            f"not logs of it; pass scale='response'"
            + (" or compare='odds_ratio'" if fit.link.name == "logit" else "")
            + (" or compare='ratio'" if fit.link.name == "log" else "")
        )
    elif slope is not None:
        raise ArgumentError(f"compare={compare!r}: slopes on the response scale have no ratios")
    else:
        means = points.values @ contrasts.means.T
        if not ((means > low) & (means < high)).all():
            raise ArgumentError(
                f"compare={compare!r}: means must lie between {low:g} and {high:g}; found "
                f"{means.min():.4g} to {means.max():.4g}. Compare by 'difference'"
            )
        draws = transform(means) @ contrasts.outer.T
        # A ratio needs each of its means, not only their difference.
        known = points.supported(contrasts.means)
        support = ~((np.abs(contrasts.outer) > 0) & ~known).any(axis=1)
    labels = contrasts.labels.assign(compare=compare)
    return Quantities(labels, np.exp(draws), support, population, scale, null=1.0)


def _standardized(found: Quantities, fit: Fitted, standardize: str) -> Quantities:
    if found.scale != "link" and fit.link.name != "identity":
        raise ArgumentError("standardize: expected scale='link', where the residual has an sd")
    sd, name = standardizer(
        fit.draws, fit.design, fit.family, fit.link, standardize, found.population
    )
    labels = found.labels.assign(standardized_by=name)
    return replace(found, labels=labels, draws=found.draws / sd[..., None])

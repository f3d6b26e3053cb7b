"""The Bayesian ANOVA table: how much each term, unit and the residual varies.

Two standard deviations describe a term (Gelman 2005, doi:10.1214/009053604000001048, section 3):
the *superpopulation* sigma of which its effects are draws, which for two or three levels stays
vague however much data there are, and the *finite-population* sd of the effects themselves,
sqrt(sum of squared deflections / df), which is what most people mean by the size of an effect.

Unit effects are taken about the means of their cells and of their coarser units, so that each
source of variation is counted once.

Letters: H chains, D draws, C cells, K levels of a term, J units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
import pandas as pd
from scipy import sparse

from bambi_anova.design.design import RESIDUAL, Design, Slope, Unit, nested
from bambi_anova.design.margins import slope_values
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.deflections import held_by_term
from bambi_anova.estimates.effect_sizes import residual_sd
from bambi_anova.estimates.effects import margin_weights
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.quantity_table import quantity_table
from bambi_anova.estimates.reference_grid import ReferenceGrid, reference_grid
from bambi_anova.posterior.parameter import of_parameter
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.summary import summarise
from bambi_anova.posterior.trust import Sampling, is_trusted
from bambi_anova.tables.interval import Interval

Array = np.ndarray

#: Of what shares are on the response scale.
OF_CELLS = "variance between cells"
#: Numbers that are held at once to take squares.
MOST_NUMBERS = 4_000_000


@dataclass(frozen=True)
class Source:
    """One row: its labels, the draws of its sigma and of its squared effects.

    ``squares`` is the sum of squared effects over ``count`` levels.  The residual has a sigma, and
    no sd of sampled effects beside it.
    """

    labels: dict[str, object]
    sigma: Array | None
    squares: Array
    count: int
    supported: bool = True

    @property
    def df(self) -> int:
        return int(str(self.labels["df"]))

    @property
    def finite_sd(self) -> Array:
        if self.labels["kind"] == "residual":
            return np.full(self.squares.shape, np.nan)
        return np.sqrt(self.squares / max(self.df, 1))

    @property
    def variance(self) -> Array:
        return self.squares / self.count


def anova(
    posterior: Posterior,
    population: str = "super",
    scale: str = "link",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    *,
    parameter: str | None = None,
) -> pd.DataFrame:
    """Return the Bayesian ANOVA table: a row a term, unit term and residual.

    Parameters
    ----------
    posterior : Posterior
    population, scale, ci_prob, ci_kind, parameter
        As for ``means``; they choose the cell means whose deflections are summarised.

    Returns
    -------
    pandas.DataFrame
        ``term``, ``kind`` ("fixed", "unit" or "residual"), ``stratum``, ``units`` (how many
        judge the term), ``df``; the finite-population sd of the term's deflections in
        ``mean``, ``sd`` and interval; the superpopulation sd in ``sigma``, ``sigma_sd`` and
        interval; and ``share``, the part of the finite-population variance that the term
        explains, with its interval: its mean squared effect as part of the sum over the table,
        in which the residual has the mean square of what the rows differ from their predictor.
        ``share_of`` says of what: of the variance of the data or, in families whose rows have no
        residual on the link scale, of that of their predictor.  On the response scale only
        factor terms have rows: unit effects and residuals have no sd of their own there.  A
        term without its margins holds them, as in R's aov.  See
        ``bambi_anova.estimates.anova``.

    Examples
    --------
    >>> result.anova()  # doctest: +SKIP
    """
    interval = Interval(ci_prob, ci_kind)
    posterior = of_parameter(posterior, parameter)
    points = reference_grid(posterior, population, scale)
    draws, design = posterior.draws, posterior.design
    sources = _fixed_sources(points, posterior)
    if scale == "link":
        units = [
            unit_source(unit, draws.units[unit.name], draws.sigmas[unit.name], design)
            for unit in design.units
        ]
        of_factors = sum(source.df for source in sources)
        of_slopes = sum(term.df for term in design.terms if term.covariate)
        taken = of_factors + of_slopes + sum(source.df for source in units)
        taken += sum(_slope_df(slope, design) for slope in design.slopes if not slope.cell)
        sources += units + _residual_source(posterior, taken)
    if not sources:
        raise ArgumentError(
            f"scale={scale!r}: this model has no factor terms, and nothing else has an sd there; "
            "use scale='link'"
        )
    return source_table(sources, points, _share_of(posterior, scale), posterior.sampling, interval)


def source_table(
    sources: list[Source],
    points: ReferenceGrid,
    share_of: str,
    sampling: Sampling,
    interval: Interval,
) -> pd.DataFrame:
    """Return a row a source of variation; see ``anova``."""
    finite = np.stack([source.finite_sd for source in sources], axis=-1)
    vague = np.full(finite.shape[:2], np.nan)
    sigma = np.stack([vague if s.sigma is None else s.sigma for s in sources], axis=-1)
    variance = np.stack([source.variance for source in sources], axis=-1)
    labels = pd.DataFrame([source.labels for source in sources])
    labels["share_of"] = share_of
    support = np.array([source.supported for source in sources])
    table = quantity_table(
        Quantities(
            labels, finite, support, points.population, points.scale, null=np.nan, of=points.of
        ),
        sampling,
        interval,
    )
    table["trusted"] |= _has_none(finite, sampling)
    with np.errstate(invalid="ignore"):  # where nothing varies there are no shares
        share = variance / variance.sum(axis=-1, keepdims=True)
    for name, values in (("sigma", sigma), ("share", share)):
        about = summarise(values, interval, sampling.weighting)
        table[name] = about["mean"]
        for part in ("sd", *interval.bounds):
            table[f"{name}_{part}"] = about[part]
        table["trusted"] &= is_trusted(about, sampling) | _has_none(values, sampling)
    return table


def _has_none(draws: Array, sampling: Sampling) -> Array:
    """Tell which rows have no value of a kind, and so none to distrust."""
    return np.isnan(draws).all(axis=(0, 1)) & (sampling.divergences == 0)


def _fixed_sources(points: ReferenceGrid, posterior: Posterior) -> list[Source]:
    design, sources = posterior.design, []
    held = held_by_term(posterior)
    for term in design.factor_terms:
        labels = source_labels(term.name, "fixed", " and ".join(term.strata), term.units, 0)
        sigma = posterior.draws.sigmas[term.name]
        sources.append(fixed_source(labels, sigma, term.factors, held[term.name], points))
    return sources


def fixed_source(
    labels: dict[str, object],
    sigma: Array | None,
    factors: Sequence[str],
    held: Sequence[Sequence[str]],
    points: ReferenceGrid,
) -> Source:
    """Return the row of a term: its labels, whose degrees of freedom are counted here."""
    sizes = {name: len(points.grid.levels[name]) for name in factors}
    # A term without its margins holds them: in A/W the effects of W lie in A:W.
    weights = np.sum([margin_weights(points.grid, own, factors) for own in held], axis=0)
    df = sum(prod(sizes[name] - 1 for name in own) for own in held)
    effects = points.values @ weights.T
    return Source(
        {**labels, "df": df},
        sigma,
        (effects**2).sum(axis=-1),
        effects.shape[-1],
        bool(points.supported(weights).all()),
    )


def unit_source(unit: Unit, effects: Array, sigma: Array, design: Design) -> Source:
    """Return the row of a unit term from its effects, shape (H, D, J)."""
    residual, freedom = within_batch(effects, unit, design)
    return Source(
        source_labels(unit.name, "unit", unit.name, unit.size, freedom),
        sigma,
        (residual**2).sum(axis=-1),
        unit.size,
    )


def _residual_source(posterior: Posterior, taken: int) -> list[Source]:
    """Return the residual's row; its degrees of freedom are what the others leave."""
    name = posterior.family.residual
    if not name or posterior.design.without_residual:
        return []
    size = posterior.design.rows.size
    freedom = max(size - 1 - taken, 0)
    labels = source_labels(RESIDUAL, "residual", RESIDUAL, size, freedom)
    return [Source(labels, residual_sd(posterior)[0], _residual_squares(posterior), size)]


def _residual_squares(posterior: Posterior) -> Array:
    """Return the sum of the N rows' squared distances from their predictor, shape (H, D)."""
    model, draws = posterior.specification, posterior.draws
    design, rows, data = model.design, model.collapsed, model.design.rows
    observed = posterior.link.forward(rows.values)
    cell = design.cell_codes[rows.first]
    centred = {name: (own.values - own.mean)[rows.first] for name, own in data.covariates.items()}
    squares = np.empty(draws.sample_shape)
    size = max(MOST_NUMBERS // len(rows.first), 1)
    for chain, start in product(range(squares.shape[0]), range(0, squares.shape[1], size)):
        some = (chain, slice(start, start + size))
        eta = draws.cells[some][:, cell] + rows.offsets
        for name, value in centred.items():
            eta += value * draws.slopes[name][some][:, cell]
        for unit in design.units:
            if not unit.by_cell:
                eta += draws.units[unit.name][some][:, unit.codes[rows.first]]
        for slope in design.slopes:
            own = draws.unit_slopes[slope.name][some][:, slope.unit.codes[rows.first]]
            eta += slope_values(slope, design)[rows.first] * own
        squares[some] = (rows.n * (observed - eta) ** 2 + rows.within).sum(axis=-1)
    return squares


def _slope_df(slope: Slope, design: Design) -> int:
    """Return the degrees of freedom of slopes beside those of the cells and of coarser units."""
    unit = slope.unit
    of_cells = [
        term.factors
        for term in design.terms
        if term.covariate == slope.covariate and set(term.factors) <= set(unit.constant)
    ]
    parts = [design.rows.codes(factors)[0][unit.first] for factors in of_cells]
    parts += [
        other.unit.codes[unit.first]
        for other in design.slopes
        if other is not slope and other.covariate == slope.covariate and nested(unit, other.unit)
    ]
    if not parts:
        return unit.size
    columns = [np.eye(int(codes.max()) + 1)[codes] for codes in parts]
    return unit.size - int(np.linalg.matrix_rank(np.hstack(columns)))


def _share_of(posterior: Posterior, scale: str) -> str:
    """Say of what the shares of variance are."""
    if scale != "link":
        return OF_CELLS
    if posterior.family.residual:
        own = "" if posterior.link.name == "identity" else f"{posterior.link.name} of "
        return of_rows(f"{own}{posterior.design.rows.response.name}")
    return of_predictor(posterior.design)


def of_rows(response: str) -> str:
    """Name the variance of a response."""
    return f"variance of {response} in these rows"


def of_predictor(design: Design) -> str:
    """Name the variance where rows have no residual."""
    units = " and units" if design.units else ""
    return f"variance of the linear predictor between cells{units}, chance apart"


def source_labels(term: str, kind: str, stratum: str, units: int, df: int) -> dict[str, object]:
    """Return the labels of a row."""
    return {"term": term, "kind": kind, "stratum": stratum, "units": units, "df": df}


def within_batch(effects: Array, unit: Unit, design: Design) -> tuple[Array, int]:
    """Take unit effects about the means of their cells and of their coarser units.

    Parameters
    ----------
    effects : ndarray, shape (..., J)
    unit : Unit
    design : Design

    Returns
    -------
    residual : ndarray, shape (..., J)
        The effects less their least-squares projection on those means (Gelman 2005, section 3.2).
    df : int
        Degrees of freedom that are left.
    """
    partitions = [other.codes[unit.first] for other in design.coarser(unit)]
    partitions.append(design.rows.codes(unit.constant)[0][unit.first])
    partitions = [np.unique(codes, return_inverse=True)[1] for codes in partitions]
    # The largest partition is swept out by its means; the others are few columns after that.
    partitions.sort(key=lambda codes: int(codes.max()), reverse=True)
    sweep = _sweep(partitions[0])
    residual = sweep(effects)
    rank = int(partitions[0].max()) + 1
    if len(partitions) > 1:
        columns = np.hstack([np.eye(int(codes.max()) + 1)[codes] for codes in partitions[1:]])
        left, values, _ = np.linalg.svd(sweep(columns.T).T, full_matrices=False)
        left = left[:, values > 1e-8 * max(float(values.max()), 1.0)]
        residual = residual - (residual @ left) @ left.T
        rank += left.shape[1]
    return residual, unit.size - rank


def _sweep(codes: Array):
    """Return a function that subtracts group means along the last axis."""
    size = len(codes)
    indicator = sparse.csr_array((np.ones(size), (np.arange(size), codes)))
    counts = np.bincount(codes)

    def sweep(values: Array) -> Array:
        flat = values.reshape(-1, size)
        means = (indicator.T @ flat.T).T / counts
        return (flat - means[:, codes]).reshape(values.shape)

    return sweep

"""How much of the variance is explained: eta squared of every term, and R squared.

Each names its denominator, and is taken draw by draw on the link scale, for new units.

- *Generalised* eta squared: the mean square of a term's deflections (of those of margins that it
  holds as well, such as W in A/W) over that and the variance of everything that is not
  manipulated, all unit terms and the residual (Olejnik & Algina 2003,
  doi:10.1037/1082-989X.8.4.434).
- *Partial* eta squared: over that and what varies within the coarser units of its stratum: the
  unit term that judges the term, the finer ones and the residual.
- *R squared*, marginal and conditional: the variance of the fixed part over the rows of the data,
  without or with that of the units, over all of it (Nakagawa & Schielzeth 2013,
  doi:10.1111/j.2041-210x.2012.00261.x; with slopes that vary Johnson 2014,
  doi:10.1111/2041-210X.12225).

Classical values are ratios of sums of squares, and larger: these are about populations, as omega
squared is.  The residual of a model of yes or no is that of the latent variable.

Letters: H chains, D draws, C cells, N rows.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bambi_anova.design.design import RESIDUAL, FixedTerm
from bambi_anova.estimates.deflections import held_by_term
from bambi_anova.estimates.effect_sizes import residual_sd
from bambi_anova.estimates.effects import Grid, margin_weights
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.quantity_table import quantity_table
from bambi_anova.estimates.reference_grid import reference_grid
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.tables.interval import Interval

Array = np.ndarray

#: Numbers that one piece of the rows' predictors holds.
PIECE = 5_000_000


def explained(posterior: Posterior, ci_prob: float = 0.95, ci_kind: str = "hdi") -> pd.DataFrame:
    """Return eta squared of every factor term, generalised and partial, and R squared.

    Parameters
    ----------
    posterior : Posterior
    ci_prob : float
    ci_kind : {"hdi", "eti"}

    Returns
    -------
    pandas.DataFrame
        ``term`` ("all" for R squared), ``effect_size``, ``denominator`` (what its variances are
        of), and the columns of every table of quantities.

    Raises
    ------
    ArgumentError
        If the family has no residual sd on its link scale.

    Examples
    --------
    >>> result.explained()  # doctest: +SKIP
    """
    draws, design = posterior.draws, posterior.design
    residual, name = residual_sd(posterior)
    error = residual**2
    units = {unit.name: draws.sigmas[unit.name] ** 2 for unit in design.units}
    for slope in design.slopes:
        if slope.covariate is None:  # the unit terms hold what varies by cell
            continue
        x = design.rows.covariates[slope.covariate]
        spread = float(np.average((x.values - x.mean) ** 2, weights=design.rows.response.counts))
        units[slope.name] = draws.sigmas[slope.name] ** 2 * spread
    points, grid = reference_grid(posterior), Grid(design.levels)
    labels, values, supported = [], [], []
    held = held_by_term(posterior)
    for term in design.factor_terms:
        margins = [margin_weights(grid, margin, term.factors) for margin in held[term.name]]
        weights = np.sum(margins, axis=0)
        square = ((points.values @ weights.T) ** 2).mean(axis=-1)
        good = bool(points.supported(weights).all())
        judging = _within_stratum(posterior, term)
        for size, own in (
            ("generalised eta squared", list(units)),
            ("partial eta squared", judging),
        ):
            rest = error + sum(units[one] for one in own)
            labels.append((term.name, size, " + ".join([term.name, *own, name])))
            values.append(square / (square + rest))
            supported.append(good)
    fixed, between = _fixed_variance(posterior), sum(units.values())
    total = fixed + between + error
    whole = " + ".join(["fixed", *units, name])
    for size, part in (("marginal R squared", fixed), ("conditional R squared", fixed + between)):
        labels.append(("all", size, whole))
        values.append(part / total)
        supported.append(True)
    about = pd.DataFrame(labels, columns=["term", "effect_size", "denominator"])
    found = Quantities(
        about, np.stack(values, axis=-1), np.array(supported), "super", "link", null=np.nan
    )
    return quantity_table(found, posterior.sampling, Interval(ci_prob, ci_kind))


def _within_stratum(posterior: Posterior, term: FixedTerm) -> list[str]:
    """Return the unit terms that judge a term, and the finer ones."""
    design = posterior.design
    if term.strata == (RESIDUAL,):
        return []
    judges = [design.unit(name) for name in term.strata]
    return [
        unit.name
        for unit in design.units
        if unit in judges or any(one in design.coarser(unit) for one in judges)
    ]


def _fixed_variance(posterior: Posterior) -> Array:
    """Return the variance of the fixed part over the rows of the data, shape (H, D)."""
    draws, design = posterior.draws, posterior.design
    weights, codes = design.rows.response.counts, design.cell_codes
    if not design.rows.covariates:
        share = np.bincount(codes, weights, draws.cells.shape[-1]) / weights.sum()
        centred = draws.cells - (draws.cells @ share)[..., None]
        return centred**2 @ share
    share = weights / weights.sum()
    cells = draws.cells.reshape(-1, draws.cells.shape[-1])
    step = max(1, PIECE // len(codes))
    found = []
    for start in range(0, len(cells), step):
        piece = slice(start, start + step)
        eta = cells[piece][:, codes]
        for name, covariate in design.rows.covariates.items():
            slopes = draws.slopes[name].reshape(cells.shape)[piece]
            eta = eta + slopes[:, codes] * (covariate.values - covariate.mean)
        eta = eta - (eta @ share)[:, None]
        found.append(eta**2 @ share)
    return np.concatenate(found).reshape(draws.sample_shape)

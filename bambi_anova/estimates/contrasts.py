"""Contrasts of a term's marginal means, or of its slopes.

Letters: C points of the reference grid, K contrasts, M marginal means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bambi_anova.design.design import Design
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.contrast_weights import Method, term_weights
from bambi_anova.estimates.effect_sizes import standardized
from bambi_anova.estimates.effects import Contrasts, contrasts_of_means
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.quantity_table import Rope, quantity_table
from bambi_anova.estimates.ratios import DIFFERENCE, logs_of, ratios
from bambi_anova.estimates.reference_grid import ReferenceGrid, reference_grid
from bambi_anova.posterior.parameter import of_parameter
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.tables.interval import Interval


def contrasts(
    posterior: Posterior,
    term: str,
    method: Any = "pairwise",
    by: str | Sequence[str] | None = None,
    population: str = "super",
    scale: str = "link",
    *,
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    cells: bool = False,
    ref: Any = None,
    scores: Any = None,
    weights: str = "equal",
    at: Mapping[str, Any] | None = None,
    slope: str | None = None,
    compare: str = "difference",
    standardize: str | None = None,
    rope: Rope | None = None,
    comp_val: float | None = None,
    parameter: str | None = None,
) -> pd.DataFrame:
    """Return contrasts of a term's marginal means, never of raw coefficients.

    No contrast is adjusted for there being many: the hierarchical prior on the effects
    shrinks them towards each other instead, the more the less they differ (Gelman, Hill and
    Yajima 2012, doi:10.1080/19345747.2011.618213).

    Parameters
    ----------
    posterior : Posterior
    term : str
        One factor, or several joined by colons for interaction contrasts: products of one
        contrast of each factor.
    method : str, sequence of str, mapping or array
        - A family of emmeans: "pairwise" (first - second), "revpairwise", "eff" (less the
          grand mean), "del_eff" (less the mean of the others), "trt_vs_ctrl", "consec",
          "mean_chg" (mean after less mean before), "poly", "opoly", "helmert" (less
          the earlier), "revhelmert" (less the later); weights as there.
        - Contrasts written out: ``"a - b"``, ``"(a + b)/2 - c"``, or several in a list; levels
          that are no plain names as the tables print them, or in backticks.  Of several factors
          such a text is about their cells: ``"(a:x - a:y) - (b:x - b:y)"``.
        - ``{name: text}`` or ``{name: {level: weight}}``; levels left out weigh zero, weights sum
          to zero.
        - ``{name: (levels, levels)}``: mean of the left less mean of the right.
        - Weights in rows, one row a contrast.
        - For several factors, a mapping from each of them to any of these.
    by : str or sequence of str, optional
        Further factors: the contrasts are taken at each of their levels (simple effects).
    population, scale, ci_prob, ci_kind, weights, at
        As for ``means``.
    cells : bool
        Compare the cells of a term of several factors with each other, named ``"A:x"``,
        instead of taking products of contrasts.
    ref : level, sequence of levels or mapping by factor, optional
        The control of "trt_vs_ctrl"; the first level by default.
    scores : sequence of float, "levels" or mapping by factor, optional
        Where the levels lie, for "poly": the contrasts then have unit length, as those of
        "opoly".  By default levels are equally spaced whatever their numbers, and weights
        are the smallest whole numbers, as in emmeans.
    slope : str, optional
        A covariate's column: contrasts are of its slopes, not of means (emtrends).
    compare : {"difference", "ratio", "odds_ratio"}
        On the response scale differences, ratios or odds ratios of the means there.  On the
        link scale a ratio of odds (logit) or of rates (log) is the exponential of the
        contrast, which is what emmeans gives for ``type = "response"``; so it is, of medians,
        where the response is a log or a logit of what was measured.
    standardize : {"residual", "within", "total"}, optional
        Divide by the residual sd, by the sd within the coarsest units, or by that of all that
        the contrast generalises over: units and residual for new units.  Column
        ``standardized_by`` says what it was; see ``bambi_anova.estimates.effect_sizes``.
    rope : sequence of two floats, optional
        Adds ``below_rope``, ``in_rope``, ``above_rope`` and their Monte Carlo error.
    comp_val : float, optional
        Adds ``above_comp_val`` and its Monte Carlo error.
    parameter : str, optional
        As for ``means``; ratios of sds are ``parameter="sigma", compare="ratio"``.

    Returns
    -------
    pandas.DataFrame
        Columns ``term``, the ``by`` factors and ``contrast`` in front.

    Raises
    ------
    ArgumentError
        If a factor, level, weight, method or option is not usable.

    Warns
    -----
    SpacingWarning
        If "poly" takes numbers that are not equally spaced as if they were.

    Examples
    --------
    >>> result.contrasts("trial_type")  # doctest: +SKIP
    >>> result.contrasts("nitrogen", "poly", by="variety", rope=(-5, 5))  # doctest: +SKIP
    >>> result.contrasts("nitrogen", "(0.4 + 0.6)/2 - (0.0 + 0.2)/2")  # doctest: +SKIP
    >>> result.contrasts("trial_type", compare="odds_ratio")  # doctest: +SKIP
    """
    interval = Interval(ci_prob, ci_kind)
    posterior = of_parameter(posterior, parameter)
    found = contrast_quantities(
        posterior,
        term,
        method,
        by,
        population,
        scale,
        cells=cells,
        ref=ref,
        scores=scores,
        weights=weights,
        at=at,
        slope=slope,
        compare=compare,
        standardize=standardize,
    )
    return quantity_table(found, posterior.sampling, interval, rope, comp_val)


def contrast_quantities(
    posterior: Posterior,
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
    compare: str = DIFFERENCE,
    standardize: str | None = None,
    parameter: str | None = None,
) -> Quantities:
    """Return contrasts of a term's marginal means or slopes, with their draws."""
    posterior = of_parameter(posterior, parameter)
    points = reference_grid(posterior, population, scale, at, slope)
    given = Method(method, ref, scores, cells, "-" if compare == DIFFERENCE else "/")
    contrasts = contrasts_on(points, posterior.design, term, given, by, weights, slope)
    if compare != DIFFERENCE:
        if standardize is not None:
            raise ArgumentError("standardize: only differences have a standardised size")
        logs = logs_of(points, posterior.specification, compare)
        return ratios(contrasts, points, logs, compare, slope is not None)
    found = points.quantities(contrasts.effects)
    return found if standardize is None else standardized(found, posterior, standardize)


def contrasts_on(
    points: ReferenceGrid,
    design: Design,
    term: str,
    method: Method,
    by: str | Sequence[str] | None,
    weights: str,
    slope: str | None,
) -> Contrasts:
    """Return contrasts of a term as weights on the points of a reference grid.

    Raises
    ------
    ArgumentError
        If a factor, level, weight or method is not usable.
    """
    factors = points.grid.factors(term)
    by = points.grid.factors_of(by)
    for name in by:
        if name in factors:
            raise ArgumentError(f"by={name!r} is part of term={term!r}; name another factor")
    by = [*points.axes_beside([*by, *factors]), *by]
    chosen = term_weights(method, factors, points.grid, design)
    counts = points.mean_counts(weights, [*by, *factors])
    contrasts = contrasts_of_means(points.grid, chosen, by, counts)
    contrasts.labels.insert(0, "term", ":".join(factors))
    if slope is not None:
        contrasts.labels.insert(0, "slope", slope)
    return contrasts

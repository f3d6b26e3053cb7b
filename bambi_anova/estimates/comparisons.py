"""The tables of a result that compare: contrasts, slopes, joint statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.joint_statements import orders_table, probability_table
from bambi_anova.estimates.judged import Rope, quantity_table
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.questions import (
    contrast_quantities,
    mean_quantities,
    parts_of,
    unit_slope_quantities,
)
from bambi_anova.fitted import Fitted


class ContrastTables(Fitted):
    """Tables that compare; ``Result`` adds means, deflections and the ANOVA table."""

    def contrasts(
        self,
        term: str,
        method: Any = "pairwise",
        by: str | Sequence[str] | None = None,
        population: str = "super",
        scale: str = "link",
        ci_prob: float = 0.95,
        ci_kind: str = "hdi",
        *,
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
    ) -> pd.DataFrame:
        """Return contrasts of a term's marginal means, never of raw coefficients.

        No contrast is adjusted for there being many: the hierarchical prior on the effects
        shrinks them towards each other instead, the more the less they differ (Gelman, Hill and
        Yajima 2012, doi:10.1080/19345747.2011.618213).

        Parameters
        ----------
        term : str
            One factor, or several joined by colons for interaction contrasts: products of one
            contrast of each factor.
        method : str, mapping or array
            - A family of emmeans: "pairwise" (first - second), "revpairwise", "eff" (less the
              grand mean), "del_eff" (less the mean of the others), "trt_vs_ctrl", "consec",
              "mean_chg" (mean after less mean before), "poly", "opoly", "helmert" (less
              the earlier), "revhelmert" (less the later); weights as there.
            - ``{name: {level: weight}}``; levels left out weigh zero, weights sum to zero.
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
            contrast, which is what emmeans gives for ``type = "response"``.
        standardize : {"residual", "total"}, optional
            Divide by the residual sd, or by the sd of all that the contrast generalises over:
            units and residual for new units.  Column ``standardized_by`` says what it was; see
            ``bambi_anova.estimates.effect_sizes``.
        rope : sequence of two floats, optional
            Adds ``below_rope``, ``in_rope``, ``above_rope`` and their Monte Carlo error.
        comp_val : float, optional
            Adds ``above_comp_val`` and its Monte Carlo error.

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
        >>> result.contrasts("trial_type", compare="odds_ratio")  # doctest: +SKIP
        """
        found = contrast_quantities(
            self,
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
        return self._table(found, ci_prob, ci_kind, rope, comp_val)

    def slopes(
        self,
        slope: str,
        term: str | None = None,
        population: str = "super",
        scale: str = "link",
        ci_prob: float = 0.95,
        ci_kind: str = "hdi",
        *,
        weights: str = "equal",
        at: Mapping[str, Any] | None = None,
        rope: Rope | None = None,
        comp_val: float | None = None,
    ) -> pd.DataFrame:
        """Return how much the mean changes for one more unit of a covariate, level by level.

        Contrasts between these slopes are ``contrasts(term, slope=...)``.

        Parameters
        ----------
        slope : str
            A column, such as ``"age"`` also where the formula says ``scale(age)``: slopes are for
            one unit of that column.  Where the formula bends the column, as ``log(age)`` does, the
            slope is that at the column's mean, or at its value in ``at``; that of the expression
            itself has its name, ``"log(age)"``.
        term : str, optional
            Factors joined by colons; by default those that change the slope.
        population, scale, ci_prob, ci_kind, weights, at, rope, comp_val
            As for ``means``.

        Returns
        -------
        pandas.DataFrame
            Columns ``slope`` (the column) and the factors in front.

        Raises
        ------
        ArgumentError
            If the column is no covariate's.

        Examples
        --------
        >>> result.slopes("age", "condition")  # doctest: +SKIP
        >>> result.contrasts("condition", slope="age")  # doctest: +SKIP
        """
        found = mean_quantities(self, term, population, scale, weights=weights, at=at, slope=slope)
        return self._table(found, ci_prob, ci_kind, rope, comp_val)

    def unit_slopes(
        self,
        slope: str,
        unit: str | None = None,
        ci_prob: float = 0.95,
        ci_kind: str = "hdi",
        *,
        rope: Rope | None = None,
        comp_val: float | None = None,
    ) -> pd.DataFrame:
        """Return a covariate's slope in each unit, where slopes vary by unit.

        Parameters
        ----------
        slope : str
            As for ``slopes``.
        unit : str, optional
            The unit term; needed if slopes vary by several.
        ci_prob, ci_kind, rope, comp_val
            As for ``means``.

        Returns
        -------
        pandas.DataFrame
            A row a unit of this study (population "finite", link scale): its own slope, averaged
            over the cells that it was observed in.

        Examples
        --------
        >>> result.unit_slopes("dose")  # doctest: +SKIP
        """
        found = unit_slope_quantities(self, slope, unit)
        return self._table(found, ci_prob, ci_kind, rope, comp_val)

    def probability(
        self,
        statement: str,
        term: str | None = None,
        by: str | Sequence[str] | None = None,
        population: str = "super",
        scale: str = "link",
        *,
        weights: str = "equal",
        at: Mapping[str, Any] | None = None,
        slope: str | None = None,
    ) -> pd.DataFrame:
        """Return the probability of a statement about a term's means, all parts at once.

        Parameters
        ----------
        statement : str
            Comparisons of levels, joined by ``and``, ``or``, ``not``, with arithmetic:
            ``"a > b and b > c"``, ``"a > b > c"``, ``"(a + b) / 2 > c + 1"``.  Levels that are no
            plain names stand in backticks or quotes, those of several factors as in
            ``"`A:x` > `B:x`"``.  Functions: ``abs``, ``min`` and ``max``.
        term, population, scale, weights, at
            As for ``means``.
        by : str or sequence of str, optional
            Take the statement at each level of these factors.
        slope : str, optional
            Let the statement be about a covariate's slopes.

        Returns
        -------
        pandas.DataFrame
            ``by`` factors, ``statement``, ``population``, ``scale``, ``probability``, its Monte
            Carlo error ``mcse``, ``supported`` (all means of the term are) and ``trusted``.

        Raises
        ------
        ArgumentError
            If the statement cannot be read or names no level.

        Examples
        --------
        >>> result.probability("x > y", "trial_type", by="condition")  # doctest: +SKIP
        >>> result.probability("`0.6` - `0.4` < 5", "nitrogen")  # doctest: +SKIP
        """
        means, names = self._joint(term, by, population, scale, weights, at, slope)
        return probability_table(means, names, statement, self.sampling)

    def orders(
        self,
        term: str,
        by: str | Sequence[str] | None = None,
        population: str = "super",
        scale: str = "link",
        *,
        most: int = 10,
        weights: str = "equal",
        at: Mapping[str, Any] | None = None,
        slope: str | None = None,
    ) -> pd.DataFrame:
        """Return the probability of each order of a term's levels, the likeliest first.

        Parameters
        ----------
        term, by, population, scale, weights, at, slope
            As for ``probability``.
        most : int
            How many orders to list; those that no draw has are left out.

        Returns
        -------
        pandas.DataFrame
            As ``probability`` returns it, with statements such as "c > a > b".

        Examples
        --------
        >>> result.orders("variety")  # doctest: +SKIP
        """
        means, names = self._joint(term, by, population, scale, weights, at, slope)
        return orders_table(means, names, self.sampling, most)

    def _joint(
        self,
        term: str | None,
        by: str | Sequence[str] | None,
        population: str,
        scale: str,
        weights: str,
        at: Mapping[str, Any] | None,
        slope: str | None,
    ) -> tuple[Quantities, list[str]]:
        """Return the means of a term at each level of ``by``, and the names of the latter."""
        names = [name for part in parts_of(by) for name in self._factors(part)]
        if term is not None:
            factors = self._factors(term)
            term = ":".join([*factors, *(name for name in names if name not in factors)])
        means = mean_quantities(self, term, population, scale, weights=weights, at=at, slope=slope)
        if not set(means.labels) - {*names, "slope"}:
            raise ArgumentError(f"by={by!r}: leaves term={term!r} no levels to make statements of")
        axes = [n for n in means.labels if n not in self.design.levels and n != "slope"]
        return means, [*(str(n) for n in axes), *names]

    def _table(
        self,
        quantities: Quantities,
        ci_prob: float,
        ci_kind: str,
        rope: Rope | None = None,
        comp_val: float | None = None,
    ) -> pd.DataFrame:
        return quantity_table(quantities, self.sampling, ci_prob, ci_kind, rope, comp_val)

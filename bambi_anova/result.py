"""The user's result: means, deflections, contrasts and the ANOVA table of a fitted model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.estimates.anova import anova_table
from bambi_anova.estimates.comparisons import ContrastTables
from bambi_anova.estimates.judged import Rope
from bambi_anova.estimates.kruschke import kruschke_table, parameter_quantities
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.questions import (
    contrast_quantities,
    deflection_quantities,
    mean_quantities,
    unit_slope_quantities,
)
from bambi_anova.estimates.reference_grid import reference_grid
from bambi_anova.prediction.posterior_checks import Checks
from bambi_anova.present.presented import Presented
from bambi_anova.specification import Specification
from bambi_anova.tables.printing import Table

if TYPE_CHECKING:
    import xarray as xr


def _slope_quantities(fit: Result, slope: str, *args: Any, **kwargs: Any) -> Quantities:
    return mean_quantities(fit, *args, **kwargs, slope=slope)


#: What stands behind each table that has draws.
_QUANTITIES: dict[str, Callable[..., Quantities]] = {
    "means": mean_quantities,
    "deflections": deflection_quantities,
    "contrasts": contrast_quantities,
    "slopes": _slope_quantities,
    "unit_slopes": unit_slope_quantities,
}


@dataclass(frozen=True, repr=False, eq=False)
class Result(Presented, ContrastTables, Checks):
    """Posterior of a model, and the tables that answer the researcher's questions.

    Made by ``Model.fit``.  Every table takes ``population`` ("super", "finite" or "average"),
    ``scale`` ("link" or "response"), ``ci_prob`` and ``ci_kind`` ("hdi" or "eti"), and says in
    its columns what it is about and what may be believed:

    - ``population``, ``scale``;
    - ``mean``, ``median``, ``sd``, interval bounds named as in ArviZ (``hdi95_lb``,
      ``hdi95_ub``), ``pd`` (probability of direction);
    - ``mcse_mean``, ``ess_bulk``, ``ess_tail``, ``r_hat``;
    - ``supported``: False where the quantity needs a cell without data, so that part of it
      rests on the prior alone;
    - ``trusted``: whether that quantity meets the thresholds of ``posterior.trust``; of chains
      no divergence, R-hat <= 1.01, bulk and tail ESS >= 400.

    Attributes
    ----------
    idata : xarray.DataTree
        Draws under Bambi's names, with our group ``cells`` added: the cell means of the linear
        predictor, ``super`` and ``finite``, with the factors as dimensions.
    design : Design
    family : Family
    link : Link
    draws : Draws
        The same draws as plain arrays.
    sampling : Sampling
    priors : Priors
    """

    @property
    def model(self) -> Specification:
        """The model that was fitted; it can be fitted again, ``model.fit(init=result)``."""
        return self.specification

    def means(
        self,
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
        """Return the marginal means of a term.

        Parameters
        ----------
        term : str, optional
            Factors joined by colons, such as ``"condition:trial_type"``; all cells by default.
        population : {"super", "finite", "average"}
            Means for new units, for the units of this study, or for a unit of zero effect.
        scale : {"link", "response"}
        ci_prob : float
        ci_kind : {"hdi", "eti"}
        weights : {"equal", "observed", "proportional"}
            How cells weigh in a marginal mean.  "equal" compares levels as a designed experiment
            would.  "observed" weighs each cell by its own observations (trials, where there are
            trials): emmeans' "cells", the mean of the data at hand, in which levels may differ
            because their company differs.  "proportional" weighs the combinations of the
            other factors by their observations in all the data, the same for every level:
            emmeans' "proportional", a fair comparison in the sample's mix.
        at : mapping, optional
            Values of covariates' columns, as in the data: ``{"age": [20, 40]}`` gives a row for
            each value.  Covariates stand at their means otherwise.
        rope : sequence of two floats, optional
            Adds ``below_rope``, ``in_rope``, ``above_rope`` (shares of the posterior) and
            ``mcse_rope``, the largest of their Monte Carlo errors.
        comp_val : float, optional
            Adds ``comp_val``, ``above_comp_val`` (the share above it) and ``mcse_comp_val``.

        Returns
        -------
        pandas.DataFrame
            A row for each combination of levels, with the factors' columns in front.

        Raises
        ------
        ArgumentError
            If an argument has a value that it cannot take.

        Examples
        --------
        >>> result.means("condition", population="finite")  # doctest: +SKIP
        """
        found = mean_quantities(self, term, population, scale, weights=weights, at=at)
        return self._table(found, ci_prob, ci_kind, rope, comp_val)

    def deflections(
        self,
        term: str | None = None,
        population: str = "super",
        scale: str = "link",
        ci_prob: float = 0.95,
        ci_kind: str = "hdi",
        *,
        rope: Rope | None = None,
        comp_val: float | None = None,
    ) -> pd.DataFrame:
        """Return the sum-to-zero effects of every term, or of one.

        Parameters
        ----------
        term : str, optional
            Factors joined by colons; every factor term of the model by default.
        population, scale, ci_prob, ci_kind, rope, comp_val
            As for ``means``.

        Returns
        -------
        pandas.DataFrame
            Columns ``term`` and ``level`` (levels joined by colons) in front.

        Examples
        --------
        >>> result.deflections("trial_type")  # doctest: +SKIP
        """
        found = deflection_quantities(self, term, population, scale)
        return self._table(found, ci_prob, ci_kind, rope, comp_val)

    def anova(
        self,
        population: str = "super",
        scale: str = "link",
        ci_prob: float = 0.95,
        ci_kind: str = "hdi",
    ) -> pd.DataFrame:
        """Return the Bayesian ANOVA table: a row a term, unit term and residual.

        Parameters
        ----------
        population, scale, ci_prob, ci_kind
            As for ``means``; they choose the cell means whose deflections are summarised.

        Returns
        -------
        pandas.DataFrame
            ``term``, ``kind`` ("fixed", "unit" or "residual"), ``stratum``, ``units`` (how many
            judge the term), ``df``; the finite-population sd of the term's deflections in
            ``mean``, ``sd`` and interval; the superpopulation sd in ``sigma_mean``, ``sigma_sd``
            and interval; and ``share``, the part of the variance that the term explains, with
            its interval.  See ``bambi_anova.estimates.anova``.

        Examples
        --------
        >>> result.anova()  # doctest: +SKIP
        """
        self._check(population, scale)
        points = reference_grid(self.draws, self.design, self.link, population, scale)
        return Table(
            anova_table(
                points.values,
                self.draws,
                self.design,
                self.sampling,
                population,
                scale,
                points.supported,
                ci_prob,
                ci_kind,
            )
        )

    def kruschke(
        self,
        term: str | None = None,
        method: Any = None,
        comp_val: float | None = None,
        rope: Rope | None = None,
        ci_prob: float = 0.95,
        **options: Any,
    ) -> pd.DataFrame:
        """Return summaries with the columns of the scripts of *Doing Bayesian Data Analysis*.

        Parameters
        ----------
        term : str, optional
            Whose means, or contrasts, are wanted; by default the baseline, all deflections and
            all standard deviations, as in ``smryMCMC``.
        method : str, mapping or array, optional
            Contrasts instead of means; as for ``contrasts``.
        comp_val : float, optional
        rope : sequence of two floats, optional
        ci_prob : float
            Mass of the HDI.
        **options
            Further arguments of ``means`` or ``contrasts``, such as ``population="finite"``,
            which is what Kruschke's split-plot script looks at.

        Returns
        -------
        pandas.DataFrame
            A row a quantity, named by it, with ``Mean``, ``Median``, ``Mode``, ``ESS``,
            ``HDImass``, ``HDIlow``, ``HDIhigh``, ``CompVal``, ``PcntGtCompVal``, ``ROPElow``,
            ``ROPEhigh``, ``PcntLtROPE``, ``PcntInROPE`` and ``PcntGtROPE``, then ``supported``
            and ``trusted``.

        Examples
        --------
        >>> contrast = {"ridge and moldboard vs chisel": (["Ridge", "Moldbrd"], ["Chisel"])}
        >>> result.kruschke("tillage", contrast, comp_val=0, rope=(-5, 5))  # doctest: +SKIP
        """
        if term is not None and method is not None:
            found = contrast_quantities(self, term, method, **options)
        elif method is not None:
            raise ArgumentError("method: name the term whose levels it compares, as in term='A'")
        elif term is not None:
            found = mean_quantities(self, term, **options)
        else:
            found = parameter_quantities(self, **options)
        return kruschke_table(found, self.sampling, comp_val, rope, ci_prob)

    def draws_of(self, kind: str, *args: Any, **kwargs: Any) -> xr.DataArray:
        """Return the draws behind a table.

        Parameters
        ----------
        kind : {"means", "deflections", "contrasts", "slopes", "unit_slopes"}
            Which table.
        *args, **kwargs
            What that table takes, but for ``ci_prob``, ``ci_kind``, ``rope`` and ``comp_val``.

        Returns
        -------
        xarray.DataArray
            Dimensions ``chain``, ``draw`` and ``quantity``, the quantities in the order of the
            table's rows.  Coordinate ``quantity`` names each of them as text; the table's label
            columns (factors, ``term``, ``level``, ``contrast``) and ``supported`` are further
            coordinates along it.  Attributes: ``population``, ``scale`` and ``null``, the value
            that means "no difference".

        Raises
        ------
        ArgumentError
            If there is no such table, or an argument has a value that it cannot take.

        Examples
        --------
        >>> draws = result.draws_of("contrasts", "trial_type", by="condition")  # doctest: +SKIP
        >>> (draws > 0).mean(("chain", "draw")).to_series()  # doctest: +SKIP
        """
        if not isinstance(kind, str) or kind not in _QUANTITIES:
            raise ArgumentError(f"kind={kind!r} has no draws{nearest(str(kind), _QUANTITIES)}")
        return _QUANTITIES[kind](self, *args, **kwargs).to_xarray(kind)

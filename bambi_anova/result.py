"""The user's result: means, deflections, contrasts and the ANOVA table of a fitted model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bambi_anova.anova import anova_table
from bambi_anova.effects import (
    Effects,
    contrast_effects,
    deflection_effects,
    mean_effects,
    pairwise_weights,
    supported,
)
from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.posterior_checks import Checks
from bambi_anova.quantities import Quantities
from bambi_anova.tables import label, summarise

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray


class Result(Checks):
    """Posterior of a model, and the tables that answer the researcher's questions.

    Made by ``Model.fit``.  Every table takes ``population`` ("super", "finite" or "average"),
    ``scale`` ("link" or "response"), ``ci_prob`` and ``ci_kind`` ("hdi" or "eti"), and says in
    its columns what it is about and what may be believed:

    - ``population``, ``scale``;
    - ``mean``, ``sd``, interval bounds named as in ArviZ (``hdi95_lb``, ``hdi95_ub``), ``pd``
      (probability of direction);
    - ``mcse_mean``, ``ess_bulk``, ``ess_tail``, ``r_hat``;
    - ``supported``: False where the quantity needs a cell without data, so that part of it
      rests on the prior alone;
    - ``trusted``: whether that quantity meets the thresholds of ``bambi_anova.trust``; of chains
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

    def means(
        self,
        term: str | None = None,
        population: str = "super",
        scale: str = "link",
        ci_prob: float = 0.95,
        ci_kind: str = "hdi",
    ) -> pd.DataFrame:
        """Return the marginal means of a term, cells weighing equally.

        Parameters
        ----------
        term : str, optional
            Factors joined by colons, such as ``"condition:trial_type"``; all cells by default.
        population : {"super", "finite", "average"}
            Means for new units, for the units of this study, or for a unit of zero effect.
        scale : {"link", "response"}
        ci_prob : float
        ci_kind : {"hdi", "eti"}

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
        return self._table(self._means(term, population, scale), ci_prob, ci_kind)

    def _means(
        self, term: str | None = None, population: str = "super", scale: str = "link"
    ) -> Quantities:
        effects = mean_effects(self._grid, self._factors(term))
        return self._quantities(effects, population, scale)

    def deflections(
        self,
        term: str | None = None,
        population: str = "super",
        scale: str = "link",
        ci_prob: float = 0.95,
        ci_kind: str = "hdi",
    ) -> pd.DataFrame:
        """Return the sum-to-zero effects of every term, or of one.

        Parameters
        ----------
        term : str, optional
            Factors joined by colons; every factor term of the model by default.
        population, scale, ci_prob, ci_kind
            As for ``means``.

        Returns
        -------
        pandas.DataFrame
            Columns ``term`` and ``level`` (levels joined by colons) in front.

        Examples
        --------
        >>> result.deflections("trial_type")  # doctest: +SKIP
        """
        return self._table(self._deflections(term, population, scale), ci_prob, ci_kind)

    def _deflections(
        self, term: str | None = None, population: str = "super", scale: str = "link"
    ) -> Quantities:
        terms = [self._factors(term)] if term is not None else self._model_terms
        parts = [deflection_effects(self._grid, factors) for factors in terms]
        rows = [
            (":".join(part.labels.columns), ":".join(map(str, levels)))
            for part in parts
            for levels in part.labels.itertuples(index=False)
        ]
        labels = pd.DataFrame(rows, columns=["term", "level"])
        effects = Effects(labels, np.vstack([part.weights for part in parts]))
        return self._quantities(effects, population, scale)

    def contrasts(
        self,
        term: str,
        method: str | Mapping = "pairwise",
        by: str | Sequence[str] | None = None,
        population: str = "super",
        scale: str = "link",
        ci_prob: float = 0.95,
        ci_kind: str = "hdi",
    ) -> pd.DataFrame:
        """Return contrasts of a term's marginal means, never of raw coefficients.

        Parameters
        ----------
        term : str
            One factor, or several joined by colons for interaction contrasts: products of one
            contrast of each factor.
        method : {"pairwise"} or mapping
            ``"pairwise"`` takes all pairs "first - second", in level order.  For one factor a
            mapping ``{name: {level: weight}}`` gives contrasts of your own; weights sum to zero
            and levels left out weigh zero.
        by : str or sequence of str, optional
            Further factors: the contrasts are taken at each of their levels (simple effects).
        population, scale, ci_prob, ci_kind
            As for ``means``; on the response scale a contrast is a difference of means there.

        Returns
        -------
        pandas.DataFrame
            Columns ``term``, the ``by`` factors and ``contrast`` in front.

        Raises
        ------
        ArgumentError
            If a factor, level, weight or method is not usable.

        Examples
        --------
        >>> result.contrasts("trial_type")  # doctest: +SKIP
        >>> result.contrasts("trial_type", by="condition", scale="response")  # doctest: +SKIP
        """
        quantities = self._contrasts(term, method, by, population, scale)
        return self._table(quantities, ci_prob, ci_kind)

    def _contrasts(
        self,
        term: str,
        method: str | Mapping = "pairwise",
        by: str | Sequence[str] | None = None,
        population: str = "super",
        scale: str = "link",
    ) -> Quantities:
        factors = self._factors(term)
        by = [by] if isinstance(by, str) else list(by or [])
        for name in by:
            if self._factors(name)[0] in factors:
                raise ArgumentError(f"by={name!r} is part of term={term!r}; name another factor")
        if method == "pairwise":
            methods = {name: pairwise_weights(self._grid.levels[name]) for name in factors}
        elif isinstance(method, Mapping) and len(factors) == 1:
            methods = {factors[0]: self._custom_weights(factors[0], method)}
        else:
            raise ArgumentError(
                f"method={method!r}: expected 'pairwise' or, for one factor, a mapping "
                "{name: {level: weight}}"
            )
        effects = contrast_effects(self._grid, methods, by)
        effects.labels.insert(0, "term", ":".join(factors))
        return self._quantities(effects, population, scale)

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
            its interval.  See ``bambi_anova.anova``.

        Examples
        --------
        >>> result.anova()  # doctest: +SKIP
        """
        self._check(population, scale)
        cells = self._cells(population, scale)
        return anova_table(
            cells, self.draws, self.design, self.sampling, population, scale, ci_prob, ci_kind
        )

    def draws_of(self, kind: str, *args: Any, **kwargs: Any) -> xr.DataArray:
        """Return the draws behind a table.

        Parameters
        ----------
        kind : {"means", "deflections", "contrasts"}
            Which table.
        *args, **kwargs
            What that table takes, but for ``ci_prob`` and ``ci_kind``.

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
            If there is no such table, or it does not take these arguments.

        Examples
        --------
        >>> draws = result.draws_of("contrasts", "trial_type", by="condition")  # doctest: +SKIP
        >>> (draws > 0).mean(("chain", "draw")).to_series()  # doctest: +SKIP
        """
        if kind not in self._KINDS:
            raise ArgumentError(f"kind={kind!r}: expected one of {self._KINDS}")
        return getattr(self, f"_{kind}")(*args, **kwargs).to_xarray(kind)

    _KINDS = ("means", "deflections", "contrasts")

    def _quantities(self, effects: Effects, population: str, scale: str) -> Quantities:
        self._check(population, scale)
        draws = effects.of(self._cells(population, scale))
        support = supported(effects.weights, *self._support)
        return Quantities(effects.labels, draws, support, population, scale)

    def _table(self, quantities: Quantities, ci_prob: float, ci_kind: str) -> pd.DataFrame:
        summary = summarise(quantities.draws, ci_prob, ci_kind, self.sampling.weighting)
        return label(
            summary,
            quantities.labels,
            quantities.population,
            quantities.scale,
            quantities.supported,
            self.sampling,
        )

    def _custom_weights(self, factor: str, method: Mapping) -> dict[str, Array]:
        levels = list(self._grid.levels[factor])
        contrasts = {}
        for name, given in method.items():
            if not isinstance(given, Mapping) or not given:
                raise ArgumentError(f"method[{name!r}]: expected {{level: weight}}, got {given!r}")
            weights = np.zeros(len(levels))
            for level, weight in given.items():
                if level not in levels:
                    raise ArgumentError(
                        f"method[{name!r}]: {level!r} is not a level of {factor!r}"
                        f"{nearest(str(level), map(str, levels))}"
                    )
                weights[levels.index(level)] = weight
            if not np.isclose(weights.sum(), 0, atol=1e-9):
                raise ArgumentError(
                    f"method[{name!r}]: weights sum to {weights.sum():g}, expected 0; a contrast "
                    "compares levels"
                )
            contrasts[str(name)] = weights
        if not contrasts:
            raise ArgumentError("method: expected at least one contrast, got an empty mapping")
        return contrasts

"""The user's result: means, deflections, contrasts and the ANOVA table of a fitted model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bambi_anova.anova import anova_table
from bambi_anova.design import Design
from bambi_anova.draws import Draws
from bambi_anova.effects import (
    Effects,
    Grid,
    contrast_effects,
    deflection_effects,
    mean_effects,
    pairwise_weights,
    supported,
    term_basis,
)
from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.families import Family, Link
from bambi_anova.populations import POPULATIONS, SCALES, cell_means
from bambi_anova.priors import Priors
from bambi_anova.tables import diagnose, label, summarise
from bambi_anova.trust import Sampling, Verdict, complaints, is_trusted

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray


@dataclass(frozen=True, repr=False)
class Result:
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

    idata: xr.DataTree
    design: Design
    family: Family
    link: Link
    draws: Draws
    sampling: Sampling
    priors: Priors

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
        effects = mean_effects(self._grid, self._factors(term))
        return self._table(effects, population, scale, ci_prob, ci_kind)

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
        terms = [self._factors(term)] if term is not None else self._model_terms
        parts = [deflection_effects(self._grid, factors) for factors in terms]
        rows = [
            (":".join(part.labels.columns), ":".join(map(str, levels)))
            for part in parts
            for levels in part.labels.itertuples(index=False)
        ]
        labels = pd.DataFrame(rows, columns=["term", "level"])
        effects = Effects(labels, np.vstack([part.weights for part in parts]))
        return self._table(effects, population, scale, ci_prob, ci_kind)

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
        return self._table(effects, population, scale, ci_prob, ci_kind)

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

    @cached_property
    def diagnostics(self) -> pd.DataFrame:
        """Summary of every parameter of the model, by ArviZ, with Bambi's names as index."""
        import arviz_stats

        with np.errstate(invalid="ignore", divide="ignore"):
            return arviz_stats.summary(self.idata, round_to="none").astype(float)

    def trust(self) -> pd.DataFrame:
        """Return how far each quantity of the fit can be believed.

        Returns
        -------
        pandas.DataFrame
            A row a quantity: every scalar parameter, the cell means and the deflections of every
            term, both for new units and, where there are units, for these (link scale).  Columns
            ``quantity``, ``population``, ``mean``, ``sd``, ``mcse_mean``, ``mcse_sd``,
            ``ess_bulk``, ``ess_tail``, ``r_hat`` (of chains only), ``pareto_k`` (tail shape of
            the draws or of their importance weights, whichever is heavier) and ``trusted``.

        Examples
        --------
        >>> result.trust()  # doctest: +SKIP
        """
        return self._trust.copy()

    @cached_property
    def _trust(self) -> pd.DataFrame:
        names, populations, draws = self._parameters()
        for population in ("super", "finite") if self.design.units else ("super",):
            cells = self._cells(population, "link")
            parts = [mean_effects(self._grid, self._factors(None))] if self._grid.levels else []
            parts += [deflection_effects(self._grid, term) for term in self._model_terms]
            kinds = ["mean", *("deflection" for _ in self._model_terms)]
            for kind, effects in zip(kinds, parts, strict=False):
                for levels in effects.labels.itertuples(index=False):
                    names.append(f"{kind} {':'.join(map(str, levels))}")
                    populations.append(population)
                draws.append(effects.of(cells))
        table = diagnose(np.concatenate(draws, axis=-1), self.sampling.weighting)
        order = ["mean", "sd", "mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "r_hat", "pareto_k"]
        table = table[order].assign(trusted=is_trusted(table, self.sampling))
        table.insert(0, "quantity", names)
        table.insert(1, "population", populations)
        return table

    def _parameters(self) -> tuple[list[str], list[str], list[Array]]:
        """Return the names, no populations, and the draws of the scalar parameters."""
        posterior = self.idata["posterior"].to_dataset()
        names = [str(name) for name in posterior if posterior[name].dims == ("chain", "draw")]
        return names, [""] * len(names), [posterior[name].to_numpy()[..., None] for name in names]

    @property
    def verdict(self) -> Verdict:
        """Equal to "trusted" or "not trusted"; its ``reasons`` say why, in words."""
        return Verdict(self.complaints)

    @property
    def complaints(self) -> list[str]:
        """What is wrong with the fit, in words; empty if nothing is."""
        names = (self._trust["quantity"] + " " + self._trust["population"]).str.strip()
        return complaints(self._trust.set_index(names), self.sampling)

    def __repr__(self) -> str:
        chains, draws = self.draws.sample_shape
        sampling = self.sampling
        time = f"{sampling.seconds:.1f} s"
        if sampling.sampling_seconds is not None and sampling.weighting is None:
            time += f", of it {sampling.sampling_seconds:.1f} s sampling"
        kind = "chains" if sampling.weighting is None else "independent parts"
        return (
            f"Result of {self.design.formula.text}\n"
            f"  {sampling.method}, {chains} {kind} of {draws} draws ({time})\n"
            f"  verdict: {self.verdict!r}\n"
            "  tables: means(), deflections(), contrasts(term), anova(), trust(); draws: idata"
        )

    @cached_property
    def _grid(self) -> Grid:
        return Grid(self.design.levels)

    @property
    def _model_terms(self) -> list[tuple[str, ...]]:
        return [term.factors for term in self.design.terms if term.factors and not term.covariate]

    @cached_property
    def _support(self) -> tuple[Array, Array]:
        observed = self.design.cells["rows"].to_numpy() > 0
        return term_basis(self._grid, self._model_terms), observed

    def _factors(self, term: str | None) -> list[str]:
        return list(self._grid.levels) if term is None else self._grid.factors(term)

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

    def _check(self, population: str, scale: str) -> None:
        for name, value, known in (
            ("population", population, POPULATIONS),
            ("scale", scale, SCALES),
        ):
            if value not in known:
                raise ArgumentError(f"{name}={value!r}: expected one of {known}")

    def _cells(self, population: str, scale: str) -> Array:
        return cell_means(self.draws, self.design, self.link, population, scale)

    def _table(
        self, effects: Effects, population: str, scale: str, ci_prob: float, ci_kind: str
    ) -> pd.DataFrame:
        self._check(population, scale)
        draws = effects.of(self._cells(population, scale))
        summary = summarise(draws, ci_prob, ci_kind, self.sampling.weighting)
        support = supported(effects.weights, *self._support)
        return label(summary, effects.labels, population, scale, support, self.sampling)

"""A fitted model: its draws, their diagnostics and the verdict on them."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.contrast_families import as_text
from bambi_anova.estimates.effects import Grid, deflection_effects, mean_effects
from bambi_anova.posterior.populations import POPULATIONS, SCALES, cell_means
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.summary import diagnose
from bambi_anova.posterior.trust import Verdict, complaints, is_trusted

Array = np.ndarray


class Fitted(Posterior):
    """Posterior of a model, and how far it can be believed; ``Result`` adds the tables."""

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
            kinds = ["mean"] if self._grid.levels else []
            # Levels alone would not do: two factors may both have "yes" and "no".
            kinds += [f"deflection {':'.join(term)}" for term in self._model_terms]
            for kind, effects in zip(kinds, parts, strict=True):
                for levels in effects.labels.itertuples(index=False, name=None):
                    names.append(f"{kind} {as_text(levels)}")
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
        return Verdict(tuple(self.complaints))

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
            "  tables: means(), deflections(), contrasts(term), slopes(column), anova(),\n"
            "          probability(statement, term), orders(term), kruschke(), trust()\n"
            "  draws: draws_of(table), idata"
        )

    @cached_property
    def _grid(self) -> Grid:
        return Grid(self.design.levels)

    @property
    def _model_terms(self) -> list[tuple[str, ...]]:
        return [term.factors for term in self.design.terms if term.factors and not term.covariate]

    def _factors(self, term: str | None) -> list[str]:
        return list(self._grid.levels) if term is None else self._grid.factors(term)

    def _check(self, population: str, scale: str) -> None:
        for name, value, known in (
            ("population", population, POPULATIONS),
            ("scale", scale, SCALES),
        ):
            if value not in known:
                raise ArgumentError(f"{name}={value!r}: expected one of {known}")

    def _cells(self, population: str, scale: str) -> Array:
        return cell_means(self.draws, self.design, self.link, population, scale)

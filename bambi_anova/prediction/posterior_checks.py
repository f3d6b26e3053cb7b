"""What a fitted model predicts, and how far that agrees with the data: methods of ``Result``."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bambi_anova.arguments import generator
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.contrast_families import Levels, as_text
from bambi_anova.estimates.contrast_weights import contrast_weights
from bambi_anova.estimates.effects import deflection_effects, mean_effects
from bambi_anova.fitted import Fitted
from bambi_anova.posterior.summary import diagnose
from bambi_anova.posterior.trust import complaints
from bambi_anova.prediction.loo import Loo, leave_out
from bambi_anova.prediction.pointwise import total_log_likelihood
from bambi_anova.prediction.predictive import (
    Grouping,
    Replicates,
    check_table,
    grouping,
    predictive_tree,
    prior_predictive,
    replicates,
)
from bambi_anova.prediction.predictors import Predictor, read_predictor
from bambi_anova.prediction.replicates import replicate_rows
from bambi_anova.prediction.sensitivity import log_priors, sensitivity_table
from bambi_anova.storage.archive import (
    pack_namespace,
    pack_priors,
    pack_rows,
    pack_sampling,
    versions,
)
from bambi_anova.storage.file import write_file

if TYPE_CHECKING:
    import xarray as xr


class Checks(Fitted):
    """Checks of a posterior; ``Result`` adds the tables."""

    def posterior_predictive(
        self,
        by: str = "row",
        units: str = "these",
        draws: int | None = None,
        random_seed: int | None = None,
    ) -> xr.DataTree:
        """Replicate the data from the posterior.

        Parameters
        ----------
        by : str
            "row" for the replicated responses themselves; "cell", "unit" (the unit term with the
            fewest units) or the name of a unit term for mean responses.
        units : {"these", "new"}
            Whether the units keep their effects, or others of the same population take their
            places.
        draws : int, optional
            How many of the posterior's draws to use, evenly spaced; all of them by default.
        random_seed : int, optional

        Returns
        -------
        xarray.DataTree
            Groups ``posterior_predictive`` (dimensions ``chain``, ``draw`` and one of
            ``__obs__``, ``__cell__`` and ``__unit__``), ``observed_data`` and ``constant_data``
            (``rows`` of the data in each, and their ``base``: trials, exposure or observations).
            Factors and units are coordinates.  The rows are the sufficient ones: successes of
            all trials, counts of all exposure, means of gaussian observations that share every
            predictor; for the other families they are the rows of the data.

        Raises
        ------
        ArgumentError
            If an argument has a value that it cannot take.

        Examples
        --------
        >>> tree = result.posterior_predictive(by="cell", random_seed=1)  # doctest: +SKIP
        >>> tree["posterior_predictive"].dims  # doctest: +SKIP
        """
        made = self._replicates(units, draws, random_seed)
        return predictive_tree(made, self.design, by, "posterior_predictive")

    def predictive_check(
        self,
        by: str = "cell",
        units: str = "these",
        ci_prob: float = 0.95,
        ci_kind: str = "hdi",
        draws: int | None = None,
        random_seed: int | None = None,
    ) -> pd.DataFrame:
        """Compare observed mean responses with replicated ones.

        Parameters
        ----------
        by, units, draws, random_seed
            As for ``posterior_predictive``; with ``units="new"`` a unit is compared with others
            of its kind, which finds units that do not belong.
        ci_prob : float
        ci_kind : {"hdi", "eti"}

        Returns
        -------
        pandas.DataFrame
            A row a group: its labels, ``units``, ``rows``, ``observed``, ``mean``, ``sd``, the
            interval of replicated values and ``tail_probability``, that a replicate exceeds what
            was observed (ties count half; near 0 or 1 the model fails to predict the data).

        Examples
        --------
        >>> result.predictive_check(by="unit", units="new")  # doctest: +SKIP
        """
        groups = grouping(self.design, by)
        return check_table(self._replicates(units, draws, random_seed), groups, ci_prob, ci_kind)

    prior_predictive = prior_predictive

    def loo(self, by: str = "row", draws: int | None = None) -> Loo:
        """Estimate how well the model predicts what it has not seen: leave-one-out, by PSIS.

        Parameters
        ----------
        by : str
            What to leave out at a time:

            - "row": a row of the data as the user has them, also where rows were merged;
            - "cell": all rows of a cell of the design;
            - "unit" or the name of a unit term: all rows of a unit, which is then predicted as a
              new one, its effects integrated over the units' distribution.
        draws : int, optional
            How many of the posterior's draws to use, evenly spaced; all of them by default.

        Returns
        -------
        Loo
            ``elpd``, ``se``, ``p``, ``verdict`` and, for each row, cell or unit, ``table`` with
            its Pareto k.

        Raises
        ------
        UnsupportedError
            If too many effects would have to be integrated over at once.

        Examples
        --------
        >>> result.loo(by="unit").table  # doctest: +SKIP
        """
        return self._loo(grouping(self.design, by), draws)

    def _loo(self, groups: Grouping, draws: int | None = None) -> Loo:
        size = np.prod(self.draws.sample_shape)
        found = leave_out(
            self._predictor(draws),
            self.design,
            self.family,
            self.link,
            self.specification.collapsed,
            groups,
            float(self._trust["ess_bulk"].mean() / size),
        )
        return replace(found, complaints=tuple(self._complaints_of_likelihood))

    @cached_property
    def _complaints_of_likelihood(self) -> list[str]:
        """Say why the draws of the log-likelihood cannot be believed, whatever is left out."""
        total = total_log_likelihood(
            self._predictor(), self.specification.collapsed, self.family, self.link
        )
        worth = diagnose(total[..., None], self.sampling.weighting)
        return complaints(worth.set_index(pd.Index(["the log-likelihood"])), self.sampling)

    def sensitivity(self, population: str = "super", threshold: float = 0.05) -> pd.DataFrame:
        """Tell which quantities depend on which priors, by power-scaling.

        Parameters
        ----------
        population : {"super", "finite"}
            Of the cell means behind contrasts and deflections (link scale).
        threshold : float
            Sensitivity from which a prior is reported; 0.05 is Kallioinen et al.'s.

        Returns
        -------
        pandas.DataFrame
            A row for each ``prior`` and ``quantity`` (pairwise contrasts of every factor,
            deflections of interactions, standard deviations, slopes and likelihood parameters):
            ``sensitivity`` to that prior, sensitivity to the ``likelihood``, the ``shift`` of
            the mean, in posterior sds, if the prior counted twice (to first order), and a
            ``diagnosis``: "prior-data conflict" (both matter), "strong prior / weak likelihood"
            or "-".  The most sensitive come first.

        References
        ----------
        Kallioinen et al. (2024), doi:10.1007/s11222-023-10366-5.

        Examples
        --------
        >>> result.sensitivity().query("diagnosis != '-'")  # doctest: +SKIP
        """
        self._check(population, "link")
        if not isinstance(threshold, Real):
            raise ArgumentError(f"threshold={threshold!r}: expected a number")
        posterior = self.idata["posterior"].to_dataset()
        predictor = read_predictor(posterior, self.design, self.priors)
        table = sensitivity_table(
            self._main_quantities(population),
            log_priors(posterior, self.design, self.priors),
            total_log_likelihood(predictor, self.specification.collapsed, self.family, self.link),
            threshold,
        )
        return table.sort_values("sensitivity", ascending=False, kind="stable", ignore_index=True)

    def _main_quantities(self, population: str) -> dict[str, np.ndarray]:
        """Return the draws of what an ANOVA is about, by name."""
        cells = self._cells(population, "link")
        found = {}
        for factor, levels in self.design.levels.items():
            means = mean_effects(self._grid, [factor]).of(cells)
            pairs = contrast_weights("pairwise", Levels(factor, levels))
            for name, weights in pairs.items():
                found[f"{factor}: {name}"] = means @ weights
        for term in self._model_terms:
            if len(term) > 1:
                effects = deflection_effects(self._grid, term)
                deflections = effects.of(cells)
                for k, row in enumerate(effects.labels.itertuples(index=False, name=None)):
                    found[f"deflection {':'.join(term)} {as_text(row)}"] = deflections[..., k]
        for name in self.priors.covariates:
            found[name] = self.idata["posterior"][name].transpose("chain", "draw").to_numpy()
        found |= {f"sd of {name}": draws for name, draws in self.draws.sigmas.items()}
        return found | dict(self.draws.auxiliary)

    def save(self, path: str | os.PathLike) -> Path:
        """Write the fit to one file, with all that is needed to go on; see ``ba.load``.

        The file is NetCDF4, which ``arviz.from_netcdf`` opens too.  It holds the draws, the rows
        as the formula evaluates them, the columns of the data that the formula names, the priors,
        the options and the versions of the packages; and nothing that could run code.

        Parameters
        ----------
        path : path
            By custom it ends in ``.nc``.  A file that is there is replaced once the new one is
            whole.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        StorageError
            If the directory does not exist, or a prior or a factor's levels cannot be written.

        Examples
        --------
        >>> result.save("memory.nc")  # doctest: +SKIP
        """
        arrays, rows = pack_rows(self.design)
        record = {
            "formula": self.design.formula.text,
            "family": self.family.name,
            "link": self.link.name,
            "priors": pack_priors(self.priors),
            "rows": rows,
            "collapse": self.specification.options.collapse,
            "parameterization": self.specification.options.parameterization,
            "namespace": pack_namespace(
                self.specification.options.namespace, self.design.formula.text
            ),
            "sampling": pack_sampling(self.sampling),
            "versions": versions(),
        }
        labels = {name: list(map(str, levels)) for name, levels in self.design.levels.items()}
        idata = self.idata.copy()
        idata["cells"] = idata["cells"].to_dataset().assign_coords(labels)
        return write_file(path, idata, arrays, record)

    def _predictor(self, draws: int | None = None) -> Predictor:
        posterior = self.idata["posterior"].to_dataset()
        predictor = read_predictor(posterior, self.design, self.priors)
        if draws is None:
            return predictor
        most = int(np.prod(predictor.sample_shape))
        whole = isinstance(draws, (int, np.integer)) and not isinstance(draws, bool)
        if not whole or not 1 <= draws <= most:
            raise ArgumentError(f"draws={draws!r}: expected a whole number from 1 to {most}")
        return predictor.thinned(draws)

    def _replicates(self, units: str, draws: int | None, random_seed: int | None) -> Replicates:
        if units == "prior":
            raise ArgumentError("units='prior': expected 'these' or 'new'; see prior_predictive")
        rows = replicate_rows(self.design, self.family, self.specification.collapsed)
        rng = generator(random_seed)
        return replicates(self._predictor(draws), rows, self.family, self.link, units, rng)

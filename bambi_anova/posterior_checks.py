"""What a fitted model predicts, and how far that agrees with the data: methods of ``Result``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bambi_anova.archive import (
    pack_namespace,
    pack_priors,
    pack_rows,
    pack_sampling,
    versions,
)
from bambi_anova.errors import ArgumentError
from bambi_anova.fitted import Fitted
from bambi_anova.predictive import (
    Replicates,
    check_table,
    grouping,
    predictive_tree,
    replicates,
)
from bambi_anova.predictors import Predictor, read_predictor
from bambi_anova.replicates import replicate_rows
from bambi_anova.storage import write_file

if TYPE_CHECKING:
    import xarray as xr

    from bambi_anova.model import Model


@dataclass(frozen=True, repr=False)
class Checks(Fitted):
    """Checks of a posterior; ``Result`` adds the tables.

    Attributes
    ----------
    model : Model
        The model that was fitted.
    """

    model: Model

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

    def prior_predictive(
        self, draws: int = 1000, by: str = "row", random_seed: int | None = None
    ) -> xr.DataTree:
        """Replicate the data from the prior; see ``Model.prior_predictive``.

        Examples
        --------
        >>> result.prior_predictive(by="cell", random_seed=1)  # doctest: +SKIP
        """
        return self.model.prior_predictive(draws, by, random_seed)

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
            "collapse": self.model.collapse,
            "parameterization": self.model.parameterization,
            "namespace": pack_namespace(self.model.namespace, self.design.formula.text),
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
        if not isinstance(draws, int) or isinstance(draws, bool) or not 1 <= draws <= most:
            raise ArgumentError(f"draws={draws!r}: expected a whole number from 1 to {most}")
        return predictor.thinned(draws)

    def _replicates(self, units: str, draws: int | None, random_seed: int | None) -> Replicates:
        if units == "prior":
            raise ArgumentError("units='prior': expected 'these' or 'new'; see prior_predictive")
        rows = replicate_rows(self.design, self.family, self.model.collapsed)
        rng = np.random.default_rng(random_seed)
        return replicates(self._predictor(draws), rows, self.family, self.link, units, rng)

"""A quick fit of a Bambi model: a DataTree that knows how far it can be believed.

Letters: C chains, D draws a chain, K quantities.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bambi_anova.arguments import whole_number, with_own_floats
from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.posterior.importance import LogEvidence
from bambi_anova.posterior.summary import diagnose
from bambi_anova.posterior.trust import Sampling, Verdict, is_trusted, judge
from bambi_anova.tables.columns import TRUST
from bambi_anova.tables.interval import DEFAULT, Interval
from bambi_anova.tables.printing import Table

if TYPE_CHECKING:
    from bambi_anova.engine.bambi_fit import BambiFit

Array = np.ndarray

#: Columns of a table of trust that say something of weighted draws of any model.
COLUMNS = [name for name in TRUST if name not in ("population", "r_hat", "trusted")]
#: A dimension of every row of the data: what has it are predictions, not parameters.
ROWS = "__obs__"


@with_own_floats
class QuickFit(xr.DataTree):
    """The posterior of a Bambi model by a quick fit.

    It is a DataTree with the groups ``posterior``, ``sample_stats``, ``log_likelihood``,
    ``log_prior`` and ``observed_data``, under Bambi's names: ``model.predict``, ``bmb.interpret``
    and ArviZ take it as they take a fit of Bambi's own.
    """

    _fit: BambiFit | None = None
    _judged: pd.DataFrame | None = None

    @classmethod
    def of(cls, groups: dict[str, xr.Dataset], fit: BambiFit | None = None) -> QuickFit:
        """Return the fit with some groups."""
        made = cls(children={name: xr.DataTree(group) for name, group in groups.items()})
        made._fit = fit
        return made

    @property
    def method(self) -> str:
        """The inference method: "laplace", "pathfinder" or "advi"."""
        return str(self["sample_stats"].attrs["inference_method"])

    @property
    def sampling(self) -> Sampling:
        """What is known of the fit as a whole."""
        from bambi_anova.engine.bambi_fit import weighting_of

        stats = self["sample_stats"].to_dataset()
        seconds = float(stats.attrs["sampling_time"])
        missed = str(stats.attrs["missed"])
        return Sampling(self.method, 0, seconds, seconds, weighting_of(stats), missed)

    @property
    def log_evidence(self) -> LogEvidence:
        """The log marginal likelihood of the data, with its Monte Carlo error.

        That of the priors as they are, with thresholds of ratings in order.
        """
        attrs = self["sample_stats"].attrs
        return LogEvidence(
            float(attrs["log_evidence"]),
            float(attrs["log_evidence_mcse"]),
            float(attrs["pareto_k"]),
        )

    def trust(
        self,
        var_names: Sequence[str] | str | None = None,
        ci_prob: float = 0.95,
        ci_kind: str = "hdi",
    ) -> pd.DataFrame:
        """Return how far each parameter can be believed.

        Parameters
        ----------
        var_names : str or sequence of str, optional
            Variables of the posterior; by default all but those of each row of the data.
        ci_prob : float
        ci_kind : {"hdi", "eti"}

        Returns
        -------
        pandas.DataFrame
            A row a number: ``quantity`` as ArviZ labels it, ``mean``, ``sd``, the bounds of its
            interval, Monte Carlo errors, effective sample sizes, ``pareto_k`` (tail shape of the
            draws or of their importance weights, whichever is heavier), ``pareto_k_sd`` (of
            squared distances from the mean) and ``trusted``: within .15 posterior sds of the
            exact mean, and within 15% of the exact sd.

        Raises
        ------
        ArgumentError
            If there is no such variable.

        Examples
        --------
        >>> fit.trust()  # doctest: +SKIP
        """
        interval = Interval(ci_prob, ci_kind)
        if var_names is None and interval == DEFAULT:
            self._judged = self._trust(None, DEFAULT) if self._judged is None else self._judged
            return Table(self._judged)
        return Table(self._trust(var_names, interval))

    def _trust(self, var_names: Sequence[str] | str | None, interval: Interval) -> pd.DataFrame:
        posterior = self["posterior"].to_dataset()
        chosen = _chosen(posterior, var_names)
        labels = [label for name in chosen for label in _labels(posterior[name])]
        draws = np.concatenate([_flat(posterior[name]) for name in chosen], axis=-1)
        sampling = self.sampling
        table = diagnose(draws, sampling.weighting, interval)
        trusted = is_trusted(table, sampling)
        bounds = list(interval.bounds)
        columns = [*COLUMNS[:3], *bounds, *COLUMNS[3:]]
        return table.assign(quantity=labels)[columns].assign(trusted=trusted)

    @property
    def verdict(self) -> Verdict:
        """Equal to "trusted" or "not trusted"; its ``reasons`` say why, in words.

        It is about common effects, further parameters that have no prior of a scale among them.
        What is wrong with standard deviations, effects of groups and further parameters of the
        likelihood alone are ``reservations``; each is judged by itself in ``trust()``.
        """
        table = self.trust().set_index("quantity")
        nuisance = set(str(self["posterior"].attrs.get("nuisance", "")).split("\n"))
        apart = [name for name in table.index if name.split("[")[0] in nuisance]
        # ``judge`` looks at what weights have, not at what chains have.
        return judge(pd.DataFrame(table).assign(r_hat=np.nan), self.sampling, apart)

    def nuts(
        self,
        draws: int = 1000,
        tune: int = 1000,
        chains: int = 4,
        random_seed: int | None = None,
        **options: Any,
    ) -> xr.DataTree:
        """Run Bambi's own sampler from draws of this fit.

        Parameters
        ----------
        draws, tune, chains : int
        random_seed : int, optional
        **options
            Handed to ``bambi.Model.fit``, such as ``inference_method="nutpie"``.

        Returns
        -------
        xarray.DataTree
            What ``bambi.Model.fit`` returns.

        Raises
        ------
        ArgumentError
            If this is part of a fit, or read from a file, and does not know its model.

        Examples
        --------
        >>> fit.nuts(chains=4, inference_method="nutpie")  # doctest: +SKIP
        """
        from bambi_anova.engine.bambi_fit import sample_bambi

        for name, value in (("draws", draws), ("tune", tune), ("chains", chains)):
            whole_number(name, value)
        if self._fit is None:
            raise ArgumentError(
                "nuts: a fit that was read from a file does not know its model; use "
                "ba.quick(model).nuts(), or model.fit()"
            )
        return sample_bambi(self._fit, draws, tune, chains, random_seed, options)

    def copy(self, *, inherit: bool = True, deep: bool = False) -> QuickFit:
        """Return a copy, as of any DataTree."""
        made = super().copy(inherit=inherit, deep=deep)
        made._fit = self._fit
        return made

    def __copy__(self) -> QuickFit:
        """Return a shallow copy."""
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> QuickFit:
        """Return a deep copy, of the same model."""
        return self.copy(deep=True)

    def __repr__(self) -> str:  # type: ignore[override]
        """Show what it is above the tree."""
        if "sample_stats" not in self:
            return super().__repr__()
        seconds = self.sampling.seconds
        return (
            f"QuickFit by {self.method} in {seconds:.1f} s: {self.verdict!r}\n{super().__repr__()}"
        )


def _chosen(posterior: xr.Dataset, var_names: Sequence[str] | str | None) -> list[str]:
    known = [str(name) for name in posterior]
    if var_names is None:
        return [name for name in known if ROWS not in posterior[name].dims]
    names = [var_names] if isinstance(var_names, str) else list(var_names)
    for name in names:
        if name not in known:
            raise ArgumentError(f"var_names: there is no {name!r}{nearest(str(name), known)}")
    if not names:
        raise ArgumentError("var_names: expected at least one variable, got none")
    return names


def _flat(variable: xr.DataArray) -> Array:
    """Return a variable's draws, shape (C, D, K)."""
    values = variable.transpose("chain", "draw", ...).to_numpy()
    return values.reshape(*values.shape[:2], -1)


def _labels(variable: xr.DataArray) -> list[str]:
    """Return a label for each number of a variable, as ArviZ writes them."""
    dims = [dim for dim in variable.dims if dim not in ("chain", "draw")]
    if not dims:
        return [str(variable.name)]
    levels = [[str(level) for level in variable[dim].to_numpy()] for dim in dims]
    index = pd.MultiIndex.from_product(levels)
    return [f"{variable.name}[{', '.join(row)}]" for row in index]

"""Leave-one-out predictive accuracy: by row, by cell and by unit.

The expected log predictive density (elpd) of what is left out is estimated from one fit by
Pareto-smoothed importance sampling (Vehtari, Gelman & Gabry 2017, doi:10.1007/s11222-016-9696-4).
Its Pareto k says where that fails.  Unit effects that are left out with their rows are integrated
over their distribution (see ``marginal``), so that by unit it is a new unit that is predicted.

Letters: N rows of data, G groups, H chains, D draws, K = H D.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import special

from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.accuracy import trust
from bambi_anova.posterior.importance import FEWEST
from bambi_anova.posterior.once import once
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.summary import diagnose
from bambi_anova.posterior.trust import Verdict, judge, max_pareto_k
from bambi_anova.prediction.grouping import Grouping, grouping
from bambi_anova.prediction.marginal import group_log_likelihoods
from bambi_anova.prediction.predictors import predictor_of
from bambi_anova.prediction.rows import (
    Pieces,
    group_pieces,
    row_pieces,
    total_log_likelihood,
)
from bambi_anova.tables.columns import LOO

if TYPE_CHECKING:
    from arviz_stats.utils import ELPDData

Array = np.ndarray

#: Log-likelihoods that are held at a time: a few times what fits the cache.
LARGEST = 1_000_000


@dataclass(frozen=True, repr=False)
class Loo:
    """Leave-one-out predictive accuracy of one fit.

    Attributes
    ----------
    by : str
        What was left out: "row", "cell" or the name of a unit term.
    table : pandas.DataFrame
        A row for each: its labels, ``rows``, ``elpd``, ``p`` (effective number of parameters),
        ``pareto_k`` and ``trusted``, whether k is at most ``good_k``.
    draws : int
        Posterior draws that were used.
    good_k : float
        Of ``posterior.trust.max_pareto_k``.
    complaints : tuple of str
        What is wrong with the posterior draws of the log-likelihood of all data.
    """

    by: str
    table: pd.DataFrame
    draws: int
    good_k: float
    complaints: tuple[str, ...] = ()

    @property
    def elpd(self) -> float:
        """Sum of the log predictive densities."""
        return float(self.table["elpd"].sum())

    @property
    def se(self) -> float:
        """Standard error of ``elpd``, from the scatter of its terms."""
        return float(np.sqrt(len(self.table) * self.table["elpd"].var(ddof=1)))

    @property
    def p(self) -> float:
        """Effective number of parameters."""
        return float(self.table["p"].sum())

    @property
    def verdict(self) -> Verdict:
        """Equal to "trusted" or "not trusted"; its ``reasons`` say why, in words."""
        bad = int((~self.table["trusted"]).sum())
        if not bad:
            return Verdict(self.complaints)
        worst = self.table["pareto_k"].max()
        return Verdict(
            (
                *self.complaints,
                f"Pareto k up to {worst:.2f} (above {self.good_k:.2f}) for {bad} of "
                f"{len(self.table)} left out by {self.by!r}: leaving them out changes the "
                "posterior too much to be told from one fit; refit without them",
            )
        )

    def to_arviz(self) -> ELPDData:
        """Return the same as ArviZ's ``ELPDData``, for ``arviz.compare`` and its plots."""
        import xarray as xr
        from arviz_stats.utils import ELPDDataLOO

        return ELPDDataLOO(
            elpd=self.elpd,
            se=self.se,
            p=self.p,
            n_samples=self.draws,
            n_data_points=len(self.table),
            scale="log",
            warning=not self.verdict.trusted,
            good_k=self.good_k,
            elpd_i=xr.DataArray(self.table["elpd"].to_numpy(), dims="__obs__"),
            pareto_k=xr.DataArray(self.table["pareto_k"].to_numpy(), dims="__obs__"),
        )

    def __repr__(self) -> str:
        return (
            f"Leave-one-out by {self.by!r}, {len(self.table)} in all\n"
            f"  elpd {self.elpd:.1f} (se {self.se:.1f}), p {self.p:.1f}\n"
            f"  verdict: {self.verdict!r}\n"
            "  by group: table"
        )


def loo(posterior: Posterior, by: str = "row", draws: int | None = None) -> Loo:
    """Estimate how well the model predicts what it has not seen: leave-one-out, by PSIS.

    Parameters
    ----------
    posterior : Posterior
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
    return leave_out(posterior, grouping(posterior.design, by), draws)


def leave_out(posterior: Posterior, groups: Grouping, draws: int | None = None) -> Loo:
    """Predict each group of rows from the others.

    Parameters
    ----------
    posterior : Posterior
    groups : Grouping
    draws : int, optional

    Raises
    ------
    ArgumentError
        If there are too few draws.
    """
    for name in groups.labels:
        if name in LOO:
            raise ArgumentError(
                f"by={groups.name!r}: column {name!r} is one of this table's own; rename it in the "
                "data"
            )
    model, predictor = posterior.specification, predictor_of(posterior, draws)
    size = int(np.prod(predictor.sample_shape))
    if size < FEWEST:
        raise ArgumentError(f"draws: expected {FEWEST} or more, whose tail can be told; got {size}")
    # Effective draws over draws.
    efficiency = trust(posterior)["ess_bulk"].mean() / np.prod(posterior.draws.sample_shape)
    pieces = row_pieces(model) if groups.kind == "row" else group_pieces(model, groups.codes)
    parts = []
    for start, stop in _blocks(pieces, size):
        log = group_log_likelihoods(predictor, pieces.block(start, stop), model)
        shaped = log.reshape(len(log), *predictor.sample_shape)
        parts.append(_smoothed(shaped, min(float(efficiency), 1.0)))
    elpd, k, p = np.concatenate(parts, axis=1)
    good_k = max_pareto_k(size)
    found = pd.DataFrame({"elpd": elpd, "p": p, "pareto_k": k})
    found = found.iloc[_order(pieces, groups)].reset_index(drop=True)
    rows = np.bincount(groups.codes, minlength=len(groups.labels))
    table = pd.concat([groups.labels.assign(rows=rows), found], axis=1)
    table["trusted"] = table["pareto_k"] <= good_k
    return Loo(groups.name, table, size, good_k, _verdict_on_likelihood(posterior).reasons)


@once
def _verdict_on_likelihood(posterior: Posterior) -> Verdict:
    """Judge the draws of the log-likelihood of all data, whatever is left out."""
    total = total_log_likelihood(predictor_of(posterior), posterior.specification)
    worth = diagnose(total[..., None], posterior.sampling.weighting)
    return judge(worth.set_index(pd.Index(["the log-likelihood"])), posterior.sampling)


def _smoothed(log: Array, efficiency: float) -> Array:
    """Return elpd, Pareto k and p of log-likelihoods (G, H, D), in rows of shape (G,)."""
    from arviz_stats.base import array_stats

    try:
        found = np.stack(array_stats.loo(log, r_eff=efficiency))
    except ValueError:  # some tail is copies of one draw: the others go by themselves
        if len(log) > 1:
            return np.hstack([_smoothed(one[None], efficiency) for one in log])
        flat = log.reshape(1, -1)
        size = np.log(flat.shape[1])
        elpd = size - special.logsumexp(-flat, axis=1)
        found = np.stack([elpd, [np.inf], special.logsumexp(flat, axis=1) - size - elpd])
    found[1] = np.where(np.isnan(found[1]), np.inf, found[1])
    return found


def _blocks(pieces: Pieces, draws: int) -> list[tuple[int, int]]:
    """Split the groups into blocks whose log-likelihoods fit into memory."""
    count = int(np.clip(np.ceil(len(pieces.group) * draws / LARGEST), 1, pieces.groups))
    edges = np.linspace(0, pieces.groups, count + 1).round().astype(int)
    return list(pairwise(edges.tolist()))


def _order(pieces: Pieces, groups: Grouping) -> Array:
    """Return the term that each row of the table has."""
    return pieces.of_row if groups.kind == "row" else np.arange(pieces.groups)

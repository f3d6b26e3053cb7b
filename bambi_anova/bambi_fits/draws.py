"""Draws under Bambi's names -> coefficients as plain arrays, and what is known of the draws.

Letters: H chains, D draws, R parallel predictors (of responses with several; else 1), K columns of
a term's expression, J groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bambi_anova.bambi_fits.terms import label
from bambi_anova.errors import ArgumentError, ConvergenceWarning, listing, warn
from bambi_anova.posterior.trust import Sampling

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray

UNKNOWN = (
    "nothing says that these draws are Markov chains: there is no 'diverging' in "
    "idata['sample_stats']. Approximations (vi, laplace) cannot be checked by their draws alone"
)


@dataclass(frozen=True)
class FitDraws:
    """The draws of a model.

    Attributes
    ----------
    model : bambi.Model
    posterior : xarray.Dataset
    sampling : Sampling
    """

    model: Any
    posterior: xr.Dataset
    sampling: Sampling

    @property
    def shape(self) -> tuple[int, int]:
        """Chains and draws (H, D)."""
        return self.posterior.sizes["chain"], self.posterior.sizes["draw"]

    def coefficients(self, term: Any) -> Array:
        """Return those of a common term, shape (R, H, D, K)."""
        return self._read(label(term), [])

    def effects(self, term: Any) -> Array:
        """Return those of a group-specific term, shape (R, H, D, K, J)."""
        name = label(term)
        # Bambi 0.21 has one dimension of all groups, its rewritten core one of each column.
        columns = {f"{part.name}_dim" for part in term.term.factor.components}
        dims = self._variable(name).dims
        groups = [dim for dim in dims if str(dim).endswith("__factor_dim")]
        found = self._read(name, groups or [dim for dim in dims if dim in columns])
        return found.reshape(*found.shape[:3], -1, len(term.term.groups))

    def require_levels(self, term: Any) -> None:
        """Refuse draws whose levels are those of other data.

        Raises
        ------
        ArgumentError
        """
        variable = self._variable(label(term))
        known = [set(map(str, levels)) for levels in getattr(term, "coords", {}).values()]
        for dim in variable.dims if hasattr(term, "coords") else ():
            if not str(dim).endswith("_dim") or dim in self._parallel:
                continue
            found = list(map(str, variable.coords[dim].to_numpy()))
            if set(found) not in known:
                raise ArgumentError(
                    f"idata: {variable.name!r} has the levels {listing(found, 4)}, but the model "
                    "others; pass the draws of the same model, as model.fit() returns them"
                )

    def sds(self, term: Any) -> Array:
        """Return the sds of a group-specific term, shape (R, H, D, K)."""
        alias = getattr(term, "hyperprior_alias", {}).get("sigma", "sigma")
        return self._read(f"{label(term)}_{alias}", [])

    def parameter(self, name: str) -> Array:
        """Return a parameter of the likelihood that has no formula, shape (R, H, D)."""
        own = self.model.marginal_parameters[name]
        if isinstance(own.prior, (int, float)):
            return np.full((1, *self.shape), float(own.prior))
        values = self._variable(label(own)).transpose("chain", "draw", ...).to_numpy()
        return np.moveaxis(values.reshape(*self.shape, -1), -1, 0)

    def _variable(self, name: str) -> xr.DataArray:
        if name not in self.posterior:
            raise ArgumentError(
                f"idata: its posterior has no variable {name!r}, which this model has; pass the "
                "draws of the same model, as model.fit() returns them"
            )
        return self.posterior[name]

    @property
    def _parallel(self) -> list[str]:
        """The dimensions of responses that have several predictors."""
        term = self.model.response_term
        plain = [f"{term.name}_dim", f"{term.name}_dim_reduced"]
        return list(getattr(term, "coords", plain))

    def _read(self, name: str, last: list[Any]) -> Array:
        """Return a variable, parallel predictors first; ``last`` dimensions last."""
        variable = self._variable(name)
        parallel = [dim for dim in self._parallel if dim in variable.dims]
        inner = [dim for dim in variable.dims if dim not in ("chain", "draw", *parallel, *last)]
        values = variable.transpose(*parallel, "chain", "draw", *inner, *last).to_numpy()
        return values.reshape(values.shape[0] if parallel else 1, *self.shape, -1)


def read_draws(model: Any, idata: Any) -> FitDraws:
    """Return the draws of a fit, with what is known of how they came about.

    Parameters
    ----------
    model : bambi.Model
    idata : xarray.DataTree or Posterior
        As ``model.fit()`` returns it; or a fit of this package, whose draws know how they were
        made.

    Raises
    ------
    ArgumentError
        If there are no draws with the dimensions ``chain`` and ``draw`` in it.

    Warns
    -----
    ConvergenceWarning
        If nothing says that they are Markov chains: nothing is trusted then.
    """
    if not hasattr(model, "conditional_parameters"):
        raise ArgumentError(
            f"model: expected a bambi.Model, got {type(model).__name__}; results of ba.Model have "
            "these tables as methods, such as result.contrasts('A')"
        )
    known = getattr(idata, "sampling", None)
    tree = getattr(idata, "idata", idata)
    try:
        posterior = tree["posterior"]
        posterior = posterior.to_dataset() if hasattr(posterior, "to_dataset") else posterior
        sizes = posterior.sizes["chain"], posterior.sizes["draw"]
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ArgumentError(
            f"idata: expected what model.fit() returns, with a group 'posterior' of chains and "
            f"draws, got {type(idata).__name__}; of inference_method='vi' pass approx.sample(1000)"
        ) from error
    if min(sizes) < 1:
        raise ArgumentError("idata: its posterior has no draws")
    return FitDraws(model, posterior, known if isinstance(known, Sampling) else _sampling(tree))


def _sampling(tree: Any) -> Sampling:
    stats = tree.get("sample_stats", {})
    method = str(tree["posterior"].attrs.get("inference_library", "unknown"))
    if "diverging" not in stats:
        warn(ConvergenceWarning(f"no number of these tables is trusted: {UNKNOWN}"))
        return Sampling(method, 0, 0.0, missed=UNKNOWN)
    return Sampling(method, int(stats["diverging"].sum()), 0.0)

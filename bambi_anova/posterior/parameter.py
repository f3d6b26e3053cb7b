"""A further parameter that has a predictor, as if it were what the model is about.

With ``sigma ~ A`` the log of sigma is a sum of effects as the mean is, so that its cell means,
contrasts and deflections are made as the mean's are: the posterior of its predictor is a posterior.
On the link scale it is the log (of psi the logit), and a ratio of sds is the exponential of a
contrast there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.posterior.extract import add_cells
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.variables import of_predictor

if TYPE_CHECKING:
    from bambi_anova.specification import Specification


def of_parameter(posterior: Posterior, name: str | None) -> Posterior:
    """Return the posterior of one predictor; of ``None``, that of the mean as it is.

    Parameters
    ----------
    posterior : Posterior
    name : str, optional
        The parameter, such as "sigma".

    Raises
    ------
    ArgumentError
        If no formula gives that parameter.
    """
    model = posterior.specification
    if name is None or name == model.parent.name:
        return posterior
    if name not in model.predictors:
        raise ArgumentError(_unknown(name, model))
    import xarray as xr

    part = model.part(name)
    groups = {str(key): node.to_dataset() for key, node in posterior.idata.children.items()}
    kept = {key: groups[key] for key in ("sample_stats",) if key in groups}
    own = of_predictor(groups["posterior"], part).assign_attrs(groups["posterior"].attrs)
    found = Posterior(
        part,
        xr.DataTree.from_dict({"posterior": own, **kept}),
        posterior.draws.further[name],
        posterior.sampling,
    )
    add_cells(found)
    return found


def _unknown(name: str, model: Specification) -> str:
    able = [one.name for one in model.family.of_mean.auxiliary if one.predictable is not None]
    if name in able:
        return (
            f"parameter={name!r}: it is the same for all rows of this model; give it a formula, "
            f"such as Model(..., predictors={{{name!r}: 'A'}}), or see Result.summary()"
        )
    return f"parameter={name!r}: no formula gives it{nearest(str(name), list(model.predictors))}"

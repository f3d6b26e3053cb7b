"""Any prior as a distribution: ours where we have it, PyMC's own otherwise."""

from __future__ import annotations

import numpy as np

from bambi_anova.priors.distributions import Distribution, Prior, distribution

Array = np.ndarray


def distribution_of(prior: Prior) -> Distribution:
    """Return a prior's density and draws."""
    own = distribution(prior)
    return own if own is not None else pymc_distribution(prior)


def pymc_distribution(prior: Prior) -> Distribution:
    """Return what PyMC makes of a prior: the definition, which takes a second to compile."""
    import pymc as pm

    custom = getattr(prior.given, "dist", None)

    def variable():
        if custom is None:
            return getattr(pm, prior.name).dist(**prior.args)
        # A callable adds its variable to the model in context, as Bambi calls it.
        return custom("prior", **prior.args)

    def log_density(values: Array) -> Array:
        flat = np.asarray(values, dtype=float)
        with pm.Model(check_bounds=False):
            return pm.logp(variable(), flat).eval()

    def draw(rng: np.random.Generator, size: int) -> Array:
        with pm.Model():
            return pm.draw(variable(), draws=size, random_seed=int(rng.integers(2**31)))

    return Distribution(log_density, draw)

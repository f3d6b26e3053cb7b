"""Hyperparameters of any prior on an unbounded coordinate.

Beside standard deviations (``scales``) a quick fit explores coefficients whose priors are not
normal: they are no latent coordinates, but nothing keeps them from being hyperparameters.  They
have the methods of a ``Scale``.

Letters: any shape for u.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from bambi_anova.engine.latent.scales import make_scale
from bambi_anova.engine.threads import one_at_a_time
from bambi_anova.errors import UnsupportedError
from bambi_anova.priors.distributions import DISTRIBUTIONS, REAL_LINE, Known, LogDensity, Prior

Array = np.ndarray

#: Where a prior is looked at, in its coordinate.
GRID = np.linspace(-40, 40, 1601)
#: Densities that are nowhere a proper prior.
IMPROPER = frozenset({"Flat", "HalfFlat"})


class Hyperparameter(Protocol):
    """What a latent model needs to know of a hyperparameter; ``Scale`` is one."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def log_prior(self) -> LogDensity:
        """Its log prior density, a constant apart."""

    @property
    def log_constant(self) -> float:
        """What ``log_density`` leaves out."""

    def value(self, u: Array) -> Array:
        """Return the parameter at a coordinate."""

    def coordinate(self, value: Array) -> Array:
        """Return the coordinate of the parameter."""

    def log_density(self, u: Array) -> Array:
        """Return the log prior density of the coordinate, a constant apart."""

    def draw(self, rng: np.random.Generator, size: int) -> Array:
        """Return coordinates of prior draws, roughly."""


@dataclass(frozen=True)
class OnTheLine:
    """A parameter on the whole line, moved in units of its prior's spread.

    Attributes
    ----------
    name : str
    log_prior : callable
    centre, spread : float
    log_constant : float
    """

    name: str
    log_prior: LogDensity
    centre: float
    spread: float
    log_constant: float = 0.0

    def value(self, u: Array) -> Array:
        """Return the parameter."""
        return self.centre + self.spread * u

    def coordinate(self, value: Array) -> Array:
        """Return its coordinate."""
        return (value - self.centre) / self.spread

    def log_density(self, u: Array) -> Array:
        """Return the log prior density, a constant apart."""
        return self.log_prior(self.value(u))

    def draw(self, rng: np.random.Generator, size: int) -> Array:
        """Return coordinates of prior draws, roughly."""
        return draw_on_grid(self.log_density, rng, size)


@dataclass(frozen=True)
class ByPymc:
    """A parameter of which only PyMC knows prior and transformation.

    Attributes
    ----------
    name : str
    log_prior : callable
    back, forth : callable
        From the unbounded coordinate to the parameter, and the other way.
    height : callable
        Log density of the coordinate.
    log_constant : float
    """

    name: str
    log_prior: LogDensity
    back: Callable[[Array], Array]
    forth: Callable[[Array], Array]
    height: LogDensity
    log_constant: float = 0.0

    def value(self, u: Array) -> Array:
        """Return the parameter."""
        return self.back(u)

    def coordinate(self, value: Array) -> Array:
        """Return its coordinate."""
        return self.forth(value)

    def log_density(self, u: Array) -> Array:
        """Return the log prior density."""
        return self.height(u)

    def draw(self, rng: np.random.Generator, size: int) -> Array:
        """Return coordinates of prior draws, roughly."""
        return draw_on_grid(self.log_density, rng, size)


def draw_on_grid(log_density: LogDensity, rng: np.random.Generator, size: int) -> Array:
    """Return draws from a density, roughly, by its values on a grid."""
    with np.errstate(all="ignore"):
        height = log_density(GRID)
    height = np.where(np.isfinite(height), height, -np.inf)
    mass = np.cumsum(np.exp(height - height.max()))
    return np.interp(rng.uniform(0.01, 0.99, size), mass / mass[-1], GRID)


def make_hyperparameter(
    name: str, prior: Prior, positive: bool, flat_below: float | None = None
) -> Hyperparameter:
    """Return a hyperparameter with a prior by the name of its PyMC distribution.

    Parameters
    ----------
    name : str
    prior : Prior
    positive : bool
        Whether it must be positive, as standard deviations must.
    flat_below : float, optional
        As of ``make_scale``.

    Raises
    ------
    UnsupportedError
        If the prior is improper, allows what the parameter cannot be, or is no distribution of
        PyMC's.

    Examples
    --------
    >>> one = make_hyperparameter("x", Prior("Cauchy", {"alpha": 1.0, "beta": 2.0}), False)
    >>> one.value(np.array([0.0, 1.0])).tolist()
    [1.0, 3.0]
    """
    if prior.name in IMPROPER:
        raise UnsupportedError(
            f"{name}: the prior {prior.name} is improper, so that there is no marginal likelihood "
            "to weigh draws by; give it a wide Normal"
        )
    if positive and prior.name in REAL_LINE:
        raise UnsupportedError(
            f"{name}: the prior {prior} gives weight to negative values, which it cannot have; "
            f"use one of positive values, such as Half{prior.name} or TruncatedNormal(lower=0)"
        )
    known = _known(prior)
    if known is None or (known.lower == -np.inf) != (prior.name in REAL_LINE):
        return _by_pymc(name, prior)
    if prior.name not in REAL_LINE:
        return make_scale(name, prior, flat_below)
    return _on_the_line(name, known)


def _known(prior: Prior) -> Known | None:
    try:
        return DISTRIBUTIONS[prior.name](**prior.args)
    except (KeyError, TypeError):
        return None


def _on_the_line(name: str, known: Known) -> OnTheLine:
    from scipy import stats  # heavy

    made = getattr(stats, known.scipy)(*known.shapes, loc=known.location, scale=known.scale)
    at = np.array(known.location)
    # Of the density of u, whose unit is the spread.
    constant = float(made.logpdf(at) - known.kernel(at) + np.log(known.scale))
    return OnTheLine(name, known.kernel, float(known.location), float(known.scale), constant)


def _by_pymc(name: str, prior: Prior) -> ByPymc:
    """Return a hyperparameter as PyMC has it, compiled for NumPy."""
    import pymc as pm
    import pytensor
    import pytensor.tensor as pt
    from pytensor.compile.mode import Mode
    from pytensor.graph.replace import vectorize_graph

    known = getattr(pm, prior.name, None)
    if known is None:
        raise UnsupportedError(f"{name}: PyMC has no distribution {prior.name!r}")
    try:
        with pm.Model(check_bounds=False) as model:
            variable = known("value", **prior.args)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise UnsupportedError(f"{name}: PyMC refuses the prior {prior} ({error})") from None
    if model.discrete_value_vars:
        raise UnsupportedError(f"{name}: the prior {prior} is of whole numbers")
    (unbounded,) = model.value_vars
    transform = model.rvs_to_transforms[variable]
    inputs = variable.owner.inputs
    value = unbounded if transform is None else transform.backward(unbounded, *inputs)
    bounded = pt.dscalar("bounded")
    back = bounded if transform is None else transform.forward(bounded, *inputs)

    def compiled(variable: Any, output: Any) -> Callable[[Array], Array]:
        many = pt.dvector("many")
        found = vectorize_graph(output, {variable: many}) if output is not variable else many
        function = one_at_a_time(pytensor.function([many], found, mode=Mode("py", "fast_compile")))

        def call(values: Array) -> Array:
            flat = np.asarray(values, dtype=float)
            with np.errstate(all="ignore"):
                return np.asarray(function(flat.ravel())).reshape(flat.shape)

        return call

    return ByPymc(
        name,
        compiled(bounded, pm.logp(variable, bounded)),
        back=compiled(unbounded, value),
        forth=compiled(bounded, back),
        height=compiled(unbounded, model.logp(jacobian=True)),
    )

"""Likelihoods made of a Bambi family's own PyMC distribution, by symbolic differentiation.

Whatever family Bambi has, its log density as a function of the linear predictors of a row, the
gradient and the second derivatives are derived from the distribution itself and compiled once a
process; numba keeps what it compiled on disk.  Hand-written likelihoods are faster and know their
far ends better; this is for families without one, and for parameters that get a predictor of
their own.

Unlike those of hand-written likelihoods these logs leave nothing out.

Letters: M rows, G columns (settings of the hyperparameters, or draws), K linear predictors a row.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from bambi_anova.errors import ArgumentError, UnsupportedError
from bambi_anova.families.likelihood import Auxiliary, Derivatives, Likelihood, Observed, pairs
from bambi_anova.families.parameters import Further

if TYPE_CHECKING:
    import bambi as bmb

Array = np.ndarray

#: Predictors beyond which inverse links overflow.
FAR = 300.0
#: Where predictors of further parameters are looked for, to start from.
PLACES = np.linspace(-8, 8, 33)[:, None]
#: Of predictors, where second derivatives are differences of the first ones.
STEP = 1e-4


@dataclass(frozen=True)
class GeneratedRows:
    """The log density of rows as a function of their predictors, with its derivatives.

    Attributes
    ----------
    predicted : tuple of str
        The K parameters that predictors give, the parent first.
    further : tuple of str
        The other parameters, each the same for all rows, on their own scales.
    links : tuple of str
        The links of the predicted ones.
    value, derived : callable
        (y, trials, *predictors, *further) -> the log density, and a list of its first and then,
        for each pair k <= l, second derivatives; of arrays that broadcast to (M, G).
    """

    predicted: tuple[str, ...]
    further: tuple[str, ...]
    links: tuple[str, ...]
    value: Callable[..., Array]
    derived: Callable[..., list[Array]]
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def make(self, data: Observed):
        """Return log-likelihood and derivatives of some rows, as ``base.MakeRows`` says.

        Predictors have the shape (M, G), or (K, M, G) if there are several.
        """

        def log(eta: Array, aux: Auxiliary) -> Array:
            found = self._call(self.value, eta, data, aux)
            return data.n * np.where(np.isnan(found), -np.inf, found)

        def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
            count = len(self.predicted)
            found = [
                np.broadcast_to(np.nan_to_num(part, posinf=0.0, neginf=0.0), eta.shape[-2:])
                for part in self._call(self.derived, eta, data, aux)
            ]
            gradient = data.n * np.stack(found[:count])
            second = np.empty((count, count, *eta.shape[-2:]))
            for (k, j), part in zip(pairs(count), found[count:], strict=True):
                second[k, j] = second[j, k] = -data.n * part
            observed = second[0, 0].copy() if count == 1 else None
            return Derivatives(gradient, _without_negative(second), observed)

        return log, derivatives

    def start(self, data: Observed) -> Array:
        """Return predictors to start from, shape (K, M, 1): the parent's of the response itself.

        Those of other parameters are the same for all rows: the likeliest of some, one by one,
        while the parent is at its middle.
        """
        own = _FORWARD[self.links[0]](data)
        eta = np.concatenate([np.full((1, len(own), 1), np.median(own))] * len(self.links))
        eta[1:] = 0.0
        log, _ = self.make(data)
        ones = {name: np.ones(len(PLACES)) for name in self.further}
        for k in range(1, len(eta)):
            tried = np.repeat(eta, len(PLACES), axis=2)
            tried[k] = PLACES.T
            eta[k] = PLACES[int(np.nanargmax(log(tried, ones).sum(axis=0)))]
        eta[0] = own
        return eta

    def likelihood(self, data: Observed, auxiliary: tuple[Further, ...] = ()) -> Likelihood:
        """Return the likelihood of some rows, whose predictors stand one after the other."""
        log, derivatives = self.make(data)
        count, rows = len(self.predicted), len(data.y)

        def shaped(eta: Array) -> Array:
            return eta if count == 1 else eta.reshape(count, rows, eta.shape[1])

        return Likelihood(
            data,
            lambda eta, aux: log(shaped(eta), aux),
            lambda eta, aux: derivatives(shaped(eta), aux),
            lambda: self.start(data).reshape(count * rows, 1),
            auxiliary,
            predictors=count,
        )

    def _call(self, function: Callable, eta: Array, data: Observed, aux: Auxiliary) -> Any:
        stacked = eta[None] if eta.ndim == 2 else eta
        predictors = [
            one if link == "identity" else np.clip(one, -FAR, FAR)
            for one, link in zip(stacked, self.links, strict=True)
        ]
        size = eta.shape[-1]
        others = [np.broadcast_to(np.asarray(aux[name], float), size) for name in self.further]
        with self._lock, np.errstate(all="ignore"):  # compiled functions have one storage each
            return function(data.y, data.trials, *predictors, *(one[None] for one in others))


def generated_rows(
    family: bmb.Family | str, predicted: Sequence[str] = (), links: Sequence[str] = ()
) -> GeneratedRows:
    """Return the rows of a Bambi family, compiled when they are first asked for.

    Parameters
    ----------
    family : bambi.Family or str
        One of Bambi's, by its name there, or one of the user's.
    predicted : sequence of str
        The parameters that have predictors, the parent first; by default the parent alone.
    links : sequence of str
        Their links; by default the family's own.

    Raises
    ------
    ArgumentError
        If the family has no such parameter.
    UnsupportedError
        If a row's density depends on more than single numbers: a vector of thresholds, or of
        categories; if a link is not known, or the distribution cannot be differentiated.

    Examples
    --------
    >>> rows = generated_rows("laplace", ["mu"])
    >>> rows.further, rows.links
    (('b',), ('identity',))
    """
    from bambi.defaults import get_builtin_family

    made = get_builtin_family(family) if isinstance(family, str) else family
    likelihood = made.likelihood
    names = tuple(predicted) or (likelihood.parent,)
    for name in names:
        if name not in likelihood.params:
            raise ArgumentError(
                f"family {made.name!r} has no parameter {name!r}; expected some of "
                f"{', '.join(likelihood.params)}"
            )
    own = tuple(links) or tuple(made.link[name].name for name in names)
    kind: Any = type(made)
    return _compiled(kind, likelihood.name, likelihood.dist, tuple(likelihood.params), names, own)


@lru_cache(maxsize=64)
def _compiled(
    kind: type, name: str, given: Any, params: tuple[str, ...], names: tuple[str, ...],
    links: tuple[str, ...],
) -> GeneratedRows:  # fmt: skip
    import pymc as pm
    import pytensor.tensor as pt
    from pytensor.graph.utils import MethodNotDefined

    not_derived = (NotImplementedError, MethodNotDefined)
    further = tuple(one for one in params if one not in names)
    y, trials = (pt.tensor(one, shape=(None, 1), dtype="float64") for one in ("y", "trials"))
    predictors = [pt.matrix(f"eta_{one}", dtype="float64") for one in names]
    others = [pt.tensor(one, shape=(1, None), dtype="float64") for one in further]
    _require_single_numbers(kind)
    inverses = _inverses()
    for link in links:
        if link not in inverses:
            raise UnsupportedError(
                f"link {link!r}: expected one of {', '.join(map(repr, inverses))}"
            )
    values = {
        one: inverses[link](eta) for one, link, eta in zip(names, links, predictors, strict=True)
    }
    density: Any = _log_density(
        kind, name, given, values | dict(zip(further, others, strict=True)), y, trials
    )
    inputs = [y, trials, *predictors, *others]

    def compiled(outputs: Any) -> Callable:
        with warnings.catch_warnings():  # some functions have no compiled form
            warnings.simplefilter("ignore", UserWarning)
            return pm.pytensorf.compile(inputs, outputs, on_unused_input="ignore")

    # Rows depend on their own predictors alone, so that the derivatives of a sum are theirs.
    try:
        first: Any = pt.grad(density.sum(), predictors)
    except not_derived as error:
        raise UnsupportedError(
            f"the distribution {name} cannot be differentiated in {', '.join(names)}: {error}"
        ) from None
    try:
        second: list[Any] = []
        for k, slope in enumerate(first):
            found: Any = pt.grad(
                slope.sum(),
                predictors[k:],
                disconnected_inputs="ignore",
                return_disconnected="zero",
            )
            second += found
        derived = compiled([*first, *second])
    except not_derived:  # of Bessel and incomplete beta functions
        derived = _by_differences(compiled(first), len(names))
    return GeneratedRows(names, further, links, compiled(density), derived)


def _by_differences(first: Callable, count: int) -> Callable[..., list[Array]]:
    """Return a function that adds second derivatives to the first ones of K predictors."""

    def derived(y: Array, trials: Array, *given: Array) -> list[Array]:
        def moved(k: int, step: float) -> list[Array]:
            return first(y, trials, *given[:k], given[k] + step, *given[k + 1 :])

        second = []
        for k in range(count):
            sides = zip(moved(k, STEP)[k:], moved(k, -STEP)[k:], strict=True)
            second += [(up - down) / (2 * STEP) for up, down in sides]
        return [*first(y, trials, *given), *second]

    return derived


def _require_single_numbers(kind: type) -> None:
    if hasattr(kind, "transform_backend_eta") or getattr(kind, "KIND", "") == "Multivariate":
        raise UnsupportedError(
            f"family {kind.__name__}: a likelihood is made of a distribution whose rows depend on "
            "single numbers, not of one with thresholds or categories"
        )


def _log_density(
    kind: type, name: str, given: Any, parameters: dict[str, Any], y: Any, trials: Any
) -> Any:
    """Return the log density of each row as Bambi's backend makes it of parameters by name."""
    import pymc as pm
    from bambi.backend.utils import get_distribution
    from bambi.families.univariate import BinomialBaseFamily

    written = dict(parameters)
    if issubclass(kind, BinomialBaseFamily):
        written = getattr(kind, "transform_kwargs", dict)(written) | {"n": trials}
    elif hasattr(kind, "transform_backend_kwargs"):
        written = kind.transform_backend_kwargs(written)
    distribution = given or get_distribution(name)
    return pm.logp(distribution.dist(**written), y)


@lru_cache(maxsize=1)
def _inverses() -> dict[str, Callable]:
    """Return the inverse links; Bambi's, but for its bounds on probabilities, which are flat."""
    import pytensor.tensor as pt

    return {
        "identity": lambda eta: eta,
        "log": pt.exp,
        "logit": pt.sigmoid,
        "probit": lambda eta: pt.erfc(-eta / np.sqrt(2)) / 2,
        "cloglog": lambda eta: -pt.expm1(-pt.exp(eta)),
        "inverse": lambda eta: 1 / eta,
        "inverse_squared": lambda eta: 1 / pt.sqrt(eta),
    }


def _rate(data: Observed) -> Array:
    return (data.y + 0.5) / (data.trials + 1)


def _above_zero(data: Observed) -> Array:
    positive = data.y[data.y > 0]
    return np.where(data.y > 0, data.y, positive.min(initial=1.0) / 2)


#: From a row to the parent's predictor that suits it, about, by the link.
_FORWARD: dict[str, Callable[[Observed], Array]] = {
    "identity": lambda data: data.y,
    "log": lambda data: np.log(_above_zero(data)),
    "logit": lambda data: np.log(_rate(data)) - np.log1p(-_rate(data)),
    "probit": lambda data: (np.log(_rate(data)) - np.log1p(-_rate(data))) / 1.6,
    "cloglog": lambda data: np.log(-np.log1p(-_rate(data))),
    "inverse": lambda data: 1 / _above_zero(data),
    "inverse_squared": lambda data: 1 / _above_zero(data) ** 2,
}


def _without_negative(second: Array) -> Array:
    """Return symmetric matrices (K, K, M, G) without their negative parts."""
    if len(second) == 1:
        return np.maximum(second, 0.0)
    bent = np.moveaxis(second, (0, 1), (-2, -1))
    values, vectors = np.linalg.eigh(bent)
    wrong = values[..., 0] < 0
    if wrong.any():
        turned = vectors[wrong]
        bent[wrong] = (turned * np.maximum(values[wrong], 0.0)[:, None]) @ turned.swapaxes(1, 2)
    return np.moveaxis(bent, (-2, -1), (0, 1))

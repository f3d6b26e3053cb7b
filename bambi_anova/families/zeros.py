"""Counts with zeros of their own: with probability psi a count is none of these.

- Zero-inflated: with probability psi a count follows f, which may be zero too; else it is zero.
- Hurdle: with probability psi a count follows f given that it is not zero; else it is zero.

The base's rows at zero give log f(0) = l, with slope g and curvature h in the predictor, and with
them all that zeros need: of zero-inflated rows r = psi f(0) / (1 - psi + psi f(0)) is the
probability that a zero is the base's; of hurdle rows q = f(0) / (1 - f(0)).

Letters: M rows, G columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bambi_anova.families.base import Family, ResponseScale, RowLikelihood, builtin
from bambi_anova.families.binomial import BINOMIAL
from bambi_anova.families.likelihood import Auxiliary, Derivatives, Observed, Parameters
from bambi_anova.families.links import Link
from bambi_anova.families.negativebinomial import NEGATIVE_BINOMIAL
from bambi_anova.families.parameters import Further, Predicted, predicted_probability
from bambi_anova.families.poisson import POISSON
from bambi_anova.families.sufficient import WEIGHTS, Collapsed
from bambi_anova.families.values import ResponseValues
from bambi_anova.priors.distributions import Prior

Array = np.ndarray

#: The curvature of rows that say nothing of the predictor.
NOTHING = 1e-12
#: Times that zeros of the base are drawn anew; what is left then is all but certain to be one.
ROUNDS = 200


def _one_by_one(keys: Sequence[Array], response: ResponseValues, offset: Array | None) -> Collapsed:
    """Count rows alike; those that only share their predictors stay apart, trials or not."""
    return replace(WEIGHTS.merge(keys, response, offset), alike=None)


SINGLE = replace(WEIGHTS, merge=_one_by_one)


@dataclass(frozen=True)
class Base:
    """The distribution of counts that are no zeros of their own.

    Attributes
    ----------
    family : Family
        Its rows are observations of one each.
    link : Link
    information : callable
        (mean, data, auxiliary) -> Fisher information about the predictor, given the base's
        parameter of shape (M, G).
    """

    family: Family
    link: Link
    information: Callable[[Array, Observed, Auxiliary], Array]

    @property
    def form(self) -> RowLikelihood:
        """The likelihood of its rows."""
        return self.family.form((self.link,))

    def parts(self, data: Observed):
        """Return the likelihoods of the rows as they are, and as if they were zero."""
        single = replace(data, n=np.ones_like(data.n))
        none = replace(single, y=np.zeros_like(data.y))
        return self.form.make(single), self.form.make(none)

    def expected(self, eta: Array, data: Observed, aux: Auxiliary) -> Array:
        """Return the Fisher information about the predictor, shape (M, G)."""
        return self.information(self.link.inverse(np.minimum(eta, 300)), data, aux)

    def zero(self, parameters: Parameters, rows: Collapsed) -> Array:
        """Return the log of f(0)."""
        assert self.family.tails is not None  # for the type checker; the bases have them
        none = replace(rows, values=np.zeros(len(rows.values)))
        return np.log1p(-self.family.tails(parameters, none)[1])


def _inflated(base: Base, data: Observed):
    (log_base, slopes), (log_zero, at_zero) = base.parts(data)
    zero = data.y == 0

    def log(eta: Array, aux: Auxiliary) -> Array:
        psi = aux["psi"]
        with np.errstate(divide="ignore"):
            none = np.log(1 - psi + psi * np.exp(log_zero(eta, aux)))
            return data.n * np.where(zero, none, np.log(psi) + log_base(eta, aux))

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        psi, own, none = aux["psi"], slopes(eta, aux), at_zero(eta, aux)
        f = np.exp(log_zero(eta, aux))
        total = 1 - psi + psi * f
        r = np.where(total > 0, psi * f / np.where(total > 0, total, 1.0), 1.0)
        bend = (1 - r) * none.slope**2
        expected = np.maximum(psi * (base.expected(eta, data, aux) - f * bend), NOTHING)
        observed = np.where(zero, r * (none.curvature - bend), own.curvature)
        return Derivatives.of_one(
            data.n * np.where(zero, r * none.slope, own.slope),
            data.n * expected,
            data.n * observed,
        )

    return log, derivatives


def _hurdle(base: Base, data: Observed):
    (log_base, slopes), (log_zero, at_zero) = base.parts(data)
    zero = data.y == 0

    def log(eta: Array, aux: Auxiliary) -> Array:
        psi = aux["psi"]
        with np.errstate(divide="ignore"):
            some = np.log(psi) + log_base(eta, aux) - np.log(-np.expm1(log_zero(eta, aux)))
            return data.n * np.where(zero, np.log1p(-psi), some)

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        own, none, f = slopes(eta, aux), at_zero(eta, aux), log_zero(eta, aux)
        some = -np.expm1(f)
        q = np.exp(f) / some
        curvature = base.expected(eta, data, aux) / some - q * (1 + q) * none.slope**2
        return Derivatives.of_one(
            data.n * np.where(zero, 0.0, own.slope + q * none.slope),
            data.n * np.where(zero, NOTHING, np.maximum(curvature, NOTHING)),
        )

    return log, derivatives


def _compiled_inflated(base: Base):
    from math import exp, log

    from bambi_anova.families.compiled import CompiledRow, jit

    assert base.form.compiled is not None  # for the type checker; the bases have them
    one = base.form.compiled().row
    scattered = bool(base.family.auxiliary)

    @jit
    def row(eta, y, trials, n, within, first, second, entries, ends, m, size):
        psi = second if scattered else first
        at = y if y > 0 else 0.0
        value, slope, by, _ = one(eta, at, trials, 1.0, within, first, 0.0, entries, ends, m, size)
        if y > 0:
            by_psi = n / psi
            value += log(psi)
        else:
            f = exp(value)
            total = 1 - psi + psi * f
            by_psi = n * (f - 1) / total
            value, slope, by = log(total), psi * f / total * slope, psi * f / total * by
        if scattered:
            return n * value, n * slope, n * by, by_psi
        return n * value, n * slope, by_psi, 0.0

    return CompiledRow(row)


def _compiled_hurdle(base: Base):
    from math import exp, expm1, log, log1p

    from bambi_anova.families.compiled import CompiledRow, jit

    assert base.form.compiled is not None  # for the type checker; the bases have them
    one = base.form.compiled().row
    scattered = bool(base.family.auxiliary)

    @jit
    def row(eta, y, trials, n, within, first, second, entries, ends, m, size):
        psi = second if scattered else first
        if y > 0:
            value, slope, by, _ = one(
                eta, y, trials, 1.0, within, first, 0.0, entries, ends, m, size
            )
            f, g, by_zero, _ = one(
                eta, 0.0, trials, 1.0, within, first, 0.0, entries, ends, m, size
            )
            some = -expm1(f)
            q = exp(f) / some
            value += log(psi) - log(some)
            slope += q * g
            by += q * by_zero
            by_psi = n / psi
        else:
            value, slope, by, by_psi = log1p(-psi), 0.0, 0.0, -n / (1 - psi)
        if scattered:
            return n * value, n * slope, n * by, by_psi
        return n * value, n * slope, by_psi, 0.0

    return CompiledRow(row)


def _replicate_inflated(
    base: Base, parameters: Parameters, rows: Collapsed, rng: np.random.Generator
) -> Array:
    drawn = base.family.replicate(parameters, rows, rng)
    return np.where(rng.uniform(size=drawn.shape) < parameters["psi"], drawn, 0.0)


def _replicate_hurdle(
    base: Base, parameters: Parameters, rows: Collapsed, rng: np.random.Generator
) -> Array:
    drawn = base.family.replicate(parameters, rows, rng)
    shaped = {name: np.broadcast_to(value, drawn.shape) for name, value in parameters.items()}
    for _ in range(ROUNDS):
        left = drawn == 0
        if not left.any():
            break
        own = {name: value[left][None] for name, value in shaped.items()}
        drawn[left] = base.family.replicate(own, rows, rng)[0]
    drawn[drawn == 0] = 1.0
    return np.where(rng.uniform(size=drawn.shape) < parameters["psi"], drawn, 0.0)


def _tails_inflated(base: Base, parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
    assert base.family.tails is not None  # for the type checker; the bases have them
    psi = parameters["psi"]
    below, above = base.family.tails(parameters, rows)
    return np.where(rows.values > 0, 1 - psi + psi * below, 0.0), psi * above


def _tails_hurdle(base: Base, parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
    assert base.family.tails is not None  # for the type checker; the bases have them
    psi, (below, above) = parameters["psi"], base.family.tails(parameters, rows)
    zero = base.zero(parameters, rows)
    some, positive = -np.expm1(zero), rows.values > 0
    below = np.where(positive, 1 - psi + psi * (below - np.exp(zero)) / some, 0.0)
    return below, np.where(positive, psi * above / some, psi)


def _inflated_zero(base: Base, parameters: Parameters) -> Array:
    psi = parameters["psi"]
    assert base.family.zero is not None  # for the type checker; counts have one
    return 1 - psi + psi * base.family.zero.value(parameters)


def _hurdle_zero(parameters: Parameters) -> Array:
    return 1 - parameters["psi"] + np.zeros_like(parameters["mu"])


def _inflated_mean(base: Base, parameters: Parameters) -> Array:
    return parameters["psi"] * base.family.scale.value(parameters)


def _hurdle_mean(log_zero: Callable[[Parameters], Array], parameters: Parameters) -> Array:
    return parameters["psi"] * parameters["mu"] / -np.expm1(log_zero(parameters))


def _poisson_zero(parameters: Parameters) -> Array:
    return -parameters["mu"]


def _negative_zero(parameters: Parameters) -> Array:
    return -parameters["alpha"] * np.log1p(parameters["mu"] / parameters["alpha"])


POISSON_BASE = Base(POISSON, POISSON.parent.links[0], lambda mean, data, aux: mean)
NEGATIVE_BASE = Base(
    NEGATIVE_BINOMIAL,
    NEGATIVE_BINOMIAL.parent.links[0],
    lambda mean, data, aux: 1 / (1 / mean + 1 / aux["alpha"]),
)
BINOMIAL_BASE = Base(
    BINOMIAL,
    BINOMIAL.parent.links[0],
    lambda rate, data, aux: data.trials * rate * (1 - rate),
)
PSI = Further(
    "psi",
    lambda response: Prior("Beta", {"alpha": 2.0, "beta": 2.0}),
    "the probability psi of not being a zero apart",
    most=1.0,
    predictable=predicted_probability("probability of not being a zero apart"),
)


def _family(name: str, base: Base, **parts) -> Family:
    """Return a family of counts with zeros of their own; what is not named is the base's."""
    own, parent = base.family, base.family.parent
    return replace(
        own,
        name=name,
        predicted=(Predicted(parent.name, (base.link,), word=parent.word),),
        collapse=SINGLE,
        bambi=builtin(name),
        auxiliary=(*own.auxiliary, PSI),
        latent=False,
        overdispersed="",
        instead={},
        **parts,
    )


def zero_inflated(name: str, base: Base) -> Family:
    """Return the zero-inflated family of a base."""
    form = RowLikelihood(partial(_inflated, base), partial(_compiled_inflated, base))
    word = "probability" if base.family.response.trials else "mean count"
    return _family(
        name,
        base,
        scale=ResponseScale(partial(_inflated_mean, base), word),
        zero=(
            None
            if base.family.zero is None
            else ResponseScale(partial(_inflated_zero, base), "probability of zero", False)
        ),
        likelihoods={(base.link.name,): form},
        replicate=partial(_replicate_inflated, base),
        tails=partial(_tails_inflated, base),
    )


def hurdle(name: str, base: Base, log_zero: Callable[[Parameters], Array]) -> Family:
    """Return the hurdle family of a base."""
    form = RowLikelihood(partial(_hurdle, base), partial(_compiled_hurdle, base))
    return _family(
        name,
        base,
        scale=ResponseScale(partial(_hurdle_mean, log_zero), "mean count", affine=False),
        zero=ResponseScale(_hurdle_zero, "probability of zero"),
        likelihoods={(base.link.name,): form},
        replicate=partial(_replicate_hurdle, base),
        tails=partial(_tails_hurdle, base),
    )


ZERO_INFLATED_POISSON = zero_inflated("zero_inflated_poisson", POISSON_BASE)
ZERO_INFLATED_NEGATIVE_BINOMIAL = zero_inflated("zero_inflated_negativebinomial", NEGATIVE_BASE)
ZERO_INFLATED_BINOMIAL = zero_inflated("zero_inflated_binomial", BINOMIAL_BASE)
HURDLE_POISSON = hurdle("hurdle_poisson", POISSON_BASE, _poisson_zero)
HURDLE_NEGATIVE_BINOMIAL = hurdle("hurdle_negativebinomial", NEGATIVE_BASE, _negative_zero)

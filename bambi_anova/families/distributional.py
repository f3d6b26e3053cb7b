"""Families in which a formula gives further parameters a linear predictor of their own.

``y ~ A; sigma ~ A`` makes sigma a second predicted parameter of the family.  Its likelihood is that
of the family itself, at the parameter of each row; what is new are the derivatives in the second
predictor e.  Normal rows have theirs in closed form.  Others take differences of the family's own
log-likelihood l and of its slope, and their information is about its expectation: with a parameter
exp(e) and a power p in which the log-likelihood bends evenly, as sigma^-2 is for normal rows, the
score in e^(p e) is left out of

    -d^2 l / d e^2 + p d l / d e    and    -d^2 l / d eta d e + p d l / d eta,

as its expectation is zero.  For normal, gamma and beta rows the response then drops out of it.

Letters: M sufficient rows, G columns, K linear predictors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bambi_anova.errors import FormulaError, nearest
from bambi_anova.families.base import (
    THRESHOLD,
    Family,
    MakeRows,
    ResponseScale,
    RowLikelihood,
)
from bambi_anova.families.geometry import SCATTER
from bambi_anova.families.likelihood import Auxiliary, Derivatives, Observed
from bambi_anova.families.links import Link
from bambi_anova.families.parameters import Further, Predictable, Predicted

Array = np.ndarray

#: Steps of the differences, in the second predictor.
STEP = 2e-3
#: The least information of a row about a predictor, and the most that two share.
LEAST, SHARED = 1e-6, 0.9
#: What is the same for all rows, why, and what to do instead.
SAME_FOR_ALL = {
    THRESHOLD: (
        "items and people share their thresholds. Items that are rated higher as a whole are "
        "(1|item) in the formula of the response, and a predictor may act differently on them by "
        "(1|item:A); items whose categories lie apart in other ways are fitted one by one, "
        "fit_many(formula, data, by='item')"
    ),
    "shift": (
        "it lies below every time, and where it may move with the rows the quickest times alone "
        "would tell it. People who differ in speed are Error(s) in the formula of the response; "
        "for shifts of their own fit them one by one, fit_many(formula, data, by='s'), or take "
        "family='exgaussian', which has no shift"
    ),
}
#: Beyond it no parameter counts as a number.
FARTHEST = 300.0


def with_predictors(family: Family, names: Sequence[str]) -> Family:
    """Return a family in which further parameters have predictors.

    Raises
    ------
    FormulaError
        If a name is no such parameter of the family.
    """
    if not names:
        return family
    own = {one.name: one for one in family.auxiliary}
    parts = [_Part.of(own[_known(name, family)]) for name in names]
    links = tuple(part.link.name for part in parts)
    return replace(
        family,
        predicted=(family.parent, *(part.predicted for part in parts)),
        auxiliary=tuple(one for one in family.auxiliary if one.name not in names),
        likelihoods={
            (*parent, *links): _of_rows(form, family, parts)
            for parent, form in family.likelihoods.items()
        },
        overdispersed="",
        always=(),
        plain=family,
    )


def mean_depends_on(family: Family, name: str) -> bool:
    """Whether what stands on the response scale changes with a further parameter.

    Examples
    --------
    >>> from bambi_anova.families.registry import get_family
    >>> mean_depends_on(get_family("lognormal"), "sigma"), mean_depends_on(get_family("t"), "sigma")
    (True, False)
    """
    parameters = {one: np.array(0.3) for one in family.of_mean.parameters}
    low, high = (family.scale.value({**parameters, name: np.array(v)}) for v in (0.4, 0.6))
    return bool(low != high)


def _known(name: str, family: Family) -> str:
    able = [one.name for one in family.auxiliary if one.predictable is not None]
    if name in able:
        return name
    what = f"{name} ~ ...: no parameter of family={family.name!r} that a formula can predict"
    asked = THRESHOLD if name.startswith(THRESHOLD) and family.thresholds else name
    if asked in SAME_FOR_ALL and (asked == THRESHOLD or name in family.parameters):
        raise FormulaError(f"{what}: {SAME_FOR_ALL[asked]}")
    if not able:
        raise FormulaError(f"{what}; it has none")
    raise FormulaError(f"{what}{nearest(name, able)}")


def predictor_family(family: Family, name: str) -> Family:
    """Return a predicted parameter as if it were the response's mean: for tables about it.

    It has no likelihood of its own.
    """
    own = next(one for one in family.predicted if one.name == name)
    return replace(
        family,
        response=replace(family.response, geometry=SCATTER, counts=False),
        predicted=(own,),
        scale=ResponseScale(lambda parameters: parameters[name], word=own.word),
        likelihoods={},
        plain=None,
        auxiliary=(),
        residual="",
        normal=False,
        symmetric=False,
        latent=False,
        thresholds=(),
        intercept=True,
        categories=None,
        always=(),
        tails=None,
        instead={},
    )


def predictable(family: Family, name: str) -> Predictable:
    """Return how a parameter of a family takes a predictor."""
    found = next(one.predictable for one in family.auxiliary if one.name == name)
    assert found is not None  # for the type checker
    return found


@dataclass(frozen=True)
class _Part:
    """A further parameter with a predictor.

    Attributes
    ----------
    predicted : Predicted
    power : float
        p.
    """

    predicted: Predicted
    power: float

    @classmethod
    def of(cls, one: Further) -> _Part:
        assert one.predictable is not None  # for the type checker
        return cls(Predicted(one.name, (one.predictable.link,), one.predictable.word), one.power)

    @property
    def name(self) -> str:
        return self.predicted.name

    @property
    def link(self) -> Link:
        return self.predicted.links[0]

    def value(self, eta: Array) -> Array:
        """Return the parameter; what a long Newton step proposes stays a number."""
        return self.link.inverse(np.clip(eta, -FARTHEST, FARTHEST))


def _of_rows(form: RowLikelihood, family: Family, parts: Sequence[_Part]) -> RowLikelihood:
    """Return a family's likelihood in its predictor and those of further parameters."""
    names = tuple(part.name for part in parts)
    exact = form.predicted.get(names)
    unit = partial(_unit, form, family, parts)
    if exact is not None:
        return RowLikelihood(_stacked(exact, len(parts)), unit_at=unit)
    return RowLikelihood(_stacked(partial(_by_differences, form, parts), len(parts)), unit_at=unit)


def _stacked(make: MakeRows, further: int) -> MakeRows:
    """Return rows of predictors (K M, G), from rows of predictors (K, M, G)."""

    def made(data: Observed):
        log, derivatives = make(data)

        def split(eta: Array) -> Array:
            return eta.reshape(1 + further, -1, eta.shape[-1])

        return (
            lambda eta, aux: log(split(eta), aux),
            lambda eta, aux: derivatives(split(eta), aux),
        )

    return made


def _unit(
    form: RowLikelihood, family: Family, parts: Sequence[_Part], eta: Array, aux: Auxiliary
) -> Array:
    """Return what counts as one in each predictor, shape (K M, G)."""
    first, *rest = eta.reshape(1 + len(parts), -1, eta.shape[-1])
    own = {part.name: part.value(one) for part, one in zip(parts, rest, strict=True)}
    straight = family.residual in own and family.parent.links[0].name == "identity"
    unit = own[family.residual] if straight else form.unit({**aux, **own})
    return np.concatenate([np.broadcast_to(unit, first.shape), *(np.ones_like(e) for e in rest)])


def _by_differences(form: RowLikelihood, parts: Sequence[_Part], data: Observed):
    """Return log-likelihood and derivatives in predictors (K, M, G), by differences."""
    log_rows, slopes = form.make(data)

    def with_own(eta: Array, aux: Auxiliary, shifts: Mapping[int, float]) -> dict[str, Array]:
        own = {
            part.name: part.value(eta[1 + k] + shifts.get(k, 0.0)) for k, part in enumerate(parts)
        }
        return {**aux, **own}

    def log(eta: Array, aux: Auxiliary) -> Array:
        return log_rows(eta[0], with_own(eta, aux, {}))

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        here = with_own(eta, aux, {})
        first, middle = slopes(eta[0], here), log_rows(eta[0], here)
        gradient, information = [first.slope], np.zeros((len(eta), *eta.shape))
        information[0, 0] = first.curvature
        for k, part in enumerate(parts):
            low, high = (with_own(eta, aux, {k: step}) for step in (-STEP, STEP))
            below, above = (log_rows(eta[0], own) for own in (low, high))
            slope = (above - below) / (2 * STEP)
            bend = (above + below - 2 * middle) / STEP**2
            mixed = (slopes(eta[0], high).slope - slopes(eta[0], low).slope) / (2 * STEP)
            own = np.maximum(part.power * slope - bend, LEAST)
            most = SHARED * np.sqrt(own * first.curvature) / len(parts)
            gradient.append(slope)
            information[1 + k, 1 + k] = own
            information[0, 1 + k] = np.clip(part.power * first.slope - mixed, -most, most)
            information[1 + k, 0] = information[0, 1 + k]
        return Derivatives(np.array(gradient), information)

    return log, derivatives

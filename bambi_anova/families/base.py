"""What a family must say.

A family is one file and one line of the registry: its file makes one ``Family`` of what this page
lists, and whatever is missing or does not fit together is an error when it is registered.

Letters: N rows of data, M sufficient rows, G columns (settings or draws), K linear predictors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError, DataError
from bambi_anova.families.likelihood import (
    Auxiliary,
    Canonical,
    Derivatives,
    Likelihood,
    MakeCompiled,
    Observed,
    Parameters,
    UnitAt,
)
from bambi_anova.families.links import Link, average_over_normal
from bambi_anova.families.parameters import Further, Predicted
from bambi_anova.families.response import Response
from bambi_anova.families.sufficient import Collapse, Collapsed
from bambi_anova.families.values import ResponseValues

if TYPE_CHECKING:
    import bambi as bmb

Array = np.ndarray
#: What draws call the vector of a family's thresholds.
THRESHOLD = "threshold"
#: Further parameters that compiled rows have arguments for.
MOST_COMPILED = 2
#: (data) -> log-likelihood and derivatives, both functions of (eta, auxiliary).
MakeRows = Callable[
    [Observed],
    tuple[Callable[[Array, Auxiliary], Array], Callable[[Array, Auxiliary], Derivatives]],
]


@dataclass(frozen=True)
class ResponseScale:
    """What stands for a cell on the response scale.

    Attributes
    ----------
    value : callable
        From the parameters, each on its own scale, to what tables report.
    word : str
        What that is called; "mean" of the response itself needs no name.
    affine : bool
        Whether it is a + b times the first predicted parameter, so that it may be averaged over
        effects as that is.
    mean : callable, optional
        The mean of the response, where ``value`` is something else, such as a mode.
    median : callable, optional
        The median of the response, where it is neither the first parameter nor unknown.
    averaged : callable, optional
        (mean, sd, auxiliary) -> ``value`` averaged over a normal first predictor, where that has a
        form of its own.
    """

    value: Callable[[Parameters], Array]
    word: str = "mean"
    affine: bool = True
    mean: Callable[[Parameters], Array] | None = None
    median: Callable[[Parameters], Array] | None = None
    averaged: Callable[[Array, Array, Auxiliary], Array] | None = None


@dataclass(frozen=True)
class Combination:
    """A predictor of rows that is linear in the first one and in further parameters.

    Attributes
    ----------
    offset : ndarray, shape (M,)
    of_parent : ndarray, shape (M,)
        What the first predictor is multiplied by.
    of_auxiliary : mapping of str to ndarray, each of shape (M,)
        What further parameters are multiplied by.
    """

    offset: Array
    of_parent: Array
    of_auxiliary: Mapping[str, Array]


@dataclass(frozen=True)
class Joint:
    """The same likelihood in predictors that take in further parameters with normal priors.

    Attributes
    ----------
    predictors : callable
        Observed -> the K predictors of each row, by name.
    make : callable
        As of ``RowLikelihood``, for predictors of shape (K, M, G).
    start : callable
        Observed -> the predictors that suit each row best, about, shape (K, M, 1).
    compiled : callable, optional
        () -> the same, compiled (``compiled.CompiledJoint``; of one predictor, ``CompiledRow``).
    unit : callable
        As of ``Likelihood``.
    expanded : callable, optional
        Observed -> (which, data): rows of one predictor each that take the place of the rows, and
        to which of these each belongs.  All else then is of such rows.
    """

    predictors: Callable[[Observed], Mapping[str, Combination]]
    make: MakeRows
    start: Callable[[Observed], Array]
    compiled: MakeCompiled | None = None
    unit: Callable[[Auxiliary], Array | float] = lambda auxiliary: 1.0
    expanded: Callable[[Observed], tuple[Array, Observed]] | None = None

    def likelihood(self, data: Observed, auxiliary: tuple[Further, ...]) -> Likelihood:
        """Return the likelihood of some rows."""
        log, derivatives = self.make(data)
        start = self.start(data)
        count, rows = start.shape[:2]

        def stacked(eta: Array) -> Array:
            return eta.reshape(count, rows, eta.shape[1])

        return Likelihood(
            data,
            lambda eta, aux: log(stacked(eta), aux),
            lambda eta, aux: derivatives(stacked(eta), aux),
            lambda: start.reshape(count * rows, 1),
            auxiliary,
            self.compiled,
            unit=self.unit,
            predictors=count,
        )


@dataclass(frozen=True)
class RowLikelihood:
    """The likelihood of sufficient rows under one choice of links.

    Attributes
    ----------
    make : callable
        From the data to log-likelihood and derivatives.
    compiled : callable, optional
        () -> the same, compiled (``compiled.CompiledRow``).  Without it NUTS goes through Bambi.
    quadratic : bool
        Whether the log-likelihood is quadratic in the predictor.
    moving, unit : bool and callable
        As of ``Likelihood``.
    joint : Joint, optional
        The form that quick fits use where thresholds are normal a priori.
    predicted : mapping of tuple of str to callable
        As ``make``, for predictors of shape (K, M, G), where further parameters of these names
        have predictors; others take differences (``distributional``).
    unit_at : callable, optional
        As of ``Likelihood``.
    canonical : callable, optional
        From the data to the canonical form, if there is one.
    """

    make: MakeRows
    compiled: MakeCompiled | None = None
    quadratic: bool = False
    moving: bool = False
    unit: Callable[[Auxiliary], Array | float] = lambda auxiliary: 1.0
    joint: Joint | None = None
    predicted: Mapping[tuple[str, ...], MakeRows] = field(default_factory=dict)
    unit_at: UnitAt | None = None
    canonical: Callable[[Observed], Canonical] | None = None


def columns(rows: Collapsed, sets: Array | None) -> Observed:
    """Return sufficient rows as the columns of a likelihood."""
    ones = np.ones(len(rows.values))
    trials = ones if rows.trials is None else rows.trials
    parts = (rows.values, trials, rows.n, rows.within)
    y, trials, n, within = (np.asarray(part, dtype=float)[:, None] for part in parts)
    return Observed(y, trials, n, within)


def builtin(name: str) -> Callable[[Collapsed], bmb.Family]:
    """Return what makes a family that Bambi has, by its name there."""

    def make(rows: Collapsed) -> bmb.Family:
        from bambi.defaults import get_builtin_family

        return get_builtin_family(name)

    return make


def no_constant(values: Array, trials: Array) -> Array:
    """Return zeros: for a likelihood that leaves nothing out."""
    return np.zeros(len(values))


@dataclass(frozen=True)
class Family:
    """One response family.

    Attributes
    ----------
    name : str
        What users call it.
    response : Response
        The kind of its response: how it is read, default priors, geometry.
    predicted : tuple of Predicted
        The parameters that linear predictors give; tables are about the first.
    scale : ResponseScale
        What stands for a cell on the response scale.
    collapse : Collapse
        How rows that share every predictor become one.
    likelihoods : mapping of tuple of str to RowLikelihood
        By the names of the links, one for each predictor.
    constants : callable
        (values, trials) -> what the likelihood leaves out of the log density of each row of the
        data, shape (N,).
    replicate : callable
        (parameters, rows, rng) -> values drawn for sufficient rows; parameters on their own
        scales, of shape (G, M) or (G, 1).  Where rows are weighted, each is one observation.
    bambi : callable
        From sufficient rows to the Bambi family; weights are added elsewhere.
    auxiliary : tuple of Further
    residual : str
        The auxiliary parameter that is the sd, or scale, of a residual that every row has on the
        link scale; empty if there is none.
    normal : bool
        Whether rows are normal about their linear predictor with one sd, as classical analyses of
        variance take them to be.
    symmetric : bool
        Whether rows are symmetric about their linear predictor, so that what it gives is a median.
    latent : bool
        Whether a row is one yes or no of a latent variable, or several of equal probability.
    overdispersed : str
        For rows that vary by chance alone: the family of rows that vary more.
    thresholds : tuple of str
        The auxiliary parameters that are thresholds, in order; draws hold them as one vector.
    in_order : bool
        Whether thresholds come in order.
    intercept : bool
        Whether the first predictor has an intercept; where it has none thresholds take its part.
    refuse : callable, optional
        Raises for a response that leaves a parameter without data.
    suited : callable, optional
        (response, link) -> the family for ratings with such categories.
    categories : callable, optional
        From the number of a category to its probability as what stands on the response scale.
    category : int, optional
        Of categories without an order: the number of that whose probability stands on the response
        scale.
    zero : ResponseScale, optional
        The probability of zero as what stands on the response scale, where that is possible.
    columns : callable
        (rows, sets) -> the columns of the likelihood.
    always : tuple of str
        Further parameters that always have a predictor: one of the first one's terms.
    plain : Family, optional
        The same family before a formula gave further parameters predictors.
    tails : callable, optional
        (parameters, rows) -> the probabilities of less than each sufficient row's value and of
        more, under the distribution that ``replicate`` draws from.  Without it residuals come from
        replicates.
    instead : mapping of str to tuple of str
        By what the family may miss of the data (see ``prediction.misfit``): families to try.
    """

    name: str
    response: Response
    predicted: tuple[Predicted, ...]
    scale: ResponseScale
    collapse: Collapse
    likelihoods: Mapping[tuple[str, ...], RowLikelihood]
    constants: Callable[[Array, Array], Array]
    replicate: Callable[[Parameters, Collapsed, np.random.Generator], Array]
    bambi: Callable[[Collapsed], bmb.Family]
    auxiliary: tuple[Further, ...] = ()
    residual: str = ""
    normal: bool = False
    symmetric: bool = False
    latent: bool = False
    overdispersed: str = ""
    thresholds: tuple[str, ...] = ()
    in_order: bool = True
    intercept: bool = True
    refuse: Callable[[Family, ResponseValues], None] | None = None
    suited: Callable[[ResponseValues, Link], Family] | None = None
    categories: Callable[[int], ResponseScale] | None = None
    category: int | None = None
    zero: ResponseScale | None = None
    columns: Callable[[Collapsed, Array | None], Observed] = columns
    always: tuple[str, ...] = ()
    plain: Family | None = None
    tails: Callable[[Parameters, Collapsed], tuple[Array, Array]] | None = None
    instead: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def of_mean(self) -> Family:
        """The family of one predictor: what others give is auxiliary, perhaps by row or cell."""
        return self.plain or self

    @property
    def parent(self) -> Predicted:
        """The predicted parameter that tables are about."""
        return self.predicted[0]

    @property
    def chance_alone(self) -> bool:
        """Whether rows of equal predictors vary by chance alone: there is no parameter for it."""
        return not self.auxiliary and len(self.predicted) == 1

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of all parameters, those that are only reported as well."""
        derived = [one.derived.name for one in self.auxiliary if one.derived]
        own = [one.name for one in self.predicted] + [one.name for one in self.auxiliary]
        return (*own, *derived)

    def read(
        self, name: str, values: pd.Series, trials: pd.Series | None, success: str | None
    ) -> ResponseValues:
        """Check the response against the family and return it as numbers.

        Parameters
        ----------
        name : str
            The left-hand side, for messages.
        values, trials : pandas.Series
            Columns of shape (N,), without missing values; ``trials`` only for ``p(k, n)``.
        success : str, optional
            Level given as ``y[level]``.

        Raises
        ------
        DataError
            If the values cannot come from the family: fractions where counts are needed, more
            successes than trials, text, non-finite or constant values.
        """
        if (trials is not None) != self.response.trials:
            expected = "p(successes, trials)" if self.response.trials else "one column"
            raise DataError(f"family={self.name!r} needs {expected} as response, got {name!r}")
        if success is not None and not self.response.binary:
            raise DataError(f"response {name!r}: a success level is for family='bernoulli' only")
        found = self.response.read(name, values, trials, success)
        if self.refuse is not None:
            self.refuse(self, found)
        return found

    def link(self, name: str | dict | None) -> Link:
        """Look up the link of the first predictor by name.

        ``None`` is the default, ``{"mu": name}`` is allowed.

        Raises
        ------
        ArgumentError
            If the family cannot have that link.
        """
        if isinstance(name, dict):
            if len(name) != 1 or not {"mu", "p", self.parent.name} & set(name):
                raise ArgumentError(f"link={name!r}: expected one link, that of the mean")
            (name,) = name.values()
        allowed = {link.name: link for link in self.parent.links}
        if name is not None and (not isinstance(name, str) or name not in allowed):
            raise ArgumentError(
                f"link={name!r} cannot be used with family={self.name!r}; "
                f"expected one of {', '.join(map(repr, allowed))}"
            )
        return self.parent.links[0] if name is None else allowed[name]

    def likelihood(
        self, links: Sequence[Link], rows: Collapsed, sets: Array | None = None
    ) -> Likelihood:
        """Return the likelihood of sufficient rows.

        Parameters
        ----------
        links : sequence of Link
            One for each predictor.
        rows : Collapsed
        sets : ndarray of int, shape (number of sufficient rows,), optional
            Sets that share every predictor, where such rows become one in the likelihood.
        """
        form, data = self.form(links), self.columns(rows, sets)
        log, derivatives = form.make(data)
        return Likelihood(
            data,
            log,
            derivatives,
            partial(self._own, links, data),
            self.auxiliary,
            form.compiled,
            form.quadratic,
            form.unit,
            len(self.predicted),
            form.unit_at,
            moving=form.moving,
            canonical=None if form.canonical is None else form.canonical(data),
        )

    def form(self, links: Sequence[Link]) -> RowLikelihood:
        """Return the likelihood of rows under some links."""
        return self.likelihoods[tuple(link.name for link in links)]

    def on_scale(self, scale: ResponseScale) -> Family:
        """Return the same family with something else on the response scale."""
        return replace(self, scale=scale, plain=self.plain and self.plain.on_scale(scale))

    def suited_to(self, response: ResponseValues, link: Link) -> Family:
        """Return the family for the categories of a response; itself where there are none."""
        return self if self.suited is None else self.suited(response, link)

    def _own(self, links: Sequence[Link], data: Observed) -> Array:
        own = links[0].forward(self.response.middle(data))
        within = data.within if self.collapse.means else np.zeros_like(own)
        further = [_start(link, own, data.n, within) for link in links[1:]]
        return np.concatenate([own, *further]) if further else own

    def at(
        self, links: Sequence[Link], predictors: Sequence[Array], auxiliary: Auxiliary
    ) -> dict[str, Array]:
        """Return all parameters, each on its own scale, at some linear predictors."""
        predicted = zip(self.predicted, links, predictors, strict=True)
        return {**auxiliary, **{one.name: link.inverse(eta) for one, link, eta in predicted}}

    def response_mean(
        self, links: Sequence[Link], predictors: Sequence[Array], auxiliary: Auxiliary
    ) -> Array:
        """Return what stands on the response scale for some linear predictors.

        Parameters
        ----------
        links : sequence of Link
        predictors : sequence of ndarray
            One array for each linear predictor.
        auxiliary : mapping of str to ndarray
            In shapes that broadcast against the predictors'.
        """
        return self.scale.value(self.at(links, predictors, auxiliary))

    def average_mean(self, link: Link, mean: Array, sd: Array, auxiliary: Auxiliary) -> Array:
        """Return what stands on the response scale, averaged over normal effects.

        Parameters
        ----------
        link : Link
        mean, sd : ndarray
            Of the first linear predictor over the effects.
        auxiliary : mapping of str to ndarray
            The other parameters.

        Examples
        --------
        >>> from bambi_anova.families.registry import get_family
        >>> family, zero = get_family("poisson"), np.zeros(1)
        >>> family.average_mean(family.link("log"), zero, zero + 1, {}).round(3).tolist()
        [1.649]
        """
        if self.scale.averaged is not None:
            return self.scale.averaged(mean, sd, auxiliary)
        if self.scale.affine:
            averaged = link.mean_over_normal(mean, sd)
            return self.scale.value({**auxiliary, self.parent.name: averaged})
        return average_over_normal(
            lambda eta: self.scale.value({**auxiliary, self.parent.name: link.inverse(eta)}),
            mean,
            sd,
        )

    def with_derived(self, auxiliary: Auxiliary) -> dict[str, Array]:
        """Return auxiliary parameters with those that are made of them."""
        derived = {
            one.derived.name: one.derived.make(auxiliary[one.name])
            for one in self.auxiliary
            if one.derived and one.name in auxiliary
        }
        return {**auxiliary, **derived}

    def require_complete(self) -> None:
        """Raise for whatever is missing or does not fit together, naming it.

        Raises
        ------
        ArgumentError
        """
        for complaint in _complaints(self):
            raise ArgumentError(f"family {self.name!r}: {complaint}")


def _start(link: Link, own: Array, n: Array, within: Array) -> Array:
    """Return about where further predictors start: at the rows' scatter, or in the middle."""
    if link.name != "log":
        return np.zeros_like(own)
    mean = (n * own).sum() / n.sum()
    spread = np.sqrt((n * (own - mean) ** 2 + within).sum() / n.sum())
    return np.full_like(own, np.log(spread) if spread > 0 else 0.0)


def _complaints(family: Family):
    """Yield what is wrong with a family."""
    if not isinstance(family.name, str) or not family.name.isidentifier():
        yield "expected a name that is a word"
    for name, kind in (
        ("response", Response),
        ("scale", ResponseScale),
        ("collapse", Collapse),
    ):
        if not isinstance(getattr(family, name), kind):
            yield f"{name}: expected {kind.__name__}, got {getattr(family, name)!r}"
    for name in ("constants", "replicate", "bambi", "columns"):
        if not callable(getattr(family, name)):
            yield f"{name}: expected a function, got {getattr(family, name)!r}"
    if not family.predicted:
        yield "predicted: expected at least one parameter with a linear predictor"
    yield from _without_likelihood(family)
    names = family.parameters
    if len(set(names)) < len(names):
        yield f"parameters: expected names that differ, got {names}"
    for one in family.predicted:
        if not (one.links and one.word):
            yield f"predicted {one.name!r}: expected links and a word for what they return"
    for further in family.auxiliary:
        if not callable(further.prior):
            yield f"auxiliary {further.name!r}: expected a default prior, got {further.prior!r}"
    if len(family.auxiliary) > MOST_COMPILED and any(
        one.compiled for one in family.likelihoods.values()
    ):
        yield f"auxiliary: expected at most {MOST_COMPILED} with a compiled likelihood"
    if not set(family.thresholds) <= {one.name for one in family.auxiliary}:
        yield f"thresholds: expected names of its auxiliary parameters, got {family.thresholds}"
    if family.residual and family.residual not in names:
        yield f"residual: {family.residual!r} is not among its parameters {names}"
    if family.latent and any(link.latent is None for link in family.parent.links):
        yield "latent: expected links with a latent variable"
    if not family.scale.word:
        yield "scale: expected a word for what tables report"
    if family.chance_alone != bool(family.overdispersed):
        yield "overdispersed: expected for families without a parameter for scatter, only for them"


def _without_likelihood(family: Family):
    choices: list[tuple[str, ...]] = [()]
    for one in family.predicted:
        choices = [(*names, link.name) for names in choices for link in one.links]
    for names in choices:
        if not isinstance(family.likelihoods.get(names), RowLikelihood):
            yield f"likelihoods: expected one for the links {names}"
    for names in family.likelihoods:
        if names not in choices:
            yield f"likelihoods: no predictor can have the links {names}"


def of_each_link(
    make: Mapping[str, MakeRows], compiled: Mapping[str, MakeCompiled]
) -> dict[tuple[str, ...], RowLikelihood]:
    """Return the likelihoods of a family with one predictor, by the names of its links."""
    return {(name,): RowLikelihood(made, compiled.get(name)) for name, made in make.items()}

"""Amounts with zeros of their own: with probability psi an amount is positive, else it is zero.

- ``hurdle_gamma``: positive amounts are gamma distributed, with mean mu and shape alpha.
- ``hurdle_lognormal``: their logs are normal about log mu, the median, with sd sigma.

An amount that has a density is never zero by chance, so that zeros say nothing of mu, and the two
parts have likelihoods of their own.

Letters: M rows, G columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from bambi_anova.families.base import Family, ResponseScale, RowLikelihood, builtin, columns
from bambi_anova.families.gamma import GAMMA
from bambi_anova.families.likelihood import Auxiliary, Derivatives, Observed, Parameters
from bambi_anova.families.lognormal import LOG_NORMAL
from bambi_anova.families.response import AMOUNT
from bambi_anova.families.sufficient import WEIGHTS, Collapsed
from bambi_anova.families.values import ResponseValues
from bambi_anova.families.zeros import NOTHING, PSI

if TYPE_CHECKING:
    import bambi as bmb

Array = np.ndarray


@dataclass(frozen=True)
class Positive:
    """The distribution of amounts that are not zero, one observation a row."""

    family: Family

    @property
    def form(self) -> RowLikelihood:
        """The likelihood of its rows."""
        return self.family.form((self.family.parent.links[0],))

    def constants(self, values: Array, trials: Array) -> Array:
        """Return what the likelihood leaves out; of zeros nothing."""
        some = np.where(values > 0, values, 1.0)
        return np.where(values > 0, self.family.constants(some, trials), 0.0)

    def columns(self, rows: Collapsed, sets: Array | None) -> Observed:
        """Return the base's columns, with a one in the place of each zero; trials say which."""
        some = replace(rows, values=np.where(rows.values > 0, rows.values, 1.0))
        found = self.family.columns(some, sets)
        return replace(found, trials=columns(rows, sets).y)

    def rows(self, data: Observed):
        """Return log-likelihood and derivatives."""
        zero, n = data.trials == 0, data.n
        log_base, slopes = self.form.make(replace(data, n=np.ones_like(n)))

        def log(eta: Array, aux: Auxiliary) -> Array:
            psi = aux["psi"]
            return n * np.where(zero, np.log1p(-psi), np.log(psi) + log_base(eta, aux))

        def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
            found = slopes(eta, aux)
            return Derivatives.of_one(
                n * np.where(zero, 0.0, found.slope), n * np.where(zero, NOTHING, found.curvature)
            )

        return log, derivatives

    def replicate(self, parameters: Parameters, rows: Collapsed, rng: np.random.Generator) -> Array:
        """Draw amounts."""
        drawn = self.family.replicate(parameters, rows, rng)
        return np.where(rng.uniform(size=drawn.shape) < parameters["psi"], drawn, 0.0)

    def tails(self, parameters: Parameters, rows: Collapsed) -> tuple[Array, Array]:
        """Return the probabilities of smaller and of larger amounts."""
        assert self.family.tails is not None  # for the type checker; the bases have them
        psi, some = parameters["psi"], rows.values > 0
        own = replace(rows, values=np.where(some, rows.values, 1.0))
        below, above = self.family.tails(parameters, own)
        return np.where(some, 1 - psi + psi * below, 0.0), np.where(some, psi * above, psi)

    def mean(self, parameters: Parameters) -> Array:
        """Return the mean of all amounts."""
        return parameters["psi"] * self.family.scale.value(parameters)


def _zero(parameters: Parameters) -> Array:
    return 1 - parameters["psi"] + np.zeros_like(parameters["mu"])


def _compiled(base: Positive):
    from math import log, log1p

    from bambi_anova.families.compiled import CompiledRow, jit, nothing

    assert base.form.compiled is not None  # for the type checker; the bases have them
    made = base.form.compiled()
    one, shared = made.row, made.once
    apart = shared is not nothing

    @jit
    def row(eta, y, amount, n, within, first, psi, entries, ends, m, size):
        if amount == 0:
            return n * log1p(-psi), 0.0, 0.0, -n / (1 - psi)
        value, slope, by, _ = one(eta, y, 1.0, 1.0, within, first, 0.0, entries, ends, m, size)
        value += log(psi)
        return n * value, n * slope, n * by, n / psi

    if not apart:
        return CompiledRow(row)

    @jit
    def full(eta, y, amount, n, within, first, psi, entries, ends, m, size):
        value, slope, by, by_psi = row(
            eta, y, amount, n, within, first, psi, entries, ends, m, size
        )
        if amount > 0:  # what the base adds once for every row of the data
            common, by_first, _ = shared(first, 0.0, entries, ends, size)
            value += n * common / entries[1, 0]
            by += n * by_first / entries[1, 0]
        return value, slope, by, by_psi

    return CompiledRow(full)


def _bambi_log_normal(rows: Collapsed) -> bmb.Family:
    import bambi as bmb
    import pymc as pm
    import pytensor.tensor as pt
    from bambi.families.univariate import HurdleLogNormal

    class Median(HurdleLogNormal):
        """Bambi's family, whose mu is the mean of the log, by its median."""

        SUPPORTED_LINKS: ClassVar = {"mu": ["log"], "sigma": ["log"], "psi": ["logit"]}

        @staticmethod
        def transform_backend_kwargs(kwargs):
            """Write the parameters as PyMC's."""
            return Median.transform_kwargs(kwargs)

        @staticmethod
        def transform_kwargs(kwargs):
            """Write the parameters as PyMC's."""
            kwargs["mu"] = pt.log(kwargs["mu"])
            return kwargs

    names = ["mu", "sigma", "psi"]
    likelihood = bmb.Likelihood("HurdleLogNormal", names, "mu", pm.HurdleLogNormal)
    return Median("hurdle_lognormal", likelihood, "log")


def _family(
    name: str, own: Family, bambi: Callable[[Collapsed], bmb.Family], instead: Sequence[str]
) -> Family:
    """Return a family of amounts; what is not named is the base's."""
    base = Positive(own)
    return replace(
        own,
        name=name,
        response=AMOUNT,
        scale=replace(own.scale, value=base.mean),
        collapse=WEIGHTS,
        likelihoods={("log",): RowLikelihood(base.rows, partial(_compiled, base))},
        constants=base.constants,
        columns=base.columns,
        replicate=base.replicate,
        tails=base.tails,
        bambi=bambi,
        auxiliary=(
            *(
                replace(one, prior=partial(_of_positive, one.prior), predictable=None)
                for one in own.auxiliary
            ),
            PSI,
        ),
        residual="",
        zero=ResponseScale(_zero, "probability of zero"),
        instead=dict.fromkeys(("skew", "outliers", "tails"), tuple(instead)),
    )


def _of_positive(prior: Callable, response: ResponseValues):
    """Return a default prior as the amounts alone would have it, without the zeros."""
    some = response.values > 0
    count = None if response.count is None else response.count[some]
    return prior(replace(response, values=response.values[some], count=count))


HURDLE_GAMMA = _family("hurdle_gamma", GAMMA, builtin("hurdle_gamma"), ("hurdle_lognormal",))
HURDLE_LOG_NORMAL = _family("hurdle_lognormal", LOG_NORMAL, _bambi_log_normal, ("hurdle_gamma",))

"""Rows that share every predictor, as one row of the likelihood.

Responses of most families do not add up, so that a cell of a unit may hold many sufficient rows.
Their predictor is the same all the same: the equations are set up and solved for distinct
predictors, and only the log-likelihood goes through the rows, in stretches that fit the cache.

Letters: M rows, C distinct predictors, G columns (points of the hyperparameters, or draws).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from bambi_anova.engine.latent.model import LatentModel, Predictor
from bambi_anova.families.likelihood import LEAST, Auxiliary, Derivatives, Likelihood

Array = np.ndarray

#: Distinct predictors above this part of the rows are not worth the detour.
WORTH = 0.7
#: Numbers of a stretch of columns.
STRETCH = 60_000
#: Rows of one predictor whose own curvature counts as much as its expectation.
PRIOR_ROWS = 4.0


def merge_alike(model: LatentModel) -> LatentModel:
    """Return the model with one row for each distinct predictor, if that saves much."""
    if len(model.predictors) > 1 or model.likelihood.quadratic:
        return model
    first, codes = _distinct(model.parent)
    if len(first) > WORTH * len(codes):
        return model
    predictor = Predictor(model.parent.offset[first], model.parent.columns[first])
    (name,) = model.predictors
    summed = _Summed(model.likelihood, codes, len(first))
    return replace(
        model,
        likelihood=replace(
            model.likelihood,
            log=summed.log,
            derivatives=summed.derivatives,
            own_predictor=summed.own_predictor,
            canonical=None,
        ),
        predictors={name: predictor},
        blocks=replace(model.blocks, of_row=model.blocks.of_row[first]),
    )


def _distinct(predictor: Predictor) -> tuple[Array, Array]:
    """Return a row of each distinct predictor, and the number of each row's predictor."""
    columns, rows = predictor.columns, np.arange(len(predictor.offset))
    # Rows that are the same have the same product, to the last digit; others hardly ever have.
    mix = np.random.default_rng(0).standard_normal((columns.shape[1] + 1, 2))
    mixed = columns @ mix[1:] + predictor.offset * mix[0]
    _, first, codes = np.unique(
        mixed[:, 0] + 1j * mixed[:, 1], return_index=True, return_inverse=True
    )
    same = (predictor.offset[first][codes] == predictor.offset).all()
    gap = abs(columns[first][codes] - columns)
    return (first, codes) if same and gap.max() == 0 else (rows, rows)


@dataclass(frozen=True)
class _Summed:
    """The likelihood of rows as that of C predictors, with the rows of ``codes`` each."""

    likelihood: Likelihood
    codes: Array
    count: int

    def __post_init__(self) -> None:
        size = len(self.codes)
        sums = sparse.csr_array(
            (np.ones(size), (self.codes, np.arange(size))), shape=(self.count, size)
        )
        object.__setattr__(self, "sums", sums)
        object.__setattr__(self, "n", sums @ self.likelihood.data.n)

    sums: sparse.csr_array = None  # type: ignore[assignment]
    n: Array = None  # type: ignore[assignment]

    def own_predictor(self) -> Array:
        weighted = self.likelihood.own_predictor() * self.likelihood.data.n
        return (self.sums @ weighted) / self.n

    def log(self, eta: Array, aux: Auxiliary) -> Array:
        def of(part: Array, own: Auxiliary) -> tuple[Array]:
            return (self.sums @ self.likelihood.log(part, own),)

        return self._in_stretches(of, eta, aux)[0]

    def derivatives(self, eta: Array, aux: Auxiliary) -> Derivatives:
        return Derivatives.of_one(*self._in_stretches(self._derivatives, eta, aux))

    def _derivatives(self, eta: Array, aux: Auxiliary) -> tuple[Array, ...]:
        found = self.likelihood.derivatives(eta, aux)
        slope, expected = self.sums @ found.slope, self.sums @ found.curvature
        if found.observed is None:
            return slope, expected
        share = self.n / (self.n + PRIOR_ROWS)
        observed = self.sums @ found.observed
        blended = share * observed + (1 - share) * expected
        return slope, np.maximum(blended, LEAST * expected), observed

    def _in_stretches(
        self, of: Callable[[Array, Auxiliary], tuple[Array, ...]], eta: Array, aux: Auxiliary
    ) -> list[Array]:
        step = max(1, STRETCH // len(self.codes))
        parts = []
        for start in range(0, eta.shape[1], step):
            own = slice(start, start + step)
            parts.append(
                of(eta[self.codes, own], {name: value[own] for name, value in aux.items()})
            )
        return [np.concatenate(each, axis=1) for each in zip(*parts, strict=True)]

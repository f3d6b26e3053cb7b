"""Means of units in the cells within them, and which units judge a term.

Letters: n units, W cells of the factors within units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bambi_anova.classical.study import Study, Term
from bambi_anova.design.design import Unit, nested
from bambi_anova.errors import NotApplicableError, listing

Array = np.ndarray


def judging_unit(study: Study, term: Term) -> Unit:
    """Return the units whose means judge a term.

    The finest unit within which every factor of the term varies, of those that hold the units
    of the term's own stratum whole; without one, the coarsest of these.
    """
    candidates = (*study.units, study.row)
    constant = {unit.name: set(unit.constant) for unit in candidates}
    stratum = min(
        (unit for unit in candidates if set(term) <= constant[unit.name]), key=lambda u: u.size
    )
    above = [unit for unit in candidates if nested(stratum, unit)]
    varying = [unit for unit in above if not set(term) & constant[unit.name]]
    if varying:
        return max(varying, key=lambda unit: unit.size)
    return min(above, key=lambda unit: unit.size)


@dataclass(frozen=True)
class Scores:
    """Means of each unit in each cell of the factors within it.

    Attributes
    ----------
    study : Study
    unit : Unit
    between, within : Term
        Factors that are constant within each unit, and the others.
    means : ndarray, shape (n, W)
    """

    study: Study
    unit: Unit
    between: Term
    within: Term
    means: Array

    def levels(self, names: Term) -> dict[str, tuple]:
        """Return the levels of some factors."""
        return {name: self.study.levels[name] for name in names}

    def codes(self, names: Term) -> Array:
        """Return each unit's cell of some between factors."""
        return self.study.cells_of(names, self.unit.first)

    def others(self, names: Term) -> Term:
        """Return the other between factors."""
        return tuple(name for name in self.between if name not in names)

    def weights(self, cells: Array) -> Array:
        """Return weights of units that weigh cells equally, and units within them."""
        counts = np.bincount(cells)
        return 1 / counts[cells] / np.sum(counts > 0)


def unit_scores(study: Study, unit: Unit, scale: str) -> Scores:
    """Average the rows of each unit in each of its cells.

    Raises
    ------
    NotApplicableError
        If a unit lacks a cell, a between-unit cell has no units, or the scale has no meaning.
    """
    between = unit.constant
    within = tuple(name for name in study.levels if name not in between)
    shape = (unit.size, int(np.prod([len(study.levels[name]) for name in within], dtype=int)))
    flat = unit.codes * shape[1] + study.cells_of(within)
    size = shape[0] * shape[1]
    total = np.bincount(flat, study.values, minlength=size).reshape(shape)
    counts = np.bincount(flat, study.trials, minlength=size).reshape(shape)
    if (counts == 0).any():
        labels = study.labels.get(unit.name, range(unit.size))
        lacking = [labels[i] for i in np.flatnonzero((counts == 0).any(axis=1))]
        raise NotApplicableError(
            f"permutation test does not apply: not every {unit.name} has data in each cell of "
            f"{':'.join(within) or 'the design'}: {listing(lacking)}; leave these out, or use "
            "model.fit()"
        )
    scores = Scores(study, unit, between, within, _mean(study, total, counts, scale))
    if len(np.unique(scores.codes(between))) < np.prod([len(study.levels[n]) for n in between]):
        raise NotApplicableError(
            f"permutation test does not apply: some cells of {':'.join(between)} have no "
            f"{unit.name}; leave a factor out, or use model.fit()"
        )
    return scores


def _mean(study: Study, total: Array, counts: Array, scale: str) -> Array:
    if scale == "response" or study.link == "identity":
        return total / counts
    if study.trials is None or study.link != "logit":
        raise NotApplicableError(
            f"permutation test: scale='link' is for binary data and the logit link (family "
            f"{study.family!r}, link {study.link!r}); use scale='response'"
        )
    return np.log((total + 0.5) / (counts - total + 0.5))

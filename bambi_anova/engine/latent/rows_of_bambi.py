"""The rows of a Bambi model: its response, and whose likelihood that has.

Of our families that which Bambi's is, where it has the links and one linear predictor; rows that
share every predictor then become one.  All others are made of Bambi's own distribution.

Letters: N rows of data, M rows of the likelihood.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import bambi as bmb
import numpy as np
from bambi.defaults import get_builtin_family
from bambi.families.multivariate import MultivariateFamily
from bambi.families.univariate import Categorical, Cumulative, StoppingRatio
from bambi.utils import get_aliased_name

from bambi_anova.engine.latent.coordinates import Common, Grouped
from bambi_anova.errors import ArgumentError, NotLatentGaussianError, UnsupportedError
from bambi_anova.families.base import Combination, Family
from bambi_anova.families.generated import GeneratedRows, generated_rows
from bambi_anova.families.likelihood import Likelihood, Observed
from bambi_anova.families.registry import FAMILIES
from bambi_anova.families.sufficient import Collapsed
from bambi_anova.families.values import ResponseValues
from bambi_anova.priors.distributions import Prior
from bambi_anova.priors.ordered import OrderedNormals

Array = np.ndarray

#: Ours, where Bambi has another name for a family, or for the link of its parent.
NAMES = {"beta_binomial": "betabinomial"}
LINKS = {("lognormal", "identity"): "log"}
#: What a response may be made of that its likelihood depends on.
SPECIAL = {
    "is_censored": "censored",
    "is_truncated": "truncated",
    "is_constrained": "constrained",
}


@dataclass(frozen=True)
class Rows:
    """The rows of a likelihood.

    Attributes
    ----------
    first : ndarray of int, shape (M,)
        A row of the data that stands for each of them, for its predictors.
    offsets : mapping of str to ndarray, each of shape (M,)
        By predictor.
    likelihood : Likelihood
    constants : ndarray, shape (N,)
        What it leaves out of the log density of each row of the data.
    log_constant : float
        What it leaves out in all, with that of ordered thresholds.
    merged : bool
        Whether rows of the likelihood stand for several of the data.
    joint : mapping of str to Combination, or None
        What the likelihood's predictors are in the parent and the thresholds.
    thresholds : mapping of str to Prior
    """

    first: Array
    offsets: Mapping[str, Array]
    likelihood: Likelihood
    constants: Array
    log_constant: float
    merged: bool = False
    joint: Mapping[str, Combination] | None = None
    thresholds: Mapping[str, Prior] = field(default_factory=dict)


def rows_of(
    source: bmb.Model,
    response: ResponseValues,
    offsets: Mapping[str, Array],
    terms: Sequence[Common | Grouped],
    shifts: Mapping[str, tuple[str, Array]],
    thresholds: tuple[str, tuple[Prior, ...]] | None,
    merge: bool,
) -> Rows:
    """Return the rows of a model's likelihood.

    Parameters
    ----------
    source : bambi.Model
    response : ResponseValues
    offsets : mapping of str to ndarray, each of shape (N,)
        By predictor, the parent first.
    terms : sequence of Common and Grouped
        What rows must share to be merged.
    shifts : mapping of str to (str, ndarray)
        Coefficients among the hyperparameters: predictor and column.
    thresholds : tuple of str and priors, or None
    merge : bool

    Raises
    ------
    NotLatentGaussianError
        If the family is not known here, or the response is of a kind that is not.
    """
    family = _own_family(source, tuple(offsets), response)
    if thresholds is not None and family is None:
        raise NotLatentGaussianError(
            f"family {source.family.name!r} with link {_link(source).name!r}: of families with "
            "thresholds only 'cumulative' with a logit or probit link is known here"
        )
    if family is None:
        return _generated(source, offsets, response)
    name, link = next(iter(offsets)), family.link(_link_name(source))
    keys = _keys(terms, shifts) if merge else [np.arange(len(response.values))]
    rows, given = _collapsed(family, keys, response, offsets[name])
    rows = replace(rows, alike=None)
    trials = np.ones(len(response.values)) if response.trials is None else response.trials
    constants = response.counts * family.constants(response.values, trials)
    left = family.collapse.constant(response, given, rows)
    constant = float(constants.sum() + left.sum())
    if not merge:
        constants = constants + left
    likelihood = family.likelihood((link,), rows)
    joint = family.form((link,)).joint
    order: dict[str, Prior] = {}
    combined = None
    if thresholds is not None and joint is not None:
        order = dict(zip(family.thresholds, thresholds[1], strict=True))
        constant -= OrderedNormals.of(list(order.values())).log_probability
        combined = joint.predictors(likelihood.data)
        likelihood = joint.likelihood(likelihood.data, ())
    return Rows(
        rows.first,
        {name: rows.offsets},
        likelihood,
        constants,
        constant,
        merge and (rows.merged or len(rows.first) < len(response.values)),
        combined,
        order,
    )


def _collapsed(
    family: Family, keys: list[Array], response: ResponseValues, offset: Array
) -> tuple[Collapsed, Array | None]:
    """Return sufficient rows, and the offset that they were made with if any."""
    collapse = family.collapse
    if response.count is None:
        given = offset if offset.any() else None
        return collapse(keys, response, given), given
    # Weights need not be whole numbers, and count even where no two rows are alike.
    given = offset if offset.any() or collapse.exposures else None
    if given is not None and not collapse.exposures:
        keys = [*keys, given]
    return collapse.merge(keys, response, given), given


def _generated(source: bmb.Model, offsets: Mapping[str, Array], response: ResponseValues) -> Rows:
    """Return rows by Bambi's own distribution."""
    links = [source.family.link[name].name for name in offsets]
    try:
        made = generated_rows(source.family, tuple(offsets), tuple(links))
    except (ArgumentError, UnsupportedError) as error:
        raise NotLatentGaussianError(
            f"family {source.family.name!r} with {', '.join(offsets)} predicted by links "
            f"{', '.join(links)}: {error}"
        ) from None
    size = len(response.values)
    trials = np.ones(size) if response.trials is None else response.trials
    parts = response.values, trials, response.counts, np.zeros(size)
    y, trials, n, within = (np.asarray(part, dtype=float)[:, None] for part in parts)
    data = Observed(y, trials, n, within)
    likelihood = made.likelihood(data)
    if len(offsets) > 1:
        likelihood = replace(likelihood, own_predictor=partial(_level_start, made, data))
    return Rows(np.arange(size), offsets, likelihood, np.zeros(size), 0.0)


def _level_start(made: GeneratedRows, data: Observed) -> Array:
    """Return predictors to start from, the parent's the same for all rows.

    From rows that all fit exactly, a predictor of their scatter would fall without end.
    """
    start = made.start(data)
    start[0] = np.median(start[0])
    return start.reshape(-1, 1)


def _keys(
    terms: Sequence[Common | Grouped], shifts: Mapping[str, tuple[str, Array]]
) -> list[Array]:
    """Return what rows must share to be one, as columns."""
    keys: list[Array] = []
    for term in terms:
        keys += list(term.columns.T) if isinstance(term, Common) else [term.codes, term.values]
    keys += [column for _, column in shifts.values()]
    # A column that is the same for all rows tells none of them apart.
    found = [key for key in keys if len(key) and (key != key[0]).any()]
    return found or [np.zeros(len(keys[0]) if keys else 0, dtype=int)]


def response_of(source: bmb.Model) -> ResponseValues:
    """Return the response, its trials and its weights.

    Raises
    ------
    NotLatentGaussianError
        If it is of a kind that has no likelihood here.
    """
    term, name = source.response_term, get_aliased_name(source.response_term)
    family = source.family
    for attribute, word in SPECIAL.items():
        if getattr(term, attribute, False):
            raise NotLatentGaussianError(
                f"response {name!r}: {word} responses have no likelihood here; fit it by Bambi's "
                "own samplers"
            )
    if isinstance(family, MultivariateFamily | Categorical | StoppingRatio):
        raise NotLatentGaussianError(
            f"family {family.name!r}: responses of several categories without an order, or by "
            "stages, have no likelihood here; fit it by Bambi's own samplers"
        )
    data = np.asarray(term.data, dtype=float)
    if not np.isfinite(data).all():
        raise NotLatentGaussianError(
            f"response {name!r}: it has missing or infinite values; drop these rows with "
            "bambi.Model(..., dropna=True)"
        )
    if term.is_weighted:
        weights = data[:, 1]
        if not (weights > 0).all():
            raise NotLatentGaussianError(
                f"response {name!r}: expected positive weights, found {weights.min():g}"
            )
        if data.shape[1] > 2:
            raise NotLatentGaussianError(f"response {name!r}: weighted trials are not known here")
        return ResponseValues(name, data[:, 0], count=weights)
    if data.ndim == 2 and data.shape[1] == 2:
        return ResponseValues(name, data[:, 0], data[:, 1])
    values = data.squeeze()
    if isinstance(family, Cumulative):
        _require_categories(name, values, term.levels)
    if values.ndim != 1:
        raise NotLatentGaussianError(
            f"response {name!r}: expected one column, or successes and trials, found "
            f"{data.shape[1]} columns"
        )
    return ResponseValues(name, values)


def _require_categories(name: str, values: Array, levels: Sequence[object]) -> None:
    counts = np.bincount(values.astype(int), minlength=len(levels))
    if (counts == 0).any():
        raise NotLatentGaussianError(
            f"response {name!r}: no row has the category {levels[int(counts.argmin())]!r}, so that "
            "the data do not keep the thresholds about it in order; drop it"
        )


def _link(source: bmb.Model):
    return source.family.link[source.family.likelihood.parent]


def _link_name(source: bmb.Model) -> str:
    own = _link(source).name
    return LINKS.get((source.family.name, own), own)


def _own_family(
    source: bmb.Model, predicted: tuple[str, ...], response: ResponseValues
) -> Family | None:
    """Return our family that Bambi's is; ``None`` if we have none, or not with these links."""
    theirs = source.family
    ours = FAMILIES.get(NAMES.get(theirs.name, theirs.name))
    if ours is None or len(predicted) > 1 or not _is_builtin(theirs):
        return None
    link = _link_name(source)
    if link not in {one.name for one in ours.parent.links}:
        return None
    return ours.suited_to(response, ours.link(link))


def _is_builtin(theirs: bmb.Family) -> bool:
    """Whether a family is Bambi's own by that name, and not one of the user's."""
    try:
        own = get_builtin_family(theirs.name)
    except (KeyError, ValueError):
        return False
    one, other = theirs.likelihood, own.likelihood
    return (
        type(theirs) is type(own)
        and one.dist is None
        and (one.name, one.parent) == (other.name, other.parent)
        and set(one.params) == set(other.params)
    )

"""What the likelihood misses of the data: skew, outliers, unequal spread, overdispersion, zeros.

A posterior that is computed well is worth nothing if its likelihood is wrong.  The residuals at
one draw of the posterior are independent standard normals if the model is right (``residuals``),
so that textbook tests of that hold exactly at each draw, with no correction for fitted parameters.
P-values of several draws depend on each other; their geometric mean is a p-value up to a factor of
e whatever their dependence (Vovk & Wang 2020, doi:10.1093/biomet/asaa027), and in practice without
it (see ``benchmarks/misfit``).  A feature is missed if that is both clear, with all features of a
table together at ``LEVEL``, and large enough to matter.

Letters: K draws, N rows, G groups (cells or units), J units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse, special

from bambi_anova.arguments import generator
from bambi_anova.design.design import Unit
from bambi_anova.errors import AnovaError, listing
from bambi_anova.families.registry import FAMILIES
from bambi_anova.posterior.once import once
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.prediction.grouping import grouping
from bambi_anova.prediction.residuals import Residuals, residuals
from bambi_anova.tables.columns import MISFIT
from bambi_anova.tables.printing import Table

Array = np.ndarray

#: Of all features of a table together; of data that come from their model less than 2% alarm.
LEVEL = 0.05
#: Fewest values whose skew, and whose tails, can be told.
FEWEST, FEWEST_OF_TAILS = 8, 20
#: Skew, excess kurtosis, ratio of variances less one, share of the residuals' variance between
#: groups, and share of the rows that are zeros too many, from which they matter.
LARGE_SKEW, LARGE_TAILS, LARGE_RATIO, LARGE_SHARE, LARGE_ZEROS = 0.25, 0.5, 0.2, 0.01, 0.02
#: Families with a long tail above, never below.
LONG_ABOVE = (
    *("lognormal", "shifted_lognormal", "gamma", "wald"),
    *("exgaussian", "weibull", "exponential", "hurdle_gamma", "hurdle_lognormal"),
)
#: P-values below this are all the same.
LEAST = 1e-300
#: A row or unit is named as an outlier if there would be as few as this by chance.
RARE = 0.01


@dataclass(frozen=True)
class Finding:
    """One feature of residuals, at K draws.

    Attributes
    ----------
    by : str
        "row", "cell" or a unit term.
    feature : str
    observed : ndarray, shape (K,)
        On the scale that ``expected`` is on.
    expected : float
        What the model leads one to expect.
    p : ndarray, shape (K,)
    large : bool
        Whether it is large enough to matter.
    where : str
        The rows, cells or units that show it most.
    grows : bool
        Of spread: whether it grows with the mean response.
    """

    by: str
    feature: str
    observed: Array
    expected: float
    p: Array
    large: bool
    where: str = ""
    grows: bool = False


def misfit(posterior: Posterior, random_seed: int | None = 0) -> pd.DataFrame:
    """Ask what the model misses of the data, whether or not it was computed well.

    Parameters
    ----------
    posterior : Posterior
    random_seed : int, optional
        Of the random parts of the residuals of counts.

    Returns
    -------
    pandas.DataFrame
        A row for each ``feature`` of the rows, the cells and the units (``by``):

        - "skew", "tails" (kurtosis beside the normal's) and "outliers" (how many) of residuals;
        - "dispersion" (mean square) and "zeros" (how many) of counts and proportions;
        - "means" of cells and of cells within units, which a term that the formula leaves out
          drives apart (mean square, in standard errors); "spread" (ratio of the largest to the
          smallest residual sd) of cells and of units;
        - "outliers" and "skew" of the units' effects.

        ``observed`` and ``expected`` say what was found and what the model expects, ``p`` how
        likely that is under the model, ``where`` which rows, cells or units show it most;
        ``missed`` whether it is both clear and large enough to matter, and ``advice`` what to
        try.

    Notes
    -----
    Quick, so that it can be asked of every fit: up to 50 draws are enough.

    Examples
    --------
    >>> result.misfit().query("missed")  # doctest: +SKIP
    """
    return _table(posterior, generator(random_seed))


@once
def known_misfit(posterior: Posterior) -> pd.DataFrame:
    """Return ``misfit`` with the default seed, worked out once for a posterior."""
    return misfit(posterior)


def misfit_text(posterior: Posterior) -> str:
    """Say in words what the model misses; nothing if it misses nothing that can be told.

    Examples
    --------
    >>> misfit_text(result)  # doctest: +SKIP
    "the model misses the skew of rt; try family='lognormal'"
    """
    missed = known_misfit(posterior).query("missed")
    if missed.empty:
        return ""
    told, shape = [], missed["by"] == "row"
    if missed.loc[shape, "feature"].isin(["skew", "outliers"]).any():
        missed = missed[~(shape & (missed["feature"] == "tails"))]  # which those two imply
    response = posterior.design.formula.response.outcome
    for row in missed.to_dict("records"):
        words = WORDS[row["feature"], kind_of(row["by"])].format(response=response, unit=row["by"])
        told.append(f"{words} ({row['where']})" if row["where"] else words)
    said = told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
    # Of families those for the feature that comes first, and for zeros.
    named = missed[missed["advice"].str.startswith("try family")]
    zeros = named.loc[named["feature"] == "zeros", "advice"]
    families = [*named["advice"][:1], *zeros]
    others = [text for text in missed["advice"] if text and not text.startswith("try family")]
    remedies = "; ".join(dict.fromkeys([*families, *others]))
    return f"the model misses {said}{f'; {remedies}' if remedies else ''}"


#: What a feature is called, by what it is a feature of.
WORDS: Mapping[tuple[str, str], str] = {
    ("skew", "row"): "the skew of {response}",
    ("tails", "row"): "the tails of {response}",
    ("outliers", "row"): "outlying rows of {response}",
    ("dispersion", "row"): "how much {response} scatters",
    ("zeros", "row"): "how often {response} is zero",
    ("means", "cell"): "differences between cells",
    ("spread", "cell"): "that {response} scatters more in some cells",
    ("means", "unit"): "how effects differ between units of {unit}",
    ("spread", "unit"): "that {response} scatters more in some units of {unit}",
    ("outliers", "unit"): "outlying units of {unit}",
    ("skew", "unit"): "the skew of the units of {unit}",
}


def kind_of(by: str) -> str:
    """Return "row", "cell" or, for a unit term, "unit"."""
    return by if by in ("row", "cell") else "unit"


def _table(posterior: Posterior, rng: np.random.Generator) -> pd.DataFrame:
    found = residuals(posterior, rng)
    features = [one for make in FEATURES for one in make(posterior, found)]
    skew = [one.observed.mean() for one in features if (one.by, one.feature) == ("row", "skew")]
    left, rows = any(value < -LARGE_SKEW for value in skew), []
    for one in features:
        p = float(np.exp(np.log(np.clip(one.p, LEAST, 1)).mean()))
        missed = bool(one.large and p < LEVEL / len(features))
        rows.append(
            {
                "by": one.by,
                "feature": one.feature,
                "observed": float(np.mean(one.observed)),
                "expected": one.expected,
                "p": p,
                "where": one.where if missed else "",
                "missed": missed,
                "advice": advice(posterior, one, left) if missed else "",
            }
        )
    table = pd.DataFrame(rows, columns=MISFIT)
    return Table(table.astype({"missed": bool}))  # also of no rows


# -- Features ----------------------------------------------------------------------------------


def _of_rows(posterior: Posterior, found: Residuals) -> Iterator[Finding]:
    """Yield what each row shows by itself; a single yes or no shows nothing."""
    if not found.single:
        return
    z, size = found.values, found.values.shape[1]
    names = posterior.design.rows.data.index[found.rows]
    outliers = _outliers("row", z, [f"row {name}" for name in names])
    if not posterior.family.chance_alone:
        yield from _shape("row", z, _without_few(z))
    else:
        squares = (z**2).sum(axis=1)
        p = 2 * np.minimum(special.chdtr(size, squares), special.chdtrc(size, squares))
        ratio = squares / size
        large = bool(abs(ratio.mean() - 1) > LARGE_RATIO)
        yield Finding("row", "dispersion", ratio, 1.0, p, large)
    yield outliers
    if found.zero is not None:
        yield _zeros(found)


def _zeros(found: Residuals) -> Finding:
    """Compare the number of zeros with the sum of their probabilities."""
    count, chances = float((found.observed == 0).sum()), found.zero
    assert chances is not None  # of counts
    mean = chances.sum(axis=1)
    variance = (chances * (1 - chances)).sum(axis=1)
    # A binomial distribution of the same mean and variance as the sum of unequal chances.
    with np.errstate(divide="ignore", invalid="ignore"):
        one = np.clip(1 - variance / mean, 1e-9, 1 - 1e-9)
        size = np.maximum(mean / one, count + 1)
    more = np.where(count > 0, special.betainc(max(count, 1), size - count + 1, one), 1.0)
    fewer = special.betaincc(count + 1, np.maximum(size - count, 1e-9), one)
    p = np.nan_to_num(np.minimum(2 * np.minimum(more, fewer), 1), nan=1.0)
    large = bool(abs(count - mean.mean()) > LARGE_ZEROS * len(found.observed))
    return Finding("row", "zeros", np.full(len(mean), count), float(mean.mean()), p, large)


def _without_few(z: Array) -> Array:
    """Return residuals without up to a hundredth of rows that lie far out: those are outliers."""
    far, size = np.abs(z).mean(axis=0), z.shape[1]
    few = np.argsort(far)[size - size // 100 - 1 :]
    return np.delete(z, few[far[few] > special.ndtri(1 - RARE / size / 2)], axis=1)


def _shape(by: str, z: Array, bulk: Array) -> Iterator[Finding]:
    """Yield skew and tails of values that should be normal; the bulk says if they matter."""
    size = z.shape[1]
    if size < FEWEST:
        return
    skew, excess = skew_and_excess(z)
    skew_of_bulk, excess_of_bulk = (one.mean() for one in skew_and_excess(bulk))
    yield Finding(
        by, "skew", skew, 0.0, p_of_skew(skew, size), bool(abs(skew_of_bulk) > LARGE_SKEW)
    )
    if by == "row" and size >= FEWEST_OF_TAILS:
        large = bool(abs(excess_of_bulk) > LARGE_TAILS)
        yield Finding(by, "tails", excess, 0.0, p_of_excess(excess, size), large)


def skew_and_excess(z: Array) -> tuple[Array, Array]:
    """Return skewness and excess kurtosis of each row of an array."""
    centred = z - z.mean(axis=1, keepdims=True)
    squares = centred**2
    variance = np.maximum(squares.mean(axis=1), 1e-300)
    third, fourth = (squares * centred).mean(axis=1), (squares**2).mean(axis=1)
    return third / variance**1.5, fourth / variance**2 - 3


def p_of_skew(skew: Array, n: int) -> Array:
    """Return two-sided p-values for n normal values (D'Agostino 1970, doi:10.1093/biomet/57.3.679).

    Examples
    --------
    >>> p_of_skew(np.array([0.0, 1.0]), 50).round(4).tolist()
    [1.0, 0.0046]
    """
    y = skew * np.sqrt((n + 1) * (n + 3) / (6 * (n - 2)))
    beta = 3.0 * (n**2 + 27 * n - 70) * (n + 1) * (n + 3)
    beta /= (n - 2) * (n + 5) * (n + 7) * (n + 9)
    w = np.sqrt(2 * (beta - 1)) - 1
    score = np.arcsinh(y / np.sqrt(2 / (w - 1))) / np.sqrt(np.log(w) / 2)
    return 2 * special.ndtr(-np.abs(score))


def p_of_excess(excess: Array, n: int) -> Array:
    """Return two-sided p-values for n normal values.

    After Anscombe & Glynn (1983, doi:10.1093/biomet/70.1.227).

    Examples
    --------
    >>> p_of_excess(np.array([-0.1, 3.0]), 50).round(4).tolist()
    [0.8023, 0.0034]
    """
    mean = -6.0 / (n + 1)
    variance = 24 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5))
    skew = 6 * (n**2 - 5 * n + 2) / ((n + 7) * (n + 9))
    skew = skew * float(np.sqrt(6 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3))))
    a = 6 + 8 / skew * (2 / skew + np.sqrt(1 + 4 / skew**2))
    below = 1 + (excess - mean) / np.sqrt(variance) * np.sqrt(2 / (a - 4))
    root = np.sign(below) * (np.abs((1 - 2 / a) / below)) ** (1 / 3)
    score = (1 - 2 / (9 * a) - root) / np.sqrt(2 / (9 * a))
    return 2 * special.ndtr(-np.abs(score))


def _outliers(by: str, z: Array, names: list[str]) -> Finding:
    """Ask whether the farthest of some values is farther than it would be by chance."""
    size, far = z.shape[1], np.abs(z)
    one = 2 * special.ndtr(-far.max(axis=1))
    p = -np.expm1(size * np.log1p(-one))
    # Each by itself: the geometric mean of its p-values.
    each = np.exp((np.log(2) + special.log_ndtr(-far)).mean(axis=0))
    which = np.flatnonzero(each < RARE / size)
    which = which[np.argsort(each[which], kind="stable")]
    return Finding(
        by,
        "outliers",
        np.full(len(z), float(len(which))),
        0.0,
        p,
        len(which) > 0,
        listing([names[i] for i in which], 3),
    )


def _of_cells(posterior: Posterior, found: Residuals) -> Iterator[Finding]:
    """Yield means and spread of the cells, and of cells within the units that are fewest."""
    design = posterior.design
    cells = grouping(design, "cell") if design.factors else None
    if cells is not None:
        names = [":".join(map(str, row)) for row in cells.labels.itertuples(index=False)]
        codes = cells.codes[found.rows]
        yield from _means("cell", found.values, codes, names)
        yield from _spread("cell", found, codes, names)
    units = [unit for unit in design.units if unit.size < len(found.rows) / 2]
    if not units:
        return
    fewest = min(units, key=lambda unit: unit.size)
    names = _names(posterior, fewest)
    codes = fewest.codes[found.rows]
    yield from _spread(fewest.name, found, codes, names)
    if cells is not None:
        _, within = np.unique(
            codes * len(cells.labels) + cells.codes[found.rows], return_inverse=True
        )
        groups = int(within.max()) + 1
        if fewest.size < groups:
            yield from _means(fewest.name, found.values, within, None)


def _sums(codes: Array, size: int) -> sparse.csr_array:
    """Return what adds up the rows of each group, (G, N)."""
    return sparse.csr_array(
        (np.ones(len(codes)), (codes, np.arange(len(codes)))), (size, len(codes))
    )


def _means(by: str, z: Array, codes: Array, names: list[str] | None) -> Iterator[Finding]:
    """Ask whether group means lie farther from zero than by chance."""
    count = np.bincount(codes)
    groups, size = len(count), len(codes)
    if groups < 2 or groups > 0.75 * size:
        return
    scores = (_sums(codes, groups) @ z.T) / np.sqrt(count)[:, None]
    squares = (scores**2).sum(axis=0)
    # The share of the residuals' variance that lies between groups, beyond chance.
    share = (squares.mean() - groups) / size
    where = names[int((scores.mean(axis=1) ** 2).argmax())] if names else ""
    p = special.chdtrc(groups, squares)
    yield Finding(by, "means", squares / groups, 1.0, p, bool(share > LARGE_SHARE), where)


def _spread(by: str, found: Residuals, codes: Array, names: list[str]) -> Iterator[Finding]:
    """Ask whether absolute residuals are larger in some groups (Levene's test)."""
    z = found.values
    count = np.bincount(codes)
    groups, size = len(count), len(codes)
    if not found.single or groups < 2 or size < 2 * groups or size - groups < FEWEST:
        return
    far = np.abs(z)
    means = (_sums(codes, groups) @ far.T) / count[:, None]
    centre = far.mean(axis=1)
    between = (count[:, None] * (means - centre) ** 2).sum(axis=0) / (groups - 1)
    within = ((far - means.T[:, codes]) ** 2).sum(axis=1) / (size - groups)
    # Rows that all are as they were predicted do not spread anywhere.
    ratio = np.divide(between, within, out=np.zeros_like(between), where=within > 0)
    p = special.fdtrc(groups - 1, size - groups, ratio)
    share = (ratio.mean() - 1) * (groups - 1) / size
    average = means.mean(axis=1)
    observed = np.full(len(z), float(average.max() / max(average.min(), 1e-12)))
    level = np.bincount(codes, found.observed) / count
    grows = bool(((level - level.mean()) * (average - average.mean())).sum() > 0)
    where = names[int(average.argmax())]
    yield Finding(by, "spread", observed, 1.0, p, bool(share > 2 * LARGE_SHARE), where, grows)


def _of_units(posterior: Posterior, found: Residuals) -> Iterator[Finding]:
    """Yield outliers and skew of the effects of each unit term over their sd."""
    units = {unit.name: unit for unit in posterior.design.units}
    units |= {slope.name: slope.unit for slope in posterior.design.slopes}
    for term in found.predictor.units:
        if term.effects.shape[1] < FEWEST:
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.nan_to_num(term.effects / term.sigma[:, None])
        yield _outliers(term.name, z, _names(posterior, units[term.name]))
        yield from _shape(term.name, z, z)


def _names(posterior: Posterior, unit: Unit) -> list[str]:
    labels = posterior.design.rows.labels(unit.variables, unit.first)
    return [":".join(map(str, row)) for row in labels.itertuples(index=False)]


#: What is asked, in the order in which it is told.
FEATURES: tuple[Callable[[Posterior, Residuals], Iterator[Finding]], ...] = (
    _of_rows,
    _of_cells,
    _of_units,
)


# -- Advice ------------------------------------------------------------------------------------


def advice(posterior: Posterior, finding: Finding, left: bool = False) -> str:
    """Say what to try: a family that can have such a response, or a term.

    Parameters
    ----------
    posterior : Posterior
    finding : Finding
    left : bool
        Whether the response has its long tail below.
    """
    families = [name for name in _families(posterior, finding) if not (left and name in LONG_ABOVE)]
    if families:
        return f"try {' or '.join(f'family={name!r}' for name in families)}"
    return _ADVICE.get((finding.feature, kind_of(finding.by)), "").format(unit=finding.by)


_ADVICE: Mapping[tuple[str, str], str] = {
    ("skew", "row"): "try a transformation of the response",
    ("outliers", "row"): "look at these rows, and leave them out to see what hangs on them",
    ("dispersion", "row"): "ask whether rows are independent",
    ("means", "cell"): "try all interactions of the factors",
    ("means", "unit"): "let the factors' effects vary between units, Error({unit}/factor)",
    ("spread", "cell"): "one sd for all makes intervals too narrow where rows scatter more",
    ("spread", "unit"): "one sd for all gives units that scatter more too much weight",
    ("outliers", "unit"): "look at these units, and leave them out to see what hangs on them",
    ("skew", "unit"): "units may be of two kinds, or a factor between them be missing",
}


def _families(posterior: Posterior, finding: Finding) -> list[str]:
    """Return the families to try that can have this response, two at most."""
    feature, observed = finding.feature, float(np.mean(finding.observed))
    wrong_way = {
        "dispersion": observed < 1,
        "spread": not finding.grows,
        "zeros": observed < finding.expected,
    }
    kind = finding.by == "row" or feature == "spread"
    if not kind or wrong_way.get(feature, False):
        return []
    if feature == "tails":  # heavy ones, or the light ones of proportions that reach the borders
        heavy = observed > 0
        names = [n for n in posterior.family.instead.get(feature, ()) if (n != "beta") == heavy]
    else:
        names = list(posterior.family.instead.get(feature, ()))
    return [name for name in names if name in FAMILIES and _fits(posterior, name)][:2]


def _fits(posterior: Posterior, name: str) -> bool:
    """Whether a family can have this response."""
    response, family = posterior.design.rows.response, FAMILIES[name]
    trials = None if response.trials is None else pd.Series(response.trials)
    try:
        family.read(response.name, pd.Series(response.values), trials, None)
    except AnovaError:
        return False
    return True

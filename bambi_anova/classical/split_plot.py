"""Classical ANOVA of balanced split-plot designs: strata by projection (Nelder 1965).

The space of the observations is split into strata, one a unit term and a last one of the rows.
In a balanced design each fixed term lies in one stratum, whose remainder is its error
(doi:10.1098/rspa.1965.0012).  Repeated rows of one unit in one cell are averaged first; they only
add to the last stratum.

Letters: M combinations of units and cells, n rows of each, N = M n rows, S the dimensions of a
stratum, C cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bambi_anova.arguments import own_floats, probability
from bambi_anova.classical.pairwise import contrasts_of, tabulate, wald, weights_over
from bambi_anova.classical.study import Study, Term, no_numbers, read_study, require
from bambi_anova.errors import NotApplicableError, listing

if TYPE_CHECKING:
    from bambi_anova.model import Model

Array = np.ndarray

ANALYSIS = "split-plot ANOVA"
#: Name of the last stratum, where the formula gives it no unit term.
RESIDUAL = "residual"
#: Part of a direction that rounding may leave outside the space it lies in.
TOLERANCE = 1e-8

REMEDY = "use model.fit(), which needs no balance"


@dataclass(frozen=True)
class Line:
    """A fixed term in its stratum."""

    term: Term
    basis: Array
    sumsq: float


@dataclass(frozen=True)
class Stratum:
    """One error stratum: the terms tested in it and what they leave.

    Attributes
    ----------
    name : str
    lines : tuple of Line
    df : int
        Degrees of freedom of the remainder.
    sumsq : float
        Sum of squares of the remainder.
    """

    name: str
    lines: tuple[Line, ...]
    df: int
    sumsq: float


@dataclass(frozen=True)
class Averaged:
    """Means of the rows that share units and cell.

    Attributes
    ----------
    means : ndarray, shape (M,)
    first : ndarray of int, shape (M,)
        A row of each combination.
    copies : int
        Rows n of each combination.
    sumsq : float
        Sum of squares of the rows within combinations.
    """

    means: Array
    first: Array
    copies: int
    sumsq: float


def _obstacle(study: Study) -> str | None:
    if not study.normal:
        return f"it needs a gaussian response, and family={study.family!r}; use logistic_anova()"
    numbers = no_numbers(study)
    if numbers is not None:
        return numbers
    cells = np.bincount(study.cells, minlength=int(np.prod(study.shape)))
    if np.ptp(cells) > 0:
        return (
            f"the design is not balanced: {cells.max()} rows in most cells, fewer in "
            f"{_fewest(study.cell_names, cells)}; {REMEDY}"
        )
    for unit in study.units:
        sizes = np.bincount(unit.codes)
        if np.ptp(sizes) > 0:
            return (
                f"the design is not balanced: units of {unit.name!r} have {sizes.min()} to "
                f"{sizes.max()} rows, fewest {_fewest(study.labels[unit.name], sizes)}; {REMEDY}"
            )
    return None


def _fewest(names: Iterable[str], rows: Array) -> str:
    return listing(n for n, own in zip(names, rows, strict=True) if own < rows.max())


@own_floats
def split_plot_anova(model: Model) -> pd.DataFrame:
    """Return the classical split-plot ANOVA table of a balanced gaussian design.

    Parameters
    ----------
    model : bambi_anova.Model

    Returns
    -------
    pandas.DataFrame
        A row a term and a row ``"Residuals"`` a stratum: ``stratum``, ``term``, ``df``,
        ``sumsq``, ``meansq``, ``F``, ``p``; ``pes``, the partial eta squared (the term's sum of
        squares over that and its error's); ``ges``, the generalised one (over that and the
        errors of all strata; Olejnik and Algina 2003, doi:10.1037/1082-989X.8.4.434), for
        factors that were all manipulated; and ``omega2``, the partial omega squared, which takes
        off what chance adds to the sum of squares: SS - df MSE over SS, the error's sum of
        squares, and that of the coarsest stratum with its mean square (Keren and Lewis 1979,
        doi:10.1177/001316447903900111, as in R's effectsize); 0 where that is negative.

    Raises
    ------
    NotApplicableError
        If the response is not gaussian, the formula has covariates, the design is not balanced
        or a term lies in several strata.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats")
    >>> model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
    >>> split_plot_anova(model)["F"].dropna().round(3).tolist()
    [1.485, 37.686, 0.303]
    """
    from scipy import stats

    study = read_study(model)
    strata = split(study)
    errors = sum(np.float64(stratum.sumsq) for stratum in strata)
    rows: list[tuple] = []
    for stratum in strata:
        error = np.float64(stratum.sumsq / stratum.df if stratum.df else np.nan)
        for line in stratum.lines:
            df = line.basis.shape[1]
            with np.errstate(divide="ignore", invalid="ignore"):  # no error at all
                ratio = line.sumsq / df / error
            tests = (
                ratio,
                stats.f.sf(ratio, df, stratum.df) if stratum.df else np.nan,
                line.sumsq / (line.sumsq + stratum.sumsq) if stratum.df else np.nan,
                line.sumsq / (line.sumsq + errors),
                _omega_squared(line, stratum, strata[0]),
            )
            rows.append((stratum.name, ":".join(line.term), df, line.sumsq, *tests))
        if stratum.df:
            rows.append((stratum.name, "Residuals", stratum.df, stratum.sumsq, *[np.nan] * 5))
    columns = ["stratum", "term", "df", "sumsq", "F", "p", "pes", "ges", "omega2"]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(4, "meansq", table["sumsq"] / table["df"])
    return table


def _omega_squared(line: Line, stratum: Stratum, coarsest: Stratum) -> float:
    """Return the partial omega squared of a term."""
    if not (stratum.df and coarsest.df):
        return np.nan
    excess = line.sumsq - line.basis.shape[1] * stratum.sumsq / stratum.df
    error = 0.0 if stratum is coarsest else stratum.sumsq
    whole = line.sumsq + error + coarsest.sumsq + coarsest.sumsq / coarsest.df
    with np.errstate(divide="ignore", invalid="ignore"):  # no error at all
        return float(max(np.float64(excess) / whole, 0.0))


@own_floats
def split_plot_contrasts(
    model: Model, term: str | None = None, ci_prob: float = 0.95
) -> pd.DataFrame:
    """Return pairwise contrasts with t intervals from the error of each term's stratum.

    Parameters
    ----------
    model : bambi_anova.Model
    term : str, optional
        Factors joined by colons; every term by default.
    ci_prob : float

    Returns
    -------
    pandas.DataFrame
        The columns of ``bambi_anova.classical.COLUMNS``, then ``se``, ``df`` and ``stratum``.
        They generalise to new units (``population`` is "super"); intervals and p are not
        adjusted for the number of contrasts.

    Raises
    ------
    NotApplicableError
        As ``split_plot_anova``, and if a stratum has no degrees of freedom left for its error.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats")
    >>> model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
    >>> table = split_plot_contrasts(model, "variety")
    >>> table["estimate"].round(3).tolist(), table["se"].round(3).unique().tolist()
    ([-5.292, 6.875, 12.167], [7.079])
    """
    probability(ci_prob)
    start = perf_counter()
    study = read_study(model)
    terms = study.terms_of(term)
    strata = split(study)
    cells = np.bincount(study.cells)
    means = np.bincount(study.cells, study.values) / cells
    rows = []
    for wanted in terms:
        stratum = next(s for s in strata if any(line.term == wanted for line in s.lines))
        _require_error(stratum, wanted)
        for contrast in contrasts_of(study, wanted):
            weights = weights_over(study.levels, contrast.pairs)
            se = float(np.sqrt(np.sum(weights**2 / cells) * stratum.sumsq / stratum.df))
            found = wald(float(weights @ means), se, stratum.df, ci_prob)
            about = {"term": ":".join(wanted), "contrast": contrast.name}
            rows.append(about | found | {"stratum": stratum.name})
    return tabulate(rows, ANALYSIS, "link", "super", perf_counter() - start)


def check_split_plot(study: Study) -> None:
    """Raise ``NotApplicableError`` if there is no classical test of every term of a study."""
    for stratum in split(study):
        for line in stratum.lines:
            _require_error(stratum, line.term)


def _require_error(stratum: Stratum, term: Term) -> None:
    if not stratum.df:
        raise NotApplicableError(
            f"{ANALYSIS} does not apply: stratum {stratum.name!r} of {':'.join(term)!r} has no "
            "degrees of freedom left for its error; it needs more units, or model.fit()"
        )


def split(study: Study) -> list[Stratum]:
    """Split the sum of squares into strata, and each of them into its terms and the rest.

    Raises
    ------
    NotApplicableError
        If the design is not one that splits in this way.
    """
    require(ANALYSIS, _obstacle(study))
    averaged = _average(study)
    spaces = list(_spaces(study, averaged.first))
    deflections = {term: _deflections(study, term, averaged.first) for term in study.terms}
    homes = {term: _home(term, basis, spaces) for term, basis in deflections.items()}
    _require_orthogonal(deflections)
    strata = []
    for name, space in spaces:
        lines = tuple(
            Line(term, basis, averaged.copies * float(np.sum((basis.T @ averaged.means) ** 2)))
            for term, basis in deflections.items()
            if homes[term] == name
        )
        total = averaged.copies * float(np.sum((space.T @ averaged.means) ** 2))
        df = space.shape[1] - sum(line.basis.shape[1] for line in lines)
        rest = total - sum(line.sumsq for line in lines)
        if name == spaces[-1][0] and averaged.copies > 1:
            rest, df = rest + averaged.sumsq, df + study.rows - len(averaged.means)
        strata.append(Stratum(name, lines, df, max(rest, 0.0) if df else 0.0))
    return [stratum for stratum in strata if stratum.df or stratum.lines]


def _average(study: Study) -> Averaged:
    """Average the rows that share every unit and the cell."""
    keys = np.stack([study.cells, *(unit.codes for unit in study.units)], axis=1)
    _, first, codes = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    codes = codes.ravel()
    sizes = np.bincount(codes)
    if np.ptp(sizes) > 0:
        raise NotApplicableError(
            f"{ANALYSIS} does not apply: the design is not balanced: {sizes.min()} to "
            f"{sizes.max()} rows of one unit in one cell; {REMEDY}"
        )
    means = np.bincount(codes, study.values) / sizes
    sumsq = float(np.sum((study.values - means[codes]) ** 2))
    return Averaged(means, first, int(sizes[0]), sumsq)


def _spaces(study: Study, first: Array) -> Iterator[tuple[str, Array]]:
    """Yield the name and an orthonormal basis, shape (M, S), of each stratum, in order."""
    size = len(first)
    known = np.full((size, 1), size**-0.5)
    for unit in study.units:
        space = _remainder(_indicators(unit.codes[first]), known)
        if space.shape[1]:
            yield unit.name, space
            known = np.hstack([known, space])
    rest = _remainder(np.eye(size), known) if known.shape[1] < size else np.empty((size, 0))
    copies = study.rows > size
    if rest.shape[1] or copies:
        yield RESIDUAL, rest


def _indicators(codes: Array) -> Array:
    return np.eye(codes.max() + 1)[codes]


def _remainder(columns: Array, known: Array) -> Array:
    """Return an orthonormal basis of what columns span beyond an orthonormal basis."""
    from scipy.linalg import qr

    left = columns - known @ (known.T @ columns)
    left -= known @ (known.T @ left)  # once more, against rounding
    basis, triangle, _ = qr(left, mode="economic", pivoting=True)
    diagonal = np.abs(np.diag(triangle))
    return basis[:, diagonal > TOLERANCE * max(1.0, np.abs(columns).max())]


def _deflections(study: Study, term: Term, first: Array) -> Array:
    """Return an orthonormal basis of a term's deflections; shape (M, df).

    Columns are products of the factors' sum-to-zero codings, orthonormal within a factor, which
    in a balanced design are orthogonal to those of every other term.
    """
    blocks = []
    for name in term:
        size = len(study.levels[name])
        raw = np.eye(size)[:, 1:] - 1 / size
        coding = np.linalg.qr(raw)[0]
        blocks.append(coding[study.codes[name][first]])
    product = reduce(lambda a, b: (a[:, :, None] * b[:, None, :]).reshape(len(a), -1), blocks)
    return product / np.linalg.norm(product, axis=0)


def _home(term: Term, basis: Array, spaces: list[tuple[str, Array]]) -> str:
    """Return the one stratum that a term lies in."""
    shares = {name: float(np.sum((space.T @ basis) ** 2)) for name, space in spaces}
    name, share = max(shares.items(), key=lambda item: item[1])
    if abs(share - basis.shape[1]) > TOLERANCE * basis.shape[1]:
        parts = [other for other, part in shares.items() if part > TOLERANCE]
        where = f"in several strata ({listing(parts)})" if len(parts) > 1 else "outside the strata"
        raise NotApplicableError(
            f"{ANALYSIS} does not apply: term {':'.join(term)!r} lies {where}, as in incomplete "
            f"blocks or unbalanced designs; {REMEDY}"
        )
    return name


def _require_orthogonal(deflections: dict[Term, Array]) -> None:
    """Refuse terms that overlap, whose sums of squares would depend on their order."""
    for one, other in combinations(deflections, 2):
        if np.abs(deflections[one].T @ deflections[other]).max() > TOLERANCE:
            raise NotApplicableError(
                f"{ANALYSIS} does not apply: terms {':'.join(one)!r} and {':'.join(other)!r} are "
                f"not orthogonal, as in unbalanced designs; {REMEDY}"
            )

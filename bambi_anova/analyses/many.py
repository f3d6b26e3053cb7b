"""One design, many data sets: a quick fit of each gene, voxel, item or simulated study.

What a table says of one fit it says here of all, with a column that tells which one; what could
not be fitted says why in its row of ``fits``, and stops nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from bambi_anova.arguments import generator, one_of, own_floats, whole_number
from bambi_anova.data.frames import open_frame
from bambi_anova.engine.progress import Progress
from bambi_anova.errors import AnovaError, AnovaWarning, ArgumentError, nearest
from bambi_anova.formula.expression import quote
from bambi_anova.model import Model
from bambi_anova.result import Result

if TYPE_CHECKING:
    from narwhals.typing import IntoFrame

#: Methods that take no part of a minute.
METHODS = ("laplace", "pathfinder", "advi")
#: The column that tells responses apart.
RESPONSE = "response"


@dataclass(frozen=True)
class ManyFits:
    """The tables of many fits of one design.

    Attributes
    ----------
    by : str
        The column that tells the fits apart.
    fits : pandas.DataFrame
        One row a fit: ``rows``, ``seconds``, ``trusted``, ``log_evidence`` and ``problem``, which
        is empty, the reasons why a fit is not trusted, or why there is none.
    means, contrasts, anova : pandas.DataFrame
        As of ``Result``, of all terms that were asked for.
    """

    by: str
    fits: pd.DataFrame
    means: pd.DataFrame = field(repr=False)
    contrasts: pd.DataFrame = field(repr=False)
    anova: pd.DataFrame = field(repr=False)

    def __str__(self) -> str:
        """Say how many fits there are, and which are none."""
        found = self.fits["trusted"].notna()
        text = f"{int(found.sum())} fits by {self.by!r}, {int(self.fits['trusted'].sum())} trusted"
        if not found.all():
            first = self.fits[~found].iloc[0]
            text += f"; {int((~found).sum())} without a fit, first {first[self.by]!r}: "
            text += str(first["problem"])
        return f"{text}\n  tables: fits, means, contrasts, anova"

    __repr__ = __str__


@own_floats
def fit_many(
    formula: str,
    data: IntoFrame,
    *,
    by: str | None = None,
    responses: Sequence[str] | None = None,
    terms: Sequence[str] | None = None,
    method: str = "pairwise",
    population: str = "super",
    scale: str = "link",
    inference_method: str = "laplace",
    draws: int = 500,
    random_seed: int | None = None,
    progressbar: bool = True,
    **model: Any,
) -> ManyFits:
    """Fit one design to many data sets, by a quick fit each.

    Parameters
    ----------
    formula : str
        As of ``Model``; with ``responses`` what stands left of ``~`` is exchanged.
    data : DataFrame or table
    by : str, optional
        A column whose every value names a data set of its own, such as ``"gene"``.
    responses : sequence of str, optional
        Columns, or left-hand sides such as ``"log(rt)"``, that are analysed one by one.
    terms : sequence of str, optional
        Terms of which means and contrasts are wanted; every factor term by default.
    method : str
        Family of the contrasts, as of ``Result.contrasts``.
    population, scale
        As of ``Result.means``.
    inference_method : {"laplace", "pathfinder", "advi"}
    draws : int
        Draws kept of each of the four parts of a fit.
    random_seed : int, optional
        Each data set has a seed of its own, made from this and its place.
    progressbar : bool
    **model
        Further arguments of ``Model``, such as ``family``.

    Returns
    -------
    ManyFits

    Raises
    ------
    ArgumentError
        If neither or both of ``by`` and ``responses`` are given, or an argument cannot be.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats").assign(rough=lambda d: d["yield"].round(-1))
    >>> many = ba.fit_many(
    ...     "~ variety + Error(block/variety)", oats, responses=["yield", "rough"],
    ...     draws=100, random_seed=1, progressbar=False,
    ... )
    >>> many.contrasts.groupby("response").size().tolist()
    [3, 3]
    """
    one_of("inference_method", inference_method, METHODS)
    whole_number("draws", draws)
    sets = list(_data_sets(formula, data, by, responses))
    seeds = generator(random_seed).integers(2**31, size=len(sets)).tolist()
    name = by or RESPONSE
    asked: dict[str, Any] = {"population": population, "scale": scale}
    parts: dict[str, list[pd.DataFrame]] = {"means": [], "contrasts": [], "anova": []}
    options = {"inference_method": inference_method, "draws": draws, "progressbar": False}
    fits = []
    with Progress("fits", progressbar) as progress:
        for place, ((label, text, frame), seed) in enumerate(zip(sets, seeds, strict=True)):
            progress(f"{name} {label}", place, len(sets))
            row = {name: label, "rows": len(frame)}
            result = _fitted(text, frame, model, {**options, "random_seed": seed})
            if isinstance(result, AnovaError):
                fits.append({**row, "trusted": None, "problem": str(result)})
                continue
            fits.append({**row, **_told(result)})
            for table, found in _tables(result, terms, method, asked):
                found.insert(0, name, [label] * len(found))
                parts[table].append(found)
    tables = {
        table: pd.concat(own, ignore_index=True) if own else pd.DataFrame({name: []})
        for table, own in parts.items()
    }
    columns = [name, "rows", "seconds", "trusted", "log_evidence", "problem"]
    told = pd.DataFrame(fits).reindex(columns=columns).astype({"trusted": "boolean"})
    return ManyFits(name, told, **tables)


def _data_sets(
    formula: str, data: IntoFrame, by: str | None, responses: Sequence[str] | None
) -> Iterator[tuple[Any, str, pd.DataFrame]]:
    """Yield the name of each data set, its formula and its rows."""
    if (by is None) == (responses is None):
        raise ArgumentError("by, responses: expected one of them, to tell the data sets apart")
    source = open_frame(data)
    frame = source.take(source.columns)
    if by is not None:
        if by not in source.columns:
            hint = nearest(str(by), map(str, source.columns))
            raise ArgumentError(f"by={by!r}: there is no such column{hint}")
        for label, rows in frame.groupby(by, sort=False, observed=True):
            yield label, formula, rows.drop(columns=by)
        return
    if isinstance(responses, str) or not responses:
        raise ArgumentError(f"responses={responses!r}: expected a list of left-hand sides")
    right = str(formula).partition("~")[2]
    if not right.strip():
        raise ArgumentError(f"formula={formula!r}: expected terms on the right of '~'")
    for response in responses:
        written = quote(response) if response in source.columns else response
        yield response, f"{written} ~ {right.strip()}", frame


def _fitted(
    formula: str, data: pd.DataFrame, model: dict[str, Any], options: dict[str, Any]
) -> Result | AnovaError:
    """Fit without warnings, which the table tells by row; an error of ours is an answer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AnovaWarning)
        try:
            return Model(formula, data, **model).fit(**options)
        except AnovaError as error:
            return error


def _told(result: Result) -> dict[str, Any]:
    verdict, evidence = result.verdict, result.log_evidence
    return {
        "seconds": result.sampling.seconds,
        "trusted": verdict.trusted,
        "log_evidence": None if evidence is None else evidence.value,
        "problem": "; ".join(verdict.reasons),
    }


def _tables(
    result: Result, terms: Iterable[str] | None, method: str, asked: dict[str, Any]
) -> Iterator[tuple[str, pd.DataFrame]]:
    known = [term.name for term in result.design.factor_terms]
    for term in known if terms is None else terms:
        yield "means", pd.DataFrame(result.means(term, **asked)).assign(term=term)
        yield "contrasts", pd.DataFrame(result.contrasts(term, method, **asked))
    yield "anova", pd.DataFrame(result.anova(**asked))

"""Fits side by side: two of one model, or several models of the same data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from bambi_anova.arguments import own_floats
from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.estimates.accuracy import trust
from bambi_anova.families.sufficient import group_rows
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.prediction.grouping import Grouping, grouping
from bambi_anova.prediction.loo import leave_out
from bambi_anova.specification import same_model
from bambi_anova.tables.columns import COMPARED_FITS, COMPARED_MODELS
from bambi_anova.tables.printing import Table


@own_floats
def compare_fits(quick: Posterior, full: Posterior) -> pd.DataFrame:
    """Compare two fits of one model, quantity by quantity.

    Parameters
    ----------
    quick, full : Result
        The second is taken for the truth.

    Returns
    -------
    pandas.DataFrame
        A row for each quantity of ``Result.trust``, the worst first: ``shift`` (of the mean, in
        units of the full fit's sd), ``sd_ratio`` (quick over full), ``quantity``,
        ``population``, ``trusted_quick``, ``trusted_full``, ``mean_quick``, ``mean_full``,
        ``sd_quick`` and ``sd_full``.

    Raises
    ------
    ArgumentError
        If the fits are of different models.

    Examples
    --------
    >>> quick = model.fit("laplace")  # doctest: +SKIP
    >>> compare_fits(quick, model.fit(init=quick))  # doctest: +SKIP
    """
    for name, fit in (("quick", quick), ("full", full)):
        if not isinstance(fit, Posterior):
            raise ArgumentError(f"{name}: expected a Result, got {fit!r:.60}")
    difference = same_model(quick.specification, full.specification)
    rows = [fit.design.rows.size for fit in (quick, full)]
    if not difference and rows[0] != rows[1]:
        difference = f"of {rows[0]} rows and of {rows[1]}"
    if difference:
        raise ArgumentError(f"the fits are of different models: {difference}")
    both = trust(quick).merge(
        trust(full),
        on=["quantity", "population"],
        suffixes=("_quick", "_full"),
        validate="one_to_one",
    )
    with np.errstate(invalid="ignore", divide="ignore"):  # quantities that are constant
        both["shift"] = (both["mean_quick"] - both["mean_full"]) / both["sd_full"]
        both["sd_ratio"] = both["sd_quick"] / both["sd_full"]
    distance = pd.concat([both["shift"].abs(), (both["sd_ratio"] - 1).abs()], axis=1).max(axis=1)
    order = distance.sort_values(ascending=False, na_position="last", kind="stable").index
    return Table(both.loc[order, COMPARED_FITS].reset_index(drop=True))


@own_floats
def compare(
    results: Mapping[str, Posterior] | Sequence[Posterior],
    by: str = "row",
    draws: int | None = None,
) -> pd.DataFrame:
    """Compare models of the same data by their leave-one-out predictive accuracy.

    Parameters
    ----------
    results : mapping of str to Result, or sequence of Result
        Fits, perhaps with and without a term; without names they go by their formulas.
    by : str
        What to leave out at a time, as for ``Result.loo``: "row", "cell" (of all the models'
        factors together), "unit" or a unit term that one of the models has.
    draws : int, optional
        How many of each posterior's draws to use.

    Returns
    -------
    pandas.DataFrame
        A row a model, the best first: ``elpd_diff`` to the best model and its standard error
        ``se_diff`` (of the paired differences), ``model``, ``by``, ``elpd``, ``se``, ``p``,
        ``weight`` (stacking: Yao et al. 2018, doi:10.1214/17-BA1091), ``pareto_k`` (the worst)
        and ``trusted``.  Differences below about 4, or within two standard errors, do not tell
        models apart.

    Raises
    ------
    ArgumentError
        If there are fewer than two fits, names repeat, or the data differ.

    Examples
    --------
    >>> without = ba.Model(formula_without, data).fit()  # doctest: +SKIP
    >>> compare({"with": result, "without": without}, by="unit")  # doctest: +SKIP
    """
    import arviz_stats

    named = _named(results)
    _require_same_data(named)
    groups = _common_grouping(named, by)
    found = {name: leave_out(result, groups, draws) for name, result in named.items()}
    terms = {name: loo.table["elpd"].to_numpy() for name, loo in found.items()}
    best = max(found, key=lambda name: found[name].elpd)
    stacked = arviz_stats.compare(
        {name: loo.to_arviz() for name, loo in found.items()}, round_to="none"
    )
    rows = []
    for name, loo in found.items():
        difference = terms[name] - terms[best]
        rows.append(
            {
                "model": name,
                "by": groups.name,
                "elpd": loo.elpd,
                "se": loo.se,
                "p": loo.p,
                "elpd_diff": difference.sum(),
                "se_diff": np.sqrt(len(difference) * difference.var(ddof=1)),
                "weight": float(stacked.loc[name, "weight"]),
                "pareto_k": loo.table["pareto_k"].max(),
                "trusted": loo.verdict.trusted,
            }
        )
    table = Table(pd.DataFrame(rows)[COMPARED_MODELS])
    return table.sort_values("elpd", ascending=False, kind="stable", ignore_index=True)


def _named(results: Mapping[str, Posterior] | Sequence[Posterior]) -> dict[str, Posterior]:
    if isinstance(results, Mapping):
        named = {str(name): result for name, result in results.items()}
    else:
        if isinstance(results, Posterior) or not isinstance(results, Sequence):
            raise ArgumentError(f"results: expected several fits, got {results!r:.60}")
        texts = [getattr(getattr(r, "design", None), "formula", None) for r in results]
        named = {
            str(getattr(t, "text", i)): r
            for i, (t, r) in enumerate(zip(texts, results, strict=True))
        }
        if len(named) < len(results):
            raise ArgumentError(
                "results: two fits have the same formula; name them: {'one': ..., 'other': ...}"
            )
    for name, result in named.items():
        if not isinstance(result, Posterior):
            raise ArgumentError(f"results[{name!r}]: expected a Result, got {result!r:.60}")
    if len(named) < 2:
        raise ArgumentError(f"results: expected two fits or more, got {len(named)}")
    return named


def _require_same_data(named: Mapping[str, Posterior]) -> None:
    """Refuse fits whose elpds are about different data."""
    (first, one), *others = named.items()
    for name, other in others:
        a, b = one.design.rows.response, other.design.rows.response
        if len(a.values) != len(b.values):
            what = f"{len(a.values)} rows and {len(b.values)}"
        elif not np.array_equal(a.values, b.values):
            what = (
                f"responses differ, {a.name!r} and {b.name!r}, or their rows are in another order"
            )
        elif (a.trials is None) != (b.trials is None) or not np.array_equal(
            1 if a.trials is None else a.trials, 1 if b.trials is None else b.trials
        ):
            what = f"trials differ, of {a.name!r} and {b.name!r}"
        elif one.family.response.counts != other.family.response.counts:
            what = (
                f"family {one.family.name!r} and family {other.family.name!r}: the one has "
                "probabilities of counts, the other densities, which have no common scale"
            )
        else:
            continue
        raise ArgumentError(
            f"results: {first!r} and {name!r} cannot be compared ({what}); fit all models to "
            "the same rows, with the same response"
        )


def _common_grouping(named: Mapping[str, Posterior], by: str) -> Grouping:
    """Return a partition of the rows that all models can be judged by."""
    designs = [result.design for result in named.values()]
    if by == "cell":
        factors = {name: f for design in designs for name, f in design.rows.factors.items()}
        keys = [factor.codes for factor in factors.values()]
        codes, first = group_rows(keys, len(designs[0].rows.data))
        labels = {name: [f.levels[f.codes[i]] for i in first] for name, f in factors.items()}
        return Grouping("cell", codes, pd.DataFrame(labels, index=range(len(first))), "cell")
    if by == "row":
        return grouping(designs[0], by)
    units = {unit.name: (unit.size, design) for design in designs for unit in design.units}
    if not units:
        raise ArgumentError(f"by={by!r}: none of the models has unit terms; use 'row' or 'cell'")
    name = min(units, key=lambda unit: units[unit][0]) if by == "unit" else by
    if name not in units:
        raise ArgumentError(f"by={by!r}{nearest(str(by), ['row', 'cell', 'unit', *units])}")
    return grouping(units[name][1], name)

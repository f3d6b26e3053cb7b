"""Kruschke's hierarchical binomial model of subjects in categories (DBDA2E, chapter 9)."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bambi_anova.arguments import generator, one_of, own_floats, probability, whole_number
from bambi_anova.classical.beta_categories import CategoryDraws, draw_categories
from bambi_anova.classical.pairwise import SCALES, contrasts_of, tabulate, weights_over
from bambi_anova.classical.study import Study, Term, is_crossed, no_numbers, read_study, require
from bambi_anova.classical.unit_means import judging_unit
from bambi_anova.errors import ArgumentError, ConvergenceWarning, listing, warn

if TYPE_CHECKING:
    from bambi_anova.model import Model

Array = np.ndarray

ANALYSIS = "hierarchical binomial"
#: Move of the log evidence that still leaves the grids fine enough.
GRID_ERROR = 0.02


def check_hierarchical(study: Study, unit: str | None = None) -> None:
    """Raise ``NotApplicableError`` if the model does not apply to a study."""
    require(ANALYSIS, _obstacle(study, unit))


def _obstacle(study: Study, unit: str | None) -> str | None:
    if study.trials is None:
        return (
            f"it needs family='bernoulli' or 'binomial', and family={study.family!r}; for gaussian "
            "responses use split_plot_contrasts()"
        )
    if not study.units and bool(np.all(study.trials <= 1)):
        return "single yes or no rows without units hold no subjects; add Error(unit)"
    rows = np.bincount(study.cells, minlength=len(study.cell_names))
    empty = [name for name, count in zip(study.cell_names, rows, strict=True) if not count]
    if empty:
        return f"no data in {listing(empty)}; leave a factor out, or use model.fit()"
    return no_numbers(study) or (is_crossed(study) if unit is None else None)


@own_floats
def hierarchical_binomial(
    model: Model,
    term: str | None = None,
    unit: str | None = None,
    scale: str = "link",
    kappa_prior: tuple[float, float] = (0.01, 0.01),
    draws: int = 10_000,
    random_seed: int | None = None,
    ci_prob: float = 0.95,
) -> pd.DataFrame:
    """Compare the modes of categories of subjects.

    The categories are the levels of a factor (of a term, its cells), each term by itself.  They
    are taken as independent: someone who did two types of trials counts as two subjects, one in
    each.  So the pairing within subjects is lost, and contrasts within them are too uncertain;
    contrasts between them are not.

    Parameters
    ----------
    model : bambi_anova.Model
        With family "bernoulli" or "binomial".
    term : str, optional
        Factors joined by colons; every term by default, the posterior of each its own.
    unit : str, optional
        Unit term of the subjects, or ``"row"``; by default the units that judge the term.
    scale : {"link", "response"}
        Differences of the logits of the modes omega, or of the modes.
    kappa_prior : (float, float)
        Shape and rate of the Gamma prior of every concentration less two.
    draws : int
        Independent draws of the posterior.
    random_seed : int, optional
    ci_prob : float
        Of the highest-density interval.

    Returns
    -------
    pandas.DataFrame
        The columns of ``bambi_anova.classical.COLUMNS`` (``estimate`` is the posterior mean),
        then ``pd`` (probability of direction), ``mcse``, ``ess`` (draws are independent),
        ``grid_error`` (a bound of what the quadrature does to the log evidence) and ``subjects``.
        They generalise to new subjects (``population`` is "super").

    Raises
    ------
    NotApplicableError
        If the response is not yes or no, there are covariates, units cross and none is named, or
        nothing in the data is a subject.

    Notes
    -----
    See ``bambi_anova.classical.beta_categories`` for the model.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> formula = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
    >>> model = ba.Model(formula, ba.load_data("memory"), family="binomial")
    >>> table = hierarchical_binomial(model, "trial_type", random_seed=1)
    >>> bool(table["lower"][0] > 0)
    True
    """
    one_of("scale", scale, SCALES)
    probability(ci_prob)
    _check_sampling(kappa_prior, draws)
    start = perf_counter()
    study = read_study(model)
    check_hierarchical(study, unit)
    rng = generator(random_seed)
    rows = []
    for wanted in study.terms_of(term):
        posterior, subjects = draw_term(study, wanted, unit, kappa_prior, draws, rng)
        if posterior.grid_error > GRID_ERROR:
            warn(
                ConvergenceWarning(
                    f"{ANALYSIS}, {':'.join(wanted)}: leaving out half of the grid moves the log "
                    f"evidence by {posterior.grid_error:.2g}; do not trust these intervals"
                )
            )
        omega = posterior.omega
        values = np.log(omega / (1 - omega)) if scale == "link" else omega
        levels = {name: study.levels[name] for name in wanted}
        for contrast in contrasts_of(study, wanted):
            about = {"term": ":".join(wanted), "contrast": contrast.name}
            summary = _summarise(values @ weights_over(levels, contrast.pairs), ci_prob)
            rows.append(
                about | summary | {"grid_error": posterior.grid_error, "subjects": subjects}
            )
    return tabulate(rows, ANALYSIS, scale, "super", perf_counter() - start)


def draw_term(
    study: Study,
    term: Term,
    unit: str | None,
    kappa_prior: tuple[float, float],
    draws: int,
    rng: np.random.Generator,
) -> tuple[CategoryDraws, int]:
    """Draw the posterior of a term's categories; return also the number of subjects."""
    chosen = study.unit(unit) if unit is not None else judging_unit(study, term)
    shape = tuple(len(study.levels[name]) for name in term)
    categories = np.ravel_multi_index(tuple(study.codes[name] for name in term), shape)
    frame = pd.DataFrame({"category": categories, "unit": chosen.codes})
    frame = frame.assign(successes=study.values, trials=study.trials)
    frame = frame.groupby(["category", "unit"], as_index=False).sum()
    parts = [frame[frame["category"] == number] for number in range(int(np.prod(shape)))]
    posterior = draw_categories(
        [part["successes"].to_numpy() for part in parts],
        [part["trials"].to_numpy() for part in parts],
        *kappa_prior,
        draws,
        rng,
    )
    return posterior, len(frame)


def _check_sampling(kappa_prior: tuple[float, float], draws: int) -> None:
    whole_number("draws", draws, 100)
    if not (len(kappa_prior) == 2 and min(kappa_prior) > 0):
        raise ArgumentError(
            f"kappa_prior={kappa_prior!r}: expected shape and rate of a Gamma prior, both positive"
        )


def _summarise(values: Array, ci_prob: float) -> dict:
    lower, upper = shortest_interval(values, ci_prob)
    return {
        "estimate": float(values.mean()),
        "lower": lower,
        "upper": upper,
        "pd": float(max((values > 0).mean(), (values < 0).mean())),
        "mcse": float(values.std(ddof=1) / np.sqrt(len(values))),
        "ess": len(values),
    }


def shortest_interval(values: Array, ci_prob: float) -> tuple[float, float]:
    """Return the shortest interval that holds a share of the draws.

    Examples
    --------
    >>> shortest_interval(np.array([0.0, 5.0, 5.5, 6.0, 20.0]), 0.5)
    (5.0, 6.0)
    """
    ordered = np.sort(values)
    inside = min(int(np.floor(ci_prob * len(ordered))), len(ordered) - 1)
    widths = ordered[inside:] - ordered[: len(ordered) - inside]
    first = int(np.argmin(widths))
    return float(ordered[first]), float(ordered[first + inside])

"""Simulated studies, and what each of them answers at every size.

A study has one truth, drawn from what is assumed, and one data set of the largest size; smaller
sizes are parts of it.  Shares at different sizes are therefore compared with common random
numbers, and the sizes of one study are its looks if it is run sequentially.

An answer that rests on a number which is not trusted counts as unknown.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.engine.methods import run
from bambi_anova.engine.progress import Progress
from bambi_anova.engine.request import Request
from bambi_anova.engine.threads import cores as cores_here
from bambi_anova.errors import AnovaWarning, DataError
from bambi_anova.estimates.contrasts import contrasts
from bambi_anova.evidence.marginal_likelihood import WEIGHTS, log_evidence, verdict_of
from bambi_anova.evidence.submodels import SubModel, above, find_term, sub_specification
from bambi_anova.planning.layout import Assumed, Layout, Size
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.specification import Specification, specify

Array = np.ndarray
#: From a generator to the parameters of one study.
Assume = Callable[[np.random.Generator], Assumed]

#: Draws of a first quick fit, and of one more where the first is not trusted, of each of 4 chains.
DRAWS = (500, 2000)
#: A contrast nearer to zero than this is none.
NOTHING = 1e-12
#: Fits from which further processes are worth their start.
MANY = 60

EXCLUDES_ZERO = "excludes zero"


@dataclass(frozen=True)
class Goals:
    """What an answer is held against.

    Attributes
    ----------
    ci_prob : float
    width : float or None
        The interval is to be narrower.
    rope : tuple of float or None
        The interval is to lie in this region, or outside of it.
    bf : float or None
        The Bayes factor of the term is to be larger, for or against it.
    """

    ci_prob: float
    width: float | None
    rope: tuple[float, float] | None
    bf: float | None

    @property
    def names(self) -> list[str]:
        """What the goals are called."""
        names = [EXCLUDES_ZERO]
        if self.width is not None:
            names.append(f"narrower than {self.width:g}")
        if self.rope is not None:
            names += ["outside ROPE", "inside ROPE"]
        if self.bf is not None:
            names += [f"Bayes factor {side} above {self.bf:g}" for side in ("for", "against")]
        return names


@dataclass(frozen=True)
class Answer:
    """Whether a study reached a goal.

    Attributes
    ----------
    reached : bool
    misleading : bool
        It says what is not so.
    trusted : bool
        Whether the numbers behind it are.
    """

    reached: bool
    misleading: bool = False
    trusted: bool = True


@dataclass(frozen=True)
class Question:
    """What every study is asked.

    Attributes
    ----------
    layout : Layout
    assume : callable
    goals : Goals
    term : str
    contrast : str, mapping or array
    weights : ndarray, shape (C,)
        Of the contrast over the cells.
    priors : mapping or None
    """

    layout: Layout
    assume: Assume
    goals: Goals
    term: str
    contrast: Any
    weights: Array
    priors: Mapping[str, Any] | None


def run_studies(
    question: Question,
    sizes: Sequence[Size],
    simulations: int,
    random_seed: int | None,
    cores: int | None,
    progressbar: bool,
) -> pd.DataFrame:
    """Return what every study answers at every size.

    Returns
    -------
    pandas.DataFrame
        ``simulation``, ``size`` (its place), ``goal``, ``reached``, ``misleading``, ``trusted``.
        The same for any number of cores.
    """
    seeds = np.random.SeedSequence(random_seed).spawn(simulations)
    if cores is None:
        cores = cores_here() if simulations * len(sizes) >= MANY else 1
    found = []
    with Progress("planning", progressbar) as progress:
        for number, answers in enumerate(_all(question, sizes, seeds, cores)):
            progress("studies", number + 1, simulations)
            found += [{"simulation": number, **answer} for answer in answers]
    return pd.DataFrame(found)


def _all(
    question: Question, sizes: Sequence[Size], seeds: Sequence, cores: int
) -> Iterator[list[dict[str, Any]]]:
    if cores == 1:
        yield from (study(question, sizes, seed) for seed in seeds)
        return
    from joblib import Parallel, delayed  # heavy

    work = Parallel(n_jobs=cores, return_as="generator")
    yield from work(delayed(study)(question, sizes, seed) for seed in seeds)


def study(
    question: Question, sizes: Sequence[Size], seed: np.random.SeedSequence
) -> list[dict[str, Any]]:
    """Return the answers of one study at every size."""
    layout, rng = question.layout, np.random.default_rng(seed)
    largest = Size(
        {name: max(size.units[name] for size in sizes) for name in sizes[0].units},
        max(size.rows for size in sizes),
    )
    assumed = question.assume(rng)
    whole, drawn = layout.numbered(largest), {}
    for trials in dict.fromkeys(size.trials for size in sizes):
        drawn[trials] = layout.draw(whole, assumed, rng, trials)
    truth = float(question.weights @ assumed.cells)
    found = []
    for place, size in enumerate(sizes):
        data = layout.part(drawn[size.trials], size)
        own = int(seed.generate_state(place + 1)[place])
        for goal, answer in _answers(question, data, truth, own).items():
            found.append({"size": place, "goal": goal, **vars(answer)})
    return found


def _answers(question: Question, data: pd.DataFrame, truth: float, seed: int) -> dict[str, Answer]:
    """Return what the data say to every goal."""
    layout, goals = question.layout, question.goals
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AnovaWarning)
        try:
            model = specify(
                layout.formula.text, data, layout.family.name, question.priors, layout.link.name
            )
        except DataError:  # such as no success at all, of which nothing can be learnt
            return dict.fromkeys(goals.names, Answer(False))
        for draws in DRAWS:
            request = Request("laplace", draws, draws, 4, seed, False)
            fit = run(model, request)
            row = contrasts(fit, question.term, question.contrast, ci_prob=goals.ci_prob).iloc[0]
            if row["trusted"]:
                break
        found = _of_interval(goals, row, truth)
        if goals.bf is not None:
            found |= _of_evidence(goals, model, fit, question.term, truth, request)
    return found


def _of_interval(goals: Goals, row: pd.Series, truth: float) -> dict[str, Answer]:
    """Answer what an interval can."""
    lower, upper = (float(row[name]) for name in row.index if name.endswith(("_lb", "_ub")))
    trusted = bool(row["trusted"])
    sign = 0.0 if abs(truth) <= NOTHING else np.sign(truth)
    side = 1.0 if lower > 0 else -1.0 if upper < 0 else 0.0
    found = {EXCLUDES_ZERO: Answer(side != 0, side not in (0.0, sign), trusted)}
    if goals.width is not None:
        found[f"narrower than {goals.width:g}"] = Answer(
            upper - lower < goals.width, False, trusted
        )
    if goals.rope is not None:
        low, high = goals.rope
        above, below, inside = lower > high, upper < low, lower >= low and upper <= high
        wrong = (above and truth <= high) or (below and truth >= low)
        found["outside ROPE"] = Answer(above or below, wrong, trusted)
        found["inside ROPE"] = Answer(inside, inside and not low <= truth <= high, trusted)
    return found


def _of_evidence(
    goals: Goals,
    model: Specification,
    fit: Posterior,
    term: str,
    truth: float,
    request: Request,
) -> dict[str, Answer]:
    """Answer by the Bayes factor of the term, without its interactions on either side."""
    assert goals.bf is not None
    own = find_term(term, model.design)
    higher = above(own, model.design)
    having = SubModel(tuple(one for one in model.design.terms if one not in higher))
    lacking = SubModel(tuple(one for one in having.terms if one.name != own.name))
    with_it = fit if not higher else run(sub_specification(model, having), request)
    without = run(sub_specification(model, lacking), request)
    sides = [log_evidence(one, WEIGHTS) for one in (with_it, without)]
    log_bf = sides[0].value - sides[1].value
    trusted = all(verdict_of(one).trusted for one in sides)
    limit, nothing = np.log(goals.bf), abs(truth) <= NOTHING
    for_it, against_it = log_bf > limit, -log_bf > limit
    names = [name for name in goals.names if name.startswith("Bayes factor")]
    answers = (
        Answer(bool(for_it), bool(for_it and nothing), trusted),
        Answer(bool(against_it), bool(against_it and not nothing), trusted),
    )
    return dict(zip(names, answers, strict=True))

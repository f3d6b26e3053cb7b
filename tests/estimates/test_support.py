"""What is marked as supported is what the rows determine, by definition.

Two sets of coefficients that have the same predictor in every row cannot be told apart by data:
what changes from one to the other rests on the prior, and what does not is supported.
"""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import linalg

import bambi_anova as ba
from bambi_anova.posterior.draws import Draws
from bambi_anova.posterior.trust import Sampling
from bambi_anova.result import Result

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

SAMPLE = (2, 40)


def data():
    """Two groups do three tasks, with two blocks that share no level; dose and age differ."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(product("AB", "xyz", range(6)), columns=["group", "task", "k"])
    size = len(frame)
    block = np.arange(size) % 2
    return frame.assign(
        f=np.array(["a", "b", "c", "d"])[2 * block + rng.integers(0, 2, size)],
        g=np.array(["k", "l", "m", "n"])[2 * block + rng.integers(0, 2, size)],
        dose=rng.uniform(1, 9, size).round(2),
        age=np.where(frame["group"] == "A", 30.0, 50.0),
        hits=rng.integers(1, 6, size),
        n=9,
    )


def without_a_cell():
    return data().query("not (group == 'B' and task == 'z')")


def one_dose_in_a():
    return data().assign(dose=lambda d: np.where(d["group"] == "A", 4.0, d["dose"]))


DESIGNS = {
    "no interaction": ("group + task", without_a_cell),
    "interaction": ("group * task", without_a_cell),
    "nested": ("group / task", without_a_cell),
    "two separate blocks": ("f + g", data),
    "blocks with an interaction": ("f * g", data),
    "one dose": ("group * dose + task", one_dose_in_a),
    "one slope": ("group * task + dose", without_a_cell),
    "a slope for each task": ("group * task + dose + task:dose", without_a_cell),
    "age goes with group": ("group + age + task", data),
    "age goes with group, slopes": ("group * age + task", data),
}


def dummies(design, factors, cells):
    """Whether a cell has each combination of some factors' levels."""
    codes = np.zeros(len(cells), dtype=int)
    for name in factors:
        levels = list(design.levels[name])
        codes = codes * len(levels) + cells[name].map(levels.index).to_numpy(int)
    return np.eye(int(np.prod([len(design.levels[name]) for name in factors], dtype=int)))[codes]


def unseen_changes(design, rng):
    """Cell means, and slopes, that no row of the data would notice."""
    cells, covariates = design.cells, design.rows.covariates
    blocks = [(None, np.ones((len(cells), 1)))]
    blocks += [(term.covariate, dummies(design, term.factors, cells)) for term in design.terms]
    of_row = [
        own[design.cell_codes]
        * (1 if name is None else (covariates[name].values - covariates[name].mean)[:, None])
        for name, own in blocks
    ]
    # Changes in coefficients of all levels, and no change in any row.
    unseen = linalg.null_space(np.hstack(of_row))
    change = unseen @ rng.normal(size=unseen.shape[1])
    parts = np.split(change, np.cumsum([own.shape[1] for _, own in blocks])[:-1])
    moved = {name: np.zeros(len(cells)) for name in (None, *covariates)}
    for (name, own), part in zip(blocks, parts, strict=True):
        moved[name] += own @ part
    return moved.pop(None), moved


def pair_of_results(formula, frame):
    """Two results whose predictors agree in every row."""
    model = ba.Model(f"p(hits, n) ~ {formula}", frame, family="binomial")
    design, rng = model.design, np.random.default_rng(2)
    cells = len(design.cells)
    draws = Draws(
        cells=0.3 * rng.normal(size=(*SAMPLE, cells)),
        units={},
        sigmas={term.name: rng.uniform(0.2, 0.8, size=SAMPLE) for term in design.terms},
        auxiliary={},
        slopes={c: 0.05 * rng.normal(size=(*SAMPLE, cells)) for c in design.rows.covariates},
    )
    means, slopes = unseen_changes(design, rng)
    other = replace(
        draws,
        cells=draws.cells + means,
        slopes={name: draws.slopes[name] + slopes[name] for name in draws.slopes},
    )
    sampling = Sampling("none", divergences=0, seconds=1.0)
    return [Result(model, None, own, sampling) for own in (draws, other)]


def tables(result, scale):
    """Every table of quantities that says what is supported, by name."""
    factors = list(result.design.levels)
    covariates = list(result.design.rows.covariates)
    found = {"means": result.means(scale=scale), "anova": result.anova(scale=scale)}
    for name in factors:
        found[f"means of {name}"] = result.means(name, scale=scale)
        found[f"observed means of {name}"] = result.means(name, scale=scale, weights="observed")
        found[f"contrasts of {name}"] = result.contrasts(name, scale=scale)
        others = [other for other in factors if other != name]
        found[f"contrasts of {name} by others"] = result.contrasts(name, by=others, scale=scale)
    found["interaction"] = result.contrasts(":".join(factors), scale=scale)
    if scale == "response":
        found["ratios"] = result.contrasts(factors[0], scale=scale, compare="ratio")
    for name in covariates:
        at = {name: [3.0, 4.0, 30.0, 42.0]}
        found["slopes"] = result.slopes(name, scale=scale)
        found["slopes at"] = result.slopes(name, scale=scale, at=at)
        found["means at"] = result.means(factors[0], scale=scale, at=at)
        for own in factors:
            found[f"slopes by {own}"] = result.slopes(name, own, scale=scale)
            found[f"contrasts of slopes by {own}"] = result.contrasts(own, slope=name, scale=scale)
    return found


@pytest.mark.parametrize("scale", ["link", "response"])
@pytest.mark.parametrize("name", DESIGNS)
def test_supported_is_what_the_rows_determine(name, scale):
    formula, frame = DESIGNS[name]
    first, second = (tables(one, scale) for one in pair_of_results(formula, frame()))
    for what, table in first.items():
        if what == "anova":
            table, other = (t[t["kind"] == "fixed"] for t in (table, second[what]))
        else:
            other = second[what]
        same = np.isclose(table["mean"], other["mean"], rtol=1e-6, atol=1e-7)
        assert table["supported"].tolist() == same.tolist(), what


@pytest.mark.parametrize("name", DESIGNS)
def test_statements_are_supported_if_all_their_means_are(name):
    formula, frame = DESIGNS[name]
    result, _ = pair_of_results(formula, frame())
    for term, scale in product(result.design.levels, ("link", "response")):
        means = result.means(term, scale=scale)
        first, second = means[term][:2]
        found = result.probability(f"`{first}` > `{second}`", term, scale=scale)
        assert found["supported"].tolist() == [means["supported"].all()]
        assert result.orders(term, scale=scale)["supported"].eq(means["supported"].all()).all()
        other = next(name for name in result.design.levels if name != term)
        by = result.means(f"{term}:{other}", scale=scale).groupby(other)["supported"].all()
        found = result.probability(f"`{first}` > `{second}`", term, by=other, scale=scale)
        assert found.set_index(other)["supported"].to_dict() == by.to_dict()


def test_priors_on_deflections_leave_out_the_margins_that_no_term_names():
    frame = without_a_cell().assign(y=lambda d: np.sin(np.arange(len(d))))
    for priors_on, known in (("levels", False), ("deflections", True)):
        model = ba.Model("y ~ group / task", frame, priors_on=priors_on)
        cells = np.random.default_rng(1).normal(size=(*SAMPLE, len(model.design.cells)))
        sigmas = {term.name: np.ones(SAMPLE) for term in model.design.terms}
        draws = Draws(cells, units={}, sigmas=sigmas, auxiliary={"sigma": np.ones(SAMPLE)})
        result = Result(model, None, draws, Sampling("none", divergences=0, seconds=1.0))
        # 1 + 1 + 2 coefficients in five cells: without effects of tasks the sixth cell is known.
        assert result.means()["supported"].all() == known


def test_shares_of_variance_are_supported_as_their_terms_are():
    for name in ("interaction", "no interaction", "nested", "two separate blocks"):
        formula, frame = DESIGNS[name]
        result, _ = pair_of_results(formula, frame())
        terms = result.anova().query("kind == 'fixed'").set_index("term")["supported"].to_dict()
        table = result.explained().query("term != 'all'")
        assert table["supported"].tolist() == [terms[term] for term in table["term"]]


def test_means_without_observations_weigh_their_cells_equally():
    result, _ = pair_of_results("group * task * f", without_a_cell())
    observed = result.means("group:task", weights="observed")
    equal = result.means("group:task")
    assert observed["mean"].notna().all()
    empty = (observed["group"] == "B") & (observed["task"] == "z")
    assert not observed["supported"][empty].any()
    np.testing.assert_allclose(observed["mean"][empty], equal["mean"][empty])
    assert (observed["mean"][~empty] - equal["mean"][~empty]).abs().max() > 1e-3

"""One page of every design."""

import warnings
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova import plots
from bambi_anova.errors import AnovaWarning
from bambi_anova.present.wording import TIMES
from tests.plots.drawn import as_chains, assert_publishable, words

DESIGNS = ["memory", "oats", "recall", "log rt", "ordered time", "few units"]
ODD = ["covariate", "no units", "no factors", "empty cell"]
FIGURES = {
    "means": plots.plot_means,
    "interaction": plots.plot_interaction,
    "deflections": plots.plot_deflections,
    "contrasts": plots.plot_contrasts,
    "posteriors": lambda result: plots.plot_posteriors(result, rope=(-0.1, 0.1)),
    "anova": plots.plot_anova,
    "priors": plots.plot_priors,
    "weights": plots.plot_weights,
    "trust": plots.plot_trust,
    "cells checked": lambda result: plots.plot_predictive(result, draws=200, random_seed=1),
    "units checked": lambda result: plots.plot_predictive(
        result, by="unit", draws=200, random_seed=1
    ),
    "fits": lambda result: plots.plot_fits(result, as_chains(result)),
    "page": lambda result: result.plot(),
}
#: Layouts that the fast tests look at; the others take a minute.
FAST = [("means", "memory"), ("contrasts", "recall"), ("posteriors", "oats"), ("page", "recall")]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(kind, name, marks=() if (kind, name) in FAST else pytest.mark.slow)
        for kind, name in product(FIGURES, DESIGNS)
    ],
)
def test_nothing_is_clipped_and_no_ticks_overlap(kind, name, quick_fit):
    drawn = FIGURES[kind](quick_fit(name))
    assert_publishable(drawn.get_figure(root=True))


@pytest.mark.parametrize(
    "name", ["covariate", "no units", *(pytest.param(n, marks=pytest.mark.slow) for n in ODD[2:])]
)
def test_unusual_designs_have_a_page(name, quick_fit):
    result = quick_fit(name)
    page = result.plot()
    assert_publishable(page)
    # Without factors there are no means and contrasts, but the priors.
    panels = len([ax for ax in page.get_figure(root=True).axes if ax.get_visible()])
    sigmas = len(result.priors.sigmas) + ("sigma" in result.priors.auxiliary)
    assert panels == (5 if result.design.factors else 2 + sigmas)


def test_many_cells_stand_side_by_side_on_a_page():
    rng = np.random.default_rng(5)
    data = pd.DataFrame(product(["silent room", "noisy room"], "abcdefg", range(2)))
    data.columns = ["environment", "word", "copy"]
    model = ba.Model("y ~ environment * word", data.assign(y=rng.normal(size=len(data))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AnovaWarning)
        page = model.fit("laplace", random_seed=1, progressbar=False).plot()
    assert_publishable(page)
    assert any(ax.get_xlabel() == "cell, ordered (14 cells)" for ax in page.axes)


def test_the_page_of_chains_shows_their_effective_sizes(quick_fit):
    page = as_chains(quick_fit("memory")).plot()
    assert_publishable(page)
    assert any("effective sample size" in ax.get_xlabel() for ax in page.axes)
    letters = [t.get_text() for t in words(page) if t.get_text() in tuple("ABCDE")]
    assert set("ABCDE") <= set(letters)


@pytest.mark.parametrize("name", ["memory", "ordered time"])
def test_a_page_has_the_contrasts_of_interactions(name, quick_fit):
    result = quick_fit(name)
    page = result.plot()
    said = {text.get_text().replace("\n", " ") for text in words(page)}
    for one, other in combinations(result.design.levels, 2):
        assert f"{one} {TIMES} {other}" in said

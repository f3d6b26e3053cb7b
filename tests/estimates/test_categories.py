"""Probabilities of the categories of ratings, and of superiority."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.estimates.categories import _higher
from tests.generated import RATINGS, generated

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
REFERENCE = Path(__file__).parents[1] / "reference"
POPULATIONS = ["super", "finite", "average"]


@pytest.fixture(scope="module")
def fit():
    data = generated("cumulative", "logit", seed=3, units=8)
    model = ba.Model("y ~ group * task + dose + Error(s)", data, family="cumulative", link="logit")
    return model.fit("laplace", draws=250, random_seed=1, progressbar=False)


@pytest.mark.parametrize("population", POPULATIONS)
def test_categories_share_one_and_have_the_mean_rating(fit, population):
    table = fit.category_probabilities("task", population)
    wide = table.pivot_table("mean", "task", "category")
    np.testing.assert_allclose(wide.sum(axis=1), 1)
    assert list(wide) == [f"{value:g}" for value in RATINGS]
    means = fit.means("task", population, "response").set_index("task")["mean"]
    np.testing.assert_allclose(wide @ RATINGS, means)


def test_categories_of_an_average_unit_are_cut_out_by_the_thresholds(fit):
    table = fit.category_probabilities(population="average")
    row = table.query("group == 'A' and task == 'y'").set_index("category")["mean"]
    cells = {(g, t): k for k, (g, t) in enumerate((g, t) for g in "AB" for t in "xy")}
    eta, aux = fit.draws.cells[..., cells["A", "y"]], fit.draws.auxiliary
    below = 1 / (1 + np.exp(eta - aux["threshold_2"]))
    assert row[["1", "2"]].sum() == pytest.approx(below.mean())


@pytest.mark.parametrize("population", POPULATIONS)
def test_superiority_is_that_of_pairs_of_ratings(fit, population):
    shares = fit.category_probabilities("task", population, weights="equal")
    wide = shares.pivot_table("mean", "task", "category").to_numpy()
    higher = np.tril(np.ones((5, 5)), -1) + np.eye(5) / 2
    found = fit.superiority("task", population=population).iloc[0]
    assert found["contrast"] == "x > y"
    # Of products of shares, which hardly depend on each other from draw to draw.
    assert found["mean"] == pytest.approx(wide[0] @ higher @ wide[1], abs=0.01)
    assert found["pd"] > 0.5


def test_cliffs_delta_is_superiority_about_zero(fit):
    plain, delta = (fit.superiority("task", measure=m) for m in ("superiority", "cliffs_delta"))
    assert delta["mean"][0] == pytest.approx(2 * plain["mean"][0] - 1)
    assert delta["pd"][0] == plain["pd"][0]
    with pytest.raises(ba.errors.ArgumentError, match="measure='delta'"):
        fit.superiority("task", measure="delta")


def test_of_shares_superiority_is_that_of_effectsize():
    expected = pd.read_csv(REFERENCE / "effect_sizes.csv").set_index(["data", "size"])["value"]
    ratings = pd.read_csv(REFERENCE / "ratings.csv")
    shares = pd.crosstab(ratings["group"], ratings["y"], normalize="index").to_numpy()
    found = _higher(shares[None, None, 0], shares[None, None, 1]).item()
    assert found == pytest.approx(expected["ratings", "superiority"])
    assert 2 * found - 1 == pytest.approx(expected["ratings", "cliffs_delta"])


def test_superiority_is_asked_within_levels_and_of_cells(fit):
    within = fit.superiority("task", by="group")
    assert within[["group", "contrast"]].to_numpy().tolist() == [["A", "x > y"], ["B", "x > y"]]
    cells = fit.superiority("group:task")
    assert len(cells) == 6
    assert cells["contrast"][0] == "A:x > A:y"
    # The same pair of cells.
    assert cells["mean"][0] == pytest.approx(within["mean"][0])
    with pytest.raises(ba.errors.ArgumentError, match="part of term"):
        fit.superiority("task", by="task")


def test_covariates_stand_where_they_are_put(fit):
    table = fit.category_probabilities("task", at={"dose": [0, 5]})
    assert len(table) == 2 * 2 * 5
    found = fit.superiority("task", at={"dose": [0, 5]})
    assert found["dose"].tolist() == [0, 5]


def test_other_families_have_no_categories():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"A": list("xy") * 10, "y": rng.normal(size=20)})
    fit = ba.Model("y ~ A", frame).fit("laplace", draws=100, random_seed=1, progressbar=False)
    with pytest.raises(ba.errors.ArgumentError, match="asks about ratings"):
        fit.category_probabilities("A")

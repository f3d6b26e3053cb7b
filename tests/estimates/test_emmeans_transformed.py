"""Transformed responses taken back to what was measured, beside R's emmeans."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.posterior.draws import Draws
from bambi_anova.posterior.trust import Sampling
from bambi_anova.result import Result

TABLE = pd.read_csv(
    Path(__file__).parents[1] / "reference" / "transformed_emmeans.csv",
    keep_default_na=False,
    na_values={"se": "NA"},
)


def theirs(response, quantity, term):
    rows = TABLE[
        (TABLE[["response", "quantity", "term"]] == [response, quantity, term]).all(axis=1)
    ]
    return rows.set_index("level")[["estimate", "se"]]


def model_of(response):
    formula = f"{response}(yield) ~ variety * nitrogen + Error(block/variety)"
    return ba.Model(formula, ba.load_data("oats"))


@pytest.fixture(scope="module", params=["log", "sqrt"])
def at_estimates(request):
    """A posterior all of whose draws are what lme4 estimates."""
    model, shape = model_of(request.param), (2, 3)
    link = theirs(request.param, "link", "variety:nitrogen")["estimate"]
    levels = [factor.levels for factor in model.design.factors]
    cells = np.array([link[f"{a}:{b}"] for a in levels[0] for b in levels[1]])
    sd = theirs(request.param, "sd", "")["estimate"].iloc[0]
    units = {unit.name: np.zeros((*shape, unit.size)) for unit in model.design.units}
    # However the variance of a new row is spread over block, plot and residual.
    part = np.full(shape, sd / np.sqrt(3))
    sigmas = dict.fromkeys([*units, "variety", "nitrogen", "variety:nitrogen"], part)
    draws = Draws(np.tile(cells, (*shape, 1)), units, sigmas, {"sigma": part}, {}, {})
    return request.param, Result(model, None, draws, Sampling("none", 0, 1.0))


@pytest.mark.parametrize("scale", ["median", "response"])
def test_cells_are_taken_back_as_emmeans_does(at_estimates, scale):
    response, result = at_estimates
    table = result.means("variety:nitrogen", scale=scale)
    levels = table["variety"].astype(str) + ":" + table["nitrogen"].astype(str)
    expected = theirs(response, scale, "variety:nitrogen")["estimate"][levels]
    np.testing.assert_allclose(table["mean"], expected, rtol=1e-10)


def test_margins_and_differences_are_of_cells_taken_back(at_estimates):
    response, result = at_estimates
    table = result.means("nitrogen", scale="median")
    expected = theirs(response, "median", "nitrogen")["estimate"][table["nitrogen"].astype(str)]
    np.testing.assert_allclose(table["mean"], expected, rtol=1e-10)
    # Margins of the link taken back are others.
    link = result.means("nitrogen", scale="link")["mean"]
    other = np.exp(link) if response == "log" else link**2
    assert np.abs(other / table["mean"] - 1).max() > 1e-3
    table = result.contrasts("nitrogen", scale="median")
    expected = theirs(response, "median difference", "nitrogen")["estimate"][table["contrast"]]
    np.testing.assert_allclose(table["mean"], expected, rtol=1e-10)


def test_ratios_of_logs_are_those_of_emmeans():
    result = model_of("log").fit("laplace", random_seed=1, progressbar=False)
    ours = result.contrasts("nitrogen", compare="ratio", scale="link")
    expected = theirs("log", "ratio", "nitrogen").loc[ours["contrast"]]
    assert ours["median"].sub(expected["estimate"].to_numpy()).abs().max() < 0.5 * 0.04
    medians = result.means("nitrogen", scale="median")
    expected = theirs("log", "median", "nitrogen").loc[medians["nitrogen"].astype(str)]
    shift = (medians["median"].to_numpy() - expected["estimate"]) / expected["se"]
    assert shift.abs().max() < 0.5

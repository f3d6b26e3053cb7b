"""Counts with zeros of their own: what R's glmmTMB finds, and priors of psi."""

from pathlib import Path

import bambi as bmb
import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from tests.generated import generated

REFERENCE = Path(__file__).parents[1] / "reference"
GLMMTMB = pd.read_csv(REFERENCE / "zeros_glmmtmb.csv")
pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


@pytest.mark.parametrize("name", GLMMTMB["family"].unique())
def test_the_maximum_of_the_likelihood_is_that_of_glmmtmb(name):
    data = pd.read_csv(REFERENCE / "zeros.csv")
    found = GLMMTMB.query("family == @name").set_index("name")["value"]
    left = "p(hits, shown)" if "inflated_binomial" in name else "count"
    model = ba.Model(f"{left} ~ site + cut", data, family=name, collapse=False)
    columns = np.column_stack(
        [np.ones(len(data)), data["site"] == "b", data["site"] == "c", data["cut"] == "yes"]
    )
    coefficients = found[["(Intercept)", "siteb", "sitec", "cutyes"]].to_numpy()
    eta = (columns @ coefficients)[:, None]
    aux = {one.name: np.array([found[one.name]]) for one in model.family.auxiliary}
    likelihood, response = (
        model.family.likelihood((model.link,), model.collapsed),
        model.design.rows,
    )
    values = response.response.values
    trials = np.ones(len(data)) if left == "count" else response.response.trials
    total = likelihood.log(eta, aux).sum() + model.family.constants(values, trials).sum()
    assert total == pytest.approx(found["logLik"], abs=1e-4)
    slope = columns.T @ likelihood.derivatives(eta, aux).slope[:, 0]
    np.testing.assert_allclose(slope, 0, atol=2e-2)


@pytest.mark.parametrize(
    "prior", [1.5, 1.0, bmb.Prior("HalfNormal", sigma=1), bmb.Prior("Uniform", lower=0, upper=2)]
)
def test_psi_is_a_probability(prior):
    data = generated("zero_inflated_poisson", None)
    with pytest.raises(ba.errors.PriorError, match=r"psi.*1"):
        ba.Model("y ~ task", data, family="zero_inflated_poisson", priors={"psi": prior})
    for good in (0.5, bmb.Prior("Beta", alpha=1, beta=3)):
        model = ba.Model("y ~ task", data, family="zero_inflated_poisson", priors={"psi": good})
        assert str(model.priors.auxiliary["psi"]) in ("0.5", "Beta(alpha=1, beta=3)")

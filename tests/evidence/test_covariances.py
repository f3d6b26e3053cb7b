"""Which covariance of units' effects the data support."""

from functools import cache

import bambi as bmb
import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.errors import ArgumentError
from bambi_anova.evidence.covariances import with_covariance
from bambi_anova.tables.columns import COMPARED_COVARIANCES

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
#: Independent effects, a common one, and neighbours that go together.
TRUTHS = {
    "compound": 1.0 + 0.3 * np.eye(3),
    "diagonal": np.diag([0.2, 1.0, 5.0]),
    "unstructured": np.array([[1.0, 1.35, 0.3], [1.35, 2.25, 1.0], [0.3, 1.0, 4.0]]),
}


def study(truth, units=60):
    rng = np.random.default_rng(6)
    y = rng.multivariate_normal([0, 0.3, 0.6], TRUTHS[truth], units)
    frame = pd.DataFrame(y, columns=list("abc")).assign(s=[f"s{j}" for j in range(units)])
    return frame.melt("s", var_name="A", value_name="y")


@cache
def compared(truth):
    model = ba.Model("y ~ A + Error(s/A)", study(truth))
    return ba.compare_covariances(model, draws=500, random_seed=1, progressbar=False)


@pytest.mark.parametrize("truth", TRUTHS)
def test_the_data_tell_their_own_covariance(truth):
    """By predictions, or so near the best that these do not tell."""
    table = compared(truth).set_index("cov")
    assert list(table.columns) == COMPARED_COVARIANCES[1:]
    assert sorted(table.index) == sorted(TRUTHS)
    assert table.loc[truth, "elpd_diff"] > -4
    assert table.iloc[0][["elpd_diff", "se_diff", "log_bf", "mcse"]].tolist() == [0, 0, 0, 0]
    if truth != "unstructured":  # what is right and smaller is likelier
        assert table["log_bf"].idxmax() == truth
    else:
        others = table.drop(index=truth)
        assert (others["elpd_diff"] < -4).all()
        assert (others["log_bf"] < -3).all()
    assert table["trusted_bf"].all()
    assert (table["mcse"] < 0.1).all()


def test_log_marginal_likelihoods_are_those_of_the_fits():
    model = ba.Model("y ~ A + Error(s/A, cov='diagonal')", study("diagonal"))
    own = model.fit("laplace", draws=2000, random_seed=5, progressbar=False).marginal_likelihood()
    table = compared("diagonal").set_index("cov")
    assert table.loc["diagonal", "log_marginal_likelihood"] == pytest.approx(
        own["log_marginal_likelihood"].item(), abs=0.15
    )


def test_a_model_keeps_all_but_its_units():
    data = pd.concat([study("compound")] * 2, ignore_index=True)
    data = data.assign(w=lambda d: (d.index % 2).astype(str), item="i")
    data["item"] += (np.arange(len(data)) % 9).astype(str)
    half = bmb.Prior("HalfNormal", sigma=2)
    model = ba.Model(
        "y ~ A * w + (1|item) + (1|s)", data, "t", priors={"A": half, "s": half}, dropna=True
    )
    found = with_covariance(model, model.design.unit("s"), ("A",), "unstructured")
    assert found.formula.text == "y ~ A * w + (1|item) + Error(s/A, cov='unstructured')"
    assert found.family.name == "t"
    assert str(found.priors.sigmas["A"]) == str(model.priors.sigmas["A"])
    assert "s" not in found.priors.sigmas
    back = with_covariance(found, model.design.unit("s"), ("A",), "compound")
    assert back.formula.text == "y ~ A * w + (1|item) + Error(s/A)"


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        ("y ~ A", {}, "no factor varies within its units"),
        ("y ~ A + Error(s/A)", {"kinds": "compound"}, "expected two or more"),
        ("y ~ A + Error(s/A)", {"kinds": ["compound", "ar1"]}, "kinds='ar1'"),
        ("y ~ A + Error(s/A)", {"unit": "S"}, "unit='S'; did you mean 's'"),
    ],
)
def test_refused_with_the_reason(formula, options, message):
    model = ba.Model(formula, study("compound", 9))
    with pytest.raises(ArgumentError, match=message):
        ba.compare_covariances(model, **options, progressbar=False)


def test_a_model_is_expected():
    with pytest.raises(ArgumentError, match="expected a Model"):
        ba.compare_covariances("y ~ A")

"""One design fitted to many data sets."""

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.errors import ArgumentError

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.ConvergenceWarning")

FORMULA = "y ~ A * B + Error(s)"


@pytest.fixture(scope="module")
def genes():
    rng = np.random.default_rng(3)
    s = np.repeat(np.arange(8), 3)
    parts = []
    for gene, effect in (("g2", 3.0), ("g1", 0.0), ("flat", np.nan)):
        y = rng.normal(size=24) + rng.normal(size=8)[s] + effect * (s % 2)
        y = np.ones(24) if np.isnan(effect) else y
        part = {"gene": gene, "s": s, "A": s % 2 == 1, "B": np.tile(list("xyz"), 8), "y": y}
        parts.append(pd.DataFrame(part).assign(A=lambda d: np.where(d["A"], "b", "a")))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def many(genes):
    return ba.fit_many(
        FORMULA, genes, by="gene", draws=100, random_seed=5, progressbar=False, family="gaussian"
    )


def test_each_data_set_is_fitted_as_by_itself(genes, many):
    seeds = np.random.default_rng(5).integers(2**31, size=3)
    own = genes[genes["gene"] == "g1"]
    fit = ba.Model(FORMULA, own).fit(
        "laplace", draws=100, random_seed=int(seeds[1]), progressbar=False
    )
    expected = pd.DataFrame(fit.contrasts("A"))
    found = many.contrasts[(many.contrasts["gene"] == "g1") & (many.contrasts["term"] == "A")]
    np.testing.assert_array_equal(found["mean"], expected["mean"])
    assert many.fits.set_index("gene").loc["g1", "log_evidence"] == fit.log_evidence.value


def test_tables_hold_every_term_of_every_fit(many):
    assert many.contrasts.groupby(["gene", "term"]).size().to_dict() == {
        ("g1", "A"): 1,
        ("g1", "A:B"): 3,
        ("g1", "B"): 3,
        ("g2", "A"): 1,
        ("g2", "A:B"): 3,
        ("g2", "B"): 3,
    }
    effects = many.contrasts[many.contrasts["term"] == "A"].set_index("gene")["mean"]
    assert effects["g2"] < -1.5 < effects["g1"]
    assert set(many.anova["gene"]) == {"g1", "g2"}


def test_a_data_set_that_cannot_be_fitted_says_why(many):
    flat = many.fits.set_index("gene").loc["flat"]
    assert pd.isna(flat["trusted"])
    assert "constant" in flat["problem"]
    assert "1 without a fit, first 'flat'" in str(many)


def test_responses_are_columns_or_expressions(genes):
    data = genes[genes["gene"] == "g1"].assign(**{"a b": lambda d: np.exp(d["y"])})
    many = ba.fit_many(
        "~ A + Error(s)",
        data,
        responses=["y", "log(`a b`)", "a b"],
        terms=["A"],
        draws=100,
        random_seed=1,
        progressbar=False,
    )
    assert many.fits["response"].tolist() == ["y", "log(`a b`)", "a b"]
    means = many.means.groupby("response")["mean"].mean()
    assert means["y"] == pytest.approx(means["log(`a b`)"], abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "expected one of them"),
        ({"by": "gene", "responses": ["y"]}, "expected one of them"),
        ({"by": "gen"}, "did you mean 'gene'"),
        ({"responses": "y"}, "expected a list"),
        ({"by": "gene", "inference_method": "nuts"}, "inference_method='nuts'"),
        ({"by": "gene", "draws": 0}, "draws=0"),
        ({"by": "gene", "random_seed": -1}, "random_seed=-1"),
    ],
)
def test_odd_arguments_are_refused(genes, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        ba.fit_many(FORMULA, genes, **arguments)

"""Verdicts: what weighted draws must show to be trusted, and that trusted is right."""

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.posterior.importance import Weighting
from bambi_anova.posterior.trust import (
    MAX_BOUND_ERROR,
    MAX_ERROR,
    Sampling,
    Verdict,
    is_trusted,
    judge,
    widening,
)
from benchmarks.corpus.designs import DESIGNS as CORPUS
from benchmarks.corpus.quantities import quantities
from benchmarks.trust.reference import read_reference


def weighting(k=0.1):
    point = np.arange(40).reshape(4, 10)
    return Weighting(point, point, np.zeros((4, 10)), k, 40.0, 40)


def quick(k=0.1):
    return Sampling("laplace", 0, 0.2, 0.2, weighting(k))


def row(**changes):
    good = {
        "sd": 2.0,
        "mcse_mean": 0.02,
        "mcse_sd": 0.02,
        "mcse_bounds": 0.1,
        "ess_bulk": 3000.0,
        "ess_tail": 2000.0,
        "r_hat": np.nan,
        "pareto_k": 0.2,
        "pareto_k_sd": 0.3,
    }
    return pd.DataFrame([good | changes], index=["x"])


def test_good_weighted_draws_are_trusted():
    assert is_trusted(row(), quick()).tolist() == [True]
    assert judge(row(), quick()).trusted


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"mcse_mean": 2.0 * MAX_ERROR * 1.01}, "Monte Carlo error"),
        ({"mcse_sd": 2.0 * MAX_ERROR * 1.01}, "Monte Carlo error"),
        ({"mcse_sd": np.nan}, "Monte Carlo error"),
        ({"ess_bulk": 399.0}, "effective sample size"),
        ({"ess_tail": 399.0}, "effective sample size"),
        ({"ess_tail": np.nan}, "effective sample size down to 0 "),
        ({"mcse_bounds": 2.0 * MAX_BOUND_ERROR * 1.01}, "interval bounds"),
        ({"pareto_k": 0.71}, "Pareto k"),
        ({"pareto_k_sd": 0.71}, "Pareto k of squared distances"),
        ({"pareto_k_sd": 0.69, "mcse_sd": 2.0 * 0.0399}, "heavy tails"),
    ],
)
def test_each_threshold_can_fail_by_itself(changes, word):
    assert is_trusted(row(**changes), quick()).tolist() == [False]
    (complaint,) = judge(row(**changes), quick()).reasons
    assert word in complaint


def test_averages_of_heavy_tails_settle_as_slowly_as_is_said():
    # Of Pareto variables k and mean are known: how does the error of their means fall?
    rng, counts = np.random.default_rng(1), np.array([200.0, 2000.0])
    for k in (0.2, 0.6, 0.75):
        errors = [
            np.median(np.abs(rng.pareto(1 / k, (1000, int(draws))).mean(axis=1) - k / (1 - k)))
            for draws in counts
        ]
        widened = widening(np.full(2, k), counts)
        fall = np.log10(errors[0] / errors[1])
        assert fall == pytest.approx(0.5 - np.log10(widened[1] / widened[0]), abs=0.08)
    # With a k of 0.6, squared distances fall as slowly: a rate of 1 would not do.
    assert widening(np.array(0.6), np.array(2000.0)) > 2.5
    # At 1/2 the rate is 1 - 1 / log S: an error of the root of e times as large.
    assert widening(np.array(0.5), np.array(4000.0)) == pytest.approx(np.exp(0.5), rel=1e-3)


def test_weights_with_a_heavy_tail_spoil_every_row():
    assert is_trusted(row(), quick(k=0.75)).tolist() == [False]
    assert "importance weights 0.75" in judge(row(), quick(k=0.75)).reasons[0]


def test_a_constant_has_nothing_to_distrust():
    constant = row(sd=0.0, mcse_mean=0.0, mcse_sd=np.nan, ess_bulk=np.nan, pareto_k=-np.inf)
    assert is_trusted(constant, quick()).tolist() == [True]


def test_chains_too_are_distrusted_where_the_mean_does_not_exist():
    chains = Sampling("nuts", 0, 1.0)
    assert is_trusted(row(r_hat=1.0), chains).tolist() == [True]
    assert is_trusted(row(r_hat=1.0, pareto_k=0.9), chains).tolist() == [False]


def test_a_verdict_is_a_word_with_reasons():
    good, bad = Verdict([]), Verdict(("one thing", "another"))
    assert (good, bad) == ("trusted", "not trusted")
    assert bad.reasons == ("one thing", "another")
    assert repr(bad) == "not trusted: one thing; another"


def test_what_is_wrong_with_a_sigma_alone_is_a_reservation():
    table = pd.concat([row(), row(mcse_sd=0.2).rename(index={"x": "1|A_sigma"})])
    verdict = judge(table, quick(), {"1|A_sigma"})
    assert verdict == "trusted"
    (words,) = verdict.reservations
    assert "1|A_sigma" in words
    assert repr(verdict) == f"trusted, but: {words}"
    assert is_trusted(table, quick()).tolist() == [True, False]
    assert not judge(table, quick()).trusted
    assert judge(table, quick()) != verdict
    assert not judge(table, quick(k=0.8), {"1|A_sigma"}).trusted


def test_tables_say_what_is_trusted_for_each_quantity():
    model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", ba.load_data("oats"))
    result = model.fit("laplace", random_seed=1, progressbar=False)
    for table in (
        result.means(),
        result.deflections(population="finite"),
        result.contrasts("nitrogen"),
        result.anova(),
        result.trust(),
    ):
        assert table["trusted"].dtype == bool
    trust = result.trust()
    parameters = trust["population"] == ""
    assert result.verdict == ("trusted" if trust["trusted"][~parameters].all() else "not trusted")
    assert {"pareto_k", "ess_bulk", "mcse_mean", "r_hat", "trusted"} <= set(trust)
    assert set(trust["population"]) == {"", "super", "finite"}


def test_few_draws_are_not_trusted():
    model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", ba.load_data("oats"))
    with pytest.warns(ba.errors.ConvergenceWarning, match="effective sample size"):
        result = model.fit("laplace", draws=60, chains=2, random_seed=1, progressbar=False)
    assert result.verdict == "not trusted"
    assert not result.contrasts("nitrogen")["trusted"].any()


#: Families, few and many units, separation, crossed units, sigmas near zero: a dozen of them.
DESIGNS = [
    "oats",
    "memory",
    "gaussian 4 units",
    "gaussian units alike",
    "gaussian 3 factors",
    "bernoulli 4 units split plot",
    "bernoulli 400 units, 2 rows each",
    "bernoulli cell of ones",
    "bernoulli units far apart",
    "binomial 6 units within",
    "binomial crossed 12x10",
    "binomial cell of zeros",
    "poisson 4 units",
    "poisson exposure",
]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["laplace", "pathfinder", "advi"])
@pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
def test_what_a_quick_fit_trusts_is_what_long_nuts_says(method):
    reference = read_reference()
    judged = []
    for name in DESIGNS:
        result = CORPUS[name].model().fit(method, random_seed=2, progressbar=False)
        truth = reference[reference["design"] == name]
        judged.append(quantities(result).merge(truth, on="quantity", suffixes=("", "_ref")))
    table = pd.concat(judged)
    table = table[table["sd_ref"] > 0]
    shift = (table["mean"] - table["mean_ref"]).abs() / table["sd_ref"]
    ratio = table["sd"] / table["sd_ref"]
    wrong = table[table["trusted"] & ((shift > 0.15) | ((ratio - 1).abs() > 0.15))]
    assert wrong.empty, wrong[["design", "quantity", "mean", "mean_ref", "sd", "sd_ref"]]
    assert len(table) > 600
    if method == "laplace":
        assert table["trusted"].mean() > 0.8

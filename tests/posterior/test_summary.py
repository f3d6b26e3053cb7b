"""Summaries of draws, and the verdicts on them."""

import arviz_stats
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.quantity_table import quantity_table
from bambi_anova.posterior.summary import diagnose, summarise
from bambi_anova.posterior.trust import (
    MAX_BOUND_ERROR,
    MAX_ERROR,
    MAX_PARETO_K,
    MAX_R_HAT,
    MIN_ESS,
    Sampling,
    is_trusted,
    judge,
)
from bambi_anova.tables.interval import Interval

GOOD = Sampling("nutpie", divergences=0, seconds=2.0)
DIVERGENT = Sampling("nutpie", divergences=3, seconds=2.0)


def some_draws(seed=1, quantities=3):
    """Four chains of skewed draws that hang together a little."""
    rng = np.random.default_rng(seed)
    noise = rng.gamma(2.0, size=(4, 501, quantities))
    noise[:, 1:] += 0.5 * noise[:, :-1]
    return noise[:, 1:] - 2.5 * np.arange(quantities)


def narrowest(values, prob):
    """The shortest interval between two draws that holds a share of them, by a loop."""
    ordered = np.sort(values.ravel())
    inside = int(np.floor(prob * len(ordered)))
    widths = [ordered[i + inside] - ordered[i] for i in range(len(ordered) - inside)]
    start = int(np.argmin(widths))
    return ordered[start], ordered[start + inside]


# -- Summaries ---------------------------------------------------------------------------------


def test_mean_and_sd_are_those_of_all_draws():
    draws = some_draws()
    table = summarise(draws)
    flat = draws.reshape(-1, 3)
    np.testing.assert_allclose(table["mean"], flat.mean(axis=0))
    np.testing.assert_allclose(table["sd"], flat.std(axis=0, ddof=0), rtol=1e-3)


@pytest.mark.parametrize("prob", [0.5, 0.8, 0.95, 0.99])
def test_equal_tailed_bounds_are_quantiles(prob):
    draws = some_draws()
    table = summarise(draws, Interval(prob, "eti"))
    percent = round(100 * prob)
    tails = [(1 - prob) / 2, (1 + prob) / 2]
    found = table[[f"eti{percent}_lb", f"eti{percent}_ub"]].to_numpy()
    np.testing.assert_allclose(found, np.quantile(draws.reshape(-1, 3), tails, axis=0).T, atol=0.02)
    assert not [name for name in table if name.startswith("hdi")]


@pytest.mark.parametrize("prob", [0.5, 0.8, 0.95])
def test_highest_density_bounds_are_the_shortest_interval(prob):
    draws = some_draws()
    table = summarise(draws, Interval(prob, "hdi"))
    percent = round(100 * prob)
    found = table[[f"hdi{percent}_lb", f"hdi{percent}_ub"]].to_numpy()
    by_loop = [narrowest(draws[..., k], prob) for k in range(3)]
    np.testing.assert_allclose(found, by_loop, atol=0.02)


def test_the_two_kinds_of_interval_differ_for_skewed_draws():
    hdi, eti = (summarise(some_draws(), Interval(kind=kind)) for kind in ("hdi", "eti"))
    assert (hdi["hdi95_lb"] < eti["eti95_lb"] - 0.05).all()
    assert (hdi["hdi95_ub"] < eti["eti95_ub"] - 0.05).all()


def test_diagnostics_are_those_of_arviz():
    draws = some_draws()
    table = summarise(draws)
    data = xr.Dataset({"q": (("chain", "draw", "k"), draws)})
    for name, value in {
        "r_hat": arviz_stats.rhat(data),
        "ess_bulk": arviz_stats.ess(data, method="bulk"),
        "ess_tail": arviz_stats.ess(data, method="tail", prob=(0.05, 0.95)),
        "mcse_mean": arviz_stats.mcse(data, method="mean"),
    }.items():
        np.testing.assert_allclose(table[name], value["q"], rtol=1e-10, err_msg=name)


def test_the_tail_is_worth_no_more_than_the_draws():
    """Chains that swing from side to side know the middle better than independent draws."""
    rng = np.random.default_rng(5)
    draws = rng.normal(size=(4, 500, 1))
    draws[:, 1::2] = -draws[:, ::2] + 0.1 * rng.normal(size=(4, 250, 1))
    assert arviz_stats.ess(draws[..., 0], method="tail", prob=(0.05, 0.95)) > 2000
    assert diagnose(draws)["ess_tail"][0] <= 2000


@pytest.mark.parametrize(
    ("family", "kind"),
    [(f, k) for f in ("normal", "exponential", "standard_gamma") for k in ("hdi", "eti")],
)
def test_bounds_are_as_unsure_as_they_say(family, kind):
    rng = np.random.default_rng(6)
    shape = {"shape": 2.0} if family == "standard_gamma" else {}
    draws = getattr(rng, family)(size=(4, 500, 200), **shape)
    table = diagnose(draws, None, Interval(0.95, kind))
    bounds = table[[f"{kind}95_lb", f"{kind}95_ub"]].to_numpy()
    claimed = np.median(table["mcse_bounds"])
    # Where a highest-density interval stands is less sure than the quantiles that it ends at.
    assert 0.55 < claimed / bounds.std(axis=0).max() < 1.4


def test_bounds_of_chains_that_stick_are_less_sure():
    rng = np.random.default_rng(7)
    fast = rng.normal(size=(4, 1000, 5))
    slow = np.repeat(rng.normal(size=(4, 100, 5)), 10, axis=1)
    a, b = diagnose(fast)["mcse_bounds"].mean(), diagnose(slow)["mcse_bounds"].mean()
    assert 2 < b / a < 5


def test_the_probability_of_direction_is_the_larger_side():
    draws = np.full((2, 50, 3), -1.0)
    draws[:, :10, 0] = 1.0
    draws[:, :40, 1] = 1.0
    draws[:, :30, 2] = 0.0
    assert summarise(draws)["pd"].tolist() == pytest.approx([0.8, 0.8, 0.4])


def test_columns_stand_in_a_fixed_order():
    for kind in ("hdi", "eti"):
        assert summarise(some_draws(), Interval(0.9, kind)).columns.tolist() == [
            "mean",
            "median",
            "sd",
            f"{kind}90_lb",
            f"{kind}90_ub",
            "pd",
            "mcse_mean",
            "ess_bulk",
            "ess_tail",
            "r_hat",
            "mcse_sd",
            "mcse_bounds",
            "pareto_k",
            "pareto_k_sd",
        ]


def test_numbers_are_not_rounded():
    draws = some_draws() / 1e6
    assert summarise(draws)["mean"].tolist() == pytest.approx(
        draws.mean(axis=(0, 1)).tolist(), rel=1e-12
    )


@pytest.mark.parametrize("value", [2.0, 0.1, -1 / 3, 0.0])
def test_a_constant_quantity_has_an_sd_of_zero_and_is_trusted(value):
    draws = some_draws()
    draws[..., 1] = value
    table = summarise(draws)
    row = table.loc[1]
    assert row[["mean", "hdi95_lb", "hdi95_ub"]].tolist() == pytest.approx([value] * 3)
    assert row["sd"] == 0
    assert row["pd"] == (value != 0)
    assert is_trusted(table, GOOD)[1]
    pd.testing.assert_frame_equal(table.loc[[0]], summarise(draws[..., [0]]))


def test_missing_values_make_a_row_of_missing_values():
    draws = some_draws()
    draws[..., 2] = np.nan
    table = summarise(draws)
    assert table.loc[2, ["mean", "sd", "hdi95_lb", "hdi95_ub"]].isna().all()
    assert table.loc[[0, 1]].notna().all(axis=None)


def test_one_chain_can_be_summarised():
    table = summarise(some_draws()[:1])
    assert table["mean"].notna().all()
    assert len(table) == 3


@pytest.mark.parametrize("prob", [0, 1, -0.5, 95, "0.9", None, np.nan, True])
def test_an_interval_needs_a_probability(prob):
    with pytest.raises(ArgumentError, match=r"ci_prob=.*between 0 and 1"):
        summarise(some_draws(), Interval(prob))


@pytest.mark.parametrize("kind", ["HDI", "quantile", None, ["hdi"]])
def test_an_interval_is_of_a_known_kind(kind):
    with pytest.raises(ArgumentError, match=r"ci_kind=.*hdi.*eti"):
        summarise(some_draws(), Interval(kind=kind))


def test_labels_stand_in_front_and_verdicts_behind():
    labels = pd.DataFrame({"term": ["A"] * 3, "level": list("xyz")})
    supported = np.array([True, False, True])
    found = Quantities(labels, some_draws(), supported, "finite", "response")
    table = quantity_table(found, DIVERGENT)
    assert table.columns[:5].tolist() == ["term", "level", "population", "scale", "mean"]
    assert table.columns[-2:].tolist() == ["supported", "trusted"]
    assert set(table["population"]) == {"finite"}
    assert set(table["scale"]) == {"response"}
    assert table["supported"].tolist() == supported.tolist()
    assert not table["trusted"].any()


# -- Trust -------------------------------------------------------------------------------------


def a_summary(**changes):
    """One row that just meets every threshold, with some values changed."""
    row = {
        "sd": 2.0,
        "r_hat": MAX_R_HAT,
        "ess_bulk": MIN_ESS,
        "ess_tail": MIN_ESS,
        "mcse_mean": 2 * MAX_ERROR,
        "mcse_sd": 2 * MAX_ERROR,
        "mcse_bounds": 2 * MAX_BOUND_ERROR,
        "pareto_k": MAX_PARETO_K,
        "pareto_k_sd": 0.3,  # of a heavier tail the error would not do
    }
    return pd.DataFrame([row | changes], index=["q"])


def test_the_thresholds_are_those_of_vehtari_and_colleagues():
    assert (MAX_R_HAT, MIN_ESS) == (1.01, 400)


def test_a_row_that_meets_every_threshold_is_trusted():
    assert is_trusted(a_summary(), GOOD).tolist() == [True]
    assert judge(a_summary(), GOOD).trusted


@pytest.mark.parametrize(
    ("changes", "sampling", "words"),
    [
        ({"r_hat": 1.0101}, GOOD, "R-hat"),
        ({"ess_bulk": 399.0}, GOOD, "effective sample size down to 399 "),
        ({"ess_bulk": 399.7}, GOOD, "effective sample size down to 399 "),
        ({"ess_tail": 12.0}, GOOD, "effective sample size down to 12 "),
        ({"mcse_mean": 0.081}, GOOD, "Monte Carlo error up to 0.041 sd"),
        ({"mcse_sd": 0.081}, GOOD, "Monte Carlo error up to 0.041 sd"),
        ({"mcse_bounds": 0.31}, GOOD, "Monte Carlo error of interval bounds up to 0.15 sd"),
        ({"pareto_k": 0.71}, GOOD, "too heavy for a mean"),
        ({"pareto_k_sd": 0.71}, GOOD, "too heavy for an sd"),
        ({}, DIVERGENT, "3 divergent transitions"),
    ],
)
def test_each_threshold_alone_withdraws_trust_and_is_complained_about(changes, sampling, words):
    summary = a_summary(**changes)
    assert is_trusted(summary, sampling).tolist() == [False]
    (complaint,) = judge(summary, sampling).reasons
    assert words in complaint


@pytest.mark.parametrize("name", [name for name in a_summary() if name != "sd"])
def test_an_unknown_diagnostic_is_not_trusted(name):
    assert not is_trusted(a_summary(**{name: np.nan}), GOOD).any()


def test_a_constant_has_no_monte_carlo_error():
    constant = a_summary(sd=0.0, r_hat=np.nan, ess_bulk=np.nan, ess_tail=np.nan)
    assert is_trusted(constant, GOOD).tolist() == [True]
    assert is_trusted(constant, DIVERGENT).tolist() == [False]
    assert judge(constant, GOOD).trusted


def test_rows_are_judged_one_by_one():
    summary = pd.concat([a_summary(), a_summary(r_hat=1.2), a_summary(ess_tail=1)])
    assert is_trusted(summary, GOOD).tolist() == [True, False, False]


def test_complaints_name_the_quantities_the_worst_value_and_a_remedy():
    summary = pd.concat(
        [
            a_summary(r_hat=1.02, ess_bulk=90.0).rename(index={"q": "1|A_sigma"}),
            a_summary(r_hat=1.35).rename(index={"q": "Intercept"}),
            a_summary().rename(index={"q": "sigma"}),
        ]
    )
    hat, size = judge(summary, GOOD).reasons
    assert "1.350" in hat
    assert "1|A_sigma, Intercept" in hat
    assert "tune" in hat
    assert "90" in size
    assert "1|A_sigma" in size
    assert "Intercept" not in size
    assert "draws" in size
    assert not any("'sigma'" in text or ", sigma" in text for text in (hat, size))


def test_divergences_come_with_a_remedy():
    (complaint,) = judge(a_summary(), DIVERGENT).reasons
    assert "target_accept" in complaint


def test_chains_that_disagree_are_not_trusted():
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(4, 1000, 2))
    draws[0, :, 1] += 1.0
    assert is_trusted(summarise(draws), GOOD).tolist() == [True, False]


def test_few_draws_are_not_trusted():
    draws = np.random.default_rng(1).normal(size=(4, 60, 1))
    assert is_trusted(summarise(draws), GOOD).tolist() == [False]


@pytest.mark.parametrize("shape", [0.55, 0.6, 0.65])
def test_an_sd_that_does_not_exist_is_not_trusted(shape):
    """Pareto tails of shape above 1/2 have a mean and no variance, whatever the draws' sd is."""
    tails = stats.genpareto.rvs(shape, size=(4, 1000, 50), random_state=8)
    table = diagnose(tails)
    assert not is_trusted(table, GOOD).any()
    assert (table["pareto_k"] < 0.7).mean() > 0.5


def test_an_sd_that_has_not_settled_is_not_trusted():
    """The sd of few draws of a t with 5 degrees of freedom is off by more than a tenth at times."""
    draws = np.random.default_rng(9).standard_t(5, size=(4, 200, 200))
    off = np.abs(draws.std(axis=(0, 1)) / np.sqrt(5 / 3) - 1) > 0.15
    trusted = is_trusted(diagnose(draws), GOOD)
    assert off.any()
    assert not (trusted & off).any()

"""Probabilities of zero, and quantiles of continuous responses."""

import numpy as np
import pytest
from scipy import stats

import bambi_anova as ba
from bambi_anova.estimates.zeros import PARTS
from tests.generated import generated

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


def fitted(family, link, formula="y ~ group * task + Error(s)", **options):
    data = generated(family, link, seed=2, units=8)
    model = ba.Model(formula, data, family=family, **options)
    return model.fit("laplace", draws=300, random_seed=1, progressbar=False)


@pytest.fixture(scope="module")
def inflated():
    return fitted("zero_inflated_poisson", "log")


@pytest.fixture(scope="module")
def times():
    return fitted("lognormal", "log")


# -- Zeros -------------------------------------------------------------------------------------


def test_zeros_of_an_average_unit_are_those_of_the_family(inflated):
    table = inflated.zeros(population="average").set_index(["group", "task", "quantity"])["mean"]
    mu, psi = np.exp(inflated.draws.cells[..., 0]), inflated.draws.auxiliary["psi"]
    zero = 1 - psi + psi * np.exp(-mu)
    wanted = [zero, psi * mu / (1 - zero), psi * mu]
    for name, draws in zip(PARTS, wanted, strict=True):
        assert table["A", "x", name] == pytest.approx(draws.mean())


def test_zeros_of_new_units_are_averages_over_them(inflated):
    draws = inflated.draws
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights /= weights.sum()
    eta = draws.cells[..., 0, None] + draws.sigmas["s"][..., None] * nodes
    psi = draws.auxiliary["psi"][..., None]
    zero = (1 - psi + psi * np.exp(-np.exp(eta))) @ weights
    mean = (psi * np.exp(eta)) @ weights
    # Medians: mean counts of new units need not have a posterior mean.
    table = inflated.zeros().set_index(["group", "task", "quantity"])["median"]
    assert table["A", "x", PARTS[0]] == pytest.approx(np.median(zero), rel=0.001)
    assert table["A", "x", PARTS[1]] == pytest.approx(np.median(mean / (1 - zero)), rel=0.01)


def test_amounts_beyond_a_hurdle_have_the_mean_of_their_own_part():
    fit = fitted("hurdle_gamma", "log")
    table = fit.zeros("task", population="average").set_index(["task", "quantity"])["mean"]
    psi, mu = fit.draws.auxiliary["psi"], np.exp(fit.draws.cells)
    assert table["x", PARTS[0]] == pytest.approx((1 - psi).mean())
    # Cells in the order of group, then task.
    assert table["x", PARTS[1]] == pytest.approx(mu[..., [0, 2]].mean())


def test_families_without_zeros_are_refused(times):
    with pytest.raises(ba.errors.ArgumentError, match="no probability of zero"):
        times.zeros()


# -- Quantiles ---------------------------------------------------------------------------------


def test_quantiles_of_an_average_unit_are_those_of_the_family(times):
    table = times.quantiles(quantile=[0.1, 0.5], population="average")
    mu, sigma = np.exp(times.draws.cells), times.draws.auxiliary["sigma"]
    for share in (0.1, 0.5):
        wanted = stats.lognorm.ppf(share, sigma, scale=mu[..., 0]).mean()
        row = table.query("group == 'A' and task == 'x' and quantile == @share")
        assert row["mean"].item() == pytest.approx(wanted, rel=1e-6)


def test_quantiles_of_new_units_are_those_of_the_wider_distribution(times):
    """Normal effects on the log scale leave a log-normal."""
    sd = np.hypot(times.draws.auxiliary["sigma"], times.draws.sigmas["s"])
    wanted = stats.lognorm.ppf(0.9, sd, scale=np.exp(times.draws.cells[..., 1])).mean()
    table = times.quantiles(quantile=0.9)
    row = table.query("group == 'A' and task == 'y'")
    assert row["mean"].item() == pytest.approx(wanted, rel=1e-3)


def test_marginal_quantiles_mix_the_distributions_of_other_factors(times):
    table = times.quantiles("task", 0.5, population="average").set_index("task")["mean"]
    mu, sigma = np.exp(times.draws.cells)[..., [0, 2]], times.draws.auxiliary["sigma"]
    middle = times.quantiles("task", 0.5, population="average")
    assert set(middle["quantile"]) == {0.5}
    draws = np.sqrt(mu[..., 0] * mu[..., 1])  # where both cells scatter alike
    assert table["x"] == pytest.approx(draws.mean(), rel=1e-6)
    assert (sigma > 0).all()


def test_symmetric_rows_have_their_median_at_the_mean():
    fit = fitted("gaussian", "identity")
    table = fit.quantiles("group", 0.5).set_index("group")["mean"]
    means = fit.means("group").set_index("group")["mean"]
    np.testing.assert_allclose(table, means, atol=0.02)


@pytest.mark.parametrize("quantile", [0, 1.0, "half", [], [0.5, 2]])
def test_quantiles_that_are_none_are_refused(times, quantile):
    with pytest.raises(ba.errors.ArgumentError, match="between 0 and 1"):
        times.quantiles(quantile=quantile)


def test_counts_and_the_study_s_own_units_have_no_quantiles(times, inflated):
    with pytest.raises(ba.errors.ArgumentError, match="continuous response"):
        inflated.quantiles()
    with pytest.raises(ba.errors.ArgumentError, match="population"):
        times.quantiles(population="finite")

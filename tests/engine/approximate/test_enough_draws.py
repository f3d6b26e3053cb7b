"""Quick fits draw more where errors are too large, and no narrow proposal gains trust by that."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import bambi_anova as ba
from bambi_anova.engine.approximate import importance_sampling
from bambi_anova.engine.approximate.proposal import Proposal
from bambi_anova.engine.nuts import sampling
from bambi_anova.engine.request import MOST
from bambi_anova.posterior import trust
from bambi_anova.posterior.summary import diagnose
from bambi_anova.posterior.trust import times_needed, widening

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

SIZES = [2, 3, 6]
RESIDUAL = 1.0


def model():
    """Three units with a residual sd that is known: long tails of the mean and of the units' sd."""
    rng = np.random.default_rng(1)
    units = np.repeat(["a", "b", "c"], SIZES)
    y = np.repeat([-1.5, 0.3, 1.2], SIZES) + rng.normal(size=len(units))
    data = pd.DataFrame({"s": units, "y": y})
    return ba.Model("y ~ 1 + Error(s)", data, priors={"sigma": RESIDUAL})


def exact(one):
    """Mean and sd of the intercept and of the units' sd, by quadrature over the latter's log."""
    u = np.linspace(np.log(1e-4), np.log(300), 4000)
    sigma = np.exp(u)
    data = one.design.rows.data
    means = data.groupby("s")["y"].mean().to_numpy()
    variances = sigma[:, None] ** 2 + RESIDUAL**2 / np.array(SIZES)
    prior, intercept = one.priors.sigmas["s"].args, one.priors.intercept.args
    precision = (1 / variances).sum(axis=1) + intercept["sigma"] ** -2
    centre = (means / variances).sum(axis=1) + intercept["mu"] / intercept["sigma"] ** 2
    centre /= precision
    log = stats.gamma(prior["alpha"], scale=1 / prior["beta"]).logpdf(sigma) + u
    log += -np.log(precision) / 2 - np.log(variances).sum(axis=1) / 2
    log -= ((means - centre[:, None]) ** 2 / variances).sum(axis=1) / 2
    log -= (centre - intercept["mu"]) ** 2 / (2 * intercept["sigma"] ** 2)
    mass = special.softmax(log)
    spread = mass @ (1 / precision + centre**2) - (mass @ centre) ** 2
    scale = mass @ sigma
    return {
        "Intercept": (mass @ centre, spread**0.5),
        "1|s_sigma": (scale, (mass @ sigma**2 - scale**2) ** 0.5),
    }


def quantities(result):
    return np.stack([result.draws.cells[..., 0], result.draws.sigmas["s"]], axis=-1)


def test_more_are_drawn_where_errors_are_too_large_and_they_get_small(monkeypatch):
    limit = 0.02
    monkeypatch.setattr(trust, "MAX_WIDENED_ERROR", limit)  # 4,000 draws leave .03
    one = model()
    known = exact(one)
    few, more = (
        one.fit("laplace", random_seed=1, progressbar=False, **given)
        for given in ({"draws": 1000}, {})
    )
    assert few.draws.sample_shape == (4, 1000)  # a number that is given is kept
    assert 1000 < more.draws.sample_shape[1] <= 1000 * MOST
    assert more.idata["posterior"].sizes["draw"] == more.draws.sample_shape[1]
    assert more.sampling.weighting.proposed > 1.5 * few.sampling.weighting.proposed
    table = diagnose(quantities(more), more.sampling.weighting)
    wide = table["mcse_sd"] / table["sd"] * widening(table["pareto_k_sd"], table["ess_bulk"])
    assert (wide <= limit).all()
    for (mean, sd), values in zip(known.values(), quantities(more).reshape(-1, 2).T, strict=True):
        assert abs(values.mean() - mean) < 0.05 * sd
        assert values.std() == pytest.approx(sd, rel=0.1)
    again = one.fit("laplace", random_seed=1, progressbar=False)
    np.testing.assert_array_equal(again.draws.cells, more.draws.cells)


@pytest.mark.slow
def test_short_runs_of_nuts_are_repeated_with_as_many_draws_as_needed(monkeypatch):
    monkeypatch.setattr(trust, "MAX_WIDENED_ERROR", 0.03)
    one = model()
    few, more = (
        one.fit("nuts", random_seed=1, progressbar=False, **given)
        for given in ({"draws": 1000}, {})
    )
    assert few.draws.sample_shape == (4, 1000)
    assert 1000 < more.draws.sample_shape[1] <= 1000 * MOST
    table = diagnose(quantities(more))
    for (mean, sd), values in zip(exact(one).values(), table.itertuples(), strict=True):
        assert abs(values.mean - mean) < 0.1 * sd
        assert values.sd == pytest.approx(sd, rel=0.15)
    monkeypatch.setattr(sampling, "ROOM", 0)  # a run that is long stays as it is
    assert one.fit("nuts", random_seed=1, progressbar=False).draws.sample_shape == (4, 1000)


def test_a_narrow_proposal_does_not_gain_trust_by_more_draws(monkeypatch):
    """It lacks the tails however long it draws: what it trusts in spite of that is right."""
    learn = importance_sampling._learn

    def narrow(target, proposals, rng):
        learnt, choices, efficiency = learn(target, proposals, rng)
        made = [replace(one, factor=0.3 * one.factor, freedom=200.0) for one in learnt]
        return made, choices, efficiency

    monkeypatch.setattr(importance_sampling, "_learn", narrow)
    monkeypatch.setattr(Proposal, "defended", lambda self, part, width: (self,))
    one = model()
    known, wrong = exact(one), 0
    for seed in range(1, 7):
        result = one.fit("laplace", random_seed=seed, progressbar=False)
        table = result.trust().set_index("quantity")
        names = {"Intercept": "Intercept", "1|s_sigma": "sd of s"}
        for name, (mean, sd) in known.items():
            row = table.loc[names[name]]
            off = abs(row["mean"] - mean) > 0.15 * sd or abs(row["sd"] / sd - 1) > 0.15
            wrong += off
            assert not (off and row["trusted"]), (seed, name)
    assert wrong  # the control is none where nothing goes wrong


def test_what_tails_or_very_many_draws_would_not_mend_is_left():
    good = {
        "sd": 2.0,
        "mcse_mean": 0.02,
        "mcse_sd": 0.02,
        "mcse_bounds": 0.1,
        "ess_bulk": 3000.0,
        "ess_tail": 2000.0,
        "pareto_k": 0.2,
        "pareto_k_sd": 0.3,
    }

    def needed(*rows):
        return times_needed(pd.DataFrame([good | row for row in rows]), 4)

    assert needed({}) == 1
    assert needed({"mcse_mean": 0.1}) == 2  # 1.25 times the most: 1.56 times the draws, and spare
    assert needed({"mcse_mean": 0.1}, {"ess_tail": 130.0}) == 4
    assert needed({"mcse_mean": 0.3}) == 1  # 14 times as many would do
    assert needed({"mcse_mean": 0.1, "pareto_k_sd": 0.75}) == 1
    assert needed({"mcse_mean": 0.1, "pareto_k": np.nan}) == 1
    assert needed({"mcse_mean": 0.1, "sd": 0.0}) == 1
    # The error of an sd falls the more slowly, the heavier the tail.
    assert needed({"mcse_sd": 0.065, "pareto_k_sd": 0.5}) == 2
    assert needed({"mcse_sd": 0.065, "pareto_k_sd": 0.56}) > 2

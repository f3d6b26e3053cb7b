"""Kruschke's posterior: against JAGS runs of his literal model, and against its own algebra."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bambi_anova as ba
from bambi_anova.engine.latent.build import latent_model

REFERENCE = Path(__file__).parents[1] / "reference"
JAGS = pd.read_csv(REFERENCE / "kruschke_jags.csv")

#: Design: formula, data, family.
DESIGNS = {
    "split_plot": ("y ~ A * W + Error(s/W)", "split_plot", "gaussian"),
    "npk": ("y ~ N * P * K + Error(block)", "npk", "gaussian"),
    "binomial": ("p(successes, trials) ~ A * B + Error(s/B)", "binomial", "binomial"),
    "nested": ("y ~ A / W", "nested", "gaussian"),
    "cells": ("y ~ A:W", "nested", "gaussian"),
    "covariate": ("y ~ A * x", "covariate", "gaussian"),
}

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


@cache
def model(name, **options):
    formula, data, family = DESIGNS[name]
    frame = pd.read_csv(REFERENCE / f"kruschke_data_{data}.csv")
    return ba.Model(formula, frame, family=family, **options)


def draws_by_quantity(result):
    """All quantities of the reference, by its names."""
    from bambi_anova.estimates.effects import Grid, deflection_effects, mean_effects

    grid = Grid(result.design.levels)
    cells = result.draws.cells
    margins = [[]]
    for factor in grid.levels:
        margins += [[*margin, factor] for margin in margins]
    found = {}
    for margin in margins:
        name = ":".join(margin)
        if not margin:
            found["grand mean"] = cells.mean(axis=-1)
            continue
        for kind, effects in (
            ("mean", mean_effects(grid, margin)),
            (f"deflection {name}", deflection_effects(grid, margin)),
        ):
            values = effects.of(cells)
            for k, levels in enumerate(effects.labels[margin].itertuples(index=False, name=None)):
                found[f"{kind} {':'.join(levels)}"] = values[..., k]
    for name, sigma in result.draws.sigmas.items():
        found[f"sigma {name}"] = sigma
    if "sigma" in result.draws.auxiliary:
        found["sigma residual"] = result.draws.auxiliary["sigma"]
    for slopes in result.draws.slopes.values():
        for k, level in enumerate(result.design.factors[0].levels):
            found[f"slope {level}"] = slopes[..., k]
    return found


def differences(result, name):
    """Shift of the mean in posterior sds and ratio of sds, of every quantity that both have."""
    reference = JAGS[(JAGS["design"] == name) & (JAGS["form"] == "literal")].set_index("quantity")
    found = draws_by_quantity(result)
    both = [quantity for quantity in reference.index if quantity in found]
    table = pd.DataFrame(
        {q: (found[q].mean(), found[q].std(ddof=1)) for q in both}, index=["mean", "sd"]
    ).T
    known = reference.loc[both]
    return pd.DataFrame(
        {
            "shift": (table["mean"] - known["mean"]) / known["sd"],
            "ratio": table["sd"] / known["sd"],
            # Bounds of uniform priors and few units make tails heavy: sds settle slowly.
            "sigma": [q.startswith("sigma") for q in both],
        }
    )


def test_the_reference_names_what_is_compared():
    least = {"split_plot": 25, "npk": 40, "binomial": 18, "nested": 20, "cells": 20}
    for name in DESIGNS:
        result = model(name).fit("laplace", draws=50, random_seed=1, progressbar=False)
        assert len(differences(result, name)) >= least.get(name, 12), name


@pytest.mark.slow
@pytest.mark.parametrize("method", ["laplace", "pathfinder", "advi", "nuts"])
@pytest.mark.parametrize("name", DESIGNS)
def test_the_posterior_is_that_of_the_literal_model_by_jags(name, method):
    result = model(name).fit(method, draws=2500, random_seed=3, progressbar=False)
    found = differences(result, name)
    assert found["shift"].abs().max() < 0.07, found.sort_values("shift")
    assert found["ratio"].between(0.9, 1.1).all(), found.sort_values("ratio")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["npk", "split_plot"])
def test_priors_on_deflections_are_another_model(name):
    result = model(name, priors_on="deflections").fit(
        "laplace", draws=2500, random_seed=3, progressbar=False
    )
    assert differences(result, name)["shift"].abs().max() > 0.15


def marginal_likelihood(name, values, **options):
    """The exact log density of the rows at some sds of a gaussian model, effects integrated out."""
    latent = latent_model(model(name, collapse=False, **options))
    columns = latent.parent.columns.toarray()
    values = np.array([values[scale.name] for scale in latent.scales])[:, None]
    core_sd, blocks = latent.spreads(values)
    sds = np.concatenate([core_sd[:, 0], np.tile(blocks.sd[:, 0], latent.blocks.count)])
    sigma = latent.likelihood_parameters(values)["sigma"][0]
    size = len(columns)
    covariance = (columns * sds**2) @ columns.T + sigma**2 * np.eye(size)
    y = latent.likelihood.data.y[:, 0]
    return stats.multivariate_normal.logpdf(y, latent.origin[:, 0], covariance)


@pytest.mark.parametrize("name", ["split_plot", "npk", "nested", "cells", "covariate"])
def test_integrating_the_free_effects_out_leaves_the_same_density(name):
    rng = np.random.default_rng(5)
    scales = [scale.name for scale in latent_model(model(name)).scales]
    other = []
    for _ in range(5):
        values = dict(zip(scales, rng.uniform(0.3, 6, len(scales)), strict=True))
        free = marginal_likelihood(name, values, parameterization="overparameterized")
        assert marginal_likelihood(name, values) == pytest.approx(free, abs=1e-7)
        other.append(marginal_likelihood(name, values, priors_on="deflections") - free)
    assert np.ptp(other) > 0.01  # the other model's density is another

"""Sds, correlations and sphericity of units' effects, against other software and closed forms."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.design.margins import zero_sum_basis
from bambi_anova.errors import ArgumentError
from bambi_anova.screening.sphericity import epsilon

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
REFERENCE = Path(__file__).parents[1] / "reference"
CELLS = "y ~ group * load + Error(s/load, cov='unstructured')"


def read(name):
    return pd.read_csv(REFERENCE / f"together_{name}.csv")


@cache
def fitted(name, formula, draws=500):
    return ba.Model(formula, read(name)).fit(
        "laplace", draws=draws, random_seed=1, progressbar=False
    )


def lmer(design):
    table = read("lmer").query("design == @design")
    return {kind: own.set_index("name")["estimate"] for kind, own in table.groupby("kind")}, table


def test_correlated_slopes_are_near_those_of_lmer():
    result = fitted("slopes", "y ~ day + (day|s)")
    estimate, table = lmer("slopes")
    found = result.unit_correlations().set_index(["parameter", "effect"])["median"]
    assert found["sd", "s"] == pytest.approx(estimate["sd"]["(Intercept)"], rel=0.1)
    assert found["sd", "day|s"] == pytest.approx(estimate["sd"]["x"], rel=0.1)
    assert found["correlation", "s"] == pytest.approx(estimate["correlation"].item(), abs=0.05)
    assert result.draws.auxiliary["sigma"].mean() == pytest.approx(25.37, rel=0.03)
    slope = result.slopes("day").iloc[0]
    fixed = table.query("kind == 'fixed'").set_index("name")
    assert slope["mean"] == pytest.approx(fixed.loc["x", "estimate"], abs=0.05 * 1.43)
    assert slope["sd"] == pytest.approx(fixed.loc["x", "se"], rel=0.08)


def test_effects_in_cells_are_near_those_of_lmer():
    result = fitted("cells", CELLS)
    estimate, table = lmer("cells")
    found = result.unit_correlations()
    sds = found[found["parameter"] == "sd"]["median"]
    np.testing.assert_allclose(sds, estimate["sd"], rtol=0.15)
    correlations = found[found["parameter"] == "correlation"]
    assert list(correlations["other_effect"]) == ["load[l1]|s", "load[l2]|s", "load[l2]|s"]
    # 24 people say little of correlations: the prior, uniform over matrices, draws them to zero.
    gap = correlations["mean"].to_numpy() - estimate["correlation"].to_numpy()
    assert (abs(gap) < 1.5 * correlations["sd"]).all()
    means = result.means("group:load").sort_values(["load", "group"])
    fixed = table.query("kind == 'fixed'")
    # The interaction is drawn towards zero as well.
    assert (abs(means["mean"].to_numpy() - fixed["estimate"]) < 0.5 * fixed["se"]).all()


def pymc_table(result):
    """Our numbers under the names of the reference."""
    means = result.means("group:load", population="super")
    found = {
        f"mean {g}:{k}": (m, sd)
        for g, k, m, sd in zip(
            means["group"], means["load"], means["mean"], means["sd"], strict=True
        )
    }
    for row in result.unit_correlations().itertuples():
        one, other = (name[5:7] for name in (row.effect, row.other_effect))
        name = f"sd {one}" if row.parameter == "sd" else f"correlation {one} {other}"
        found[name] = row.mean, row.sd
    spherical = result.sphericity().set_index("of").loc["effects of units"]
    found["epsilon"] = spherical["mean"], spherical["sd"]
    table = result.summary().set_index("parameter")
    for name, ours in {"sigma": "sigma"}.items():
        found[name] = table.loc[ours, "mean"], table.loc[ours, "sd"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("method", ["laplace", "nuts"])
def test_the_posterior_is_that_of_a_model_written_by_hand(method):
    wanted = read("pymc").set_index("quantity")
    assert (wanted["r_hat"] < 1.005).all()
    result = ba.Model(CELLS, read("cells")).fit(
        method, draws=2000, random_seed=3, progressbar=False
    )
    found = pymc_table(result)
    assert len(found) == 14
    for name, (mean, sd) in found.items():
        own = wanted.loc[name]
        assert abs(mean - own["mean"]) < 0.12 * own["sd"], name
        assert sd == pytest.approx(own["sd"], rel=0.12), name


def test_epsilon_of_means_has_the_residual_in_it():
    result = fitted("cells", CELLS)
    table = result.sphericity()
    assert list(table["of"]) == ["effects of units", "means of units"]
    assert (table["term"] == "load").all()
    assert table["estimate"].isna().tolist() == [True, False]
    assert table["estimate"][1] == pytest.approx(read("afex")["epsilon"][0])
    draws = result.draws
    sd = np.stack([draws.sigmas[f"load[l{k}]|s"] for k in range(3)], axis=-1)
    whole = draws.correlations["load|s"] * sd[..., None] * sd[..., None, :]
    own = epsilon(whole, zero_sum_basis(3))
    assert table["mean"][0] == pytest.approx(own.mean())
    whole = whole + draws.auxiliary["sigma"][..., None, None] ** 2 / 2 * np.eye(3)
    assert table["mean"][1] == pytest.approx(epsilon(whole, zero_sum_basis(3)).mean())


@cache
def many():
    """Six hundred units, so that the data settle what epsilon is."""
    rng = np.random.default_rng(2)
    covariance = np.array([[1.0, 0.9, 0.3], [0.9, 1.5, 0.8], [0.3, 0.8, 3.0]])
    y = rng.multivariate_normal([0, 1, 2], covariance, 600)
    frame = pd.DataFrame(y, columns=list("abc")).rename_axis("s").reset_index()
    data = frame.melt("s", var_name="A", value_name="y").assign(s=lambda d: "s" + d["s"].map(str))
    return data, np.cov(y.T)


def test_with_many_units_epsilon_is_the_classical_one():
    data, observed = many()
    result = ba.Model("y ~ A + (A|s)", data).fit("laplace", random_seed=1, progressbar=False)
    row = result.sphericity().iloc[0]
    classical = float(epsilon(observed, zero_sum_basis(3)))
    assert row["estimate"] == pytest.approx(classical)
    assert row["mean"] == pytest.approx(classical, abs=0.3 * row["sd"])
    assert row["sd"] < 0.03
    assert row["trusted"]


def test_independent_cells_have_sds_alone():
    result = fitted("cells", "y ~ group * load + Error(s/load, cov='diagonal')", 50)
    assert (result.unit_correlations()["parameter"] == "sd").all()
    assert (result.sphericity()["mean"] < 1).all()


@pytest.mark.parametrize(
    ("formula", "ask", "message"),
    [
        ("y ~ load + Error(s/load)", "sphericity", "compound symmetric, so that every epsilon"),
        ("y ~ load + Error(s/load)", "unit_correlations", "no effects of units vary together"),
    ],
)
def test_refused_with_what_to_write(formula, ask, message):
    result = fitted("cells", formula, 50)
    with pytest.raises(ArgumentError, match=message):
        getattr(result, ask)()


def test_two_levels_have_no_sphericity():
    data = read("cells").query("load != 'l2'")
    result = ba.Model(CELLS, data).fit("laplace", draws=50, random_seed=1, progressbar=False)
    with pytest.raises(ArgumentError, match="no term has three levels"):
        result.sphericity()
    assert len(result.unit_correlations()) == 3

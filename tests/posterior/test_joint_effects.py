"""Effects that vary together in cell means, unit terms, predictions and likelihoods of units."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.estimates.reference_grid import at_covariates
from bambi_anova.posterior.joint_effects import cell_variance, covariance, read_cells
from bambi_anova.posterior.populations import cell_means
from bambi_anova.prediction.predictors import predictor_of
from bambi_anova.prediction.prior_draws import draw_prior

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


@cache
def data():
    """Ten units in three cells, one of which a unit lacks; their effects go together."""
    rng = np.random.default_rng(5)
    root = np.linalg.cholesky([[1.0, 0.7, 0.2], [0.7, 1.2, 0.3], [0.2, 0.3, 0.8]])
    effects = rng.normal(size=(10, 3)) @ root.T
    rows = pd.DataFrame(
        [(f"s{j}", "abc"[k], j, k) for j in range(10) for k in range(3) for _ in range(3)],
        columns=["s", "A", "j", "k"],
    )
    x = rng.normal(3, 1, len(rows)).round(1)
    eta = 1 + effects[rows["j"], rows["k"]] + 0.2 * (x - 3)
    rows = rows.assign(x=x, y=eta + rng.normal(size=len(rows)), count=rng.poisson(np.exp(eta / 2)))
    return rows[~((rows["s"] == "s4") & (rows["A"] == "b"))]


@cache
def fitted(formula, family="gaussian"):
    return ba.Model(formula, data(), family).fit(
        "laplace", draws=50, chains=2, random_seed=1, progressbar=False
    )


CELLS = "y ~ A + Error(s/A, cov='unstructured')"
SLOPES = "y ~ A + x + (A + x|s)"


def of(result):
    (joint,) = result.design.joints
    return joint, covariance(joint, result.draws.sigmas, result.draws.correlations)


def test_new_units_vary_by_the_variance_of_each_cell():
    result = fitted("count ~ A + (A|s)", "poisson")
    variance = np.diagonal(of(result)[1], axis1=-2, axis2=-1)
    np.testing.assert_allclose(cell_variance(result.draws, result.design), variance)
    means = cell_means(result, "super", "response")
    np.testing.assert_allclose(means, np.exp(result.draws.cells + variance / 2))
    assert np.ptp(variance.mean(axis=(0, 1))) > 0.01


@pytest.mark.parametrize("scale", ["link", "response"])
def test_the_units_of_the_study_have_effects_in_cells_where_they_were_not_seen(scale):
    result = fitted("count ~ A + (A|s)", "poisson")
    effects = np.stack([result.draws.unit_slopes[name] for name in of(result)[0].members], axis=-1)
    eta = result.draws.cells[:, :, None] + effects  # (H, D, 10 units, 3 cells)
    wanted = eta.mean(axis=2) if scale == "link" else np.exp(eta).mean(axis=2)
    np.testing.assert_allclose(cell_means(result, "finite", scale), wanted)


def test_an_effect_that_was_not_seen_has_its_conditional_distribution():
    """What s4 would do in b, given what it does in a and c: a regression on these, draw by draw."""
    result = ba.Model(CELLS, data()).fit(
        "laplace", draws=2000, chains=2, random_seed=1, progressbar=False
    )
    joint, s = of(result)
    b = np.stack([result.draws.unit_slopes[name][..., 4] for name in joint.members], axis=-1)
    seen = [0, 2]
    weights = np.linalg.solve(s[..., seen, :][..., seen], s[..., seen, 1][..., None])[..., 0]
    mean = (weights * b[..., seen]).sum(axis=-1)
    sd = np.sqrt(s[..., 1, 1] - (weights * s[..., seen, 1]).sum(axis=-1))
    z = ((b[..., 1] - mean) / sd).ravel()
    assert abs(z.mean()) < 0.1
    assert z.std() == pytest.approx(1, abs=0.07)
    assert abs(np.corrcoef(z, mean.ravel())[0, 1]) < 0.1


@pytest.mark.parametrize("value", [-1.5, 2.0])
def test_slopes_move_the_variance_of_the_cells_with_their_covariance(value):
    result = fitted(SLOPES)
    s = of(result)[1]
    moved = at_covariates(result, {"x": value})
    w = np.hstack([np.eye(3), np.full((3, 1), value)])
    wanted = np.einsum("ck,hdkl,cl->hdc", w, s, w)
    np.testing.assert_allclose(cell_variance(moved.draws, moved.design), wanted)
    rows = moved.draws.unit_slopes["A[b]|s"] - result.draws.unit_slopes["A[b]|s"]
    np.testing.assert_allclose(rows, value * result.draws.unit_slopes["x|s"], atol=1e-12)


def test_a_unit_s_slope_and_effect_have_a_covariance_at_other_values():
    result = fitted("y ~ A + x + (x|s)")
    s = of(result)[1]
    moved = at_covariates(result, {"x": 2.0})
    wanted = s[..., 0, 0] + 4 * s[..., 0, 1] + 4 * s[..., 1, 1]
    np.testing.assert_allclose(moved.draws.sigmas["s"] ** 2, wanted)


def test_unit_terms_add_up_to_the_effects_in_cells():
    result = fitted(CELLS)
    draws, design = result.draws, result.design
    level = design.rows.factors["A"].codes
    effects = np.stack([draws.unit_slopes[name] for name in of(result)[0].members], axis=-1)
    whole, fine = design.unit("s"), design.unit("s:A")
    wanted = effects[..., whole.codes, level]
    found = draws.units["s"][..., whole.codes] + draws.units["s:A"][..., fine.codes]
    np.testing.assert_allclose(found, wanted)


def test_the_sds_of_unit_terms_are_those_of_compound_symmetry():
    """Where the covariance is compound symmetric they are its own."""
    design = fitted(CELLS).design
    (joint,) = design.joints
    whole = 0.8**2 * np.ones((3, 3)) + 0.5**2 * np.eye(3)
    sd = np.sqrt(np.diag(whole))
    one = np.ones((1, 1))
    sigmas = {name: sd[k] * one for k, name in enumerate(joint.members)}
    effects = {name: np.zeros((1, 1, 10)) for name in joint.members}
    correlations = {joint.name: (whole / np.outer(sd, sd))[None, None]}
    found = read_cells(design, effects, sigmas, correlations).sigmas
    assert found["s"].item() == pytest.approx(0.8)
    assert found["s:A"].item() == pytest.approx(0.5)


def test_new_units_of_replicates_and_of_the_prior_have_the_covariance():
    result = fitted(SLOPES)
    predictor = predictor_of(result)
    rng = np.random.default_rng(2)
    sums = np.zeros((4, 4))
    draws = [predictor.with_new_units(rng) for _ in range(200)]
    for one in draws:
        b = np.stack([term.effects for term in one.units], axis=-1)
        sums += np.einsum("kjm,kjn->mn", b, b) / b.shape[1]
    wanted = of(result)[1].reshape(-1, 4, 4).sum(axis=0) * 200
    np.testing.assert_allclose(sums / wanted[0, 0], wanted / wanted[0, 0], atol=0.1)


def test_the_prior_of_correlations_is_lkj():
    """Of three effects under LKJ(2) each correlation is 2 Beta(2.5, 2.5) - 1."""
    model = ba.Model(CELLS, data(), priors={"correlation of A|s": 2.0})
    found = draw_prior(model, 20_000, np.random.default_rng(3))["A|s_correlation"].to_numpy()[0]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert found[:, i, j].mean() == pytest.approx(0, abs=0.02)
        assert found[:, i, j].var() == pytest.approx(1 / 6, abs=0.01)


def test_tables_have_sds_and_correlations():
    table = fitted(CELLS).summary().set_index("parameter")
    assert {"sd of A[a]|s", "correlation of A[a]|s and A[c]|s"} <= set(table.index)
    assert (table["variable"] == "A|s_correlation").sum() == 3


def test_a_saved_fit_comes_back(tmp_path):
    result = fitted(SLOPES)
    result.save(tmp_path / "fit.nc")
    again = ba.load(tmp_path / "fit.nc")
    for name, own in result.draws.correlations.items():
        np.testing.assert_array_equal(again.draws.correlations[name], own)
    assert again.priors.correlations == result.priors.correlations


def test_new_rows_of_known_and_new_units_are_predicted():
    rows = pd.DataFrame({"s": ["s1", "new", "new"], "A": ["a", "a", "b"], "x": [3.0, 3.0, 3.0]})
    tree = fitted(SLOPES).predict(rows, sample_new_groups=True, random_seed=1)
    mu = tree["posterior"]["mu"].to_numpy()
    assert mu.shape == (2, 50, 3)
    assert np.isfinite(mu).all()

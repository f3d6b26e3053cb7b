"""``ba.quick``: what it returns is taken by Bambi and ArviZ, and what it cannot do is named."""

import copy

import arviz as az
import bambi as bmb
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import bambi_anova as ba
from bambi_anova.engine.latent.from_bambi import read_bambi
from bambi_anova.errors import ArgumentError, NotLatentGaussianError
from bambi_anova.posterior.trust import PROMISE
from tests.quick_fits.gallery import CLOSED, GENERATED, frame, made, prior

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::bambi_anova.errors.ConvergenceWarning"),
]


def quick(model, **options):
    return ba.quick(model, **({"random_seed": 1, "progressbar": False} | options))


@pytest.fixture(scope="module")
def model():
    return bmb.Model("y ~ x * d + z + (x|g)", frame())


@pytest.fixture(scope="module")
def fit(model):
    return quick(model)


# -- What is returned --------------------------------------------------------------------------


def test_it_is_a_tree_with_a_verdict(fit):
    assert isinstance(fit, xr.DataTree)
    assert set(fit.children) == {
        "posterior",
        "sample_stats",
        "log_likelihood",
        "log_prior",
        "observed_data",
    }
    assert fit.verdict == "trusted"
    assert repr(fit).startswith("QuickFit by laplace in ")


def test_a_verdict_is_about_the_curve_of_a_process_too():
    rng = np.random.default_rng(8)
    x = np.sort(rng.uniform(0, 10, 200))
    data = pd.DataFrame({"x": x, "y": np.sin(x) + 0.3 * x + rng.normal(0, 0.5, 200)})
    table = (found := quick(bmb.Model("y ~ 0 + hsgp(x, m=15, c=1.5)", data))).trust()
    weights = table["quantity"].str.contains("weights")
    assert found.verdict.trusted == table.loc[weights, "trusted"].all()


def test_trust_has_a_row_for_each_number(fit):
    table = fit.trust()
    assert table["quantity"].is_unique
    assert table["trusted"].all()
    assert {"x:d[v]", "1|g[g3]", "x|g_sigma", "sigma"} <= set(table["quantity"])
    assert fit.trust("sigma", ci_prob=0.8)["hdi80_lb"][0] > 0
    with pytest.raises(ArgumentError, match="did you mean 'sigma'"):
        fit.trust(["sigmas"])


def test_labels_are_those_of_arviz(fit):
    theirs = az.summary(fit, round_to="none").astype(float)
    table = fit.trust().set_index("quantity")
    assert set(table.index) == set(theirs.index)
    np.testing.assert_allclose(table["mean"], theirs["mean"][table.index], rtol=1e-6)


def test_copies_and_files_keep_what_is_known(fit, tmp_path):
    for other in (copy.deepcopy(fit), fit.copy(), copy.copy(fit)):
        assert other.verdict == fit.verdict
        assert other._fit is fit._fit
    fit.to_netcdf(tmp_path / "fit.nc")
    with xr.open_datatree(tmp_path / "fit.nc") as read:
        again = ba.QuickFit(children={name: child.copy() for name, child in read.children.items()})
        pd.testing.assert_frame_equal(again.trust(), fit.trust())
        assert again.log_evidence == fit.log_evidence
        with pytest.raises(ArgumentError, match="does not know its model"):
            again.nuts()


def test_bambi_predicts_from_it(model, fit):
    new = frame().assign(x=0.0, g="new")
    found = model.predict(fit, kind="response", inplace=False, random_seed=1)
    assert found["posterior_predictive"]["y"].shape == (4, 1000, 48)
    assert "mu" not in fit["posterior"]
    means = model.predict(fit, data=frame(), inplace=False)["posterior"]["mu"].mean(
        ("chain", "draw")
    )
    assert np.corrcoef(means, frame()["y"])[0, 1] > 0.6
    with_new = model.predict(fit, data=new, inplace=False, sample_new_groups=True)
    assert np.isfinite(with_new["posterior"]["mu"]).all()


def test_bambi_interprets_it(model, fit):
    found = bmb.interpret.comparisons(model, fit, contrast="d")
    summary = found.summary if hasattr(found, "summary") else found
    assert len(summary) >= 1
    assert len(bmb.interpret.predictions(model, fit, conditional="x").summary) > 1


def test_arviz_takes_it(model, fit):
    one, other = az.loo(fit), az.loo(quick(bmb.Model("y ~ 1", frame())))
    assert one.elpd > other.elpd
    compared = az.compare({"one": fit, "other": quick(bmb.Model("y ~ 1", frame()))})
    assert compared.index[0] == "one"
    az.plot_forest(fit, var_names=["x", "z"])
    assert len(az.psense_summary(fit, var_names=["x"])) == 1


@pytest.mark.parametrize(
    "name", ["weights", "binomial", "poisson with exposure", "ordinal", "t", "lognormal"]
)
def test_log_likelihood_is_that_of_pymc(name):
    model = CLOSED[name]()
    fit = quick(model, draws=5, chains=2, method="laplace")
    (variable,) = fit["log_likelihood"].data_vars
    ours = fit["log_likelihood"][variable].to_numpy()
    if name == "weights":  # Bambi's own does not take them
        mu = model.predict(fit, inplace=False)["posterior"]["mu"].to_numpy()
        sigma = fit["posterior"]["sigma"].to_numpy()[..., None]
        theirs = frame()["w"].to_numpy() * stats.norm.logpdf(frame()["y"].to_numpy(), mu, sigma)
    else:
        again = model.compute_log_likelihood(fit, inplace=False)
        theirs = again["log_likelihood"][variable].to_numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-8)


def test_log_prior_is_that_of_bambi():
    # Bambi takes a reported intercept for that of centred predictors: there is none.
    model = bmb.Model("rating ~ x + c + (1|g)", frame(), family="cumulative", noncentered=False)
    fit = quick(model, draws=5, chains=2, method="laplace")
    theirs = model.compute_log_prior(fit, inplace=False)["log_prior"].to_dataset()
    ours = fit["log_prior"].to_dataset()
    assert set(ours) == set(theirs) >= {"1|g", "threshold", "c"}
    for name in ours:
        np.testing.assert_allclose(*xr.align(ours[name], theirs[name]), atol=1e-9)


def test_log_evidence_has_its_closed_form():
    normal = {"common": prior("Normal", mu=0, sigma=2), "Intercept": prior("Normal", mu=1, sigma=3)}
    model = bmb.Model("y ~ x + z", frame(), priors=normal | {"sigma": 1.5})
    fit = quick(model)
    data = frame()
    x = data[["x", "z"]] - data[["x", "z"]].mean()
    covariance = 9 + 4 * (x @ x.T).to_numpy() + 2.25 * np.eye(48)
    exact = stats.multivariate_normal.logpdf(data["y"], np.ones(48), covariance)
    assert fit.log_evidence.mcse < 0.01
    assert fit.log_evidence.value == pytest.approx(exact, abs=4 * fit.log_evidence.mcse)


@pytest.mark.parametrize(
    ("name", "density"),
    [
        ("StudentT", lambda b: stats.t.logpdf(b, 3, 0.5, 2)),
        ("Uniform", lambda b: stats.uniform.logpdf(b, -2, 5)),
        ("SkewNormal", lambda b: stats.skewnorm.logpdf(b, 2, 0, 1.5)),
        ("HalfNormal", lambda b: stats.halfnorm.logpdf(b, 0, 2)),
    ],
)
def test_log_evidence_of_other_priors_is_that_of_quadrature(name, density):
    args = {
        "StudentT": {"nu": 3, "mu": 0.5, "sigma": 2},
        "Uniform": {"lower": -2, "upper": 3},
        "SkewNormal": {"mu": 0, "sigma": 1.5, "alpha": 2},
        "HalfNormal": {"sigma": 2},
    }[name]
    model = bmb.Model("y ~ 0 + x", frame(), priors={"x": prior(name, **args), "sigma": 1.5})
    fit = quick(model)
    b = np.linspace(-2, 3, 20_001)
    y, x = frame()["y"].to_numpy(), frame()["x"].to_numpy()
    log = density(b) + stats.norm.logpdf(y[:, None], x[:, None] * b, 1.5).sum(axis=0)
    weights = np.exp(log - log.max())
    exact = np.log(np.trapezoid(weights, b)) + log.max()
    mean = weights @ b / weights.sum()
    sd = np.sqrt(weights @ (b - mean) ** 2 / weights.sum())
    assert fit.log_evidence.value == pytest.approx(exact, abs=0.05)
    (row,) = fit.trust("x").to_dict("records")
    assert row["mean"] == pytest.approx(mean, abs=4 * row["mcse_mean"])
    assert row["sd"] == pytest.approx(sd, abs=4 * row["mcse_sd"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["sleepstudy", "radon", "gaussian process, centred, by level", "slopes of a factor", "ordinal",
     "poisson, crossed", "linear with a t intercept"],
)  # fmt: skip
def test_posterior_has_the_form_of_bambi(name):
    model = CLOSED[name]()
    theirs = model.fit(
        draws=4, tune=4, chains=2, progressbar=False, compute_convergence_checks=False
    )
    ours = quick(model, draws=4, chains=2, method="laplace")
    one, other = ours["posterior"].to_dataset(), theirs["posterior"].to_dataset()
    assert list(one) == list(other)
    for variable in one:
        assert one[variable].dims == other[variable].dims
        for dim in one[variable].dims:
            assert one[dim].to_numpy().tolist() == other[dim].to_numpy().tolist()
    one, other = (own["observed_data"].to_dataset() for own in (ours, theirs))
    xr.testing.assert_equal(one, other)


@pytest.mark.slow
def test_bambis_sampler_starts_from_it(model, fit):
    for method in ("pymc", "nutpie"):
        found = fit.nuts(
            draws=50,
            tune=100,
            chains=2,
            random_seed=1,
            inference_method=method,
            progressbar=False,
        )
        assert found["posterior"]["x"].shape == (2, 50)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["sleepstudy", "ordinal with groups", "sd by a predictor", "gaussian process",
             "zero-inflated poisson", "linear with laplace slopes"],
)  # fmt: skip
def test_what_is_trusted_is_that_of_long_chains(name):
    model = (CLOSED | GENERATED)[name]()
    table = quick(model).trust()
    long = model.fit(
        draws=5000,
        chains=4,
        # nutpie cuts names at commas.
        inference_method="pymc" if name == "gaussian process" else "nutpie",
        random_seed=3,
        progressbar=False,
        nuts={"target_accept": 0.95},
    )
    exact = az.summary(long, round_to="none").astype(float).loc[table["quantity"]]
    shift = (table["mean"].to_numpy() - exact["mean"]) / exact["sd"]
    ratio = table["sd"].to_numpy() / exact["sd"]
    trusted = table["trusted"].to_numpy()
    assert trusted.mean() > 0.7
    # The chains have an error of their own.
    assert np.abs(shift[trusted]).max() < PROMISE
    assert np.abs(ratio[trusted] - 1).max() < PROMISE


# -- What is refused ---------------------------------------------------------------------------


def nested(name, **args):
    return prior("Normal", mu=0, sigma=prior(name, **args))


def doubled(name, dims=None):
    import pymc as pm

    return pm.Normal(name, 0, 2, dims=dims)


REFUSED = {
    "an improper prior": (made("y ~ x", priors={"x": prior("Flat")}), "x: .*improper"),
    "a wide slope without end": (
        made("y ~ x", priors={"x": prior("Normal", mu=0, sigma=np.inf)}),
        "x: .*improper",
    ),
    "an sd that may be negative": (
        made("y ~ x", priors={"sigma": prior("Normal", mu=1, sigma=1)}),
        "sigma: .*negative",
    ),
    "effects that are not normal": (
        made(
            "y ~ (1|g)",
            noncentered=False,
            priors={"1|g": prior("StudentT", nu=3, mu=0, sigma=prior("HalfNormal", sigma=1))},
        ),
        r"1\|g: effects of groups need a Normal prior",
    ),
    "priors of priors": (
        made(
            "y ~ (1|g)",
            noncentered=False,
            priors={"1|g": nested("HalfNormal", sigma=prior("Exponential", lam=1))},
        ),
        r"1\|g_sigma: .*priors of their own",
    ),
    "a mean of effects": (
        made(
            "y ~ 0 + (1|g)",
            noncentered=False,
            priors={
                "1|g": prior(
                    "Normal",
                    mu=prior("Normal", mu=0, sigma=1),
                    sigma=prior("HalfNormal", sigma=1),
                )
            },
        ),
        r"1\|g: its mean has a prior",
    ),
    "a mean of effects that is not zero": (
        made(
            "y ~ (1|g)",
            noncentered=False,
            priors={"1|g": prior("Normal", mu=1, sigma=prior("HalfNormal", sigma=1))},
        ),
        r"1\|g: .*mean of 0",
    ),
    "a prior by a function": (
        made("y ~ x", priors={"x": bmb.Prior("Mine", dist=doubled)}),
        "x: .*function of its own",
    ),
    "a horseshoe": (made("y ~ x", priors={"x": prior("Horseshoe")}), "x: the prior Horseshoe"),
    "whole numbers": (
        made("y ~ x", "t", priors={"nu": prior("Poisson", mu=4)}),
        "nu: .*whole numbers",
    ),
    "many coefficients that are not normal": (
        made("y ~ 0 + bs(x, df=14)", priors={"common": prior("Laplace", mu=0, b=1)}),
        r"bs\(x, df=14\): 14 coefficients",
    ),
    "a potential": (
        made("y ~ x", potentials=[("x", lambda x: -(x**2))]),
        "potentials of x",
    ),
    "censored": (
        lambda: bmb.Model(
            "censored(positive, how) ~ x", frame().assign(how="none"), family="weibull"
        ),
        "censored responses",
    ),
    "truncated": (made("truncated(y, lb=-9) ~ x"), "truncated responses"),
    "constrained": (made("constrained(y, lb=-9) ~ x"), "constrained responses"),
    "categories": (made("c ~ x", "categorical"), "categorical.*several categories"),
    "stages": (made("rating ~ x", "sratio"), "sratio.*stages"),
    "a category without rows": (
        lambda: bmb.Model(
            "rating ~ x",
            frame().assign(rating=frame()["rating"].cat.add_categories([9])),
            family="cumulative",
        ),
        "no row has the category",
    ),
    "ordinal by cloglog": (made("rating ~ x", "cumulative", link="cloglog"), "'cloglog'"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_cannot_be_done_is_named(name):
    make, message = REFUSED[name]
    model = make()
    model.build()
    with pytest.raises(NotLatentGaussianError, match=message):
        read_bambi(model)


def test_another_model_than_bambi_built_is_no_answer():
    model = bmb.Model("y ~ x", frame())
    model.build()
    # Bambi's PyMC model stays as it was built.
    model.parameters["mu"].terms["x"].prior = prior("Normal", mu=4, sigma=0.1)
    with pytest.raises(NotLatentGaussianError, match="was not read as Bambi built it"):
        quick(model)


def test_arguments_are_checked():
    with pytest.raises(ArgumentError, match=r"expected a bambi\.Model"):
        ba.quick("y ~ x")
    with pytest.raises(ArgumentError, match="method='vi'"):
        ba.quick(bmb.Model("y ~ x", frame()), method="vi")
    with pytest.raises(ArgumentError, match="draws=0"):
        quick(bmb.Model("y ~ x", frame()), draws=0)


@pytest.mark.parametrize("method", ["pathfinder", "advi"])
def test_other_methods_agree(model, fit, method):
    other = quick(model, method=method).trust().set_index("quantity")
    first = fit.trust().set_index("quantity")
    gap = (other["mean"] - first["mean"]).abs() / first["sd"]
    assert gap.max() < 0.15


def test_a_predictor_of_the_scatter_is_fitted():
    fit = quick(GENERATED["sd by a predictor"](), method="laplace")
    assert fit.trust()["trusted"].any()


def test_user_families_are_taken():
    likelihood = bmb.Likelihood("Laplace", params=["mu", "b"], parent="mu")
    family = bmb.Family("mine", likelihood, "identity")
    model = bmb.Model("y ~ x", frame(), family=family, priors={"b": prior("HalfNormal", sigma=1)})
    assert quick(model, method="laplace")["log_likelihood"]["y"].shape == (4, 1000, 48)


def test_a_family_under_a_name_of_bambis_is_read_by_what_it_is():
    likelihood = bmb.Likelihood("Laplace", params=["mu", "b"], parent="mu")
    family = bmb.Family("gaussian", likelihood, "identity")
    model = bmb.Model("y ~ x", frame(), family=family, priors={"b": prior("HalfNormal", sigma=1)})
    assert not read_bambi(model).model.likelihood.quadratic


def test_aliases_are_the_names():
    model = bmb.Model("y ~ x + (1|g)", frame())
    model.set_alias({"x": "slope", "1|g": "village", "sigma": "noise", "Intercept": "level"})
    model.build()
    fit = quick(model)
    assert {"slope", "village", "village_noise", "noise", "level"} <= set(fit["posterior"])

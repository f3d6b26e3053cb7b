"""Quick fits against exact posteriors, and as they come to the user."""

import subprocess
import sys
from functools import cache
from itertools import product

import bambi as bmb
import numpy as np
import pandas as pd
import pytensor
import pytest
from scipy import special, stats

import bambi_anova as ba
from bambi_anova.engine import threads as own_threads
from bambi_anova.engine.approximate import target
from bambi_anova.engine.latent import mode
from bambi_anova.engine.latent.build import latent_model
from bambi_anova.errors import ArgumentError
from bambi_anova.posterior.trust import Verdict

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

FIT = {"random_seed": 1, "progressbar": False}


# -- Exact posteriors --------------------------------------------------------------------------


class Exact:
    """A posterior on a grid of one log scale: normal given the scale, or moments given it."""

    def __init__(self, u, log_density, means, variances):
        self.u, self.mass = u, special.softmax(log_density)
        self.mean = self.mass @ means
        self.variance = self.mass @ (variances + means**2) - self.mean**2

    def scale_cdf(self, sigma):
        below = np.cumsum(self.mass) - self.mass / 2
        return np.interp(np.log(sigma), self.u, below)


def agree(result, name, values, mean, variance):
    """Draws have the mean and the sd, within a few Monte Carlo errors and within the promise."""
    row = result.diagnostics.loc[name]
    sd = np.sqrt(variance)
    assert abs(values.mean() - mean) < 4.5 * row["mcse_mean"] < 0.2 * sd
    assert abs(values.std(ddof=1) / sd - 1) < 0.1


@cache
def gaussian_rows():
    """Three units of unequal size, with a residual sd that is known."""
    rng = np.random.default_rng(1)
    units = np.repeat(["a", "b", "c"], [2, 3, 6])
    effects = {"a": -1.5, "b": 0.3, "c": 1.2}
    y = np.array([effects[s] for s in units]) + rng.normal(size=len(units))
    return pd.DataFrame({"s": units, "y": y})


PRIORS = {
    "Intercept": bmb.Prior("Normal", mu=0.5, sigma=2.0),
    "s": bmb.Prior("HalfNormal", sigma=1.5),
}


def exact_gaussian():
    """Intercept and unit effects are normal given the units' sd; the sd is on a grid."""
    data = gaussian_rows()
    z = (data["s"].to_numpy()[:, None] == np.array(list("abc"))).astype(float)
    design = np.column_stack([np.ones(len(data)), z])
    prior_mean = np.array([0.5, 0, 0, 0])
    u = np.linspace(-9, 3, 1201)
    heights, means, variances = [], [], []
    for sigma in np.exp(u):
        prior = np.diag([4.0, *[sigma**2] * 3])
        marginal = design @ prior @ design.T + np.eye(len(data))
        gain = prior @ design.T @ np.linalg.inv(marginal)
        residual = data["y"] - design @ prior_mean
        means.append(prior_mean + gain @ residual)
        variances.append(np.diag(prior - gain @ design @ prior))
        log_likelihood = stats.multivariate_normal(design @ prior_mean, marginal).logpdf(data["y"])
        heights.append(log_likelihood + stats.halfnorm.logpdf(sigma, scale=1.5) + np.log(sigma))
    return Exact(u, np.array(heights), np.array(means), np.array(variances))


@cache
def gaussian_fit(**options):
    priors = {**PRIORS, "sigma": 1.0}
    model = ba.Model("y ~ 1 + Error(s)", gaussian_rows(), priors=priors)
    return model.fit("laplace", **{"draws": 2000, **FIT, **options})


def test_gaussian_responses_with_one_scale_are_exact():
    result, exact = gaussian_fit(), exact_gaussian()
    posterior = result.idata["posterior"]
    agree(result, "Intercept", posterior["Intercept"], exact.mean[0], exact.variance[0])
    for j, label in enumerate("abc"):
        effect = posterior["1|s"].isel({posterior["1|s"].dims[-1]: j})
        agree(result, f"1|s[{label}]", effect, exact.mean[1 + j], exact.variance[1 + j])
    assert result.verdict == "trusted"


def test_the_scale_of_gaussian_responses_has_its_exact_distribution():
    result, exact = gaussian_fit(), exact_gaussian()
    sigma = result.idata["posterior"]["1|s_sigma"].to_numpy().ravel()
    assert stats.kstest(sigma, exact.scale_cdf).statistic < 0.04
    for probability in (0.05, 0.5, 0.95):
        below = exact.scale_cdf(np.quantile(sigma, probability))
        assert below == pytest.approx(probability, abs=0.025)


@cache
def binary_rows():
    """Four units of two to five trials; one never fails and one always does."""
    hits = {"a": [0, 0], "b": [1, 1, 1, 1, 1], "c": [0, 1, 0], "d": [1, 0, 1, 1]}
    rows = [(s, hit) for s, values in hits.items() for hit in values]
    return pd.DataFrame(rows, columns=["s", "hit"])


INVERSES = {
    "logit": (special.log_expit, lambda eta: special.log_expit(-eta)),
    "probit": (special.log_ndtr, lambda eta: special.log_ndtr(-eta)),
}


def exact_binary(link):
    """Quadrature over the units' sd, the intercept and each unit's effect."""
    log_rate, log_rest = INVERSES[link]
    counts = binary_rows().groupby("s")["hit"].agg(["sum", "count"])
    b = np.linspace(-10, 10, 201)
    z = np.linspace(-7, 7, 141)
    log_z = stats.norm.logpdf(z) + np.log(z[1] - z[0])
    u = np.linspace(-7, 4, 111)
    heights, means, variances = [], [], []
    for sigma in np.exp(u):
        total = stats.norm.logpdf(b, 0.5, 2.0)
        first, second = [], []
        eta = b[:, None] + sigma * z
        for hits, trials in counts.to_numpy():
            log = hits * log_rate(eta) + (trials - hits) * log_rest(eta) + log_z
            height = special.logsumexp(log, axis=1)
            mass = np.exp(log - height[:, None])
            total = total + height
            first.append(mass @ (sigma * z))
            second.append(mass @ (sigma * z) ** 2)
        mass = special.softmax(total)
        first, second = np.array([b, *first]) @ mass, np.array([b**2, *second]) @ mass
        means.append(first)
        variances.append(second - first**2)
        prior = stats.halfnorm.logpdf(sigma, scale=1.5) + np.log(sigma)
        heights.append(special.logsumexp(total) + prior)
    return Exact(u, np.array(heights), np.array(means), np.array(variances))


@pytest.mark.parametrize("method", ["laplace", "pathfinder", "advi"])
@pytest.mark.parametrize("link", INVERSES)
def test_sparse_binary_responses_are_those_of_quadrature(link, method):
    model = ba.Model(
        "hit ~ 1 + Error(s)", binary_rows(), family="bernoulli", link=link, priors=PRIORS
    )
    result, exact = model.fit(method, draws=2000, **FIT), exact_binary(link)
    posterior = result.idata["posterior"]
    agree(result, "Intercept", posterior["Intercept"], exact.mean[0], exact.variance[0])
    for j, label in enumerate("abcd"):
        effect = posterior["1|s"].isel({posterior["1|s"].dims[-1]: j})
        agree(result, f"1|s[{label}]", effect, exact.mean[1 + j], exact.variance[1 + j])
    sigma = posterior["1|s_sigma"].to_numpy().ravel()
    assert stats.kstest(sigma, exact.scale_cdf).statistic < 0.04
    assert result.verdict == "trusted"


def test_the_check_tells_other_posteriors_apart():
    result, exact = gaussian_fit(), exact_binary("logit")
    intercept = result.idata["posterior"]["Intercept"]
    with pytest.raises(AssertionError):
        agree(result, "Intercept", intercept, exact.mean[0], exact.variance[0])
    sigma = result.idata["posterior"]["1|s_sigma"].to_numpy().ravel()
    assert stats.kstest(0.8 * sigma, exact_gaussian().scale_cdf).statistic > 0.04


def test_without_units_and_scales_the_posterior_is_that_of_a_regression():
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"z": rng.normal(size=30)}).assign(y=lambda d: 1 + 2 * d["z"])
    data["y"] += rng.normal(size=30)
    priors = {
        "Intercept": bmb.Prior("Normal", mu=0, sigma=5),
        "z": bmb.Prior("Normal", mu=0, sigma=0.5),
        "sigma": 1.0,
    }
    result = ba.Model("y ~ z", data, priors=priors).fit("laplace", draws=2000, **FIT)
    design = np.column_stack([np.ones(30), data["z"] - data["z"].mean()])
    covariance = np.linalg.inv(design.T @ design + np.diag([1 / 25, 4.0]))
    mean = covariance @ design.T @ data["y"]
    posterior = result.idata["posterior"]
    agree(result, "Intercept", posterior["Intercept"], mean[0], covariance[0, 0])
    agree(result, "z", posterior["z"], mean[1], covariance[1, 1])
    assert result.verdict == "trusted"


# -- Seeds and threads -------------------------------------------------------------------------


@cache
def split_plot():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(product(range(10), ["x", "y"], range(2)), columns=["s", "t", "copy"])
    frame["g"] = np.where(frame["s"] < 5, "A", "B")
    frame["n"] = 6
    effect = rng.normal(size=10)[frame["s"]] + 0.5 * (frame["t"] == "y")
    return frame.assign(k=rng.binomial(6, special.expit(effect)), y=effect + rng.normal(size=40))


def quick(method="laplace", draws=300, chains=2, random_seed=1, **options):
    model = ba.Model("p(k, n) ~ g * t + Error(s/t)", split_plot(), family="binomial")
    options = {"draws": draws, "chains": chains, "random_seed": random_seed, **options}
    return model.fit(method, progressbar=False, **options)


def same_draws(one, other):
    one, other = (result.idata["posterior"].to_dataset() for result in (one, other))
    return all(np.array_equal(one[name], other[name]) for name in one.data_vars)


@pytest.mark.parametrize("method", ["laplace", "pathfinder", "advi"])
def test_the_same_seed_gives_the_same_draws(method):
    assert same_draws(quick(method), quick(method))
    assert not same_draws(quick(method), quick(method, random_seed=2))


@pytest.mark.parametrize("threads", [1, 3, 8])
def test_the_number_of_threads_leaves_no_trace(threads, monkeypatch):
    # Small pieces, so that there is work for several threads.
    monkeypatch.setattr(own_threads, "PIECE", 20_000)
    expected = quick()
    monkeypatch.setattr(own_threads, "MOST_THREADS", threads)
    monkeypatch.setattr(own_threads, "cores", lambda: threads)
    assert same_draws(quick(), expected)


def test_pieces_of_another_size_change_no_answer(monkeypatch):
    whole = quick(draws=1000, chains=4)
    monkeypatch.setattr(own_threads, "PIECE", 15_000)
    pieces = quick(draws=1000, chains=4)
    tables = [
        result.deflections().loc[:, ["mean", "sd", "mcse_mean"]] for result in (whole, pieces)
    ]
    gap = tables[0]["mean"] - tables[1]["mean"]
    error = np.hypot(tables[0]["mcse_mean"], tables[1]["mcse_mean"])
    assert (gap.abs() < 4.5 * error).all()
    np.testing.assert_allclose(tables[0]["sd"], tables[1]["sd"], rtol=0.15)


# -- Chains and draws --------------------------------------------------------------------------


@pytest.mark.parametrize(("chains", "draws"), [(1, 10), (1, 1), (3, 7), (4, 1000), (2, 5000)])
def test_as_many_chains_and_draws_come_as_were_asked_for(chains, draws):
    result = quick(chains=chains, draws=draws)
    assert dict(result.idata["posterior"].sizes)["chain"] == chains
    assert dict(result.idata["posterior"].sizes)["draw"] == draws
    assert result.draws.cells.shape[:2] == (chains, draws)
    assert result.draws.units["s"].shape == (chains, draws, 10)
    for name, values in result.idata["posterior"].data_vars.items():
        assert values.shape[:2] == (chains, draws), name
        assert np.isfinite(values).all(), name
    if chains * draws < 400:
        assert result.verdict == "not trusted"
    else:
        assert result.verdict == "trusted"


def test_parts_are_independent_and_have_the_same_posterior():
    posterior = quick(chains=4, draws=1000).idata["posterior"]
    intercept = posterior["Intercept"].to_numpy()
    spread = intercept.std()
    assert np.ptp(intercept.mean(axis=1)) < 0.3 * spread
    assert np.abs(np.corrcoef(intercept) - np.eye(4)).max() < 0.15
    copies = posterior["1|s:t"].to_numpy()[..., 0]
    assert not set(copies[0]) & set(copies[1])


def test_scales_are_moved_so_that_copies_of_a_draw_differ_in_them():
    posterior = quick(chains=1, draws=4000).idata["posterior"]
    effects, sigma = posterior["1|s"].to_numpy()[0], posterior["1|s_sigma"].to_numpy()[0]
    assert len(np.unique(effects, axis=0)) < len(np.unique(sigma)) > 3900


@pytest.mark.parametrize("option", ["target_accept", "cores", "max_steps"])
@pytest.mark.parametrize("method", ["laplace", "pathfinder", "advi"])
def test_options_of_samplers_are_refused_in_words(method, option):
    with pytest.raises(ArgumentError, match=f"{option}: not an option.*{method}"):
        quick(method, **{option: 0.9})


@pytest.mark.parametrize("count", [{"draws": 0}, {"chains": -1}, {"draws": 2.5}])
def test_counts_that_are_none_are_refused(count):
    with pytest.raises(ArgumentError, match="expected a whole number"):
        quick(**count)


# -- What the user gets ------------------------------------------------------------------------


def test_verdicts_are_words():
    good, poor = gaussian_fit(), gaussian_fit(draws=10, chains=1)
    assert good.verdict.trusted
    assert isinstance(good.verdict, Verdict)
    assert good.verdict == "trusted"
    assert good.verdict.reasons == ()
    assert poor.verdict == "not trusted"
    assert "below 400" in repr(poor.verdict)
    assert not poor.verdict.trusted
    assert f"{good.verdict}, {poor.verdict}" == "trusted, not trusted"
    assert f"{poor.verdict}" == "not trusted"


def test_an_untrusted_fit_warns():
    model = ba.Model("y ~ t + Error(s)", split_plot())
    with pytest.warns(ba.errors.ConvergenceWarning, match="not trusted: effective sample size"):
        model.fit("laplace", draws=20, chains=1, **FIT)


@cache
def field_trial():
    """Blocks of two, three and two plots, with a covariate of the rows."""
    rows = [
        {"block": block, "plot": plot, "variety": variety, "feed": feed}
        for block, plots in {"I": "uv", "J": "vwu", "K": "wu"}.items()
        for plot, variety in enumerate(plots)
        for feed in ("lo", "hi")
        for _ in range(2)
    ]
    frame = pd.DataFrame(rows)
    rng = np.random.default_rng(4)
    return frame.assign(
        dose=rng.uniform(0, 2, len(frame)).round(1),
        y=rng.normal(size=len(frame)),
        count=rng.poisson(3, len(frame)),
    ).rename(columns={"variety": "the variety"})


NAMED = {
    "nested units": ("y ~ `the variety` * feed + Error(block/plot)", "gaussian"),
    "crossed units": ("count ~ feed + (1|block) + (1|`the variety`)", "poisson"),
    "a covariate": ("count ~ np.log1p(dose) + C(plot) + (1|block)", "negativebinomial"),
    "no units": ("y ~ `the variety` + dose", "t"),
    "a slope for each level": ("y ~ feed * dose + (1|block)", "gaussian"),
    "a slope for each unit": ("count ~ dose + (dose|block)", "poisson"),
    "a slope for each nested unit": ("y ~ dose + (1|block) + (dose|block:plot)", "gaussian"),
}


def named(name, parameterization):
    formula, family = NAMED[name]
    return ba.Model(formula, field_trial(), family=family, parameterization=parameterization)


def labels(values):
    return [str(value) for value in values]


@pytest.mark.parametrize("parameterization", ["identified", "overparameterized"])
@pytest.mark.parametrize("name", NAMED)
def test_draws_have_the_names_dimensions_and_labels_of_bambis_model(name, parameterization):
    model = named(name, parameterization)
    ours = model.fit("laplace", draws=20, chains=2, **FIT).idata["posterior"].to_dataset()
    built = model.bambi_model.backend.model
    dims = {
        variable.name: tuple(built.named_vars_to_dims.get(variable.name) or ())
        for variable in [*built.free_RVs, *built.deterministics]
    }
    theirs = {
        variable: own
        for variable, own in dims.items()
        if "__obs__" not in own and not variable.endswith("_offset")
    }
    assert {variable: values.dims[2:] for variable, values in ours.data_vars.items()} == theirs
    for dim in {dim for own in theirs.values() for dim in own}:
        assert labels(ours[dim].to_numpy()) == labels(built.coords[dim])


def linear_predictor(result, model):
    """The rows' linear predictors, shape (chains, draws, rows), from the latent coordinates."""
    posterior, latent = result.idata["posterior"], latent_model(model)
    names = {
        term.name: f"{term.covariate or 1}|{':'.join(term.factors)}"
        for term in model.design.terms
        if term.factors
    }
    names |= {unit.name: f"1|{unit.name}" for unit in model.design.units}
    columns = latent.parent.columns.toarray()
    eta = latent.parent.offset[:, 0]
    for block in (*latent.core.terms, *latent.blocks.terms):
        effects = posterior[names.get(block.key, block.key)].to_numpy()
        if hasattr(block, "index"):
            own = columns[:, latent.core.size + block.index]
        else:
            own = columns[:, block.start : block.stop]
            if block.basis is not None:
                own = own @ block.basis.T
        eta = eta + effects.reshape(*effects.shape[:2], -1) @ own.T
    return eta


@pytest.mark.parametrize("name", NAMED)
def test_bambi_predicts_from_the_draws(name):
    model = named(name, "identified")
    result = model.fit("laplace", draws=10, chains=2, **FIT)
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        found = model.bambi_model.predict(result.idata, kind="response_params", inplace=False)
    mean = found["posterior"][model.bambi_model.family.likelihood.parent]
    expected = model.link.inverse(linear_predictor(result, model))
    np.testing.assert_allclose(mean.transpose("chain", "draw", ...), expected, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nested units", "a slope for each unit"])
def test_draws_come_as_bambis_own_do(name):
    model = named(name, "identified")
    ours = model.fit("laplace", draws=20, chains=2, **FIT).idata["posterior"].to_dataset()
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        theirs = model.fit("pymc", draws=5, tune=5, chains=2, cores=1, **FIT).idata
    theirs = theirs["posterior"].to_dataset()
    assert set(ours.data_vars) == set(theirs.data_vars)
    assert set(ours.coords) == set(theirs.coords)
    for variable in theirs.data_vars:
        assert ours[variable].dims == theirs[variable].dims
        assert ours[variable].dtype == theirs[variable].dtype
    for coord in set(theirs.coords) - {"chain", "draw"}:
        assert labels(ours[coord].to_numpy()) == labels(theirs[coord].to_numpy())


def test_draws_add_up_to_the_cells():
    """Cells, deflections and units of a fit come from the same draws as its DataTree."""
    result = quick()
    posterior = result.idata["posterior"]
    cells = posterior["Intercept"].to_numpy()[..., None, None] + np.zeros((1, 1, 2, 2))
    cells = cells + posterior["1|g"].to_numpy()[..., :, None]
    cells = cells + posterior["1|t"].to_numpy()[..., None, :]
    cells = cells + posterior["1|g:t"].to_numpy().reshape(*cells.shape)
    np.testing.assert_allclose(result.draws.cells.reshape(cells.shape), cells, atol=1e-10)
    np.testing.assert_array_equal(result.draws.units["s:t"], posterior["1|s:t"])
    np.testing.assert_array_equal(result.draws.sigmas["s"], posterior["1|s_sigma"])
    np.testing.assert_allclose(posterior["1|g"].sum("g__factor_dim"), 0, atol=1e-10)


LEAN = """
import sys
import warnings
import numpy as np
import pandas as pd
import bambi_anova as ba

warnings.simplefilter("ignore")
rng = np.random.default_rng(1)
data = pd.DataFrame({"s": np.repeat(range(6), 4), "t": ["x", "y"] * 12, "y": rng.normal(size=24)})
result = ba.Model("y ~ t + Error(s)", data).fit(METHOD, draws=50, chains=1, progressbar=False)
result.deflections(), result.contrasts("t"), result.anova(), result.verdict
heavy = ["bambi", "pymc", "pytensor", "nutpie", "jax"]
print([name for name in heavy if name in sys.modules])
"""


@pytest.mark.parametrize("method", ["laplace", "pathfinder", "advi"])
def test_nothing_is_imported_that_a_quick_fit_does_not_need(method):
    code = LEAN.replace("METHOD", repr(method))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"


# -- Units far apart ---------------------------------------------------------------------------


@cache
def spread_out(family):
    """Units that differ by factors of seven or so."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(product(range(10), ["x", "y"], range(3)), columns=["s", "t", "copy"])
    rate = np.exp(rng.normal(0, 2, 10))[frame["s"]]
    if family == "gamma":
        return frame.assign(y=rate * rng.gamma(2, 0.5, len(frame)))
    exposure = rng.choice([0.01, 1.0, 1000.0], len(frame))
    return frame.assign(y=rng.poisson(exposure * rate), exposure=exposure)


@pytest.mark.parametrize(
    ("family", "formula"),
    [
        ("gamma", "y ~ t + Error(s)"),
        ("poisson", "y ~ t + Error(s) + offset(np.log(exposure))"),
    ],
)
def test_units_that_differ_by_orders_of_magnitude_are_answered(family, formula):
    model = ba.Model(formula, spread_out(family), family=family)
    result = model.fit("laplace", **FIT)
    means = result.means()
    assert np.isfinite(means["mean"]).all()
    units = result.draws.units["s"].mean(axis=(0, 1))
    totals = spread_out(family).groupby("s")["y"].mean()
    if family == "gamma":
        assert np.corrcoef(units, np.log(totals))[0, 1] > 0.99


def far_apart(family):
    """Twelve units whose means span six orders of magnitude."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(product(range(12), ["x", "y"], range(4)), columns=["s", "t", "copy"])
    mean = (10.0 ** rng.uniform(-1, 5, 12))[frame["s"]] * np.exp(0.2 * (frame["t"] == "y"))
    draw = {
        "gamma": lambda: rng.gamma(3, mean / 3),
        "poisson": lambda: rng.poisson(mean),
        "negativebinomial": lambda: rng.negative_binomial(3, 3 / (3 + mean)),
    }
    return frame.assign(y=draw[family]())


@pytest.mark.parametrize("family", ["gamma", "poisson", "negativebinomial"])
def test_modes_are_found_where_units_are_far_apart(family):
    """From anywhere in the prior Newton's method ends where the gradient vanishes."""
    model = ba.Model("y ~ t + Error(s/t)", far_apart(family), family=family)
    latent = latent_model(model)
    u = target.Target(latent).prior_draws(np.random.default_rng(2), 100)
    finder = mode.ModeFinder(latent)
    modes = finder(u)
    auxiliary = latent.likelihood_parameters(latent.values(u))
    slope = latent.likelihood.derivatives(modes.eta, auxiliary).slope
    scales = np.vstack([modes.core_sd, np.tile(modes.factor.sd, (latent.blocks.count, 1))])
    v = np.vstack([modes.core, modes.units.reshape(-1, u.shape[1])])
    gradient = scales * (latent.parent.columns.T @ slope) - v
    step = finder._solve(modes.arrow, gradient)
    assert np.sqrt((gradient * step).sum(axis=0)).max() < 1e-3

"""What every family promises, tried on all of the registry under all of their links.

The Bambi model is the definition: its log density of each row is the likelihood and what that
leaves out.  All else must agree with the likelihood: its derivatives, its compiled rows, its
sufficient rows, the replicates and the mean.

Letters: N rows, M sufficient rows, G columns, K draws.
"""

import warnings
from dataclasses import replace
from functools import cache

import numpy as np
import pytensor
import pytest
from scipy import stats

import bambi_anova as ba
from bambi_anova.design.priors import make_priors
from bambi_anova.errors import DataError
from bambi_anova.families.links import LINKS, average_over_normal
from bambi_anova.families.registry import FAMILIES, compiled_rows, get_family
from bambi_anova.families.sufficient import unmerged
from bambi_anova.families.values import ResponseValues
from bambi_anova.priors.distributions import distribution
from tests.generated import (
    FAMILY_LINKS,
    RATINGS,
    TRIALS,
    auxiliary_of,
    family_of,
    generated,
    has_trials,
    left_hand_side,
    middle_of,
)

EACH = pytest.mark.parametrize("name", FAMILIES)
#: Those of several predictors have tests of their own (test_categorical).
EACH_OF_ONE = pytest.mark.parametrize("name", dict.fromkeys(name for name, _ in FAMILY_LINKS))
EACH_LINK = pytest.mark.parametrize(("name", "link"), FAMILY_LINKS)
pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

#: Families whose log density has a kink at each row: it has no second derivative.
KINKED = ("laplace",)
#: Several standard errors: random numbers are the same in every run.
SURE = 4.5


def model_of(name, link, data=None, **options):
    family = get_family(name)
    offset = " + offset(log(area))" if family.response.counts else ""
    formula = f"{left_hand_side(family)} ~ group * task + dose{offset} + Error(s)"
    data = generated(name, link) if data is None else data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ba.errors.AnovaWarning)
        return ba.Model(formula, data, family=name, link=link, **options)


def single_rows(name, link):
    """The likelihood of the rows of the data one by one, and the rows."""
    family, rows = family_of(name, link), model_of(name, link, collapse=False).collapsed
    return family.likelihood((family.link(link),), rows), rows


def trials_of(rows):
    return np.ones(len(rows.values)) if rows.trials is None else rows.trials


def random_point(family, rows, rng, columns=1):
    """Linear predictors (M, G) about where the rows are, and further parameters (G,)."""
    eta = rng.normal(0.2, 0.8, (len(rows.values), columns)) + rows.offsets[:, None]
    eta += middle_of(family)
    aux = auxiliary_of(family, columns, rng)
    return eta, {key: np.asarray(value) for key, value in aux.items()}


# -- What it says of itself --------------------------------------------------------------------


@EACH
def test_it_has_words_and_names_that_lead_somewhere(name):
    family = get_family(name)
    assert family.name == name
    assert family.parent.word
    assert family.scale.word
    assert not family.overdispersed or not get_family(family.overdispersed).chance_alone
    for one in family.auxiliary:
        if one.derived:
            assert set(family.with_derived({one.name: np.ones(1)})) == {one.name, one.derived.name}


# -- The likelihood ----------------------------------------------------------------------------


@EACH_LINK
def test_rows_have_the_log_density_that_the_bambi_model_gives_them(name, link):
    """The definition of the likelihood, constants and all."""
    family, model = family_of(name, link), model_of(name, link, collapse=False)
    built = model.bambi_model
    backend, parent = built.backend.model, built.family.likelihood.parent
    (observed,) = backend.observed_RVs
    names = [one.name for one in family.auxiliary if one.name not in family.thresholds]
    names += ["threshold"] if family.thresholds else []
    parameters = [backend[parent], *(backend[own] for own in names)]
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        wanted = [backend.logp(observed, sum=False), backend.replace_rvs_by_values(parameters)]
        evaluate = pytensor.function(
            backend.value_vars, [wanted[0][0], *wanted[1]], on_unused_input="ignore"
        )
    likelihood = family.likelihood((family.link(link),), model.collapsed)
    constants = family.constants(model.collapsed.values, trials_of(model.collapsed))
    start, rng = backend.initial_point(), np.random.default_rng(3)
    for _ in range(3):
        point = {
            key: value + 0.2 * rng.normal(size=np.shape(value)) for key, value in start.items()
        }
        log, mean, *values = evaluate(*(point[v.name] for v in backend.value_vars))
        found = dict(zip(names, values, strict=True))
        thresholds = found.pop("threshold", [])
        aux = {key: np.reshape(value, 1) for key, value in found.items()}
        for key, value in zip(family.thresholds, thresholds, strict=True):
            aux[key] = np.reshape(value, 1)
        eta = family.link(link).forward(mean)[:, None]
        if not family.intercept:  # Bambi's parameter is P(y <= k), for every k
            eta = thresholds[0] - LINKS[link].forward(mean[:, :1])
        ours = likelihood.log(eta, aux)[:, 0] + constants
        np.testing.assert_allclose(ours, log, rtol=2e-6, atol=2e-6)


@EACH_LINK
def test_sufficient_rows_have_the_likelihood_of_their_rows(name, link):
    family, model = family_of(name, link), model_of(name, link)
    chosen, merged = family.link(link), model.collapsed
    assert merged.merged
    single = model_of(name, link, collapse=False).collapsed
    rng = np.random.default_rng(4)
    eta = rng.normal(0.2, 0.8, (len(merged.first), 5))
    aux = {key: np.asarray(value) for key, value in auxiliary_of(family, 5, rng).items()}
    likelihood = family.likelihood((chosen,), merged)
    of_merged = likelihood.log(eta + merged.offsets[:, None], aux)
    of_rows = family.likelihood((chosen,), single).log(
        eta[merged.codes] + single.offsets[:, None], aux
    )
    constant = family.collapse.constant(ResponseValues("y", single.values), single.offset, merged)
    summed = np.stack([np.bincount(merged.codes, column) for column in of_rows.T], axis=1)
    expected, found = summed, of_merged + constant[:, None]
    if not family.collapse.weighted:  # what merging changes beside holds no parameter
        expected, found = (value - value[:, :1] for value in (expected, found))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-8)


@EACH_LINK
def test_the_gradient_is_that_of_the_log_likelihood(name, link):
    likelihood, rows = single_rows(name, link)
    family = family_of(name, link)
    eta, aux = random_point(family, rows, np.random.default_rng(5), columns=8)
    h = 1e-3

    def difference(step):
        return (likelihood.log(eta + step, aux) - likelihood.log(eta - step, aux)) / (2 * step)

    found = likelihood.derivatives(eta, aux)
    expected = (4 * difference(h / 2) - difference(h)) / 3
    if name in KINKED:
        expected = np.where(np.abs(likelihood.data.y - eta) > h, expected, found.gradient[0])
    np.testing.assert_allclose(found.gradient[0], expected, rtol=1e-6, atol=1e-7)
    assert found.gradient.shape == (len(family.predicted), *eta.shape)
    assert found.information.shape == (len(family.predicted),) * 2 + eta.shape


@EACH_LINK
def test_nothing_overflows_far_from_the_data(name, link):
    likelihood, rows = single_rows(name, link)
    far = np.concatenate([-np.geomspace(300, 1e-3, 60), [0.0], np.geomspace(1e-3, 300, 60)])
    eta = np.tile(far, (len(rows.values), 1))
    aux = {k: np.full(len(far), v) for k, v in auxiliary_of(family_of(name, link)).items()}
    with np.errstate(under="ignore"):
        found = likelihood.derivatives(eta, aux)
        values = likelihood.log(eta, aux), found.gradient, found.information
    assert all(np.isfinite(value).all() for value in values)
    assert (found.curvature >= 0).all()


@EACH_LINK
def test_newton_climbs_from_each_rows_own_predictor_to_its_best_one(name, link):
    likelihood, _ = single_rows(name, link)
    start = eta = likelihood.own_predictor()
    aux = {k: np.full(1, v) for k, v in auxiliary_of(family_of(name, link)).items()}
    for _ in range(25):
        found, here = likelihood.derivatives(eta, aux), likelihood.log(eta, aux)
        step = found.slope / found.curvature
        for _ in range(8):
            step = np.where(likelihood.log(eta + step, aux) < here, step / 2, step)
        eta = eta + step
    around = likelihood.log(start + np.linspace(-6, 6, 121), aux).max(axis=1)
    assert (likelihood.log(eta, aux)[:, 0] > around - 0.05).all()


# -- Compiled rows -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compiled():
    """From arguments of the kernel's rows to sums over the rows, as the kernel takes them."""
    import numba

    from bambi_anova.engine.nuts.rows import once, row

    @numba.njit(error_model="numpy")
    def evaluate(kind, eta, columns, first, second, entries, ends):
        size = len(eta)
        slopes = np.empty(size)
        total, by_first, by_second = once(kind, first, second, entries, ends, size)
        for m in range(size):
            y, trials, n, within = columns[0, m], columns[1, m], columns[2, m], columns[3, m]
            log, slopes[m], one, other = row(
                kind, eta[m], y, trials, n, within, first, second, entries, ends, m, size
            )
            total += log
            by_first += one
            by_second += other
        return total, slopes, by_first, by_second

    return evaluate


@EACH_LINK
def test_compiled_rows_are_the_likelihood_s(name, link, compiled):
    family, model = family_of(name, link), model_of(name, link)
    chosen, rows = family.link(link), model.collapsed
    sets = None if rows.alike is None else np.unique(rows.alike, return_inverse=True)[1]
    likelihood = family.likelihood((chosen,), rows, sets)
    if likelihood.compiled is None:
        pytest.skip("NUTS goes through Bambi")
    kind = compiled_rows().index(likelihood.compiled)
    columns = np.stack([column[:, 0] for column in likelihood.data.columns])
    entries, ends = likelihood.data.entries
    names, rng = [one.name for one in family.auxiliary], np.random.default_rng(7)

    def total(eta, aux):
        return likelihood.log(eta, {key: np.full(1, aux[key]) for key in names}).sum()

    gaps = []
    for _ in range(4):
        eta = rng.normal(0.2, 1.0, (columns.shape[1], 1))
        aux = {key: float(value[0]) for key, value in auxiliary_of(family, 1, rng).items()}
        further = [*aux.values(), 0.0, 0.0][:2]
        value, slopes, *by = compiled(
            kind, eta[:, 0], columns, *further, entries, ends.astype(np.uint64)
        )
        gaps.append(value - total(eta, aux))
        found = likelihood.derivatives(eta, {key: np.full(1, aux[key]) for key in names})
        np.testing.assert_allclose(slopes, found.slope[:, 0], rtol=1e-9, atol=1e-9)
        for key, slope in zip(names, by, strict=False):
            h = 1e-5 * aux[key]
            sides = [total(eta, {**aux, key: aux[key] + step}) for step in (h, -h)]
            assert slope == pytest.approx((sides[0] - sides[1]) / (2 * h), rel=1e-5, abs=1e-5)
    np.testing.assert_allclose(gaps, gaps[0], atol=1e-8 * max(1, abs(value)))


# -- Replicates and means ----------------------------------------------------------------------

DRAWS = 40_000


def at(family):
    """The linear predictor of the row that values are drawn for."""
    return 0.4 + middle_of(family)


@cache
def replicated(name, link):
    """Values drawn for one row, and the family's parameters there."""
    family = family_of(name, link)
    trials = np.full(1, float(TRIALS)) if has_trials(family) else None
    rows = unmerged(ResponseValues("y", np.zeros(1), trials), None)
    aux = {key: np.full((DRAWS, 1), value) for key, value in auxiliary_of(family).items()}
    parameters = family.at((family.link(link),), (np.full((DRAWS, 1), at(family)),), aux)
    drawn = family.replicate(parameters, rows, np.random.default_rng(8))
    assert drawn.shape == (DRAWS, 1)
    return drawn[:, 0], {key: value[:1, 0] for key, value in parameters.items()}


def of_values(name, link, y):
    """The likelihood of values that were drawn for one row, and the arguments that it takes."""
    family = family_of(name, link)
    trials = np.full(len(y), float(TRIALS)) if has_trials(family) else None
    rows = unmerged(ResponseValues("y", y, trials), None)
    aux = {key: np.full(1, value) for key, value in auxiliary_of(family).items()}
    return family.likelihood((family.link(link),), rows), np.full((len(y), 1), at(family)), aux


def density_at(name, link, y):
    """The log density of some values of one row, constants and all."""
    likelihood, eta, aux = of_values(name, link, y)
    trials = likelihood.data.trials[:, 0]
    return likelihood.log(eta, aux)[:, 0] + family_of(name, link).constants(y, trials)


@EACH_LINK
def test_the_information_is_about_minus_the_mean_second_derivative(name, link):
    """Over values that were drawn; it may be the observed or the expected one, or bound it."""
    likelihood, eta, aux = of_values(name, link, replicated(name, link)[0][:4000])
    up, down = (likelihood.derivatives(eta + h, aux).slope.mean() for h in (1e-4, -1e-4))
    found = likelihood.derivatives(eta, aux)
    bend = (found.slope**2).mean() if name in KINKED else (down - up) / 2e-4
    assert 0.9 < found.curvature.mean() / bend < 1.6


@EACH_LINK
def test_the_score_of_replicates_is_zero_on_average(name, link):
    likelihood, eta, aux = of_values(name, link, replicated(name, link)[0])
    scores = [likelihood.derivatives(eta, aux).slope]
    for key, value in aux.items():
        h = 1e-4 * np.where(value == 0, 1.0, value)
        up, down = (likelihood.log(eta, {**aux, key: value + step}) for step in (h, -h))
        scores.append((up - down) / (2 * h))
    for score in scores:
        assert abs(score.mean()) < SURE * score.std() / np.sqrt(DRAWS)


@EACH_LINK
def test_replicates_follow_the_likelihood(name, link):
    family, (drawn, _) = family_of(name, link), replicated(name, link)
    if has_trials(family) or family.response.counts or family.response.ordered:
        values = RATINGS if family.response.ordered else np.arange(drawn.max() + 1)
        expected = np.exp(density_at(name, link, values))
        found = np.bincount(drawn.astype(int))[int(values[0]) :] / DRAWS
        se = np.sqrt(expected * (1 - expected) / DRAWS)
        assert expected.sum() == pytest.approx(1, abs=1e-3)
        assert (np.abs(found - expected) < SURE * se + 1e-4).all()
        return
    # Between two quantiles, beyond which the density may have poles and long tails.
    atoms = np.isin(drawn, (0, 1))
    drawn = drawn[~atoms]
    low, high = np.quantile(drawn, [0.01, 0.99])
    y = np.linspace(low, high, 20_001)
    below = np.cumsum(np.exp(density_at(name, link, y)))
    assert below[-1] * (y[1] - y[0]) == pytest.approx(0.98 * (1 - atoms.mean()), abs=0.01)
    inside = drawn[(drawn > low) & (drawn < high)]
    assert stats.kstest(np.interp(inside, y, below / below[-1]), "uniform").pvalue > 1e-4


@EACH_LINK
def test_tails_are_sums_of_the_density(name, link):
    """Of counts in every case; else between two values, as a density may have poles."""
    family = family_of(name, link)
    drawn, parameters = replicated(name, link)
    with_trials = has_trials(family)

    def tails(y):
        trials = np.full(len(y), float(TRIALS)) if with_trials else None
        one = {key: value[:, None] for key, value in parameters.items()}
        below, above = family.tails(one, unmerged(ResponseValues("y", y, trials), None))
        return below[0], above[0]

    if with_trials or family.response.counts or family.response.ordered:
        y = np.arange((TRIALS if with_trials else drawn.max()) + 1)
        y = RATINGS if family.response.ordered else y
        density = np.exp(density_at(name, link, y))
        below, above = tails(y)
        np.testing.assert_allclose(below, np.cumsum(density) - density, atol=1e-10)
        np.testing.assert_allclose(below + density + above, 1, atol=1e-10)
        return
    atoms = np.isin(drawn, (0, 1))
    y = np.linspace(*np.quantile(drawn[~atoms], [0.05, 0.95]), 20_001)
    below, above = tails(y)
    density = np.exp(density_at(name, link, y))
    area = ((density[1:] + density[:-1]) / 2 * np.diff(y)).sum()
    assert below[-1] - below[0] == pytest.approx(area, rel=1e-6)
    np.testing.assert_allclose(below + above, 1, atol=1e-12)
    start = (drawn == 0).mean() + 0.05 * (1 - atoms.mean())
    assert below[0] == pytest.approx(start, abs=0.01 if atoms.any() else 0.005)


@EACH_LINK
def test_tails_are_those_of_merged_replicates(name, link):
    family, count = family_of(name, link), 5
    trials = np.full(count, float(TRIALS)) if has_trials(family) else None
    values = np.full(count, 1.0 if family.response.ordered else 0.5)
    rows = family.collapse([np.zeros(count)], ResponseValues("y", values, trials), None)
    aux = {key: np.full((4000, 1), value) for key, value in auxiliary_of(family).items()}
    eta = np.full((4000, 1), at(family)) + rows.offsets
    parameters = family.at((family.link(link),), (eta,), aux)
    drawn = family.replicate(parameters, rows, np.random.default_rng(10))
    for value in np.quantile(drawn, [0.2, 0.7], method="nearest"):
        below, above = family.tails(parameters, replace(rows, values=np.full(1, value)))
        for chance, share in ((below, drawn < value), (above, drawn > value)):
            assert abs(share.mean() - chance[0, 0]) < SURE * np.sqrt(0.25 / 4000)


@EACH_LINK
def test_the_mean_is_that_of_the_replicates(name, link):
    family = family_of(name, link)
    drawn, parameters = replicated(name, link)
    drawn = drawn / TRIALS if has_trials(family) else drawn
    mean = (family.scale.mean or family.scale.value)(parameters)
    assert abs(drawn.mean() - mean[0]) < SURE * drawn.std() / np.sqrt(DRAWS)


@EACH_LINK
def test_merged_rows_are_replicated_as_the_sum_or_mean_of_their_rows(name, link):
    family = family_of(name, link)
    if not family.collapse.averages:
        pytest.skip("its rows are replicated one by one")
    chosen, count = family.link(link), 8
    eta = np.full((DRAWS // 4, count), 0.4)
    trials = np.full(count, float(TRIALS)) if has_trials(family) else None
    aux = {key: np.full((len(eta), 1), value) for key, value in auxiliary_of(family).items()}
    single = unmerged(ResponseValues("y", np.full(count, 2.0), trials), None)
    merged = family.collapse([np.zeros(count)], ResponseValues("y", single.values, trials), None)
    rng = np.random.default_rng(9)
    one = family.replicate(family.at((chosen,), (eta,), aux), single, rng)
    eta = eta[:, :1] + merged.offsets
    all_ = family.replicate(family.at((chosen,), (eta,), aux), merged, rng)[:, 0]
    one = one.sum(axis=1) if has_trials(family) or family.response.counts else one.mean(axis=1)
    se = one.std() * np.sqrt(2 / len(one))
    assert abs(one.mean() - all_.mean()) < SURE * se
    assert all_.std() == pytest.approx(one.std(), rel=0.05)


@EACH_LINK
@pytest.mark.parametrize("sd", [0.0, 0.7, 2.0])
def test_averages_over_units_are_those_of_the_mean(name, link, sd):
    family, mean = family_of(name, link), np.linspace(-1.5, 1.5, 4)
    chosen = family.link(link)
    aux = {key: np.full(4, value) for key, value in auxiliary_of(family).items()}
    found = family.average_mean(chosen, mean, np.full(4, sd), aux)
    brute = average_over_normal(
        lambda eta: family.response_mean((chosen,), (eta,), aux), mean, np.full(4, sd)
    )
    np.testing.assert_allclose(found, brute, rtol=1e-4)


# -- Priors ------------------------------------------------------------------------------------


def draws_of(model):
    tree = model.prior_predictive(draws=300, random_seed=1)["prior_predictive"]
    return tree[next(iter(tree.data_vars))].to_numpy()


@EACH_OF_ONE
def test_default_priors_hold_what_drew_the_data(name):
    family, model = get_family(name), model_of(name, None)
    prior = make_priors(model.design, family)
    assert list(prior.auxiliary) == [one.name for one in family.auxiliary]
    assert (prior.intercept is not None) == family.intercept
    common = [prior.intercept] if family.intercept else []
    for own in [*common, *prior.sigmas.values(), *prior.auxiliary.values()]:
        assert all(np.isfinite(value) for value in own.args.values())
    for key, value in auxiliary_of(family).items():
        known = distribution(prior.auxiliary[key])
        assert np.isfinite(known.log_density(value))
    assert np.isfinite(draws_of(model)).mean() > 0.95


@EACH_OF_ONE
def test_in_other_units_of_the_response_the_priors_say_the_same(name):
    data, factor = generated(name, None), 1000.0
    family = get_family(name)
    if has_trials(family) or family.response.counts:
        pytest.skip("such a response has no units")
    scaled = data.assign(y=data["y"] * factor)
    try:
        family.read("y", scaled["y"], None, None)
    except DataError:
        pytest.skip("such a response has no units")
    one, other = (draws_of(model_of(name, None, frame)) for frame in (data, scaled))
    with np.errstate(over="ignore", invalid="ignore"):
        np.testing.assert_allclose(other, factor * one, rtol=1e-6, atol=1e-300)


# -- Fits --------------------------------------------------------------------------------------


@pytest.mark.slow
@EACH_LINK
def test_what_quick_fits_and_nuts_both_trust_is_the_same(name, link):
    model = model_of(name, link, generated(name, link, seed=1, units=16))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ba.errors.ConvergenceWarning)
        quick = model.fit("laplace", draws=4000, random_seed=1, progressbar=False)
        full = model.fit("nuts", draws=2000, tune=1000, random_seed=1, progressbar=False)
    keys = ["quantity", "population"]
    one, other = (fit.trust().set_index(keys) for fit in (quick, full))
    other = other.loc[one.index]  # Bambi has an order of its own
    both = one["trusted"] & other["trusted"]
    if not both.any():
        pytest.skip("the quick fit does not claim to be exact")
    one, other = one[both], other[both]
    assert (np.abs(one["mean"] - other["mean"]) < 0.2 * other["sd"]).all()
    np.testing.assert_allclose(one["sd"], other["sd"], rtol=0.25)

"""Informative numbers of trials and overdispersion: exact moments, known answers, words."""

import itertools
import warnings
from math import comb, factorial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bambi_anova as ba
from bambi_anova.data.rows import read_rows
from bambi_anova.design.build import build_design
from bambi_anova.design.priors import make_priors
from bambi_anova.errors import ArgumentError, InformativeTrialsWarning, NotApplicableError
from bambi_anova.families.registry import get_family
from bambi_anova.formula.parse import parse_formula
from bambi_anova.screening.answers import NotChecked
from bambi_anova.screening.clusters import Clusters, find_clusters, number, variance_of_sum
from bambi_anova.screening.dependence import (
    FARTHEST,
    Counts,
    estimate_dependence,
    p_value,
    score_at,
)
from bambi_anova.screening.overdispersion import (
    Repeats,
    chance_variance,
    correlated_squares,
    estimate_dispersion,
    expected_squares,
)
from bambi_anova.screening.rows import comparable_rows
from bambi_anova.screening.screen import check_dispersion, check_trials, warn_of_trials
from bambi_anova.specification import of_design

MEMORY = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
SPLIT = "p(k, n) ~ group * kind + Error(unit/kind)"


def read(text, data, family="binomial"):
    """From a formula and data to what the checks take."""
    known, parsed = get_family(family), parse_formula(text)
    design = build_design(parsed, read_rows(parsed, data, known), known)
    return of_design(design, known, known.link(None), make_priors(design, known))


def simulate(seed=0, units=20, repeats=12, trials=(5, 10), slope=0.0, rho=0.0, gap=0, by_unit=0.0):
    """A split plot whose rate may depend on n, within and between units."""
    rng = np.random.default_rng(seed)
    rows = itertools.product(range(units), [0, 1], range(repeats))
    unit, kind, _ = np.array(list(rows)).T
    added = rng.integers(0, 5, units)[unit] if by_unit else 0
    n = rng.integers(trials[0], trials[1] + 1, len(unit)) + gap * kind + added
    effect = rng.normal(0, 0.5, units)[unit]
    rate = 1 / (1 + np.exp(1 + 0.2 * kind - effect - slope * (n - 8) - by_unit * added))
    if rho:
        rate = rng.beta(rate * (1 / rho - 1), (1 - rate) * (1 / rho - 1))
    return pd.DataFrame(
        {
            "unit": [f"u{i:02d}" for i in unit],
            "group": np.where(unit % 2, "A", "B"),
            "kind": np.array(["x", "y"])[kind],
            "n": n,
            "k": rng.binomial(n, rate),
            "z": rng.normal(size=len(unit)) + n,
        }
    )


def tables(trials, total):
    """Every way to share successes among rows, and its hypergeometric probability."""
    for found in itertools.product(*(range(min(n, total) + 1) for n in trials)):
        if sum(found) == total:
            ways = np.prod([comb(n, k) for n, k in zip(trials, found, strict=True)])
            yield np.array(found, dtype=float), ways / comb(sum(trials), total)


def one_stratum(successes, trials, x, offset=None):
    size = len(trials)
    offset = np.zeros(size) if offset is None else np.asarray(offset, dtype=float)
    rows = [Clusters(1, np.arange(size), size)]
    trials, x = np.asarray(trials, dtype=float), np.asarray(x, dtype=float)
    return Counts(
        successes, trials, x, offset, strata=np.zeros(size, dtype=int), size=1, clusters=rows
    )


def repeats_of(counts, trials=None, offset=None, covariates=None):
    size = len(counts)
    return Repeats(
        np.asarray(counts, dtype=float),
        None if trials is None else np.asarray(trials, dtype=float),
        np.zeros(size) if offset is None else np.asarray(offset, dtype=float),
        np.zeros((size, 0)) if covariates is None else covariates,
        strata=np.zeros(size, dtype=int),
        size=1,
        clusters=[Clusters(1, np.arange(size), size)],
    )


# -- The score of the number of trials ---------------------------------------------------------

TRIALS = st.lists(st.integers(1, 4), min_size=2, max_size=4)


@given(TRIALS, st.data())
def test_the_score_has_its_hypergeometric_mean_and_variance(trials, data):
    total = data.draw(st.integers(1, max(1, sum(trials) - 1)))
    x = data.draw(st.lists(st.integers(-3, 3), min_size=len(trials), max_size=len(trials)))
    chances, scores, informations = [], [], []
    for successes, chance in tables(trials, total):
        score = score_at(one_stratum(successes, trials, x), 0.0)
        chances.append(chance)
        scores.append(score.value)
        informations.append(score.information)
    assert np.dot(chances, scores) == pytest.approx(0, abs=1e-9)
    variance = np.dot(chances, np.square(scores))
    assert np.dot(chances, informations) == pytest.approx(variance, abs=1e-9)


def test_the_score_is_that_of_conditional_logistic_regression():
    from statsmodels.discrete.conditional_models import ConditionalLogit

    data = simulate(2, units=3, repeats=3, trials=(3, 5))
    strata = number([pd.factorize(data["unit"])[0], pd.factorize(data["kind"])[0]])[0]
    ways = [Clusters(1, strata, strata.max() + 1)]
    assert data.groupby(strata)["k"].sum().gt(0).all()
    counts = Counts(
        data["k"].to_numpy(float),
        data["n"].to_numpy(float),
        data["n"].to_numpy(float),
        np.zeros(len(data)),
        strata=strata,
        size=strata.max() + 1,
        clusters=ways,
    )
    rows = zip(strata, data["n"], data["k"], strict=True)
    single = [(s, n, j < k) for s, n, k in rows for j in range(n)]
    group, x, y = (np.array(values, dtype=float) for values in zip(*single, strict=True))
    peer = ConditionalLogit(y, x[:, None], groups=group)
    assert score_at(counts, 0.0).value == pytest.approx(peer.score(np.zeros(1))[0])
    fit = peer.fit(disp=0)
    ours = estimate_dependence(counts)
    # Another estimating function of the same parameter: close for one standard error's sake.
    assert ours.estimate == pytest.approx(fit.params[0], abs=0.25 * fit.bse[0])


@pytest.mark.parametrize("rho", [0.0, 0.4])
def test_the_estimating_function_has_mean_zero_at_the_true_effect(rho):
    """Exactly, by enumeration: two rows, any base rate, with and without extra variance."""
    trials, x, offset, beta = [2, 3], np.array([0.5, 2.0]), [0.3, -0.4], 0.7
    rate = 1 / (1 + np.exp(-(-0.8 + beta * x + offset)))

    def chances(n, p):
        if not rho:
            return [comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
        a, b = p * (1 / rho - 1), (1 - p) * (1 / rho - 1)
        from scipy import stats

        return stats.betabinom.pmf(range(n + 1), n, a, b)

    mean, size = 0.0, 0.0
    for pairs in itertools.product(
        *(enumerate(chances(n, p)) for n, p in zip(trials, rate, strict=True))
    ):
        found = np.array([k for k, _ in pairs], dtype=float)
        score = score_at(one_stratum(found, trials, x, offset), beta)
        chance = np.prod([chance for _, chance in pairs])
        mean, size = mean + score.value * chance, size + abs(score.value) * chance
    assert mean == pytest.approx(0, abs=1e-12)
    assert size > 0.1


def test_the_information_is_the_falling_slope_of_the_score():
    rng = np.random.default_rng(0)
    counts = one_stratum(rng.integers(0, 5, 8).astype(float), [6] * 8, rng.normal(size=8))
    slope = (score_at(counts, 0.4 + 1e-5).value - score_at(counts, 0.4 - 1e-5).value) / 2e-5
    assert score_at(counts, 0.4).information == pytest.approx(-slope, rel=1e-6)


def test_the_variance_adds_up_rows_within_units():
    """Rows that are copies of each other are no further evidence."""
    data = simulate(1, units=12, repeats=6)
    # So many copies that chance within units has no say any more.
    some, many = (comparable(pd.concat([data] * copies, ignore_index=True)) for copies in (10, 40))
    assert p_value(many) == pytest.approx(p_value(some), rel=1e-6)
    assert p_value(some) < p_value(comparable(data))


def comparable(frame, text=SPLIT):
    design = read(text, frame).design
    found = comparable_rows(design, design.formula.response.trials)
    assert not isinstance(found, str)
    return found.counts


def test_the_bounds_are_where_the_test_just_rejects():
    from scipy import special

    counts = comparable(simulate(2, slope=0.1))
    found = estimate_dependence(counts, ci_prob=0.9)
    critical = special.stdtrit(found.df, 0.95)
    assert score_at(counts, found.estimate).t == pytest.approx(0, abs=1e-4)
    assert score_at(counts, found.low).t == pytest.approx(critical, abs=1e-3)
    assert score_at(counts, found.high).t == pytest.approx(-critical, abs=1e-3)
    assert found.df == 19


def test_separated_rows_have_an_infinite_estimate_and_a_finite_lower_bound():
    units = 12
    x = np.tile([-0.5, 0.5], units)
    trials = np.full(2 * units, 6.0)
    strata = np.repeat(np.arange(units), 2)
    successes = np.where(x > 0, 1.0 + strata % 3, 0.0)
    ways = [Clusters(1, strata, units)]
    found = estimate_dependence(
        Counts(successes, trials, x, np.zeros(2 * units), strata=strata, size=units, clusters=ways)
    )
    assert found.estimate == found.high == np.inf
    assert 0 < found.low < np.inf


CLONES = 12


def test_units_that_are_all_alike_are_no_surer_than_binomial_chance():
    """Their sums do not scatter at all: without a floor there would be no error whatever."""
    from scipy import special

    successes, trials, x = np.array([1.0, 2.0, 3.0]), [5, 6, 7], [-1.0, 0.0, 1.0]
    # The information is the variance that chance gives the score, on average.
    values, informations, chances = [], [], []
    for found, chance in tables(trials, 6):
        one = score_at(one_stratum(found, trials, x), 0.0)
        values.append(one.value)
        informations.append(one.information)
        chances.append(chance)
    variance = np.dot(chances, np.square(values)) - np.dot(chances, values) ** 2
    assert np.dot(chances, informations) == pytest.approx(variance)
    one = score_at(one_stratum(successes, trials, x), 0.0)
    strata = np.repeat(np.arange(CLONES), 3)
    clones = Counts(
        np.tile(successes, CLONES),
        np.tile(np.array(trials, dtype=float), CLONES),
        np.tile(x, CLONES),
        np.zeros(3 * CLONES),
        strata=strata,
        size=CLONES,
        clusters=[Clusters(1, strata, CLONES)],
    )
    t = np.sqrt(CLONES) * one.value / np.sqrt(one.information)
    assert score_at(clones, 0.0).t == pytest.approx(t)
    assert p_value(clones) == pytest.approx(2 * special.stdtr(CLONES - 1, -t))
    found = estimate_dependence(clones)
    critical = special.stdtrit(CLONES - 1, 0.975)
    for bound, side in ((found.low, 1), (found.high, -1)):
        at = score_at(one_stratum(successes, trials, x), bound)
        assert np.sqrt(CLONES) * at.value / np.sqrt(at.information) == pytest.approx(
            side * critical, abs=1e-3
        )
    assert found.low < found.estimate < found.high


@pytest.mark.parametrize("sign", [1, -1])
def test_the_finite_bound_of_separated_rows_is_where_the_test_just_rejects(sign):
    from scipy import special

    units = 9
    x, strata = np.tile([-0.5, 0.5], units), np.repeat(np.arange(units), 2)
    successes = np.where(sign * x > 0, 4.0 + strata % 2, 0.0)
    ways = [Clusters(1, strata, units)]
    trials, none = np.full(2 * units, 6.0), np.zeros(2 * units)
    counts = Counts(successes, trials, x, none, strata=strata, size=units, clusters=ways)
    found = estimate_dependence(counts)
    finite, infinite = (found.low, found.high) if sign > 0 else (found.high, found.low)
    assert found.estimate == infinite == sign * np.inf
    critical = special.stdtrit(units - 1, 0.975)
    assert score_at(counts, finite).t == pytest.approx(sign * critical, abs=1e-3)
    assert 0 < sign * finite < np.inf


@pytest.mark.parametrize("sign", [1, -1])
def test_a_bound_beyond_what_is_sought_is_where_the_search_ends(sign):
    """Trials beyond number reject even the farthest effect that is sought."""
    units = 6
    x, strata = np.tile([-0.5, 0.5], units), np.repeat(np.arange(units), 2)
    trials = np.full(2 * units, 1e9) * (1 + strata % 2)
    successes = np.where(sign * x > 0, trials, 0.0)
    ways = [Clusters(1, strata, units)]
    none = np.zeros(2 * units)
    counts = Counts(successes, trials, x, none, strata=strata, size=units, clusters=ways)
    assert sign * score_at(counts, sign * FARTHEST).t > 3
    found = estimate_dependence(counts)
    finite, infinite = (found.low, found.high) if sign > 0 else (found.high, found.low)
    assert (finite, infinite) == (sign * FARTHEST, sign * np.inf)
    assert found.estimate == sign * np.inf


def test_a_single_separated_unit_sets_no_bound():
    found = estimate_dependence(one_stratum(np.array([0.0, 1.0]), [6, 6], [-0.5, 0.5]))
    assert (found.low, found.estimate, found.high) == (-np.inf, np.inf, np.inf)


# -- Strata and clusters -----------------------------------------------------------------------


def test_crossed_units_have_the_variance_of_inclusion_and_exclusion(crossed):
    design = read("y ~ kind + Error(subject) + Error(item)", crossed, "gaussian").design
    ways = find_clusters(design)
    assert [(way.sign, way.size) for way in ways] == [(1, 6), (1, 8), (-1, 48)]
    subject, item = np.arange(48) // 8, np.arange(48) % 8
    parts = np.random.default_rng(0).normal(0, 1, 48) + (subject - 2.5) + (item - 3.5)
    parts -= parts.mean()

    def sums(codes, size):
        return float((np.bincount(codes, parts) ** 2).sum() * size / (size - 1))

    expected = sums(subject, 6) + sums(item, 8) - sums(np.arange(48), 48)
    assert variance_of_sum(parts, ways) == pytest.approx(expected)
    # Where subjects' and items' sums hardly differ, the sum of all three is no variance.
    parts = np.where((subject + item) % 2, 1.0, -1.0) + 0.01 * subject
    parts -= parts.mean()
    single = [sums(subject, 6), sums(item, 8)]
    assert sum(single) - sums(np.arange(48), 48) < 0
    assert variance_of_sum(parts, ways) == pytest.approx(max(single))


def test_a_coarse_unit_with_few_levels_gives_way_to_a_finer_one(plots):
    design = read("y ~ variety * feed + Error(block/plot)", plots, "gaussian").design
    assert [way.size for way in find_clusters(design)] == [12]


def test_numbers_do_not_overflow():
    wide = np.array([0, 2**40, 0, 2**40])
    codes, first = number([wide, wide, wide])
    assert codes.tolist() == [0, 1, 0, 1]
    assert first.tolist() == [0, 1]


def test_the_finest_strata_that_n_varies_in_are_compared():
    within = check_trials(read(SPLIT, simulate(0)))
    assert within.judged == "rows of the same unit:kind"
    single = check_trials(read(SPLIT, simulate(0, repeats=1)))
    assert single.judged == "rows of the same cell, of different unit"
    crossed = check_trials(read("p(k, n) ~ group * kind + Error(unit)", simulate(0)))
    assert crossed.judged == "rows of the same unit and cell"
    assert single.clusters == 20
    none = check_trials(read("p(k, n) ~ group", simulate(0)))
    assert none.judged == "rows of a cell"


# -- Answers about trials ----------------------------------------------------------------------


def test_the_memory_experiment_depends_on_its_markers():
    with pytest.warns(InformativeTrialsWarning, match=r"times the odds of errors.*scale\(markers"):
        model = ba.Model(MEMORY, ba.load_data("memory"), family="binomial")
    found = model.check_trials()
    assert found.found
    one = found.table.set_index("quantity").loc["one more"]
    assert one["low"] < 0.10 < one["high"]  # the truth, by the script that made the data
    assert one["odds_ratio"] == pytest.approx(np.exp(one["estimate"]))
    more = found.table.set_index("quantity").loc["one sd more"]
    assert more["estimate"] == pytest.approx(found.sd * one["estimate"])
    assert "1.21 times the odds of errors" in str(found)
    assert found.formula in str(found)
    assert not model.check_dispersion().found


@pytest.mark.parametrize("text", [MEMORY, MEMORY.replace("markers)", "markers + 0)")])
def test_the_advised_formulas_work(text):
    data = ba.load_data("memory")
    with pytest.warns(InformativeTrialsWarning):
        found = ba.Model(text, data, family="binomial").check_trials()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        better = ba.Model(found.formula, data, family="binomial")
        assert "scale" in next(iter(better.design.rows.covariates))
        exec(found.helper, {"data": data})
        centred = ba.Model(found.centred, data, family="binomial")
    (name,) = centred.design.rows.covariates
    means = data.groupby(["condition", "trial_type"])[name].mean()
    np.testing.assert_allclose(means, 0, atol=1e-12)
    assert isinstance(better.check_trials(), NotChecked)
    assert isinstance(centred.check_trials(), NotChecked)


def test_the_warning_ceases_when_the_dependence_is_taken_out():
    assert list(warn_of_trials(read(SPLIT, simulate(5, slope=0.15))))
    assert not list(warn_of_trials(read(SPLIT, simulate(5))))


def test_differences_between_units_are_no_dependence_within_them():
    """Units with more trials have higher rates; a pooled slope would see it, rows of a unit not."""
    data = simulate(4, units=40, by_unit=0.3)
    assert not check_trials(read(SPLIT, data)).found
    assert check_trials(read("p(k, n) ~ group * kind", data)).found


def test_a_covariate_that_goes_with_n_is_adjusted_for():
    data = simulate(6, units=40)
    rng = np.random.default_rng(0)
    rate = 1 / (1 + np.exp(1.2 - 0.3 * (data["z"] - data["z"].mean())))
    data["k"] = rng.binomial(data["n"], rate)
    assert check_trials(read(SPLIT, data)).found
    assert not check_trials(read(SPLIT.replace("kind +", "kind + z +", 1), data)).found


def test_an_offset_is_taken_into_account():
    data = simulate(6, units=40)
    data["known"] = 0.3 * (data["n"] - 8.0)
    rng = np.random.default_rng(0)
    data["k"] = rng.binomial(data["n"], 1 / (1 + np.exp(1.2 - data["known"])))
    assert check_trials(read(SPLIT, data)).found
    assert not check_trials(read(f"{SPLIT} + offset(known)", data)).found


def test_what_differs_between_cells_decides_the_remedy():
    alike, apart = (
        check_trials(read(SPLIT, simulate(0, slope=0.15, gap=gap, units=40))) for gap in (0, 5)
    )
    assert alike.confounded < 0.05
    assert "mediator" not in str(alike)
    means = simulate(0, slope=0.15, gap=5, units=40).groupby(["group", "kind"])["n"].mean()
    assert apart.gap == pytest.approx(np.ptp(means))
    assert apart.confounded == pytest.approx(abs(apart.table.loc[1, "estimate"]) * apart.gap)
    assert "mediator" in str(apart)
    assert apart.helper in str(apart)


# -- A named column, for rates by row ----------------------------------------------------------

POSITIONS = 40


def by_position(data):
    """A row for each of 40 positions, of which n can be successes; successes come first."""
    grid = data.loc[data.index.repeat(POSITIONS)].reset_index(drop=True)
    place = np.tile(np.arange(POSITIONS), len(data))
    return grid.assign(hit=(place < grid["k"]).astype(int))


@pytest.mark.parametrize("slope", [0.0, 0.15])
def test_a_rate_by_position_goes_with_n_by_itself(slope):
    """With theta independent of n the slope by position is 1 / (n (1 - p)), and by trial zero."""
    data = simulate(5, units=40, repeats=20, trials=(10, 15), slope=slope)
    grid = read("hit ~ group * kind + Error(unit/kind)", by_position(data), "bernoulli")
    found = check_trials(grid, number="n")
    one = found.table.set_index("quantity").loc["one more"]
    rate = data["k"].sum() / (POSITIONS * len(data))
    assert found.by_itself == pytest.approx(1 / (data["n"].mean() * (1 - rate)))
    assert found.found
    assert (one["low"] < found.by_itself < one["high"]) == (slope == 0)
    assert check_trials(read(SPLIT, data)).found == (slope > 0)
    assert f"{found.by_itself:.3f} to the log odds by row" in str(found)
    assert "p(hit, n)" in str(found)


def test_positions_and_counts_out_of_positions_have_one_answer():
    data = simulate(5, units=20, trials=(10, 15))
    grid = read("hit ~ group * kind + Error(unit/kind)", by_position(data), "bernoulli")
    counts = read(f"p(k, {POSITIONS}) ~ group * kind + Error(unit/kind)", data)
    one, other = (check_trials(model, number="n").table for model in (grid, counts))
    # The sd of n counts positions in the one and trials in the other.
    pd.testing.assert_frame_equal(one.iloc[1:], other.iloc[1:], rtol=1e-6)


def test_the_trials_can_be_named_too():
    model = read(SPLIT, simulate(0, slope=0.15))
    pd.testing.assert_frame_equal(
        check_trials(model).table, check_trials(model, number="n").table, rtol=1e-9
    )
    assert "exposure" in str(check_trials(model, number="n"))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("m", "number='m': the model holds no such column"),
        ("group", "expected finite numbers"),
        ("gone", "expected finite numbers"),
        (3, "number='3': the model holds no such column"),
    ],
)
def test_only_numbers_can_be_asked_about(number, words):
    data = by_position(simulate(0)).assign(gone=np.nan)
    grid = read("hit ~ group * kind + Error(unit/kind)", data, "bernoulli")
    with pytest.raises(ArgumentError, match=words):
        check_trials(grid, number=number)
    with pytest.raises(NotApplicableError, match="number='column'"):
        check_trials(grid)


def test_a_number_that_all_rows_share_is_said():
    data = by_position(simulate(0)).assign(n=9)
    found = check_trials(read("hit ~ group * kind + Error(unit/kind)", data, "bernoulli"), 0.9, "n")
    assert "every row has the same n, 9" in str(found)


@pytest.mark.parametrize(
    ("change", "text", "reason"),
    [
        ({"n": 9}, SPLIT, "every row has the same number of trials, 9"),
        ({}, SPLIT.replace("kind +", "kind + scale(n) +", 1), "n is in the formula already"),
        ({}, "p(k, n) ~ C(n) + Error(unit)", "n does not vary within cells"),
    ],
)
def test_what_cannot_be_checked_is_said(change, text, reason):
    found = check_trials(read(text, simulate(0).assign(**change)))
    assert isinstance(found, NotChecked)
    assert not found.found
    assert found.table.empty
    assert reason in str(found)
    assert list(warn_of_trials(read(text, simulate(0).assign(**change)))) == []


def test_two_units_are_too_few():
    found = check_trials(read("p(k, n) ~ kind + Error(unit/kind)", simulate(0, units=2)))
    assert "too few independent units" in str(found)


def test_other_responses_are_refused(split_plot):
    model = ba.Model("y ~ group * task + Error(subject/task)", split_plot)
    with pytest.raises(NotApplicableError, match="p\\(successes, trials\\)"):
        model.check_trials()
    with pytest.raises(NotApplicableError, match="proportions and counts"):
        model.check_dispersion()
    model = ba.Model(SPLIT, simulate(0), family="binomial")
    with pytest.raises(ArgumentError, match="ci_prob"):
        model.check_trials(ci_prob=95)
    with pytest.raises(ArgumentError, match="ci_prob"):
        model.check_dispersion(ci_prob=0)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("p(k, n) ~ A + (1|s) + (1|s:A)", "p(k, n) ~ A + scale(n) + (1|s) + (1|s:A)"),
        ("p(k, n) ~ Error(s) + A", "p(k, n) ~ Error(s) + A + scale(n)"),
        ("p(k, n) ~ A+Error(s)", "p(k, n) ~ A + scale(n)+Error(s)"),
    ],
)
def test_a_term_is_added_in_front_of_the_units(formula, expected):
    assert parse_formula(formula).with_term("scale(n)") == expected


# -- Overdispersion ----------------------------------------------------------------------------


@given(TRIALS, st.data())
def test_squares_of_proportions_have_their_exact_moments(trials, data):
    total = data.draw(st.integers(1, max(1, sum(trials) - 1)))
    if total == sum(trials):
        return
    chances, squares = [], []
    for successes, chance in tables(trials, total):
        mean, expected = expected_squares(repeats_of(successes, trials))
        chances.append(chance)
        squares.append(((successes - mean) ** 2).sum())
    first = np.dot(chances, squares)
    assert expected.sum() == pytest.approx(first, abs=1e-9)
    second = np.dot(chances, np.square(squares)) - first**2
    exact = chance_variance(repeats_of(successes, trials))
    assert exact == pytest.approx(second, abs=1e-8)


def test_squares_of_counts_have_their_exact_moments():
    exposure, total = np.array([1.0, 2.0, 0.5]), 5
    share = exposure / exposure.sum()
    chances, squares = [], []
    for found in itertools.product(range(total + 1), repeat=3):
        if sum(found) != total:
            continue
        ways = factorial(total) / np.prod([factorial(k) for k in found])
        chances.append(ways * np.prod(share ** np.array(found)))
        repeats = repeats_of(found, offset=np.log(exposure))
        mean, expected = expected_squares(repeats)
        squares.append(((found - mean) ** 2).sum())
    first = np.dot(chances, squares)
    assert expected.sum() == pytest.approx(first)
    second = np.dot(chances, np.square(squares)) - first**2
    assert chance_variance(repeats) == pytest.approx(second)


def test_the_correlation_is_estimated_without_bias():
    """Beta-binomial rows of one stratum, by enumeration: E (S - E0) = rho E (its multiplier)."""
    from scipy import stats

    trials, rate, rho = [2, 3, 4], 0.3, 0.2
    law = [
        stats.betabinom.pmf(range(n + 1), n, rate * (1 / rho - 1), (1 - rate) * (1 / rho - 1))
        for n in trials
    ]
    excess = 0.0
    for pairs in itertools.product(*(enumerate(chances) for chances in law)):
        found = np.array([k for k, _ in pairs], dtype=float)
        chance = np.prod([chance for _, chance in pairs])
        if 0 < found.sum() < sum(trials):
            mean, expected = expected_squares(repeats_of(found, trials))
            excess += chance * (((found - mean) ** 2).sum() - expected.sum())
    known = repeats_of([1, 1, 1], trials)
    # The multiplier holds an estimate of p (1 - p): put the true one in its place.
    estimate = 3 * (9 - 3) / (9 * 8)
    multiplier = correlated_squares(known, np.array([2, 3, 4]) / 3)[0] / estimate
    assert excess == pytest.approx(rho * rate * (1 - rate) * multiplier)


def test_covariates_are_fitted_as_by_a_glm():
    import statsmodels.api as sm

    rng = np.random.default_rng(1)
    strata = np.repeat(np.arange(5), 8)
    z = rng.normal(size=(40, 2))
    trials = rng.integers(3, 9, 40).astype(float)
    offset = rng.normal(0, 0.3, 40)
    k = rng.binomial(trials.astype(int), 1 / (1 + np.exp(-z[:, 0] / 2 - offset))).astype(float)
    way = Clusters(1, np.arange(40), 40)
    mean, expected = expected_squares(
        Repeats(k, trials, offset, z, strata=strata, size=5, clusters=[way])
    )
    matrix = np.column_stack([np.eye(5)[strata], z])
    fit = sm.GLM(
        np.column_stack([k, trials - k]), matrix, sm.families.Binomial(), offset=offset
    ).fit(tol=1e-12)
    np.testing.assert_allclose(mean, trials * fit.fittedvalues, rtol=1e-6)
    variance = mean * (1 - mean / trials)
    many = np.bincount(strata, trials)[strata]
    leverage = fit.get_hat_matrix_diag(observed=False)
    np.testing.assert_allclose(expected, variance * (1 - leverage) * many / (many - 1), rtol=1e-6)

    counts = rng.poisson(np.exp(1 + z[:, 0] / 2 + offset)).astype(float)
    mean, _ = expected_squares(
        Repeats(counts, None, offset, z, strata=strata, size=5, clusters=[way])
    )
    fit = sm.GLM(counts, matrix, sm.families.Poisson(), offset=offset).fit(tol=1e-12)
    np.testing.assert_allclose(mean, fit.fittedvalues, rtol=1e-6)


def test_equal_proportions_vary_less_than_chance():
    found = estimate_dispersion(repeats_of([2.0] * 10, [6] * 10))
    assert found.ratio == found.low == 0
    assert found.p_value == 1


def test_strata_that_are_all_alike_vary_as_surely_as_chance_lets_them():
    """The exact variance is a floor: squares that do not scatter are no proof of a ratio."""
    from scipy import special

    counts, trials = [0.0, 2.0, 4.0], [6, 6, 6]
    chances, squares = [], []
    for found, chance in tables(trials, 6):
        mean, _ = expected_squares(repeats_of(found, trials))
        chances.append(chance)
        squares.append(((found - mean) ** 2).sum())
    expected = np.dot(chances, squares)
    variance = np.dot(chances, np.square(squares)) - expected**2
    strata = np.repeat(np.arange(CLONES), 3)
    clones = Repeats(
        np.tile(counts, CLONES),
        np.tile(np.array(trials, dtype=float), CLONES),
        np.zeros(3 * CLONES),
        np.zeros((3 * CLONES, 0)),
        strata=strata,
        size=CLONES,
        clusters=[Clusters(1, strata, CLONES)],
    )
    found = estimate_dispersion(clones)
    assert found.ratio == pytest.approx(8 / expected)
    reach = special.stdtrit(CLONES - 1, 0.975) * np.sqrt(variance / CLONES) / expected
    assert np.log(found.high / found.low) / 2 == pytest.approx(reach)
    assert 0 < found.p_value < 1


def test_overdispersion_is_found_with_its_size():
    found = check_dispersion(read(SPLIT, simulate(0, units=30, repeats=20, rho=0.1, slope=0.1)))
    assert found.found
    table = found.table.set_index("quantity")
    rho = table.loc["intra_trial_correlation"]
    assert rho["low"] < 0.1 < rho["high"]
    assert found.judged == "rows of the same unit:kind and the same number of n"
    assert 'family="betabinomial"' in str(found)
    assert "Error(row)" in str(found)


def test_the_advised_unit_for_every_row_works():
    data = simulate(0, rho=0.2)
    found = check_dispersion(read(SPLIT, data))
    assert found.found
    exec(found.remedy[1].strip(), {"data": data})
    after = check_dispersion(read(found.remedy[2].strip(), data))
    assert "has a unit for every row" in str(after)


def test_a_family_that_allows_for_overdispersion_needs_no_remedy():
    found = check_dispersion(read(SPLIT, simulate(0, rho=0.2), "betabinomial"))
    assert found.found
    assert "family='betabinomial' allows for" in str(found)
    assert "Remedy" not in str(found)


def test_no_overdispersion_is_found_in_binomial_counts():
    found = check_dispersion(read(SPLIT, simulate(0)))
    assert not found.found
    assert found.remedy == ()
    assert found.table.loc[0, "low"] < 1 < found.table.loc[0, "high"]


def test_a_rate_that_depends_on_many_numbers_of_trials_is_no_overdispersion():
    data = simulate(3, units=30, trials=(5, 60), slope=0.06)
    found = check_dispersion(read(SPLIT, data))
    assert found.judged.endswith("n taken into account")
    assert not found.found
    # Rows in which the rate is taken to be the same look overdispersed.
    design = read(SPLIT, data).design
    codes = design.unit("unit:kind").codes
    plain = Repeats(
        data["k"].to_numpy(float),
        data["n"].to_numpy(float),
        np.zeros(len(data)),
        np.zeros((len(data), 0)),
        strata=codes,
        size=codes.max() + 1,
        clusters=[Clusters(1, np.arange(len(data)), len(data))],
    )
    assert estimate_dispersion(plain).low > 1


@pytest.mark.parametrize("rho", [0.0, 0.3])
def test_cells_and_units_that_meet_in_single_rows_are_taken_to_add_up(rho):
    data = simulate(1, units=40, repeats=1, rho=rho)
    found = check_dispersion(read("p(k, n) ~ group * kind + Error(unit)", data))
    assert (
        found.judged == "rows beside the sum of the effects of cells and unit, n taken into account"
    )
    if not rho:  # otherwise some units have no success at all, and tell nothing
        assert found.df == 80 - 40 - 2 - 2  # units, kind and its interaction, n and its square
    assert found.found == (rho > 0)


def test_crossed_units_are_taken_to_add_up():
    rng = np.random.default_rng(1)
    rows = np.array(list(itertools.product(range(15), range(10))))
    mean = np.exp(1 + rng.normal(0, 0.5, 15)[rows[:, 0]] + rng.normal(0, 0.5, 10)[rows[:, 1]])
    data = pd.DataFrame(rows, columns=["s", "i"]).assign(k=rng.poisson(mean))
    data["late"] = np.where(data["i"] < 5, "no", "yes")
    text = "k ~ late + Error(s) + Error(i)"
    found = check_dispersion(read(text, data, "poisson"))
    assert found.df == 14 * 9
    assert not found.found
    data["k"] = rng.poisson(mean * rng.gamma(2, 0.5, 150))
    assert check_dispersion(read(text, data, "poisson")).found


def test_counts_are_checked_too():
    rng = np.random.default_rng(0)
    data = simulate(0, units=30).assign(hours=rng.uniform(0.5, 2, 720))
    text = "k ~ group * kind + Error(unit/kind) + offset(log(hours))"
    data["k"] = rng.poisson(3 * data["hours"])
    assert not check_dispersion(read(text, data, "poisson")).found
    data["k"] = rng.poisson(3 * data["hours"] * rng.gamma(5, 0.2, 720))
    found = check_dispersion(read(text, data, "poisson"))
    assert found.found
    alpha = found.table.set_index("quantity").loc["1/alpha"]
    assert alpha["low"] < 0.2 < alpha["high"]
    assert 'family="negativebinomial"' in str(found)


@pytest.mark.parametrize(
    ("change", "options", "text", "reason"),
    [
        ({"n": 1, "k": [0, 1] * 240}, {}, SPLIT, "each row is a single yes or no"),
        ({}, {"repeats": 1, "units": 4}, "p(k, n) ~ kind + Error(unit)", "hardly any rows"),
        ({}, {"repeats": 1}, SPLIT, "unit term 'unit:kind' has a unit for every row"),
    ],
)
def test_what_has_no_dispersion_is_said(change, options, text, reason):
    found = check_dispersion(read(text, simulate(0, **options).assign(**change)))
    assert isinstance(found, NotChecked)
    assert reason in str(found)


def test_answers_print_in_a_notebook():
    found = check_trials(read(SPLIT, simulate(0)))
    assert found._repr_html_().startswith("<pre>Question")
    assert repr(found) == str(found)

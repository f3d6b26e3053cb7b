"""Collapsed rows: the likelihood of all rows, a constant apart, from fewer rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bambi_anova.data.rows import read_rows
from bambi_anova.datasets import load_data
from bambi_anova.design.build import build_design
from bambi_anova.design.sufficient import collapse_rows
from bambi_anova.families.registry import get_family
from bambi_anova.families.sufficient import group_rows
from bambi_anova.formula.parse import parse_formula

PREDICTORS = ["A", "s", "x"]
RIGHT = "A * x + Error(s)"

RESPONSES = {
    "bernoulli": "hit",
    "binomial": "p(k, n)",
    "poisson": "count",
    "gaussian": "y",
    "t": "coarse",
    "negativebinomial": "count",
    "gamma": "positive",
    "beta": "unit",
    "betabinomial": "p(k, n)",
    "betabinomial_mode": "p(k, n)",
}


def simulated(seed, rows, levels):
    """Rows of few distinct predictors, with a response for each family."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(
        {
            "A": rng.choice(list("abc")[:levels], rows),
            "s": rng.choice(list("uvw")[:levels], rows),
            "x": rng.choice([-0.5, 0.0, 2.25][:levels], rows),
            "area": rng.choice([0.5, 1.0, 3.0], rows),
            "hit": rng.integers(0, 2, rows),
            "n": rng.integers(0, 6, rows),
            "count": rng.poisson(2.0, rows),
            "y": rng.normal(size=rows),
            "coarse": rng.integers(-2, 3, rows) / 2,
            "positive": rng.integers(1, 4, rows) / 2,
            "unit": rng.integers(1, 4, rows) / 5,
        }
    )
    data["k"] = rng.binomial(data["n"], 0.4)
    # Two rows make sure that no column is constant.
    for name, first in {
        "A": ["a", "b"],
        "s": ["u", "v"],
        "x": [-0.5, 0.0],
        "hit": [0, 1],
        "n": [2, 2],
        "k": [0, 1],
        "count": [0, 3],
        "coarse": [0.0, 1.0],
        "positive": [1.0, 2.0],
        "unit": [0.2, 0.4],
    }.items():
        data.loc[:1, name] = first
    return data


def collapse(text, data, family, **options):
    formula, family = parse_formula(text), get_family(family)
    design = build_design(formula, read_rows(formula, data, family), family)
    return collapse_rows(design, family, **options)


@pytest.mark.parametrize("family", RESPONSES)
@pytest.mark.parametrize("offset", ["", " + offset(log(area))"])
@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_rows_merge_if_and_only_if_they_share_every_predictor(family, offset, seed):
    data = simulated(seed, 60, 3)
    rows = collapse(f"{RESPONSES[family]} ~ {RIGHT}{offset}", data, family)
    keys = [*PREDICTORS]
    if offset and family != "poisson":
        keys.append("area")
    if get_family(family).collapse.weighted:
        keys += ["k", "n"] if RESPONSES[family] == "p(k, n)" else [RESPONSES[family]]
    expected = data.groupby(keys).ngroup().to_numpy()
    pairs = set(zip(rows.codes.tolist(), expected.tolist(), strict=True))
    assert len(pairs) == len(rows.first) == expected.max() + 1
    np.testing.assert_array_equal(rows.codes[rows.first], np.arange(len(rows.first)))
    np.testing.assert_array_equal(rows.n, np.bincount(rows.codes))


def test_a_slope_of_a_unit_keeps_its_units_apart():
    data = simulated(0, 60, 3)
    rows = collapse("y ~ A + (0 + x|s)", data, "gaussian")
    assert len(rows.first) == len(data[["A", "s", "x"]].drop_duplicates())
    assert len(collapse("y ~ A", data, "gaussian").first) == 3


def test_sufficient_numbers_of_a_small_example():
    data = pd.DataFrame(
        {"A": list("aabbb"), "y": [1.0, 3, 0, 6, 3], "k": [1, 2, 0, 1, 1], "n": [2, 2, 1, 1, 3]}
    )
    gaussian = collapse("y ~ A", data, "gaussian")
    np.testing.assert_allclose(gaussian.values, [2, 3])
    np.testing.assert_allclose(gaussian.n, [2, 3])
    np.testing.assert_allclose(gaussian.within, [2, 18])
    binomial = collapse("p(k, n) ~ A", data, "binomial")
    np.testing.assert_array_equal(binomial.values, [3, 2])
    np.testing.assert_array_equal(binomial.trials, [4, 5])
    counts = collapse("k ~ A", data, "poisson")
    np.testing.assert_array_equal(counts.values, [3, 2])
    np.testing.assert_allclose(counts.offset, np.log([2, 3]))
    rates = collapse("k ~ A + offset(log(n))", data, "poisson")
    np.testing.assert_allclose(rates.offset, np.log([4, 5]))
    weights = collapse("k ~ A", data, "negativebinomial")
    np.testing.assert_array_equal(weights.values, [1, 2, 0, 1])
    np.testing.assert_array_equal(weights.n, [1, 1, 1, 2])
    assert weights.offset is None


@pytest.mark.parametrize("family", ["betabinomial", "betabinomial_mode"])
def test_trials_with_probabilities_of_their_own_do_not_add_up(family):
    data = pd.DataFrame({"A": list("aabbb"), "k": [1, 1, 0, 1, 1], "n": [2, 2, 1, 1, 3]})
    rows = collapse("p(k, n) ~ A", data, family)
    np.testing.assert_array_equal(rows.values, [1, 0, 1, 1])
    np.testing.assert_array_equal(rows.trials, [2, 1, 1, 3])
    np.testing.assert_array_equal(rows.n, [2, 1, 1, 1])
    np.testing.assert_array_equal(rows.alike, [0, 1, 1, 1])
    assert collapse("p(k, n) ~ A", data, family, collapse=False).alike is None
    distinct = collapse("p(k, n) ~ A", data[::-1].drop_duplicates(), family)
    assert not distinct.merged
    np.testing.assert_array_equal(distinct.alike, [1, 1, 1, 0])


def test_exposures_that_add_up_to_less_than_one_are_kept():
    frame = pd.DataFrame({"A": list("aabb"), "y": [1, 2, 0, 3], "hours": [0.2, 0.3, 0.1, 0.9]})
    rows = collapse("y ~ A + offset(log(hours))", frame, "poisson")
    np.testing.assert_allclose(np.exp(rows.offset), [0.5, 1.0])
    assert rows.values.tolist() == [3, 3]
    alone = collapse("y ~ A + offset(log(hours))", frame.iloc[[0, 2]], "poisson")
    np.testing.assert_allclose(np.exp(alone.offset), [0.2, 0.1])


def test_single_counts_without_exposures_need_no_offset():
    data = pd.DataFrame({"A": list("ab"), "k": [3, 4]})
    rows = collapse("k ~ A", data, "poisson")
    assert rows.offset is None
    assert not rows.merged


@pytest.mark.parametrize("family", RESPONSES)
def test_on_request_every_row_stays_by_itself(family):
    data = simulated(0, 40, 2)
    text = f"{RESPONSES[family]} ~ {RIGHT} + offset(area)"
    rows = collapse(text, data, family, collapse=False)
    assert not rows.merged
    assert collapse(text, data, family).merged
    np.testing.assert_array_equal(rows.first, np.arange(40))
    np.testing.assert_array_equal(rows.codes, np.arange(40))
    np.testing.assert_array_equal(rows.n, np.ones(40))
    np.testing.assert_array_equal(rows.within, np.zeros(40))
    np.testing.assert_allclose(rows.offset, data["area"])
    column = {"p(k, n)": "k"}.get(RESPONSES[family], RESPONSES[family])
    np.testing.assert_allclose(rows.values, data[column])


def test_the_data_are_not_changed():
    data = simulated(0, 40, 2)
    before = data.copy(deep=True)
    collapse(f"y ~ {RIGHT}", data, "gaussian")
    pd.testing.assert_frame_equal(data, before)


@given(
    st.lists(st.tuples(st.integers(-2, 2), st.sampled_from([0.1, 0.2, 0.3])), min_size=1),
)
def test_rows_are_numbered_in_the_order_of_their_keys(pairs):
    keys = [np.array(key) for key in zip(*pairs, strict=True)]
    codes, first = group_rows(keys, len(pairs))
    expected = sorted(set(pairs))
    assert [expected.index(pair) for pair in pairs] == codes.tolist()
    assert [pairs.index(pair) for pair in expected] == first.tolist()


# -- The shipped experiment --------------------------------------------------------------------


@pytest.fixture(scope="module")
def three_forms():
    """The experiment by position, by trial, and by participant and trial type."""
    right = "condition * trial_type + Error(participant/trial_type)"
    trials = load_data("memory")
    unit = ["participant", "condition", "trial_type"]
    cells = trials.groupby(unit, as_index=False)[["errors", "positions"]].sum()
    forms = {
        "grid": (load_data("memory_grid"), f"error ~ {right}", "bernoulli"),
        "trials": (trials, f"p(errors, positions) ~ {right}", "binomial"),
        "cells": (cells, f"p(errors, positions) ~ {right}", "binomial"),
    }
    return {
        name: (data, data[unit], collapse(text, data, family))
        for name, (data, text, family) in forms.items()
    }


def test_grid_trials_and_cells_collapse_to_the_same_rows(three_forms):
    sizes = {name: len(data) for name, (data, _, _) in three_forms.items()}
    assert sizes == {"grid": 164_000, "trials": 4_100, "cells": 82}
    frames = [
        labels.iloc[rows.first]
        .assign(values=rows.values, trials=rows.trials, within=rows.within)
        .sort_values(list(labels), ignore_index=True)
        for _, labels, rows in three_forms.values()
    ]
    assert [len(frame) for frame in frames] == [82, 82, 82]
    pd.testing.assert_frame_equal(frames[0], frames[1])
    pd.testing.assert_frame_equal(frames[1], frames[2])


def test_the_collapsed_rows_hold_all_of_the_experiment(three_forms):
    trials, _, rows = three_forms["trials"]
    assert rows.values.sum() == trials["errors"].sum()
    np.testing.assert_array_equal(rows.trials, np.full(82, 50 * 40))
    assert [three_forms[name][2].n[0] for name in three_forms] == [2_000, 50, 1]


def test_other_denominators_are_another_likelihood():
    text = "~ condition * trial_type + Error(participant/trial_type)"
    markers = collapse(f"p(errors, markers) {text}", load_data("memory"), "binomial")
    assert len(markers.first) == 82
    assert not np.any(markers.trials == 2_000)

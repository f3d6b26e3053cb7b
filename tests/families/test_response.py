"""Responses: what each family accepts, what it makes of it, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bambi_anova as ba
from bambi_anova.errors import DataError
from bambi_anova.families.registry import FAMILIES, get_family


def respond(family, values, trials=None, success=None, name="y", index=None):
    values = pd.Series(values, index=index)
    trials = None if trials is None else pd.Series(trials, index=index)
    return get_family(family).read(name, values, trials, success)


# -- Accepted ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "values"),
    [
        ("gaussian", [-1.5, 0, 3]),
        ("t", [-1.5, 0, 3]),
        ("poisson", [0, 2, 7]),
        ("negativebinomial", [0.0, 2.0, 7.0]),
        ("gamma", [0.1, 2, 7]),
        ("beta", [0.1, 0.5, 0.999]),
        ("gaussian", pd.array([1, 2, 4], dtype="Int64")),
    ],
)
def test_numbers_are_taken_as_they_are(family, values):
    response = respond(family, values)
    np.testing.assert_array_equal(response.values, np.asarray(values, dtype=float))
    assert response.values.dtype == float
    assert (response.trials, response.success, response.guessed) == (None, None, False)


@pytest.mark.parametrize(
    "values", [[0, 1, 1], [0.0, 1.0, 1.0], [False, True, True], pd.array([0, 1, 1], dtype="Int64")]
)
def test_zeros_and_ones_need_no_guess(values):
    response = respond("bernoulli", values)
    np.testing.assert_array_equal(response.values, [0, 1, 1])
    np.testing.assert_array_equal(response.trials, [1, 1, 1])
    assert not response.guessed


@pytest.mark.parametrize(
    ("values", "success", "chosen", "expected"),
    [
        (["no", "yes", "yes"], "yes", "yes", [0, 1, 1]),
        (["no", "yes", "yes"], "no", "no", [1, 0, 0]),
        ([0, 1, 1], "0", 0, [1, 0, 0]),
        ([5, 7, 7], "5", 5, [1, 0, 0]),
        ([False, True, True], "False", False, [1, 0, 0]),
    ],
)
def test_the_named_level_is_the_success(values, success, chosen, expected):
    response = respond("bernoulli", values, success=success)
    np.testing.assert_array_equal(response.values, expected)
    assert response.success == chosen
    assert not response.guessed


@pytest.mark.parametrize(
    ("values", "guess"),
    [
        (["yes", "no", "yes"], "yes"),
        (["miss", "hit", "miss"], "miss"),
        (pd.Categorical(["hit", "miss", "hit"], ["miss", "hit"]), "hit"),
        (pd.Categorical(["hit", "miss", "hit"], ["none", "miss", "hit"]), "hit"),
    ],
)
def test_without_a_named_level_the_last_one_is_guessed(values, guess):
    response = respond("bernoulli", values)
    assert (response.success, response.guessed) == (guess, True)
    np.testing.assert_array_equal(response.values, [value == guess for value in values])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=12))
def test_successes_and_trials_are_kept_or_refused_as_a_whole(pairs):
    successes, trials = map(np.array, zip(*pairs, strict=True))
    possible = np.all(successes <= trials) and 0 < successes.sum() < trials.sum()
    if possible:
        response = respond("binomial", successes, trials)
        np.testing.assert_array_equal(response.values, successes)
        np.testing.assert_array_equal(response.trials, trials)
    else:
        with pytest.raises(DataError):
            respond("binomial", successes, trials)


def test_the_columns_are_not_changed():
    values, trials = pd.Series([1, 2, 3], index=[4, 4, 5]), pd.Series([9, 9, 9], index=[4, 4, 5])
    before = values.copy(), trials.copy()
    response = get_family("binomial").read("p(k, n)", values, trials, None)
    response.values[:] = 0
    response.trials[:] = 0
    pd.testing.assert_series_equal(values, before[0])
    pd.testing.assert_series_equal(trials, before[1])


# -- Refused -----------------------------------------------------------------------------------


PROPORTIONS = [name for name, family in FAMILIES.items() if family.response.trials]


@pytest.mark.parametrize("family", [f for f in FAMILIES if f not in PROPORTIONS])
def test_trials_are_for_the_binomial_families_only(family):
    with pytest.raises(DataError, match=rf"family='{family}' needs one column .* got 'p\(k, n\)'"):
        respond(family, [1, 0], [2, 2], name="p(k, n)")


@pytest.mark.parametrize("family", PROPORTIONS)
def test_the_binomial_families_need_trials(family):
    with pytest.raises(DataError, match=r"needs p\(successes, trials\) as response, got 'y'"):
        respond(family, [1, 0])


@pytest.mark.parametrize("family", ["betabinomial", "betabinomial_mode"])
def test_single_trials_say_nothing_of_the_scatter_between_rows(family):
    assert respond(family, [1, 0, 2], [1, 1, 2]).trials.max() == 2
    with pytest.raises(DataError, match=r"no row has more than one trial.*family='binomial'"):
        respond(family, [1, 0, 0], [1, 1, 0])


@pytest.mark.parametrize("family", [f for f in FAMILIES if f not in ("bernoulli", *PROPORTIONS)])
def test_a_success_level_is_for_the_bernoulli_family_only(family):
    with pytest.raises(DataError, match="a success level is for family='bernoulli' only"):
        respond(family, [0.1, 0.2], success="yes")


@pytest.mark.parametrize(
    ("family", "values", "message"),
    [
        ("poisson", [3, 2.5, 1], r"expected counts.* not so in 1 of 3 rows, at index b.*2\.5"),
        ("poisson", [3, 2, -1], r"expected counts.* not so in 1 of 3 rows, at index c.*-1"),
        ("negativebinomial", [3, -2, 0.5], "expected counts.* in 2 of 3 rows, at index b, c"),
        ("gamma", [3, 0, -1], "expected positive values; not so in 2 of 3 rows, at index b, c"),
        ("beta", [0.5, 0, 1], "expected values between 0 and 1; .* in 2 of 3 rows, at index b, c"),
        (
            "gaussian",
            [1, np.inf, 2],
            "expected finite numbers below 1e.100; not so in 1 of 3 rows, at index b",
        ),
        ("poisson", [1, np.inf, 2], "expected finite numbers"),
        ("bernoulli", [0, 1, 2], r"expected 0 or 1 .* not so in 1 of 3 rows, at index c"),
        ("bernoulli", [0, 1, np.inf], "expected 0 or 1"),
        ("bernoulli", ["a", "b", "c"], "expected two levels, found 3: a, b, c"),
        ("bernoulli", ["a", "a", "a"], "expected two levels, found 1: a"),
        ("gaussian", ["a", "b", "c"], "expected numbers, found .* such as 'a'.*'bernoulli'"),
        ("poisson", pd.Categorical(["a", "b", "a"]), "expected numbers, found category"),
    ],
)
def test_values_that_the_family_cannot_have(family, values, message):
    with pytest.raises(DataError, match=f"response 'y': {message}"):
        respond(family, values, index=list("abc"))


def test_levels_of_two_kinds_are_sorted_as_text():
    response = respond("bernoulli", pd.Series([1, "a", 1, "a"], dtype=object))
    assert (response.success, response.guessed) == ("a", True)
    np.testing.assert_array_equal(response.values, [0, 1, 0, 1])


@pytest.mark.parametrize(
    ("successes", "trials", "message"),
    [
        ([1, 9, 8], [5, 5, 5], r"no more successes than trials.* 2 of 3 .* index b, c.*9\.0, 8\.0"),
        ([1, 2.5, 1], [5, 5, 5], r"successes that are whole numbers.* at index b .*2\.5"),
        ([1, -2, 1], [5, 5, 5], r"successes that are whole numbers from 0 up.* at index b .*-2"),
        ([1, 2, 1], [5, 5.5, 5], r"trials that are whole numbers.* at index b .*5\.5"),
        ([1, 2, 1], [5, -5, 5], "trials that are whole numbers"),
        ([1, np.inf, 1], [5, 5, 5], "finite numbers"),
        ([1, 2, 1], [5, np.inf, 5], "finite numbers"),
        ([1, 2, 1], ["5", "5", "5"], "expected numbers"),
        ([0, 0, 0], [0, 0, 0], "not one trial"),
        ([0, 0, 0], [5, 5, 5], "is constant: no trial is a success"),
        ([5, 5, 5], [5, 5, 5], "is constant: every trial is a success"),
    ],
)
def test_successes_and_trials_that_cannot_be(successes, trials, message):
    with pytest.raises(DataError, match=rf"response 'p\(k, n\)'.*{message}"):
        respond("binomial", successes, trials, name="p(k, n)", index=list("abc"))


@pytest.mark.parametrize(
    ("family", "value"),
    [("gaussian", -2.5), ("t", 0), ("poisson", 0), ("gamma", 2), ("beta", 0.5), ("bernoulli", 1)],
)
def test_a_constant_response_is_refused(family, value):
    with pytest.raises(DataError, match=f"'y' is constant: every one of its 4 values is {value:g}"):
        respond(family, [value] * 4)


def test_an_unknown_success_level_lists_the_levels():
    with pytest.raises(DataError, match=r"response 'y': no level 'maybe'; found no, yes"):
        respond("bernoulli", ["no", "yes", "no"], success="maybe")


def test_decimal_commas_are_told_from_words():
    frame = pd.DataFrame(
        {"A": list("ab") * 2, "y": ["1,5", "2", "0,3", "-7,25"], "z": list("cdcd")}
    )
    with pytest.raises(DataError, match=r"found .* such as '1,5'; read the file with decimal=','"):
        ba.Model("y ~ A", frame, family="gaussian")
    with pytest.raises(DataError, match="such as 'c'; for two levels use family='bernoulli'"):
        ba.Model("z ~ A", frame, family="gaussian")

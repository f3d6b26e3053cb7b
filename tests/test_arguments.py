"""Arguments that many functions take: what is refused, and that everybody refuses the same."""

import numpy as np
import pytest

import bambi_anova as ba
from bambi_anova.arguments import generator, one_of, probability, whole_number
from bambi_anova.errors import ArgumentError


@pytest.mark.parametrize("value", [0, -1, True, 1.0, "1", None, np.nan, [1]])
def test_whole_numbers_are_whole(value):
    with pytest.raises(ArgumentError, match=r"draws=.*: expected a whole number from 1 up"):
        whole_number("draws", value)


def test_whole_numbers_of_any_make():
    assert [whole_number("draws", value) for value in (3, np.int64(3), np.uint8(3))] == [3, 3, 3]
    with pytest.raises(ArgumentError, match="draws=9: expected a whole number from 2 to 8"):
        whole_number("draws", 9, 2, 8)


@pytest.mark.parametrize("value", [0, 1, -0.5, "0.9", None, np.nan, True])
def test_probabilities_lie_between_0_and_1(value):
    with pytest.raises(ArgumentError, match=r"ci_prob=.*: expected a probability between 0 and 1"):
        probability(value)


@pytest.mark.parametrize("value", ["Link", None, ["link"], 1])
def test_names_are_known(value):
    with pytest.raises(ArgumentError, match=r"expected one of \('link', 'response'\)"):
        one_of("scale", value, ("link", "response"))


def test_seeds_make_draws_repeatable():
    assert generator(7).random() == np.random.default_rng(7).random()
    assert generator(None).random() != generator(None).random()


@pytest.mark.parametrize("seed", [-1, "one", 1.5, True, [1, 2], 2**64])
def test_no_function_takes_a_seed_that_is_none(seed, quick_fit):
    memory = quick_fit("memory")
    calls = [
        memory.model.fit,
        memory.model.prior_predictive,
        memory.posterior_predictive,
        memory.predictive_check,
        ba.classical.permutation_test,
        ba.classical.hierarchical_binomial,
        ba.compare_analyses,
    ]
    for call in calls:
        model = [memory.model] if getattr(call, "__self__", None) is None else []
        with pytest.raises(ArgumentError, match=r"random_seed=.*: expected a whole number from 0"):
            call(*model, random_seed=seed)

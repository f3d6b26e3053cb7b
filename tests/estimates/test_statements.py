"""Joint statements, orders and shares of draws: what they are, and what is refused."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.shares import shares
from bambi_anova.estimates.statement_syntax import holds
from bambi_anova.estimates.statements import orders_table, probability_table
from bambi_anova.posterior.importance import Weighting
from bambi_anova.posterior.trust import Sampling

GOOD = Sampling("none", divergences=0, seconds=1.0)
RNG = np.random.default_rng(1)
DRAWS = RNG.normal(size=(4, 500, 4)) + np.array([0.3, 0.0, -0.2, 0.1])
NAMES = ["a", "b", "Golden.rain", "0.2"]
VALUES = {name: DRAWS[..., i] for i, name in enumerate(NAMES)}
A, B, C, D = (VALUES[name] for name in NAMES)

STATEMENTS = {
    "a > b": A > B,
    "a > b > Golden.rain": (A > B) & (B > C),
    "a > b and b >= `0.2`": (A > B) & (B >= D),
    "a < b or not (b < '0.2')": (A < B) | ~(B < D),
    "(a + b) / 2 > `Golden.rain` + 1": (A + B) / 2 > C + 1,
    "-a * 2 - b <= 1e-1": -A * 2 - B <= 0.1,
    "abs(a - b) < 0.5": np.abs(A - B) < 0.5,
    "a > max(b, Golden.rain, '0.2')": (A > B) & (A > C) & (A > D),
    "0.2 < min(a, b)": np.minimum(A, B) > 0.2,
    "  a\t> +b ": A > B,
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_statements_say_what_they_read(statement):
    np.testing.assert_array_equal(holds(statement, VALUES), STATEMENTS[statement])


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("a > c", "'c' is not a level"),
        ("a > Golden.rian", "did you mean 'Golden.rain'"),
        ("a + b", "neither true nor false"),
        ("a", "neither true nor false"),
        ("a == b", "never are equal"),
        ("a > (b > a)", "not understood"),
        ("a > b if a else b", "neither true nor false"),
        ("(a > b) + 1 > 0", "not understood"),
        ("a >", "cannot be read"),
        ("", "cannot be read"),
        ("a > b; b > a", "cannot be read"),
        ("a > `b", "cannot be read"),
        ("a ** 2 > b", "not understood"),
        ("a[0] > b", "not understood"),
        ("__import__('os').system('true') > 0", "expected one of abs, min, max"),
        ("open('x') > 0", "expected one of abs, min, max"),
        ("abs(a, b) > 0", "abs takes one value"),
        ("max(a) > 0", "min and max several"),
        ("max(a, key=b) > 0", "expected one of abs, min, max"),
        ("(lambda: 1)() > a", "expected one of"),
        ("a > True", "is not a level"),
        ("a > 1j", "not understood"),
        ("a & b", "neither true nor false"),
        ("(" * 500 + "a" + ")" * 500, "cannot be read"),
        (3, "expected text"),
    ],
)
def test_nothing_else_is_read_or_run(statement, message):
    with pytest.raises(ArgumentError, match=message):
        holds(statement, VALUES)


@given(st.text(max_size=30))
def test_any_text_is_a_statement_or_an_error_of_ours(text):
    try:
        found = holds(text, VALUES)
    except ArgumentError:
        return
    assert found.dtype == bool


def quantities(draws=DRAWS, names=NAMES, supported=True, **columns):
    labels = pd.DataFrame({"A": names, **columns})
    return Quantities(labels, draws, np.full(len(names), supported), "super", "link")


def test_probabilities_come_with_their_error():
    table = probability_table(quantities(), [], "a > b > Golden.rain", GOOD)
    share = ((A > B) & (B > C)).mean()
    row = table.iloc[0]
    assert row["probability"] == share
    assert row["mcse"] == pytest.approx(np.sqrt(share * (1 - share) / A.size), rel=0.3)
    assert row["trusted"]
    assert row["supported"]


def test_statements_at_each_level_of_another_factor():
    both = quantities(DRAWS, ["a", "b", "a", "b"], group=["p", "p", "q", "q"])
    table = probability_table(both, ["group"], "a > b", GOOD).set_index("group")
    assert table["probability"].to_dict() == {"p": (A > B).mean(), "q": (C > D).mean()}


def test_a_mean_without_data_leaves_the_statement_unsupported():
    table = probability_table(quantities(supported=False), [], "a > b", GOOD)
    assert not table["supported"][0]


def test_orders_are_all_that_occur():
    table = orders_table(quantities(), [], GOOD, most=24)
    by_hand = {}
    for order in permutations(range(4)):
        falls = np.all(np.diff(DRAWS[..., order], axis=-1) < 0, axis=-1)
        by_hand[" > ".join(NAMES[i] for i in order)] = falls.mean()
    assert len(table) == 24
    assert table.set_index("statement")["probability"].to_dict() == pytest.approx(by_hand)
    assert table["probability"].is_monotonic_decreasing
    assert table["probability"].sum() == pytest.approx(1)


def test_orders_list_the_likeliest():
    table = orders_table(quantities(), [], GOOD, most=3)
    everything = orders_table(quantities(), [], GOOD, most=24)
    pd.testing.assert_frame_equal(table, everything.head(3))
    with pytest.raises(ArgumentError, match="most="):
        orders_table(quantities(), [], GOOD, most=0)


# -- Shares ------------------------------------------------------------------------------------


def about(size, r_hat=1.0, sd=1.0):
    """The diagnostics of one quantity."""
    return pd.DataFrame({"sd": [sd], "ess_bulk": size, "ess_tail": size, "r_hat": r_hat})


def test_the_error_of_a_share_is_that_of_independent_draws():
    holds_here = RNG.random((4, 1000, 3)) < np.array([0.5, 0.1, 0.01])
    table = shares(holds_here, GOOD, pd.concat([about(4000)] * 3))
    p = holds_here.mean(axis=(0, 1))
    np.testing.assert_allclose(table["mcse"], np.sqrt(p * (1 - p) / 4000), rtol=0.25)
    assert table["trusted"].all()


def test_errors_cover_the_truth():
    errors = []
    for seed in range(200):
        draws = np.random.default_rng(seed).random((4, 250, 1)) < 0.3
        row = shares(draws, GOOD, about(1000)).iloc[0]
        errors.append((row["share"] - 0.3) / row["mcse"])
    assert 0.85 < np.std(errors) < 1.15


def test_sticky_chains_have_larger_errors():
    fast = RNG.random((4, 1000, 1)) < 0.5
    slow = np.repeat(RNG.random((4, 50, 1)) < 0.5, 20, axis=1)
    a, b = (shares(draws, GOOD, about(4000)).iloc[0] for draws in (fast, slow))
    assert b["mcse"] > 3 * a["mcse"]
    assert a["trusted"]
    assert not b["trusted"]


def test_chains_that_disagree_are_not_trusted():
    apart = np.zeros((4, 1000, 1), dtype=bool)
    apart[0] = RNG.random((1000, 1)) < 0.9
    apart[1:] = RNG.random((3, 1000, 1)) < 0.1
    assert not shares(apart, GOOD, about(4000))["trusted"][0]


def test_chains_that_disagree_about_a_rare_event_are_not_trusted():
    """Its Monte Carlo error is small enough: only its chains tell."""
    common = np.where(np.arange(4) == 0, 0.10, 0.02)
    draws = np.arange(5000) % 100 < 100 * common[:, None]
    draws = np.random.default_rng(1).permuted(draws, axis=1)[..., None]
    found = shares(draws, GOOD, about(20_000)).iloc[0]
    assert found["share"] == pytest.approx(0.04)
    assert 0 < found["mcse"] < 0.025
    assert not found["trusted"]
    alike = np.random.default_rng(1).permuted(draws.ravel()).reshape(draws.shape)
    assert shares(alike, GOOD, about(20_000))["trusted"][0]


def test_no_share_is_known_better_than_its_quantity_in_bulk_and_tails():
    always = np.ones((4, 1000, 1), dtype=bool)
    for bulk, tail in ((98.0, 4000.0), (4000.0, 98.0)):
        known = about(bulk).assign(ess_tail=tail)
        assert shares(always, GOOD, known)["mcse"][0] == pytest.approx(0.01)


def test_what_always_holds_has_the_error_of_one_draw():
    always = np.ones((4, 1000, 1), dtype=bool)
    table = shares(always, GOOD, about(998.0))
    assert table["mcse"][0] == pytest.approx(0.001)
    assert table["trusted"][0]
    assert not shares(always, GOOD, about(10.0))["trusted"][0]
    assert not shares(always, GOOD, about(np.nan))["trusted"][0]
    assert not shares(always, Sampling("none", 1, 1.0), about(998.0))["trusted"][0]


def test_what_hardly_ever_holds_is_known_no_better_than_to_one_draw():
    hardly = np.zeros((4, 1000, 1), dtype=bool)
    hardly[0, 3] = True
    assert shares(hardly, GOOD, about(498.0))["mcse"][0] == pytest.approx(1 / 500)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_shares_of_what_chains_disagree_about_are_not_trusted(share):
    fine = RNG.random((4, 1000, 1)) < share
    assert shares(fine, GOOD, about(4000))["trusted"][0]
    assert not shares(fine, GOOD, about(4000, r_hat=1.03))["trusted"][0]
    assert not shares(fine, GOOD, about(4000, r_hat=np.nan))["trusted"][0]


def test_what_is_constant_is_known():
    table = shares(np.ones((4, 1000, 1), dtype=bool), GOOD, about(np.nan, np.nan, sd=0.0))
    assert table["mcse"][0] == 0
    assert table["trusted"][0]


def test_statements_rest_on_the_least_known_of_their_means():
    """All draws agree that a > b, but one chain has another a."""
    draws = RNG.normal(size=(4, 500, 2)) + np.array([20.0, 0.0])
    labels = pd.DataFrame({"A": ["a", "b"]})

    def table(draws):
        means = Quantities(labels, draws, np.ones(2, dtype=bool), "super", "link")
        return probability_table(means, [], "a > b", GOOD).iloc[0]

    assert table(draws)["trusted"]
    draws[0, :, 0] += 2
    assert table(draws)["probability"] == 1
    assert not table(draws)["trusted"]
    assert table(draws)["mcse"] > 0.01


def weighting(setting, pareto_k=0.2, log_weight=None):
    size = setting.shape
    proposal = np.arange(setting.size).reshape(size)
    log_weight = np.zeros(size) if log_weight is None else log_weight
    return Weighting(setting, proposal, log_weight, pareto_k, 100.0, setting.size)


def test_weighted_shares_add_up_settings():
    setting = np.repeat(np.arange(400), 10).reshape(4, 1000)
    whole = (RNG.random(400) < 0.4)[setting][..., None]
    single = RNG.random((4, 1000, 1)) < 0.4
    sampling = Sampling("laplace", 0, 1.0, weighting=weighting(setting))
    a, b = (shares(draws, sampling, about(4000)).iloc[0] for draws in (single, whole))
    assert a["mcse"] == pytest.approx(np.sqrt(0.24 / 4000), rel=0.2)
    assert b["mcse"] == pytest.approx(np.sqrt(0.24 / 400), rel=0.2)


def test_weights_without_a_mean_are_not_trusted():
    setting = np.arange(4000).reshape(4, 1000)
    event = RNG.random((4, 1000, 1)) < 0.4
    heavy = np.where(event[..., 0], RNG.pareto(0.8, size=(4, 1000)) + 1, 1.0)
    for values, trusted in ((np.ones((4, 1000)), True), (heavy, False)):
        known = Sampling("laplace", 0, 1.0, weighting=weighting(setting, 0.2, np.log(values)))
        assert shares(event, known, about(4000))["trusted"][0] == trusted
    overall = Sampling("laplace", 0, 1.0, weighting=weighting(setting, 0.9))
    assert not shares(event, overall, about(4000))["trusted"][0]


def test_statements_without_a_level_are_refused():
    """Levels that are numbers would be taken for numbers, and the answer would be sure."""
    with pytest.raises(ArgumentError, match="in backticks, such as `0\\.2`"):
        holds("0.6 > 0.2", {"0.2": A, "0.6": B})


def test_levels_that_python_reads_as_something_else():
    values = {"True": A, "False": B, "None": C, "\N{MICRO SIGN}g": D}
    assert (holds("True > False > None", values) == ((A > B) & (B > C))).all()
    assert (holds("\N{MICRO SIGN}g > None", values) == (D > C)).all()


def test_combinations_of_levels_with_colons_are_told_apart():
    labels = pd.DataFrame({"A": ["a:b", "a"], "B": ["c", "b:c"]})
    means = Quantities(labels, DRAWS[..., :2], np.ones(2, dtype=bool), "super", "link")
    table = probability_table(means, [], "`(a:b):c` > `a:(b:c)`", GOOD)
    assert table["probability"][0] == (A > B).mean()

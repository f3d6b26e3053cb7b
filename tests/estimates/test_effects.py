"""Deflections, contrasts and their support, against sums written out by hand."""

from itertools import chain, combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import linalg

from bambi_anova.estimates.contrast_families import pairwise_weights
from bambi_anova.estimates.effects import (
    Grid,
    contrasts_of_means,
    deflection_effects,
    estimable,
    mean_effects,
)

NAMES = "ABCD"


def contrast_effects(*args):
    return contrasts_of_means(*args).effects


def term_basis(grid, terms):
    """Columns that a model of these terms can move: the grand mean and the terms' deflections."""
    blocks = [deflection_effects(grid, term).weights.T for term in terms]
    return np.hstack([np.ones((grid.weights({}).size, 1)), *blocks])


def supported(weights, basis, observed):
    return estimable(weights, basis, basis[observed])


def grid_of(shape):
    return Grid(
        {NAMES[axis]: [f"{NAMES[axis]}{i}" for i in range(n)] for axis, n in enumerate(shape)}
    )


def subsets(axes):
    axes = list(axes)
    return list(chain.from_iterable(combinations(axes, size) for size in range(len(axes) + 1)))


def factors(axes):
    return [NAMES[axis] for axis in axes]


def mean_over_others(eta, kept, levels):
    """Average the cells that have some levels of the kept factors, one cell at a time."""
    found = [
        eta[cell]
        for cell in np.ndindex(eta.shape)
        if all(cell[axis] == level for axis, level in zip(kept, levels, strict=True))
    ]
    return sum(found) / len(found)


def deflections_by_hand(eta, term):
    """The alternating sum over the term's subsets, one combination of levels at a time."""
    found = []
    for levels in product(*(range(eta.shape[axis]) for axis in term)):
        at = dict(zip(term, levels, strict=True))
        found.append(
            sum(
                (-1) ** (len(term) - len(subset))
                * mean_over_others(eta, subset, [at[axis] for axis in subset])
                for subset in subsets(term)
            )
        )
    return np.array(found)


def deflections(eta, axes, grid=None):
    """The package's deflections of a term, with the term's levels as axes."""
    effects = deflection_effects(grid or grid_of(eta.shape), factors(axes))
    return effects.of(eta.ravel()).reshape([eta.shape[axis] for axis in axes])


def keyed(effects, eta):
    """Values of quantities by their labels, whatever the order of rows and columns."""
    rows = effects.labels.to_dict("records")
    return {
        frozenset(row.items()): value
        for row, value in zip(rows, effects.of(eta.ravel()), strict=True)
    }


@st.composite
def cell_means(draw):
    shape = draw(st.lists(st.integers(2, 4), min_size=1, max_size=4))
    return draw(hnp.arrays(float, shape, elements=st.floats(-100, 100, width=32)))


@st.composite
def cell_means_and_term(draw):
    eta = draw(cell_means())
    return eta, draw(st.sampled_from(subsets(range(eta.ndim))[1:]))


# -- Means and deflections ---------------------------------------------------------------------


@given(cell_means_and_term())
@settings(max_examples=60)
def test_deflections_are_alternating_sums_of_marginal_means(case):
    eta, term = case
    np.testing.assert_allclose(
        deflections(eta, term).ravel(), deflections_by_hand(eta, term), atol=1e-9
    )


@given(cell_means_and_term())
@settings(max_examples=60)
def test_marginal_means_average_the_other_factors(case):
    eta, term = case
    means = mean_effects(grid_of(eta.shape), factors(term)).of(eta.ravel())
    levels = product(*(range(eta.shape[axis]) for axis in term))
    by_hand = [mean_over_others(eta, term, found) for found in levels]
    np.testing.assert_allclose(means, by_hand, atol=1e-9)


@given(cell_means_and_term())
def test_deflections_sum_to_zero_along_each_factor(case):
    eta, term = case
    found = deflections(eta, term)
    for axis in range(found.ndim):
        np.testing.assert_allclose(found.sum(axis=axis), 0, atol=1e-9)


def spread_out(values, term, shape):
    """Give every cell the value of its combination of the term's levels."""
    return np.array(
        [values[tuple(cell[axis] for axis in term)] for cell in np.ndindex(*shape)]
    ).reshape(shape)


@given(cell_means())
def test_the_grand_mean_and_all_deflections_rebuild_the_cells(eta):
    rebuilt = np.full(eta.shape, eta.mean())
    for term in subsets(range(eta.ndim))[1:]:
        rebuilt += spread_out(deflections(eta, term), term, eta.shape)
    np.testing.assert_allclose(rebuilt, eta, atol=1e-9)


def test_a_term_left_out_does_not_rebuild_the_cells():
    eta = np.array([[1.0, 2.0], [3.0, 5.0]])
    rebuilt = eta.mean() + spread_out(deflections(eta, (0,)), (0,), eta.shape)
    assert np.abs(rebuilt - eta).max() > 0.5


@given(cell_means_and_term())
def test_deflecting_the_deflections_of_a_term_changes_nothing(case):
    eta, term = case
    own = deflections(eta, term)
    cells = spread_out(own, term, eta.shape)
    for other in subsets(range(eta.ndim))[1:]:
        expected = own if other == term else 0
        np.testing.assert_allclose(deflections(cells, other), expected, atol=1e-9)


@given(cell_means_and_term(), st.randoms(use_true_random=False))
def test_reordering_levels_reorders_the_deflections(case, random):
    eta, term = case
    orders = [random.sample(range(size), size) for size in eta.shape]
    levels = {
        name: [f"{name}{i}" for i in order] for name, order in zip(NAMES, orders, strict=False)
    }
    one = keyed(deflection_effects(grid_of(eta.shape), factors(term)), eta)
    other = keyed(deflection_effects(Grid(levels), factors(term)), eta[np.ix_(*orders)])
    assert one == pytest.approx(other, abs=1e-9)


@given(cell_means_and_term(), st.randoms(use_true_random=False))
def test_reordering_factors_keeps_every_quantity(case, random):
    eta, term = case
    grid = grid_of(eta.shape)
    order = random.sample(range(eta.ndim), eta.ndim)
    other_grid = Grid({NAMES[axis]: grid.levels[NAMES[axis]] for axis in order})
    for make in (mean_effects, deflection_effects):
        one = keyed(make(grid, factors(term)), eta)
        other = keyed(make(other_grid, factors(term)[::-1]), eta.transpose(order))
        assert one == pytest.approx(other, abs=1e-9)


def test_quantities_apply_to_every_draw():
    draws = np.random.default_rng(1).normal(size=(2, 5, 6))
    effects = deflection_effects(grid_of((2, 3)), ["B"])
    assert effects.of(draws).shape == (2, 5, 3)
    np.testing.assert_allclose(
        effects.of(draws)[1, 4], deflections(draws[1, 4].reshape(2, 3), (1,))
    )


def test_labels_keep_the_grids_order_of_factors():
    labels = mean_effects(grid_of((2, 2)), ["B", "A"]).labels
    assert list(labels.columns) == ["A", "B"]
    assert labels.to_numpy().tolist() == [["A0", "B0"], ["A0", "B1"], ["A1", "B0"], ["A1", "B1"]]


# -- Contrasts ---------------------------------------------------------------------------------


def pairwise(grid, *names):
    return {name: pairwise_weights(grid.levels[name]) for name in names}


def test_pairs_are_first_minus_second_in_level_order():
    weights = pairwise_weights(["low", "mid", "high"])
    assert list(weights) == ["low - mid", "low - high", "mid - high"]
    np.testing.assert_array_equal(weights["mid - high"], [0, 1, -1])


@given(cell_means_and_term())
def test_contrasts_weigh_cells_to_zero(case):
    eta, term = case
    grid = grid_of(eta.shape)
    by = [name for name in grid.levels if name not in factors(term)][:1]
    weights = contrast_effects(grid, pairwise(grid, *factors(term)), by).weights
    np.testing.assert_allclose(weights.sum(axis=1), 0, atol=1e-12)
    assert np.abs(weights).sum(axis=1) == pytest.approx(2 ** len(term))


def test_a_main_contrast_is_a_difference_of_marginal_means():
    eta = np.random.default_rng(2).normal(size=(2, 3, 2))
    grid = grid_of(eta.shape)
    effects = contrast_effects(grid, pairwise(grid, "B"))
    by_hand = {
        f"B{i} - B{j}": mean_over_others(eta, (1,), [i]) - mean_over_others(eta, (1,), [j])
        for i, j in combinations(range(3), 2)
    }
    found = dict(zip(effects.labels["contrast"], effects.of(eta.ravel()), strict=True))
    assert found == pytest.approx(by_hand)


def test_an_interaction_contrast_is_a_difference_of_differences():
    eta = np.random.default_rng(3).normal(size=(3, 2, 3))
    grid = grid_of(eta.shape)
    effects = contrast_effects(grid, pairwise(grid, "A", "C"))
    by_hand = {}
    for (i, j), (k, m) in product(combinations(range(3), 2), combinations(range(3), 2)):
        at = {cell: mean_over_others(eta, (0, 2), cell) for cell in product(range(3), range(3))}
        by_hand[f"(A{i} - A{j}) : (C{k} - C{m})"] = (at[i, k] - at[j, k]) - (at[i, m] - at[j, m])
    found = dict(zip(effects.labels["contrast"], effects.of(eta.ravel()), strict=True))
    assert found == pytest.approx(by_hand)


def test_a_three_way_contrast_is_a_difference_of_interaction_contrasts():
    eta = np.random.default_rng(4).normal(size=(2, 2, 2))
    grid = grid_of(eta.shape)
    (found,) = contrast_effects(grid, pairwise(grid, "A", "B", "C")).of(eta.ravel())
    by_hand = sum((-1) ** (i + j + k) * eta[i, j, k] for i, j, k in product(range(2), repeat=3))
    assert found == pytest.approx(by_hand)


def test_simple_effects_are_contrasts_at_each_level_of_the_other_factor():
    eta = np.random.default_rng(5).normal(size=(2, 3, 2))
    grid = grid_of(eta.shape)
    for by, axis in (("A", 0), ("C", 2)):
        effects = contrast_effects(grid, pairwise(grid, "B"), [by])
        assert list(effects.labels.columns) == [by, "contrast"]
        by_hand = {
            (f"{by}{level}", f"B{i} - B{j}"): mean_over_others(eta, (axis, 1), [level, i])
            - mean_over_others(eta, (axis, 1), [level, j])
            for level in range(2)
            for i, j in combinations(range(3), 2)
        }
        keys = map(tuple, effects.labels.to_numpy())
        assert dict(zip(keys, effects.of(eta.ravel()), strict=True)) == pytest.approx(by_hand)


def test_simple_effects_at_several_factors_have_the_columns_asked_for():
    grid = grid_of((2, 2, 2))
    effects = contrast_effects(grid, pairwise(grid, "B"), ["C", "A"])
    assert list(effects.labels.columns) == ["C", "A", "contrast"]
    eta = np.random.default_rng(6).normal(size=(2, 2, 2))
    values = keyed(effects, eta)
    row = frozenset({"C": "C1", "A": "A0", "contrast": "B0 - B1"}.items())
    assert values[row] == pytest.approx(eta[0, 0, 1] - eta[0, 1, 1])


def test_contrasts_of_ones_own_mix_with_pairs():
    eta = np.random.default_rng(7).normal(size=(3, 2))
    grid = grid_of(eta.shape)
    methods = {"A": {"trend": np.array([-1.0, 0.0, 1.0])}, **pairwise(grid, "B")}
    effects = contrast_effects(grid, methods)
    assert effects.labels["contrast"].tolist() == ["(trend) : (B0 - B1)"]
    trends = eta[2] - eta[0]
    assert effects.of(eta.ravel())[0] == pytest.approx(trends[0] - trends[1])


# -- Support -----------------------------------------------------------------------------------


def dummy_columns(shape, terms):
    """One indicator column a combination of levels: another basis of the same model."""
    columns = [np.ones(int(np.prod(shape)))]
    for term in terms:
        for levels in product(*(range(shape[axis]) for axis in term)):
            columns.append(
                [
                    float(
                        all(cell[axis] == level for axis, level in zip(term, levels, strict=True))
                    )
                    for cell in np.ndindex(*shape)
                ]
            )
    return np.column_stack(columns)


def is_the_same_for_all_that_fit(weights, shape, terms, observed):
    """Whether two coefficient vectors with the same fitted cells agree about each quantity."""
    dummies = dummy_columns(shape, terms)
    unseen = linalg.null_space(dummies[observed])
    change = dummies @ (unseen @ np.random.default_rng(8).normal(size=unseen.shape[1]))
    np.testing.assert_allclose(change[observed], 0, atol=1e-9)
    return np.abs(weights @ change) < 1e-8


@st.composite
def incomplete_models(draw):
    shape = tuple(draw(st.lists(st.integers(2, 3), min_size=1, max_size=3)))
    tops = draw(st.sets(st.sampled_from(subsets(range(len(shape)))[1:]), min_size=1))
    terms = sorted({part for top in tops for part in subsets(top)[1:]}, key=lambda t: (len(t), t))
    observed = draw(hnp.arrays(bool, int(np.prod(shape))))
    observed[draw(st.integers(0, len(observed) - 1))] = True
    return shape, terms, observed


@given(incomplete_models())
@settings(max_examples=80)
def test_supported_means_that_all_fitting_coefficients_agree(case):
    shape, terms, observed = case
    grid = grid_of(shape)
    basis = term_basis(grid, [factors(term) for term in terms])
    for axes in subsets(range(len(shape)))[1:]:
        names = factors(axes)
        for effects in (
            mean_effects(grid, names),
            deflection_effects(grid, names),
            contrast_effects(grid, pairwise(grid, *names)),
        ):
            found = supported(effects.weights, basis, observed)
            expected = is_the_same_for_all_that_fit(effects.weights, shape, terms, observed)
            np.testing.assert_array_equal(found, expected)


TWO_BY_TWO = grid_of((2, 2))
ONE_EMPTY = np.array([True, True, True, False])


def support_of(effects, terms, observed):
    return supported(effects.weights, term_basis(TWO_BY_TWO, terms), observed).tolist()


def test_an_additive_model_fills_in_an_empty_cell():
    assert support_of(mean_effects(TWO_BY_TWO, "AB"), ["A", "B"], ONE_EMPTY) == [True] * 4


def test_an_interaction_leaves_an_empty_cell_to_the_prior():
    terms = ["A", "B", "AB"]
    assert support_of(mean_effects(TWO_BY_TWO, "AB"), terms, ONE_EMPTY) == ONE_EMPTY.tolist()
    assert support_of(mean_effects(TWO_BY_TWO, "A"), terms, ONE_EMPTY) == [True, False]
    simple = contrast_effects(TWO_BY_TWO, pairwise(TWO_BY_TWO, "B"), ["A"])
    assert support_of(simple, terms, ONE_EMPTY) == [True, False]
    both = contrast_effects(TWO_BY_TWO, pairwise(TWO_BY_TWO, "A", "B"))
    assert support_of(both, terms, ONE_EMPTY) == [False]


def test_a_full_grid_supports_everything():
    everything = mean_effects(TWO_BY_TWO, "AB")
    assert support_of(everything, ["A", "B", "AB"], np.ones(4, bool)) == [True] * 4


@pytest.mark.parametrize("seed", range(20))
def test_many_rows_with_a_covariate_support_everything(seed):
    """Rounding leaves redundant columns singular values that grow with the rows."""
    rng = np.random.default_rng(seed)
    basis = term_basis(TWO_BY_TWO, ["A", "B", "AB"])
    rows = np.column_stack([basis[rng.integers(0, 4, 4100)], rng.normal(size=4100)])
    span = np.linalg.qr(rows, mode="r")
    means = mean_effects(TWO_BY_TWO, "AB").weights
    assert estimable(means, np.column_stack([basis, np.zeros(4)]), span).all()
    assert not estimable(means, np.column_stack([basis, np.zeros(4)]), span[:3]).any()


def test_a_term_that_is_not_in_the_model_has_a_known_deflection_of_zero():
    interaction = deflection_effects(TWO_BY_TWO, "AB")
    assert support_of(interaction, ["A", "B"], ONE_EMPTY) == [True] * 4

"""Margins: the same prior of the cell means as free effects of every level, by its covariance."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bambi_anova.design.margins import (
    DEFLECTIONS,
    cell_levels,
    find_margins,
    row_levels,
    zero_sum_basis,
)

NAMES = ("A", "B", "C")


@st.composite
def designs(draw):
    """Levels of three factors, some terms of them, and a variance for each term."""
    levels = {name: draw(st.integers(2, 4)) for name in NAMES}
    every = [t for size in (1, 2, 3) for t in product(NAMES, repeat=size) if len(set(t)) == size]
    by_factors = st.lists(st.sampled_from(every), min_size=1, max_size=5, unique_by=frozenset)
    terms = {":".join(term): term for term in draw(by_factors)}
    return levels, terms, {name: draw(st.floats(0.1, 4)) for name in terms}


def spread_out(term, levels):
    """From effects of a term's levels to the cells, shape (cells, levels of the term)."""
    grid = np.indices(tuple(levels.values())).reshape(len(levels), -1)
    axes = [list(levels).index(name) for name in term]
    shape = tuple(levels[name] for name in term)
    codes = np.ravel_multi_index(tuple(grid[axes]), shape) if term else np.zeros(grid.shape[1], int)
    return np.eye(int(np.prod(shape, dtype=int)))[codes]


def columns_of(margin, terms, levels):
    return spread_out(terms[margin.home] if margin.home else (), levels) @ margin.basis


def covariance_of_margins(margins, terms, levels, variances):
    total = 0.0
    for margin in margins:
        variance = sum(share * variances[term] for term, share in margin.variances.items())
        columns = columns_of(margin, terms, levels)
        total = total + variance * columns @ columns.T
    return total


@given(designs())
def test_cell_means_have_the_prior_of_free_effects_of_every_level(design):
    levels, terms, variances = design
    effects = {name: spread_out(term, levels) for name, term in terms.items()}
    free = sum(variances[name] * own @ own.T for name, own in effects.items())
    for common in (True, False):
        margins = find_margins(terms, levels, common=common)
        found = covariance_of_margins(margins, terms, levels, variances)
        np.testing.assert_allclose(found, free, atol=1e-12)


@given(designs())
def test_margins_are_all_that_the_cells_can_tell_apart(design):
    levels, terms, _ = design
    margins = find_margins(terms, levels)
    columns = [columns_of(margin, terms, levels) for margin in margins]
    stacked = np.hstack(columns)
    free = np.hstack([np.ones((len(stacked), 1)), *(spread_out(t, levels) for t in terms.values())])
    rank = np.linalg.matrix_rank(free)
    assert stacked.shape[1] == rank == np.linalg.matrix_rank(np.hstack([stacked, free]))


@given(designs())
def test_bases_of_one_home_are_orthonormal_together(design):
    levels, terms, _ = design
    margins = find_margins(terms, levels, common=False)
    for term in terms:
        basis = np.hstack([m.basis for m in margins if m.home == term])
        np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)


def test_deflecting_every_term_by_itself_is_another_model():
    levels = {"A": 2, "B": 3}
    terms = {"A": ("A",), "B": ("B",), "A:B": ("A", "B")}
    variances = dict.fromkeys(terms, 1.0)
    own = [find_margins(terms, levels, on) for on in ("levels", DEFLECTIONS)]
    one, other = (covariance_of_margins(m, terms, levels, variances) for m in own)
    assert np.abs(one - other).max() > 0.3


@pytest.mark.parametrize("priors_on", ["levels", DEFLECTIONS])
def test_a_single_factor_has_itself_and_the_mean(priors_on):
    mean, own = find_margins({"A": ("A",)}, {"A": 4}, priors_on)
    assert (mean.factors, mean.home, own.factors) == ((), None, ("A",))
    assert own.variances == {"A": 1.0}
    assert mean.variances == ({"A": 0.25} if priors_on == "levels" else {})
    np.testing.assert_array_equal(own.basis, zero_sum_basis(4))


@given(st.lists(st.integers(2, 5), min_size=1, max_size=3))
@settings(max_examples=30)
def test_the_basis_is_orthonormal_and_sums_to_zero_along_each_axis(levels):
    basis = zero_sum_basis(*levels)
    size = int(np.prod(levels))
    assert basis.shape == (size, int(np.prod([n - 1 for n in levels])))
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)
    for axis in range(len(levels)):
        sums = basis.reshape(*levels, -1).sum(axis=axis)
        np.testing.assert_allclose(sums, 0, atol=1e-12)


@pytest.mark.parametrize("levels", [(2, 3), (4, 2, 3)])
def test_the_basis_of_an_interaction_is_the_kronecker_product_of_its_factors(levels):
    expected = np.ones((1, 1))
    for size in levels:
        expected = np.kron(expected, zero_sum_basis(size))
    np.testing.assert_allclose(zero_sum_basis(*levels), expected)


@pytest.mark.parametrize("levels", [(2,), (5,), (2, 3), (3, 2, 2)])
def test_the_basis_spans_what_deflecting_leaves(levels):
    deflect = np.ones((1, 1))
    for size in levels:
        deflect = np.kron(deflect, np.eye(size) - 1 / size)
    basis = zero_sum_basis(*levels)
    np.testing.assert_allclose(basis @ basis.T, deflect, atol=1e-12)


@pytest.mark.parametrize("factors", [("group",), ("task", "group"), ("group", "task")])
def test_combinations_of_rows_and_cells_are_counted_in_the_same_order(build, split_plot, factors):
    design = build("y ~ group * task + Error(subject)", split_plot)
    labels = split_plot[list(factors)].agg(":".join, axis=1)
    rows, cells = row_levels(factors, design), cell_levels(factors, design)
    known = dict(zip(rows, labels, strict=True))
    assert list(labels) == [known[code] for code in rows]
    cell_labels = design.cells[list(factors)].agg(":".join, axis=1)
    assert list(cell_labels) == [known[code] for code in cells]
    assert list(known.values()) != sorted(known.values()) or sorted(known) == list(
        range(len(known))
    )


def test_without_terms_and_a_common_part_there_are_no_margins():
    assert find_margins({}, {"A": 2}, common=False) == []
    assert [margin.factors for margin in find_margins({}, {"A": 2})] == [()]

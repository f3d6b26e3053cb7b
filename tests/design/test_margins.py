"""Level combinations of terms, and coordinates of effects that sum to zero."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bambi_anova.design.margins import cell_levels, effects_basis, row_levels, zero_sum_basis


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


def test_effects_have_coordinates_of_their_own_or_share_them(build, split_plot):
    design = build("y ~ group * task + Error(subject)", split_plot)
    np.testing.assert_array_equal(effects_basis(("group", "task"), design, True), np.eye(4))
    np.testing.assert_array_equal(
        effects_basis(("group", "task"), design, False), zero_sum_basis(2, 2)
    )

"""Greenhouse and Geisser's epsilon of data, and whom it warns."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.design.margins import zero_sum_basis
from bambi_anova.errors import SphericityWarning
from bambi_anova.screening.sphericity import (
    CLEAR,
    WELL_BELOW_ONE,
    deviate,
    epsilon,
    parts_within,
    unit_cells,
)

REFERENCE = Path(__file__).parents[1] / "reference"
#: Neighbouring cells go together most, and spread grows.
DRIFT = 0.9 ** np.abs(np.subtract.outer(range(4), range(4))) * np.outer(range(1, 5), range(1, 5))
COMPOUND = 0.5 + 0.5 * np.eye(4)


def study(covariance=DRIFT, units=30, copies=1, seed=3):
    rng = np.random.default_rng(seed)
    own = rng.multivariate_normal(np.zeros(4), covariance, units)
    rows = pd.DataFrame(
        [(j, k) for j in range(units) for k in range(4) for _ in range(copies)], columns=["j", "k"]
    )
    y = 10 + own[rows["j"], rows["k"]] + (copies > 1) * rng.normal(size=len(rows))
    return pd.DataFrame(
        {
            "s": "s" + rows["j"].astype(str),
            "group": np.where(rows["j"] % 2, "a", "b"),
            "A": "l" + rows["k"].astype(str),
            "x": rng.normal(size=units)[rows["j"]],
            "z": rng.normal(size=len(rows)),
            "y": y,
        }
    )


def warned(formula, data, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ba.Model(formula, data, **options)
    return [str(one.message) for one in caught if one.category is SphericityWarning]


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
def test_epsilon_of_the_data_is_that_of_afex():
    data = pd.read_csv(REFERENCE / "together_cells.csv")
    design = ba.Model("y ~ group * load + Error(s/load)", data).design
    found = unit_cells(design, design.unit("s"), ("load",))
    (basis,) = parts_within(design, ("load",)).values()
    wanted = pd.read_csv(REFERENCE / "together_afex.csv")["epsilon"]
    assert len(wanted) == 2
    np.testing.assert_allclose(epsilon(found.covariance, basis), wanted, rtol=1e-10)
    assert (found.df, found.rows, found.units) == (22, 2.0, 24)


def test_epsilon_is_one_at_best_and_one_over_df_at_worst():
    basis, rng = zero_sum_basis(5), np.random.default_rng(1)
    assert epsilon(COMPOUND[:3, :3], zero_sum_basis(3)) == pytest.approx(1)
    one = basis @ rng.normal(size=4)
    assert epsilon(np.outer(one, one), basis) == pytest.approx(1 / 4)
    # It does not depend on the contrasts that are chosen.
    turned = basis @ np.linalg.qr(rng.normal(size=(4, 4)))[0]
    any_one = np.cov(rng.normal(size=(5, 9)))
    assert epsilon(any_one, turned) == pytest.approx(epsilon(any_one, basis))


def test_sphericity_is_hardly_ever_called_broken_where_it_holds():
    rng, found = np.random.default_rng(4), []
    for units, levels in ((10, 4), (16, 6), (60, 8)):
        basis = zero_sum_basis(levels)
        for _ in range(300):
            value = float(epsilon(np.cov(rng.normal(size=(levels, units))), basis))
            far = deviate(value, levels - 1, units - 1) > CLEAR
            found.append(far and value < WELL_BELOW_ONE)
    assert np.mean(found) < 0.005


@pytest.mark.parametrize(
    ("formula", "wanted"),
    [
        ("y ~ A + Error(s/A)", "y ~ A + Error(s/A, cov='unstructured')"),
        ("y ~ A + (1|s)", "y ~ A + Error(s/A, cov='unstructured')"),
        ("y ~ group * A + (1|s) + (1|s:A)", "y ~ group * A + Error(s/A, cov='unstructured')"),
        ("y ~ A + x + Error(s/A)", "y ~ A + x + Error(s/A, cov='unstructured')"),
    ],
)
def test_the_warning_names_a_formula_that_does_not_warn(formula, wanted):
    data = study()
    (text,) = warned(formula, data)
    assert "epsilon of 'A' within 's' is 0." in text
    assert text.endswith(repr(wanted))
    assert warned(wanted, data) == []


@pytest.mark.parametrize(
    ("formula", "data", "options"),
    [
        ("y ~ A + Error(s/A)", study(COMPOUND), {}),
        ("y ~ A + Error(s/A)", study(units=6), {}),  # too few to tell
        ("y ~ A + z + Error(s/A)", study(), {}),  # means of units differ by z as well
        ("y ~ A + Error(s/A)", study(), {"family": "t"}),
        ("y ~ A", study(), {}),
        ("y ~ A + Error(s/A)", study().query("A < 'l2'"), {}),  # two levels: no question
        (
            "y ~ A + Error(s/A)",
            study().drop(index=[4 * j + j % 4 for j in range(30)]),
            {},
        ),
    ],
)
def test_nobody_is_warned_without_reason(formula, data, options):
    assert warned(formula, data, **options) == []


def test_means_of_unequal_numbers_of_rows_are_no_reason():
    """They vary unequally by the residual alone."""
    rng = np.random.default_rng(8)
    rows = [
        (f"s{j}", f"l{k}", rng.normal()) for j in range(40) for k in range(4) for _ in range(4**k)
    ]
    data = pd.DataFrame(rows, columns=["s", "A", "y"])
    assert warned("y ~ A + Error(s/A)", data) == []


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
def test_units_without_some_cells_are_left_out():
    data = study().drop(index=[0, 5, 6])
    design = ba.Model("y ~ A + Error(s/A, cov='unstructured')", data).design
    found = unit_cells(design, design.unit("s"), ("A",))
    whole = data[~data["s"].isin(["s0", "s1"])].pivot_table(index="s", columns="A", values="y")
    np.testing.assert_allclose(found.covariance, whole.cov())
    assert found.units == 28

"""Interactions between units of factors with several levels, against brute force by definition."""

from itertools import combinations, permutations, product

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.classical import permutation_test

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


def people(cells, seed=3, **columns):
    """A row a person, so many in each cell of group (3) x site (2)."""
    rows = [(g, s) for (g, s), many in cells.items() for _ in range(many)]
    frame = pd.DataFrame(rows, columns=["group", "site"]).assign(person=range(len(rows)), **columns)
    return frame.assign(y=np.random.default_rng(seed).normal(size=len(frame)).round(3))


CELLS = dict(zip(product("uvw", "mn"), (2, 2, 1, 2, 2, 1), strict=True))
FEW = dict(zip(CELLS, (2, 1, 1, 1, 1, 1), strict=True))


def least_squares_residuals(values, *factors):
    """What a model with these effects, and no interaction of them, leaves."""
    columns = [np.ones(len(values))]
    columns += [np.asarray(f) == level for f in factors for level in np.unique(f)]
    design = np.column_stack(columns).astype(float)
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def difference_of_differences(values, frame, pair):
    """(first - second) at m, less the same at n; of every row of values."""
    total = 0.0
    for group, site in product(pair, "mn"):
        chosen = ((frame["group"] == group) & (frame["site"] == site)).to_numpy()
        sign = (1 if group == pair[0] else -1) * (1 if site == "m" else -1)
        total = total + sign * values[..., chosen].mean(axis=-1)
    return total


@pytest.mark.parametrize("pair", list(combinations("uvw", 2)))
def test_contrasts_of_an_interaction_are_those_of_their_levels_alone(pair):
    frame = people(CELLS)
    model = ba.Model("y ~ group * site + Error(person)", frame)
    table = permutation_test(model, "group:site", permutations=6000, ci_prob=0.8)
    row = table.set_index("contrast").loc[f"({pair[0]} - {pair[1]}) : (m - n)"]
    own = frame[frame["group"].isin(pair)].reset_index(drop=True)
    y = own["y"].to_numpy()
    observed = difference_of_differences(y, own, pair)
    assert row["estimate"] == pytest.approx(observed)
    assert row["units"] == len(own)
    orders = np.array(list(permutations(range(len(own)))))
    assert row["permutations"] == len(orders)
    assert row["exact"]
    null = difference_of_differences(
        least_squares_residuals(y, own["group"], own["site"])[orders], own, pair
    )
    assert row["p"] == pytest.approx(np.mean(np.abs(null) >= abs(observed) - 1e-9))
    # The bounds: where an interaction of that size, taken out of the rows, is just not rejected.
    cell = (own["group"] == pair[0]).to_numpy() * 2 - 1
    effect = cell * ((own["site"] == "m").to_numpy() * 2 - 1) / 4
    assert difference_of_differences(effect, own, pair) == pytest.approx(1)

    def one_sided(shift, side):
        left = least_squares_residuals(y - shift * effect, own["group"], own["site"])
        null = side * difference_of_differences(left[orders], own, pair)
        return np.mean(null >= side * (observed - shift) - 1e-9)

    for bound, side, inwards in ((row["lower"], 1, 1e-5), (row["upper"], -1, -1e-5)):
        assert np.isfinite(bound)
        assert one_sided(bound + inwards, side) > 0.1
        assert one_sided(bound - inwards, side) <= 0.1


def test_the_whole_interaction_is_that_of_brute_force():
    frame = people(FEW)
    model = ba.Model("y ~ group * site + Error(person)", frame)
    row = permutation_test(model, "group:site", permutations=6000).set_index("contrast").iloc[0]
    y = frame["y"].to_numpy()

    def size(values):
        """The sum of squared deflections of the table of cell means."""
        means = np.stack(
            [
                values[..., ((frame["group"] == g) & (frame["site"] == s)).to_numpy()].mean(axis=-1)
                for g, s in CELLS
            ],
            axis=-1,
        ).reshape(*values.shape[:-1], 3, 2)
        left = means - means.mean(axis=-1, keepdims=True)
        return ((left - left.mean(axis=-2, keepdims=True)) ** 2).sum(axis=(-2, -1))

    residuals = least_squares_residuals(y, frame["group"], frame["site"])
    null = size(residuals[np.array(list(permutations(range(7))))])
    assert row["exact"]
    assert row["permutations"] == len(null) == 5040
    assert row["p"] == pytest.approx(np.mean(null >= size(y) - 1e-9))


def test_residuals_are_taken_and_moved_within_cells_of_a_third_factor():
    old, young = people(FEW, seed=5, age="old"), people(FEW, seed=6, age="young")
    frame = pd.concat([old, young.assign(person=lambda d: d["person"] + 100)], ignore_index=True)
    frame = frame[frame["group"] != "w"].reset_index(drop=True)
    frame["y"] += 5.0 * ((frame["age"] == "old") & (frame["group"] == "u"))
    model = ba.Model("y ~ group * site + age + Error(person)", frame)
    row = permutation_test(model, "group:site", permutations=20_000).iloc[0]
    parts = [part.reset_index(drop=True) for _, part in frame.groupby("age")]
    nulls, observed = [], []
    for part in parts:
        y = part["y"].to_numpy()
        observed.append(difference_of_differences(y, part, "uv"))
        left = least_squares_residuals(y, part["group"], part["site"])
        orders = np.array(list(permutations(range(len(part)))))
        nulls.append(difference_of_differences(left[orders], part, "uv"))
    null = np.add.outer(*nulls).ravel() / 2
    assert row["estimate"] == pytest.approx(np.mean(observed))
    assert "within each cell of age" in row["rests_on"]
    assert row["exact"]
    assert row["permutations"] == len(null) == 120**2
    assert row["p"] == pytest.approx(np.mean(np.abs(null) >= abs(np.mean(observed)) - 1e-9))

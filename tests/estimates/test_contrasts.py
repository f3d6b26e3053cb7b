"""Families of contrasts against R's emmeans, contrasts of one's own, and what is refused."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bambi_anova.errors import ArgumentError, SpacingWarning
from bambi_anova.estimates.contrast_families import FAMILIES, Levels, pairwise_weights
from bambi_anova.estimates.contrast_weights import contrast_weights

REFERENCE = Path(__file__).parents[1] / "reference"
TABLE = pd.read_csv(REFERENCE / "emmeans_weights.csv", keep_default_na=False)
FAMILIES_OF_R = TABLE.loc[TABLE["options"] == "", "family"].unique()
LETTERS = "abcdefghijklm"


def levels(size, **options):
    return Levels("A", tuple(LETTERS[:size]), **options)


def theirs(rows):
    """The reference's weights by contrast, in its order."""
    return {
        name.replace(";", ","): part["weight"].to_numpy()
        for name, part in rows.groupby("contrast", sort=False)
    }


def agree(ours, rows, tolerance=1e-12):
    expected = theirs(rows)
    assert list(ours) == list(expected)
    for name, weights in ours.items():
        np.testing.assert_allclose(weights, expected[name], rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("family", FAMILIES_OF_R)
def test_families_are_those_of_emmeans(family):
    rows = TABLE[(TABLE["family"] == family) & (TABLE["options"] == "")]
    assert rows["levels"].nunique() >= 5
    for size, part in rows.groupby("levels"):
        agree(contrast_weights(family, levels(size)), part)


@pytest.mark.parametrize(
    ("family", "written", "options"),
    [
        ("trt.vs.ctrl", "ref=3", {"ref": "c"}),
        ("trt.vs.ctrl", "ref=2+4", {"ref": ["b", "d"]}),
        ("opoly", "scores=0+1+3+10", {"scores": [0, 1, 3, 10]}),
    ],
)
def test_options_are_those_of_emmeans(family, written, options):
    part = TABLE[(TABLE["family"] == family) & (TABLE["options"] == written)]
    agree(contrast_weights(family, levels(part["levels"].iloc[0], **options)), part)


def test_all_families_but_one_have_a_reference():
    known = {name.replace(".", "_") for name in FAMILIES_OF_R}
    assert set(FAMILIES) - known == {"revhelmert"}


def test_reverse_helmert_is_helmert_of_the_levels_turned_round():
    found = contrast_weights("revhelmert", levels(4))
    assert list(found) == ["c vs later", "b vs later", "a vs later"]
    np.testing.assert_array_equal(found["b vs later"], [0, 2, -1, -1])


@given(st.sampled_from(sorted(FAMILIES)), st.integers(2, 9))
def test_every_contrast_sums_to_zero(family, size):
    for weights in contrast_weights(family, levels(size)).values():
        assert weights.shape == (size,)
        assert abs(weights.sum()) < 1e-12
        assert np.abs(weights).max() > 0


@given(st.sampled_from(["poly", "opoly", "helmert", "revhelmert"]), st.integers(2, 7))
def test_orthogonal_families_are_orthogonal(family, size):
    rows = np.stack(list(contrast_weights(family, levels(size)).values()))
    gram = rows @ rows.T
    np.testing.assert_allclose(gram - np.diag(np.diag(gram)), 0, atol=1e-9)
    assert len(rows) == size - 1


def test_pairs_are_not_orthogonal():
    rows = np.stack(list(pairwise_weights("abc").values()))
    assert np.abs((rows @ rows.T)[0, 1]) > 0


@given(st.lists(st.integers(-50, 50), min_size=3, max_size=6, unique=True))
def test_polynomials_at_scores_find_their_own_degree_only(scores):
    rows = contrast_weights("poly", levels(len(scores), scores=scores))
    exact = [Fraction(score) for score in scores]
    for degree, weights in enumerate(rows.values(), start=1):
        np.testing.assert_allclose(np.linalg.norm(weights), 1)
        for lower in range(degree):
            values = np.array([float(x**lower) for x in exact])
            assert abs(weights @ values) < 1e-9 * np.abs(values).sum()
        assert weights @ np.array([float(x**degree) for x in exact]) > 0


def test_numbers_can_be_the_scores():
    doses = Levels("dose", (0, 1, 3, 10))
    with pytest.warns(SpacingWarning, match=r"0, 1, 3, 10.*scores='levels'"):
        equal = contrast_weights("poly", doses)
    assert equal["linear"].tolist() == [-3, -1, 1, 3]
    lying = Levels("dose", (0, 1, 3, 10), scores="levels")
    np.testing.assert_allclose(
        contrast_weights("poly", lying)["linear"],
        (np.array([0, 1, 3, 10]) - 3.5) / np.linalg.norm(np.array([0, 1, 3, 10]) - 3.5),
    )


def test_numbers_as_text_are_numbers():
    found = contrast_weights("poly", Levels("n", ("0.0", "0.2", "0.4", "0.6"), ordered=False))
    assert found["linear"].tolist() == [-3, -1, 1, 3]


def test_polynomials_need_an_order():
    names = Levels("A", ("lo", "mid", "hi"), ordered=False)
    with pytest.raises(ArgumentError, match=r"neither numbers nor an ordered.*scores="):
        contrast_weights("poly", names)
    assert contrast_weights("poly", Levels("A", names.values, ordered=True))
    assert contrast_weights("poly", Levels("A", names.values, False, scores=[1, 2, 3]))


# -- Contrasts of one's own --------------------------------------------------------------------

TILLAGE = Levels("tillage", ("Chisel", "Moldbrd", "Ridge"))


def test_weights_by_level():
    found = contrast_weights({"one": {"Ridge": 1, "Chisel": -1}}, TILLAGE)
    assert found["one"].tolist() == [-1, 0, 1]


@pytest.mark.parametrize("left", [["Ridge", "Moldbrd"], ("Ridge", "Moldbrd")])
@pytest.mark.parametrize("right", [["Chisel"], "Chisel"])
def test_sides_are_means_as_kruschke_writes_them(left, right):
    found = contrast_weights({"ridge and moldboard vs chisel": (left, right)}, TILLAGE)
    assert found["ridge and moldboard vs chisel"].tolist() == [-1, 0.5, 0.5]


def test_rows_of_an_array_are_named_by_what_they_weigh():
    found = contrast_weights([[-1, 0.5, 0.5], [0, 1, -1]], TILLAGE)
    assert list(found) == ["-Chisel + 0.5 Moldbrd + 0.5 Ridge", "Moldbrd - Ridge"]
    one = contrast_weights(np.array([1, -1, 0]), TILLAGE)
    assert list(one) == ["Chisel - Moldbrd"]


def test_a_mapping_can_hold_rows():
    found = contrast_weights({"first": [1, -1, 0]}, TILLAGE)
    assert found["first"].tolist() == [1, -1, 0]


def test_levels_are_found_by_value_or_text():
    doses = Levels("dose", (0.0, 0.2))
    for low, high in ((0.0, 0.2), ("0.0", "0.2")):
        assert contrast_weights({"up": ([high], [low])}, doses)["up"].tolist() == [-1, 1]


def test_cells_are_named_by_their_levels():
    cells = Levels("A:B", (("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")))
    for key in ("b:y", ("b", "y")):
        found = contrast_weights({"last": {key: 1, "a:x": -1}}, cells)
        assert found["last"].tolist() == [-1, 0, 0, 1]
    one = contrast_weights({"one": (("b", "y"), [("a", "x"), "a:y"])}, cells)
    assert one["one"].tolist() == [-0.5, -0.5, 0, 1]


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("pariwise", {}, "did you mean 'pairwise'"),
        ("helmart", {}, "did you mean 'helmert'"),
        ({"x": {"Ridge": 1, "Chisel": -0.5}}, {}, r"sum to 0\.5, expected 0"),
        ({"x": {"Rigde": 1, "Chisel": -1}}, {}, "did you mean 'Ridge'"),
        ({"x": (["Ridge"], ["Chissel"])}, {}, "did you mean 'Chisel'"),
        ({"x": (["Ridge"], [])}, {}, "each side needs levels"),
        ({"x": (["Ridge", "Ridge"], ["Chisel"])}, {}, "each of them once"),
        ({"x": (["Ridge"], ["Ridge"])}, {}, "nothing is compared"),
        ({"x": {"Ridge": 0, "Chisel": 0}}, {}, "nothing is compared"),
        ({"x": {"Ridge": np.nan, "Chisel": 1}}, {}, "must be finite"),
        ({"x": {"Ridge": "1", "Chisel": -1}}, {}, "expected a number for 'Ridge'"),
        ({"x": {}}, {}, "expected {level: weight}"),
        ({"x": 3}, {}, "expected {level: weight}"),
        ({}, {}, "at least one contrast"),
        ([[1, -1]], {}, r"row of 3 weights.*Chisel, Moldbrd, Ridge.*shape \(1, 2\)"),
        ([[[1, -1, 0]]], {}, "row of 3 weights"),
        ([[1, -1, 0], [1, -1]], {}, "expected the name of a family"),
        (3, {}, "expected the name of a family"),
        (None, {}, "expected the name of a family"),
        ([1, 1, -1], {}, "sum to 1"),
        ("trt_vs_ctrl", {"ref": "Chisle"}, "ref: 'Chisle'.*did you mean 'Chisel'"),
        ("trt_vs_ctrl", {"ref": ["Chisel", "Moldbrd", "Ridge"]}, "not all"),
        ("poly", {"scores": [1, 2]}, "3 numbers"),
        ("poly", {"scores": [1, 1, 2]}, "distinct"),
        ("poly", {"scores": "levels"}, "are not numbers"),
        ("opoly", {"scores": "rank"}, "expected 'levels' or 3 numbers"),
    ],
)
def test_what_cannot_be_a_contrast_is_refused(method, options, message):
    with pytest.raises(ArgumentError, match=message):
        contrast_weights(method, Levels("tillage", TILLAGE.values, **options))


def test_levels_with_the_sign_inside_stand_in_brackets():
    """Without them "a" less "b - c" and "a - b" less "c" would be one contrast."""
    awkward = Levels("A", ("a", "a - b", "b - c", "c"))
    for family, count in (("pairwise", 6), ("revpairwise", 6), ("consec", 3), ("trt_vs_ctrl", 3)):
        assert len(contrast_weights(family, awkward)) == count
    found = contrast_weights("pairwise", awkward)
    assert found["a - (b - c)"].tolist() == [1, 0, -1, 0]
    assert found["(a - b) - c"].tolist() == [0, 1, 0, -1]
    assert "a - b / c" in contrast_weights("pairwise", Levels("A", ("a - b", "c"), sign="/"))


def test_combinations_whose_parts_hold_colons_are_told_apart():
    cells = Levels("A:B", (("a:b", "c"), ("a", "b:c")))
    assert contrast_weights("pairwise", cells)["(a:b):c - a:(b:c)"].tolist() == [1, -1]
    picked = contrast_weights({"own": {("a", "b:c"): 1, ("a:b", "c"): -1}}, cells)
    assert picked["own"].tolist() == [-1, 1]


def test_contrasts_that_would_read_alike_are_refused():
    rows = [[1, -0.50001, -0.49999], [1, -0.500011, -0.499989]]
    with pytest.raises(ArgumentError, match="give them names"):
        contrast_weights(rows, levels(3))
    with pytest.raises(ArgumentError, match="two contrasts read '1'"):
        contrast_weights({1: [1, -1], "1": [-1, 1]}, levels(2))


@pytest.mark.parametrize("method", [*FAMILIES, {"own": [1]}, [[1]]])
def test_one_level_has_no_contrasts(method):
    with pytest.raises(ArgumentError, match="only 'a'"):
        contrast_weights(method, levels(1))

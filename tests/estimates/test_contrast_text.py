"""Contrasts written out: what weights they give, and that nothing of them is ever run."""

import os
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bambi_anova.errors import AnovaError, ArgumentError
from bambi_anova.estimates.contrast_families import FAMILIES, Levels
from bambi_anova.estimates.contrast_text import text_weights
from bambi_anova.estimates.contrast_weights import contrast_weights

NAMES = Levels(
    "A", ("a", "b", "c", "Golden rain", "x-y", "C4.5", "2nd", "a.1", "-1", "naïve", "#1")
)
DOSES = Levels("dose", (0.0, 0.2, 0.4, 2))


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("a - b", {"a": 1, "b": -1}),
        ("(a + b)/2 - c", {"a": 0.5, "b": 0.5, "c": -1}),
        ("1/3 * (a + b + c) - C4.5", {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3, "C4.5": -1}),
        ("-a + 0.5*b + b/2", {"a": -1, "b": 1}),
        ("2 * (a - (b + c) / 2) / 2", {"a": 1, "b": -0.5, "c": -0.5}),
        ("Golden rain - x-y", {"Golden rain": 1, "x-y": -1}),
        ("`Golden rain` - 'x-y'", {"Golden rain": 1, "x-y": -1}),
        ("2nd - a.1 + naïve - #1", {"2nd": 1, "a.1": -1, "naïve": 1, "#1": -1}),
        ("-1 - a", {"-1": 1, "a": -1}),
        ("(a) - ((b))", {"a": 1, "b": -1}),
        ("a - (b - c) - c", {"a": 1, "b": -1}),
    ],
)
def test_weights(text, weights):
    expected = [weights.get(label, 0) for label in NAMES.labels]
    np.testing.assert_allclose(text_weights(text, NAMES), expected)


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("0.2 - 0.4", [0, 1, -1, 0]),
        ("0 - 2", [1, 0, 0, -1]),
        ("2.0 - 0", [-1, 0, 0, 1]),
        ("(0.2 + 0.4)/2 - 0", [-1, 0.5, 0.5, 0]),
        ("2 * `2` - 2*`0.4`", [0, 0, -2, 2]),
        ("(2) - (0.2)", [0, -1, 0, 1]),
        ("-2 + 0.4", [0, 0, 1, -1]),
    ],
)
def test_a_number_by_itself_is_a_level_and_beside_a_sign_a_weight(text, weights):
    np.testing.assert_allclose(text_weights(text, DOSES), weights)


def test_quotes_name_levels_that_hold_backticks_or_quotes():
    levels = Levels("A", ("`x`", "it's", "'y'"))
    weights = text_weights("""'`x`' - ("it's" + `'y'`)/2""", levels)
    assert weights.tolist() == [1, -0.5, -0.5]


@pytest.mark.parametrize("name", sorted(set(FAMILIES) & {"pairwise", "revpairwise", "consec"}))
def test_names_in_our_tables_can_be_given_back(name):
    for levels in (NAMES, DOSES, Levels("A:B", (("a", "x"), ("a", "y - z"), ("b:c", "x")))):
        weights = FAMILIES[name](levels)
        for text, row in weights.items():
            np.testing.assert_array_equal(text_weights(text, levels), row)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a - d", "'d' is not a level of 'A'"),
        ("a * b - c", "a level is multiplied with a level"),
        ("a / b", "a level is divided by a level"),
        ("a / 0 - b", "divides by zero"),
        ("a - ", "ends where a level was expected"),
        ("(a - b", "a bracket is never closed"),
        ("a - -b", "cannot be read at '-'"),
        ("a b - c", "cannot be read at 'b'"),
        ("a - b # c", "'#' has no meaning here"),
        ("a - 3", "'3' is not a level"),
        ("2 * 3 - a", "a number stands by itself"),
        ("a == b", "cannot be read at '=='"),
        ("f(a) - b", "'f' is not a level"),
        ("a[0] - b", r"cannot be read at '\['"),
        ("a - a", "weights are zero, or cancel"),
        ("a + b", "weights sum to 2, expected 0"),
        ("pair-wise", "'pair' is not a level"),
        ("pairwize", "did you mean 'pairwise'"),
        ("a - " + "(" * 60 + "b" + ")" * 60, "brackets stand inside each other"),
    ],
)
def test_what_cannot_be_read_is_said(text, words):
    with pytest.raises(ArgumentError, match=words):
        contrast_weights(text, NAMES)


def test_several_texts_and_names_of_ones_own():
    found = contrast_weights(["a - b", " a - c "], NAMES)
    assert list(found) == ["a - b", "a - c"]
    (name,) = contrast_weights({"first against the others": "a - (b + c)/2"}, NAMES)
    assert name == "first against the others"
    with pytest.raises(ArgumentError, match="two contrasts read 'a - b'"):
        contrast_weights([" a - b", "a - b"], NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch hacked') - a",
        "a.__class__ - b",
        "(lambda: a)() - b",
        "exec('x') - a",
        "[x for x in ()] - a",
        "a if b else c",
        "a := b",
        "f'{a}' - b",
    ],
)
def test_a_text_never_runs(text, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "system", lambda *_: pytest.fail("it ran"))
    with pytest.raises(ArgumentError):
        contrast_weights(text, NAMES)
    assert not list(tmp_path.iterdir())


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abc 0.2+-*/()`'\"#:é", max_size=30))
def test_any_text_gives_weights_or_an_error_of_ours(text):
    try:
        weights = text_weights(text, NAMES)
    except AnovaError:
        return
    assert weights.shape == (len(NAMES.values),)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from("abc"), st.sampled_from("+-"))))
def test_sums_agree_with_python(parts):
    text = "a" + "".join(f" {sign} {weight}*{name}" for weight, name, sign in parts)
    units = dict(zip("abc", np.eye(3), strict=True))
    expected = eval(re.sub(r"([abc])", r"units['\1']", text), {"units": units})
    np.testing.assert_allclose(text_weights(text, Levels("A", tuple("abc"))), expected)


def test_cells_of_an_interaction_written_out_are_its_contrast(quick_fit):
    memory = quick_fit("memory")
    text = "(A:x - A:y) - (B:x - B:y)"
    expected = memory.contrasts("condition:trial_type")
    for method in (text, [text], {"difference of differences": text}):
        found = memory.contrasts("condition:trial_type", method)
        assert found["term"].tolist() == ["condition:trial_type"]
        np.testing.assert_allclose(found["mean"], expected["mean"])
        np.testing.assert_allclose(found["sd"], expected["sd"])
    simple = memory.contrasts("condition:trial_type", "A:x - A:y")
    by = memory.contrasts("trial_type", "x - y", by="condition").query("condition == 'A'")
    np.testing.assert_allclose(simple["mean"], by["mean"])

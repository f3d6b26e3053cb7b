"""Numbers as text: as many digits as Monte Carlo errors and sds deserve."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bambi_anova.tables.rounding import MINUS, decimals, interval, number, percentage, row_decimals


def value(text):
    """The number that a cell shows."""
    return float(text.replace(MINUS, "-"))


positive = st.floats(1e-6, 1e6)


@given(error=positive, sd=positive)
def test_no_digit_is_finer_than_the_monte_carlo_error(error, sd):
    places = decimals(error, sd)
    unit = 10.0**-places
    assert unit >= error * (1 - 1e-6)
    # Nor does an error hide digits that it leaves: the next one is noise, or beyond three.
    assert unit / 10 < error * (1 + 1e-6) or unit / 10 < sd / 1000 * (1 + 1e-6)


@given(st.floats(-1e6, 1e6), st.integers(-3, 6))
def test_a_number_is_off_by_half_a_unit_at_most(given, places):
    text = number(given, places)
    assert abs(value(text) - given) <= 0.5 * 10.0**-places * (1 + 1e-6) + 1e-9
    assert not re.fullmatch(f"{MINUS}0\\.?0*", text)


@given(share=st.floats(0, 1), effective=st.floats(1, 1e6))
def test_a_share_is_never_nothing_or_all_unless_nothing_was_counted(share, effective):
    text = percentage(share, effective)
    shown = float(re.sub(r"[<>% ]", "", text))
    if text.startswith("<"):
        assert 100 * share < shown
    elif text.startswith(">"):
        assert 100 * share > shown
    else:
        assert shown == pytest.approx(100 * share, abs=0.5001)
        assert 0 < shown < 100


def test_missing_values_are_blank():
    assert number(float("nan"), 2) == interval(float("nan"), 1.0, 2) == percentage(np.nan, 9) == ""


def test_rows_of_a_term_are_alike_and_doubtful_ones_coarser():
    table = pd.DataFrame(
        {
            "term": list("AAABB"),
            "sd": [1.0] * 5,
            "mcse_mean": [0.009, 0.02, 0.3, 0.002, 0.0],
            "trusted": [True, True, False, True, True],
        }
    )
    assert row_decimals(table).tolist() == [1, 1, 0, 2, 2]

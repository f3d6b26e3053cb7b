"""Columns whose names a formula must quote."""

import pytest

from bambi_anova.errors import FormulaError
from bambi_anova.formula.quoting import in_backticks, parse_for

COLUMNS = ["reaction time", "trial type", "trial", "type", "dose (mg)", "rt.ms", "a-b", "x`y", "s"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("rt.ms ~ trial type", "rt.ms ~ `trial type`"),
        ("rt.ms ~ `trial type` * dose (mg)", "rt.ms ~ `trial type` * `dose (mg)`"),
        ("a-b ~ trial + Error(s/trial type)", "`a-b` ~ trial + Error(s/`trial type`)"),
        ("log(reaction time) ~ trial", "log(`reaction time`) ~ trial"),
        ("p(trial type, reaction time) ~ s", "p(`trial type`, `reaction time`) ~ s"),
        ("reaction time ~ trial type", "`reaction time` ~ `trial type`"),
    ],
)
def test_the_formula_that_was_meant_is_written(text, meant):
    assert in_backticks(text, COLUMNS) == meant
    with pytest.raises(FormulaError) as error:
        parse_for(text, COLUMNS)
    assert str(error.value).endswith(f"stand in backticks: write {meant}")
    assert parse_for(meant, COLUMNS).text == meant


@pytest.mark.parametrize(
    "text", ["rt.ms ~ trial", "reaction time ~ trial", "rt.ms ~ `trial type`", "y[trial type] ~ s"]
)
def test_formulas_that_can_be_read_are_left_alone(text):
    assert parse_for(text, COLUMNS).text == text


def test_other_mistakes_keep_their_message():
    for text in ("rt.ms ~ trial +", "rt.ms ~ trial type unknown", None):
        with pytest.raises(FormulaError) as error:
            parse_for(text, COLUMNS)
        assert "backticks" not in str(error.value)

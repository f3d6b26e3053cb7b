"""The classical split-plot table and its contrasts, against R's aov, afex and emmeans."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.classical import COLUMNS, split_plot_anova, split_plot_contrasts
from bambi_anova.errors import ArgumentError, NotApplicableError

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

FOLDER = Path(__file__).parents[1] / "reference"
OATS = "yield ~ variety * nitrogen + Error(block/variety)"


def oats():
    return ba.Model(OATS, ba.load_data("oats"))


def mixed():
    return ba.Model(
        "weight ~ diet * sex * week + Error(animal/week)", pd.read_csv(FOLDER / "mixed.csv")
    )


def repeated():
    return ba.Model(
        "time ~ group * load * side + Error(person/(load * side))",
        pd.read_csv(FOLDER / "repeated.csv"),
    )


MODELS = {"oats": oats, "mixed": mixed, "repeated": repeated}


@pytest.mark.parametrize("name", MODELS)
def test_the_table_is_that_of_aov(name):
    expected = pd.read_csv(FOLDER / f"{name}_aov.csv").replace({"stratum": {"Within": "residual"}})
    found = split_plot_anova(MODELS[name]())
    keys = ["stratum", "term"]
    both = expected.merge(found, on=keys, suffixes=("_r", ""))
    assert len(both) == len(expected) == len(found)
    for column in ("df", "sumsq", "meansq", "F", "p"):
        np.testing.assert_allclose(both[column], both[f"{column}_r"], rtol=1e-8)


@pytest.mark.parametrize("name", ["mixed", "repeated"])
def test_eta_squared_is_that_of_afex(name):
    expected = pd.read_csv(FOLDER / "eta_squared.csv").query("data == @name").set_index("term")
    found = split_plot_anova(MODELS[name]()).set_index("term").loc[expected.index]
    np.testing.assert_allclose(found[["pes", "ges"]], expected[["pes", "ges"]], rtol=1e-8)


@pytest.mark.parametrize("name", MODELS)
def test_omega_squared_is_that_of_effectsize(name):
    expected = pd.read_csv(FOLDER / "effect_sizes.csv").query("data == @name and size == 'omega2'")
    found = split_plot_anova(MODELS[name]()).set_index("term").loc[expected["term"], "omega2"]
    np.testing.assert_allclose(found, expected["value"], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_contrasts_are_those_of_emmeans(name):
    expected = pd.read_csv(FOLDER / "aov_contrasts.csv").query("data == @name")
    found = split_plot_contrasts(MODELS[name]())
    both = expected.merge(found, on=["term", "contrast"], suffixes=("_r", ""))
    assert len(both) == len(expected)
    for column in ("estimate", "se", "df", "lower", "upper", "p"):
        np.testing.assert_allclose(both[column], both[f"{column}_r"], rtol=1e-7)


def test_a_table_of_contrasts_begins_with_the_common_columns():
    table = split_plot_contrasts(oats(), "nitrogen:variety", ci_prob=0.5)
    assert list(table.columns[: len(COLUMNS)]) == COLUMNS
    assert set(table["term"]) == {"variety:nitrogen"}
    wide = split_plot_contrasts(oats(), "variety:nitrogen")
    assert np.all(table["upper"] - table["lower"] < wide["upper"] - wide["lower"])


def test_a_squared_t_is_f_where_there_is_one_degree_of_freedom():
    contrast = split_plot_contrasts(repeated(), "load").iloc[0]
    line = split_plot_anova(repeated()).set_index("term").loc["load"]
    assert (contrast["estimate"] / contrast["se"]) ** 2 == pytest.approx(line["F"])
    assert contrast["p"] == pytest.approx(line["p"])


def test_repeated_rows_add_to_the_last_stratum_only():
    frame = ba.load_data("oats")
    twice = pd.concat([frame.assign(**{"yield": frame["yield"] + d}) for d in (-1, 1)])
    once = split_plot_anova(oats()).set_index(["stratum", "term"])
    both = split_plot_anova(ba.Model(OATS, twice.reset_index(drop=True)))
    both = both.set_index(["stratum", "term"])
    rest = ("residual", "Residuals")
    others = once.index.drop(rest)
    np.testing.assert_allclose(both.loc[others, "sumsq"], 2 * once.loc[others, "sumsq"])
    assert both.loc[rest, "sumsq"] == pytest.approx(2 * once.loc[rest, "sumsq"] + 2 * 72)
    assert both.loc[rest, "df"] == once.loc[rest, "df"] + 72


def test_the_sums_of_squares_add_up():
    frame = pd.read_csv(FOLDER / "repeated.csv")
    total = np.sum((frame["time"] - frame["time"].mean()) ** 2)
    table = split_plot_anova(repeated())
    assert table["sumsq"].sum() == pytest.approx(total)
    assert table["df"].sum() == len(frame) - 1


@pytest.mark.parametrize(
    ("formula", "change", "reason"),
    [
        (OATS, lambda f: f.iloc[1:], "not balanced.*fewer in.*model.fit"),
        ("yield ~ variety + plot + Error(block)", lambda f: f.assign(plot=range(72)), "factors on"),
        (
            "yield ~ variety * nitrogen + Error(farm)",
            lambda f: f.assign(farm=["a" if i % 5 else "b" for i in range(72)]),
            "not balanced.*units of 'farm'",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_remedy(formula, change, reason):
    model = ba.Model(formula, change(ba.load_data("oats")))
    with pytest.raises(NotApplicableError, match=reason):
        split_plot_anova(model)


def test_incomplete_blocks_are_refused():
    # Every cell and every block has as many rows, yet treatments lie partly between blocks.
    frame = pd.DataFrame(
        [(b, t) for b, pair in enumerate(["uv", "uw", "vw"] * 2) for t in pair],
        columns=["block", "treatment"],
    )
    frame["block"] = "b" + frame["block"].astype(str)
    frame["y"] = np.random.default_rng(1).normal(size=len(frame))
    with pytest.raises(NotApplicableError, match=r"several strata.*incomplete"):
        split_plot_anova(ba.Model("y ~ treatment + Error(block)", frame))


def test_other_families_are_refused(within):
    frame = within.assign(y=np.arange(len(within)))
    with pytest.raises(NotApplicableError, match=r"gaussian response.*poisson"):
        split_plot_anova(ba.Model("y ~ A * B + Error(s)", frame, family="poisson"))


def test_a_stratum_without_error_is_said_to_be_so():
    frame = pd.DataFrame({"s": list("abcd"), "g": list("uuvv"), "y": [1.0, 2.0, 4.0, 3.0]})
    frame = pd.concat([frame.assign(t=t, y=frame["y"] + d) for t, d in (("p", 0.1), ("q", 2))])
    frame = frame.query("s in ['a', 'c']")
    model = ba.Model("y ~ g * t + Error(s)", frame)
    table = split_plot_anova(model).set_index("term")
    assert np.isnan(table.loc["g", "F"])
    with pytest.raises(NotApplicableError, match=r"'s'.*no degrees of freedom"):
        split_plot_contrasts(model, "g")


def test_arguments_are_checked():
    with pytest.raises(ArgumentError, match="'nitrogn' is not in the model; did you mean"):
        split_plot_contrasts(oats(), "nitrogn")
    with pytest.raises(ArgumentError, match="ci_prob=95"):
        split_plot_contrasts(oats(), ci_prob=95)
    with pytest.raises(ArgumentError, match="expected a bambi_anova"):
        split_plot_anova("yield ~ variety")

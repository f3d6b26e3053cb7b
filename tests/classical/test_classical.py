"""The reference analyses together: which apply, and that their tables can stand side by side."""

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.classical import ANALYSES, COLUMNS, applicable
from bambi_anova.classical.study import read_study
from bambi_anova.errors import ArgumentError, NotApplicableError, SeparationError

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

GRID = "error ~ condition * trial_type + Error(participant/trial_type)"
BINARY = [name for name in ANALYSES if name != "split-plot ANOVA"]


@pytest.fixture(scope="module")
def memory():
    return ba.Model(
        "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)",
        ba.load_data("memory"),
        family="binomial",
    )


@pytest.fixture(scope="module")
def oats():
    return ba.Model("yield ~ variety * nitrogen + Error(block/variety)", ba.load_data("oats"))


def those_that_apply(model):
    table = applicable(model)
    assert table["analysis"].tolist() == list(ANALYSES)
    assert (table["applies"] == (table["reason"] == "")).all()
    return table.loc[table["applies"], "analysis"].tolist()


def test_the_experiment_takes_all_but_the_gaussian_table(memory):
    assert those_that_apply(memory) == BINARY
    reasons = applicable(memory).set_index("analysis")["reason"]
    assert "gaussian response" in reasons["split-plot ANOVA"]


def test_what_is_said_to_apply_runs_and_the_rest_is_refused(memory, oats, split_plot, crossed):
    pulses = ba.Model("hits ~ group * task + Error(subject/task)", split_plot, family="poisson")
    dosed = ba.Model("y ~ group * task + dose + Error(subject/task)", split_plot)
    items = crossed.assign(y=np.arange(len(crossed)) % 5 < 2)
    items = ba.Model(
        "y ~ group * kind + Error(subject) + Error(item)", items.astype({"y": int}), "bernoulli"
    )
    expected = {
        memory: BINARY,
        oats: ["permutation test", "split-plot ANOVA"],
        pulses: ["permutation test"],
        dosed: [],
        items: ["logistic ANOVA, no units", "logistic ANOVA, fixed units"],
    }
    for model, names in expected.items():
        assert those_that_apply(model) == names
        scale = "response" if model is pulses else "link"
        for name, analysis in ANALYSES.items():
            if name in names:
                table = analysis.run(model, scale=scale, random_seed=1, ci_prob=0.9)
                assert list(table.columns[: len(COLUMNS)]) == COLUMNS
                assert table["analysis"].unique().tolist() == [name]
                assert table["population"].unique().tolist() == [analysis.population]
                known = table.dropna(subset=["estimate"])
                assert (known["lower"] < known["estimate"]).all()
                assert (known["estimate"] < known["upper"]).all()
            else:
                with pytest.raises((NotApplicableError, SeparationError)):
                    analysis.run(model, scale=scale, random_seed=1, ci_prob=0.9)


def test_separation_is_a_reason(memory):
    frame = ba.load_data("memory")
    frame.loc[frame["participant"] == "P01", "errors"] = 0
    model = ba.Model(memory.formula.text, frame, family="binomial")
    reasons = applicable(model).set_index("analysis")["reason"]
    assert "separation" in reasons["logistic ANOVA, fixed units"]
    assert reasons["logistic ANOVA, robust units"] == ""


def test_all_analyses_name_the_contrasts_as_the_model_does(memory):
    tables = [ANALYSES[name].run(memory, scale="link", random_seed=1) for name in BINARY]
    result = memory.fit("laplace", random_seed=1)
    for term in ("condition", "trial_type", "condition:trial_type"):
        ours = result.contrasts(term)["contrast"].tolist()
        for table in tables:
            assert table.loc[table["term"] == term, "contrast"].tolist() == ours
    # And they agree: the trial type is clear in all of them, x above y by about 0.4.
    trial_type = pd.concat(tables).query("term == 'trial_type'")
    assert trial_type["estimate"].between(0.35, 0.48).all()
    assert (trial_type["lower"] > 0).all()
    condition = pd.concat(tables).query("term == 'condition'").set_index("population")
    assert (condition.loc["super", "lower"] < 0).all()
    assert (condition.loc[["rows", "finite"], "lower"] > 0).all()


def test_bernoulli_rows_of_the_experiment_take_seconds():
    model = ba.Model(GRID, ba.load_data("memory_grid"), family="bernoulli")
    assert those_that_apply(model) == BINARY
    for name in BINARY:
        table = ANALYSES[name].run(model, scale="link", random_seed=1).set_index("term")
        assert 0.34 < table.loc["trial_type", "estimate"] < 0.42
        assert table.loc["trial_type", "seconds"] < 60  # the plain design matrix takes minutes


def test_a_study_reads_units_and_terms(oats):
    study = read_study(oats)
    assert [(unit.name, unit.own, unit.size) for unit in study.units] == [
        ("block", ("block",), 6),
        ("block:variety", ("block",), 18),
    ]
    assert [unit.name for unit in study.tops] == ["block"]
    assert study.labels[study.units[1].name][:2] == ("I:Golden.rain", "I:Marvellous")
    assert study.terms == (("variety",), ("nitrogen",), ("variety", "nitrogen"))
    np.testing.assert_array_equal(study.cells, oats.design.cell_codes)
    with pytest.raises(ArgumentError, match="'blocks' is not a unit term; did you mean 'block'"):
        study.unit("blocks")
    assert study.unit("row").size == 72

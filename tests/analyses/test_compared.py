"""All analyses of one design, side by side."""

import warnings
from itertools import product

import matplotlib
import numpy as np
import pandas as pd
import pytest
from scipy import special

import bambi_anova as ba
from bambi_anova.analyses.data_forms import outcomes, totals
from bambi_anova.analyses.variants import LITERAL, OWN
from bambi_anova.design.sufficient import collapse_rows
from bambi_anova.errors import ArgumentError, ConvergenceWarning, NotApplicableError
from bambi_anova.families.registry import get_family

matplotlib.use("Agg")

FORMULA = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"


SUPER = ["logistic ANOVA, robust units", "logistic ANOVA, fixed units", OWN]


def quiet(make, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ba.errors.AnovaWarning)
        return make(*args, **kwargs)


@pytest.fixture(scope="module")
def memory():
    return quiet(ba.Model, FORMULA, ba.load_data("memory"), family="binomial")


@pytest.fixture(scope="module")
def literal():
    options = {"family": "binomial", "parameterization": "overparameterized"}
    return quiet(ba.Model, FORMULA, ba.load_data("memory"), **options)


@pytest.fixture(scope="module")
def table(memory):
    return quiet(ba.compare_analyses, memory, random_seed=1)


def pick(table, contrast, analysis, population):
    found = table[(table["contrast"] == contrast) & (table["analysis"] == analysis)]
    (row,) = found[found["population"] == population].itertuples()
    return row


# -- Forms of the data -------------------------------------------------------------------------


def likelihood(design, eta):
    """The Bernoulli or binomial log-likelihood without its coefficient, at some predictors."""
    response = design.rows.response
    cells, units = design.cell_codes, design.units[-1].codes
    chance = special.expit(eta[cells] + np.sin(units))
    return float(
        special.xlogy(response.values, chance).sum()
        + special.xlog1py(response.trials - response.values, -chance).sum()
    )


def test_all_forms_of_the_data_have_one_likelihood(memory):
    forms = [memory.design, outcomes(memory.design), totals(memory.design)]
    rng = np.random.default_rng(1)
    for eta in rng.normal(-2, 1, size=(4, 4)):
        values = [likelihood(design, eta) for design in forms]
        assert np.ptp(values) < 1e-7 * abs(values[0])


def test_outcomes_are_single_trials_and_totals_their_sums(memory):
    single, summed = outcomes(memory.design), totals(memory.design)
    data = ba.load_data("memory")
    assert len(single.rows.data) == data["markers"].sum()
    assert set(np.unique(single.rows.response.values)) == {0, 1}
    expected = data.groupby(["condition", "participant", "trial_type"], observed=True)
    assert len(summed.rows.data) == 82
    assert sorted(summed.rows.response.values) == sorted(expected["errors"].sum())


def test_outcomes_lie_in_the_row_they_came_from(split_plot):
    data = split_plot.assign(hits=np.minimum(split_plot["hits"], split_plot["shown"]))
    formula = "p(hits, shown) ~ group * task + Error(subject/task)"
    model = quiet(ba.Model, formula, data, family="binomial")
    again = collapse_rows(outcomes(model.design), get_family("binomial"))
    once = collapse_rows(model.design, get_family("binomial"))
    np.testing.assert_array_equal(again.values, once.values)
    np.testing.assert_array_equal(again.trials, once.trials)


def test_covariates_stay_centred_where_they_were(split_plot):
    data = split_plot.assign(hits=np.minimum(split_plot["hits"], split_plot["shown"]))
    formula = "p(hits, shown) ~ group * task + dose + Error(subject/task)"
    model = quiet(ba.Model, formula, data, family="binomial")
    single = outcomes(model.design)
    assert single.rows.covariates["dose"].mean == model.design.rows.covariates["dose"].mean


def test_units_without_a_trial_are_not_lost_silently():
    data = pd.DataFrame({"s": ["a", "a", "b", "b", "c", "c"], "f": ["x", "y"] * 3})
    data = data.assign(k=[1, 2, 0, 1, 0, 0], n=[4, 4, 4, 4, 0, 0])
    model = quiet(ba.Model, "p(k, n) ~ f + Error(s)", data, family="binomial")
    with pytest.raises(NotApplicableError, match="1 of 3 levels of 's' have no trial"):
        outcomes(model.design)


# -- The table ---------------------------------------------------------------------------------


def test_every_analysis_that_applies_is_there(memory, table):
    known = ba.applicable_analyses(memory)
    assert set(table["analysis"]) == set(known.loc[known["applies"], "analysis"])
    assert known.loc[~known["applies"], "reason"].str.len().gt(0).all()
    assert not table[["estimate", "lower", "upper", "seconds"]].isna().any().any()
    assert (table["lower"] < table["estimate"]).all()
    assert (table["estimate"] < table["upper"]).all()
    assert (table["p"].notna() ^ table["pd"].notna()).all()


def test_the_trial_type_is_clear_but_for_the_raw_coefficients(table):
    rows = table[table["contrast"] == "x - y"]
    clear = rows["lower"] > 0
    assert clear.equals(rows["kind"] != "mistake")
    assert set(rows["kind"]) == {"classical", "Bayesian", "mistake"}


def test_the_condition_is_weak_but_for_these_units_or_rows(table):
    rows = table[table["contrast"] == "A - B"]
    assert (rows["lower"] > 0).equals(rows["population"].isin(["finite", "rows"]))


@pytest.mark.parametrize("contrast", ["A - B", "x - y", "(A - B) : (x - y)"])
def test_forms_of_the_data_agree_exactly(table, contrast):
    own = pick(table, contrast, OWN, "super")
    for form in ("Bayesian, Bernoulli rows", "Bayesian, binomial totals"):
        other = pick(table, contrast, form, "super")
        assert (other.estimate, other.lower, other.upper) == pytest.approx(
            (own.estimate, own.lower, own.upper), abs=1e-6
        )


@pytest.mark.parametrize("contrast", ["A - B", "x - y", "(A - B) : (x - y)"])
def test_deflected_and_sum_to_zero_effects_agree(table, contrast):
    own, other = (pick(table, contrast, name, "super") for name in (OWN, LITERAL))
    sd = (own.upper - own.lower) / 3.92
    assert abs(own.estimate - other.estimate) < 0.15 * sd
    assert (other.upper - other.lower) / (own.upper - own.lower) == pytest.approx(1, abs=0.15)


def test_raw_coefficients_come_from_the_same_draws(memory, literal):
    fit = quiet(literal.fit, "laplace", random_seed=1, progressbar=False)
    raw = fit.idata["posterior"]["1|trial_type"].to_numpy()
    names = ["raw coefficients", LITERAL]
    found = quiet(ba.compare_analyses, memory, "trial_type", names, random_seed=1)
    row = pick(found, "x - y", "raw coefficients", "none")
    assert row.estimate == pytest.approx((raw[..., 0] - raw[..., 1]).mean(), abs=1e-6)
    assert len(set(found["seconds"])) == 1


def test_the_model_of_the_question_can_be_written_as_a_formula(memory):
    """Units without their crossing, rows about their mode, a free effect for each level."""
    by_hand = quiet(
        ba.Model,
        "p(errors, markers) ~ condition * trial_type + Error(participant)",
        ba.load_data("memory"),
        family="betabinomial_mode",
        parameterization="overparameterized",
    )
    fit = quiet(by_hand.fit, "laplace", random_seed=1, progressbar=False)
    raw = fit.idata["posterior"]["1|trial_type"].to_numpy()
    found = quiet(ba.compare_analyses, memory, "trial_type", "as in the question", random_seed=1)
    row = pick(found, "x - y", "as in the question", "none")
    assert row.estimate == pytest.approx((raw[..., 0] - raw[..., 1]).mean(), abs=1e-6)
    assert row.upper - row.lower > 3  # where cell means give an interval of .15


def test_single_trials_have_no_model_of_the_question(split_plot):
    model = quiet(ba.Model, "hits ~ group * task + Error(subject/task)", split_plot, "poisson")
    known = ba.applicable_analyses(model).set_index("analysis")
    assert "p(successes, trials)" in known.loc["as in the question", "reason"]


def test_a_model_that_is_over_parameterized_is_compared_with_the_other(literal):
    known = ba.applicable_analyses(literal).set_index("analysis")
    assert known.loc["Bayesian, sum-to-zero", "applies"]
    assert known.loc[LITERAL, "reason"] == "it is the model itself"
    names = [OWN, "raw coefficients", "Bayesian, sum-to-zero"]
    found = quiet(ba.compare_analyses, literal, "condition", names, random_seed=1)
    assert len(set(found["seconds"])) == 2  # the raw coefficients are of the model's own fit


def test_own_priors_go_along():
    import bambi as bmb

    model = quiet(
        ba.Model,
        FORMULA,
        ba.load_data("memory"),
        family="binomial",
        # The interaction's effects have a part in the condition's.
        priors=dict.fromkeys(
            ["condition", "condition:trial_type"], bmb.Prior("HalfNormal", sigma=0.001)
        ),
    )
    names = [OWN, "Bayesian, beta-binomial by mode"]
    found = quiet(ba.compare_analyses, model, "condition", names, random_seed=1)
    assert (found.loc[found["population"] == "super", "estimate"].abs() < 0.01).all()


def test_gaussian_models_have_their_own(split_plot):
    model = quiet(ba.Model, "y ~ group * task + Error(subject/task)", split_plot)
    found = quiet(ba.compare_analyses, model, ["task", "group"], random_seed=1)
    assert list(dict.fromkeys(found["term"])) == ["task", "group"]
    assert set(found["analysis"]) == {
        "permutation test",
        "split-plot ANOVA",
        OWN,
        LITERAL,
        "raw coefficients",
    }


def test_highest_terms_have_no_raw_coefficients(table):
    rows = table[table["kind"] == "mistake"]
    assert list(rows["contrast"]) == ["A - B", "A - B", "x - y", "x - y"]


def test_covariates_leave_the_bayesian_ones(split_plot):
    model = quiet(ba.Model, "y ~ group + dose + Error(subject)", split_plot)
    known = ba.applicable_analyses(model)
    assert list(known.loc[known["applies"], "analysis"]) == [OWN, LITERAL]
    found = quiet(ba.compare_analyses, model, random_seed=1)
    assert list(found["population"]) == ["super", "finite", "super"]


def test_response_scale_has_no_coefficients(memory):
    found = quiet(ba.compare_analyses, memory, "trial_type", SUPER, "response")
    assert (found["upper"] < 0.1).all()
    assert (found["lower"] > 0).all()
    with pytest.raises(NotApplicableError, match="coefficients are on the link scale"):
        ba.compare_analyses(memory, analyses="raw coefficients", scale="response")


def test_classical_analyses_have_two_links_only(split_plot):
    formula = "hits ~ group * task + Error(subject/task)"
    model = quiet(ba.Model, formula, split_plot, family="poisson")
    known = ba.applicable_analyses(model).set_index("analysis")
    assert "that of the model (log)" in known.loc["permutation test", "reason"]
    found = quiet(ba.compare_analyses, model, "task", ["Bayesian ANOVA"], random_seed=1)
    assert set(found["scale"]) == {"link"}
    names = ["permutation test", "Bayesian ANOVA"]
    found = quiet(ba.compare_analyses, model, "task", names, "response", random_seed=1)
    assert list(found["population"]) == ["super", "super", "finite"]


def test_both_scales_are_one_on_an_identity_link(split_plot):
    model = quiet(ba.Model, "y ~ group * task + Error(subject/task)", split_plot)
    tables = [
        quiet(ba.compare_analyses, model, "task", scale=scale, random_seed=1)
        for scale in ("link", "response")
    ]
    assert set(tables[1]["scale"]) == {"response"}
    np.testing.assert_allclose(tables[0]["estimate"], tables[1]["estimate"])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"term": "trial"}, ArgumentError, "did you mean 'trial_type'"),
        ({"analyses": "permutation"}, ArgumentError, "did you mean 'permutation test'"),
        ({"analyses": []}, ArgumentError, "at least one"),
        ({"analyses": ["split-plot ANOVA"]}, NotApplicableError, "gaussian"),
        ({"scale": "logit"}, ArgumentError, "scale='logit'"),
        ({"ci_prob": 95}, ArgumentError, "ci_prob=95"),
    ],
)
def test_what_cannot_be_is_refused(memory, arguments, error, words):
    with pytest.raises(error, match=words):
        ba.compare_analyses(memory, **arguments)


def test_only_models_with_factors_can_be_compared(split_plot):
    with pytest.raises(ArgumentError, match=r"expected a bambi_anova\.Model"):
        ba.compare_analyses("y ~ group")
    model = quiet(ba.Model, "y ~ dose + Error(subject)", split_plot)
    with pytest.raises(ArgumentError, match="no term of factors"):
        ba.compare_analyses(model)


def test_rows_that_are_not_trusted_are_said(memory):
    with pytest.warns(ConvergenceWarning, match="x - y by raw coefficients"):
        found = ba.compare_analyses(
            memory, "trial_type", "raw coefficients", random_seed=1, draws=50
        )
    assert not found["trusted"].any()
    assert "raw coefficients *" in repr(found)
    assert "* not trusted" in found._repr_html_()


def test_the_printout_fits_a_terminal(table):
    text = repr(table)
    assert max(map(len, text.splitlines())) <= 90
    assert text.startswith("condition: A - B (link scale)")
    assert "pd > .999" in text
    assert "p < .001" in text
    assert type(table[["estimate"]]) is pd.DataFrame


# -- The figure --------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def closed():
    from matplotlib import pyplot as plt

    yield
    plt.close("all")


def test_a_panel_a_contrast(table):
    axes = ba.plot_analyses(table)
    titles = [ax.get_title(loc="left").split("\n")[0] for ax in axes]
    assert titles == ["condition", "trial_type", "condition:trial_type"]
    labels = [tick.get_text() for tick in axes[0].get_yticklabels()]
    assert labels[-2:] == ["raw coefficients", "as in the question"]
    assert f"{OWN}, these units" in labels
    assert len(labels) == 14
    # What goes beyond the axis says how far.
    low, high = axes[1].get_xlim()
    beyond = table[(table["lower"] < low) | (table["upper"] > high)]
    written = [text.get_text() for ax in axes for text in ax.texts]
    assert len(written) == len(beyond)
    assert high < 1


def test_one_contrast_can_be_drawn_into_given_axes(table):
    from matplotlib import pyplot as plt

    _, ax = plt.subplots()
    (drawn,) = ba.plot_analyses(table[table["term"] == "condition"], ax=ax)
    assert drawn is ax
    with pytest.raises(ArgumentError, match="expected 3 axes"):
        ba.plot_analyses(table, ax=ax)


def test_many_contrasts_stand_in_lines(table):
    copies = [table.assign(term=f"{name} of {table['term'].iloc[0]}") for name in "ab"]
    axes = ba.plot_analyses(pd.concat(copies))
    assert len(axes) == 6
    figure = axes[0].figure
    assert figure.get_figwidth() < 13
    labelled = [bool(ax.yaxis.get_major_ticks()[0].label1.get_visible()) for ax in axes]
    assert labelled == [True, False, False] * 2


@pytest.mark.parametrize("wrong", [pd.DataFrame({"a": [1]}), "table"])
def test_only_such_tables_can_be_drawn(wrong):
    with pytest.raises(ArgumentError, match="expected rows of compare_analyses"):
        ba.plot_analyses(wrong)


def test_colours_and_markers_differ():
    from bambi_anova.analyses.figure import POPULATIONS

    for one, other in product(POPULATIONS.values(), repeat=2):
        assert one is other or not set(one) & set(other)

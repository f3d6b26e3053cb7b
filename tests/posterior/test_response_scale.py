"""What stands on the response scale: of transformed responses, and where means do not exist."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import bambi_anova as ba
from bambi_anova.errors import ArgumentError, NoMeanWarning
from bambi_anova.estimates.shown_scale import shown_scale, without_mean
from bambi_anova.plots.observed import observed_means
from bambi_anova.posterior.draws import Draws
from bambi_anova.posterior.response_scale import stands_for
from bambi_anova.posterior.trust import Sampling
from bambi_anova.present.wording import scale_name
from bambi_anova.result import Result
from bambi_anova.specification import specify

SAMPLE = (2, 400)
INVERSE = {
    "log": np.exp,
    "log2": np.exp2,
    "log10": lambda z: 10**z,
    "log1p": np.expm1,
    "sqrt": np.square,
    "logit": special.expit,
}


def data():
    """8 units in two groups do both tasks, three times; positive and below one."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(product(range(8), "xy", range(3)), columns=["s", "task", "k"])
    frame["group"] = np.where(frame["s"] % 2, "B", "A")
    frame["x"] = rng.normal(size=len(frame))
    return frame.assign(y=rng.uniform(0.1, 0.9, len(frame)), n=rng.integers(5, 9, len(frame)))


def made_up(response, family="gaussian", few=False, **options):
    """A result with draws out of the air; with few units the spread of these is long-tailed."""
    formula = f"{response} ~ group * task + x + Error(s/task)"
    model, rng = ba.Model(formula, data(), family=family, **options), np.random.default_rng(2)
    design = model.design
    names = [*design.terms, *design.units]
    spread = np.abs(rng.standard_t(3, SAMPLE)) if few else rng.uniform(0.2, 0.5, SAMPLE)
    draws = Draws(
        cells=1 + 0.1 * rng.normal(size=(*SAMPLE, 4)),
        units={u.name: 0.3 * rng.normal(size=(*SAMPLE, u.size)) for u in design.units},
        sigmas={part.name: spread for part in names},
        auxiliary={"sigma": rng.uniform(0.2, 0.6, SAMPLE), "nu": np.full(SAMPLE, 4.0)},
        slopes={"x": 0.1 + 0.02 * rng.normal(size=(*SAMPLE, 4))},
    )
    return Result(model, None, draws, Sampling("none", divergences=0, seconds=1.0))


def values(result, kind, *args, **kwargs):
    return result.draws_of(kind, *args, **kwargs).to_numpy()


def averaged(inverse, mean, sd):
    """The mean of a function over a normal variable, by a fine sum."""
    nodes = np.linspace(-8, 8, 801)
    weights = stats.norm.pdf(nodes)
    return inverse(mean[..., None] + sd[..., None] * nodes) @ weights / weights.sum()


# -- What was done to a response -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "function", "of"),
    [
        ("log(y)", "log", "y"),
        ("np.log(y)", "log", "y"),
        ("I(log(y))", "log", "y"),
        ("I(np.log(I(y)))", "log", "y"),
        ("np.log10(y)", "log10", "y"),
        ("log2(y)", "log2", "y"),
        ("log1p(y)", "log1p", "y"),
        ("np.sqrt(y)", "sqrt", "y"),
        ("logit(y)", "logit", "y"),
        ("log(y + 1)", "log", "y + 1"),
        ("log(y / n)", "log", "y / n"),
        ("sqrt(1000 * y)", "sqrt", "1000 * y"),
    ],
)
def test_transformations_are_known_however_they_are_written(text, function, of):
    found = specify(f"{text} ~ group", data()).transformed
    assert (found.function, found.of, found.straight) == (function, of, False)


@pytest.mark.parametrize(
    "text", ["y", "I(y)", "1000 * y", "y - x", "y / n", "(x + y) / 2", "scale(y)", "abs(x - y)"]
)
def test_what_is_measured_as_well_is_not_transformed(text):
    model = specify(f"{text} ~ group", data())
    assert model.transformed.straight
    assert stands_for(model, "response") == ""


@pytest.mark.parametrize(
    "text", ["1 / y", "I(y ** 2)", "-1 / y", "exp(y)", "log(y) / 2", "scale(log(y))", "log(log(n))"]
)
@pytest.mark.parametrize("scale", ["response", "median"])
def test_other_transformations_have_no_response_scale(text, scale):
    result = made_up(text)
    for table in (result.means, result.anova, result.deflections):
        with pytest.raises(ArgumentError, match=r"not taken back to what was measured.*lognormal"):
            table(scale=scale)
    with pytest.raises(ArgumentError, match="scale='link'"):
        result.slopes("x", scale=scale)
    with pytest.raises(ArgumentError, match="own ratios mean nothing"):
        result.contrasts("task", compare="ratio")
    assert len(result.means("task")) == 2
    assert shown_scale(result, "super") == "link"


def test_the_users_own_log_is_not_taken_for_the_logarithm():
    result = made_up("log(y)", extra_namespace={"log": lambda y: np.log(y) ** 3})
    with pytest.raises(ArgumentError, match="not taken back"):
        result.means(scale="response")


def test_transformed_responses_of_other_families_are_not_taken_back():
    with pytest.raises(ArgumentError, match="'gaussian' and 't'"):
        made_up("sqrt(y)", family="gamma").means(scale="response")


# -- Taking it back -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", INVERSE)
def test_means_of_what_was_measured(name):
    result, inverse = made_up(f"{name}(y)"), INVERSE[name]
    draws, sigma = result.draws, result.draws.auxiliary["sigma"]
    total = np.sqrt(sigma**2 + draws.sigmas["s"] ** 2 + draws.sigmas["s:task"] ** 2)
    for population, sd in (("super", total), ("average", sigma)):
        found = values(result, "means", population=population, scale="response")
        expected = averaged(inverse, draws.cells, sd[..., None])
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    found = values(result, "means", population="finite", scale="response")
    fine, unit = result.design.unit("s:task"), result.design.unit("s")
    for cell in range(4):
        here = np.unique(fine.codes[result.design.cell_codes == cell])
        eta = draws.units["s:task"][..., here] + draws.units["s"][..., unit.codes[fine.first[here]]]
        expected = averaged(inverse, draws.cells[..., [cell]] + eta, sigma[..., None])
        np.testing.assert_allclose(found[..., cell], expected.mean(axis=-1), rtol=1e-6)


@pytest.mark.parametrize("family", ["gaussian", "t"])
@pytest.mark.parametrize("name", INVERSE)
def test_medians_of_what_was_measured(name, family):
    result, inverse = made_up(f"{name}(y)", family), INVERSE[name]
    for population in ("super", "average", "finite"):
        found = values(result, "means", population=population, scale="median")
        link = values(result, "means", population=population)
        np.testing.assert_allclose(found, inverse(link), rtol=1e-12)
    table = result.means("task", scale="median")
    assert set(table["of"]) == {"median of y"}
    assert set(result.means("task")["of"]) == {f"mean of {name}(y)"}
    assert not without_mean(found).any()


def test_medians_are_those_of_simulated_rows():
    result = made_up("log(y)", "t")
    draws, rng = result.draws, np.random.default_rng(1)
    sd = np.sqrt(draws.sigmas["s"] ** 2 + draws.sigmas["s:task"] ** 2)[0, 0]
    units = sd * rng.normal(size=200_000)
    rows = draws.cells[0, 0, 2] + units
    rows = rows + draws.auxiliary["sigma"][0, 0] * rng.standard_t(4, len(units))
    found = values(result, "means", scale="median")[0, 0, 2]
    assert np.median(np.exp(rows)) == pytest.approx(found, rel=0.01)


def test_the_exponential_of_a_t_variable_has_no_mean():
    result = made_up("log(y)", "t")
    for options in ({"population": "super"}, {"population": "finite"}):
        with pytest.raises(ArgumentError, match=r"need not have a mean; pass scale='median'"):
            result.means(scale="response", **options)
    assert shown_scale(result, "super") == "median"
    assert "lognormal" in _message(lambda: result.means(scale="response"))
    assert "lognormal" not in _message(lambda: made_up("sqrt(y)", "t").means(scale="response"))


def _message(call):
    with pytest.raises(ArgumentError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "compare", "shift"),
    [
        ("log", "ratio", 0),
        ("log2", "ratio", 0),
        ("log10", "ratio", 0),
        ("log1p", "ratio", 1),
        ("logit", "odds_ratio", 0),
    ],
)
def test_ratios_are_exponentials_of_differences(name, compare, shift):
    result = made_up(f"{name}(y)")
    options = {"by": "group", "compare": compare}
    found = values(result, "contrasts", "task", **options)
    median = values(result, "means", scale="median") + shift
    size = median / (1 - median) if compare == "odds_ratio" else median
    np.testing.assert_allclose(found, size[..., ::2] / size[..., 1::2], rtol=1e-10)
    # Medians on their own scale have the same ratios.
    if not shift:
        other = values(result, "contrasts", "task", **options, scale="median")
        np.testing.assert_allclose(found, other, rtol=1e-10)
    table = result.contrasts("task", compare=compare)
    assert set(table["of"]) == {"median of y + 1" if shift else "median of y"}


def test_there_is_no_ratio_of_mean_logs():
    """As emmeans, for type = "response": the exponential of the difference."""
    result = made_up("np.log(y)")
    link = values(result, "contrasts", "task")
    found = values(result, "contrasts", "task", compare="ratio")
    np.testing.assert_allclose(found, np.exp(link), rtol=1e-12)
    with pytest.raises(ArgumentError, match="scale='response'"):
        made_up("sqrt(y)").contrasts("task", compare="ratio")
    with pytest.raises(ArgumentError, match="scale='response'"):
        made_up("log(y)").contrasts("task", compare="odds_ratio")


def test_slopes_are_derivatives_of_what_was_measured():
    result = made_up("log(y)")
    for scale in ("response", "median"):
        mean = values(result, "means", scale=scale)
        slope = values(result, "slopes", "x", "group:task", scale=scale)
        np.testing.assert_allclose(slope, mean * result.draws.slopes["x"], rtol=1e-5)


def test_a_log_of_the_response_and_the_lognormal_family_are_one():
    """The same draws, read as those of log(y) and of y."""
    one = made_up("log(y)")
    other = replace(made_up("y", "lognormal"), draws=one.draws)
    for options in product(("super", "finite", "average"), ("response", "median")):
        pair = [values(result, "means", None, *options) for result in (one, other)]
        np.testing.assert_allclose(*pair, rtol=1e-10)
    pair = [values(r, "contrasts", "task", compare="ratio") for r in (one, other)]
    np.testing.assert_allclose(*pair, rtol=1e-12)


def test_nothing_is_supported_by_a_bent_scale_that_the_cells_do_not_support():
    frame = data().query("group == 'A' or task == 'x'")
    result = made_up("log(y)")
    with pytest.warns(ba.errors.AnovaWarning):
        model = ba.Model("log(y) ~ group * task + x + Error(s)", frame)
    result = replace(result, specification=model)
    both = result.contrasts("group", scale="response")["supported"]
    assert not both.any()


def test_standardised_effects_stay_where_the_residual_is():
    with pytest.raises(ArgumentError, match="scale='link'"):
        made_up("log(y)").contrasts("task", scale="response", standardize="residual")


def test_names_and_dots_are_of_what_was_measured():
    result, frame = made_up("log(y)"), data()
    assert [scale_name(result, scale) for scale in ("link", "response", "median")] == [
        "log(y)",
        "y",
        "median of y",
    ]
    by_unit = frame.groupby(["s", "task"])["y"]
    found = observed_means(result, ["task"], "response")["mean"]
    np.testing.assert_allclose(sorted(found), sorted(by_unit.mean()))
    found = observed_means(result, ["task"], "median")["mean"]
    np.testing.assert_allclose(
        sorted(found), sorted(np.exp(by_unit.agg(lambda y: np.log(y).mean())))
    )
    found = observed_means(result, ["task"], "link")["mean"]
    np.testing.assert_allclose(sorted(found), sorted(by_unit.agg(lambda y: np.log(y).mean())))


def test_the_median_unit_of_a_generalised_model():
    result = made_up("n", "poisson")
    found = values(result, "means", scale="median")
    average = values(result, "means", population="average", scale="response")
    np.testing.assert_allclose(found, average)
    assert set(result.means(scale="median")["of"]) == {"rate of the median unit"}


# -- Means that do not exist ---------------------------------------------------------------------


@pytest.mark.parametrize(("response", "family"), [("n", "poisson"), ("log(y)", "gaussian")])
def test_few_units_have_no_mean_over_new_ones(response, family):
    result = made_up(response, family, few=True)
    with pytest.warns(NoMeanWarning, match="4 of 4 quantities have no posterior mean"):
        table = result.means(scale="response")
    assert table[["mean", "sd", "mcse_mean"]].isna().all(axis=None)
    draws = values(result, "means", scale="response")
    np.testing.assert_allclose(table["median"], np.median(draws, axis=(0, 1)))
    assert (table["hdi95_lb"] < table["median"]).all()
    assert (table["median"] < table["hdi95_ub"]).all()
    assert shown_scale(result, "super") == "median"
    assert shown_scale(result, "super", "response") == "response"
    # These units are known, and so is the median one.
    assert shown_scale(result, "finite") == "response"
    assert result.means(scale="median")["mean"].notna().all()


def test_many_units_have_a_mean_over_new_ones():
    result = made_up("n", "poisson")
    assert shown_scale(result, "super") == "response"
    assert result.means(scale="response")["mean"].notna().all()


def test_no_interval_is_printed_that_rounds_to_nothing():
    from bambi_anova.tables.rounding import row_decimals

    table = pd.DataFrame(
        {"sd": [1e37, 2.0], "mcse_mean": [1e35, 0.01], "hdi95_lb": [3.1, -4.0], "hdi95_ub": [40, 4]}
    ).assign(trusted=False)
    assert row_decimals(table).tolist() == [-1, 2]
    with pytest.warns(NoMeanWarning):
        shown = made_up("n", "poisson", few=True).means(scale="response")
    assert "e+" not in repr(shown)
    assert len(repr(shown).split("\n")[1]) < 80


def test_ratios_of_what_is_little_known_have_a_median():
    result = made_up("log(y)")
    draws = replace(result.draws, cells=5 * np.random.default_rng(1).standard_t(2, (*SAMPLE, 4)))
    with pytest.warns(NoMeanWarning):
        table = replace(result, draws=draws).contrasts("task", compare="ratio")
    assert table["mean"].isna().all()
    assert 0.05 < table["median"][0] < 20


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
def test_a_report_of_few_units_gives_medians_and_says_why():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(product(range(5), "xyz", range(3)), columns=["s", "b", "k"])
    mean = 2 + 0.3 * (frame["b"] == "y") + rng.normal(0, 0.8, 5)[frame["s"]]
    model = ba.Model("y ~ b + Error(s/b)", frame.assign(y=rng.poisson(np.exp(mean))), "poisson")
    result = model.fit("laplace", draws=1000, random_seed=1, progressbar=False)
    text = result.report().results
    assert "Medians over new units are given because" in text
    assert "The rate of y, median unit was" in text
    assert "[0, 0]" not in text
    assert max(len(word) for word in text.split()) < 30
    explicit = result.report(population="finite").results
    assert "Medians" not in explicit

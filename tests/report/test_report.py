"""Reports: every number is recomputed from the tables, and the words follow the fit."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.errors import AnovaWarning
from bambi_anova.posterior.trust import Sampling
from bambi_anova.present.wording import TIMES
from bambi_anova.priors.distributions import Prior
from bambi_anova.report.report import CHECKED, Report
from bambi_anova.specification import of_design
from bambi_anova.tables.rounding import MINUS, interval, number, percentage, row_decimals

DESIGNS = ["memory", "oats", "recall"]
ODD = ["covariate", "no units", "no factors", "empty cell"]


@pytest.fixture(scope="module")
def report_of(quick_fit):
    """From the name of a design to its report, written once."""
    done = {}

    def report_of(name):
        if name not in done:
            done[name] = quick_fit(name).report()
        return done[name]

    return report_of


def as_chains(result, divergences=0):
    return replace(result, sampling=Sampling("nuts", divergences, seconds=1.0))


def written(table, bounds=("hdi95_lb", "hdi95_ub")):
    """Mean and interval of each row, as the report writes them."""
    for row, places in zip(table.to_dict("records"), row_decimals(table), strict=True):
        yield row, number(row["mean"], places), interval(*(row[b] for b in bounds), int(places))


def contrast_texts(table, name="95% HDI", bounds=("hdi95_lb", "hdi95_ub")):
    return [
        f"{row['contrast'].replace(' - ', f' {MINUS} ')} = {mean} ({name} {ends}, "
        f"probability of direction {percentage(row['pd'], row['ess_bulk'])}"
        for row, mean, ends in written(table, bounds)
    ]


# -- Numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*DESIGNS, "covariate", "no units", "empty cell"])
def test_means_and_contrasts_of_factors_are_the_tables(name, quick_fit, report_of):
    result, report = quick_fit(name), report_of(name)
    for factor in result.design.levels:
        means = result.means(factor, scale="response")
        for row, mean, ends in written(means):
            assert re.search(
                rf"{re.escape(f'{mean} {ends}')}( \([^)]*\))? at {re.escape(str(row[factor]))}",
                report.results,
            )
        for text in contrast_texts(result.contrasts(factor, scale="response")):
            assert text in report.results


@pytest.mark.parametrize("name", ["memory", "recall"])
def test_between_factors_have_both_answers(name, quick_fit, report_of):
    result, report = quick_fit(name), report_of(name)
    within, between = "For the units of this study alone: ", 0
    for factor in result.design.factors:
        paragraph = next(
            p for p in report.results.split("\n\n") if p.startswith(f"**{factor.name}.**")
        )
        table = result.contrasts(factor.name, population="finite", scale="response")
        assert (within in paragraph) == bool(factor.between)
        if factor.between:
            between += 1
            tail = paragraph.split(within)[1]
            assert all(text in tail for text in contrast_texts(table))
    assert between == 1


def test_a_report_for_these_units_has_one_answer(quick_fit):
    result = quick_fit("memory")
    report = result.report(population="finite", scale="link", ci_prob=0.9, ci_kind="eti")
    options = {"population": "finite", "ci_prob": 0.9, "ci_kind": "eti"}
    table = result.contrasts("condition", **options)
    (text,) = contrast_texts(table, "90% ETI", ("eti90_lb", "eti90_ub"))
    assert text in report.results
    assert "this study alone" not in report.results
    assert "finite population (these units)" in report.results
    assert "logit of the probability of errors" in report.results


def test_an_interaction_of_few_contrasts_is_written_out(quick_fit, report_of):
    table = quick_fit("memory").contrasts("condition:trial_type", scale="response")
    (text,) = contrast_texts(table)
    assert f"**condition {TIMES} trial_type.** {text}" in report_of("memory").results


def test_of_many_interaction_contrasts_the_largest_is_given(quick_fit, report_of):
    table = quick_fit("oats").contrasts("variety:nitrogen", scale="response")
    largest = contrast_texts(table)[int(table["mean"].abs().to_numpy().argmax())]
    text = f"**variety {TIMES} nitrogen.** Of 18 contrasts the largest was {largest}"
    assert text in report_of("oats").results


def test_simple_effects_of_each_factor_have_intervals(quick_fit, report_of):
    for factor, other in (("condition", "trial_type"), ("trial_type", "condition")):
        table = quick_fit("memory").contrasts(factor, by=other, scale="response")
        texts = [
            text.replace(" = ", f" at {level} = ")
            for text, level in zip(contrast_texts(table), table[other], strict=True)
        ]
        assert len(texts) == 2
        start = f"Simple effects of {factor}: {texts[0]}); {texts[1]})."
        assert start in report_of("memory").results


@pytest.mark.parametrize("name", [*DESIGNS, "no factors"])
def test_sds_of_units_are_the_anova_tables(name, quick_fit, report_of):
    table = quick_fit(name).anova()
    table = table[table["kind"] == "unit"].reset_index(drop=True)
    for row, mean, ends in written(table):
        unit = row["term"].replace(":", f" {TIMES} ")
        text = rf"{re.escape(f'{mean} {ends}')}( \(not trusted\))? between {unit} \({row['units']}"
        assert re.search(text, report_of(name).results)


def test_slopes_are_given_level_by_level(quick_fit, report_of):
    table = quick_fit("covariate").slopes("age", scale="response")
    assert len(table) == 3
    for row, mean, ends in written(table):
        text = re.escape(f"{mean} (95% HDI {ends}, probability of direction")
        level = re.escape(row["encouragement"])
        assert re.search(
            rf"{text} [^)]*\)( \(not trusted\))? at {level}", report_of("covariate").results
        )


def test_the_largest_of_many_contrasts_is_named():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.repeat([f"g{i}" for i in range(5)], 8)})
    data["y"] = rng.normal(size=40) + 3 * (data["g"] == "g2")
    result = ba.Model("y ~ g", data).fit("laplace", random_seed=1, progressbar=False)
    table = result.contrasts("g", scale="response")
    largest = contrast_texts(table)[int(table["mean"].abs().to_numpy().argmax())]
    assert f"Of 10 contrasts the largest was {largest}" in result.report().results


def test_shares_in_the_rope_are_the_tables(quick_fit):
    result, rope = quick_fit("oats"), (-5, 7.5)
    report = result.report(rope=rope)
    table = result.contrasts("variety", scale="response", rope=rope)
    for row in table.to_dict("records"):
        assert f"{percentage(row['in_rope'], row['ess_bulk'])} in the ROPE" in report.results
    assert f"[{MINUS}5.0, 7.5]" in report.results
    assert "too small to matter" not in report.left
    assert "too small to matter" in result.report().left


@pytest.mark.parametrize("name", DESIGNS)
def test_the_predictive_check_of_new_units_is_counted(name, quick_fit, report_of):
    result, methods = quick_fit(name), report_of(name).methods
    check = result.predictive_check("unit", units="new", draws=CHECKED, random_seed=0)
    outside = (check["tail_probability"] < 0.025) | (check["tail_probability"] > 0.975)
    assert f"observed mean of {outside.sum()} of {len(check)} units" in methods
    assert f"about {number(0.05 * len(check), 1)} would by chance" in methods


@pytest.mark.parametrize("name", [*DESIGNS, "no units"])
def test_the_features_of_residuals_are_counted(name, quick_fit, report_of):
    table = quick_fit(name).misfit()
    assert f": none of these {len(table)} features were amiss." in report_of(name).methods
    assert ("by chance" in report_of(name).methods) == (name != "no units")
    assert "does not fit" not in report_of(name).results


def test_what_priors_do_is_told_with_numbers(quick_fit, report_of):
    result, report = quick_fit("memory"), report_of("memory")
    table = result.sensitivity(refit=False)
    row = table[table["quantity"] == "condition: A - B"].iloc[0]
    told = f"sd {row['prior_sd']:.3g} and {row['prior_near']:.2f} for condition"
    assert told in report.methods
    assert "logit of the probability of errors" in report.methods
    assert "weakly informative" not in report
    own = table[table["quantity"].str.contains(": |^deflection")]
    worst = own.loc[own["moved"].abs().idxmax()]
    text = f"moved most was {worst['quantity']}, by {abs(worst['moved']):.2f} posterior sd"
    assert text.replace("_", r"\_") in report.results or text in report.results
    assert "sensitive the conclusions" not in report.left
    assert "Sensitive to priors" not in report.results


def test_a_likelihood_that_does_not_fit_is_told_first():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"s": np.arange(200) // 10, "task": ["x", "y"] * 100})
    data["rt"] = np.exp(6 + 0.5 * rng.normal(size=200) + 0.1 * rng.normal(size=20)[data["s"]])
    model = ba.Model("rt ~ task + Error(s/task)", data, family="gaussian")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AnovaWarning)
        result = model.fit("laplace", draws=100, random_seed=1, progressbar=False)
    report = result.report()
    assert "**The likelihood does not fit**: the model misses the skew of rt" in report.results
    assert report.results.index("does not fit") < report.results.index("Estimates are")
    assert "features were amiss" in report.methods
    assert ": none of" not in report.methods


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.ConvergenceWarning")
def test_about_as_many_of_the_units_fall_outside_as_the_report_says():
    """Units that come from the model, by the hundred: these units' own replicates hide them."""
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"s": np.repeat(np.arange(400), 4), "task": ["x", "y"] * 800})
    data["y"] = 2 * rng.normal(size=400)[data["s"]] + rng.normal(size=1600)
    model = ba.Model("y ~ task + Error(s/task)", data)
    result = model.fit("laplace", draws=250, random_seed=1, progressbar=False)
    found = re.search(r"mean of (\d+) of 400 units .* about 20.0 would", result.report().methods)
    assert 10 <= int(found[1]) <= 31
    same = result.predictive_check("unit", random_seed=1)["tail_probability"]
    assert ((same - 0.5).abs() > 0.475).sum() == 0


@pytest.mark.parametrize("name", [*DESIGNS, *ODD])
def test_diagnostics_are_those_of_trust(name, quick_fit, report_of):
    result, methods = quick_fit(name), report_of(name).methods
    trust = result.trust()
    moving = trust[trust["sd"] > 0]
    assert f"at least {moving[['ess_bulk', 'ess_tail']].to_numpy().min():.0f}." in methods
    assert f"Pareto k of the weights {number(result.sampling.weighting.pareto_k, 2)}" in methods
    assert f"{trust['trusted'].sum()} of {len(trust)} quantities of the fit are trusted" in methods


# -- Words -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*DESIGNS, *ODD])
def test_the_design_is_told(name, quick_fit, report_of):
    result, methods = quick_fit(name), report_of(name).methods
    assert f"`{result.design.formula.text}`" in methods
    assert f"{len(result.design.rows.data):,} rows" in methods
    assert f"{result.family.name} likelihood and {result.link.name} link" in methods
    for unit in result.design.units:
        assert f"{unit.name.replace(':', f' {TIMES} ')} ({unit.size} units)" in methods
    for factor in result.design.factors:
        assert all(str(level) in methods for level in factor.levels)
    assert ("rows count as independent" in methods) == (not result.design.units)
    assert "nan" not in report_of(name)


def test_strata_and_balance_are_told(report_of):
    assert "condition by participant;" in report_of("memory").methods
    assert "held 1,000 to 1,050 rows; marginal means weigh cells" in report_of("memory").methods
    assert "nitrogen by the residual" in report_of("oats").methods
    assert "The cells held 6 rows each." in report_of("oats").methods


def test_empty_cells_are_told_and_marked(quick_fit, report_of):
    report, result = report_of("empty cell"), quick_fit("empty cell")
    assert "1 cell of 6 had no data (No encouragement at all" in report.methods
    contrasts = [result.contrasts(f, scale="response") for f in result.design.levels]
    unsupported = sum(int((~table["supported"]).sum()) for table in contrasts)
    assert unsupported > 0
    assert report.results.count("rests in part on the prior") >= unsupported
    assert "rests in part" not in report_of("oats").results


def test_priors_are_named_and_whose_they_are(quick_fit, report_of):
    result = quick_fit("oats")
    methods = report_of("oats").methods
    assert "the defaults, after Kruschke (2015)" in methods
    assert all(str(prior) in methods for prior in result.priors.sigmas.values())
    assert "chosen for this analysis" not in methods
    own = Prior("HalfNormal", {"sigma": 7.0}, given=object())
    priors = replace(result.priors, sigmas={**result.priors.sigmas, "variety": own})
    other = of_design(result.design, result.family, result.link, priors)
    methods = replace(result, specification=other).report().methods
    assert "Priors chosen for this analysis: HalfNormal(sigma=7) for the sd of variety." in methods


def test_a_users_prior_goes_from_the_model_to_the_report():
    import bambi as bmb

    prior = {"variety": bmb.Prior("HalfNormal", sigma=30)}
    data = ba.load_data("oats")
    model = ba.Model("yield ~ variety + Error(block/variety)", data, priors=prior)
    result = model.fit("laplace", random_seed=1, progressbar=False)
    assert "HalfNormal(sigma=30) for the sd of variety." in result.report().methods


def test_a_trusted_fit_has_no_warning(quick_fit, report_of):
    assert quick_fit("oats").verdict == "trusted"
    assert "not trusted" not in report_of("oats")
    assert "full fit by NUTS" in report_of("oats").left


def test_an_untrusted_quick_fit_says_so_first(quick_fit):
    good = quick_fit("oats")
    heavy = replace(good.sampling.weighting, pareto_k=0.93)
    bad = replace(good, sampling=replace(good.sampling, weighting=heavy))
    results = bad.report().results
    assert results.startswith("**This fit is not trusted** (a quick fit, to be confirmed by NUTS)")
    assert all(reason in results for reason in bad.verdict.reasons)
    assert results.count("(not trusted)") > 5


def test_chains_are_told_by_their_diagnostics(quick_fit):
    good = as_chains(quick_fit("oats"))
    methods = good.report().methods
    worst = good.trust()["r_hat"].max()
    assert f"4 chains of {good.draws.sample_shape[1]:,} draws" in methods
    assert f"0 divergent transitions, R-hat at most {worst:.3f}" in methods
    assert "Pareto" not in methods
    assert "full fit by NUTS" not in good.report().left
    bad = as_chains(quick_fit("oats"), divergences=3).report()
    assert "3 divergent transitions" in bad.methods
    assert bad.results.startswith("**This fit is not trusted** (to be sampled for longer)")


def test_counts_are_rates():
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"s": np.repeat(np.arange(12), 6), "hours": rng.uniform(1, 3, 72)})
    data["group"] = np.where(data["s"] % 2, "treated", "control")
    data["seizures"] = rng.poisson(3 * data["hours"])
    model = ba.Model("seizures ~ group + offset(log(hours)) + Error(s)", data, family="poisson")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AnovaWarning)
        report = model.fit("laplace", random_seed=1, progressbar=False).report()
    assert "poisson likelihood and log link" in report.methods
    assert "The mean rate of seizures was" in report.results


def test_what_a_colleague_would_ask_is_left_to_the_author(report_of):
    with pytest.warns(AnovaWarning, match="'nitrogen' varies within") as asked:
        model = ba.Model("yield ~ nitrogen + Error(block)", ba.load_data("oats"))
    left = model.fit("laplace", random_seed=1, progressbar=False).report().left
    assert str(asked[0].message) in left
    assert "check of the design" not in report_of("oats").left


def test_a_report_is_markdown_text_with_parts(report_of):
    report = report_of("oats")
    assert isinstance(report, str)
    assert isinstance(report, Report)
    assert repr(report) == str(report) == report._repr_markdown_()
    for title, part in (
        ("Methods", report.methods),
        ("Results", report.results),
        ("Left to the author", report.left),
    ):
        assert f"### {title}\n\n{part}" in report


def test_a_report_is_repeatable(quick_fit, report_of):
    assert quick_fit("memory").report() == report_of("memory")


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.ConvergenceWarning")
def test_few_draws_make_a_report_and_a_page_too():
    model = ba.Model("yield ~ nitrogen + Error(block/nitrogen)", ba.load_data("oats"))
    result = model.fit("laplace", draws=30, chains=2, random_seed=1, progressbar=False)
    assert "nitrogen" in str(result.report())
    assert len(result.plot().axes) > 1


def test_rows_left_out_are_told():
    data = ba.load_data("oats").astype({"yield": float})
    data.loc[[3, 40], "yield"] = np.nan
    formula = "yield ~ variety * nitrogen + Error(block/variety)"
    model = ba.Model(formula, data, dropna=True)
    assert "70 rows (2 with missing values left out)" in repr(model)
    methods = model.fit("laplace", random_seed=1, progressbar=False).report().methods
    assert "70 rows of yield. 2 further rows with missing values were left out." in methods


def test_names_are_shown_as_they_are_in_markdown():
    """Rendered, a report says what it says as text, whatever signs names have."""
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark")
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"my factor": np.repeat(["*new*", "<b>old</b>", "_x_ [a](b)"], 8)})
    data["y"] = rng.normal(size=24) + 2 * (data["my factor"] == "*new*")
    result = ba.Model("y ~ `my factor`", data).fit("laplace", random_seed=1, progressbar=False)
    html = parser.render(str(result.report()))
    assert "<code>y ~ `my factor`</code>" in html
    assert not re.search("<(b|em|a)[ >]", html)
    assert "<strong>my factor.</strong>" in html
    for level in ("*new*", "&lt;b&gt;old&lt;/b&gt;", "_x_ [a](b)"):
        assert f"at {level}" in html


# -- Effect sizes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("memory", {"standardize": "total"}, "In units of the total sd: participant + "),
        ("oats", {"standardize": "total"}, "In units of the total sd: block + block:variety"),
        ("few units", {"compare": "ratio"}, "As ratios: "),
    ],
)
def test_effect_sizes_are_the_tables(name, options, words, quick_fit, report_of):
    paragraph = next(
        p for p in report_of(name).results.split("\n\n") if p.startswith("**Effect sizes.**")
    )
    assert paragraph.startswith(f"**Effect sizes.** {words}")
    result = quick_fit(name)
    for factor in result.design.levels:
        for row, mean, ends in written(result.contrasts(factor, **options)):
            assert f"{row['contrast'].replace(' - ', f' {MINUS} ')} = {mean} {ends}" in paragraph


HOSTILE = ["<script>alert(1)</script>", "a|b", "*bold*", "_it_ `x` [l](u) $y$ ~~z~~ \\*"]


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
def test_hostile_levels_read_as_they_are_in_markdown_and_html():
    """Rendered by a Markdown parser, no tag, emphasis or link is left of them."""
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark", {"html": True})
    parser.enable(["table", "strikethrough"])
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        [(f"<i>{i}</i>", level, day) for i in range(6) for level in HOSTILE for day in "uv"],
        columns=["sub_j*`", "le_vel [x](y) *b*", "day"],
    )
    frame = frame.rename(columns={"sub_j*`": "sub_j*"}).assign(y=rng.normal(size=len(frame)))
    formula = "y ~ `le_vel [x](y) *b*` * day + Error(`sub_j*`)"
    result = ba.Model(formula, frame).fit("laplace", draws=200, random_seed=1, progressbar=False)
    texts = [str(result.report()), result.to_markdown("contrasts", "le_vel [x](y) *b*")]
    for text in texts:
        html = parser.render(text)
        for mark in ("<script", "<i>", "<em>", "<a ", "<s>"):
            assert mark not in html
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
        assert "*bold*" in html
    for html in (result._repr_html_(), result.means()._repr_html_(), result.model._repr_html_()):
        assert "<script" not in html
        assert "<i>" not in html
    html = result.table("means").as_raw_html()
    assert "<script>alert" not in html

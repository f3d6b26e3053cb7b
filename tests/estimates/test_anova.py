"""The ANOVA table: degrees of freedom, sds of effects and shares, against dense least squares."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.anova import anova, within_batch
from bambi_anova.families.registry import get_family
from bambi_anova.posterior.draws import Draws
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.trust import Sampling
from bambi_anova.result import Result
from bambi_anova.specification import of_design

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

SAMPLE = (2, 60)
GOOD = Sampling("none", divergences=0, seconds=1.0)


def with_response(frame):
    return frame.assign(y=np.random.default_rng(len(frame)).normal(size=len(frame)))


def posterior_of(design, draws, sampling=GOOD, family="gaussian"):
    """A posterior with made-up draws."""
    known = get_family(family)
    link = known.parent.links[0]
    return Posterior(of_design(design, known, link, None), None, draws, sampling)


def split_plot(groups="AAAABBBB", copies=2):
    """Subjects in groups, each with three tasks."""
    frame = pd.DataFrame(
        product(range(len(groups)), "xyz", range(copies)), columns=["s", "task", "copy"]
    )
    return with_response(frame.assign(group=[groups[s] for s in frame["s"]]))


def three_way():
    frame = pd.DataFrame(
        product(range(6), "pq", "uvw", "kl", range(2)), columns=["s", "A", "B", "C", "copy"]
    )
    return with_response(frame)


def crossed():
    frame = pd.DataFrame(product(range(7), range(9)), columns=["s", "item"])
    return with_response(
        frame.assign(
            group=np.where(frame["s"] < 3, "A", "B"), kind=np.where(frame["item"] < 5, "n", "v")
        )
    )


def some_rows(frame, share=0.6):
    """Keep a share of the rows: an unbalanced design."""
    return frame.sample(frac=share, random_state=1).sort_index()


def schools():
    """Two crossed partitions above the pupils: their school and their neighbourhood."""
    frame = pd.DataFrame({"pupil": range(40)})
    frame["school"] = np.random.default_rng(1).integers(0, 6, 40)
    frame["place"] = np.random.default_rng(2).integers(0, 5, 40)
    frame["group"] = np.random.default_rng(3).choice(["A", "B", "C"], 40)
    return with_response(pd.concat([frame, frame], ignore_index=True))


def made_up(design, seed=1, auxiliary=("sigma",)):
    rng = np.random.default_rng(seed)
    names = [one.name for one in (*design.terms, *design.units, *design.slopes)]
    covariates = design.rows.covariates
    return Draws(
        cells=rng.normal(size=(*SAMPLE, len(design.cells))),
        units={unit.name: rng.normal(size=(*SAMPLE, unit.size)) for unit in design.units},
        sigmas={name: rng.uniform(0.5, 2, size=SAMPLE) for name in names},
        auxiliary={name: rng.uniform(0.5, 2, size=SAMPLE) for name in auxiliary},
        slopes={name: rng.normal(size=(*SAMPLE, len(design.cells))) for name in covariates},
        unit_slopes={s.name: rng.normal(size=(*SAMPLE, s.unit.size)) for s in design.slopes},
    )


def table_of(design, draws=None, scale="link", **options):
    draws = made_up(design) if draws is None else draws
    return anova(posterior_of(design, draws), scale=scale, **options).set_index("term")


# -- Unit effects about their cells and coarser units ------------------------------------------


# The partitions that each unit term is swept of, besides the grand mean.
SWEEPS = {
    "balanced": (
        "y ~ group * task + Error(s/task)",
        split_plot(),
        {"s": [["group"]], "s:task": [["s"], ["group", "task"]]},
    ),
    "unequal groups": (
        "y ~ group * task + Error(s/task)",
        split_plot("AAAAABBC"),
        {"s": [["group"]], "s:task": [["s"], ["group", "task"]]},
    ),
    "missing rows": (
        "y ~ group * task + Error(s/task)",
        some_rows(split_plot(copies=1)).pipe(lambda d: pd.concat([d, d], ignore_index=True)),
        {"s": [["group"]], "s:task": [["s"], ["group", "task"]]},
    ),
    "additive": (
        "y ~ group + task + Error(s/task)",
        split_plot("AAAABBC"),
        {"s": [["group"]], "s:task": [["s"], ["group", "task"]]},
    ),
    "crossed": (
        "y ~ group * kind + Error(s/kind) + Error(item)",
        crossed(),
        {"s": [["group"]], "s:kind": [["s"], ["group", "kind"]], "item": [["kind"]]},
    ),
    "three within factors": (
        "y ~ A * B * C + Error(s/(A*B*C))",
        three_way(),
        {
            "s": [],
            "s:A": [["s"], ["A"]],
            "s:A:B": [["s", "A"], ["s", "B"], ["A", "B"]],
            "s:A:B:C": [["s", "A", "B"], ["s", "A", "C"], ["s", "B", "C"], ["A", "B", "C"]],
        },
    ),
    "three within factors, unbalanced": (
        "y ~ A * B * C + Error(s/(A*B*C))",
        some_rows(three_way(), 0.5),
        {
            "s:A:B": [["s"], ["s", "A"], ["s", "B"], ["A", "B"]],
            "s:A:B:C": [["s", "A", "B"], ["s", "A", "C"], ["s", "B", "C"], ["A", "B", "C"]],
        },
    ),
    "two crossed coarser units": (
        "y ~ group + Error(school) + Error(place) + Error(pupil)",
        schools(),
        {"pupil": [["school"], ["place"], ["group"]]},
    ),
    "as many units as cells": (
        "y ~ group + Error(s)",
        split_plot("ABC"),
        {"s": [["group"]]},
    ),
}
SWEPT = [
    pytest.param(formula, data, unit, partitions, id=f"{name}, {unit}")
    for name, (formula, data, units) in SWEEPS.items()
    for unit, partitions in units.items()
]


def dense_projection(data, unit, partitions):
    """Columns for the grand mean and each partition of the units, who are in sorted order."""
    units = data.drop_duplicates(unit).sort_values(unit)
    columns = [np.ones((len(units), 1))]
    for names in partitions:
        keys = units[names].astype(str).agg("|".join, axis=1)
        columns.append(pd.get_dummies(keys).to_numpy(float))
    return np.hstack(columns)


@pytest.mark.parametrize(("formula", "data", "name", "partitions"), SWEPT)
def test_unit_effects_are_swept_as_least_squares_would(formula, data, name, partitions):
    design = ba.Model(formula, data).design
    unit = design.unit(name)
    effects = np.random.default_rng(1).normal(size=(2, 3, unit.size))
    columns = dense_projection(data, name.split(":"), partitions)
    assert len(columns) == unit.size

    residual, df = within_batch(effects, unit, design)
    for index in np.ndindex(2, 3):
        fitted = columns @ np.linalg.lstsq(columns, effects[index], rcond=None)[0]
        np.testing.assert_allclose(residual[index], effects[index] - fitted, atol=1e-10)
    assert df == unit.size - np.linalg.matrix_rank(columns)


def test_sweeping_twice_changes_nothing():
    design = ba.Model("y ~ group * task + Error(s/task)", split_plot("AAAAABBC")).design
    unit = design.unit("s:task")
    once, _ = within_batch(np.random.default_rng(1).normal(size=unit.size), unit, design)
    np.testing.assert_allclose(within_batch(once, unit, design)[0], once, atol=1e-12)


# -- Degrees of freedom ------------------------------------------------------------------------


def test_a_split_plot_has_the_degrees_of_freedom_of_the_classical_table():
    df = table_of(ba.Model("y ~ group * task + Error(s/task)", split_plot()).design)["df"]
    # 8 subjects in 2 groups, 3 tasks done twice: 48 rows.
    assert df.to_dict() == {
        "group": 1,
        "task": 2,
        "group:task": 2,
        "s": 8 - 2,
        "s:task": (8 - 2) * (3 - 1),
        "residual": 24,
    }
    assert df.sum() == 48 - 1


def test_oats_has_the_degrees_of_freedom_of_yates():
    oats = ba.load_data("oats")
    df = table_of(ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats).design)["df"]
    assert df.to_dict() == {
        "variety": 2,
        "nitrogen": 3,
        "variety:nitrogen": 6,
        "block": 5,
        "block:variety": 10,
        "residual": 45,
    }


def test_two_within_factors_have_the_classical_strata():
    frame = with_response(
        pd.DataFrame(product(range(10), "pq", "uvw", range(2)), columns=["s", "A", "B", "copy"])
    )
    table = table_of(ba.Model("y ~ A * B + Error(s/(A*B))", frame).design)
    assert table["df"].to_dict() == {
        "A": 1,
        "B": 2,
        "A:B": 2,
        "s": 9,
        "s:A": 9,
        "s:B": 18,
        "s:A:B": 18,
        "residual": 60,
    }
    assert table.loc[["A", "B", "A:B"], "stratum"].tolist() == ["s:A", "s:B", "s:A:B"]


def test_a_covariate_takes_a_degree_of_freedom_from_the_residual():
    data = split_plot().assign(x=np.linspace(0, 1, 48))
    without = table_of(ba.Model("y ~ group + Error(s)", data).design)["df"]
    table = table_of(ba.Model("y ~ group + x + Error(s)", data).design)["df"]
    assert without["residual"] - table["residual"] == 1


# -- Sizes -------------------------------------------------------------------------------------


def test_the_finite_sd_of_a_term_is_the_root_of_its_squared_deflections_over_df():
    design = ba.Model("y ~ group * task + Error(s/task)", split_plot()).design
    draws = made_up(design)
    table = table_of(design, draws)
    cells = draws.cells.reshape(*SAMPLE, 2, 3)
    grand = cells.mean(axis=(2, 3), keepdims=True)
    group = cells.mean(axis=3, keepdims=True) - grand
    task = cells.mean(axis=2, keepdims=True) - grand
    both = cells - grand - group - task
    for name, deflections, df in (("group", group, 1), ("task", task, 2), ("group:task", both, 2)):
        finite = np.sqrt((deflections**2).sum(axis=(2, 3)) / df)
        assert table.loc[name, "mean"] == pytest.approx(finite.mean())
        assert table.loc[name, "sigma"] == pytest.approx(draws.sigmas[name].mean())


def test_the_finite_sd_of_units_leaves_their_group_means_out():
    data = split_plot("AAAAABBB")
    design = ba.Model("y ~ group + Error(s)", data).design
    draws = made_up(design)
    effects = draws.units["s"]
    in_groups = [effects[..., :5], effects[..., 5:]]
    squares = sum(((e - e.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1) for e in in_groups)
    row = table_of(design, draws).loc["s"]
    assert row["mean"] == pytest.approx(np.sqrt(squares / 6).mean())
    assert (row["kind"], row["units"]) == ("unit", 8)


def test_group_differences_between_units_do_not_count_as_theirs():
    design = ba.Model("y ~ group + Error(s)", split_plot("AAAAABBB")).design
    draws = made_up(design)
    before = table_of(design, draws).loc["s", "mean"]
    draws.units["s"][..., :5] += 100
    assert table_of(design, draws).loc["s", "mean"] == pytest.approx(before)
    draws.units["s"][..., 0] += 100
    assert table_of(design, draws).loc["s", "mean"] > before + 10


def test_shares_are_mean_squared_effects_and_sum_to_one():
    design = ba.Model("y ~ group + Error(s)", split_plot("AAAAABBB")).design
    draws = made_up(design)
    group = draws.cells - draws.cells.mean(axis=-1, keepdims=True)
    units, _ = within_batch(draws.units["s"], design.unit("s"), design)
    rows = draws.cells[..., design.cell_codes] + draws.units["s"][..., design.unit("s").codes]
    residual = design.rows.response.values - rows
    parts = np.stack([(own**2).mean(axis=-1) for own in (group, units, residual)])
    table = table_of(design, draws)
    assert set(table["share_of"]) == {"variance of y in these rows"}
    shares = (parts / parts.sum(axis=0)).mean(axis=(1, 2))
    assert table["share"].tolist() == pytest.approx(shares.tolist())
    assert table["share"].sum() == pytest.approx(1)


@pytest.mark.parametrize("name", ["unequal groups", "crossed", "three within factors, unbalanced"])
def test_shares_sum_to_one_in_any_design(name):
    formula, data, _ = SWEEPS[name]
    table = table_of(ba.Model(formula, data).design)
    assert table["share"].sum() == pytest.approx(1)
    assert table["share"].between(0, 1).all()


def test_the_residual_has_a_sigma_but_no_sampled_effects():
    design = ba.Model("y ~ group + Error(s)", split_plot()).design
    draws = made_up(design)
    row = table_of(design, draws).loc["residual"]
    assert np.isnan(row["mean"])
    assert row["sigma"] == pytest.approx(draws.auxiliary["sigma"].mean())


def test_the_residuals_share_is_that_of_rows_about_their_predictor():
    """With a covariate, slopes that vary, merged rows and rows of family t."""
    data = split_plot().assign(x=lambda d: np.tile(np.linspace(-1, 2, 3), 16))
    for family, collapse in (("gaussian", True), ("gaussian", False), ("t", True)):
        model = ba.Model("y ~ group * x + (x|s)", data, family, collapse=collapse)
        design, draws = model.design, made_up(model.design, auxiliary=("sigma", "nu"))
        posterior = Posterior(model, None, draws, GOOD)
        unit, cell = design.unit("s").codes, design.cell_codes
        x = data["x"].to_numpy() - data["x"].mean()
        eta = draws.cells[..., cell] + draws.units["s"][..., unit]
        eta = eta + x * (draws.slopes["x"][..., cell] + draws.unit_slopes["x|s"][..., unit])
        residual = ((data["y"].to_numpy() - eta) ** 2).mean(axis=-1)
        group = draws.cells - draws.cells.mean(axis=-1, keepdims=True)
        units, _ = within_batch(draws.units["s"], design.unit("s"), design)
        others = (group**2).mean(axis=-1) + (units**2).mean(axis=-1)
        share = anova(posterior).set_index("term").loc["residual", "share"]
        assert share == pytest.approx((residual / (residual + others)).mean())


def test_shares_say_of_what_they_are():
    data = split_plot().assign(hit=lambda d: (d["y"] > 0).astype(int), z=lambda d: np.exp(d["y"]))
    design = ba.Model("hit ~ group + Error(s)", data, family="bernoulli").design
    table = anova(posterior_of(design, made_up(design, auxiliary=()), family="bernoulli"))
    said = "variance of the linear predictor between cells and units, chance apart"
    assert set(table["share_of"]) == {said}
    assert f"share_of: {said}" in " ".join(repr(table).split())
    design = ba.Model("z ~ group + Error(s)", data, family="lognormal").design
    posterior = posterior_of(design, made_up(design), family="lognormal")
    assert set(anova(posterior)["share_of"]) == {"variance of log of z in these rows"}
    assert set(anova(posterior, scale="response")["share_of"]) == {"variance between cells"}


# -- Terms without their margins -------------------------------------------------------------------


REFERENCE = Path(__file__).parents[1] / "reference"
NESTED = pd.read_csv(REFERENCE / "nested_aov.csv")


@pytest.mark.parametrize("formula", sorted(set(NESTED["formula"])))
def test_terms_without_their_margins_are_those_of_aov(formula):
    """R's sums of squares are those of our effects, read off the observed cell means."""
    data = pd.read_csv(REFERENCE / "nested.csv").astype({"label": str})
    design = ba.Model(formula, data).design
    observed = np.bincount(design.cell_codes, data["y"]) / np.bincount(design.cell_codes)
    draws = made_up(design)
    draws = replace(draws, cells=np.broadcast_to(observed, (*SAMPLE, len(observed))))
    table = table_of(design, draws)
    expected = NESTED[NESTED["formula"] == formula]
    fixed = expected[expected["term"] != "Residuals"].groupby("term")[["df", "sumsq"]].sum()
    assert set(table.index[table["kind"] == "fixed"]) == set(fixed.index)
    levels = {"group": 3, "task": 2, "group:task": 6, "task:group": 6}
    for name, row in fixed.iterrows():
        found = table.loc[name]
        assert found["df"] == row["df"]
        assert design.terms[[t.name for t in design.terms].index(name)].df == row["df"]
        sumsq = found["mean"] ** 2 * found["df"] * len(data) / levels[name]
        assert sumsq == pytest.approx(row["sumsq"], rel=1e-6)
        strata = expected.loc[expected["term"] == name, "stratum"]
        assert set(found["stratum"].split(" and ")) == set(strata)
    rest = expected[expected["term"] == "Residuals"]
    assert table.loc[table["kind"] != "fixed", "df"].tolist() == rest["df"].tolist()


def test_what_a_term_holds_has_deflections_of_its_own():
    data = split_plot()
    result = Result(*_parts(ba.Model("y ~ group / task + Error(s/task)", data)))
    table = result.deflections()
    assert table["term"].unique().tolist() == ["group", "task", "group:task"]
    assert (table["sd"] > 0.05).all()
    assert (result.contrasts("task")["sd"] > 0.05).all()
    # In the model of deflections a formula without task has no task.
    alone = ba.Model("y ~ group / task + Error(s/task)", data, priors_on="deflections")
    result = Result(*_parts(alone))
    assert result.deflections()["term"].unique().tolist() == ["group", "group:task"]
    assert result.anova().set_index("term").loc["group:task", "df"] == 2


def _parts(model):
    return model, None, made_up(model.design), GOOD


def test_residual_df_with_slopes_that_vary():
    """As for least squares with a line of its own for every unit."""
    data = split_plot(copies=3).assign(x=lambda d: np.random.default_rng(1).normal(size=len(d)))
    for formula, left in (
        ("y ~ x + (x|s)", 72 - 16),
        ("y ~ group * x + (x|s)", 72 - 16),
        ("y ~ group + (x|s)", 72 - 16),
        ("y ~ group * task * x + (x|s)", 72 - 16 - 4 - 4),
    ):
        table = table_of(ba.Model(formula, data).design)
        assert table.loc["residual", "df"] == left


@pytest.mark.parametrize(
    ("formula", "intercepts", "lines"),
    [
        ("y ~ group * task * x + (x|s)", ["s"], {"x": ["s"]}),
        ("y ~ x + z + (x|s) + (0 + z|s)", ["s"], {"x": ["s"], "z": ["s"]}),
        ("y ~ x + z + (x|s) + (z|s:task)", ["s", "s:task"], {"x": ["s"], "z": ["s:task"]}),
        ("y ~ group * x + (x|s) + (x|s:task)", ["s", "s:task"], {"x": ["s", "s:task"]}),
        ("y ~ z + (x|s)", ["s"], {"x": ["s"], "z": []}),
    ],
)
def test_residual_df_are_those_of_least_squares(formula, intercepts, lines):
    """Rows less the rank of everything that is fitted, in any order of the rows."""
    rng = np.random.default_rng(1)
    data = split_plot(copies=5).assign(x=lambda d: rng.normal(size=len(d)))
    data = data.assign(z=rng.normal(size=len(data))).sample(frac=1, random_state=3)
    model = ba.Model(formula, data)
    columns = [np.ones((len(data), 1))]
    for term in model.design.terms:
        names = list(term.factors)
        codes = data.groupby(names).ngroup() if names else np.zeros(len(data), dtype=int)
        own = np.eye(int(codes.max()) + 1)[codes]
        columns.append(own * (data[[term.covariate]].to_numpy() if term.covariate else 1))
    for covariate, units in [(None, intercepts), *lines.items()]:
        for unit in units:
            codes = data.groupby(unit.split(":")).ngroup()
            own = np.eye(codes.max() + 1)[codes]
            columns.append(own * (data[[covariate]].to_numpy() if covariate else 1))
    left = len(data) - np.linalg.matrix_rank(np.hstack(columns))
    assert table_of(model.design).loc["residual", "df"] == left


# -- Rows and verdicts -------------------------------------------------------------------------


def independent_draws(design, seed=2):
    """Long chains of independent draws, which meet every threshold."""
    rng = np.random.default_rng(seed)
    sample = (4, 500)
    sigmas = [term.name for term in design.terms] + [unit.name for unit in design.units]
    return Draws(
        cells=rng.normal(size=(*sample, len(design.cells))),
        units={unit.name: rng.normal(size=(*sample, unit.size)) for unit in design.units},
        sigmas={name: rng.uniform(1, 2, size=sample) for name in sigmas},
        auxiliary={"sigma": rng.uniform(1, 2, size=sample)},
    )


def test_good_draws_are_trusted_and_a_bad_sigma_is_not():
    design = ba.Model("y ~ group * task + Error(s/task)", split_plot()).design
    draws = independent_draws(design)
    assert table_of(design, draws)["trusted"].all()
    draws.sigmas["task"][0] += 10
    trusted = table_of(design, draws)["trusted"]
    assert not trusted["task"]
    assert trusted.drop("task").all()


def test_a_divergence_withdraws_trust_from_every_row():
    design = ba.Model("y ~ group + Error(s)", split_plot()).design
    draws = independent_draws(design)
    bad = Sampling("none", divergences=1, seconds=1.0)
    table = anova(posterior_of(design, draws, bad))
    assert not table["trusted"].any()


def test_families_without_a_residual_have_no_row_for_it():
    data = split_plot().assign(hit=lambda d: (d["y"] > 0).astype(int))
    design = ba.Model("hit ~ group + Error(s)", data, family="bernoulli").design
    posterior = posterior_of(design, made_up(design, auxiliary=()), family="bernoulli")
    assert anova(posterior)["term"].tolist() == ["group", "s"]


def test_the_response_scale_has_rows_for_factor_terms_only():
    design = ba.Model("y ~ group * task + Error(s/task)", split_plot()).design
    table = table_of(design, scale="response")
    assert table.index.tolist() == ["group", "task", "group:task"]
    assert table["share"].sum() == pytest.approx(1)
    assert set(table["scale"]) == {"response"}


def test_a_term_over_an_empty_cell_is_marked_as_unsupported():
    data = split_plot().query("group == 'A' or task != 'z'")
    interaction = table_of(ba.Model("y ~ group * task + Error(s)", data).design)
    assert not interaction.loc["group:task", "supported"]
    additive = table_of(ba.Model("y ~ group + task + Error(s)", data).design)
    assert additive["supported"].all()


@pytest.mark.parametrize(("ci_kind", "ci_prob"), [("hdi", 0.8), ("eti", 0.5)])
def test_intervals_are_named_for_each_quantity(ci_kind, ci_prob):
    design = ba.Model("y ~ group + Error(s)", split_plot()).design
    table = table_of(design, ci_prob=ci_prob, ci_kind=ci_kind)
    bounds = [f"{ci_kind}{round(100 * ci_prob)}_{end}" for end in ("lb", "ub")]
    for prefix in ("", "sigma_", "share_"):
        low, high = (table[prefix + name].dropna() for name in bounds)
        assert len(low)
        assert (low < high).all()


def test_a_table_without_rows_is_refused_in_words():
    design = ba.Model("y ~ 1 + Error(s)", split_plot()).design
    with pytest.raises(ArgumentError, match="no factor terms"):
        table_of(design, scale="response")


@pytest.mark.parametrize("formula", ["y ~ 1 + Error(s)", "y ~ x + Error(s)"])
def test_a_model_without_factors_has_rows_for_units_and_residual(formula):
    data = split_plot().assign(x=np.linspace(0, 1, 48))
    table = table_of(ba.Model(formula, data).design)
    assert table.index.tolist() == ["s", "residual"]
    assert table.loc["s", "df"] == 7

"""Models and draws that are out of the ordinary."""

import bambi as bmb
import numpy as np
import pandas as pd
import pytest

from bambi_anova.bambi_fits.anova import anova
from bambi_anova.bambi_fits.estimates import contrasts, means
from bambi_anova.errors import AnovaError, ArgumentError

ODD = {
    "y ~ 0 + A:B + (1|A:s)": ("A", "gaussian"),
    "y ~ C(k) + (1|k)": ("k", "gaussian"),
    "y ~ A + (0 + B|s)": ("A", "gaussian"),
    "y ~ B + (1|s:item)": ("B", "gaussian"),
    "y ~ level * yes + (level|item)": ("level", "gaussian"),
    "weighted(y, n) ~ A + x": ("A", "gaussian"),
    "answer['p'] ~ A + (1|s)": ("A", "bernoulli"),
    "yes ~ A:x + B": ("A", "bernoulli"),
    "truncated(positive, lb=0) ~ A": ("A", "gaussian"),
    "y ~ A + np.exp(x) + offset(z)": ("A", "gaussian"),
    "y ~ k + A + (1|k)": ("A", "gaussian"),
}


@pytest.mark.parametrize("formula", ODD)
def test_odd_formulas_have_tables(formula, fitted):
    term, family = ODD[formula]
    model, idata = fitted(formula, family)
    for population in ("super", "finite", "average"):
        for scale in ("link", "response"):
            table = means(model, idata, term, population, scale)
            assert np.isfinite(table[["mean", "sd"]]).all(axis=None)
    apart = contrasts(model, idata, term, "eff")
    assert abs(apart["mean"].sum()) < 1e-10
    assert len(anova(model, idata))


def test_levels_that_are_numbers_or_truths_are_named_as_such(fitted):
    model, idata = fitted("y ~ C(k) * yes")
    table = contrasts(model, idata, "k", "trt_vs_ctrl", by="yes")
    assert table["contrast"].tolist() == ["1 - 0", "2 - 0"] * 2
    assert table["yes"].tolist() == [False, False, True, True]
    rise = contrasts(model, idata, "k", "poly")
    assert rise["contrast"].tolist() == ["linear", "quadratic"]


def test_columns_with_blanks_and_categories_out_of_order(trials, fake):
    order = pd.CategoricalDtype(["a2", "a1", "never"])
    data = trials.rename(columns={"x": "my x"}).assign(A=trials["A"].astype(order))
    model = bmb.Model("y ~ `my x` * A", data)
    idata = fake(model)
    table = means(model, idata, "A", at={"my x": 2.0})
    assert table["A"].tolist() == ["a2", "a1"]
    posterior = idata["posterior"]
    line = posterior["Intercept"] + 2 * posterior["my x"]
    assert table["mean"][1] == pytest.approx(float(line.mean()))  # Bambi sorts: a1 comes first


def test_functions_and_numbers_of_the_user(trials, fake):
    model = bmb.Model(
        "y ~ bend(x) + A", trials, extra_namespace={"bend": lambda x: np.minimum(x, 2)}
    )
    idata = fake(model)
    ends = means(model, idata, "A", at={"x": [2.0, 3.0]})
    assert ends["mean"][:2].tolist() == pytest.approx(ends["mean"][2:].tolist())


def test_a_parameter_that_is_held_at_a_number(trials, fake):
    model = bmb.Model("positive ~ A", trials, family="lognormal", priors={"sigma": 1.0})
    idata = fake(model)
    shown = means(model, idata, "A", scale="response")
    mu = idata["posterior"]["Intercept"].to_numpy()
    assert shown["mean"][0] == pytest.approx(np.exp(mu + 0.5).mean())


def test_aliases_are_read(trials, fake):
    model = bmb.Model("y ~ A + (1|s)", trials)
    plain = means(model, fake(model), "A", population="finite")
    other = bmb.Model("y ~ A + (1|s)", trials)
    other.set_alias({"A": "groups", "1|s": "people", "Intercept": "base"})
    aliased = means(other, fake(other), "A", population="finite")
    assert aliased["mean"].tolist() == pytest.approx(plain["mean"].tolist())


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.ConvergenceWarning")
@pytest.mark.parametrize(
    "spoil",
    [
        lambda tree: tree.isel(chain=0),
        lambda tree: tree["posterior"].to_dataset(),
        lambda tree: {"posterior": tree["posterior"].to_dataset().stack(s=("chain", "draw"))},  # noqa: PD013
        lambda tree: tree.isel(draw=slice(0, 0)),
        lambda tree: {"posterior": tree["posterior"].to_dataset().drop_vars("A")},
        lambda tree: 3,
    ],
)
def test_draws_that_cannot_be_read_are_named(spoil, fitted):
    model, idata = fitted("y ~ A + x")
    with pytest.raises(ArgumentError, match="idata: "):
        means(model, spoil(idata), "A")


def test_one_factor_level_and_no_rows_in_common(trials, fake):
    model = bmb.Model("y ~ x + (1|s)", trials)
    idata = fake(model)
    assert len(means(model, idata)) == 1
    with pytest.raises(AnovaError, match="'A' is not a factor"):
        contrasts(model, idata, "A")

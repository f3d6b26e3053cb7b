"""Formulas with numeric columns, offsets and lost rows, against R's emmeans of the same data.

The draws are made, not sampled: their mean is the estimate of ordinary or generalised least
squares, and their covariance its own, so that tables must be those of emmeans to rounding.
"""

from pathlib import Path

import bambi as bmb
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import xarray as xr

import bambi_anova as ba
from bambi_anova.bambi_fits.estimates import contrasts, means, slopes

TABLE = pd.read_csv(Path(__file__).parents[1] / "reference" / "emmeans_formulas.csv")


def oats():
    data = ba.load_data("oats")
    return data.assign(nitrogen=data["nitrogen"].astype(float), cell=data["nitrogen"].astype(str))


def memory():
    data = ba.load_data("memory")
    keys = ["trial_type", "condition", "participant"]
    cells = data.groupby(keys, as_index=False, observed=True)[["errors", "markers"]].sum()
    return cells.assign(place=(np.arange(len(cells)) + 1) % 7)


def holes():
    data = oats()
    return data[~((data["variety"] == "Victory") & data["block"].isin(["I", "V"]))]


MODELS = {
    "slopes": ("yield ~ variety * nitrogen + block", oats, "gaussian"),
    "bent": ("yield ~ variety + nitrogen + I(nitrogen**2) + block", oats, "gaussian"),
    "holes": ("yield ~ variety * cell", holes, "gaussian"),
    "rates": ("p(errors, markers) ~ condition * trial_type + place", memory, "binomial"),
    "counts": ("errors ~ condition * trial_type + offset(np.log(markers))", memory, "poisson"),
}
ASKED = {
    "means variety": lambda m, i: means(m, i, "variety"),
    "means variety at": lambda m, i: means(m, i, "variety", at={"nitrogen": [0.1, 0.5]}),
    "slopes variety": lambda m, i: slopes(m, i, "nitrogen"),
    "contrasts of slopes": lambda m, i: contrasts(m, i, "variety", slope="nitrogen"),
    "slopes at": lambda m, i: slopes(m, i, "nitrogen", at={"nitrogen": [0.1, 0.5]}),
    "means variety observed": lambda m, i: means(m, i, "variety", weights="observed"),
    "contrasts variety": lambda m, i: contrasts(m, i, "variety", "consec"),
    "means condition": lambda m, i: means(m, i, "condition"),
    "means condition response": lambda m, i: means(m, i, "condition", scale="response"),
    "contrasts trial_type": lambda m, i: contrasts(m, i, "trial_type"),
    "contrasts trial_type response": lambda m, i: contrasts(m, i, "trial_type", scale="response"),
}
#: emmeans takes half the width of a slope's difference larger: its bent slopes are rougher.
ROUGH = {"slopes at": 1e-4}


def exact_draws(model, family):
    """40 draws a coefficient whose mean and covariance are those of (generalised) least squares."""
    component = model.conditional_parameters[model.family.likelihood.parent]
    design = component.design
    names = [name for name, term in component.terms.items() if term.kind != "offset"]
    columns = np.column_stack([design.common[name] for name in names])
    offsets = [design.common[n][:, 0] for n, t in component.terms.items() if t.kind == "offset"]
    y = np.asarray(model.response_term.term.data, dtype=float)
    if family == "gaussian":
        fit = sm.OLS(y, columns).fit()
    elif family == "binomial":
        fit = sm.GLM(np.c_[y[:, 0], y[:, 1] - y[:, 0]], columns, sm.families.Binomial()).fit(
            tol=1e-14
        )
    else:
        fit = sm.GLM(y, columns, sm.families.Poisson(), offset=offsets[0]).fit(tol=1e-14)
    size, width = 400, columns.shape[1]
    base = np.random.default_rng(1).normal(size=(size, width))
    base -= base.mean(axis=0)
    base = np.linalg.qr(base)[0] * np.sqrt(size - 1)
    root = np.linalg.cholesky(fit.cov_params())
    # On the response scale the mean of draws is their plug-in value only where they lie close.
    near = 1e-4 if family != "gaussian" else 1.0
    values = fit.params + near * base @ root.T
    variables, start = {}, 0
    for name in names:
        width = design.common[name].shape[1]
        own = values[:, start : start + width].reshape(2, size // 2, width)
        levels = component.terms[name].coords
        dims = ("chain", "draw", *levels)
        variables[name] = xr.DataArray(
            own if levels else own[..., 0],
            dims=dims,
            coords={d: list(v) for d, v in levels.items()},
        )
        start += width
    chains = xr.Dataset({"diverging": (("chain", "draw"), np.zeros((2, size // 2), bool))})
    tree = {"posterior": xr.Dataset(variables), "sample_stats": chains}
    return xr.DataTree.from_dict(tree), near


@pytest.mark.parametrize("name", MODELS)
def test_tables_are_those_of_emmeans(name):
    formula, data, family = MODELS[name]
    model = bmb.Model(formula, data(), family=family)
    idata, near = exact_draws(model, family)
    rows = TABLE[TABLE["model"] == name]
    for asked, theirs in rows.groupby("asked", sort=False):
        ours = ASKED[asked](model, idata)
        labels = [column for column in ours if column in ("nitrogen", "variety", "condition")]
        labels = ["contrast"] if "contrast" in ours else labels
        keys = ours[labels].astype(str).agg("|".join, axis=1)
        theirs = theirs.set_index(theirs["labels"].astype(str)).loc[keys]
        rough = ROUGH.get(asked, 1e-6)
        np.testing.assert_allclose(ours["mean"], theirs["estimate"], rtol=rough, err_msg=asked)
        np.testing.assert_allclose(
            ours["sd"] / near, theirs["se"], rtol=max(rough, 1e-4), err_msg=asked
        )

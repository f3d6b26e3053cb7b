"""Values at the points of a grid, against Bambi's own predictions of the same rows."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

from bambi_anova.bambi_fits.grid import read_fit, reference_grid
from bambi_anova.errors import ArgumentError

LEVELS = {
    "A": ["a1", "a2"],
    "B": ["x", "y"],
    "k": [0, 1, 2],
    "yes": [False, True],
    "level": ["low", "mid", "high"],
    "s": [f"s{number:02d}" for number in range(12)],
    "item": [f"i{number}" for number in range(5)],
}
#: By formula: its factors, in order.
FORMULAS = {
    "y ~ 1": "",
    "y ~ x": "",
    "y ~ 0 + A": "A",
    "y ~ A:B": "A B",
    "y ~ B*A": "B A",
    "y ~ A / B": "A B",
    "y ~ A * x + (x|s)": "A",
    "y ~ bs(x, df=4) * A": "A",
    "y ~ poly(x, 2) + B + (1|s) + (1|item)": "B",
    "y ~ scale(x) + C(k)": "k",
    "y ~ yes * level": "yes level",
    "y ~ A + offset(np.log(n))": "A",
    "y ~ C(k, Sum) + A + (1|s:B)": "k A",
    "y ~ x + z + x:z + (B|s)": "B",
    "y ~ hsgp(x, m=5, c=1.5) + A": "A",
    "y ~ hsgp(x, by=A, m=5, c=1.5)": "A",
    "np.log(positive) ~ A + (1|s)": "A",
    "y ~ I(x**2) + A": "A",
    "y ~ 0 + x:A": "A",
}


def frame_of(factors, data):
    """Every combination of levels, the last factor fastest; numbers at their means."""
    rows = list(product(*(LEVELS[name] for name in factors)))
    frame = pd.DataFrame(rows, columns=factors, index=range(len(rows)))
    if "level" in frame:
        frame["level"] = frame["level"].astype(data["level"].dtype)
    means = {name: data[name].mean() for name in ("x", "z", "n")}
    return frame.assign(**means, s="s00", item="i0", **{n: "x" for n in "B" if n not in frame})


def predicted(model, idata, frame, parameter, groups=False):
    found = model.predict(idata, data=frame, inplace=False, include_group_specific=groups)[
        "posterior"
    ][parameter]
    return np.moveaxis(found.to_numpy(), 2, -1)  # rows last, behind categories


@pytest.mark.parametrize("formula", FORMULAS)
def test_points_are_those_of_bambis_predictions(formula, fitted, trials):
    model, idata = fitted(formula)
    fit = read_fit(model, idata)
    points = reference_grid(fit)
    factors = list(points.grid.levels)
    assert sorted(factors) == sorted(FORMULAS[formula].split())
    assert all(list(own) == LEVELS[name] for name, own in points.grid.levels.items())
    expected = predicted(model, idata, frame_of(factors, trials), "mu")
    for population, scale in product(("super", "average"), ("link", "response")):
        found = reference_grid(fit, population, scale).values
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


FAMILIES = {
    "bernoulli": ("yes ~ A + x", "p"),
    "beta": (["share ~ A", "kappa ~ B"], "mu"),
    "binomial": ("p(hits, n) ~ A + x", "p"),
    "beta_binomial": ("p(hits, n) ~ A", "mu"),
    "gamma": ("positive ~ A * B", "mu"),
    "negativebinomial": (["count ~ A", "alpha ~ B"], "mu"),
    "poisson": ("count ~ A + offset(np.log(n))", "mu"),
    "t": ("y ~ A", "mu"),
    "wald": ("positive ~ A", "mu"),
    "weibull": ("positive ~ A", "mu"),
    "categorical": ("answer ~ A + x", "p"),
    "cumulative": ("rating ~ A + x", "p"),
    "sratio": ("rating ~ A", "p"),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_response_means_are_bambis_parameters_where_these_are_means(family, fitted, trials):
    formula, parameter = FAMILIES[family]
    model, idata = fitted(formula, family)
    points = reference_grid(read_fit(model, idata), "average", "response")
    categories = points.grid.levels.get("category", ())
    factors = [name for name in points.grid.levels if name != "category"]
    with np.errstate(divide="ignore"):
        expected = predicted(model, idata, frame_of(factors, trials), parameter)
    if categories:
        assert list(categories) == list(map(str, model.response_term.levels))
        expected = expected.reshape(*expected.shape[:2], -1)
    np.testing.assert_allclose(points.values, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("formula", "family"),
    [
        ("y ~ A * B + (1|s)", "gaussian"),
        ("yes ~ A * B + (1|s) + (x|item)", "bernoulli"),
        ("count ~ A + (B|s)", "poisson"),
        (["positive ~ A + (1|s)", "sigma ~ B + (1|item)"], "lognormal"),
        ("rating ~ A + (1|s)", "cumulative"),
        ("y ~ 0 + A + (0 + x|s)", "gaussian"),
    ],
)
def test_the_finite_population_is_every_group_where_it_could_be(formula, family, fitted, trials):
    """Brute force: Bambi predicts every subject of the group, with every item, in each cell."""
    model, idata = fitted(formula, family)
    parent = model.family.likelihood.parent
    fit = read_fit(model, idata)
    crossed = "item" in str(model.formula)
    for scale in ("link", "response"):
        points = reference_grid(fit, "finite", scale)
        factors = [name for name in points.grid.levels if name != "category"]
        cells = frame_of(factors, trials)
        expected = []
        for row in range(len(cells)):
            own = trials if "A" not in cells else trials[trials["A"] == cells["A"][row]]
            people = sorted(set(own["s"]))
            items = LEVELS["item"] if crossed else ["i0"]
            many = cells.iloc[[row] * len(people) * len(items)].reset_index(drop=True)
            many["s"], many["item"] = zip(*product(people, items), strict=True)
            found = model.predict(idata, data=many, inplace=False)["posterior"]
            value = np.moveaxis(found[parent].to_numpy(), 2, -1)
            if family == "lognormal" and scale == "response":
                value = np.exp(value + found["sigma"].to_numpy() ** 2 / 2)
            if scale == "link":
                value = _link(family, value)
            expected.append(value.mean(axis=-1))
        expected = np.stack(expected, axis=-1).reshape(*points.values.shape[:2], -1)
        if family in ("cumulative",) and scale == "link":
            threshold = idata["posterior"]["threshold"].to_numpy()[..., 0, None]
            expected = threshold - expected
        np.testing.assert_allclose(points.values, expected, rtol=1e-8, atol=1e-10)


def _link(family, value):
    """Bambi's predictions of the parent, back on the link scale."""
    if family == "cumulative":
        return np.log(value[..., 0, :] / (1 - value[..., 0, :]))  # threshold less predictor
    links = {"bernoulli": lambda p: np.log(p / (1 - p)), "poisson": np.log}
    return links.get(family, np.asarray)(value)


@pytest.mark.parametrize(
    ("formula", "family", "mean"),
    [
        ("yes ~ A + (1|s) + (x|item)", "bernoulli", lambda eta, v: 1 / (1 + np.exp(-eta["p"]))),
        ("count ~ A + (B|s)", "poisson", lambda eta, v: np.exp(eta["mu"])),
        (
            ["positive ~ A + (1|s)", "sigma ~ B"],
            "lognormal",
            lambda eta, v: np.exp(eta["mu"] + np.exp(eta["sigma"]) ** 2 / 2),
        ),
        (
            ["count ~ A + (1|s)", "psi ~ B + (1|s)"],
            "zero_inflated_poisson",
            lambda eta, v: np.exp(eta["mu"]) / (1 + np.exp(-eta["psi"])),
        ),
        (
            ["count ~ A + (1|s)", "psi ~ (1|s)"],
            "hurdle_poisson",
            lambda eta, v: (
                np.exp(eta["mu"]) / -np.expm1(-np.exp(eta["mu"])) / (1 + np.exp(-eta["psi"]))
            ),
        ),
    ],
)
def test_the_superpopulation_is_an_average_over_new_groups(formula, family, mean, fitted):
    """Monte Carlo: effects of 400,000 new groups are drawn anew from their normals."""
    model, idata = fitted(formula, family)
    small = idata.isel(chain=slice(0, 1), draw=slice(0, 2))
    small["posterior"] = (
        small["posterior"]
        .to_dataset()
        .map(lambda own: own * 0.5 if own.name.endswith("_sigma") else own)
    )
    fit = read_fit(model, small)
    points = reference_grid(fit, "super", "response")
    rng = np.random.default_rng(1)
    at = {name: reference_grid_of(model, small, name) for name in fit.components}
    frame = frame_of(list(points.grid.levels), model.data)
    for cell, draw in product(range(points.values.shape[-1]), range(2)):
        eta = {}
        for name, component in fit.components.items():
            eta[name] = at[name][0, draw, cell] + np.zeros(400_000)
            for term in component.groups:
                sd = small["posterior"][f"{term.name}_sigma"].to_numpy()[0, draw].ravel()
                weights = np.asarray(term.term.expr.eval_new_data(frame), float)[cell].ravel()
                eta[name] += rng.normal(size=(400_000, len(sd))) @ (sd * weights)
        expected = mean(eta, None)
        error = expected.std() / np.sqrt(len(expected))
        assert abs(points.values[0, draw, cell] - expected.mean()) < 5 * error + 1e-9


def test_averages_over_new_groups_are_exact_where_groups_differ_much(fitted):
    """Ratings under an sd of 6 by adaptive quadrature; log-normal means in closed form."""
    model, idata = fitted("rating ~ A + (1|s)", "cumulative")
    one = idata.isel(chain=slice(0, 1), draw=slice(0, 1)).copy(deep=True)
    one["posterior"]["1|s_sigma"][:] = 6.0
    points = reference_grid(read_fit(model, one), "super", "response").values.reshape(4, 2)
    eta = reference_grid(read_fit(model, one)).values[0, 0]
    bounds = one["posterior"]["threshold"].to_numpy()[0, 0]
    for cell in range(2):
        below = [
            integrate.quad(
                lambda z, b=b, cell=cell: special.expit(b - eta[cell] - 6 * z) * stats.norm.pdf(z),
                -10,
                10,
                epsabs=1e-12,
            )[0]
            for b in bounds
        ]
        expected = np.diff([0, *below, 1])
        np.testing.assert_allclose(points[:, cell], expected, atol=1e-8)
    model, idata = fitted("positive ~ A + (1|s)", "lognormal")
    posterior = idata["posterior"]
    variance = posterior["1|s_sigma"] ** 2 + posterior["sigma"] ** 2
    expected = np.exp(posterior["Intercept"] + variance / 2).to_numpy()
    found = reference_grid(read_fit(model, idata), "super", "response").values
    np.testing.assert_allclose(found[..., 0], expected, rtol=1e-12)


def test_means_over_new_groups_that_do_not_exist_are_refused(fitted):
    """The exponential of the square of a log-normal sd has no mean."""
    model, idata = fitted(["positive ~ A + (1|s)", "sigma ~ B + (1|item)"], "lognormal")
    with pytest.raises(ArgumentError, match="has no mean over new groups"):
        reference_grid(read_fit(model, idata), "super", "response")
    inverse, draws = fitted("positive ~ A + (1|s)", "gamma")
    with pytest.raises(ArgumentError, match="need not have a mean over new groups"):
        reference_grid(read_fit(inverse, draws), "super", "response")


def test_groups_of_each_category(fitted):
    """Bambi 0.21 does not predict groups of categorical responses: by hand."""
    model, idata = fitted("answer ~ A + (1|s)", "categorical")
    posterior = idata["posterior"]
    order = ("chain", "draw", "answer_reduced_dim", ...)
    base, shift = (posterior[n].transpose(*order).to_numpy() for n in ("Intercept", "A"))
    effects = posterior["1|s"].transpose(*order).to_numpy()
    parts = [(base[..., None] + effects[..., :6])[..., None]]
    parts.append((base[..., None] + shift + effects[..., 6:])[..., None])
    eta = np.concatenate(parts, axis=-1)  # chain, draw, category, person, group
    link = reference_grid(read_fit(model, idata), "finite", "link").values
    np.testing.assert_allclose(link, eta.mean(axis=3).reshape(link.shape))
    weights = np.exp(np.concatenate([np.zeros_like(eta[:, :, :1]), eta], axis=2))
    shares = (weights / weights.sum(axis=2, keepdims=True)).mean(axis=3)
    response = reference_grid(read_fit(model, idata), "finite", "response").values
    np.testing.assert_allclose(response, shares.reshape(response.shape))
    with pytest.raises(ArgumentError, match="have groups of their own each"):
        reference_grid(read_fit(model, idata), "super", "response")


def reference_grid_of(model, idata, name):
    """The predictor of a parameter at the points of the whole model's grid."""
    return reference_grid(read_fit(model, idata, parameter=name)).values

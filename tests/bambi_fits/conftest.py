"""Draws for any Bambi model without sampling: what tables make of them is arithmetic."""

from itertools import product

import bambi as bmb
import numpy as np
import pandas as pd
import pytest
import xarray as xr


def fake_draws(model, chains=2, draws=25, seed=0):
    """Normal draws of every variable of a built model, positive where sds and the like are."""
    model.build()
    own, rng = model.backend.model, np.random.default_rng(seed)
    variables, coords = {}, {"chain": range(chains), "draw": range(draws)}
    for variable in [*own.free_RVs, *own.deterministics]:
        name, dims = variable.name, own.named_vars_to_dims.get(variable.name, ()) or ()
        if name.endswith("_offset") or "__obs__" in dims:
            continue
        shape = (chains, draws, *(len(own.coords[dim]) for dim in dims))
        values = rng.normal(scale=0.5, size=shape)
        if name.endswith("_sigma") or name in model.marginal_parameters:
            values = np.sort(values, axis=-1) if name == "threshold" else np.exp(values / 2)
        if name == "psi":
            values = values / (1 + values)
        variables[name] = (("chain", "draw", *dims), values)
        coords |= {dim: list(own.coords[dim]) for dim in dims}
    diverging = xr.Dataset({"diverging": (("chain", "draw"), np.zeros((chains, draws), bool))})
    observed = xr.Dataset({"y": ("__obs__", np.zeros(len(model.data)))})
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(variables, coords),
            "sample_stats": diverging,
            "observed_data": observed.assign_coords(__obs__=range(len(model.data))),
        }
    )


@pytest.fixture(scope="session")
def fake():
    """From a model to a DataTree as its ``fit`` returns it."""
    return fake_draws


@pytest.fixture(scope="session")
def trials():
    """12 subjects in two groups, by 5 items, with all kinds of columns: 120 rows."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(product(range(12), "xy", range(5)), columns=["s", "B", "item"])
    size = len(frame)
    order = pd.CategoricalDtype(["low", "mid", "high"], ordered=True)
    n = rng.integers(5, 9, size)
    return frame.assign(
        A=np.where(frame["s"] < 6, "a1", "a2"),
        s=[f"s{number:02d}" for number in frame["s"]],
        item=[f"i{number}" for number in frame["item"]],
        x=rng.uniform(1, 3, size),
        z=rng.normal(size=size),
        k=rng.integers(0, 3, size),
        yes=rng.integers(0, 2, size).astype(bool),
        level=pd.Categorical(rng.choice(["low", "mid", "high"], size), dtype=order),
        y=rng.normal(size=size),
        positive=rng.gamma(2, size=size),
        count=rng.poisson(3, size),
        n=n,
        hits=rng.binomial(n, 0.4),
        answer=rng.choice(["p", "q", "r"], size),
        share=rng.uniform(0.1, 0.9, size),
        rating=pd.Categorical(rng.integers(1, 5, size), ordered=True),
    )


@pytest.fixture(scope="session")
def fitted(trials, fake):
    """From a formula, or several, and a family to a model and its draws; each made once."""
    known = {}

    def fitted(formula, family="gaussian", **options):
        key = str((formula, family, sorted(options)))
        if key not in known:
            parts = [formula] if isinstance(formula, str) else formula
            model = bmb.Model(bmb.Formula(*parts), trials, family=family, **options)
            known[key] = model, fake(model)
        return known[key]

    return fitted

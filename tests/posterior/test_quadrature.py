"""References by sums over a grid, beside long NUTS where there is one mode."""

import numpy as np
import pytest

from benchmarks.corpus.designs import DESIGNS
from benchmarks.corpus.quantities import quantities
from benchmarks.trust import quadrature
from benchmarks.trust.reference import BY_QUADRATURE, read_reference


def apart(name):
    """How far means are apart in sds, and the ratios of sds, where moments have settled."""
    design = DESIGNS[name]
    found = quadrature.sample(design.model(), design.data(), 2500, np.random.default_rng(1))
    ours = quantities(found).set_index("quantity")
    table = read_reference()
    theirs = table[(table["design"] == name) & (table["sd"] > 0)].set_index("quantity")
    theirs = theirs[theirs["pareto_k"] < 0.4]
    ours = ours.loc[theirs.index]
    return (ours["mean"] - theirs["mean"]) / theirs["sd"], ours["sd"] / theirs["sd"]


@pytest.mark.parametrize("name", ["gaussian between", "binomial between, one row a unit"])
def test_a_coarse_grid_agrees_with_long_nuts(name, monkeypatch):
    monkeypatch.setattr(quadrature, "SCALES", 18)
    monkeypatch.setattr(quadrature, "MEANS", 300)
    shift, ratio = apart(name)
    assert shift.abs().max() < 0.07
    assert np.abs(ratio - 1).max() < 0.07


def test_all_its_designs_are_in_the_corpus():
    assert set(BY_QUADRATURE) <= set(DESIGNS) & set(read_reference()["design"])

"""What a caller has set for code of his own changes nothing here."""

import subprocess
import sys
import warnings

import matplotlib
import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba

matplotlib.use("Agg")

FUNCTIONS = [
    *(getattr(ba.plots, name) for name in ba.plots.__all__ if name.startswith("plot_")),
    *(getattr(ba, name) for name in ("compare", "compare_fits", "load", "plot_fits")),
    *(ba.compare_analyses, ba.applicable_analyses, ba.plot_analyses, ba.classical.applicable),
    *(value for name, value in vars(ba.classical).items() if name in ba.classical.__all__[3:]),
]


def answers(result):
    """Tables and numbers of all kinds."""
    factor = next(iter(result.design.levels))
    found = {
        "means": result.means(scale="response", population="finite"),
        "contrasts": result.contrasts(factor),
        "anova": result.anova(),
        "trust": result.trust(),
        "kruschke": result.kruschke(),
        "sensitivity": result.sensitivity(),
        "check": result.predictive_check("unit", random_seed=1),
        "loo": result.loo(by="unit").table,
        "report": str(result.report()),
        "html": result._repr_html_(),
        "verdict": repr(result.verdict),
        "model": str(result.model),
    }
    return {
        name: pd.DataFrame(own) if hasattr(own, "columns") else own for name, own in found.items()
    }


@pytest.mark.parametrize("name", ["memory", "oats"])
@pytest.mark.filterwarnings("ignore::bambi_anova.errors.InformativeTrialsWarning")
def test_numpy_may_raise_at_every_rounding(quick_fit, name, tmp_path):
    before = quick_fit(name)
    model = before.model
    again = {"family": model.family.name}
    with np.errstate(all="raise"):
        made = ba.Model(model.formula.text, ba.load_data(name), **again)
        after = made.fit("laplace", random_seed=1, progressbar=False)
        found = answers(after)
        loaded = answers(ba.load(after.save(tmp_path / "fit.nc")))
        assert np.geterr()["under"] == "raise"
    xr = before.idata["posterior"].to_dataset()
    assert after.idata["posterior"].to_dataset().equals(xr)
    expected = answers(before)
    for key, own in expected.items():
        if isinstance(own, pd.DataFrame):
            pd.testing.assert_frame_equal(found[key], own, check_exact=True)
            pd.testing.assert_frame_equal(loaded[key], own, rtol=1e-8, atol=1e-10)
        elif key != "html":  # holds the seconds
            assert found[key].split(" s)")[0][:500] == own.split(" s)")[0][:500]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_functions_of_the_package_compute_under_its_own_rules(function):
    assert function.__wrapped__.__doc__ == function.__doc__


@pytest.mark.parametrize("owner", [ba.Model, ba.Result])
def test_methods_compute_under_the_packages_own_rules(owner):
    for name, value in vars(owner).items():
        function = value.fget if isinstance(value, property) else value
        if callable(function) and not isinstance(function, type) and name != "__init_subclass__":
            assert hasattr(function, "__wrapped__"), name


def test_warnings_are_of_the_users_own_line():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        formula = "p(errors, markers) ~ condition + Error(participant)"
        ba.Model(formula, ba.load_data("memory"), family="binomial")
    assert {warning.filename for warning in caught} == {__file__}


OPTIMIZED = """
import bambi_anova as ba
model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", ba.load_data("oats"))
result = model.fit("laplace", random_seed=1, progressbar=False)
print(result.means("nitrogen").to_csv())
try:
    ba.Model("yield ~ variaty", ba.load_data("oats"))
except ba.errors.DataError as error:
    print(error)
"""


def test_nothing_rests_on_assertions(quick_fit):
    done = subprocess.run(
        [sys.executable, "-O", "-c", OPTIMIZED], capture_output=True, text=True, check=True
    )
    assert quick_fit("oats").means("nitrogen").to_csv() in done.stdout
    assert "did you mean 'variety'" in done.stdout

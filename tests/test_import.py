"""What importing the package costs, and what it offers."""

import subprocess
import sys
import warnings

import pytest

import bambi_anova as ba

HEAVY = ("pandas", "numpy", "scipy", "formulae", "xarray", "arviz", "matplotlib", "pymc", "bambi")
SAMPLERS = ("pymc", "pytensor", "bambi", "nutpie", "arviz", "matplotlib")


def loaded_after(code, watched):
    """Which of some packages a fresh Python has loaded once it ran some code."""
    report = f"import sys; print(*(name for name in {watched!r} if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-1].split() if done.stdout.strip() else []


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_after("import bambi_anova", HEAVY) == []


def test_the_watch_sees_what_is_loaded():
    assert loaded_after("import bambi_anova; import pandas", HEAVY)[:2] == ["pandas", "numpy"]


def test_reading_about_the_errors_loads_nothing_heavy():
    assert loaded_after("from bambi_anova import errors; errors.DataError", HEAVY) == []


def test_building_and_printing_a_model_loads_no_sampler():
    code = """
import bambi_anova as ba
model = ba.Model(
    "yield ~ variety * nitrogen + Error(block/variety)", ba.load_data("oats"), collapse=True
)
print(model)
"""
    assert loaded_after(code, SAMPLERS) == []


def test_building_a_model_loads_nothing_that_only_fits_need():
    code = """
import bambi_anova as ba
ba.Model("yield ~ variety * nitrogen + Error(block/variety)", ba.load_data("oats"))
"""
    heavy = ("scipy.stats", "scipy.integrate", "scipy.optimize", "xarray", "numba")
    assert loaded_after(code, heavy) == []


def test_dir_lists_the_public_names():
    assert dir(ba) == sorted(ba.__all__)
    for name in dir(ba):
        assert getattr(ba, name) is not None


def test_public_names_are_what_they_say():
    assert (ba.Model.__name__, ba.Result.__name__) == ("Model", "Result")
    assert issubclass(ba.errors.DataError, ba.errors.AnovaError)
    assert callable(ba.load_data)
    assert ba.__version__[0].isdigit()


def test_star_imports_give_every_public_name():
    names = {}
    exec("from bambi_anova import *", names)
    assert set(ba.__all__) <= set(names)


@pytest.mark.parametrize("name", ["Modell", "model_", "bambi", "_private"])
def test_an_unknown_name_is_an_attribute_error(name):
    with pytest.raises(AttributeError, match=f"'bambi_anova' has no attribute '{name}'"):
        getattr(ba, name)
    assert not hasattr(ba, name)


def test_importing_does_not_warn():
    code = "import warnings; warnings.simplefilter('error'); import bambi_anova as ba; ba.Model"
    with warnings.catch_warnings():
        subprocess.run([sys.executable, "-c", code], check=True)

"""Fits of families that only Bambi or brms have elsewhere, against hand-written PyMC models."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba

REFERENCE = Path(__file__).parents[1] / "reference"
LINKS = {"sratio": "logit"}
#: Those that the file holds so far.
SAMPLED = pd.read_csv(REFERENCE / "families_pymc.csv")["family"].unique()
FAMILIES = [name for name in SAMPLED if name != "laplace"]
pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


def fitted(family, method, **options):
    data = pd.read_csv(REFERENCE / "families.csv").query("family == @family")
    model = ba.Model(
        "y ~ group * task + Error(s)", data.drop(columns="family"), family, link=LINKS.get(family)
    )
    return model.fit(method, draws=2000, random_seed=1, progressbar=False, **options)


def against_pymc(fit, family):
    pymc = pd.read_csv(REFERENCE / "families_pymc.csv").query("family == @family")
    pymc = pymc.set_index("quantity")
    means = fit.means(population="average").set_index(["group", "task"])
    own = {f"mean {':'.join(key)}": row[["mean", "sd"]] for key, row in means.iterrows()}
    draws = {**fit.draws.auxiliary, "sigma s": fit.draws.sigmas["s"]}
    own |= {key: pd.Series({"mean": v.mean(), "sd": v.std()}) for key, v in draws.items()}
    assert {"mean a:x", "sigma s"} <= set(pymc.index) <= set(own)
    for key, row in pymc.iterrows():
        far = 0.06 + 4 / np.sqrt(row["ess"])
        assert own[key]["mean"] == pytest.approx(row["mean"], abs=far * row["sd"]), key
        assert own[key]["sd"] == pytest.approx(row["sd"], rel=0.12), key


@pytest.mark.parametrize("family", FAMILIES)
def test_quick_fits_find_what_pymc_finds(family):
    fit = fitted(family, "laplace")
    assert fit.verdict == "trusted"
    against_pymc(fit, family)


@pytest.mark.slow
@pytest.mark.parametrize("family", SAMPLED)
def test_nuts_finds_what_pymc_finds(family):
    against_pymc(fitted(family, "nuts"), family)


@pytest.mark.slow
def test_what_a_quick_fit_of_kinked_rows_trusts_is_what_nuts_finds():
    """Its curvature is only that which is expected; weights have to make up for that."""
    table = ba.compare_fits(fitted("laplace", "laplace"), fitted("laplace", "nuts"))
    trusted = table[table["trusted_quick"]]
    assert len(trusted) > len(table) / 2
    assert trusted["shift"].abs().max() < 0.15
    assert trusted["sd_ratio"].between(0.85, 1.15).all()


def test_times_in_other_units_have_the_same_answers():
    data = pd.read_csv(REFERENCE / "families.csv").query("family == 'shifted_lognormal'")
    found = []
    for factor in (1.0, 1000.0):
        frame = data.assign(y=data["y"] * factor)
        model = ba.Model("y ~ task + Error(s)", frame, family="shifted_lognormal")
        fit = model.fit("laplace", draws=500, random_seed=1, progressbar=False)
        found.append(fit.means(scale="median")["mean"].to_numpy() / factor)
    np.testing.assert_allclose(*found, rtol=0.01)


@pytest.mark.parametrize(
    ("family", "values", "message"),
    [
        ("ordered_beta", [0.0, 1.0, 1.0, 0.0], "every one of 4 is at 0 or 1"),
        ("ordered_beta", [0.2, 0.4, 0.6, 0.7], "every one of 4 is in between"),
        ("ordered_beta", [0.2, 0.4, 1.6, 0.0], "values from 0 to 1"),
        ("hurdle_gamma", [0.0, 0.0, 0.0, 0.0], "is constant"),
        ("hurdle_gamma", [0.0, 2.0, 2.0, 0.0], "family='bernoulli'"),
        ("hurdle_lognormal", [0.0, -2.0, 2.0, 0.0], "zeros and positive values"),
        ("shifted_lognormal", [0.0, 2.0, 2.5, 3.0], "positive values"),
        ("skewnormal", [1.0, 1.0, 1.0, 1.0], "is constant"),
        ("laplace", ["a", "b", "c", "d"], "expected numbers"),
        ("sratio", [1, 2, 1, 2], "family='bernoulli'"),
    ],
)
def test_what_cannot_come_from_a_family_is_refused_in_words(family, values, message):
    frame = pd.DataFrame({"y": values, "A": list("xxyy")})
    with pytest.raises(ba.errors.DataError, match=message):
        ba.Model("y ~ A", frame, family=family)


def test_a_skewness_is_given_between_its_bounds():
    import bambi as bmb

    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"y": rng.gamma(3, size=40), "A": list("xy") * 20})
    held = ba.Model("y ~ A", frame, "skewnormal", priors={"delta": -0.5})
    assert held.priors.auxiliary["delta"] == -0.5
    wide = bmb.Prior("Uniform", lower=-2, upper=1)
    for wrong, message in ((1.5, "above -1 below 1"), (wide, "between -1 and 1")):
        with pytest.raises(ba.errors.PriorError, match=message):
            ba.Model("y ~ A", frame, "skewnormal", priors={"delta": wrong})
    with pytest.raises(ba.errors.PriorError, match="'delta'"):
        ba.Model("y ~ A", frame, "skewnormal", priors={"shape": 1.0})

"""A fit with the default priors of brms beside brms on the same data."""

from pathlib import Path

import bambi as bmb
import pandas as pd
import pytest

import bambi_anova as ba

TABLE = pd.read_csv(Path(__file__).parents[1] / "reference" / "oats_brms.csv")
FORMULA = "yield ~ variety * nitrogen + (1|block) + (1|block:variety)"


def contrasts(result):
    """Ours and theirs, row for row."""
    ours = pd.concat([result.contrasts("variety"), result.contrasts("nitrogen")])
    theirs = TABLE.query("quantity == 'contrast'").rename(columns={"level": "contrast"})
    both = theirs.merge(pd.DataFrame(ours), on=["term", "contrast"], validate="1:1")
    assert len(both) == len(theirs) == 9
    return both


@pytest.fixture(scope="module")
def like_brms():
    oats = ba.load_data("oats")
    y = oats["yield"]
    mad = 1.4826 * (y - y.median()).abs().median()
    far = bmb.Prior("Uniform", lower=500, upper=1000)  # as good as flat for the effects
    half_t = bmb.Prior("HalfStudentT", nu=3, sigma=mad)
    priors = {
        "Intercept": bmb.Prior("Normal", mu=y.median(), sigma=mad),
        **dict.fromkeys(["variety", "nitrogen", "variety:nitrogen"], far),
        **dict.fromkeys(["block", "block:variety", "sigma"], half_t),
    }
    model = ba.Model(FORMULA, oats, priors=priors)
    return model.fit("laplace", random_seed=1, progressbar=False)


def test_contrasts_are_those_of_brms(like_brms):
    both = contrasts(like_brms)
    assert ((both["mean"] - both["estimate"]).abs() < 0.1 * both["se"]).all()
    assert (both["sd"] / both["se"]).between(0.94, 1.06).all()


def test_standard_deviations_are_those_of_brms(like_brms):
    theirs = TABLE.query("quantity == 'sd'").set_index("term")
    ours = like_brms.anova().set_index("term").loc[theirs.index]
    assert ((ours["sigma"] - theirs["estimate"]).abs() < 0.1 * theirs["se"]).all()
    assert (ours["sigma_sd"] / theirs["se"]).between(0.85, 1.15).all()


def test_with_kruschkes_priors_they_are_not():
    """What brms leaves unshrunken is nearer to zero."""
    oats = ba.load_data("oats")
    both = contrasts(ba.Model(FORMULA, oats).fit("laplace", random_seed=1, progressbar=False))
    variety = both[both["term"] == "variety"]
    assert (variety["mean"].abs() < 0.9 * variety["estimate"].abs()).all()

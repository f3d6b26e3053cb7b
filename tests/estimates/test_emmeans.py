"""Contrasts of quick fits beside R's emmeans on the same data: weights, signs, order, estimates."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba

TABLE = pd.read_csv(
    Path(__file__).parents[1] / "reference" / "emmeans_contrasts.csv", keep_default_na=False
)
FORMULAS = {
    "oats": ("yield ~ variety * nitrogen + Error(block/variety)", "gaussian"),
    "memory": (
        "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)",
        "binomial",
    ),
}
METHODS = {
    "pairwise+poly": {"variety": "pairwise", "nitrogen": "poly"},
    "pairwise+pairwise": "pairwise",
}
#: By data and whether it is an interaction: shift in standard errors, ratio of sd to them.
LIMITS = {
    ("memory", False): (0.1, (0.9, 1.1)),
    ("memory", True): (0.5, (0.5, 1.1)),
    ("oats", False): (0.7, (0.6, 1.1)),
    ("oats", True): (1.0, (0.4, 1.1)),
}
ASKED = list(TABLE[["data", "term", "by", "method"]].drop_duplicates().itertuples(index=False))


@pytest.fixture(scope="module")
def fits():
    return {
        name: ba.Model(formula, ba.load_data(name), family=family).fit(
            "laplace", random_seed=1, progressbar=False
        )
        for name, (formula, family) in FORMULAS.items()
    }


def ask(fits, asked, **options):
    """Ours and theirs, row for row by the contrast's name."""
    rows = TABLE[(TABLE[list(asked._fields)] == list(asked)).all(axis=1)]
    method = asked.method.removesuffix(" odds_ratio")
    if method != asked.method:
        options["compare"] = "odds_ratio"
    ours = fits[asked.data].contrasts(
        asked.term, METHODS.get(method, method), by=asked.by or None, **options
    )
    names = ours["contrast"]
    if ":" in asked.term:  # ours: (a - b) : (linear)
        names = names.str.replace(") : (", " x ").str.strip("()")
    key = ours[asked.by].astype(str) + names if asked.by else names
    theirs = rows.set_index(rows["at"] + rows["contrast"])
    assert set(key) == set(theirs.index)
    return ours, theirs.loc[key].reset_index(drop=True)


@pytest.mark.parametrize("asked", ASKED, ids="-".join)
def test_contrasts_are_those_of_emmeans_less_shrinkage(fits, asked):
    ours, theirs = ask(fits, asked)
    # 51,170 trials leave the priors a tenth of a standard error; 72 plots leave them more.  Most
    # goes to interactions, whose common sd is small.
    shift_allowed, sds_kept = LIMITS[asked.data, ":" in asked.term]
    shift = (ours["mean"] - theirs["estimate"]).abs() / theirs["se"]
    assert (shift < shift_allowed).all(), shift.max()
    ratio = ours["sd"] / theirs["se"]
    assert ratio.between(*sds_kept).all(), ratio
    assert ours["supported"].all()


def test_without_shrinkage_estimates_are_those_of_emmeans():
    """Scales held far above the effects leave no shrinkage, in any contrast."""
    import bambi as bmb

    wide = bmb.Prior("Uniform", lower=500, upper=1000)
    priors = dict.fromkeys(("variety", "nitrogen", "variety:nitrogen"), wide)
    formula, _ = FORMULAS["oats"]
    result = ba.Model(formula, ba.load_data("oats"), priors=priors).fit(
        "laplace", random_seed=1, progressbar=False
    )
    for asked in ASKED:
        if asked.data == "oats":
            ours, theirs = ask({"oats": result}, asked)
            shift = (ours["mean"] - theirs["estimate"]).abs() / theirs["se"]
            assert (shift < 0.1).all(), (asked, shift.max())
            ratio = ours["sd"] / theirs["se"]
            assert ratio.between(0.85, 1.35).all(), (asked, ratio)


def test_odds_ratios_are_exponentials_of_link_contrasts(fits):
    ours, theirs = ask(fits, next(a for a in ASKED if a.method.endswith("odds_ratio")))
    link = TABLE[(TABLE["data"] == "memory") & (TABLE["contrast"] == "x - y") & (TABLE["at"] == "")]
    np.testing.assert_allclose(np.log(theirs["estimate"]), link["estimate"].iloc[0], rtol=1e-9)
    assert ours["median"][0] == pytest.approx(theirs["estimate"][0], abs=0.1 * theirs["se"][0])


def test_every_row_says_whether_it_can_be_trusted(fits):
    for name, result in fits.items():
        term = result.design.factors[1].name
        for options in (
            {"rope": (-0.1, 0.1), "comp_val": 0.0},
            {"standardize": "total"},
            {"scale": "response", "compare": "ratio"},
        ):
            table = result.contrasts(term, **options)
            assert table["trusted"].all(), (name, options)
        assert result.orders(term, most=1)["trusted"].all()

"""Small designs whose responses a family of the registry has drawn itself."""

from functools import cache

import numpy as np
import pandas as pd

from bambi_anova.errors import DataError
from bambi_anova.families.registry import FAMILIES, get_family
from bambi_anova.families.sufficient import unmerged
from bambi_anova.families.values import ResponseValues

#: Every family of one predictor under every link that it may have.
FAMILY_LINKS = [
    (name, link)
    for name, family in FAMILIES.items()
    if not family.always
    for (link,) in family.likelihoods
]
#: Those whose NUTS runs on our own compiled density.
COMPILED = [
    (name, link) for name, link in FAMILY_LINKS if FAMILIES[name].likelihoods[(link,)].compiled
]
TRIALS = 6
#: The categories of ratings.
RATINGS = np.arange(1.0, 6.0)


def family_of(name, link=None):
    """A family; of ratings, that of five categories."""
    family = get_family(name)
    return family.suited_to(ResponseValues("y", RATINGS), family.link(link))


def middle_of(family):
    """Where the linear predictor of the middle of the data lies."""
    return RATINGS.mean() if family.response.ordered and family.intercept else 0.0


def auxiliary_of(family, size=None, rng=None):
    """Values of the further parameters, of the given shape: small residuals, not much scatter."""
    values = {}
    for one in family.auxiliary:
        if one.name in family.thresholds:
            value = one.prior(None).args["mu"]
            values[one.name] = value if rng is None else value + rng.uniform(-0.1, 0.1, size)
            continue
        residual = 1.5 if family.thresholds else 0.5
        spread = one.name == family.residual or one.power == -2.0
        value = residual if spread else min(3.0, 0.7 * one.most)
        # No row may lie below a shift.
        most = 1.0 if one.name == "shift" else 1.4
        values[one.name] = value if rng is None else value * rng.uniform(0.7, most, size)
    return values


def draw(family, link, eta, rng, trials=None):
    """Draw a response for each linear predictor of an array of shape (N,)."""
    rows = unmerged(ResponseValues("y", np.zeros(len(eta)), trials), None)
    parameters = family.at((link,), (eta[None],), auxiliary_of(family))
    return family.replicate(parameters, rows, rng)[0]


def has_trials(family):
    return family.response.trials or family.response.binary


def left_hand_side(family):
    return "p(y, n)" if family.response.trials else "y"


@cache
def generated(name, link, seed=0, units=6):
    """Units in two groups do two tasks three times, one unit only one; some rows come twice.

    Columns: s, group, task, item (one for each attempt), dose, area, n and y.
    """
    family = family_of(name, link)
    link = family.link(link)
    for attempt in range(20):
        rng = np.random.default_rng([seed, attempt])
        frame = pd.DataFrame(
            [(s, task, item) for s in range(units) for task in "xy" for item in range(3)],
            columns=["s", "task", "item"],
        )
        frame = frame[(frame["s"] > 0) | (frame["task"] == "x")].reset_index(drop=True)
        size = len(frame)
        frame = frame.assign(
            group=np.where(frame["s"] % 2, "A", "B"),
            dose=rng.uniform(0, 5, size).round(1),
            area=rng.choice([0.5, 1.0, 3.0], size),
            n=rng.integers(2, TRIALS + 1, size),
        )
        eta = 0.5 * rng.normal(size=units)[frame["s"]] + 0.5 * (frame["task"] == "x")
        eta = eta + middle_of(family)
        if family.response.counts:
            eta = eta + np.log(frame["area"])
        n = frame["n"].to_numpy(float) if family.response.trials else np.ones(size)
        y = draw(family, link, eta.to_numpy(), rng, n if has_trials(family) else None)
        frame = frame.assign(
            y=y, s=[f"s{k}" for k in frame["s"]], item=[f"i{k}" for k in frame["item"]]
        )
        frame = pd.concat([frame, frame.iloc[::4], frame.iloc[::8]], ignore_index=True)
        # The order of the rows must not matter.
        frame = frame.sample(frac=1, random_state=seed).reset_index(drop=True)
        try:
            family.read("y", frame["y"], frame["n"] if family.response.trials else None, None)
        except DataError:  # such as a proportion that rounds to one
            continue
        if family.response.ordered and frame["y"].nunique() < len(RATINGS):
            continue
        return frame
    raise AssertionError(f"{name} draws nothing that it can read")

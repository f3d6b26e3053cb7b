"""Simulation-based calibration of Bayes factors (Schad et al. 2022, doi:10.1037/met0000472).

A model with a factor A or, as often, without it is drawn, its parameters from their priors and
data from these; both models are fitted.  Posterior probabilities of the model with A must then be
one half on average, and of data sets that are given a probability p the share p must be of that
model.  Priors stay the same from data set to data set.

Run ``python benchmarks/evidence/sbc.py``; see ``--help``.

Letters: S simulations.
"""

import argparse
import sys
import warnings
from pathlib import Path

import bambi as bmb
import numpy as np
import pandas as pd

import bambi_anova as ba
from bambi_anova.engine.methods import run
from bambi_anova.engine.request import Request
from bambi_anova.evidence.submodels import sub_specification, submodels
from bambi_anova.formula.parse import parse_formula
from bambi_anova.planning.layout import Assumed, Layout, Size
from bambi_anova.posterior.extract import extract_draws
from bambi_anova.prediction.prior_draws import draw_prior
from bambi_anova.specification import specify
from benchmarks.reporting import machine, markdown

Array = np.ndarray

LEVELS = {"A": ["a", "b", "c"]}
#: Formula, trials and priors of each family.
CASES = {
    "gaussian": ("y ~ A + Error(s/A)", 1),
    "binomial": ("p(y, n) ~ A + Error(s/A)", 10),
    "poisson": ("y ~ A + Error(s/A)", 1),
}
UNITS, ROWS = 8, 2
EDGES = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


def main() -> None:
    """Simulate, and print or write a report."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--simulations", type=int, default=100, help="of each family")
    parser.add_argument("--only", choices=CASES, nargs="+", default=list(CASES))
    parser.add_argument("--report", type=Path, help="a Markdown file to write")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found = pd.concat(
        [simulated(name, options.simulations) for name in options.only], ignore_index=True
    )
    text = "\n\n".join(
        [
            "# Simulation-based calibration of Bayes factors",
            f"`python {' '.join(['benchmarks/evidence/sbc.py', *sys.argv[1:]])}`: {UNITS} units "
            f"in all three levels of A, {ROWS} rows each.",
            machine(),
            markdown(overall(found)),
            "By the probability that the model with A was given:",
            markdown(by_probability(found)),
        ]
    )
    print(text)
    if options.report is not None:
        options.report.write_text(f"{text}\n", encoding="utf-8")


def priors(family: str) -> dict[str, bmb.Prior]:
    """Return priors that do not depend on data."""
    half = bmb.Prior("Gamma", alpha=2, beta=3)
    own = {"Intercept": bmb.Prior("Normal", mu=1, sigma=1), "A": half, "s": half, "s:A": half}
    return own | ({"sigma": bmb.Prior("Gamma", alpha=4, beta=4)} if family == "gaussian" else {})


def simulated(name: str, simulations: int) -> pd.DataFrame:
    """Return the true model, and its probability, of S data sets."""
    formula, trials = CASES[name]
    family = ba.Model(*blank(name)).family
    layout = Layout(parse_formula(formula), LEVELS, family, family.link(None))
    frame = layout.frame(Size({"s": UNITS}, ROWS, trials))
    rows = []
    for number in range(simulations):
        rng = np.random.default_rng([number, len(name)])
        full = specify(*data_of(layout, frame, start(layout), rng, trials), priors(name))
        models = [sub_specification(full, one) for one in submodels(full.design, "hierarchical")]
        truth = int(rng.integers(2))
        assumed = drawn(models[truth], layout, rng)
        full = specify(*data_of(layout, frame, assumed, rng, trials), priors(name))
        models = [sub_specification(full, one) for one in submodels(full.design, "hierarchical")]
        logs = []
        for own in models:
            fit = run(own, Request("laplace", 250, 250, 4, number, False))
            assert fit.log_evidence is not None
            logs.append(fit.log_evidence.value)
        rows.append({"family": name, "with A": truth, "p": 1 / (1 + np.exp(logs[0] - logs[1]))})
    return pd.DataFrame(rows)


def blank(name: str) -> tuple[str, pd.DataFrame, str]:
    """Return a formula, data and family of which nothing but the family is asked."""
    frame = pd.DataFrame({"A": list("abc") * 2, "y": [0, 1, 2, 3, 2, 1], "n": 5})
    return ("p(y, n) ~ A" if name == "binomial" else "y ~ A"), frame, name


def start(layout: Layout) -> Assumed:
    """Return parameters for data that only give a design."""
    return Assumed(
        np.zeros(3), {"s": 1.0, "s:A": 1.0}, {a.name: 1.0 for a in layout.family.auxiliary}
    )


def data_of(
    layout: Layout, frame: pd.DataFrame, assumed: Assumed, rng: np.random.Generator, trials: int
):
    """Return what ``specify`` takes first."""
    return layout.formula.text, layout.draw(frame, assumed, rng, trials), layout.family.name


def drawn(model, layout: Layout, rng: np.random.Generator) -> Assumed:
    """Draw parameters from a model's prior."""
    draws = extract_draws(draw_prior(model, 1, rng), model)
    return Assumed(
        draws.cells[0, 0],
        {name: float(draws.sigmas[name][0, 0]) for name in ("s", "s:A")},
        {one.name: float(draws.auxiliary[one.name][0, 0]) for one in layout.family.auxiliary},
    )


def overall(found: pd.DataFrame) -> pd.DataFrame:
    """Return mean posterior probabilities beside what they should be."""
    rows = []
    for name, own in found.groupby("family", sort=False):
        gap = own["p"] - own["with A"]
        rows.append(
            {
                "family": name,
                "simulations": len(own),
                "with A": f"{own['with A'].mean():.3f}",
                "mean probability": f"{own['p'].mean():.3f}",
                "difference": f"{gap.mean():+.3f}",
                "its standard error": f"{gap.std() / len(own) ** 0.5:.3f}",
            }
        )
    return pd.DataFrame(rows)


def by_probability(found: pd.DataFrame) -> pd.DataFrame:
    """Return how often the model with A was the true one, by its probability."""
    rows = []
    for part, own in found.groupby(pd.cut(found["p"], EDGES, include_lowest=True), observed=True):
        mean, share = own["p"].mean(), own["with A"].mean()
        error = np.sqrt((own["p"] * (1 - own["p"])).sum()) / len(own)
        rows.append(
            {
                "probability": f"{max(part.left, 0):.1f} to {part.right:.1f}",
                "data sets": len(own),
                "mean": f"{mean:.3f}",
                "share of true ones": f"{share:.3f}",
                "expected error": f"{error:.3f}",
            }
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()

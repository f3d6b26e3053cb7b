"""How long quick fits of trial-level data take, family by family, beside other programs.

- ``times``: 2,800 reaction times of 40 people under three conditions, each family on times that it
  drew itself;
- ``ratings``: 60 subjects who each rate 40 items once from 1 to 7, crossed.

A family has a process of its own and is fitted twice: the first fit of a process imports and loads
what numba has compiled.

Run ``python benchmarks/speed/families.py``; see ``--help``.
"""

import argparse
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.reporting import machine, markdown

TIMES = ("lognormal", "shifted_lognormal", "gamma", "wald", "weibull", "exgaussian", "t",
         "skewnormal", "laplace")  # fmt: skip
RATINGS = ("cumulative", "sratio")
GOALS = {"times": 3.0, "ratings": 10.0}


def reaction_times(family: str, seed: int = 1) -> pd.DataFrame:
    """Return seconds by 40 people under three conditions, drawn from a family."""
    from bambi_anova.families.registry import get_family
    from bambi_anova.families.sufficient import unmerged
    from bambi_anova.families.values import ResponseValues

    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        [(s, c) for s in range(40) for c in "abc" for _ in range(24)], columns=["s", "condition"]
    ).sample(2800, random_state=seed)
    log = np.log(0.6) + 0.2 * rng.normal(size=40)[frame["s"]]
    log = log + frame["condition"].map({"a": 0.0, "b": 0.05, "c": 0.1}).to_numpy()
    own = get_family(family)
    mean = np.exp(log)
    parameters = {
        "mu": mean - 0.2 if family == "shifted_lognormal" else mean,
        **{"sigma": 0.1, "nu": 0.15, "alpha": 6.0, "lam": 5.0, "shift": 0.2, "delta": 0.8},
        "b": 0.1,
    }
    if family in ("lognormal", "shifted_lognormal"):
        parameters["sigma"] = 0.35
    if family == "t":
        parameters["nu"] = 4.0
    rows = unmerged(ResponseValues("rt", np.zeros(len(frame))), None)
    shaped = {k: np.broadcast_to(v, (1, len(frame))) for k, v in parameters.items()}
    frame["rt"] = own.replicate(shaped, rows, rng)[0]
    return frame.assign(s=[f"s{k:02d}" for k in frame["s"]])


def crossed_ratings(seed: int = 1) -> pd.DataFrame:
    """Return ratings from 1 to 7 of 40 items, half of each kind, by 60 subjects."""
    rng = np.random.default_rng(seed)
    s, item = (part.ravel() for part in np.mgrid[:60, :40])
    latent = 0.8 * rng.normal(size=60)[s] + 0.6 * rng.normal(size=40)[item] + 0.5 * (item % 2)
    latent = latent + rng.logistic(size=len(s))
    y = 1 + (latent[:, None] > np.linspace(-2.5, 2.5, 6)).sum(axis=1)
    kind = np.array(["new", "old"])[item % 2]
    return pd.DataFrame(
        {"s": [f"s{k}" for k in s], "item": [f"i{k}" for k in item], "kind": kind, "y": y}
    )


def model_of(family: str):
    """Return the model of a family."""
    import bambi_anova as ba

    if family in RATINGS:
        formula, data, link = "y ~ kind + (1|s) + (1|item)", crossed_ratings(), "logit"
    else:
        formula, data, link = "rt ~ condition + Error(s)", reaction_times(family), None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ba.Model(formula, data, family=family, link=link)


def worker(family: str, method: str) -> dict:
    """Fit twice; return seconds and what the fit says of itself."""
    seconds = []
    for seed in (1, 2):
        model = model_of(family)
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = model.fit(method, random_seed=seed, progressbar=False)
        seconds.append(time.perf_counter() - started)
    trusted = result.trust()["trusted"]
    return {"first s": seconds[0], "again s": seconds[1], "trusted": float(trusted.mean())}


def main() -> None:
    """Time everything and print a table a part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=(*TIMES, *RATINGS), default=None)
    parser.add_argument("--method", default="laplace")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write it as Markdown")
    parser.add_argument("--worker", metavar="FAMILY", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(worker(options.worker, options.method)))
        return
    sections = ["# Speed of quick fits by family", machine("bambi")]
    for part, families in (("times", TIMES), ("ratings", RATINGS)):
        rows = []
        for family in families:
            if options.only and family not in options.only:
                continue
            command = [sys.executable, __file__, "--worker", family, "--method", options.method]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                rows.append({"family": family, "first s": "failed"})
                print(done.stderr[-600:], file=sys.stderr)
                continue
            found = json.loads(done.stdout.splitlines()[-1])
            shown = {key: f"{value:.2f}" for key, value in found.items()}
            rows.append({"family": family, **shown, "goal s": f"{GOALS[part]:g}"})
            print(rows[-1], flush=True)
        if rows:
            sections.append(f"## {part}\n\n{markdown(pd.DataFrame(rows))}")
    if options.report:
        options.report.write_text("\n\n".join(sections) + "\n")


if __name__ == "__main__":
    main()

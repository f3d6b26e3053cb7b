"""Quick fits of Bambi models beside Bambi's own approximations and nutpie, against long NUTS.

Of each model (``models.py``) every parameter is compared with long chains: the error of its mean
in posterior sds, and of its sd in percent.  The promise of what is trusted is .15 and 15%.

Run ``python benchmarks/quick_bambi/compare.py``; see ``--help``.
"""

import argparse
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import arviz as az
import bambi as bmb
import numpy as np
import pandas as pd
import xarray as xr

import bambi_anova as ba
from bambi_anova.errors import AnovaError
from bambi_anova.posterior.trust import MIN_ESS, PROMISE
from benchmarks.quick_bambi.models import MODELS
from benchmarks.reporting import machine, markdown

REFERENCE_DRAWS, REFERENCE_CHAINS = 4000, 4
#: Monte Carlo error of a reference's mean, in sds, above which a parameter is not compared.
SURE = 0.02
LIMITS = {"r_hat": 1.01, "ess": MIN_ESS}


def main() -> None:
    """Fit, print, and fail if anything that was trusted breaks the promise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=[*MODELS])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS])
    parser.add_argument("--table", type=Path, metavar="CSV", help="add results to this file")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write it as Markdown")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    table = pd.DataFrame()
    if options.table and options.table.exists():
        table = pd.read_csv(options.table)
    for name in options.models:
        for row in compared(name, options.methods):
            table = pd.concat([table, pd.DataFrame([row])], ignore_index=True)
            table = table.drop_duplicates(["model", "method"], keep="last")
            if options.table:
                table.to_csv(options.table, index=False)
            print(markdown(shown(pd.DataFrame([row]))), flush=True)
    if options.report:
        options.report.write_text(report(table))
    broken = table[table["lies"].fillna(0) > 0]
    ours = broken["method"].str.startswith("ba.quick")
    sys.exit(f"trusted and wrong: {broken[ours]}" if ours.any() else 0)


def compared(name: str, methods: list[str]) -> Iterator[dict]:
    """Yield a row a method of one model."""
    started = time.perf_counter()
    long = MODELS[name]().fit(
        draws=REFERENCE_DRAWS,
        chains=REFERENCE_CHAINS,
        tune=1500,
        inference_method="nutpie",
        random_seed=11,
        progressbar=False,
        nuts={"target_accept": 0.95},
    )
    exact = summary(long)
    exact = exact[exact["mcse_mean"] < SURE * exact["sd"]]
    yield {"model": name, "method": "reference", "parameters": len(exact)} | {
        "seconds": time.perf_counter() - started
    }
    for method in methods:
        model = MODELS[name]()
        model.build()
        started = time.perf_counter()
        try:
            found, trusted, said = METHODS[method](model)
        except (AnovaError, ValueError, TypeError, ArithmeticError, RuntimeError) as error:
            yield {"model": name, "method": method, "said": f"fails: {error!s:.60}"}
            continue
        seconds = time.perf_counter() - started
        common = exact.index.intersection(found.index)
        shift = ((found["mean"] - exact["mean"]) / exact["sd"]).abs()[common]
        ratio = (found["sd"] / exact["sd"] - 1).abs()[common]
        wrong = (shift > PROMISE) | (ratio > PROMISE)
        believed = trusted.reindex(common).fillna(False).astype(bool)
        yield {
            "model": name,
            "method": method,
            "seconds": seconds,
            "parameters": len(common),
            "shift": shift.max(),
            "sd_error": ratio.max(),
            "wrong": int(wrong.sum()),
            "trusted": int(believed.sum()),
            "lies": int((wrong & believed).sum()),
            "said": said,
        }


def summary(found: xr.DataTree) -> pd.DataFrame:
    """Return means, sds and diagnostics of all parameters, without what each row has."""
    posterior = found["posterior"].to_dataset()
    names = [name for name in posterior if "__obs__" not in posterior[name].dims]
    return az.summary(found, var_names=names, round_to="none").astype(float)


# -- Methods: (model) -> summary, which parameters are trusted, and what was said ---------------


def by_quick(method: str) -> Callable:
    """Return one of our methods."""

    def run(model: bmb.Model) -> tuple[pd.DataFrame, pd.Series, str]:
        fit = ba.quick(model, method, random_seed=1, progressbar=False)
        table = fit.trust().set_index("quantity")
        return table, table["trusted"], str(fit.verdict)

    return run


def by_nutpie(model: bmb.Model) -> tuple[pd.DataFrame, pd.Series, str]:
    """Run nutpie as it comes."""
    found = model.fit(inference_method="nutpie", random_seed=1, progressbar=False)
    table = summary(found)
    good = (table["r_hat"] <= LIMITS["r_hat"]) & (
        table[["ess_bulk", "ess_tail"]].min(axis=1) >= LIMITS["ess"]
    )
    divergent = int(found["sample_stats"]["diverging"].sum())
    said = f"{divergent} divergences, {int((~good).sum())} parameters by R-hat or ESS"
    return table, good & (divergent == 0), said


def by_vi(model: bmb.Model) -> tuple[pd.DataFrame, pd.Series, str]:
    """Run Bambi's variational inference, which says nothing of its quality."""
    approximation = model.fit(inference_method="vi", random_seed=1, progressbar=False)
    draws = approximation.sample(4000, random_seed=1)
    table = summary(draws)
    return table, pd.Series(True, table.index), ""


def by_laplace(model: bmb.Model) -> tuple[pd.DataFrame, pd.Series, str]:
    """Run Bambi's Laplace, which says nothing of its quality."""
    np.random.seed(1)  # noqa: NPY002 -- the generator that Bambi takes
    table = summary(model.fit(inference_method="laplace", draws=4000))
    return table, pd.Series(True, table.index), ""


METHODS: dict[str, Callable] = {
    "ba.quick": by_quick("auto"),
    "nutpie": by_nutpie,
    "vi": by_vi,
    "laplace": by_laplace,
}


# -- Report ------------------------------------------------------------------------------------


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table in few digits."""
    found = table.copy()
    for name in ("parameters", "wrong", "trusted", "lies", "said", "shift", "sd_error"):
        if name not in found:
            found[name] = np.nan

    def written(values: pd.Series, form: str) -> list[str]:
        return ["" if pd.isna(value) else format(value, form) for value in values]

    return pd.DataFrame(
        {
            "model": found["model"],
            "method": found["method"],
            "seconds": written(found["seconds"], ".1f"),
            "parameters": written(found["parameters"], ".0f"),
            "worst mean (sd)": written(found["shift"], ".2f"),
            "worst sd (%)": written(100 * found["sd_error"], ".0f"),
            "off by more than 15%": written(found["wrong"], ".0f"),
            "of these believed": written(found["lies"], ".0f"),
            "believed": written(found["trusted"], ".0f"),
            "it says": found["said"].fillna(""),
        }
    )


def report(table: pd.DataFrame) -> str:
    """Return the report as Markdown."""
    return f"""# Quick fits of Bambi models

{__doc__.split(chr(10) + chr(10))[1]}

Seconds are those of one fit from a built model, compilation among them, on a machine that others
used too. "Believed" is what a method gives no reason to doubt: of `ba.quick` the rows that
`trust()` trusts, of nutpie those within R-hat {LIMITS["r_hat"]} and {LIMITS["ess"]} effective draws
in a run without divergences, and all of Bambi's "vi" and "laplace", which say nothing. Reference:
nutpie, {REFERENCE_CHAINS} x {REFERENCE_DRAWS:,} draws, target_accept 0.95; parameters whose mean it
does not know to {SURE} sds are left out.

{markdown(shown(table))}

{machine("arviz-stats")}
"""


if __name__ == "__main__":
    main()

"""Simulation-based calibration of the quick fits (Talts et al. 2018, arXiv:1804.06788).

Parameters are drawn from priors, data from the parameters, and the fit of the data ranks each
true parameter among its draws.  If the fit is right all ranks are equally likely, for parameters
and for functions of parameters and data such as the log-likelihood (Modrák et al. 2023,
doi:10.1214/23-BA1404).  The ranks' empirical distribution function is judged by an envelope that
95% of uniform samples stay inside everywhere (Säilynoja, Bürkner & Vehtari 2022,
doi:10.1007/s11222-022-10090-6).  About one quantity in twenty is outside by chance; a fit is
called miscalibrated where one is outside an envelope that holds for all of them together, or
where the intervals of all quantities cover too much or too little.

Run ``python benchmarks/calibration/calibrate.py``; see ``--help``.

Letters: S simulations, K quantities, L draws that a rank is taken among, N draws of a fit.
"""

import argparse
import sys
import time
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import bambi_anova as ba
from bambi_anova.result import Result
from benchmarks.calibration.envelope import DRAWS, LEVEL, envelope_p, outside_envelope
from benchmarks.calibration.split_plots import (
    DESIGNS,
    UNITS,
    SplitPlot,
    fitted,
    quantities,
    simulate,
)
from benchmarks.reporting import machine, markdown

Array = np.ndarray

#: The negative control multiplies the sds of all draws by this.
SQUEEZE = 0.7
#: Standard errors that the coverage of all quantities together may be off.
MOST_ERRORS = 3.5


@dataclass(frozen=True)
class Calibration:
    """Ranks of the true values.

    Attributes
    ----------
    design : SplitPlot
    ranks, broken : pandas.DataFrame, shape (S, K)
        Of the fits as they are, and with all draws squeezed together.
    redrawn : int
        Data sets that were drawn again, because no model is fitted to a constant response, or
        to ratings without one of the categories.
    untrusted : int
        Fits with a complaint; they count like any other.
    seconds : float
        Median of reading and fitting.
    """

    design: SplitPlot
    ranks: pd.DataFrame
    broken: pd.DataFrame
    redrawn: int
    untrusted: int
    seconds: float


def main() -> None:
    """Calibrate, print, and fail if the fits are not calibrated."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=200, metavar="S", help="a design; 200")
    parser.add_argument("--method", default="laplace", help="of Model.fit; laplace by default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=DESIGNS, help="designs; all by default")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write it as Markdown")
    parser.add_argument(
        "--break",
        dest="broken",
        action="store_true",
        help=f"negative control: multiply the sds of all draws by {SQUEEZE:g}, fail if that passes",
    )
    options = parser.parse_args()
    found = [
        calibrate(DESIGNS[name], options.simulations, options.method, options.seed)
        for name in options.only or DESIGNS
    ]
    text = report(found, options)
    print(text)
    if options.report:
        options.report.parent.mkdir(exist_ok=True)
        options.report.write_text(text)
    wrong = any(complaints(found, broken=options.broken))
    raise SystemExit(wrong != options.broken)


def calibrate(
    design: SplitPlot, simulations: int, method: str = "laplace", seed: int = 1
) -> Calibration:
    """Simulate, fit and rank; each simulation has its own seed, so that more of them only add."""
    good, broken, seconds = [], [], []
    redrawn = untrusted = 0
    for simulation in range(simulations):
        if simulation % 50 == 0:
            print(f"{design.name}: {simulation} of {simulations}", file=sys.stderr, flush=True)
        rng = np.random.default_rng([seed, zlib.crc32(design.name.encode()), simulation])
        started = time.perf_counter()
        model, frame, truth, refused = accepted(design, rng)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ba.errors.ConvergenceWarning)
            result = model.fit(method, random_seed=int(rng.integers(2**31)), progressbar=False)
        seconds.append(time.perf_counter() - started)
        redrawn += refused
        untrusted += bool(result.complaints)
        values = quantities(design, frame, truth)
        draws = quantities(design, frame, fitted(design, result))
        kept = apart(result, DRAWS)
        good.append(ranks(values, draws, kept))
        broken.append(ranks(values, draws, kept, SQUEEZE))
    return Calibration(
        design,
        pd.DataFrame(good),
        pd.DataFrame(broken),
        redrawn,
        untrusted,
        float(np.median(seconds)),
    )


def accepted(design: SplitPlot, rng) -> tuple[ba.Model, pd.DataFrame, dict, int]:
    """Simulate until the package takes the data; return how often it did not, too.

    To leave data sets out for what they are like changes no posterior.
    """
    for refused in range(100):
        frame, truth = simulate(design, rng)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ba.errors.AnovaWarning)
                model = ba.Model(
                    design.formula,
                    frame,
                    family=design.family,
                    priors=design.given,
                    priors_on="deflections",  # as the parameters are drawn
                )
        except ba.errors.DataError as error:
            if "constant" not in str(error) and "does not vary" not in str(error):
                raise
            continue
        if design.family == "cumulative" and len(model.priors.auxiliary) < len(design.further):
            continue  # a category that never occurs
        return model, frame, truth, refused
    raise SystemExit(f"{design.name}: the priors hardly ever make data that vary")


def apart(result: Result, count: int) -> Array:
    """Choose draws of a fit that depend on each other as little as may be, shape (L,).

    Draws that come of one point of the hyperparameters, and copies of one draw, lie next to each
    other once the draws are sorted by point.  A step through them takes each point in
    proportion to its draws, and twice only if it holds more than one draw in L.
    """
    chains, draws = result.draws.sample_shape
    weighting = result.sampling.weighting
    order = np.arange(chains * draws)
    if weighting is not None:
        order = np.argsort(weighting.point.ravel(), kind="stable")
    return order[((np.arange(count) + 0.5) * len(order) / count).astype(int)]


def ranks(
    truth: Mapping[str, Array], draws: Mapping[str, Array], kept: Array, spread: float = 1.0
) -> dict[str, int]:
    """Return the rank, 0 to L, of each true value among the chosen draws.

    Parameters
    ----------
    truth, draws : mapping of str to ndarray, of shapes (1,) and (N,)
    kept : ndarray of int, shape (L,)
    spread : float
        What to multiply the draws' distances from their mean by.
    """
    found = {}
    for name, values in draws.items():
        squeezed = values.mean() + spread * (values[kept] - values.mean())
        found[name] = int((squeezed < truth[name]).sum())
    return found


def inside(ranked: pd.DataFrame, share: float) -> pd.DataFrame:
    """Tell which true values are within the central interval of some share."""
    cut = (1 - share) / 2 * (DRAWS + 1)
    return (ranked >= cut) & (ranked < DRAWS + 1 - cut)


def table(ranked: pd.DataFrame) -> pd.DataFrame:
    """Return a row a quantity, the farthest from uniform first."""
    p = envelope_p(ranked.to_numpy())
    rows = pd.DataFrame(
        {
            "quantity": ranked.columns,
            "50% covers": inside(ranked, 0.5).mean().map("{:.1%}".format).to_numpy(),
            "90% covers": inside(ranked, 0.9).mean().map("{:.1%}".format).to_numpy(),
            "mean rank": ranked.mean().map("{:.1f}".format).to_numpy(),
            "p": p,
            "inside": np.where(p < 1 - LEVEL, "NO", "yes"),
        }
    )
    return rows.sort_values("p", kind="stable").assign(p=lambda frame: frame["p"].map(number))


def number(p: float) -> str:
    """Write a share that may be tiny."""
    return f"{p:.3f}" if p >= 0.001 else f"{p:.5f}"


def coverage(ranked: pd.DataFrame, share: float) -> tuple[float, float]:
    """Return the coverage over all quantities and its standard error.

    Quantities of one simulation depend on each other, simulations do not.
    """
    each = inside(ranked, share).mean(axis=1)
    return float(each.mean()), float(each.std(ddof=1) / np.sqrt(len(each)))


def complaints(found: list[Calibration], broken: bool = False) -> list[str]:
    """Say in words what is not calibrated; an empty list if all is.

    All quantities of all designs share one error rate of 5% (Bonferroni).
    """
    said = []
    count = sum(one.ranks.shape[1] for one in found)
    for one in found:
        ranked = one.broken if broken else one.ranks
        p = pd.Series(envelope_p(ranked.to_numpy()), index=ranked.columns)
        said += [
            f"{one.design.name}: {name} leaves the envelope of {count} quantities together "
            f"(p = {number(value)})"
            for name, value in p[p < (1 - LEVEL) / count].items()
        ]
        for share in (0.5, 0.9):
            mean, error = coverage(ranked, share)
            if abs(mean - share) > MOST_ERRORS * error:
                said.append(f"{one.design.name}: {share:.0%} intervals cover {mean:.1%}")
    return said


def report(found: list[Calibration], options: argparse.Namespace) -> str:
    """Write everything as Markdown."""
    said = complaints(found, options.broken)
    control = complaints(found, broken=True)
    verdict = [f"- {line}" for line in said] or ["Calibrated: nothing found."]
    judged = f" with the sds of all draws multiplied by {SQUEEZE:g}" if options.broken else ""
    parts = [
        "# Simulation-based calibration",
        f'`fit("{options.method}")`{judged}, {options.simulations} simulations a design, seed '
        f"{options.seed}; made by `benchmarks/calibration/calibrate.py`.",
        machine(),
        f"Each true value is ranked among {DRAWS} draws. *p*: the share of uniform samples of "
        "ranks that stray farther from their expected distribution function; *inside*: whether "
        f"the ranks stay in the envelope that holds {LEVEL:.0%} of uniform samples, which about "
        "one right quantity in twenty does not. The verdict corrects for their number.",
        "## Verdict",
        "\n".join(verdict),
        f"Negative control: with all sds multiplied by {SQUEEZE:g} there are {len(control)} "
        "complaints" + (", as there should be." if control else ". THERE SHOULD BE."),
        *(section(one, options.broken) for one in found),
    ]
    return "\n\n".join(parts) + "\n"


def section(one: Calibration, broken: bool) -> str:
    """Write one design."""
    ranked = one.broken if broken else one.ranks
    outside = int(outside_envelope(ranked.to_numpy()).sum())
    lines = [
        f"{share:.0%} intervals of all quantities cover {mean:.1%} (standard error {error:.1%})."
        for share in (0.5, 0.9)
        for mean, error in [coverage(ranked, share)]
    ]
    return "\n\n".join(
        [
            f"## {one.design.name[0].upper()}{one.design.name[1:]}",
            f"`{one.design.formula}`, {UNITS} units; priors "
            + ", ".join(f"{name} ~ {prior}" for name, prior in written(one.design).items())
            + ".",
            f"{outside} of {ranked.shape[1]} quantities outside their envelopes. "
            + " ".join(lines)
            + f" {one.redrawn} data sets drawn again, as the response did not vary; "
            f"{one.untrusted} of {len(ranked)} fits not trusted (they count all the same); "
            f"{one.seconds:.2f} s a fit.",
            markdown(table(ranked)),
        ]
    )


def written(design: SplitPlot) -> dict:
    """Return the priors by the names of what they are about."""
    return {**design.priors, **{f"sigma {name}": own for name, own in design.spread.items()}}


if __name__ == "__main__":
    main()

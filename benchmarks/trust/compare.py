"""Judge by long NUTS whether what quick fits of the corpus call trusted is right.

A quantity is wrong if its mean is more than 0.15 reference sds from that of long NUTS, or its sd
more than 15% off.  Where the reference has a bulk ESS below 2,000, both limits are widened by two
of its Monte Carlo standard errors.  Quantities that the model holds constant are left out.  A fit
that is refused counts as not trusted in all of its quantities, and a quantity that a fit says to
have no mean as not trusted.

Run ``python benchmarks/trust/compare.py`` after ``reference.py``; see ``--help``.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import bambi_anova as ba
from bambi_anova.engine.methods import check_method
from benchmarks.corpus.designs import Design, chosen
from benchmarks.corpus.quantities import quantities
from benchmarks.reporting import machine, markdown
from benchmarks.trust.reference import MIN_ESS, read_reference

METHODS = ("laplace", "pathfinder", "advi", "nuts")
#: In reference sds for the mean, and as a share for the sd.
LIMIT = 0.15


def main() -> None:
    """Fit, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=METHODS, metavar="METHOD")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="designs; all by default")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write it as Markdown")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write all comparisons as CSV")
    options = parser.parse_args()
    for method in options.methods:
        check_method(method)
    references = dict(list(read_reference().groupby("design")))
    parts, waiting = [], []
    for design in chosen(options.only):
        if design.name not in references:
            waiting.append(design.name)
            continue
        for method in options.methods:
            print(f"{design.name}, {method}", file=sys.stderr, flush=True)
            parts.append(compare(design, method, references[design.name]))
    if not parts:
        raise SystemExit("no reference for these designs; run reference.py first")
    comparisons = pd.concat(parts, ignore_index=True)
    if options.save:
        comparisons.to_csv(options.save, index=False, float_format="%.6g")
    text = report(comparisons, waiting)
    print(text)
    if options.report:
        options.report.write_text(text)


def compare(design: Design, method: str, reference: pd.DataFrame) -> pd.DataFrame:
    """Fit a design and set each of its quantities beside the reference.

    Returns
    -------
    pandas.DataFrame
        A row a quantity: ``mean``, ``sd`` and ``trusted`` of the fit, ``ref_mean``, ``ref_sd`` and
        ``ref_ess``; ``shift``, the difference of the means in reference sds; ``sd_ratio``;
        ``wrong``; ``seconds`` of the fit; and ``refused``, the message if there is no fit.
    """
    table, seconds, refused = fit(design, method)
    reference = reference[reference["sd"] > 0].set_index("quantity")
    if table is None:
        found = pd.DataFrame({"mean": np.nan, "sd": np.nan}, index=reference.index)
        found = found.assign(trusted=False, supported=False)
    else:
        found = table.set_index("quantity").loc[reference.index]
    shift = (found["mean"] - reference["mean"]) / reference["sd"]
    ratio = found["sd"] / reference["sd"]
    poor = reference["ess"] < MIN_ESS
    mean_error = (reference["mcse_mean"] / reference["sd"]).where(poor, 0)
    sd_error = (1 / np.sqrt(2 * reference["ess"])).where(poor, 0)
    # Written so that what is not a number is wrong.
    right = (shift.abs() <= LIMIT + 2 * mean_error) & ((ratio - 1).abs() <= LIMIT + 2 * sd_error)
    found = found.assign(trusted=found["trusted"] & found["mean"].notna())
    frame = found[["mean", "sd", "supported", "trusted"]].assign(
        ref_mean=reference["mean"],
        ref_sd=reference["sd"],
        ref_ess=reference["ess"],
        shift=shift,
        sd_ratio=ratio,
        wrong=~right,
        seconds=seconds,
        refused=refused,
    )
    frame = frame.rename_axis("quantity").reset_index()
    frame.insert(0, "design", design.name)
    frame.insert(1, "method", method)
    return frame


def fit(design: Design, method: str) -> tuple[pd.DataFrame | None, float, str]:
    """Return the table of quantities, seconds to read, build and fit, and why it was refused."""
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ba.errors.AnovaWarning)
        try:
            result = design.model().fit(method, random_seed=1, progressbar=False)
            seconds = time.perf_counter() - started
            return quantities(result), seconds, ""
        except ba.errors.AnovaError as error:
            return None, time.perf_counter() - started, str(error)


def report(comparisons: pd.DataFrame, waiting: list[str]) -> str:
    """Write everything as Markdown."""
    designs = comparisons["design"].nunique()
    parts = [
        "# Fits against long NUTS",
        machine(),
        f"{designs} designs. A quantity is wrong if its mean is more than {LIMIT:g} posterior sds "
        f"from that of long NUTS or its sd more than {LIMIT:.0%} off.",
        markdown(by_method(comparisons)),
        "The worst of what was trusted:",
        markdown(worst_trusted(comparisons)),
        "Design by design; the worst are among the trusted:",
        markdown(by_design(comparisons)),
    ]
    if waiting:
        parts.append(f"Not compared, for want of a reference: {', '.join(waiting)}.")
    return "\n\n".join(parts) + "\n"


def by_method(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Count quantities a method, and time its fits."""
    rows = []
    for method, part in comparisons.groupby("method", sort=False):
        fits = part.drop_duplicates("design")
        answered = fits.loc[fits["refused"] == "", "seconds"]
        trusted, wrong = part["trusted"], part["wrong"]
        rows.append(
            {
                "method": method,
                "trusted and right": int((trusted & ~wrong).sum()),
                "trusted and wrong": int((trusted & wrong).sum()),
                "not trusted": int((~trusted).sum()),
                "of these right": int((~trusted & ~wrong).sum()),
                "share trusted": f"{trusted.mean():.1%}",
                "refused fits": len(fits) - len(answered),
                "median s": f"{answered.median():.2f}",
                "max s": f"{answered.max():.2f}",
            }
        )
    return pd.DataFrame(rows)


def badness(part: pd.DataFrame) -> pd.Series:
    """Return how far each quantity is off, by its mean or sd, whichever is worse."""
    off = np.maximum(part["shift"].abs(), (part["sd_ratio"] - 1).abs())
    return off.fillna(np.inf)


def worst_trusted(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Return each method's worst trusted quantity."""
    rows = []
    for method, part in comparisons.groupby("method", sort=False):
        trusted = part[part["trusted"]]
        if trusted.empty:
            rows.append({"method": method, "design": "nothing trusted"})
            continue
        case = trusted.loc[badness(trusted).idxmax()]
        rows.append(
            {
                "method": method,
                "design": case["design"],
                "quantity": case["quantity"],
                "shift in sd": f"{case['shift']:+.3f}",
                "sd ratio": f"{case['sd_ratio']:.3f}",
            }
        )
    return pd.DataFrame(rows).fillna("")


def by_design(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Return a row a fit."""
    rows = []
    for (design, method), part in comparisons.groupby(["design", "method"], sort=False):
        trusted = part[part["trusted"]]
        row = {"design": design, "method": method, "seconds": f"{part['seconds'].iloc[0]:.2f}"}
        row |= {"share trusted": f"{part['trusted'].mean():.0%}"}
        if len(trusted):
            shift = trusted["shift"].iloc[trusted["shift"].abs().argmax()]
            ratio = trusted["sd_ratio"].iloc[(trusted["sd_ratio"] - 1).abs().argmax()]
            row |= {"worst shift in sd": f"{shift:+.3f}", "worst sd ratio": f"{ratio:.3f}"}
        rows.append(row | {"verdict": verdict(part)})
    order = ["design", "method", "seconds", "share trusted", "worst shift in sd"]
    return pd.DataFrame(rows, columns=[*order, "worst sd ratio", "verdict"]).fillna("")


def verdict(part: pd.DataFrame) -> str:
    """Say in words what became of a fit."""
    refused = part["refused"].iloc[0]
    if refused:
        return f"refused: {refused}"
    wrong = int((part["trusted"] & part["wrong"]).sum())
    if wrong:
        return f"WRONG: {wrong} of {int(part['trusted'].sum())} trusted"
    return "right" if part["trusted"].any() else "nothing trusted"


if __name__ == "__main__":
    main()

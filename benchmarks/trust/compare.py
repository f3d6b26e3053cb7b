"""Judge by long NUTS whether what fits of the corpus call trusted is right.

A quantity is wrong if its mean is more than 0.15 reference sds from that of long NUTS, or its sd
more than 15% off.  Where the reference has a bulk ESS below 2,000, both limits are widened by two
of its Monte Carlo standard errors.  Quantities that the model holds constant are left out.  A fit
that is refused counts as not trusted in all of its quantities, and a quantity that a fit says to
have no mean as not trusted.

Fits are kept in ``fits/``, a file a method and seed, which is written design by design: a run that
is stopped goes on where it was.  They are not made again when the code changes: delete them.

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
from benchmarks.corpus.quantities import COLUMNS, quantities
from benchmarks.reporting import machine, markdown
from benchmarks.trust.reference import MIN_ESS, read_reference

METHODS = ("laplace", "pathfinder", "advi", "nuts")
FITS = Path(__file__).with_name("fits")
#: In reference sds for the mean, and as a share for the sd.
LIMIT = 0.15
#: What makes a fit.
FIT = ["design", "method", "seed"]


def main() -> None:
    """Fit, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=METHODS, metavar="METHOD")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="from 1 to N")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="designs; all by default")
    parser.add_argument("--kept", action="store_true", help="fit nothing, compare what is kept")
    parser.add_argument("--fits", type=Path, default=FITS, metavar="FOLDER", help="of kept fits")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write it as Markdown")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write all comparisons as CSV")
    options = parser.parse_args()
    for method in options.methods:
        check_method(method)
    reference = read_reference()
    designs = chosen(options.only)
    waiting = [one.name for one in designs if one.name not in set(reference["design"])]
    designs = [one for one in designs if one.name not in waiting]
    parts = []
    for seed in range(1, options.seeds + 1):
        for method in options.methods:
            if not options.kept:
                fit_all(designs, method, seed, options.fits)
            parts.append(read_fits(method, seed, options.fits))
    fits = pd.concat(parts, ignore_index=True)
    order = {design.name: place for place, design in enumerate(designs)}
    fits = fits[fits["design"].isin(order)]
    fits = fits.sort_values("design", key=lambda names: names.map(order), kind="stable")
    if fits.empty:
        raise SystemExit("nothing to compare; run reference.py, or compare.py without --kept")
    comparisons = compare(fits, reference)
    if options.save:
        comparisons.to_csv(options.save, index=False, float_format="%.10g")
    text = report(comparisons, waiting)
    print(text)
    if options.report:
        options.report.write_text(text)


def fit_all(designs: list[Design], method: str, seed: int, folder: Path) -> None:
    """Fit the designs that are not among the kept fits of a method and seed."""
    path = _path(method, seed, folder)
    folder.mkdir(exist_ok=True)
    done = set(read_fits(method, seed, folder)["design"])
    for design in designs:
        if design.name in done:
            continue
        print(f"{design.name}, {method}, seed {seed}", file=sys.stderr, flush=True)
        found = fit(design, method, seed)
        found.to_csv(path, mode="a", header=not path.exists(), index=False, float_format="%.10g")


def read_fits(method: str, seed: int, folder: Path = FITS) -> pd.DataFrame:
    """Return the kept fits of a method and seed, a row a quantity."""
    path = _path(method, seed, folder)
    if not path.exists():
        return pd.DataFrame(columns=[*FIT, *COLUMNS, "seconds", "refused"])
    return pd.read_csv(path, keep_default_na=False, na_values=dict.fromkeys(COLUMNS[1:-2], ""))


def _path(method: str, seed: int, folder: Path) -> Path:
    return folder / f"{method}-{seed:02d}.csv"


def fit(design: Design, method: str, seed: int) -> pd.DataFrame:
    """Fit a design.

    Returns
    -------
    pandas.DataFrame
        What ``quantities`` returns, with ``design``, ``method``, ``seed``, ``seconds`` to read,
        build and fit, and ``refused``: the message if there is no fit, in a row without quantity.
    """
    started = time.perf_counter()
    seconds, refused = None, ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ba.errors.AnovaWarning)
        try:
            result = design.model().fit(method, random_seed=seed, progressbar=False)
            seconds = time.perf_counter() - started
            table = quantities(result)
        except ba.errors.AnovaError as error:
            refused = str(error)
            table = pd.DataFrame({name: [np.nan] for name in COLUMNS})
            table = table.assign(quantity="", supported=False, trusted=False)
    seconds = time.perf_counter() - started if seconds is None else seconds
    who = pd.DataFrame({"design": design.name, "method": method, "seed": seed}, table.index)
    return who.join(table).assign(seconds=seconds, refused=refused)


def compare(fits: pd.DataFrame, reference: pd.DataFrame) -> pd.DataFrame:
    """Set each quantity of the fits beside the reference.

    Returns
    -------
    pandas.DataFrame
        A row a quantity of the reference and fit: the columns of ``fits``; ``ref_mean``,
        ``ref_sd`` and ``ref_ess``; ``shift``, the difference of the means in reference sds;
        ``sd_ratio``; and ``wrong``.
    """
    reference = reference[reference["sd"] > 0]
    known = reference.rename(columns={name: f"ref_{name}" for name in reference.columns[2:]})
    whole = fits[[*FIT, "seconds", "refused"]].drop_duplicates(FIT)
    frame = whole.merge(known, on="design", sort=False)
    own = fits.drop(columns=["seconds", "refused"])
    frame = frame.merge(own, on=[*FIT, "quantity"], how="left", sort=False)
    shift = (frame["mean"] - frame["ref_mean"]) / frame["ref_sd"]
    ratio = frame["sd"] / frame["ref_sd"]
    poor = frame["ref_ess"] < MIN_ESS
    mean_error = (frame["ref_mcse_mean"] / frame["ref_sd"]).where(poor, 0)
    sd_error = (1 / np.sqrt(2 * frame["ref_ess"])).where(poor, 0)
    # Written so that what is not a number is wrong.
    right = (shift.abs() <= LIMIT + 2 * mean_error) & ((ratio - 1).abs() <= LIMIT + 2 * sd_error)
    trusted = frame["trusted"].eq(True) & frame["mean"].notna()
    return frame.assign(trusted=trusted, shift=shift, sd_ratio=ratio, wrong=~right)


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
        *wrong_trusted(comparisons),
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
        fits = part.drop_duplicates(FIT)
        answered = fits.loc[fits["refused"] == "", "seconds"]
        trusted, wrong = part["trusted"], part["wrong"]
        rows.append(
            {
                "method": method,
                "fits": len(fits),
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


def wrong_trusted(comparisons: pd.DataFrame) -> list[str]:
    """List what was trusted and wrong, if anything was."""
    wrong = comparisons[comparisons["trusted"] & comparisons["wrong"]]
    if wrong.empty:
        return []
    shown = wrong[[*FIT, "quantity"]].assign(
        **{
            "shift in sd": wrong["shift"].map("{:+.3f}".format),
            "sd ratio": wrong["sd_ratio"].map("{:.3f}".format),
        }
    )
    return ["Trusted and wrong:", markdown(shown)]


def by_design(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Return a row a design and method, of all seeds."""
    rows = []
    for (design, method), part in comparisons.groupby(["design", "method"], sort=False):
        trusted = part[part["trusted"]]
        seconds = part.drop_duplicates("seed")["seconds"].median()
        row = {"design": design, "method": method, "seconds": f"{seconds:.2f}"}
        row |= {"share trusted": f"{part['trusted'].mean():.0%}"}
        if len(trusted):
            shift = trusted["shift"].iloc[trusted["shift"].abs().argmax()]
            ratio = trusted["sd_ratio"].iloc[(trusted["sd_ratio"] - 1).abs().argmax()]
            row |= {"worst shift in sd": f"{shift:+.3f}", "worst sd ratio": f"{ratio:.3f}"}
        rows.append(row | {"verdict": verdict(part)})
    order = ["design", "method", "seconds", "share trusted", "worst shift in sd"]
    return pd.DataFrame(rows, columns=[*order, "worst sd ratio", "verdict"]).fillna("")


def verdict(part: pd.DataFrame) -> str:
    """Say in words what became of a design's fits."""
    refused = part.loc[part["refused"] != "", "refused"]
    if len(refused) == len(part):
        return f"refused: {refused.iloc[0]}"
    wrong = int((part["trusted"] & part["wrong"]).sum())
    if wrong:
        return f"WRONG: {wrong} of {int(part['trusted'].sum())} trusted"
    return "right" if part["trusted"].any() else "nothing trusted"


if __name__ == "__main__":
    main()

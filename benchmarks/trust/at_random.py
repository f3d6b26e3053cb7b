"""Look for false verdicts on designs drawn at random, by NUTS of four times as many draws.

A quantity counts as wrong as in ``compare.py``.  Designs of which something trusted was wrong
belong in the corpus.  Designs and fits are kept in ``fits/random.csv`` as they are made.

Run ``python benchmarks/trust/at_random.py``; see ``--help``.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

import bambi_anova as ba
from benchmarks.corpus.at_random import random_design
from benchmarks.trust import reference
from benchmarks.trust.compare import FITS, by_method, compare, fit, wrong_trusted

METHODS = ("laplace", "pathfinder", "advi")


def main() -> None:
    """Fit designs by several seeds, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--numbers", type=int, nargs=2, default=(0, 30), metavar="N")
    parser.add_argument("--seeds", type=int, default=2, metavar="N", help="from 1 to N")
    parser.add_argument("--kept", type=Path, default=FITS / "random.csv", metavar="FILE")
    options = parser.parse_args()
    options.kept.parent.mkdir(exist_ok=True)
    found = pd.read_csv(options.kept, keep_default_na=False) if options.kept.exists() else None
    done = set() if found is None else set(found["design"])
    for number in range(*options.numbers):
        design = random_design(number)
        if design.name in done:
            continue
        print(f"{design.name}: {design.family}, {design.formula}", file=sys.stderr, flush=True)
        try:
            table, poor = reference.fit(design, **reference.FIRST)
        except ba.errors.AnovaError as error:  # such as responses that are all the same
            print(error, file=sys.stderr, flush=True)
            continue
        print(poor or "good", file=sys.stderr, flush=True)
        fits = [fit(design, m, s + 1) for s in range(options.seeds) for m in METHODS]
        compared = compare(pd.concat(fits), table.assign(design=design.name)[reference.COLUMNS])
        compared = compared.assign(poor=poor)
        header = not options.kept.exists()
        compared.to_csv(options.kept, mode="a", header=header, index=False, float_format="%.10g")
    comparisons = pd.read_csv(options.kept, dtype={"refused": str, "poor": str})
    comparisons = comparisons.fillna({"refused": "", "poor": ""})
    print(by_method(comparisons).to_string(index=False))
    print("\n\n".join(wrong_trusted(comparisons)) or "Nothing trusted is wrong.")


if __name__ == "__main__":
    main()

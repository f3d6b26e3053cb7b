"""Rows that stay where they are: Parquet files of many rows, tallied by their engine.

Makes the rows with DuckDB (a split-plot experiment of 400 units, three levels within, gaussian and
binary responses), asks for the model and a quick fit, and compares with the engine's own group-by.
Run ``python benchmarks/speed/tally.py --rows 100000000``; 5 million rows by default.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

import bambi_anova as ba
from benchmarks.reporting import machine

FORMULA = "{} ~ grp * cond + Error(subject/cond)"
#: Rows a file.
SIZE = 10_000_000
MAKE = """
COPY (
    SELECT 's' || u AS subject, CASE WHEN u % 2 = 0 THEN 'control' ELSE 'treated' END AS grp,
        CASE i % 3 WHEN 0 THEN 'x' WHEN 1 THEN 'y' ELSE 'z' END AS cond,
        500 + (i % 3) * 20 + 30 * sin(u)
            + 100 * sqrt(-2 * ln(1 - random())) * cos(6.2831853 * random())
            AS rt,
        CAST(random() < .3 + .1 * (i % 3) AS INTEGER) AS correct
    FROM (SELECT range AS i, CAST(floor(random() * 400) AS INTEGER) AS u FROM range({rows}))
) TO '{path}' (FORMAT parquet)
"""
PLAIN = """
SELECT subject, grp, cond, count(*), avg({0}), var_samp({0}) FROM read_parquet('{1}')
GROUP BY ALL
"""


def main() -> None:
    """Make the files, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--folder", type=Path, help="where the files are, or are to be")
    parser.add_argument("--fit", nargs=2, metavar=("RESPONSE", "FILES"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fit:
        fit(*options.fit)
        return
    with tempfile.TemporaryDirectory() as made:
        folder = options.folder or Path(made)
        folder.mkdir(exist_ok=True)
        for start in range(0, options.rows, SIZE):
            path = folder / f"part-{start // SIZE:04d}.parquet"
            if not path.exists():
                rows = min(SIZE, options.rows - start)
                duckdb.sql(f"SELECT setseed({0.1 + start / 1e10})")
                duckdb.sql(MAKE.format(rows=rows, path=path))
        print(machine("duckdb", "narwhals", "pandas"))
        print(f"\n{options.rows:,} rows\n")
        for response in ("rt", "correct"):
            command = [sys.executable, __file__, "--fit", response, f"{folder}/*.parquet"]
            subprocess.run(command, check=True)


def fit(response: str, files: str) -> None:
    """Time the engine's own group-by, the model and a quick fit, each by itself."""
    family = {"rt": "gaussian", "correct": "bernoulli"}[response]
    small = duckdb.sql(f"SELECT * FROM read_parquet('{files}') LIMIT 5000").df()
    ba.Model(FORMULA.format(response), small, family)  # imports
    started = time.perf_counter()
    duckdb.sql(PLAIN.format(response, files)).fetchall()
    plain = time.perf_counter() - started
    started = time.perf_counter()
    model = ba.Model(FORMULA.format(response), files, family)
    read = time.perf_counter() - started
    started = time.perf_counter()
    fitted = model.fit("laplace", random_seed=1, progressbar=False)
    seconds = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{family}: DuckDB's group-by {plain:.2f} s, model {read:.2f} s, laplace {seconds:.2f} s "
        f"({'trusted' if fitted.verdict.trusted else 'not trusted'}), peak {memory:.0f} MB"
    )


if __name__ == "__main__":
    main()

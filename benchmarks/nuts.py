"""Where the seconds of a fit go, and how many effective draws they buy.

Prints, for each shipped design: seconds to read and build the model, to compile and to sample,
the smallest bulk and tail effective sample sizes of any parameter, and divergences.  Everything
runs in one process; the second fit of a design shows what PyTensor's and numba's caches save.

Run ``make bench`` or ``python benchmarks/nuts.py``.
"""

import platform
import sys
import time
import warnings
from importlib.metadata import version

import numpy as np

import bambi_anova as ba

DESIGNS = {
    "memory (4,100 trials)": (
        "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)",
        "memory",
        "binomial",
    ),
    "memory_grid (164,000 rows)": (
        "error ~ condition * trial_type + Error(participant/trial_type)",
        "memory_grid",
        "bernoulli",
    ),
    "oats (72 plots)": (
        "yield ~ variety * nitrogen + Error(block/variety)",
        "oats",
        "gaussian",
    ),
}


def main() -> None:
    """Print one line a fit."""
    packages = ("bambi", "pymc", "nutpie", "numba", "numpy")
    print(f"{platform.machine()}, Python {sys.version.split()[0]}, ", end="")
    print(", ".join(f"{name} {version(name)}" for name in packages))
    started = time.perf_counter()
    import bambi

    print(f"import bambi {bambi.__version__}: {time.perf_counter() - started:.1f} s\n")
    print(f"{'design':<28}{'read':>7}{'build':>7}{'compile':>9}{'sample':>8}", end="")
    print(f"{'bulk':>7}{'tail':>7}{'div':>5}")
    for name, (formula, data_name, family) in DESIGNS.items():
        data = ba.load_data(data_name)
        for repeat in ("", " again"):
            print(f"{name + repeat:<28}" + measure(formula, data, family), flush=True)


def measure(formula: str, data, family: str) -> str:
    """Fit once and return the line's numbers."""
    started = time.perf_counter()
    model = ba.Model(formula, data, family=family)
    read = time.perf_counter() - started
    started = time.perf_counter()
    _ = model.bambi_model
    build = time.perf_counter() - started
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ba.errors.ConvergenceWarning)
        result = model.fit(random_seed=1, progressbar=False)
    sampling = result.sampling.sampling_seconds or np.nan
    compiling = result.sampling.seconds - sampling
    table = result.diagnostics
    bulk, tail = table["ess_bulk"].min(), table["ess_tail"].min()
    times = f"{read:>7.2f}{build:>7.2f}{compiling:>9.1f}{sampling:>8.1f}"
    return times + f"{bulk:>7.0f}{tail:>7.0f}{result.sampling.divergences:>5}"


if __name__ == "__main__":
    main()

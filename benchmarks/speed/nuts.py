"""Full NUTS three ways: on our own density, on the Bambi model, on Kruschke's literal model.

Prints, for each shipped design: seconds of the whole fit and of sampling alone, the smallest
bulk and tail effective sample size of any reported quantity (``Result.trust``), effective draws a
second, and divergences; then what starting from a quick fit saves.  Everything runs in one
process; the first line pays for compiling the kernel if its cache is empty (``--cold`` empties
it), Bambi's way compiles for every model.

Run ``make bench`` or ``python benchmarks/speed/nuts.py``.
"""

import argparse
import time
import warnings
from pathlib import Path

import bambi_anova as ba
from benchmarks.reporting import machine

DESIGNS = {
    "memory": (
        "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)",
        "binomial",
    ),
    "oats": ("yield ~ variety * nitrogen + Error(block/variety)", "gaussian"),
}
WAYS = {
    "our density": ("nuts", "identified"),
    "Bambi's way": ("nutpie", "identified"),
    "literal model": ("nutpie", "overparameterized"),
}


def main() -> None:
    """Print one line a fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cold", action="store_true", help="empty the kernel's cache first")
    options = parser.parse_args()
    print(machine())
    if options.cold:
        empty_cache()
    import_everything()
    warnings.simplefilter("ignore", ba.errors.AnovaWarning)
    print(f"{'design':<8}{'way':<15}{'fit s':>7}{'sample s':>10}{'bulk':>7}{'tail':>7}", end="")
    print(f"{'ESS/s':>8}{'div':>5}")
    for name in DESIGNS:
        for repeat in ("", " again"):
            print(f"{name:<8}{'our density' + repeat:<15}" + measure(name, "our density"))
        for way in ("Bambi's way", "literal model"):
            print(f"{name:<8}{way:<15}" + measure(name, way), flush=True)
    print("\nstarted from a quick fit (tuning 1,000 steps unless it says otherwise)")
    for name in DESIGNS:
        print_promotion(name)


def import_everything() -> None:
    """Import what the fits load late, so that no line pays for it."""
    started = time.perf_counter()
    import bambi
    import nutpie
    import xarray

    names = ", ".join(module.__name__ for module in (bambi, nutpie, xarray))
    print(f"imports ({names} and what they need): {time.perf_counter() - started:.1f} s\n")


def empty_cache() -> None:
    """Remove what numba kept of the kernel."""
    for path in (Path(ba.__file__).parent / "engine" / "nuts" / "__pycache__").glob("entry.*.nb*"):
        path.unlink()


def make_model(name: str, parameterization: str = "identified") -> ba.Model:
    """Build the model of one shipped data set."""
    formula, family = DESIGNS[name]
    data = ba.load_data(name)
    return ba.Model(formula, data, family=family, parameterization=parameterization)


def measure(name: str, way: str) -> str:
    """Fit once and return the line's numbers."""
    method, parameterization = WAYS[way]
    model = make_model(name, parameterization)
    started = time.perf_counter()
    result = model.fit(method, random_seed=1, progressbar=False)
    seconds = time.perf_counter() - started
    trust = result.trust()
    bulk, tail = trust["ess_bulk"].min(), trust["ess_tail"].min()
    line = f"{seconds:>7.1f}{result.sampling.sampling_seconds:>10.1f}{bulk:>7.0f}{tail:>7.0f}"
    return line + f"{min(bulk, tail) / seconds:>8.0f}{result.sampling.divergences:>5}"


def print_promotion(name: str) -> None:
    """Compare NUTS by itself with NUTS started from a quick fit, by tuning steps."""
    model = make_model(name)
    started = time.perf_counter()
    quick = model.fit("laplace", random_seed=1, progressbar=False)
    print(f"{name}: laplace {time.perf_counter() - started:.2f} s, {quick.verdict}")
    for label, init, tune in (
        ("by itself", None, 1000),
        ("by itself", None, 300),
        ("started", quick, 1000),
        ("started", quick, 300),
    ):
        started = time.perf_counter()
        full = model.fit(random_seed=1, progressbar=False, init=init, tune=tune)
        seconds = time.perf_counter() - started
        steps = full.idata["posterior"].attrs["tuning_leapfrog_steps"]
        trust = full.trust()
        least = min(trust["ess_bulk"].min(), trust["ess_tail"].min())
        print(
            f"  {label:<10} tune {tune:>5}: {seconds:5.2f} s, {steps:>7} tuning leapfrog steps, "
            f"least ESS {least:.0f}, {least / seconds:.0f} a second, "
            f"{full.sampling.divergences} divergences"
        )


if __name__ == "__main__":
    main()

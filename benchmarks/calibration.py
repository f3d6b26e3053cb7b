"""Simulation-based calibration of the quick fits (Talts et al. 2018, arXiv:1804.06788).

Parameters are drawn from priors, data from the parameters, and the fit of the data ranks each
true parameter among its draws.  If the fit is right all ranks are equally likely, for parameters
and for functions of parameters and data such as the log-likelihood (Modrák et al. 2023,
doi:10.1214/23-BA1404).  The ranks' empirical distribution function is judged by an envelope that
95% of uniform samples stay inside everywhere (Säilynoja, Bürkner & Vehtari 2022,
doi:10.1007/s11222-022-10090-6).  About one quantity in twenty is outside by chance; a fit is
called miscalibrated where one is outside an envelope that holds for all of them together, or
where the intervals of all quantities cover too much or too little.

Run ``python benchmarks/calibration.py``; see ``--help``.

Letters: S simulations, K quantities, L draws that a rank is taken among, N draws of a fit.
"""

import argparse
import os
import platform
import sys
import time
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from itertools import product
from pathlib import Path

import bambi as bmb
import numpy as np
import pandas as pd
from scipy import special, stats
from trust_corpus import PACKAGES, markdown

import bambi_anova as ba
from bambi_anova.estimates.effects import zero_sum_basis
from bambi_anova.result import Result

Array = np.ndarray

#: L; ranks are 0 to 99, so that the middle 50 and 90 of them are intervals of 50% and 90%.
DRAWS = 99
LEVEL = 0.95
#: The negative control multiplies the sds of all draws by this.
SQUEEZE = 0.7
#: Standard errors that the coverage of all quantities together may be off.
MOST_ERRORS = 3.5
#: Samples of uniform ranks that set the envelope.
NULL_SAMPLES = 20_000
UNITS = 16


def normal(mu: float, sigma: float) -> bmb.Prior:
    """Write a normal prior."""
    return bmb.Prior("Normal", mu=mu, sigma=sigma)


def half_normal(sigma: float) -> bmb.Prior:
    """Write a half-normal prior."""
    return bmb.Prior("HalfNormal", sigma=sigma)


def gamma(alpha: float, beta: float) -> bmb.Prior:
    """Write a gamma prior by shape and rate."""
    return bmb.Prior("Gamma", alpha=alpha, beta=beta)


SAMPLERS = {
    "Normal": lambda rng, mu, sigma: rng.normal(mu, sigma),
    "HalfNormal": lambda rng, sigma: abs(rng.normal(0, sigma)),
    "Gamma": lambda rng, alpha, beta: rng.gamma(alpha, 1 / beta),
}


@dataclass(frozen=True)
class SplitPlot:
    """Sixteen units, half of them at each level of A, in every level of B.

    Attributes
    ----------
    name, formula, family : str
    within : int
        Levels of B.
    copies : int
        Rows of a unit in each of its cells.
    units : tuple of str
        Unit terms, "s" or "s:B".
    priors : dict of str to bambi.Prior
        Of every parameter; Kruschke's own look at the data, which a true prior cannot, and are
        so wide that most data drawn from them would be all zeros or all ones.
    """

    name: str
    formula: str
    family: str
    within: int
    copies: int
    units: tuple[str, ...]
    priors: Mapping[str, bmb.Prior]

    @property
    def levels(self) -> dict[str, list[str]]:
        """Levels of the factors and the unit, in order."""
        numbers = {"A": ("a{}", 2), "B": ("b{}", self.within), "s": ("s{:02d}", UNITS)}
        return {
            name: [text.format(level + 1) for level in range(size)]
            for name, (text, size) in numbers.items()
        }

    def labels(self, term: str) -> list[str]:
        """Return the combinations of levels of a factor term or unit term, such as "s01:b1"."""
        return [":".join(names) for names in product(*(self.levels[f] for f in term.split(":")))]

    def rows(self) -> pd.DataFrame:
        """Return the rows without response."""
        rows = product(self.levels["s"], self.levels["B"], range(self.copies))
        frame = pd.DataFrame(rows, columns=["s", "B", "copy"])
        group = frame["s"].map(dict(zip(self.levels["s"], self.groups, strict=True)))
        frame.insert(0, "A", np.array(self.levels["A"])[group])
        return frame

    @property
    def groups(self) -> Array:
        """Which level of A each unit has, shape (16,)."""
        return np.arange(UNITS) * 2 // UNITS


DESIGNS = {
    "binomial": SplitPlot(
        "binomial",
        "p(k, n) ~ A * B + Error(s/B)",
        "binomial",
        within=2,
        copies=1,
        units=("s", "s:B"),
        priors={
            "Intercept": normal(-1, 0.8),
            "A": half_normal(0.8),
            "B": gamma(2, 4),
            "A:B": half_normal(0.5),
            "s": gamma(2, 3),
            "s:B": half_normal(0.5),
        },
    ),
    "gaussian": SplitPlot(
        "gaussian",
        "y ~ A * B + Error(s)",
        "gaussian",
        within=3,
        copies=2,
        units=("s",),
        priors={
            "Intercept": normal(5, 2),
            "A": gamma(2, 2),
            "B": half_normal(1),
            "A:B": half_normal(0.7),
            "s": half_normal(1),
            "sigma": gamma(4, 4),
        },
    ),
}


@dataclass(frozen=True)
class Calibration:
    """Ranks of the true values.

    Attributes
    ----------
    design : SplitPlot
    ranks, broken : pandas.DataFrame, shape (S, K)
        Of the fits as they are, and with all draws squeezed together.
    redrawn : int
        Data sets that were drawn again, because no model is fitted to a constant response.
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
                    design.formula, frame, family=design.family, priors=dict(design.priors)
                )
        except ba.errors.DataError as error:
            if "constant" not in str(error):
                raise
            continue
        return model, frame, truth, refused
    raise SystemExit(f"{design.name}: the priors hardly ever make data that vary")


def simulate(design: SplitPlot, rng) -> tuple[pd.DataFrame, dict[str, Array]]:
    """Draw parameters from the priors and data from the parameters.

    Returns
    -------
    pandas.DataFrame
        The rows.
    dict of str to ndarray
        Under "sd ...", "Intercept" and perhaps "sigma" arrays of shape (1,); under the terms and
        unit terms their effects, shape (1, levels); under "super" and "finite" the cell means,
        shape (1, 2, levels of B).
    """
    levels = {name: len(names) for name, names in design.levels.items()}
    drawn = {name: SAMPLERS[prior.name](rng, **prior.args) for name, prior in design.priors.items()}
    truth = {}
    for name, value in drawn.items():
        plain = name in ("Intercept", "sigma")
        truth[name if plain else f"sd {name}"] = np.array([value])
    for term in ("A", "B", "A:B"):
        basis = zero_sum_basis(*(levels[name] for name in term.split(":")))
        truth[term] = (basis @ rng.normal(0, drawn[term], basis.shape[1]))[None]
    for unit in design.units:
        truth[unit] = rng.normal(0, drawn[unit], (1, len(design.labels(unit))))
    interaction = truth["A:B"].reshape(1, levels["A"], levels["B"])
    main_effects = truth["A"][:, :, None] + truth["B"][:, None, :]
    truth["super"] = drawn["Intercept"] + main_effects + interaction
    truth["finite"] = truth["super"] + group_means(design, truth)
    frame = design.rows()
    eta = predictor(design, frame, truth)[0]
    if design.family == "binomial":
        frame["n"] = rng.integers(5, 21, len(frame))
        frame["k"] = rng.binomial(frame["n"], special.expit(eta))
    else:
        frame["y"] = rng.normal(eta, drawn["sigma"])
    return frame, truth


def group_means(design: SplitPlot, values: Mapping[str, Array]) -> Array:
    """Return the mean effect of the units in each cell, shape (..., 2, levels of B)."""
    effects = sum(values[unit].reshape(-1, UNITS, *sizes(design, unit)) for unit in design.units)
    members = [design.groups == group for group in range(2)]
    return np.stack([effects[:, who].mean(axis=1) for who in members], axis=1)


def sizes(design: SplitPlot, unit: str) -> tuple[int]:
    """Return how many effects a unit has in a unit term, one of which stands for all of B."""
    return (design.within if unit == "s:B" else 1,)


def predictor(design: SplitPlot, frame: pd.DataFrame, values: Mapping[str, Array]) -> Array:
    """Return the linear predictor of the rows, shape (..., rows)."""
    place = {
        name: frame[name].map({level: i for i, level in enumerate(names)}).to_numpy()
        for name, names in design.levels.items()
    }
    eta = values["super"][:, place["A"], place["B"]]
    for unit in design.units:
        (width,) = sizes(design, unit)
        eta = eta + values[unit][:, place["s"] * width + (place["B"] if width > 1 else 0)]
    return eta


def fitted(design: SplitPlot, result: Result) -> dict[str, Array]:
    """Return the draws of what ``simulate`` returns, by their labels; shapes (N, ...)."""
    posterior, cells = result.idata["posterior"], result.idata["cells"]
    values = {"Intercept": posterior["Intercept"].to_numpy().ravel()}
    if "sigma" in design.priors:
        values["sigma"] = posterior["sigma"].to_numpy().ravel()
    for term in ("A", "B", "A:B", *design.units):
        labels = {f"{term}__factor_dim": design.labels(term)}
        effects = posterior[f"1|{term}"].sel(labels).to_numpy()
        values[term] = effects.reshape(-1, effects.shape[-1])
        values[f"sd {term}"] = posterior[f"1|{term}_sigma"].to_numpy().ravel()
    grid = {name: design.levels[name] for name in ("A", "B")}
    for population in ("super", "finite"):
        means = cells[population].sel(grid).transpose("chain", "draw", "A", "B").to_numpy()
        values[population] = means.reshape(-1, *means.shape[2:])
    return values


def quantities(
    design: SplitPlot, frame: pd.DataFrame, values: Mapping[str, Array]
) -> dict[str, Array]:
    """Return what is ranked, from true values or from draws; each of shape (1,) or (N,)."""
    scales = [name for name in values if name.startswith("sd ")]
    found = {name: values[name] for name in [*scales, "sigma", "Intercept"] if name in values}
    for term in ("A", "B", "A:B"):
        # The others follow, since deflections sum to zero.
        free = (design.within - 1) if "B" in term else 1
        for level, label in list(enumerate(design.labels(term)))[:free]:
            found[f"deflection {term} {label}"] = values[term][:, level]
    means = values["super"].reshape(len(values["super"]), -1)
    found |= {f"mean {label}": means[:, i] for i, label in enumerate(design.labels("A:B"))}
    finite = values["finite"]
    found["contrast A a1 - a2, finite"] = (finite[:, 0] - finite[:, 1]).mean(axis=1)
    found["contrast B b1 - b2 in a2"] = values["super"][:, 1, 0] - values["super"][:, 1, 1]
    found["contrast B b1 - b2 in a1, finite"] = finite[:, 0, 0] - finite[:, 0, 1]
    for unit in design.units:
        labels = design.labels(unit)
        for place in (0, 1, len(labels) - 1):
            found[f"unit {labels[place]}"] = values[unit][:, place]
    return found | {"log-likelihood": log_likelihood(design, frame, values)}


def log_likelihood(design: SplitPlot, frame: pd.DataFrame, values: Mapping[str, Array]) -> Array:
    """Return the log-likelihood of all rows together, shape (...,)."""
    eta = predictor(design, frame, values)
    if design.family == "binomial":
        k, n = frame["k"].to_numpy(), frame["n"].to_numpy()
        return (k * eta - n * np.logaddexp(0, eta)).sum(axis=-1)
    return stats.norm.logpdf(frame["y"].to_numpy(), eta, values["sigma"][:, None]).sum(axis=-1)


def apart(result: Result, count: int) -> Array:
    """Choose draws of a fit that depend on each other as little as may be, shape (L,).

    Draws that come of one setting of the hyperparameters, and copies of one draw, lie next to each
    other once the draws are sorted by setting.  A step through them takes each setting in
    proportion to its draws, and twice only if it holds more than one draw in L.
    """
    chains, draws = result.draws.sample_shape
    weighting = result.sampling.weighting
    order = np.arange(chains * draws)
    if weighting is not None:
        order = np.argsort(weighting.setting.ravel(), kind="stable")
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


def envelope_p(ranked: Array, draws: int = DRAWS) -> Array:
    """Return the share of uniform samples of ranks that stray at least as far as these.

    Parameters
    ----------
    ranked : ndarray of int, shape (S, K)
        Ranks from 0 to L.
    draws : int
        L.

    Returns
    -------
    ndarray, shape (K,)
        Below 0.05 where the ranks leave the envelope that holds 95% of uniform samples.
    """
    ranked = np.asarray(ranked)
    null = _null(len(ranked), draws)
    below = np.searchsorted(null, _least_tail(ranked.T, draws) * (1 + 1e-9), side="right")
    return (1 + below) / (1 + len(null))


def outside_envelope(ranked: Array, draws: int = DRAWS, level: float = LEVEL) -> Array:
    """Tell which columns of ranks leave the simultaneous envelope, shape (K,)."""
    return envelope_p(ranked, draws) < 1 - level


@lru_cache
def _null(simulations: int, draws: int) -> Array:
    """Return the sorted statistic of many samples of uniform ranks."""
    rng = np.random.default_rng(0)
    pieces = [
        _least_tail(rng.integers(0, draws + 1, (1000, simulations)), draws)
        for _ in range(NULL_SAMPLES // 1000)
    ]
    return np.sort(np.concatenate(pieces))


def _least_tail(samples: Array, draws: int) -> Array:
    """Return the least two-sided binomial tail of each sample's ECDF, over all its steps.

    Under uniform ranks the number of ranks below i is binomial with probability i / (L + 1).
    """
    simulations = samples.shape[1]
    shifted = samples + (draws + 1) * np.arange(len(samples))[:, None]
    histogram = np.bincount(shifted.ravel(), minlength=len(samples) * (draws + 1))
    below = histogram.reshape(len(samples), -1).cumsum(axis=1)[:, :-1]
    return _tails(simulations, draws)[np.arange(draws), below].min(axis=1)


@lru_cache
def _tails(simulations: int, draws: int) -> Array:
    """Return two-sided tails of each step's count, shape (L, S + 1)."""
    chance = np.arange(1, draws + 1)[:, None] / (draws + 1)
    count = np.arange(simulations + 1)
    lower = stats.binom.cdf(count, simulations, chance)
    upper = stats.binom.sf(count - 1, simulations, chance)
    return 2 * np.minimum(lower, upper)


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
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    said = complaints(found, options.broken)
    control = complaints(found, broken=True)
    verdict = [f"- {line}" for line in said] or ["Calibrated: nothing found."]
    judged = f" with the sds of all draws multiplied by {SQUEEZE:g}" if options.broken else ""
    parts = [
        "# Simulation-based calibration",
        f'`fit("{options.method}")`{judged}, {options.simulations} simulations a design, seed '
        f"{options.seed}; made by `benchmarks/calibration.py`.",
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"{versions}.",
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
            f"## {one.design.name.capitalize()}",
            f"`{one.design.formula}`, {UNITS} units; priors "
            + ", ".join(f"{name} ~ {prior}" for name, prior in one.design.priors.items())
            + ".",
            f"{outside} of {ranked.shape[1]} quantities outside their envelopes. "
            + " ".join(lines)
            + f" {one.redrawn} data sets drawn again for a constant response; {one.untrusted} of "
            f"{len(ranked)} fits not trusted (they count all the same); {one.seconds:.2f} s a fit.",
            markdown(table(ranked)),
        ]
    )


if __name__ == "__main__":
    main()

"""Fit by two checkouts of the package: are the draws the same bit for bit, and the seconds.

Every design is fitted by both checkouts with the same seed, through the public interface alone:
``Model``, ``fit``, the draws in ``Result.idata``, and the tables of means, contrasts, deflections,
ANOVA and trust.  Each checkout has a process of its own, both wait for each other, and they take
turns in going first, so that the ratio of their seconds is that of one run on one machine.

Designs are those of ``corpus`` and some here: every family with every link, covariates, slopes
that vary, crossed units, offsets, both parameterizations, rows that are not collapsed, and what
quick fits refuse.  By default the largest are left out, Pathfinder and ADVI share those of the
corpus between them, and NUTS takes a few; ``--designs '*'`` takes all for every method.

``--cache DIR`` keeps what the old checkout made on this machine, by its commit, the data and the
versions of packages; seconds from there are not of this run.  The new one is always fitted.
``--seed-shift 1`` gives the new one another seed: nothing that is drawn must be the same then.

Run ``python benchmarks/speed/same_draws.py OLD NEW``; see ``--help``.
Exits with 1 on any difference.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import importlib
import json
import os
import pickle
import platform
import re
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

Array = np.ndarray

QUICK = ("laplace", "pathfinder", "advi")
#: NUTS that starts from a Laplace fit has no name of its own in the package.
STARTED = "started"
METHODS = (*QUICK, "nuts")
KNOWN = (*METHODS, STARTED, "auto", "nutpie")
DRAWS, CHAINS, SEED = 250, 4, 1
#: Processes whose imports are timed, a checkout; bytecode is compiled in one more before.
IMPORTS = 5
POPULATIONS, SCALES = ("super", "finite"), ("link", "response")
PACKAGES = ("bambi", "pymc", "pytensor", "nutpie", "numba", "numpy", "scipy", "pandas")
#: Seconds each; left out by default, because smaller designs run the same code.
LARGE = (
    "* crossed 60x24",
    "* 400 *units*",
    "* 100 units*",
    "* 3 factors",
    "gaussian within",
    "poisson within",
)
#: The designs of this script.
OWN = ("memory", "oats", "family *", "variant *", "bambi prior")
#: What NUTS is run on by default.  It compiles something for "family beta probit" and "bambi prior"
#: alone, some 15 s each.
SAMPLED = (
    *OWN,
    "gaussian 4 units",
    "gaussian no units, unequal",
    "bernoulli probit",
    "binomial plots in blocks",
    "poisson cell of zeros",
)
#: One of two that are compiled in the same way.
NOT_SAMPLED = ("family beta cloglog",)
#: Groups of ``Result.idata`` that hold draws; the others are compared, but have no column.
DRAWN = ("posterior", "cells")
#: What is compared, by the names under which it is stored.
PARTS = {
    "draws": "draws/posterior/",
    "cells": "draws/cells/",
    "others": "others/",
    "tables": "tables/",
}
SAME = ("identical", "refused alike")
#: The posterior and the warnings are the same, but something that follows from them is not.
NEARLY = "same draws"
COLUMNS = ["design", "method", "draws", "cells", "tables", "worst in", "shift", "warnings"]
COLUMNS += ["old", "new", "verdict"]
#: Differences that a report lists.
MOST_NOTES = 60
CASES, LISTED = "cases.pickle", "cases.json"
#: Timed by itself, in a process that has imported nothing else.
IMPORT_CODE = """
import time
started = time.perf_counter()
import bambi_anova
imported = time.perf_counter()
oats = bambi_anova.load_data("oats")
bambi_anova.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
print(imported - started, time.perf_counter() - started, bambi_anova.__file__)
"""


@dataclass(frozen=True)
class Case:
    """What ``Model`` is called with."""

    formula: str
    data: pd.DataFrame
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Return a text that differs if any of it does, on any day and in any process."""
        # Text columns hash by content, but Python's objects would not.
        values = pd.util.hash_pandas_object(self.data, index=True).to_numpy()
        parts = [self.formula, str(self.data.dtypes.to_dict())]
        parts += [f"{name}={value}" for name, value in sorted(self.arguments.items())]
        return hashlib.sha256("\n".join(parts).encode() + values.tobytes()).hexdigest()


def main() -> None:
    """Fit, compare and print."""
    options = read_options()
    if options.task:
        TASKS[options.task](**json.loads(options.worker))
        return
    # Late, because other processes of this script have the benchmarks of another checkout.
    from benchmarks.reporting import machine

    ran_on = machine("pandas")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        list_cases((options.new, options.old), folder)
        old = Checkout("old", options.old, folder, options, SEED, options.cache)
        new = Checkout("new", options.new, folder, options, SEED + options.seed_shift)
        imports = time_imports(old, new)
        rows, notes = compare_all(old, new, chosen(folder, options))
    text = report(ran_on, old, new, imports, pd.DataFrame(rows, columns=COLUMNS), notes)
    print(text)
    if options.report:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(text)
    sys.exit(any(row["verdict"] not in SAME for row in rows))


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, nargs="?", help="folder of a checkout")
    parser.add_argument("new", type=Path, nargs="?", help="folder of another, or of the same")
    parser.add_argument("--methods", nargs="+", choices=KNOWN, default=METHODS)
    parser.add_argument(
        "--designs", nargs="+", metavar="NAME", help="names, or patterns such as 'family *'"
    )
    parser.add_argument("--draws", type=int, default=DRAWS, help=f"a chain; {DRAWS}")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write it as Markdown")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep what the old one made")
    parser.add_argument("--seed-shift", type=int, default=0, help="of the new one, to see it fail")
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    parser.add_argument("--worker", metavar="JSON", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.task:
        for path in (options.old, options.new):
            if path is None or not (path / "bambi_anova").is_dir():
                parser.error(f"expected two checkouts of the package, found {path}")
    return options


def list_cases(checkouts: tuple[Path, ...], folder: Path) -> None:
    """Let the first checkout that can, in a process of its own, write all designs for both."""
    for checkout in checkouts:
        job = {"folder": str(folder), "benchmarks": str(checkout.resolve() / "benchmarks")}
        done = subprocess.run(command("cases", job), env=environment(checkout), cwd=folder)
        if done.returncode == 0:
            return
    raise SystemExit("no checkout has a corpus of designs that can be imported")


def write_cases(folder: str, benchmarks: str) -> None:
    """Write what ``Model`` is to be called with, and the names with their fingerprints."""
    # Python searches the folder of this script first, whose corpus may need another package.
    sys.path.remove(str(Path(__file__).resolve().parent))
    corpus = next(corpora(Path(benchmarks)), None)
    if corpus is None:
        raise SystemExit(f"no corpus of designs below {benchmarks}")
    cases = own_cases() | corpus
    (Path(folder) / CASES).write_bytes(pickle.dumps(cases))
    listed = {name: case.fingerprint() for name, case in cases.items()}
    (Path(folder) / LISTED).write_text(json.dumps(listed))


def corpora(place: Path) -> Iterator[dict[str, Case]]:
    """Yield the designs of every module that defines a corpus, wherever it lies by now."""
    sys.path[:0] = [str(place), str(place.parent)]
    paths = [path.relative_to(place) for path in place.rglob("*.py")]
    for path in sorted(paths, key=lambda path: ("corpus" not in str(path), path)):
        if not re.search(r"^DESIGNS\b.*=", (place / path).read_text(), re.MULTILINE):
            continue
        parts = path.with_suffix("").parts
        try:
            module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
        except ImportError as error:
            print(f"{place / path}: {error}", file=sys.stderr)
            continue
        if all(hasattr(design, "layout") for design in module.DESIGNS.values()):
            yield {name: corpus_case(design) for name, design in module.DESIGNS.items()}


def corpus_case(design: Any) -> Case:
    """Convert a design of the corpus."""
    arguments = {"family": design.family, "link": design.link, "priors": dict(design.priors)}
    return Case(design.formula, design.data(), arguments)


#: The left-hand side of each family's formula.
RESPONSES = {
    "gaussian": "real",
    "t": "heavy",
    "bernoulli": "binary",
    "binomial": "p(k, n)",
    "poisson": "count",
    "negativebinomial": "spread",
    "gamma": "positive",
    "beta": "part",
    "betabinomial": "p(scattered, n)",
    "betabinomial_mode": "p(scattered, n)",
}
BINARY_LINKS = ("logit", "probit", "cloglog")
LINKS = {
    "gaussian": ("identity",),
    "t": ("identity",),
    "bernoulli": BINARY_LINKS,
    "binomial": BINARY_LINKS,
    "poisson": ("log",),
    "negativebinomial": ("log",),
    "gamma": ("log",),
    "beta": BINARY_LINKS,
    "betabinomial": BINARY_LINKS,
    "betabinomial_mode": BINARY_LINKS,
}
#: Family, right-hand side and arguments.
VARIANTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "covariates": ("gaussian", "A * B + age + dose + Error(s/B)", {}),
    "covariate by factor": ("binomial", "A * B + age + A:age + Error(s)", {}),
    "scaled covariate": ("poisson", "A * B + scale(age) + Error(s/B)", {}),
    "slopes gaussian": ("gaussian", "A + dose + Error(s) + (dose|s)", {}),
    "slopes binomial": ("binomial", "A + dose + Error(s) + (dose|s)", {}),
    "slopes t": ("t", "A + dose + Error(s) + (dose|s)", {}),
    "crossed binomial": ("binomial", "A * B + (1|s) + (1|item)", {}),
    "crossed gamma": ("gamma", "A * B + (1|s) + (1|item)", {}),
    "crossed with slopes": ("gaussian", "A * B + dose + (1|s) + (1|item) + (dose|item)", {}),
    "offset poisson": ("poisson", "A * B + offset(log(hours)) + Error(s/B)", {}),
    "offset negativebinomial": ("negativebinomial", "A * B + offset(log(hours)) + Error(s)", {}),
    "no units t": ("t", "A * B", {}),
    "intercept alone": ("gaussian", "1 + Error(s)", {}),
    "numeric factor": ("gaussian", "A * day + Error(s)", {"categorical": "day"}),
    "missing values": ("gaussian", "A * B + gaps + Error(s)", {"dropna": True}),
    **{
        f"literal {family}": (
            family,
            "A * B + Error(s/B)",
            {"parameterization": "overparameterized"},
        )
        for family in ("gaussian", "binomial", "poisson")
    },
    **{
        f"all rows {family}": (family, "A * B + Error(s/B)", {"collapse": False})
        for family in ("gaussian", "bernoulli", "binomial", "poisson", "betabinomial")
    },
}


def own_cases() -> dict[str, Case]:
    """Return small designs that the corpus lacks, and the data sets of the package."""
    import bambi as bmb

    frame = simulated()
    cases = shipped()
    for family, links in LINKS.items():
        for link in links:
            formula = f"{RESPONSES[family]} ~ A * B + Error(s/B)"
            cases[f"family {family} {link}"] = Case(
                formula, frame, {"family": family, "link": link}
            )
    for name, (family, right, arguments) in VARIANTS.items():
        formula = f"{RESPONSES[family]} ~ {right}"
        cases[f"variant {name}"] = Case(formula, frame, {"family": family, **arguments})
    priors = {"s": bmb.Prior("HalfCauchy", beta=1), "sigma": bmb.Prior("Exponential", lam=1)}
    unusual = {"priors": {"Intercept": bmb.Prior("StudentT", nu=4, mu=0, sigma=3)}}
    cases |= {
        "variant answers in words": Case(
            "answer['yes'] ~ A * B + Error(s)", frame, {"family": "bernoulli"}
        ),
        "variant log response": Case("log(positive) ~ A * B + Error(s/B)", frame),
        "variant other priors": Case("real ~ A * B + Error(s)", frame, {"priors": priors}),
        # Quick fits refuse it, and NUTS has to go through Bambi.
        "bambi prior": Case("real ~ A * B + Error(s)", frame, unusual),
    }
    return cases


def shipped() -> dict[str, Case]:
    """Return the data sets that come with the package."""
    import bambi_anova as ba

    memory = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
    oats = "yield ~ variety * nitrogen + Error(block/variety)"
    return {
        "memory": Case(memory, ba.load_data("memory"), {"family": "binomial"}),
        "oats": Case(oats, ba.load_data("oats")),
    }


def simulated() -> pd.DataFrame:
    """Simulate 12 units of two groups who see 4 items in two conditions; a response a family."""
    rng = np.random.default_rng(zlib.crc32(b"same draws"))
    units, items = 12, 4
    s, b, item = (part.ravel() for part in np.indices((units, 2, items)))
    a, size = s % 2, len(s)
    age, dose = rng.normal(40, 10, units).round()[s], rng.uniform(0, 4, size).round(2)
    eta = 0.5 * a - 0.3 * b + 0.02 * (age - 40) + 0.2 * (dose - 2)
    eta += rng.normal(0, 0.5, units)[s] + rng.normal(0, 0.2, (units, 2))[s, b]
    eta += rng.normal(0, 0.3, items)[item]
    frame = pd.DataFrame(
        {
            "s": [f"s{number:02d}" for number in s],
            "item": [f"i{number}" for number in item],
            "A": np.array(["a1", "a2"])[a],
            "B": np.array(["b1", "b2"])[b],
            "day": 1 + b,
            "age": age,
            "dose": dose,
            "gaps": np.where(np.arange(size) % 17 == 5, np.nan, dose),
            "hours": rng.uniform(0.5, 8, size).round(1),
        }
    )
    return frame.assign(**responses(eta, rng))


def responses(eta: Array, rng: np.random.Generator) -> dict[str, Array]:
    """Simulate a response for every family from one linear predictor."""
    rate, mean = np.exp(1 + eta), 1 / (1 + np.exp(-eta))
    theta = np.clip(rng.beta(8 * mean, 8 * (1 - mean)), 0.01, 0.99)
    n = rng.integers(5, 16, len(eta))
    binary = rng.binomial(1, mean)
    return {
        "real": rng.normal(eta, 1),
        "heavy": eta + rng.standard_t(3, len(eta)),
        "binary": binary,
        "answer": np.array(["no", "yes"])[binary],
        "n": n,
        "k": rng.binomial(n, mean),
        "scattered": rng.binomial(n, theta),
        "count": rng.poisson(rate),
        "spread": rng.negative_binomial(3, 3 / (3 + rate)),
        "positive": rng.gamma(4, rate / 4),
        "part": theta,
    }


def chosen(folder: Path, options: argparse.Namespace) -> list[tuple[str, str, str]]:
    """Return design, method and the design's fingerprint of every fit."""
    listed = json.loads((folder / LISTED).read_text())
    if options.designs:
        names = [name for name in listed if matches(name, options.designs)]
        for pattern in options.designs:
            if not fnmatch.filter(names, pattern):
                raise SystemExit(f"no such design: {pattern}\nknown: {', '.join(listed)}")
        return [(name, method, listed[name]) for name in names for method in options.methods]
    return [
        (name, method, listed[name])
        for name, method in product(listed, options.methods)
        if by_default(name, method)
    ]


def by_default(name: str, method: str) -> bool:
    """Say whether a design is fitted by a method if nothing else is asked for."""
    if method in QUICK:
        turn = QUICK[1 + zlib.crc32(name.encode()) % 2]
        return not matches(name, LARGE) and (matches(name, OWN) or method in (QUICK[0], turn))
    return matches(name, SAMPLED) and not matches(name, NOT_SAMPLED)


def matches(name: str, patterns: tuple[str, ...] | list[str]) -> bool:
    """Say whether any pattern fits a name."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def command(task: str, job: Mapping[str, Any]) -> list[str]:
    """Return the command that does a task in a process of its own."""
    script = str(Path(__file__).resolve())
    return [sys.executable, script, "--task", task, "--worker", json.dumps(job)]


def environment(checkout: Path) -> dict[str, str]:
    """Return the environment in which the package is that of a checkout.

    What PyTensor compiles for Bambi's samplers must be compiled anew each time: machine code that
    it kept on disk rounds differently from the same code compiled in the process, so that equal
    seeds part after some hundred steps.
    """
    flags = [os.environ.get("PYTENSOR_FLAGS", ""), "numba__cache=False"]
    changes = {"PYTENSOR_FLAGS": ",".join(filter(None, flags))}
    return os.environ | changes | {"PYTHONPATH": str(checkout.resolve())}


@dataclass
class Checkout:
    """A checkout, the process that fits with it, and where its fits are kept.

    The process starts with the first fit that is not in the cache.
    """

    label: str
    path: Path
    folder: Path
    options: argparse.Namespace
    seed: int
    cache: Path | None = None
    process: subprocess.Popen | None = None
    cached: int = 0

    def __post_init__(self) -> None:
        """Find the commit, and do without a cache where that does not say what the code is."""
        self.commit = git(self.path, "rev-parse", "--short=12", "HEAD")
        self.changed = not self.commit or bool(
            git(self.path, "status", "--porcelain", "--", "bambi_anova")
        )
        if self.changed and self.cache:
            print(f"{self.path} has changes, so nothing of it is kept", file=sys.stderr)
            self.cache = None

    def __str__(self) -> str:
        changes = " with changes" if self.changed else ""
        return f"{self.label} {self.commit or 'without a commit'}{changes}, seed {self.seed}"

    def fit(self, design: str, method: str, fingerprint: str) -> Stored | None:
        """Return a fit, from the cache if it is there, or nothing if the process broke down."""
        path = self._path(design, method, fingerprint)
        if self.cache and path.exists():
            self.cached += 1
            return Stored.read(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        job = {"design": design, "method": method, "seed": self.seed, "file": str(path)}
        answered = self._ask(job | {"draws": self.options.draws})
        stored = Stored.read(path) if answered else None
        if not self.cache:
            path.unlink(missing_ok=True)
        return stored

    def _path(self, design: str, method: str, fingerprint: str) -> Path:
        about = [design, method, fingerprint, self.seed, self.options.draws, CHAINS]
        about += [platform.platform(), os.cpu_count(), sys.version]
        about += [f"{name} {version(name)}" for name in PACKAGES]
        key = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:24]
        folder = self.cache.resolve() / self.commit if self.cache else self.folder / self.label
        return folder / f"{key}.npz"

    def _ask(self, job: Mapping[str, Any]) -> bool:
        if self.process is None:
            self._start()
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
            answered = bool(self.process.stdout.readline())
        except BrokenPipeError:
            answered = False
        if not answered:
            print(f"{self}: ended with {self.process.wait()}", file=sys.stderr, flush=True)
            self.process = None
        return answered

    def _start(self) -> None:
        job = {"folder": str(self.folder), "checkout": str(self.path.resolve())}
        self.process = subprocess.Popen(
            command("fits", job | {"methods": list(self.options.methods)}),
            env=environment(self.path),
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """Let the process end."""
        if self.process is not None:
            self.process.communicate()


def git(path: Path, *arguments: str) -> str:
    """Return what git says of a checkout, or nothing where there is no git."""
    try:
        done = subprocess.run(["git", "-C", str(path), *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def time_imports(old: Checkout, new: Checkout) -> pd.DataFrame:
    """Time imports in fresh processes, the checkouts in turn."""
    times: dict[str, list[list[float]]] = {"old": [], "new": []}
    for _ in range(1 + IMPORTS):
        for checkout in (old, new):
            times[checkout.label].append(time_import(checkout))
    before, after = (np.median(times[label][1:], axis=0) for label in ("old", "new"))
    names = ("import bambi_anova", "import and a first Model()")
    rows = zip(names, before, after, after / before, strict=True)
    return pd.DataFrame([timing(*row) for row in rows])


def time_import(checkout: Checkout) -> list[float]:
    """Return the seconds of the import, and of it with the first model."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IMPORT_CODE],
        env=environment(checkout.path),
        cwd=checkout.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    imported, modelled, origin = done.stdout.split(maxsplit=2)
    check_origin(origin.strip(), str(checkout.path.resolve()))
    return [float(imported), float(modelled)]


def check_origin(file: str, checkout: str) -> None:
    """Stop if the package is not that of the checkout, which would be compared with itself."""
    if not Path(file).resolve().is_relative_to(checkout):
        raise SystemExit(f"expected the package of {checkout}, got {file}")


def fit_on_demand(folder: str, checkout: str, methods: list[str]) -> None:
    """Fit what standard input asks for, a line a fit, and answer when each is stored."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not be taken for an answer
    import bambi_anova as ba

    check_origin(str(ba.__file__), checkout)
    cases: dict[str, Case] = pickle.loads((Path(folder) / CASES).read_bytes())
    warm_up(cases, methods)
    for line in sys.stdin:
        job = json.loads(line)
        file = Path(job.pop("file"))
        arrays, about = run(cases[job.pop("design")], **job)
        # Not by its name till it is whole: the run may be stopped, and the cache stays.
        partial = file.with_suffix(".part")
        with partial.open("wb") as stream:
            np.savez(stream, about=json.dumps(about), **arrays)
        partial.replace(file)
        print("stored", file=answers, flush=True)


def warm_up(cases: Mapping[str, Case], methods: list[str]) -> None:
    """Import what fits load late, and let NUTS compile or load its kernel."""
    for module in ("bambi", "pymc", "nutpie", "arviz_stats"):
        importlib.import_module(module)
    for name, method in product(("family gaussian identity", "family binomial logit"), methods):
        if method != "nutpie":
            run(cases[name], method, seed=0, draws=50)


def run(case: Case, method: str, seed: int, draws: int) -> tuple[dict[str, Array], dict[str, Any]]:
    """Fit, and return all numbers of the result by name, and what else there is to say of it.

    Returns
    -------
    arrays : dict of str to ndarray
        ``draws/GROUP/VARIABLE``, ``others/GROUP/VARIABLE`` and ``tables/TABLE/COLUMN``.
    about : dict
        ``outcome`` ("fitted", "refused" or "failed") and ``message``; ``warnings`` as text;
        ``seconds`` of ``model``, ``fit`` and ``tables``, as far as it came.
    """
    import bambi_anova as ba

    arrays: dict[str, Array] = {}
    about: dict[str, Any] = {"outcome": "fitted", "message": ""}
    marks = [time.perf_counter()]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = ba.Model(case.formula, case.data, **case.arguments)
            marks.append(time.perf_counter())
            result = fit(model, method, seed, draws)
            marks.append(time.perf_counter())
            arrays |= tables_of(result)
            marks.append(time.perf_counter())
            arrays |= draws_of(result)
        except ba.errors.AnovaError as error:
            about |= {"outcome": "refused", "message": f"{type(error).__name__}: {error}"}
        except Exception:
            about |= {"outcome": "failed", "message": traceback.format_exc(limit=-3)}
    about["warnings"] = [f"{found.category.__name__}: {found.message}" for found in caught]
    marks += [time.perf_counter()] * (2 if len(marks) == 1 else 1)
    about["seconds"] = dict(zip(("model", "fit", "tables"), np.diff(marks).tolist(), strict=False))
    return arrays, about


def fit(model: Any, method: str, seed: int, draws: int) -> Any:
    """Fit by a method of the package, or by NUTS started from a quick fit."""
    settings = {"draws": draws, "chains": CHAINS, "random_seed": seed, "progressbar": False}
    if method != STARTED:
        return model.fit(method, **settings)
    return model.fit("nuts", init=model.fit("laplace", **settings), **settings)


def draws_of(result: Any) -> dict[str, Array]:
    """Return all variables of all groups of the draws."""
    arrays = {}
    for group, tree in result.idata.children.items():
        for name, variable in tree.to_dataset().data_vars.items():
            key = f"{'draws' if group in DRAWN else 'others'}/{group}/{name}"
            arrays[key] = plain(variable.to_numpy())
    return arrays


def tables_of(result: Any) -> dict[str, Array]:
    """Return the columns of the tables that a user would look at, and the verdict."""
    makers: dict[str, Callable[[], pd.DataFrame]] = {
        "anova": result.anova,
        "deflections": result.deflections,
        "trust": result.trust,
        "verdict": lambda: pd.DataFrame({"verdict": [repr(result.verdict)]}),
    }
    means = attempt(result.means)
    factors = list(means.columns[: list(means.columns).index("population")])
    for population, scale in product(POPULATIONS, SCALES):
        chosen = {"population": population, "scale": scale}
        makers[f"means {population} {scale}"] = bound(result.means, **chosen)
        for factor in factors:
            maker = bound(result.contrasts, factor, **chosen)
            makers[f"contrasts {factor} {population} {scale}"] = maker
    return {
        f"tables/{name}/{column}": plain(values.to_numpy())
        for name, make in makers.items()
        for column, values in attempt(make).items()
    }


def bound(method: Callable, *args: Any, **kwargs: Any) -> Callable[[], pd.DataFrame]:
    """Return the call to be made later."""
    return lambda: method(*args, **kwargs)


def attempt(make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Return a table, or one that says why there is none; it has no factors."""
    import bambi_anova as ba

    try:
        return make()
    except ba.errors.AnovaError as error:
        return pd.DataFrame({"population": [f"{type(error).__name__}: {error}"]})


def plain(values: Array) -> Array:
    """Return numbers as they are, and anything else as text, which needs no pickle."""
    return values if values.dtype.kind in "fiub" else values.astype(str)


@dataclass(frozen=True)
class Stored:
    """One fit as it was stored."""

    arrays: dict[str, Array]
    about: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Stored:
        """Read a file that ``fit_on_demand`` wrote."""
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return cls(arrays, json.loads(str(arrays.pop("about"))))

    def part(self, start: str) -> dict[str, Array]:
        """Return the arrays whose names start so."""
        return {name: array for name, array in self.arrays.items() if name.startswith(start)}


@dataclass
class Gap:
    """How far arrays of the same names are apart.

    Attributes
    ----------
    notes : list of str
        In words what no number tells: names, their order, texts and shapes.
    numbers : dict of str to float
        Largest relative difference of each array that is not the same bit for bit.
    """

    notes: list[str]
    numbers: dict[str, float]

    @property
    def none(self) -> bool:
        """Whether all is the same bit for bit."""
        return not self.notes and not self.numbers

    @property
    def shown(self) -> str:
        """The largest relative difference, or that there is none, or none of numbers."""
        if self.none:
            return SAME[0]
        return f"{max(self.numbers.values()):.1e}" if self.numbers else "see above"


def gap(old: Mapping[str, Array], new: Mapping[str, Array]) -> Gap:
    """Compare arrays by name."""
    notes = []
    for label, one, other in (("old", old, new), ("new", new, old)):
        alone = [name for name in one if name not in other]
        if alone:
            notes.append(f"only {label} has {', '.join(alone)}")
    both = [name for name in old if name in new]
    if both != [name for name in new if name in old]:
        notes.append("the order of variables or columns differs")
    apart = {
        name: relative(old[name], new[name]) for name in both if not same_bits(old[name], new[name])
    }
    words = [name for name, distance in apart.items() if distance is None]
    if words:
        notes.append(f"other text or another shape: {', '.join(words)}")
    return Gap(notes, {name: number for name, number in apart.items() if number is not None})


def same_bits(old: Array, new: Array) -> bool:
    """Say whether arrays are the same; for bits a missing number equals itself, and -0 is not 0."""
    if old.shape != new.shape:
        return False
    if old.dtype.kind == "U" and new.dtype.kind == "U":
        return bool((old == new).all())
    return old.dtype == new.dtype and old.tobytes() == new.tobytes()


def relative(old: Array, new: Array) -> float | None:
    """Return the largest relative difference, or nothing for text and other shapes."""
    if old.shape != new.shape or "U" in (old.dtype.kind, new.dtype.kind):
        return None
    one, other = np.asarray(old, dtype=float), np.asarray(new, dtype=float)
    apart = ~((one == other) | (np.isnan(one) & np.isnan(other)))
    if not apart.any():
        return 0.0
    one, other = one[apart], other[apart]
    with np.errstate(invalid="ignore"):
        distance = np.abs(one - other) / np.maximum(np.abs(one), np.abs(other))
    return float(np.nan_to_num(distance, nan=np.inf).max())


def shift_of_means(old: Mapping[str, Array], new: Mapping[str, Array]) -> float:
    """Return the largest difference of a mean of draws, in posterior sds."""
    worst = 0.0
    for name, one in old.items():
        other = new.get(name, one)
        # What does not vary with chains and draws, such as coordinates, has no mean.
        if one.ndim < 2 or one.shape[2:] != other.shape[2:] or same_bits(one, other):
            continue
        distance = np.abs(other.mean(axis=(0, 1)) - one.mean(axis=(0, 1)))
        with np.errstate(invalid="ignore", divide="ignore"):
            shift = np.where(distance == 0, 0.0, distance / one.std(axis=(0, 1)))
        worst = max(worst, float(np.nan_to_num(shift, nan=np.inf).max(initial=0)))
    return worst


def compare_all(
    old: Checkout, new: Checkout, fits: list[tuple[str, str, str]]
) -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
    """Fit and compare everything; return a row a fit, and what differs in words with its fits."""
    rows: list[dict[str, Any]] = []
    notes: dict[str, list[str]] = {}
    for number, (design, method, fingerprint) in enumerate(fits):
        # Neither is always the one to find the caches of the processor warm.
        order = (old, new) if number % 2 else (new, old)
        made = {c.label: c.fit(design, method, fingerprint) for c in order}
        row, said = compare(made["old"], made["new"])
        rows.append({"design": design, "method": method, **row})
        for note in said:
            notes.setdefault(note, []).append(f"{design} by {method}")
        progress = f"{number + 1}/{len(fits)} {design}, {method}: {row['verdict']}"
        print(progress, file=sys.stderr, flush=True)
    for checkout in (old, new):
        checkout.close()
    return rows, notes


def compare(old: Stored | None, new: Stored | None) -> tuple[dict[str, Any], list[str]]:
    """Return the row of one fit, and its differences in words."""
    if old is None or new is None:
        broken = " and ".join(n for n, s in (("old", old), ("new", new)) if s is None)
        return {"verdict": "BROKEN"}, [f"the process of {broken} ended"]
    warned, notes = compare_warnings(old.about["warnings"], new.about["warnings"])
    row: dict[str, Any] = {"warnings": warned, "old": old.about["seconds"]}
    row["new"] = new.about["seconds"]
    ends = [f"{s.about['outcome']} {s.about['message']}".strip() for s in (old, new)]
    if ends != ["fitted", "fitted"]:
        alike = ends[0] == ends[1] and old.about["outcome"] == "refused"
        verdict = "refused alike" if alike and not notes else "DIFFERENT"
        notes += [] if alike else [f"old {ends[0]}; new {ends[1]}"]
        return row | {"verdict": verdict}, notes
    gaps = {kind: gap(old.part(start), new.part(start)) for kind, start in PARTS.items()}
    row |= {kind: found.shown for kind, found in gaps.items()} | {"worst in": worst_place(gaps)}
    row["shift"] = shift_of_means(old.part("draws/"), new.part("draws/"))
    if notes or not gaps["draws"].none:
        row["verdict"] = "DIFFERENT"
    else:
        row["verdict"] = SAME[0] if all(found.none for found in gaps.values()) else NEARLY
    return row, [note for found in gaps.values() for note in found.notes] + notes


def worst_place(gaps: Mapping[str, Gap]) -> str:
    """Return the array that is furthest apart, of the draws if any of them is."""
    numbers = gaps["draws"].numbers or {
        name: number for found in gaps.values() for name, number in found.numbers.items()
    }
    return max(numbers, key=numbers.__getitem__, default="")


def compare_warnings(old: list[str], new: list[str]) -> tuple[str, list[str]]:
    """Compare warnings by class and text, in any order."""
    before, after = Counter(old), Counter(new)
    notes = [f"only old warns: {text}" for text in (before - after).elements()]
    notes += [f"only new warns: {text}" for text in (after - before).elements()]
    return f"{'DIFFER' if notes else 'same'} ({len(new)})", notes


def report(
    ran_on: str,
    old: Checkout,
    new: Checkout,
    imports: pd.DataFrame,
    rows: pd.DataFrame,
    notes: dict[str, list[str]],
) -> str:
    """Write everything as Markdown."""
    from benchmarks.reporting import markdown

    parts = [
        "# The same draws from two checkouts",
        ran_on,
        f"{old}; {new}. {rows['design'].nunique()} designs, {CHAINS} chains of "
        f"{old.options.draws} draws. *Draws* (the posterior), *cells* (its cell means) and "
        "*tables*: the same bit for bit, or the largest relative difference. *Worst in*: where "
        "that is, among the draws if they differ. *Shift*: the largest difference of means of "
        "draws and cells in posterior sds. *Warnings*: by class and text, and how many. "
        f"*{NEARLY}*: the posterior and the warnings are the same bit for bit, not all the rest.",
        markdown(by_method(rows)),
        f"Seconds: the medians of {IMPORTS} fresh processes for imports, and the sums of all fits "
        "of which there are draws; *x* is new by old, of fits the median of their ratios. *read* "
        "is `Model()`, *tables* all tables together.",
        markdown(pd.concat([imports, timings(rows)])),
    ]
    if old.cached:
        parts.append(
            f"Seconds of {old.cached} of {len(rows)} old fits come from the cache, and so from "
            "another run: their ratios say little."
        )
    if notes:
        parts += ["What differs apart from numbers:", "\n".join(listed(notes))]
    parts += ["Fit by fit, with the seconds of `fit()`:", markdown(by_fit(rows))]
    return "\n\n".join(parts) + "\n"


def listed(notes: Mapping[str, list[str]]) -> list[str]:
    """Return the items of a list: what differs, most fits first, and in which of them."""
    items = []
    for note, fits in sorted(notes.items(), key=lambda item: -len(item[1]))[:MOST_NOTES]:
        more = f" and {len(fits) - 1} more" if len(fits) > 1 else ""
        items.append(f"- {fits[0]}{more}: {' '.join(note.split())}")
    rest = len(notes) - len(items)
    return [*items, f"- and {rest} other differences"] if rest else items


def by_method(rows: pd.DataFrame) -> pd.DataFrame:
    """Count the fits of each method."""
    found = []
    for method, part in rows.groupby("method", sort=False):
        counts = part["verdict"].value_counts()
        row = {"method": method, "fits": len(part)}
        row |= {verdict: int(counts.get(verdict, 0)) for verdict in (*SAME, NEARLY)}
        row["different"] = len(part) - sum(row[verdict] for verdict in (*SAME, NEARLY))
        for kind in ("draws", "cells", "tables"):
            row[f"other {kind}"] = int((part[kind].dropna() != SAME[0]).sum())
        found.append(row | {"worst shift": shown(part["shift"].max(), ".2g")})
    return pd.DataFrame(found)


def timings(rows: pd.DataFrame) -> pd.DataFrame:
    """Add up the seconds of each method."""
    found = []
    fitted = rows[rows["draws"].notna()]
    for method, part in fitted.groupby("method", sort=False):
        for what, title in (("model", "read"), ("fit", "fit"), ("tables", "tables")):
            before, after = (
                np.array([spent[what] for spent in part[label]]) for label in ("old", "new")
            )
            ratio = float(np.median(after / before))
            found.append(timing(f"{method}, {title}", before.sum(), after.sum(), ratio))
    return pd.DataFrame(found)


def timing(what: str, before: float, after: float, ratio: float) -> dict[str, str]:
    """Return a row of the table of seconds."""
    row = {"what": what, "old s": f"{before:.3f}", "new s": f"{after:.3f}"}
    return row | {"x": f"{ratio:.2f}"}


def by_fit(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row a fit."""
    shifts = [shown(value, ".2g") for value in rows["shift"]]
    table = rows[COLUMNS[: COLUMNS.index("old")]].assign(shift=shifts)
    table = table.astype(object).fillna("")
    # A refusal takes no time to speak of.
    fitted = rows["draws"].notna()
    before, after = (
        np.array([s["fit"] if ok else np.nan for s, ok in zip(rows[label], fitted, strict=True)])
        for label in ("old", "new")
    )
    for name, values in (("old s", before), ("new s", after), ("x", after / before)):
        table[name] = [shown(value, ".2f") for value in values]
    return table.assign(verdict=rows["verdict"])


def shown(value: float, style: str) -> str:
    """Write a number, or nothing where there is none."""
    return "" if pd.isna(value) else f"{value:{style}}"


TASKS = {"cases": write_cases, "fits": fit_on_demand}

if __name__ == "__main__":
    main()

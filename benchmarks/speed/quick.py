"""How long the quick fits take, beside NUTS and other tools, and how they scale.

Three parts, each with the goals that were set for it:

- ``grid``: the memory experiment from its 164,000 rows, reading and collapsing included, in one
  process with everything imported beforehand; beside it plain Bambi's variational inference on
  the 82 rows that they collapse to, and statsmodels' GLM on all rows (in a process of its own,
  because it can take more memory than there is);
- ``scaling``: 41, 410 and 4,100 participants with a unit-by-type term;
- ``crossed``: 200 participants who each see 24 items once.

The fits of the last two parts have a process each, so that its peak memory is theirs.  A fit is
timed four times: the first, and the median of the other three; once only if it is slow.

Run ``python benchmarks/speed/quick.py``; see ``--help``.
"""

import argparse
import importlib
import importlib.util
import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.reporting import machine, markdown

PARTS = ("grid", "scaling", "crossed")
QUICK = ("laplace", "pathfinder", "advi")
REPEATS = 3
#: Seconds of a first run after which it is not repeated.
SLOW = 30.0
LIBRARIES = ("bambi", "pymc", "nutpie", "arviz_stats")
GRID = "error ~ condition * trial_type + Error(participant/trial_type)"
#: Added to statsmodels' formula.
GLM_PARTS = {"no participants": "", "participants fixed": " + C(participant, Sum)"}
#: Seconds on the grid.
GRID_GOALS = {"laplace": 0.5, "pathfinder": 3.0, "advi": 3.0}
SIZES = (41, 410, 4100)
SCALING_GOAL = 30.0
CROSSED_GOAL = 10.0
MEMORY_GOAL = 1024


@dataclass(frozen=True)
class Timing:
    """Seconds of a first run, and the median of those after it (nan if there are none)."""

    first: float
    again: float

    @property
    def seconds(self) -> float:
        """What a fit takes once everything is warm, as far as that is known."""
        return self.first if np.isnan(self.again) else self.again

    def shown(self) -> dict[str, str]:
        """Return the columns of a table."""
        again = "" if np.isnan(self.again) else f"{self.again:.2f}"
        return {"first s": f"{self.first:.2f}", "again s": again}


def main() -> None:
    """Time everything and print a table a part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="all by default")
    parser.add_argument("--methods", nargs="+", choices=QUICK, default=QUICK, help="quick fits")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write it as Markdown")
    parser.add_argument("--worker", metavar="JSON", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        job = json.loads(options.worker)
        print(json.dumps(TASKS[job.pop("task")](**job)))
        return
    sections = ["# Speed of the quick fits", machine("statsmodels"), *import_everything()]
    registered = importlib.import_module("bambi_anova.engine.methods").methods
    methods = [method for method in options.methods if method in registered]
    missing = [method for method in options.methods if method not in registered]
    if missing:
        sections.append(f"Not there: {', '.join(missing)}.")
    runs = {"grid": grid, "scaling": scaling, "crossed": crossed}
    print("\n\n".join(sections), flush=True)
    for part in options.only:
        try:
            sections.append(runs[part](methods))
        except subprocess.CalledProcessError as error:
            sections.append(f"FAILED: {part}, exit {error.returncode}\n\n{error.stderr}")
        print("\n" + sections[-1], flush=True)
    if options.report:
        options.report.parent.mkdir(exist_ok=True)
        options.report.write_text("\n\n".join(sections) + "\n")


def import_everything() -> list[str]:
    """Import what is timed, and say how long that took."""
    said = []
    for name in ("bambi_anova", *LIBRARIES):
        started = time.perf_counter()
        try:
            importlib.import_module(name)
        except ImportError:
            said.append(f"{name} is not installed")
        else:
            said.append(f"{name} {time.perf_counter() - started:.1f} s")
    return [f"Imported beforehand, one after the other: {', '.join(said)}."]


def timed(run: Callable[[], Any]) -> tuple[Timing, Any]:
    """Run and time; return what the first run returned, too."""
    started = time.perf_counter()
    returned = run()
    first = time.perf_counter() - started
    again = []
    for _ in range(REPEATS if first < SLOW else 0):
        started = time.perf_counter()
        run()
        again.append(time.perf_counter() - started)
    return Timing(first, float(np.median(again)) if again else np.nan), returned


def fit(formula: str, data: pd.DataFrame, family: str, *method: str):
    """Read, collapse and fit."""
    import bambi_anova as ba

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ba.errors.AnovaWarning)
        model = ba.Model(formula, data, family=family)
        return model.fit(*method, random_seed=1, progressbar=False)


def grid(methods: list[str]) -> str:
    """Time the memory experiment's rows."""
    import bambi_anova as ba

    data = ba.load_data("memory_grid")
    runs: dict[str, Callable] = {
        f'fit("{name}")': partial(ours, data, name) for name in [*methods, "nutpie"]
    }
    runs["fit()"] = partial(ours, data)
    runs |= {
        "plain Bambi's VI, 82 rows": partial(bambi_vi, data),
    }
    rows: list[dict[str, str]] = []
    base = np.nan
    for label, run in runs.items():
        print(f"grid: {label}", file=sys.stderr, flush=True)
        timing, answer = timed(run)
        method = label.split('"')[1] if '"' in label else ""
        base = timing.seconds if method == "laplace" else base
        rows.append(grid_row(label, timing, answer, base, GRID_GOALS.get(method)))
    for name, part in GLM_PARTS.items():
        rows.append(glm_row(f"statsmodels GLM, {name}", part, base))
    return titled(
        f"The memory experiment, {len(data):,} rows",
        "Ours: `ba.Model(...)` from the rows and `fit`. *A - B*: the condition contrast on the "
        "logit scale with its posterior sd or standard error, for new participants where "
        "participants are random. Plain Bambi would take hours on all rows, so it got the 82.",
        rows,
    )


def grid_row(
    label: str,
    timing: Timing,
    answer: tuple[float, float, str],
    base: float,
    goal: float | None = None,
) -> dict[str, str]:
    """Write a line of the grid."""
    mean, sd, note = answer
    return {
        "fit": label,
        **timing.shown(),
        **against(goal, timing.seconds),
        "x laplace": "" if np.isnan(base) else f"{timing.seconds / base:.1f}",
        "A - B": f"{mean:.3f} ({sd:.3f})",
        "note": note,
    }


def glm_row(label: str, participants: str, base: float) -> dict[str, str]:
    """Write the line of a GLM, or why there is none."""
    if importlib.util.find_spec("statsmodels") is None:
        return {"fit": label, "note": "statsmodels is not installed"}
    try:
        found = in_process(task="glm", participants=participants)
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().splitlines()[-1:] or [f"exit {error.returncode}"]
        return {"fit": label, "note": f"failed: {last[0]}"}
    note = f"{found['note']}; peak {found['peak']:,.0f} MB"
    answer = found["mean"], found["sd"], note
    return grid_row(label, Timing(**found["timing"]), answer, base)


def against(goal: float | None, found: float, unit: str = " s") -> dict[str, str]:
    """Return the columns of a goal."""
    if goal is None:
        return {"goal": "", "met": ""}
    return {"goal": f"<= {goal:g}{unit}", "met": "yes" if found <= goal else "NO"}


def ours(data: pd.DataFrame, *method: str) -> tuple[float, float, str]:
    """Return the condition contrast's mean and sd, and the verdict."""
    result = fit(GRID, data, "bernoulli", *method)
    row = result.contrasts("condition").iloc[0]
    by = "" if method else f"by {result.sampling.method}, "
    return row["mean"], row["sd"], f"{by}{result.verdict}"


def measure_glm(participants: str) -> dict:
    """Fit statsmodels' GLM on all rows, with participants fixed or forgotten."""
    import statsmodels.api as sm
    import statsmodels.formula.api as smf

    import bambi_anova as ba

    data = ba.load_data("memory_grid")
    formula = f"error ~ C(condition, Sum) * C(trial_type, Sum){participants}"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        timing, found = timed(lambda: smf.glm(formula, data, family=sm.families.Binomial()).fit())
    # Half the contrast, because the two levels sum to zero.
    name = next(name for name in found.params.index if name.startswith("C(condition, Sum)["))
    rank, columns = int(found.df_model) + 1, len(found.params)
    notes = [f"rank {rank} of {columns} columns"]
    notes += ["so the contrast is not estimable"] if rank < columns else []
    notes += [] if found.converged else [f"not converged in {found.fit_history['iteration']} steps"]
    notes += [f"warns: {warning}" for warning in sorted({type_name(one) for one in caught})]
    return {
        "timing": asdict(timing),
        "mean": 2 * found.params[name],
        "sd": 2 * found.bse[name],
        "peak": peak_memory(),
        "note": "; ".join(notes),
    }


def type_name(warning: warnings.WarningMessage) -> str:
    """Name the class of a warning."""
    return warning.category.__name__


def bambi_vi(data: pd.DataFrame) -> tuple[float, float, str]:
    """Return the same by plain Bambi's variational inference on the collapsed rows."""
    import bambi as bmb

    keys = ["participant", "condition", "trial_type"]
    counts = data.groupby(keys, observed=True)["error"].agg(k="sum", n="count").reset_index()
    model = bmb.Model(
        "p(k, n) ~ condition*trial_type + (1|participant) + (1|participant:trial_type)",
        counts,
        family="binomial",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        approximation = model.fit(inference_method="vi", random_seed=1, progressbar=False)
        draws = approximation.sample(4000, random_seed=1)["posterior"]
    # Treatment coding: B less A at type x, and what type y adds to that.
    first = draws["condition"].to_numpy().ravel()
    more = draws["condition:trial_type"].to_numpy().ravel()
    contrast = -(first + more / 2)
    kind, steps = type(approximation).__name__, len(approximation.hist)
    return contrast.mean(), contrast.std(), f"{kind}, {steps:,} steps, by default"


def scaling(methods: list[str]) -> str:
    """Time a hundred times the participants."""
    rows = []
    for method in methods:
        base = np.nan
        for size in SIZES:
            found = in_process(task="fit", design="participants", size=size, method=method)
            base = found["seconds"] if size == SIZES[0] else base
            ratio = found["seconds"] / base
            goal = SCALING_GOAL if size == SIZES[-1] else None
            rows.append(
                {
                    "fit": f'fit("{method}")',
                    "participants": f"{size:,}",
                    **found["shown"],
                    "x 41": f"{ratio:.1f}",
                    **against(goal, ratio, " times 41"),
                    **memory(found),
                    "note": found["note"],
                }
            )
    return titled(
        "Ten and a hundred times the participants",
        "`p(k, n) ~ c * t + Error(s/t)`, about 600 trials in each of a participant's two cells, "
        "rate about 0.035.",
        rows,
    )


def crossed(methods: list[str]) -> str:
    """Time crossed participants and items."""
    rows = []
    for method in methods:
        found = in_process(task="fit", design="crossed", size=200, method=method)
        rows.append(
            {
                "fit": f'fit("{method}")',
                **found["shown"],
                **against(CROSSED_GOAL, found["seconds"]),
                **memory(found),
                "note": found["note"],
            }
        )
    return titled(
        "Participants crossed with items",
        "`y ~ g * kind + (1|s) + (1|item)`, binary, 200 participants by 24 items.",
        rows,
    )


def memory(found: dict) -> dict[str, str]:
    """Return the columns of peak memory."""
    peak, before = found["peak"], found["imported"]
    fits = "yes" if peak <= MEMORY_GOAL else "NO"
    return {
        "peak MB": f"{peak:.0f}",
        "of it imports": f"{before:.0f}",
        f"<= {MEMORY_GOAL} MB": fits,
    }


def in_process(**job: Any) -> dict:
    """Do a task in a process of its own.

    Raises
    ------
    subprocess.CalledProcessError
        If it failed.
    """
    print(", ".join(map(str, job.values())), file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, __file__, "--worker", json.dumps(job)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    timing = Timing(**found["timing"])
    return found | {"seconds": timing.seconds, "shown": timing.shown()}


def measure(design: str, size: int, method: str) -> dict:
    """Fit a simulated design and return seconds, memory in MB and the verdict."""
    import bambi_anova.engine.methods  # noqa: F401

    formula, data, family = SIMULATED[design](size)
    imported = peak_memory()
    timing, result = timed(lambda: fit(formula, data, family, method))
    verdict = str(result.verdict)
    if result.verdict.reasons:
        verdict += f" ({result.verdict.reasons[0].split(':')[0]})"
    return {
        "timing": asdict(timing),
        "peak": peak_memory(),
        "imported": imported,
        "note": verdict,
    }


def peak_memory() -> float:
    """Return the most memory that this process has held, in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # What Linux says of resources starts from the memory of the process that started this one.
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def participants(size: int) -> tuple[str, pd.DataFrame, str]:
    """Simulate participants of two conditions who do two types of trials."""
    rng = np.random.default_rng(size)
    person = np.repeat(np.arange(size), 2)
    c, t = person % 2, np.tile([0, 1], size)
    unit = rng.normal(0, 0.45, size)[person] + rng.normal(0, 0.12, 2 * size)
    eta = np.log(0.035 / 0.965) + 0.05 * (1 - 2 * c) + 0.2 * (1 - 2 * t) + unit
    n = rng.integers(550, 651, 2 * size)
    frame = pd.DataFrame(
        {
            "s": [f"s{number:04d}" for number in person],
            "c": np.array(["A", "B"])[c],
            "t": np.array(["x", "y"])[t],
            "n": n,
            "k": rng.binomial(n, 1 / (1 + np.exp(-eta))),
        }
    )
    return "p(k, n) ~ c * t + Error(s/t)", frame, "binomial"


def participants_and_items(size: int, items: int = 24) -> tuple[str, pd.DataFrame, str]:
    """Simulate participants of two groups who see items of two kinds, once each."""
    rng = np.random.default_rng(size)
    s, item = np.repeat(np.arange(size), items), np.tile(np.arange(items), size)
    g, kind = s % 2, item % 2
    eta = 0.5 + 0.3 * (1 - 2 * g) + 0.4 * (1 - 2 * kind)
    eta = eta + rng.normal(0, 1, size)[s] + rng.normal(0, 0.6, items)[item]
    frame = pd.DataFrame(
        {
            "s": [f"s{number:03d}" for number in s],
            "item": [f"i{number:02d}" for number in item],
            "g": np.array(["g1", "g2"])[g],
            "kind": np.array(["k1", "k2"])[kind],
            "y": (rng.random(len(s)) < 1 / (1 + np.exp(-eta))).astype(int),
        }
    )
    return "y ~ g * kind + (1|s) + (1|item)", frame, "bernoulli"


SIMULATED = {"participants": participants, "crossed": participants_and_items}
TASKS = {"fit": measure, "glm": measure_glm}


def titled(title: str, text: str, rows: list[dict[str, str]]) -> str:
    """Write a part as Markdown."""
    return "\n\n".join([f"## {title}", text, markdown(pd.DataFrame(rows).fillna(""))])


if __name__ == "__main__":
    main()

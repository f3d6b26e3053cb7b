"""Would the fast tests notice a fault?  Single faults, put in at random, one at a time.

First ``--map`` notes, once, which test runs which lines (one process a file of tests).  Then a
seeded sample of the faults of each area is tried, each in a process forked from one that holds
all libraries but not this package: the tests that run the faulty line, then, if none fails, all
tests of their files (of each the quickest that take a minute together), until one fails.  A fault
that makes tests much slower counts as noticed.  Everything happens in a copy of the tree; results
are appended to a CSV file, and a run takes up where the last one ended.

``--again FILE`` tries the survivors of an earlier CSV; ``--fault FILE BEFORE AFTER`` one by hand.

Run ``python benchmarks/mutants/run.py``; see ``--help``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from benchmarks.mutants.operators import Fault, faults

ROOT = Path.cwd()
COPIED = ("bambi_anova", "tests", "benchmarks", "tutorials", "docs", "pyproject.toml", "README.md")
#: Heavy libraries of the parent; those with threads of their own may not be forked.
LIBRARIES = (
    "numpy scipy.stats scipy.optimize scipy.linalg pandas xarray h5netcdf matplotlib.pyplot "
    "narwhals statsmodels.api pytensor pymc bambi arviz numba hypothesis pytest"
)
AREAS = {
    "estimates": ["estimates"],
    "trust": ["posterior"],
    "importance": ["engine/approximate"],
    "collapse": ["data", "families"],
    "design": ["design", "priors", "specification.py"],
    "engine": ["engine/latent", "engine/nuts", "bambi_model"],
    "prediction": ["prediction"],
    "trials": ["screening"],
    "reference analyses": ["classical"],
}
FIELDS = ["area", "file", "line", "kind", "before", "after", "outcome", "seconds", "by"]
PYTEST = ["-q", "-x", "-n", "0", "-p", "no:cacheprovider", "-m", "not slow", "--no-header"]
#: Seconds of a processor that tests may take that take one without the fault, and beside that.
SLOWER, PATIENCE = 5, 30
#: Seconds that the tests of one fault may take without it; the quickest of them come first.
MOST = 60


@dataclass(frozen=True)
class Mutant:
    """A fault of a file of the package."""

    area: str
    file: str
    fault: Fault

    @property
    def key(self) -> tuple[str, ...]:
        fault = self.fault
        return self.file, str(fault.line), fault.kind, fault.before, fault.after


def main() -> None:
    """Try faults."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--work", type=Path, required=True, help="a folder for the copy and the map"
    )
    parser.add_argument("--map", nargs="*", metavar="TESTS", help="note what tests run, then end")
    parser.add_argument("--out", type=Path, default=Path("mutants.csv"))
    parser.add_argument("--again", type=Path, help="try the survivors of this CSV only")
    parser.add_argument("--fault", nargs=3, metavar=("FILE", "BEFORE", "AFTER"))
    parser.add_argument("--tests", nargs="*", help="with --fault: these tests only")
    parser.add_argument("--each", type=int, default=24, help="faults an area")
    parser.add_argument("--areas", nargs="*", choices=AREAS, default=[*AREAS])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=float, default=MOST, help="seconds of tests a fault")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no fault after this")
    options = parser.parse_args()
    tree = _copy(options.work)
    if options.map is not None:
        note_lines(options.work, options.map, options.seconds)
        return
    _load_libraries()
    os.chdir(tree)
    _lines(ROOT / options.work).most = options.most
    if options.fault:
        mutant = by_hand(*options.fault)
        print(*_try(mutant, options.work, options.tests), sep="\n")
        return
    chosen = sample(options.each, options.seed, options.areas)
    if options.again:
        left = {_key(row) for row in _rows(options.again) if row["outcome"] == "survived"}
        chosen = [m for m in everything() if m.key in left]
    done = {_key(row) for row in _rows(options.out)}
    start = time.monotonic()
    for mutant in chosen:
        if time.monotonic() - start > options.seconds:
            break
        if mutant.key not in done:
            outcome, seconds, by = _try(mutant, options.work)
            _append(options.out, mutant, outcome, seconds, by)


def everything() -> Iterator[Mutant]:
    """Return every fault of every area."""
    for area, places in AREAS.items():
        for place in places:
            at = Path("bambi_anova") / place
            for path in sorted(at.rglob("*.py")) if at.is_dir() else [at]:
                file = path.relative_to("bambi_anova").as_posix()
                yield from (Mutant(area, file, fault) for fault in faults(path.read_text()))


def sample(each: int, seed: int, areas: list[str]) -> list[Mutant]:
    """Return some faults of each of the areas, drawn at random, areas taking turns."""
    by_area: dict[str, list[Mutant]] = {}
    for mutant in (one for one in everything() if one.area in areas):
        by_area.setdefault(mutant.area, []).append(mutant)
    drawn = [random.Random(f"{seed} {a}").sample(all_, each) for a, all_ in by_area.items()]
    return [mutant for turn in zip(*drawn, strict=True) for mutant in turn]


def by_hand(file: str, before: str, after: str) -> Mutant:
    """Return a fault of one's own; what it replaces occurs once."""
    source = (Path("bambi_anova") / file).read_text()
    assert source.count(before) == 1, f"{source.count(before)} times in {file}: {before}"
    start = source.index(before)
    line = source[:start].count("\n") + 1
    return Mutant(
        "by hand", file, Fault("by hand", line, start, start + len(before), before, after)
    )


def _copy(work: Path) -> Path:
    """Copy the tree, over what an earlier run left there."""
    tree = work / "tree"
    for name in COPIED:
        if Path(name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(name, tree / name, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy2(name, tree / name)
    return tree


def note_lines(work: Path, wanted: list[str], seconds: float) -> None:
    """Note which lines each test runs, file by file."""
    lines = work / "lines"
    lines.mkdir(exist_ok=True)
    os.chdir(work / "tree")
    paths = [Path(name) for name in wanted] or [
        *sorted(Path("tests").rglob("test_*.py")),
        *(p for p in sorted(Path("bambi_anova").rglob("*.py")) if ">>> " in p.read_text()),
    ]
    start = time.monotonic()
    for path in paths:
        note = lines / f"{'-'.join(path.with_suffix('').parts)}.json"
        if time.monotonic() - start > seconds:
            break
        if wanted or not note.exists():
            command = [sys.executable, "-m", "pytest", *PYTEST, "-p", "benchmarks.mutants.lines"]
            environment = os.environ | {"LINES": str(note.absolute()), "PYTHONPATH": os.getcwd()}
            done = subprocess.run([*command, path], env=environment, capture_output=True, text=True)
            print(path, (done.stdout.splitlines() or [done.stderr])[-1], flush=True)


def _load_libraries() -> None:
    for name in LIBRARIES.split():
        import_module(name)
    assert not any(name.split(".")[0] == "bambi_anova" for name in sys.modules)


@dataclass
class Lines:
    """What each test runs: test -> (seconds, file -> lines)."""

    tests: dict[str, tuple[float, dict[str, list[int]]]]
    most: float = MOST

    def that_run(self, mutant: Mutant) -> tuple[list[str], list[str]]:
        """Return the tests that run the faulty line; and the other tests of their files."""
        first, last = mutant.fault.line, mutant.fault.line + mutant.fault.before.count("\n")
        direct: dict[str, list[str]] = {}
        for test, (_, files) in self.tests.items():
            if any(first <= line <= last for line in files.get(mutant.file, ())):
                direct.setdefault(test.split("::")[0], []).append(test)
        files = sorted(direct, key=lambda name: self.seconds(direct[name]))
        ordered = self._quick(test for name in files for test in direct[name])
        of_files = [test for test in self.tests if test.split("::")[0] in direct]
        known = {test for tests in direct.values() for test in tests}
        return ordered, self._quick(test for test in of_files if test not in known)

    def _quick(self, tests: Iterable[str]) -> list[str]:
        """Return the quickest tests that take ``most`` seconds together, in their order."""
        tests = list(tests)
        left, chosen = self.most, set()
        for test in sorted(tests, key=lambda test: self.tests[test][0]):
            left -= self.tests[test][0]
            if left < 0:
                break
            chosen.add(test)
        return [test for test in tests if test in chosen]

    def seconds(self, tests: list[str]) -> float:
        return sum(self.tests[test][0] for test in tests if test in self.tests)


_known: list[Lines] = []


def _lines(work: Path) -> Lines:
    if not _known:
        parts = [json.loads(path.read_text()) for path in sorted((work / "lines").glob("*.json"))]
        _known.append(Lines({test: seen for part in parts for test, seen in part.items()}))
    return _known[0]


def _try(mutant: Mutant, work: Path, tests: list[str] | None = None) -> tuple[str, float, str]:
    """Put a fault in, run tests, and take it out again."""
    lines = _lines(ROOT / work)
    direct, rest = (tests, []) if tests else lines.that_run(mutant)
    if not direct:
        return "not run", 0.0, ""
    path = Path("bambi_anova") / mutant.file
    source, times = path.read_text(), path.stat()
    start = time.monotonic()
    try:
        path.write_text(mutant.fault.put_into(source))
        # Compiled files are told apart by their time in seconds, and by their size.
        stamp = random.Random(str(mutant.key)).randrange(1_000_000_000, 1_500_000_000)
        os.utime(path, (stamp, stamp))
        for chosen in (direct, rest):
            if chosen:
                limit = PATIENCE + SLOWER * lines.seconds(chosen)
                by = _fails(chosen, limit)
                if by is not None:
                    return ("slow" if by == "" else "noticed"), time.monotonic() - start, by
    finally:
        path.write_text(source)
        os.utime(path, (times.st_atime, times.st_mtime))
    return "survived", time.monotonic() - start, f"{len(direct)} + {len(rest)} tests"


def _fails(tests: list[str], limit: float) -> str | None:
    """Return the test that fails; "" if they take too long; None if none does."""
    log = Path("log.txt").absolute()
    child = os.fork()
    if child == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit)))
        _run(tests, log)
    end = time.monotonic() + 10 * limit
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL):
                return ""
            text = log.read_text(errors="replace")
            if os.waitstatus_to_exitcode(status) == 0:
                return None
            failed = [line for line in text.splitlines() if line.startswith(("FAILED", "ERROR"))]
            return failed[0].split(" ")[1] if failed else text.strip()[-200:].replace("\n", " ")
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return ""


def _run(tests: list[str], log: Path) -> None:
    """Run tests in a forked process, and end it."""
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    code = 9
    try:
        import pytest

        sys.path.insert(0, os.getcwd())
        os.environ["PYTHONPATH"] = os.getcwd()
        code = int(pytest.main([*PYTEST, *tests]))
    except BaseException as error:
        print("ERROR", type(error).__name__, flush=True)
    finally:
        os._exit(code)


def _rows(path: Path) -> list[dict[str, str]]:
    path = ROOT / path
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _key(row: dict[str, str]) -> tuple[str, ...]:
    return row["file"], row["line"], row["kind"], row["before"], row["after"]


def _append(path: Path, mutant: Mutant, outcome: str, seconds: float, by: str) -> None:
    path = ROOT / path
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(FIELDS)
        writer.writerow([mutant.area, *mutant.key, outcome, f"{seconds:.1f}", by])


if __name__ == "__main__":
    main()

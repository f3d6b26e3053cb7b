"""Which test runs which line of the package: a plug-in of pytest, on ``sys.monitoring``.

``pytest -p benchmarks.mutants.lines`` writes, to the file that the environment variable ``LINES``
names, a JSON dictionary: test -> ``[seconds, {file: [lines]}]``.  What a fixture of a wider scope
than a test runs belongs to every test that uses it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

TOOL = 4
PACKAGE = str(Path.cwd() / "bambi_anova") + os.sep

Lines = dict[str, set[int]]
current: Lines = defaultdict(set)
shared: dict[str, Lines] = {}
tests: dict[str, tuple[float, dict[str, list[int]]]] = {}


def _started(code, offset):
    if code.co_filename.startswith(PACKAGE):
        sys.monitoring.set_local_events(TOOL, code, sys.monitoring.events.LINE)
    return sys.monitoring.DISABLE


def _line(code, number):
    current[code.co_filename.removeprefix(PACKAGE)].add(number)
    return sys.monitoring.DISABLE


def pytest_configure(config):
    """Begin to watch."""
    monitoring = sys.monitoring
    monitoring.use_tool_id(TOOL, "lines")
    monitoring.register_callback(TOOL, monitoring.events.PY_START, _started)
    monitoring.register_callback(TOOL, monitoring.events.LINE, _line)
    monitoring.set_events(TOOL, monitoring.events.PY_START)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    """Keep what a wide fixture runs for all tests that use it."""
    if fixturedef.scope == "function":
        return (yield)
    before = {name: set(lines) for name, lines in current.items()}
    sys.monitoring.restart_events()
    done = yield
    _add(shared.setdefault(fixturedef.argname, defaultdict(set)), current)
    _add(current, before)
    return done


def _add(lines, more):
    for name, numbers in more.items():
        lines[name] |= numbers


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    """Note what a test runs and how long it takes."""
    global current
    current = defaultdict(set)
    sys.monitoring.restart_events()
    start = time.perf_counter()
    done = yield
    for name in getattr(item, "fixturenames", ()):
        _add(current, shared.get(name, {}))
    found = {name: sorted(lines) for name, lines in current.items()}
    tests[item.nodeid] = (round(time.perf_counter() - start, 4), found)
    return done


def pytest_sessionfinish(session):
    """Write what was seen."""
    Path(os.environ["LINES"]).write_text(json.dumps(tests))

"""Formulas by somebody who means harm: nothing happens but an error of ours."""

import contextlib
import os
import pickle
import subprocess
import time
import types
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bambi_anova as ba
from bambi_anova.errors import AnovaError
from bambi_anova.formula.parse import parse_formula
from bambi_anova.specification import Options, specify

FIRED = []


def canary(*args, **kwargs):
    FIRED.append((args, kwargs))
    raise AssertionError("the canary sang")


class Thing:
    """An object of the user's, whose methods no formula may reach."""

    def __init__(self):
        self.plain = 2.0
        self._hidden = canary

    run = canary
    danger = property(canary)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return canary


NAMESPACE = {
    "own": lambda x: x * 2,
    "thing": Thing(),
    "held": types.SimpleNamespace(f=np.sign, _g=canary, inner=types.SimpleNamespace(f=canary)),
    "np": np,
    "table": pd.DataFrame({"x": [1.0]}),
    "array": np.arange(3.0),
    "mapping": {"f": np.cos, "_f": canary},
    "k": 3,
}
#: What a stranger would like to call.
TARGETS = {
    os: ["system", "popen", "remove"],
    subprocess: ["run", "Popen"],
    pickle: ["load", "loads"],
    pd: ["read_pickle", "read_csv", "eval", "to_pickle"],
    pd.DataFrame: ["to_csv", "to_pickle", "eval", "query"],
    np: "load save savetxt loadtxt fromfile memmap seterr set_printoptions".split(),
    np.random: ["seed", "set_state"],
}


@pytest.fixture(autouse=True)
def _in_an_empty_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    FIRED.clear()


@contextlib.contextmanager
def canaries():
    """Put canaries in the place of everything that could do harm."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, names in TARGETS.items():
            for name in names:
                patch.setattr(owner, name, canary)
        yield


def state():
    """Everything global that a formula might change, as numbers."""
    random = np.random.get_state()  # noqa: NPY002
    parts = {
        "errors of numpy": np.geterr(),
        "random numbers": (random[1].tobytes(), random[2:]),
        "filters of warnings": warnings.filters,
        "environment": sorted(os.environ.items()),
        "printing": (np.get_printoptions(), pd.get_option("display.max_rows")),
        "files": os.listdir("."),
        "canaries": FIRED,
    }
    return {name: hash(repr(own)) for name, own in parts.items()}


def data():
    rng = np.random.default_rng(0)
    size = 24
    return pd.DataFrame(
        {
            "y": rng.normal(size=size),
            "x": rng.uniform(1, 9, size),
            "A": np.tile(list("ab"), 12),
            "s": np.repeat(list("fedcba"), 4),
            "my x": rng.normal(size=size),
            "__import__('os').system('touch c')": rng.normal(size=size),
            "os.system": rng.normal(size=size),
            "self": rng.normal(size=size),
            "lambda": rng.normal(size=size),
            "odd": [object()] * size,
            "when": pd.date_range("2024-01-01", periods=size),
            "n": rng.integers(4, 9, size),
            "r": rng.integers(0, 4, size),
        }
    )


ATOMS = [
    *("x", "y", "A", "s", "n", "r", "k", "`my x`", "odd", "when", "self", "lambda", "os.system"),
    *("1", "0", "2", "-1", "10", "1e308", "999999999999999999999", "'a'", '"b"', "None", "True"),
    "`__import__('os').system('touch c')`",
]
CALLEES = (
    "log exp abs np.log np.where np.clip I C scale center poly bs p offset Error own held.f "
    "held._g held.inner.f thing.run thing._hidden thing.danger thing.anything mapping.f mapping._f "
    "table.to_csv array.tofile np.load np.save np.seterr np.random.seed np.f2py.os.system "
    "np.memmap pd.read_pickle pd.io.common.os.system os.system __import__ eval exec open compile "
    "getattr globals locals vars breakpoint self.frame.to_csv self._value object.__subclasses__ "
    "().__class__ x.to_csv `os.system` lambda builtins.open __builtins__"
).split()
CHARACTERS = [*"+-*/:|=!<>,%^&~@.;`'\"()[]{}\\\n\0#?$", "**", "==", "//", ":=", " "]


def pieces():
    """Expressions of a stranger, some of them nearly right."""
    return st.recursive(
        st.sampled_from(ATOMS),
        lambda inner: st.one_of(
            st.tuples(st.sampled_from(CALLEES), st.lists(inner, max_size=3)).map(
                lambda own: f"{own[0]}({', '.join(own[1])})"
            ),
            st.tuples(inner, st.sampled_from("+ - * / ** == < , :".split()), inner).map(" ".join),
            inner.map("({})".format),
            inner.map("{{{}}}".format),
            inner.map("[{}]".format),
            inner.map("lambda: {}".format),
            st.tuples(inner, st.sampled_from(["__class__", "real", "to_csv('c')"])).map(".".join),
            st.tuples(inner, inner).map("{0[0]}[{0[1]}]".format),
        ),
        max_leaves=6,
    )


PLACES = [
    "{0} ~ A",
    "y ~ A + {0}",
    "y ~ A * {0} + Error(s/{1})",
    "y ~ A + offset({0})",
    "y ~ A + Error({0})",
    "y ~ A + ({0}|s)",
    "y ~ (1|{0}) + {1}",
    "y ~ {{{0}}}",
    "y ~ I({0}) + scale({1})",
    "y ~ C({0})",
    "p(r, {0}) ~ A",
    "p({0}, n) ~ {1}",
    "y[{0}] ~ A",
    "{0}",
]


def formulas():
    written = st.tuples(st.sampled_from(PLACES), pieces(), pieces()).map(
        lambda own: own[0].format(*own[1:])
    )
    broken = st.tuples(written, st.integers(0, 80), st.sampled_from(CHARACTERS)).map(
        lambda own: own[0][: own[1]] + own[2] + own[0][own[1] :]
    )
    return st.one_of(written, broken)


FAMILIES = {"p": "binomial", "r": "poisson"}


def try_out(text):
    before, start = state(), time.perf_counter()
    family = FAMILIES.get(text[:1], "gaussian")
    with canaries(), warnings.catch_warnings(), contextlib.suppress(AnovaError):
        warnings.simplefilter("error")
        specify(text, data(), family, options=Options(namespace=dict(NAMESPACE)))
    assert time.perf_counter() - start < 5
    assert state() == before
    assert not FIRED


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(formulas())
def test_nothing_happens_but_an_error(text):
    try_out(text)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40).flatmap(lambda t: st.sampled_from([t, f"y ~ {t}", f"{t} ~ A"])))
def test_nothing_happens_whatever_the_characters(text):
    try_out(text)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("callee", CALLEES)
def test_nobody_is_called(callee, place):
    for argument in ("'c'", "x", "x, 'w+'"):
        try_out(place.format(f"{callee}({argument})", "x"))


@pytest.mark.parametrize(
    "text",
    [
        "y ~ A + I(" + "-" * 9000 + "x)",
        "y ~ A + I(" + "+".join(["x"] * 4900) + ")",
        "y ~ A + I(x" + "**9" * 60 + ")",
        "y ~ A + I(" + "9" * 9000 + ")",
        "y ~ A + I(A * 999999999)",
        "y ~ A + I('a' * 999999999)",
        "y ~ A + I(10**10**10**10)",
        "y ~ " + ":".join(["(A*s*x*n*r*k*a*b*c*d)"] * 400),
        "y ~ " + "(" * 9000,
        "y ~ " + "(" * 4900 + "A" + ")" * 4900,
        "y ~ A" + " + A" * 2000,
        "y ~ A" + "**9" * 3000,
        "y ~ A + " + "`" * 9999,
        "y ~ " + "-" * 9000 + "1",
        "y ~ " + "Error(" * 39 + "s" + ")" * 39,
        "p(" * 30 + "r" + ", n)" * 30 + " ~ A",
    ],
)
def test_nothing_takes_long(text):
    try_out(text)


def test_a_column_with_a_name_like_code_is_a_column():
    name = "__import__('os').system('touch c')"
    specification = specify(f"y ~ A + `{name}`", data())
    assert list(specification.design.rows.covariates) == [name]


@pytest.mark.filterwarnings("ignore")
def test_bambi_sees_no_name_but_columns_and_our_own_functions():
    frame = data().drop(columns=["odd", "when"])
    text = "y ~ A + own(x) + np.log(n) + scale(`os.system`) + `lambda` + Error(s)"
    model = ba.Model(text, frame, extra_namespace=dict(NAMESPACE))
    built = model.bambi_model
    functions = {"centred_own_x", "centred_np_log_n", "centred_scale_os_system", "centred_lambda"}
    parts = [
        part
        for term in built.components["mu"].design.common.terms.values()
        for part in getattr(term, "components", [])
        if part.env is not None
    ]
    assert len(parts) == 4
    for part in parts:
        assert all(name in part.env.namespace for name in functions)
        forbidden = "os pd np bmb self text model own thing held eval print __builtins__".split()
        assert not [name for name in forbidden if name in part.env.namespace]
    words = {token.text for token in parse_words(built.formula.main)}
    assert words - functions <= {*frame.columns, "1"}


def parse_words(text):
    from bambi_anova.formula.tokens import scan

    tokens = [t for t in scan(text).tokens if t.kind in ("name", "quoted", "number", "string")]
    return [types.SimpleNamespace(text=token.text.strip("`")) for token in tokens]


def test_hostile_formulas_that_are_read_hold_no_more_than_they_say():
    formula = parse_formula("y ~ held.inner.f(x) + thing.run(x)")
    assert {own.functions for own in formula.variables.values()} == {
        ("held.inner.f",),
        ("thing.run",),
    }

"""Expressions: their values are formulae's and NumPy's, and nothing else can be reached."""

import types

import formulae
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bambi_anova.errors import ArgumentError, DataError, FormulaError
from bambi_anova.formula.evaluation import Names
from bambi_anova.formula.expression import quote
from bambi_anova.formula.functions import ELEMENTWISE
from bambi_anova.formula.parse import parse_formula


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": rng.normal(size=9),
            "k": rng.integers(-4, 5, 9),
            "my x": rng.uniform(1, 9, 9),
            "small": rng.integers(0, 255, 9).astype("uint8"),
            "on": rng.integers(0, 2, 9).astype(bool),
            "A": list("abcabcabc"),
            "class": rng.normal(size=9),
            "µ": rng.normal(size=9),
            "a.b": rng.normal(size=9),
        },
        index=range(5, 14),
    )


def value(text, frame, /, **namespace):
    return parse_formula(f"{text} ~ A").response.outcome.evaluate(frame, namespace)


# -- Values ------------------------------------------------------------------------------------

LEAVES = ["x", "k", "`my x`", "2", "0.5", "3"]
UNARY = "abs exp np.sqrt np.log1p np.tanh sign np.square I scale center".split()


def expressions():
    """Expressions in brackets, so that no precedence matters: formulae's is not Python's."""
    return st.recursive(
        st.sampled_from(LEAVES),
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from("+-*/"), inner).map(" ".join).map("({})".format),
            st.tuples(st.sampled_from(UNARY), inner).map(lambda own: "{}({})".format(*own)),
            inner.map("(-{})".format),
            st.tuples(inner, st.sampled_from(["**2", "**3.0", "**0.5"])).map(
                lambda own: "({}{})".format(*own)
            ),
            st.tuples(inner, st.sampled_from(["<", ">=", "==", "!="]), inner)
            .map(" ".join)
            .map("np.where({}, 1, 0)".format),
        ),
        max_leaves=5,
    )


@given(expressions())
def test_values_are_those_of_formulae(frame, text):
    known = {"np": np, "abs": np.abs, "exp": np.exp, "sign": np.sign}
    with np.errstate(all="ignore"):
        try:
            design = formulae.design_matrices(f"0 + I({text})", frame, "error", 0, known)
        except (ValueError, ZeroDivisionError, AttributeError):  # of numbers alone
            assume(False)
    expected = np.asarray(design.common).astype(float).ravel()
    assume(len(expected) == len(frame))
    assume(np.all(np.abs(expected) < 2.0**62))  # finite, and where integers do not wrap
    found = value(f"I({text})", frame).to_numpy(dtype=float)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", sorted(set(ELEMENTWISE) - {"where", "clip", "round", "logit"}))
@pytest.mark.parametrize("prefix", ["", "np."])
def test_functions_are_numpys(frame, name, prefix):
    function = getattr(np, name)
    names = ["`my x`", "x"][: function.nin]
    given = [frame[own.strip("`")] for own in names]
    with np.errstate(all="ignore"):
        expected = function(*given)
    np.testing.assert_array_equal(value(f"{prefix}{name}({', '.join(names)})", frame), expected)


def test_logits_are_scipys(frame):
    from scipy import special

    share = special.expit(frame["x"])
    found = value("logit(share)", frame.assign(share=share))
    np.testing.assert_allclose(found, special.logit(share))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-x ** 2", lambda d: -(d["x"] ** 2)),
        ("2 ** 3 ** 2 * x", lambda d: 512 * d["x"]),
        ("x + 1e-3", lambda d: d["x"] + 1e-3),
        ("small * 300", lambda d: d["small"].astype(int) * 300),
        ("small - 256", lambda d: d["small"].astype(int) - 256),
        ("on + on", lambda d: 2 * d["on"].astype(int)),
        ("k ** -1.0 * 0 + k", lambda d: d["k"] * np.where(d["k"] == 0, np.nan, 1)),
        ("(k + 10) ** 30", lambda d: (d["k"] + 10.0) ** 30),
        ("class + µ + a.b", lambda d: d["class"] + d["µ"] + d["a.b"]),
        ("`class` + `µ` + `a.b`", lambda d: d["class"] + d["µ"] + d["a.b"]),
        ("np.round(x, 1)", lambda d: d["x"].round(1)),
        ("round(x)", lambda d: d["x"].round()),
        ("np.clip(x, 0, 1)", lambda d: d["x"].clip(0, 1)),
        ("np.where(A == 'a', x, -1)", lambda d: d["x"].where(d["A"] == "a", -1)),
        ("A == 'a'", lambda d: d["A"] == "a"),
        ("x > k", lambda d: d["x"] > d["k"]),
        ("standardize(x)", lambda d: (d["x"] - d["x"].mean()) / d["x"].std(ddof=0)),
    ],
)
def test_values(frame, text, expected):
    pd.testing.assert_series_equal(
        value(text, frame), expected(frame), check_names=False, check_dtype=False
    )


def test_whole_numbers_stay_whole(frame):
    assert value("k * 10 + small", frame).dtype == np.int64
    assert value("k / 1", frame).dtype == float


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "float32", "boolean", "int8", "uint64"])
def test_numbers_of_every_type(dtype):
    frame = pd.DataFrame({"v": pd.array([1, 0, 1], dtype=dtype)})
    assert value("2 * v + 1", frame).tolist() == [3, 1, 3]


# -- The user's names --------------------------------------------------------------------------


def test_functions_get_columns_as_they_are(frame):
    seen = {}

    def own(column, *, flag=None):
        seen.update(column=column, flag=flag)
        return column.str.upper()

    assert value("own(A, flag=True)", frame, own=own).tolist() == list("ABCABCABC")
    pd.testing.assert_series_equal(seen["column"], frame["A"])
    assert seen["flag"] is True


@pytest.mark.parametrize("name", ["text", "quote", "Array", "self", "frame", "log", "np", "value"])
def test_no_name_of_ours_hides_the_users(frame, name):
    found = value(f"{name}(x)", frame, **{name: lambda x: x + 7})
    np.testing.assert_array_equal(found, frame["x"] + 7)
    np.testing.assert_array_equal(value(f"x + {name}", frame, **{name: 7}), frame["x"] + 7)


@pytest.mark.parametrize("name", ["I", "C", "Error", "offset", "scale", "standardize", "center"])
def test_words_of_the_language_are_refused_as_names(name):
    with pytest.raises(ArgumentError, match=f"extra_namespace: '{name}' is a word"):
        Names({name: np.log}).require_free()


def test_what_a_module_or_mapping_holds_is_reached_by_one_dot(frame):
    own = types.SimpleNamespace(f=lambda x: x * 2, c=3, inner=types.SimpleNamespace(g=np.log))
    np.testing.assert_array_equal(value("own.f(x) + own.c", frame, own=own), frame["x"] * 2 + 3)
    assert value("own.f(x)", frame, own={"f": np.sign}).tolist() == np.sign(frame["x"]).tolist()
    for text in ("own.inner.g(x)", "own.__class__(x)", "own.f.__call__(x)", "x + own.inner.g"):
        with pytest.raises(DataError, match="cannot be evaluated: there is no"):
            value(text, frame, own=own)


@pytest.mark.parametrize("text", ["np.load('f')", "n.load('f')", "numpy.load('f')", "x + n.pi"])
def test_numpy_is_no_more_than_its_allowed_functions(frame, text):
    with pytest.raises(DataError, match="there is no"):
        value(text, frame, np=np, n=np, numpy=np)
    np.testing.assert_array_equal(value("n.sign(x)", frame, n=np), np.sign(frame["x"]))


@pytest.mark.parametrize("held", [np.arange(9.0), pd.Series(range(9)), pd.DataFrame({"a": [1]})])
def test_methods_are_never_reached(frame, held):
    for method in ("tofile", "to_csv", "to_pickle", "dump", "sum", "T", "a"):
        with pytest.raises(DataError, match="there is no"):
            value(f"own.{method}('f')", frame, own=held)


# -- What is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "f(*x)",
        "f(**x)",
        "f([x])",
        "f({x, k})",
        "f((x, k))",
        "f(x)(k)",
        "(f)(x)(k)",
        "f(x[0])",
        "f(lambda: x)",
        "f(x for x in k)",
        "f(x if k else x)",
        "f(x := k)",
        "f(x and k)",
        "f(not x)",
        "f(x is k)",
        "f(x | k)",
        "f(x // k)",
        "f(x @ k)",
        "f(x).real",
        "f('a' 'b')",
        "f(b'a')",
        "f(f'{x}')",
        "f('\\x41')",
        "f(1j)",
        "f(0x10)",
        "f(x < k < x)",
        "f(x; k)",
        "f(x=k, **x)",
        "f('a'=k)",
        "f(x",
        "f(" * 50 + "x" + ")" * 50,
        "await(x) f",
        "f(Error(x))",
        "f(C(x))",
        "f(offset(x))",
        "f(p(x, k))",
        "poly(x, 2)",
        "bs(x, 3)",
        "hsgp(x, m=3, c=2)",
        "scale(x, k)",
        "scale()",
        "f(" + "9" * 5000 + ")",
    ],
)
@pytest.mark.parametrize("place", ["{} ~ A", "y ~ A + {}", "y ~ offset({})", "y ~ (1|{})"])
def test_no_formula_holds(text, place):
    with pytest.raises(FormulaError):
        parse_formula(place.format(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("os.system('ls')", "cannot be evaluated: there is no function 'os.system' here"),
        ("__import__('os')", r"there is no function '__import__' here. Allowed are columns"),
        ("open('f')", r"hand.* over as extra_namespace=\{'open': \.\.\.\}"),
        ("log(xx)", "there is no column 'xx'; did you mean 'x'"),
        ("log(A)", "expected numbers, found"),
        ("A + 'a'", "expected numbers, found"),
        ("A * 1000000000", "expected numbers, found"),
        ("log(x, k)", r"log\(\) takes 1 arguments, found 2"),
        ("np.log(x, out=x)", r"np.log\(\) takes no arguments by name"),
        ("np.where(x > 0)", r"takes 3 arguments"),
        ("own(x)", "it gives 2 values for 9 rows"),
        ("wide(x)", "it makes 2 columns; expected one numeric column"),
        ("broken(x)", "no luck"),
        ("None", "."),
    ],
)
def test_what_cannot_be_evaluated_is_told_why(frame, text, message):
    def broken(x):
        raise ZeroDivisionError("no luck")

    own = {"own": lambda x: x[:2], "wide": lambda x: np.ones((9, 2)), "broken": broken}
    with pytest.raises(DataError, match=message):
        value(text, frame, **own)


def test_powers_of_powers_are_no_work(frame):
    assert np.isinf(value("10 ** 10 ** 10 + x", frame)).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y ~ " + " + ".join(f"a{i}" for i in range(5000)), "at most 10000 characters"),
        ("y ~ " + "+".join(f"a{i}" for i in range(1500)), "makes more than 1023 terms"),
        ("y ~ " + "*".join("abcdefghijklmnopqrstuv"), r"1023 terms.*\(A \+ B \+ C\)\*\*2"),
        ("y ~ (" + "+".join("abcdefghijklmnopqrstuv") + ")**9", "1023 terms"),
        ("y ~ Error(s/(" + "*".join("abcdefghijklmnopqrstuv") + "))", "1023 terms"),
        ("y ~ " + "(" * 60 + "A" + ")" * 60, "40 brackets stand inside each other"),
    ],
)
def test_formulas_too_large_are_refused_at_once(text, message):
    with pytest.raises(FormulaError, match=message):
        parse_formula(text)


@pytest.mark.parametrize("name", ["a`b", ""])
def test_names_that_no_formula_can_hold(name):
    with pytest.raises(DataError, match="rename the column"):
        quote(name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("factor(A)", r"no function 'factor' here; write C\(x\) for a factor"),
        ("as.factor(A)", r"write C\(x\)"),
        ("cbind(k, n)", r"write p\(successes, trials\)"),
        ("s(x)", "smooths are not fitted here"),
    ],
)
def test_functions_of_r_are_answered_with_what_to_write(frame, text, words):
    expression = parse_formula(f"y ~ {text}").expressions[-1]
    with pytest.raises(DataError, match=words):
        expression.evaluate(frame, {})

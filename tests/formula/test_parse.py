"""Formulas: the algebra of terms, strata, slopes, responses, and what is refused."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bambi_anova.errors import FormulaError
from bambi_anova.formula.algebra import Bar
from bambi_anova.formula.expression import quote
from bambi_anova.formula.parse import parse_formula, term_name

# -- An independent expansion: an expression is a name or (operator, left, right) --------------

STRENGTH = {"+": 0, "-": 0, "*": 1, "/": 1, ":": 2}


def expand(node):
    """Return the terms of an expression by R's rules, as a set of sets of names."""
    if isinstance(node, str):
        return {frozenset(node)}
    operator, left, right = node[0], expand(node[1]), expand(node[2])
    if operator == "+":
        return left | right
    if operator == "-":
        return left - right
    if operator == "/":
        whole = frozenset().union(*left)
        return left | {whole | term for term in right}
    crossed = {a | b for a, b in product(left, right)}
    return crossed if operator == ":" else left | right | crossed


def write(node, needed=0):
    """Write an expression with no more brackets than it needs."""
    if isinstance(node, str):
        return node
    strength = STRENGTH[node[0]]
    text = f"{write(node[1], strength)} {node[0]} {write(node[2], strength + 1)}"
    return f"({text})" if strength < needed else text


def expressions(operators, leaves=6):
    return st.recursive(
        st.sampled_from("ABCD"),
        lambda inner: st.tuples(st.sampled_from(operators), inner, inner),
        max_leaves=leaves,
    )


def parent(text):
    """The terms, units, slopes and offsets of a formula."""
    return parse_formula(text).parent


def sets(terms):
    return {frozenset(term) for term in terms}


@given(expressions("+*:/"))
def test_terms_expand_as_in_r(expression):
    terms = parent(f"y ~ {write(expression)}").terms
    assert sets(terms) == expand(expression)
    assert len(terms) == len(sets(terms))


@given(expressions("+*:/"), st.lists(st.permutations("ABC"), min_size=1, max_size=2), st.data())
def test_subtracted_terms_are_left_out_whatever_their_order(expression, orders, data):
    removed = [order[: data.draw(st.integers(1, 3))] for order in orders]
    text = " - ".join([f"({write(expression)})", *map(":".join, removed)])
    assert sets(parent(f"y ~ {text}").terms) == expand(expression) - sets(removed)


@given(expressions("+*:/", leaves=4))
def test_error_strata_equal_the_same_random_intercepts(expression):
    nested = parent(f"y ~ A + Error(s/({write(expression)}))")
    spelled = " + ".join(
        ["(1|s)"] + [f"(1|s:{':'.join(sorted(term))})" for term in expand(expression)]
    )
    assert sets(nested.units) == sets(parent(f"y ~ A + {spelled}").units)
    assert sets(nested.units) == {frozenset("s") | t for t in expand(expression)} | {frozenset("s")}


SPACED = """y ~ A * B - A : B + log( x ) : C + Error( s / ( A * B ) )
    + ( x | s ) + ( 1 | item : A ) + offset( z ) + C( D )"""
TOKENS = SPACED.split()


@given(st.lists(st.sampled_from(["", " ", "\n", "\t  "]), min_size=len(TOKENS), max_size=50))
def test_blanks_do_not_matter(blanks):
    text = "".join(blank + token for blank, token in zip(blanks, TOKENS, strict=False))
    plain = "".join(TOKENS)
    assert replace(parse_formula(text), text="") == replace(parse_formula(plain), text="")


@given(st.text("abZ9_ .,:+*/-()[]{}|~^%'\"", min_size=1, max_size=8).map("c".__add__))
@example("_x").via("names may start with an underscore")
def test_a_quoted_name_is_one_variable(name):
    formula = parent(f"y ~ A * {quote(name)} + Error(s/{quote(name)})")
    assert formula.terms == (("A",), (name,), ("A", name))
    assert formula.units == (("s",), ("s", name))


# -- Terms, units, slopes, offsets -------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "terms"),
    [
        ("A * B", ["A", "B", "A:B"]),
        ("A:B", ["A:B"]),
        ("A + B", ["A", "B"]),
        ("A*B - A:B", ["A", "B"]),
        ("A*B*C - A:B:C", ["A", "B", "A:B", "C", "A:C", "B:C"]),
        ("A*B*C - C:B:A", ["A", "B", "A:B", "C", "A:C", "B:C"]),
        ("(A + B)**2", ["A", "B", "A:B"]),
        ("A + B + B:A + A:B", ["A", "B", "B:A"]),
        ("x + log(x):A", ["x", "log(x):A"]),
        ("1", []),
        ("1 + A", ["A"]),
        ("A + Intercept", ["A", "Intercept"]),
    ],
)
def test_terms_in_order(right, terms):
    assert [term_name(term) for term in parent(f"y ~ {right}").terms] == terms


@pytest.mark.parametrize(
    ("right", "units"),
    [
        ("Error(s)", ["s"]),
        ("Error(s/A)", ["s", "s:A"]),
        ("Error(s/(A + B))", ["s", "s:A", "s:B"]),
        ("Error(s/(A*B))", ["s", "s:A", "s:B", "s:A:B"]),
        ("Error(s/A/B)", ["s", "s:A", "s:A:B"]),
        ("Error(s:A)", ["s:A"]),
        ("Error(s) + Error(item)", ["s", "item"]),
        ("Error(s/A) + Error(item/B)", ["s", "s:A", "item", "item:B"]),
        ("Error(s + item)", ["s", "item"]),
        ("Error(block/plot)", ["block", "block:plot"]),
        (
            "Error(block/plot/(A*B))",
            ["block", "block:plot", "block:plot:A", "block:plot:B", "block:plot:A:B"],
        ),
        ("Error(`my block`/plot)", ["my block", "my block:plot"]),
        ("(1|s) + (1|s:A)", ["s", "s:A"]),
        ("(1|s/A)", ["s", "s:A"]),
        ("(1|s) + Error(s/A)", ["s", "s:A"]),
        ("(1|s:A) + (1|A:s)", ["s:A"]),
        ("Error(s/C(A))", ["s", "s:A"]),
    ],
)
def test_units_in_order(right, units):
    formula = parent(f"y ~ A * B + {right}")
    assert sorted(map(term_name, formula.units)) == sorted(units)
    assert set(formula.terms) == {("A",), ("B",), ("A", "B")}


def test_units_of_one_error_term_stay_in_order():
    units = parent("y ~ A*B + Error(s/(A*B)) + Error(item)").units
    assert list(map(term_name, units)) == ["s", "s:A", "s:B", "s:A:B", "item"]


@pytest.mark.parametrize(
    ("right", "bars", "units"),
    [
        ("(x|s)", [Bar(("s",), (("x",),))], ["s"]),
        ("(1 + x|s)", [Bar(("s",), (("x",),))], ["s"]),
        ("(0 + x|s)", [Bar(("s",), (("x",),), intercept=False)], []),
        ("(x + z|s)", [Bar(("s",), (("x",), ("z",)))], ["s"]),
        ("(x|s:A)", [Bar(("s", "A"), (("x",),))], ["s:A"]),
        ("(x|s) + (x|s)", [Bar(("s",), (("x",),))], ["s"]),
        ("(x|s) + (1|s)", [Bar(("s",), (("x",),))], ["s"]),
        ("(log(x)|s)", [Bar(("s",), (("log(x)",),))], ["s"]),
        ("(x||s)", [Bar(("s",), (("x",),), False, "diagonal")], ["s"]),
        ("(0 + x || s)", [Bar(("s",), (("x",),), False, "diagonal")], []),
        (
            "(x + z||s)",
            [Bar(("s",), (("x",),), False, "diagonal"), Bar(("s",), (("z",),), False, "diagonal")],
            ["s"],
        ),
        ("(A|s)", [Bar(("s",), (("A",),))], ["s"]),
        ("(A * B|s)", [Bar(("s",), (("A",), ("B",), ("A", "B")))], ["s"]),
        ("(x|s, cov='diagonal')", [Bar(("s",), (("x",),), True, "diagonal")], ["s"]),
        ("Error(s/A)", [], ["s", "s:A"]),
        ("Error(s/A, cov='compound')", [], ["s", "s:A"]),
    ],
)
def test_slopes_come_with_their_unit(right, bars, units):
    formula = parent(f"y ~ A * B * x + {right}")
    assert (list(formula.bars), list(map(term_name, formula.units))) == (bars, units)
    assert formula.structured == ()


@pytest.mark.parametrize(
    ("right", "structured"),
    [
        ("Error(s/A, cov='unstructured')", [(["s", "s:A"], "unstructured")]),
        ('Error(s/A,cov = "diagonal")', [(["s", "s:A"], "diagonal")]),
        ("Error(s/A, cov='diagonal') + Error(item)", [(["s", "s:A"], "diagonal")]),
        (
            "Error(s/A, cov='unstructured') + Error(item/B, cov='unstructured')",
            [(["s", "s:A"], "unstructured"), (["item", "item:B"], "unstructured")],
        ),
    ],
)
def test_an_error_term_names_its_covariance(right, structured):
    formula = parent(f"y ~ A * B + {right}")
    assert [(list(map(term_name, u)), kind) for u, kind in formula.structured] == structured
    assert formula.bars == ()


@pytest.mark.parametrize(
    ("right", "message"),
    [
        ("Error(s/A, cov='unstructurd')", "cov='unstructurd'; did you mean 'unstructured'"),
        ("(A|s, cov='AR(1)')", r"there is no cov='AR\(1\)'; known: 'compound'"),
        ("Error(s/A, unstructured)", "expected cov='unstructured' or the like behind the units"),
        ("Error(s/A, cov=unstructured)", "expected cov='unstructured' or the like"),
        ("Error(s/A, cov)", "expected cov='unstructured' or the like"),
        ("Error(s/A, kov='diagonal')", "expected cov='unstructured' or the like"),
        ("Error(s/A, cov='diagonal', cov='compound')", "expected cov='unstructured' or the like"),
        ("Error(s/A, cov='')", "there is no cov=''"),
        ("Error(s/A, cov='__import__(1)')", "there is no cov="),
        ("Error(cov='diagonal')", "'=' has no meaning here"),
        ("Error(, cov='diagonal')", "cannot be read|expected units inside"),
        ("(x|||s)", "'|' has no meaning here"),
        ("(x|s|t)", "'|' has no meaning here"),
        ("(0||s)", "without a slope"),
    ],
)
def test_a_covariance_is_refused_with_the_reason(right, message):
    with pytest.raises(FormulaError, match=message):
        parse_formula(f"y ~ A + {right}")


def test_offsets_are_kept_as_they_are_written():
    formula = parent("y ~ A + offset(log(area)) + offset(z)")
    assert [str(offset) for offset in formula.offsets] == ["log(area)", "z"]
    assert formula.terms == (("A",),)


def test_c_marks_factors_and_gives_the_plain_name():
    formula = parse_formula("y ~ C(x) * A - C( x ):A + Error(C(s)/A) + C(`my z`)")
    assert formula.parent.terms == (("x",), ("A",), ("my z",))
    assert formula.parent.units == (("s",), ("s", "A"))
    assert formula.categorical == {"x", "s", "my z"}


def test_braces_are_arithmetic():
    assert parent("y ~ {x + 1}").terms == (("I(x+1)",),)


def test_text_inside_a_call_keeps_its_blanks():
    assert parent("y ~ f(x, 'a b')").terms == (("f(x, 'a b')",),)


# -- Responses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "expression", "trials", "success"),
    [
        ("y", "y", None, None),
        ("`my y`", "my y", None, None),
        ("log(y)", "log(y)", None, None),
        ("p(k, n)", "k", "n", None),
        ("p( k,n )", "k", "n", None),
        ("proportion(k, 40)", "k", "40", None),
        ("p(`a b`, `c d`)", "a b", "c d", None),
        ("y['yes']", "y", None, "yes"),
        ('y["yes"]', "y", None, "yes"),
        ("y[yes]", "y", None, "yes"),
        ("y['not yet']", "y", None, "not yet"),
        ("y['a ~ b']", "y", None, "a ~ b"),
        ("y[1]", "y", None, "1"),
        ("`a[b]`", "a[b]", None, None),
    ],
)
def test_responses(left, expression, trials, success):
    response = parse_formula(f"{left} ~ A").response
    assert (response.text, response.outcome.text) == (left, expression)
    assert (response.trials and response.trials.text, response.success) == (trials, success)


def test_names_with_dots_are_columns_on_both_sides():
    formula = parse_formula("rt.ms ~ trial.type * dose + Error(subject.id/trial.type)")
    assert formula.response.outcome.text == "rt.ms"
    assert formula.parent.terms == (("trial.type",), ("dose",), ("trial.type", "dose"))
    assert formula.parent.units == (("subject.id",), ("subject.id", "trial.type"))


# -- What is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "formula: expected text .* got None"),
        (["y ~ A"], "formula: expected text"),
        ("y", "expected one '~'"),
        ("y ~ A ~ B", "expected one '~'"),
        ("~ A", "a response on its left"),
        ("y ~ ", "terms on its right"),
        ("y ~ 0 + A", "removes the intercept"),
        ("y ~ A - 1", "removes the intercept"),
        ("y ~ A + 2", "2 is a number where a column was expected"),
        ("y ~ A * Error(s)", r"Error\(s\) can only be added with '\+', not crossed"),
        ("y ~ A:offset(x)", r"offset\(x\) can only be added with '\+', not crossed"),
        ("y ~ A - Error(s)", r"Error\(s\) can only be added"),
        ("y ~ A - offset(x)", r"offset\(x\) can only be added"),
        ("y ~ A + (Error(s)|s)", r"Error\(s\) can only be added"),
        ("y ~ A B", "an operator .* is missing near 'A B'"),
        ("y ~ (A) (B)", "an operator .* is missing"),
        ("y ~ A^2", r"'\^' has no meaning here; write \(A \+ B\)\*\*2"),
        ("y ~ A %in% B", "'%' has no meaning here; write A:B"),
        ("y ~ .", r"'\.' has no meaning here"),
        ("y ~ Error(s/(A)", "a bracket is never closed"),
        ("y ~ log(x + 1", "a bracket is never closed"),
        ("y ~ `A", "quote ` is never closed"),
        ("y ~ f(x, 'a)", "quote ' is never closed"),
        ("y ~ A +", "cannot be read"),
        ("y ~ (A", "cannot be read|never closed"),
        ("y ~ A = B", "cannot be read|no meaning"),
        ("y ~ A & B", "cannot be read|no meaning"),
        ("y ~ A + Error()", "cannot be read|expected units"),
        ("y ~ A + Error((1|s))", r"expected units inside Error\(\)"),
        ("y ~ A + Error(s - s)", r"expected units inside Error\(\)"),
        ("y ~ C(x, levels=['a', 'b'])", r"C\(\) takes one column"),
        ("y ~ C(log(x))", r"C\(\) takes one column"),
        ("weighted(y, w) ~ A", r"a weighted\(\) response is not supported"),
        ("censored(y, status) ~ A", r"a censored\(\) response is not supported"),
        ("p(k) ~ A", r"expected p\(successes, trials\), got 'p\(k\)'"),
        ("p(k, n, m) ~ A", r"expected p\(successes, trials\)"),
        ("p(k, ) ~ A", r"expected p\(successes, trials\)"),
    ],
)
def test_refused_with_the_reason(text, message):
    with pytest.raises(FormulaError, match=message):
        parse_formula(text)


@pytest.mark.parametrize(
    "right",
    [
        "A // B",
        "A[b]",
        "A) + B",
        "Error(s/A) + B) + C",
        "A + 1|s",
        "1|s",
        "A, B",
        "A ! B",
        "A < B",
        "A == B",
        "A`B`",
        "log(x)A",
        "log(x)log(z)",
    ],
)
def test_nothing_of_the_right_side_is_lost_in_silence(right):
    """The parser of the algebra stops at some of these and forgets what follows."""
    with pytest.raises(FormulaError):
        parse_formula(f"y ~ {right}")


@pytest.mark.parametrize("right", ["Error(1)", "Error(s + 1)", "(1|2)", "(2|s)"])
def test_a_number_for_a_unit_is_a_formula_error(right):
    with pytest.raises(FormulaError):
        parse_formula(f"y ~ A + {right}")


def test_the_message_shows_the_formula():
    with pytest.raises(FormulaError, match=r"'y ~ A \+ 2'"):
        parse_formula("y ~ A + 2")

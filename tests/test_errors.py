"""Errors and warnings: their classes and the hints in their messages."""

import inspect

import pytest

from bambi_anova import errors
from bambi_anova.errors import AnovaError, AnovaWarning, listing, nearest

CLASSES = [
    item
    for _, item in inspect.getmembers(errors, inspect.isclass)
    if item.__module__ == errors.__name__
]


def test_errors_are_value_errors_and_warnings_are_user_warnings():
    assert issubclass(AnovaError, ValueError)
    assert issubclass(AnovaWarning, UserWarning)
    assert {AnovaError, AnovaWarning} < set(CLASSES)
    for item in CLASSES:
        assert issubclass(item, AnovaWarning if item.__name__.endswith("Warning") else AnovaError)


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("condtion", ["trial", "condition"], "; did you mean 'condition'?"),
        ("RT", ["rat", "rt"], "; did you mean 'rt'?"),
        ("a", ["b", "c"], "; known: 'b', 'c'"),
        ("a", [], "; known: none"),
        ("a", [f"b{i}" for i in range(13)], "; known: " + ", ".join(f"'b{i}'" for i in range(12))),
    ],
)
def test_nearest(name, known, hint):
    found = nearest(name, iter(known))
    assert found == hint + (", ..." if len(known) > 12 else "")


@pytest.mark.parametrize(
    ("count", "text"), [(0, ""), (2, "0, 1"), (3, "0, 1, 2"), (4, "0, 1, 2, ... (4 in all)")]
)
def test_listing_cuts_long_lists_and_says_how_long_they_are(count, text):
    assert listing(range(count), limit=3) == text

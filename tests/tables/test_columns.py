"""The columns of all tables: every one that a table has is known, and of the right kind."""

import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.tables.columns import (
    CLASSICAL,
    COLUMNS,
    COMPARED_ANALYSES,
    COMPARED_FITS,
    COMPARED_MODELS,
    ESTIMATE,
    KRUSCHKE,
    LOO,
    MISFIT,
    RESERVED,
    SENSITIVITY,
    SHARE,
    TRUST,
    bound,
    kind_of,
)
from bambi_anova.tables.interval import Interval

TABLES = {
    "means": lambda result: result.means(rope=(-1, 1), comp_val=0),
    "deflections": lambda result: result.deflections(),
    "contrasts": lambda result: result.contrasts("nitrogen", by="variety", standardize="total"),
    "anova": lambda result: result.anova(ci_kind="eti"),
    "kruschke": lambda result: result.kruschke(),
    "probability": lambda result: result.probability("Victory > Marvellous", "variety"),
    "orders": lambda result: result.orders("variety", by="nitrogen"),
    "trust": lambda result: result.trust(),
    "predictive_check": lambda result: result.predictive_check("block"),
    "misfit": lambda result: result.misfit(),
    "loo": lambda result: result.loo("cell").table,
    "sensitivity": lambda result: result.sensitivity(),
    "compare_fits": lambda result: ba.compare_fits(result, result),
    "compare": lambda result: ba.compare({"one": result, "other": result}),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_column_of_a_table_is_known(name, quick_fit):
    table = TABLES[name](quick_fit("oats"))
    factors = {"variety", "nitrogen", "block"}
    unknown = [column for column in table.columns if kind_of(column) is None]
    assert set(unknown) <= factors
    # What stands beside factors cannot be a factor's name; "p" of tables of loo is refused there.
    if factors & set(table.columns):
        own = {column for column in table.columns if column not in factors and not bound(column)}
        assert own - RESERVED <= {"p"}


ORDERS = [
    CLASSICAL,
    COMPARED_ANALYSES,
    COMPARED_FITS,
    COMPARED_MODELS,
    KRUSCHKE,
    LOO,
    MISFIT,
    SENSITIVITY,
    TRUST,
]


@pytest.mark.parametrize("order", ORDERS)
def test_orders_are_of_known_columns(order):
    assert set(order) <= set(COLUMNS)
    assert len(set(order)) == len(order)


@pytest.mark.parametrize(
    "interval", [Interval(), Interval(0.5, "eti"), Interval(0.9999), Interval(1e-5)]
)
def test_bounds_are_those_of_the_interval(interval):
    for name, side in zip(interval.bounds, ("lb", "ub"), strict=True):
        parts = bound(name)
        assert (parts["of"], parts["kind"], parts["side"]) == ("", interval.kind, side)
        assert float(parts["prob"]) == pytest.approx(100 * interval.prob)
        assert (kind_of(name), kind_of(f"share_{name}")) == (ESTIMATE, SHARE)


@pytest.mark.parametrize("name", ["hdi", "etiology", "hdi95", "sigma_hdi", "my_hdi95_lb", "group"])
def test_users_columns_are_of_no_kind(name):
    assert bound(name) is None
    assert kind_of(name) is None


def test_every_column_has_a_meaning():
    table = pd.DataFrame(COLUMNS.values())
    assert table["meaning"].str.len().gt(0).all()
    assert table["name"].is_unique

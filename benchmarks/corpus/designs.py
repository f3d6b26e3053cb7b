"""Designs on which quick approximate fits are judged against long NUTS.

A design is a formula, a family, a *layout* (which rows there are) and a *truth* (how their
responses came about).  Everything is simulated with a seed made of the design's name, so a row
of the table below is all there is to know about it.  Factors are ``A``, ``B``, ``C`` with levels
``a1``, ``a2``, ...; units are ``s``, and ``item``, ``block`` and ``plot`` where there are others.
"""

from __future__ import annotations

from functools import partial

from benchmarks.corpus.design import Design, exponential, half_normal, normal
from benchmarks.corpus.layouts import Crossed, Nested, Shipped, Split
from benchmarks.corpus.nasties import NASTIES
from benchmarks.corpus.truths import Truth

_gaussian = partial(Design, family="gaussian")
_binary = partial(Design, family="bernoulli")
_binomial = partial(Design, family="binomial")
_count = partial(Design, family="poisson")

# fmt: off
_ORDINARY = [
    # Gaussian: noise of 1.
    _gaussian(
        "gaussian rich split plot", formula="y ~ A * B + Error(s/B)",
        layout=Split(20, "A2", "B3", copies=4), truth=Truth(10, sds={"s": 1, "s:B": 0.5})),
    _gaussian(
        "gaussian sparse split plot", formula="y ~ A * B + Error(s)",
        layout=Split(12, "A2", "B2"), truth=Truth(sds={"s": 1})),
    _gaussian(
        "gaussian unequal split plot", formula="y ~ A * B + Error(s/B)",
        layout=Split(41, "A3", "B2", copies=2, unequal=True, missing=0.15),
        truth=Truth(sds={"s": 0.7, "s:B": 0.4})),
    _gaussian(
        "gaussian between", formula="y ~ A + Error(s)",
        layout=Split(8, "A2", copies=3), truth=Truth(sds={"s": 0.5})),
    _gaussian(
        "gaussian within", formula="y ~ A * B + Error(s/(A*B))",
        layout=Split(8, within="A2 B3", copies=2),
        truth=Truth(sds={"s": 1, "s:A": 0.5, "s:B": 0.3, "s:A:B": 0.2})),
    _gaussian(
        "gaussian within, one row a cell", formula="y ~ A * B + Error(s/(A*B))",
        layout=Split(12, within="A2 B2"), truth=Truth(sds={"s": 1, "s:A": 0.3, "s:B": 0.6})),
    _gaussian(
        "gaussian 4 units", formula="y ~ A * B + Error(s/B)",
        layout=Split(4, "A2", "B2", copies=3), truth=Truth(sds={"s": 1, "s:B": 0.3})),
    _gaussian(
        "gaussian 6 units within", formula="y ~ A + Error(s)",
        layout=Split(6, within="A3"), truth=Truth(effect=1, sds={"s": 1})),
    _gaussian(
        "gaussian 400 units", formula="y ~ A * B + Error(s)",
        layout=Split(400, "A2", "B2"), truth=Truth(effect=0.2, sds={"s": 1})),
    _gaussian(
        "gaussian no units, 5 groups", formula="y ~ A",
        layout=Split(40, "A5"), truth=Truth(effect=1)),
    _gaussian(
        "gaussian no units, unequal", formula="y ~ A * B",
        layout=Split(24, "A2 B2", unequal=True), truth=Truth(100)),
    _gaussian(
        "gaussian units alike", formula="y ~ A * B + Error(s/B)",
        layout=Split(20, "A2", "B2", copies=3), truth=Truth(sds={"s": 0, "s:B": 0})),
    _gaussian(
        "gaussian units far apart", formula="y ~ A * B + Error(s)",
        layout=Split(12, "A2", "B3", copies=2), truth=Truth(sds={"s": 8})),
    _gaussian(
        "gaussian 3 factors", formula="y ~ A * B * C + Error(s/(B*C))",
        layout=Split(12, "A2", "B2 C3", copies=2),
        truth=Truth(sds={"s": 1, "s:B": 0.4, "s:C": 0.4, "s:B:C": 0.2})),
    _gaussian(
        "gaussian crossed 10x8", formula="y ~ A + (1|s) + (1|item)",
        layout=Crossed(10, 8, within="A2"), truth=Truth(sds={"s": 0.7, "item": 0.5})),
    _gaussian(
        "gaussian crossed 60x24", formula="y ~ A * B + (1|s) + (1|item)",
        layout=Crossed(60, 24, "A2", "B2"), truth=Truth(sds={"s": 0.7, "item": 0.4})),
    _gaussian(
        "gaussian varying slope", formula="y ~ A + dose + Error(s) + (dose||s)",
        layout=Split(20, "A2", copies=6),
        truth=Truth(sds={"s": 0.7, "dose|s": 0.3}, slopes={"dose": 0.4})),
    _gaussian(
        "gaussian covariate, own priors", formula="y ~ A * B + age + Error(s/B)",
        layout=Split(12, "A2", "B2", copies=2),
        truth=Truth(5, sds={"s": 0.7, "s:B": 0.3}, slopes={"age": 0.05}),
        priors={"Intercept": normal(5, 2), "s": half_normal(1), "s:B": half_normal(0.5)}),
    _gaussian(
        "gaussian empty cell", formula="y ~ A * B + Error(s)",
        layout=Split(12, "A2", "B3", copies=2, empty="A == 'a2' and B == 'b3'"),
        truth=Truth(sds={"s": 0.5})),
    _gaussian(
        "oats", formula="yield ~ variety * nitrogen + Error(block/variety)",
        layout=Shipped("oats")),
    # Binary rows.
    _binary(
        "bernoulli rich split plot", formula="y ~ A * B + Error(s/B)",
        layout=Split(20, "A2", "B2", copies=12), truth=Truth(sds={"s": 0.7, "s:B": 0.4})),
    _binary(
        "bernoulli 100 units, 4 rows each", formula="y ~ A * B + Error(s)",
        layout=Split(100, "A2", "B2", copies=2), truth=Truth(sds={"s": 1})),
    _binary(
        "bernoulli 400 units, 2 rows each", formula="y ~ A + Error(s)",
        layout=Split(400, "A2", copies=2), truth=Truth(-1, sds={"s": 1})),
    _binary(
        "bernoulli 400 units, 3 rows within", formula="y ~ A + Error(s)",
        layout=Split(400, within="A3"), truth=Truth(1, sds={"s": 1.5})),
    _binary(
        "bernoulli 4 units", formula="y ~ A + Error(s)",
        layout=Split(4, within="A2", copies=5), truth=Truth(sds={"s": 1})),
    _binary(
        "bernoulli 4 units split plot", formula="y ~ A * B + Error(s/B)",
        layout=Split(4, "A2", "B2", copies=6), truth=Truth(sds={"s": 0.7, "s:B": 0.5})),
    _binary(
        "bernoulli units far apart", formula="y ~ A * B + Error(s)",
        layout=Split(41, "A2", "B2", copies=3), truth=Truth(sds={"s": 3})),
    _binary(
        "bernoulli units alike", formula="y ~ A * B + Error(s)",
        layout=Split(20, "A2", "B2", copies=4), truth=Truth(sds={"s": 0})),
    _binary(
        "bernoulli cell of zeros", formula="y ~ A * B + Error(s)",
        layout=Split(12, "A2", "B2", copies=4),
        truth=Truth(sds={"s": 0.7}, forced={"A == 'a1' and B == 'b1'": 0})),
    _binary(
        "bernoulli cell of ones", formula="y ~ A * B + Error(s/B)",
        layout=Split(20, "A2", "B3", copies=4),
        truth=Truth(0.5, sds={"s": 0.7, "s:B": 0.3}, forced={"A == 'a2' and B == 'b3'": 1})),
    _binary(
        "bernoulli crossed 10x8", formula="y ~ A + (1|s) + (1|item)",
        layout=Crossed(10, 8, by_second="A2"), truth=Truth(sds={"s": 0.8, "item": 0.6})),
    _binary(
        "bernoulli crossed 60x24", formula="y ~ A * B + (1|s) + (1|item)",
        layout=Crossed(60, 24, "A2", "B2", missing=0.1),
        truth=Truth(0.5, sds={"s": 1, "item": 0.7})),
    _binary(
        "bernoulli no units", formula="y ~ A * B",
        layout=Split(48, "A3 B2"), truth=Truth(effect=1)),
    _binary(
        "bernoulli unequal groups", formula="y ~ A * B + Error(s)",
        layout=Split(41, "A3", "B2", copies=3, unequal=True, missing=0.2),
        truth=Truth(-1, sds={"s": 0.8})),
    _binary(
        "bernoulli probit", formula="y ~ A * B + Error(s)", link="probit",
        layout=Split(20, "A2", "B2", copies=5), truth=Truth(0.3, sds={"s": 0.6})),
    _binary(
        "bernoulli varying slope", formula="y ~ A + dose + Error(s) + (dose||s)",
        layout=Split(20, "A2", copies=12),
        truth=Truth(sds={"s": 0.5, "dose|s": 0.4}, slopes={"dose": 0.5})),
    _binary(
        "bernoulli 5 levels within", formula="y ~ A + Error(s/A)",
        layout=Split(12, within="A5", copies=6), truth=Truth(sds={"s": 0.7, "s:A": 0.4})),
    # Proportions.
    _binomial(
        "memory",
        formula="p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)",
        layout=Shipped("memory")),
    _binomial(
        "binomial rich split plot", formula="p(k, n) ~ A * B + Error(s/B)",
        layout=Split(20, "A2", "B3"),
        truth=Truth(-1, sds={"s": 0.6, "s:B": 0.3}, trials=(50, 50))),
    _binomial(
        "binomial 3 trials", formula="p(k, n) ~ A * B + Error(s/B)",
        layout=Split(12, "A2", "B2"), truth=Truth(sds={"s": 0.7, "s:B": 0.3}, trials=(3, 3))),
    _binomial(
        "binomial unequal trials", formula="p(k, n) ~ A * B + Error(s/B)",
        layout=Split(41, "A3", "B2", unequal=True, missing=0.2),
        truth=Truth(-0.5, sds={"s": 0.8, "s:B": 0.4}, trials=(1, 30))),
    _binomial(
        "binomial 4 units", formula="p(k, n) ~ A * B + Error(s)",
        layout=Split(4, "A2", "B2"), truth=Truth(sds={"s": 0.7}, trials=(15, 20))),
    _binomial(
        "binomial 6 units within", formula="p(k, n) ~ A * B + Error(s/(A*B))",
        layout=Split(6, within="A2 B2", copies=2),
        truth=Truth(sds={"s": 0.8, "s:A": 0.4, "s:B": 0.4, "s:A:B": 0.2}, trials=(12, 12))),
    _binomial(
        "binomial between, one row a unit", formula="p(k, n) ~ A + Error(s)",
        layout=Split(8, "A2"), truth=Truth(1, sds={"s": 0.6}, trials=(20, 40))),
    _binomial(
        "binomial no units", formula="p(k, n) ~ A",
        layout=Split(24, "A4", unequal=True), truth=Truth(effect=0.8, trials=(2, 12))),
    _binomial(
        "binomial cell of zeros", formula="p(k, n) ~ A * B + Error(s)",
        layout=Split(12, "A2", "B2"),
        truth=Truth(-1, sds={"s": 0.6}, trials=(8, 8), forced={"A == 'a1' and B == 'b1'": 0})),
    _binomial(
        "binomial level of ones", formula="p(k, n) ~ A + Error(s/A)",
        layout=Split(20, within="A3"),
        truth=Truth(0.5, sds={"s": 0.7, "s:A": 0.3}, trials=(5, 10), forced={"A == 'a3'": 1})),
    _binomial(
        "binomial units far apart", formula="p(k, n) ~ A * B + Error(s)",
        layout=Split(20, "A2", "B2"), truth=Truth(sds={"s": 3}, trials=(10, 10))),
    _binomial(
        "binomial units alike", formula="p(k, n) ~ A * B + Error(s/B)",
        layout=Split(20, "A2", "B2"), truth=Truth(sds={"s": 0, "s:B": 0}, trials=(25, 25))),
    _binomial(
        "binomial crossed 12x10", formula="p(k, n) ~ A * B + (1|s) + (1|item)",
        layout=Crossed(12, 10, "A2", "B2"),
        truth=Truth(sds={"s": 0.6, "item": 0.5}, trials=(4, 6))),
    _binomial(
        "binomial cloglog", formula="p(k, n) ~ A * B + Error(s)", link="cloglog",
        layout=Split(20, "A2", "B2"), truth=Truth(-0.8, sds={"s": 0.5}, trials=(15, 15))),
    _binomial(
        "binomial own priors", formula="p(k, n) ~ A * B + Error(s/B)",
        layout=Split(12, "A2", "B2"), truth=Truth(-1, sds={"s": 0.5, "s:B": 0.2}, trials=(20, 20)),
        priors={"Intercept": normal(-1, 1), "A": half_normal(1), "B": half_normal(1),
                "s": half_normal(1), "s:B": exponential(0.5)}),
    _binomial(
        "binomial 100 units", formula="p(k, n) ~ A * B + Error(s/B)",
        layout=Split(100, "A2", "B3"), truth=Truth(sds={"s": 0.8, "s:B": 0.4}, trials=(2, 8))),
    _binomial(
        "binomial plots in blocks", formula="p(k, n) ~ A * B + Error(block/plot)",
        layout=Nested(6, 3, by_second="A3", within="B2"),
        truth=Truth(sds={"block": 0.5, "block:plot": 0.4}, trials=(20, 30))),
    _binomial(
        "binomial 3 factors", formula="p(k, n) ~ A * B * C + Error(s/(B*C))",
        layout=Split(12, "A2", "B2 C2"),
        truth=Truth(sds={"s": 0.8, "s:B": 0.3, "s:C": 0.3, "s:B:C": 0.2}, trials=(12, 12))),
    _binomial(
        "binomial covariate", formula="p(k, n) ~ A * B + age + Error(s)",
        layout=Split(20, "A2", "B2"),
        truth=Truth(sds={"s": 0.6}, slopes={"age": 0.03}, trials=(10, 15))),
    # Counts; the base is the log of their mean.
    _count(
        "poisson rich split plot", formula="y ~ A * B + Error(s/B)",
        layout=Split(20, "A2", "B3", copies=2), truth=Truth(3, sds={"s": 0.5, "s:B": 0.2})),
    _count(
        "poisson sparse split plot", formula="y ~ A * B + Error(s/B)",
        layout=Split(12, "A2", "B2", copies=2), truth=Truth(-0.5, sds={"s": 0.5, "s:B": 0.2})),
    _count(
        "poisson unequal groups", formula="y ~ A * B + Error(s/B)",
        layout=Split(41, "A3", "B2", copies=2, unequal=True, missing=0.2),
        truth=Truth(1, sds={"s": 0.6, "s:B": 0.3})),
    _count(
        "poisson 4 units", formula="y ~ A * B + Error(s/B)",
        layout=Split(4, "A2", "B2", copies=3), truth=Truth(1.5, sds={"s": 0.5, "s:B": 0.2})),
    _count(
        "poisson between, one row a unit", formula="y ~ A + Error(s)",
        layout=Split(12, "A3"), truth=Truth(2, sds={"s": 0.5})),
    _count(
        "poisson within", formula="y ~ A * B + Error(s/(A*B))",
        layout=Split(8, within="A2 B2", copies=2),
        truth=Truth(2, sds={"s": 0.6, "s:A": 0.3, "s:B": 0.3, "s:A:B": 0.2})),
    _count(
        "poisson no units", formula="y ~ A * B",
        layout=Split(30, "A2 B3"), truth=Truth(1)),
    _count(
        "poisson cell of zeros", formula="y ~ A * B + Error(s)",
        layout=Split(12, "A2", "B2", copies=2),
        truth=Truth(0.5, sds={"s": 0.4}, forced={"A == 'a1' and B == 'b1'": 0})),
    _count(
        "poisson level of zeros within", formula="y ~ A + Error(s/A)",
        layout=Split(20, within="A3", copies=2),
        truth=Truth(1, sds={"s": 0.5, "s:A": 0.3}, forced={"A == 'a1'": 0})),
    _count(
        "poisson units alike", formula="y ~ A * B + Error(s)",
        layout=Split(20, "A2", "B2", copies=2), truth=Truth(1.5, sds={"s": 0})),
    _count(
        "poisson units far apart", formula="y ~ A * B + Error(s)",
        layout=Split(20, "A2", "B2", copies=2), truth=Truth(1, sds={"s": 2})),
    _count(
        "poisson exposure", formula="y ~ A * B + offset(log(hours)) + Error(s)",
        layout=Split(20, "A2", "B2", copies=3), truth=Truth(0.5, sds={"s": 0.5}, hours=(0.5, 8))),
    _count(
        "poisson crossed 24x16", formula="y ~ A * B + (1|s) + (1|item)",
        layout=Crossed(24, 16, "A2", "B2"), truth=Truth(0.5, sds={"s": 0.5, "item": 0.4})),
    _count(
        "poisson 100 units", formula="y ~ A * B + Error(s/B)",
        layout=Split(100, "A2", "B2", copies=2), truth=Truth(0.5, sds={"s": 0.6, "s:B": 0.3})),
    _count(
        "poisson 400 sparse units", formula="y ~ A * B + Error(s)",
        layout=Split(400, "A2", "B2"), truth=Truth(-0.7, sds={"s": 0.7})),
    _count(
        "poisson varying slope", formula="y ~ A + dose + Error(s) + (dose||s)",
        layout=Split(20, "A2", copies=6),
        truth=Truth(1, sds={"s": 0.4, "dose|s": 0.2}, slopes={"dose": 0.2})),
    _count(
        "poisson own priors", formula="y ~ A * B + Error(s)",
        layout=Split(8, "A2", "B2", copies=2), truth=Truth(1, sds={"s": 0.5}),
        priors={"Intercept": normal(1, 1), "s": exponential(0.5), "A": exponential(1)}),
    _count(
        "poisson classes in schools", formula="y ~ A * B + Error(block/plot)",
        layout=Nested(8, 4, "A2", "B2", copies=3),
        truth=Truth(1.5, sds={"block": 0.4, "block:plot": 0.3})),
    _count(
        "poisson 5 x 4 levels", formula="y ~ A * B + Error(s)",
        layout=Split(20, "A5", "B4"), truth=Truth(1.5, sds={"s": 0.4})),
]
# fmt: on

DESIGNS: dict[str, Design] = {design.name: design for design in [*_ORDINARY, *NASTIES]}


def chosen(names: list[str] | None) -> list[Design]:
    """Return the designs of some names, all by default, and stop at a name that there is not."""
    unknown = [name for name in names or [] if name not in DESIGNS]
    if unknown:
        raise SystemExit(f"no such design: {', '.join(unknown)}\nknown: {', '.join(DESIGNS)}")
    return [DESIGNS[name] for name in names or DESIGNS]

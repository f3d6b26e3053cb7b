"""Designs on which fits are known to go wrong, or could.

Few units, outliers, huge scales, priors that the data contradict, heavy-tailed and bounded priors,
likelihoods with several modes, many terms.
"""

from __future__ import annotations

from functools import partial

import bambi as bmb

from benchmarks.corpus.design import Design, exponential, half_normal, normal
from benchmarks.corpus.layouts import Crossed, Nested, Split
from benchmarks.corpus.truths import Truth

_prior = bmb.Prior
_gaussian = partial(Design, family="gaussian")
_student = partial(Design, family="t")
_binary = partial(Design, family="bernoulli")
_binomial = partial(Design, family="binomial")
_count = partial(Design, family="poisson")

# fmt: off
NASTIES = [
    # Few units.
    _gaussian(
        "few: gaussian 2 units within", formula="y ~ A + Error(s)",
        layout=Split(2, within="A2", copies=5), truth=Truth(sds={"s": 1})),
    _gaussian(
        "few: gaussian 3 units, two strata", formula="y ~ A + Error(s/A)",
        layout=Split(3, within="A3", copies=4), truth=Truth(sds={"s": 1, "s:A": 0.4})),
    _gaussian(
        "few: gaussian 2 units a group", formula="y ~ A + Error(s)",
        layout=Split(4, "A2", copies=2), truth=Truth(sds={"s": 1})),
    _gaussian(
        "few: gaussian 3 blocks of 2 plots", formula="y ~ A + Error(block/plot)",
        layout=Nested(3, 2, by_second="A2", copies=3),
        truth=Truth(sds={"block": 0.7, "block:plot": 0.5})),
    _binary(
        "few: bernoulli 3 units", formula="y ~ A + Error(s)",
        layout=Split(3, within="A2", copies=6), truth=Truth(sds={"s": 1})),
    _binomial(
        "few: binomial 2 units a group", formula="p(k, n) ~ A + Error(s)",
        layout=Split(4, "A2"), truth=Truth(sds={"s": 0.6}, trials=(15, 25))),
    _binomial(
        "few: binomial 5 districts", formula="p(k, n) ~ A + Error(s)",
        layout=Split(5, within="A2"), truth=Truth(-1, sds={"s": 0.5}, trials=(40, 80))),
    _count(
        "few: poisson 3 sites", formula="y ~ A + Error(s)",
        layout=Split(3, within="A2", copies=3), truth=Truth(2, sds={"s": 0.4})),
    _count(
        "few: poisson 5 sites of 3 traps", formula="y ~ A + Error(s/A)",
        layout=Split(5, within="A3", copies=4), truth=Truth(2, sds={"s": 0.4, "s:A": 0.2})),
    # Outliers.
    _gaussian(
        "outliers: gaussian row", formula="y ~ A * B + Error(s/B)",
        layout=Split(12, "A2", "B2", copies=3),
        truth=Truth(sds={"s": 0.7, "s:B": 0.3}, outliers=1)),
    _gaussian(
        "outliers: gaussian unit", formula="y ~ A * B + Error(s)",
        layout=Split(12, "A2", "B2", copies=2), truth=Truth(sds={"s": 0.5}, far=12)),
    _student(
        "outliers: t rows", formula="y ~ A * B + Error(s)",
        layout=Split(12, "A2", "B2", copies=4), truth=Truth(sds={"s": 0.7}, outliers=5)),
    _student(
        "outliers: t rows, few units", formula="y ~ A + Error(s)",
        layout=Split(4, within="A2", copies=5), truth=Truth(sds={"s": 0.7}, outliers=2)),
    _student(
        "outliers: t without any", formula="y ~ A + Error(s)",
        layout=Split(10, "A2", copies=6), truth=Truth(sds={"s": 0.7})),
    _count(
        "outliers: poisson row", formula="y ~ A * B + Error(s)",
        layout=Split(12, "A2", "B2", copies=2), truth=Truth(1, sds={"s": 0.5}, outliers=1)),
    _binomial(
        "outliers: binomial unit", formula="p(k, n) ~ A * B + Error(s)",
        layout=Split(12, "A2", "B2"), truth=Truth(sds={"s": 0.4}, far=-4, trials=(20, 20))),
    # Huge and tiny scales.
    _gaussian(
        "scale: gaussian in millions", formula="y ~ A * B + Error(s)",
        layout=Split(12, "A2", "B2", copies=2), truth=Truth(3, sds={"s": 1}, factor=1e6)),
    _gaussian(
        "scale: gaussian in millionths", formula="y ~ A * B + Error(s)",
        layout=Split(12, "A2", "B2", copies=2), truth=Truth(3, sds={"s": 1}, factor=1e-6)),
    _gaussian(
        "scale: gaussian far from zero", formula="y ~ A * B + Error(s)",
        layout=Split(12, "A2", "B2", copies=2), truth=Truth(1e6, sds={"s": 1})),
    _gaussian(
        "scale: gaussian huge effects", formula="y ~ A * B + Error(s/B)",
        layout=Split(12, "A2", "B2", copies=2), truth=Truth(effect=300, sds={"s": 1, "s:B": 1})),
    _count(
        "scale: poisson huge counts", formula="y ~ A * B + Error(s)",
        layout=Split(12, "A2", "B2"), truth=Truth(11, sds={"s": 0.5})),
    _count(
        "scale: poisson tiny rates", formula="y ~ A + Error(s)",
        layout=Split(30, "A2", copies=8), truth=Truth(-3.5, sds={"s": 0.7})),
    _binomial(
        "scale: binomial thousands of trials", formula="p(k, n) ~ A * B + Error(s/B)",
        layout=Split(12, "A2", "B2"),
        truth=Truth(sds={"s": 0.5, "s:B": 0.2}, trials=(20_000, 50_000))),
    _binomial(
        "scale: binomial rare events", formula="p(k, n) ~ A + Error(s)",
        layout=Split(20, "A2"), truth=Truth(-6.5, sds={"s": 0.7}, trials=(500, 900))),
    # Priors that the data contradict.
    _gaussian(
        "conflict: gaussian units far apart, prior of none", formula="y ~ A + Error(s)",
        layout=Split(10, "A2", copies=3), truth=Truth(sds={"s": 3}),
        priors={"s": half_normal(0.1)}),
    _gaussian(
        "conflict: gaussian sigma of units near zero", formula="y ~ A + Error(s)",
        layout=Split(8, "A2", copies=4), truth=Truth(sds={"s": 2}),
        priors={"s": _prior("LogNormal", mu=-3.5, sigma=0.5)}),
    _gaussian(
        "conflict: gaussian residual too small", formula="y ~ A + Error(s)",
        layout=Split(8, within="A2", copies=2), truth=Truth(sds={"s": 1}, noise=2),
        priors={"sigma": half_normal(0.2)}),
    _gaussian(
        "conflict: gaussian intercept elsewhere", formula="y ~ A * B + Error(s)",
        layout=Split(8, "A2", "B2", copies=2), truth=Truth(20, sds={"s": 1}),
        priors={"Intercept": normal(0, 1)}),
    _gaussian(
        "conflict: gaussian effect against a small sigma", formula="y ~ A + Error(s)",
        layout=Split(20, "A2", copies=2), truth=Truth(effect=3, sds={"s": 0.5}),
        priors={"A": _prior("LogNormal", mu=-3, sigma=0.5)}),
    _binomial(
        "conflict: binomial intercept elsewhere", formula="p(k, n) ~ A * B + Error(s)",
        layout=Split(12, "A2", "B2"), truth=Truth(3, sds={"s": 0.5}, trials=(20, 20)),
        priors={"Intercept": normal(-2, 0.3)}),
    _binomial(
        "conflict: binomial units far apart, prior of none", formula="p(k, n) ~ A + Error(s)",
        layout=Split(10, "A2"), truth=Truth(sds={"s": 2}, trials=(10, 10)),
        priors={"s": _prior("InverseGamma", alpha=3, beta=0.05)}),
    _count(
        "conflict: poisson units far apart, prior of none", formula="y ~ A * B + Error(s)",
        layout=Split(12, "A2", "B2"), truth=Truth(1.5, sds={"s": 1.2}),
        priors={"s": exponential(0.05)}),
    # Heavy-tailed and bounded priors.
    _gaussian(
        "prior: gaussian 3 units, half-Cauchy", formula="y ~ A + Error(s)",
        layout=Split(3, within="A2", copies=3), truth=Truth(sds={"s": 1}),
        priors={"s": _prior("HalfCauchy", beta=1), "A": _prior("HalfCauchy", beta=1)}),
    _gaussian(
        "prior: gaussian 2 units, inverse gamma", formula="y ~ A + Error(s)",
        layout=Split(2, within="A2", copies=4), truth=Truth(sds={"s": 1}),
        priors={"s": _prior("InverseGamma", alpha=1, beta=1)}),
    _gaussian(
        "prior: gaussian half-t", formula="y ~ A * B + Error(s)",
        layout=Split(6, "A2", "B2", copies=2), truth=Truth(sds={"s": 1}),
        priors={name: _prior("HalfStudentT", nu=3, sigma=2) for name in ("A", "B", "s")}),
    _gaussian(
        "prior: gaussian uniform, units beyond it", formula="y ~ A + Error(s)",
        layout=Split(10, "A2", copies=3), truth=Truth(sds={"s": 3}),
        priors={"s": _prior("Uniform", lower=0, upper=1)}),
    _gaussian(
        "prior: gaussian truncated normal", formula="y ~ A + Error(s)",
        layout=Split(8, "A2", copies=3), truth=Truth(sds={"s": 0.2}),
        priors={"s": _prior("TruncatedNormal", mu=0.5, sigma=1, lower=0.3, upper=2)}),
    _binomial(
        "prior: binomial 4 units, half-Cauchy", formula="p(k, n) ~ A + Error(s)",
        layout=Split(4, "A2"), truth=Truth(sds={"s": 0.7}, trials=(10, 20)),
        priors={"s": _prior("HalfCauchy", beta=1), "A": _prior("HalfCauchy", beta=1)}),
    _binomial(
        "prior: binomial uniform", formula="p(k, n) ~ A * B + Error(s)",
        layout=Split(8, "A2", "B2"), truth=Truth(sds={"s": 1}, trials=(10, 10)),
        priors={"s": _prior("Uniform", lower=0, upper=0.5),
                "A": _prior("Uniform", lower=0, upper=20)}),
    _count(
        "prior: poisson gamma of small shape", formula="y ~ A + Error(s)",
        layout=Split(8, within="A2"), truth=Truth(2, sds={"s": 0.3}),
        priors={"s": _prior("Gamma", alpha=0.2, beta=0.2)}),
    _count(
        "prior: poisson half-Cauchy, zeros in a cell", formula="y ~ A + Error(s)",
        layout=Split(6, within="A2", copies=2),
        truth=Truth(1, sds={"s": 0.5}, forced={"A == 'a1'": 0}),
        priors={"s": _prior("HalfCauchy", beta=1), "A": _prior("HalfCauchy", beta=1)}),
    # Several modes: clusters under a t likelihood.
    _student(
        "clusters: t in one of two groups", formula="y ~ A",
        layout=Split(24, "A2"), truth=Truth(clusters={"A == 'a1'": 12}, noise=0.5)),
    _student(
        "clusters: t in both groups", formula="y ~ A",
        layout=Split(20, "A2"), truth=Truth(clusters={"A == 'a1' or A == 'a2'": 20}, noise=0.5)),
    _student(
        "clusters: t in one of three groups", formula="y ~ A",
        layout=Split(21, "A3", unequal=True), truth=Truth(clusters={"A == 'a3'": 30}, noise=0.3),
        priors={"nu": 1.0}),
    _student(
        "clusters: t within units", formula="y ~ A + Error(s)",
        layout=Split(6, within="A2", copies=4),
        truth=Truth(sds={"s": 0.3}, clusters={"A == 'a2'": 15}, noise=0.3)),
    # Many terms, many units.
    _gaussian(
        "many: gaussian 4 factors of 3 levels", formula="y ~ A * B * C * D",
        layout=Split(162, "A3 B3 C3 D3"), truth=Truth(effect=0.7)),
    _binomial(
        "many: binomial crossed 12x10, 2 x 3 cells", formula="p(k, n) ~ A * B + (1|s) + (1|item)",
        layout=Crossed(12, 10, "A2", "B3"), truth=Truth(sds={"s": 1, "item": 1}, trials=(1, 3))),
    _gaussian(
        "many: body weights, random slopes", formula="y ~ A * week + Error(s) + (week||s)",
        layout=Split(16, "A3", copies=11),
        truth=Truth(400, 100, sds={"s": 35, "week|s": 2}, slopes={"week": 4}, noise=6)),
    _binary(
        "many: 500 sparse binary units", formula="y ~ A * B + Error(s)",
        layout=Split(500, "A2", "B2"), truth=Truth(-2.5, sds={"s": 1.5})),
]
# fmt: on

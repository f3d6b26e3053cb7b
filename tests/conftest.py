"""Small designs that the tests share; every fixture is a fresh frame."""

import warnings
from itertools import product
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

import bambi_anova as ba
from bambi_anova.data.rows import read_rows
from bambi_anova.design.advice import check_design
from bambi_anova.design.build import build_design
from bambi_anova.errors import AnovaWarning
from bambi_anova.families.registry import get_family
from bambi_anova.formula.parse import parse_formula
from bambi_anova.screening.screen import warn_of_trials

settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def read():
    """From a formula and data to the coded rows."""

    def read(text, data, family="gaussian", **options):
        return read_rows(parse_formula(text), data, get_family(family), **options)

    return read


@pytest.fixture(scope="session")
def build(read):
    """From a formula and data to the design."""

    def build(text, data, family="gaussian", **options):
        rows = read(text, data, family, **options)
        return build_design(parse_formula(text), rows, get_family(family))

    return build


@pytest.fixture(scope="session")
def check(build):
    """From a formula and data to the warnings, as a list of (class, message)."""

    def check(text, data, family="gaussian", **options):
        design = build(text, data, family, **options)
        known = get_family(family)
        trials = warn_of_trials(SimpleNamespace(design=design, family=known))
        found = [*check_design(design, known), *trials]
        return [(type(warning), str(warning)) for warning in found]

    return check


@pytest.fixture
def split_plot():
    """12 subjects, 6 in each group, do both tasks three times: 72 rows."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        product(range(12), ["x", "y"], range(3)), columns=["subject", "task", "attempt"]
    )
    size = len(frame)
    return frame.assign(
        group=np.where(frame["subject"] < 6, "A", "B"),
        subject=[f"s{number:02d}" for number in frame["subject"]],
        y=rng.normal(10, 2, size),
        dose=rng.uniform(0, 5, size),
        hits=rng.integers(1, 6, size),
        shown=rng.integers(5, 9, size),
    )


@pytest.fixture
def within():
    """8 subjects, each once in every cell of A x B: 32 rows."""
    frame = pd.DataFrame(product(range(8), ["a1", "a2"], ["b1", "b2"]), columns=["s", "A", "B"])
    return frame.assign(y=np.random.default_rng(2).normal(size=len(frame)))


@pytest.fixture
def plots():
    """4 blocks of 3 plots, a variety on each plot, 2 doses on its subplots, twice: 48 rows."""
    frame = pd.DataFrame(product("IJKL", range(3), ["lo", "hi"], range(2)))
    frame.columns = ["block", "plot", "feed", "copy"]
    return frame.assign(
        variety=frame["plot"].map({0: "u", 1: "v", 2: "w"}),
        y=np.random.default_rng(3).normal(size=len(frame)),
    )


@pytest.fixture
def crossed():
    """6 subjects by 8 items; half of the items are of each kind: 48 rows."""
    frame = pd.DataFrame(product(range(6), range(8)), columns=["subject", "item"])
    return frame.assign(
        kind=np.where(frame["item"] < 4, "noun", "verb"),
        group=np.where(frame["subject"] < 3, "A", "B"),
        y=np.random.default_rng(4).normal(size=len(frame)),
    )


ENCOURAGEMENT = [
    "No encouragement at all",
    "Weekly encouraging message",
    "Daily encouraging phone call",
]
MODALITY = ["Spoken presentation aloud", "Written presentation on paper"]
DELAY = ["Immediately after learning", "One week after learning it"]


def recall():
    """36 people in 3 groups recall words, 3 times in each of 2 x 2 cells with long names."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        product(range(36), MODALITY, DELAY, range(3)),
        columns=["person", "modality", "delay", "attempt"],
    )
    group = frame["person"] % 3
    late = frame["delay"] == DELAY[1]
    written = frame["modality"] == MODALITY[1]
    person, by_modality = rng.normal(0, 2, 36), rng.normal(0, 1, (36, 2))
    mean = 20 + 1.5 * group - 3 * late + 1.5 * (late & written) + person[frame["person"]]
    mean += by_modality[frame["person"], written.astype(int)]
    return frame.assign(
        encouragement=[ENCOURAGEMENT[i] for i in group],
        age=rng.normal(40, 10, 36)[frame["person"]],
        words=mean + rng.normal(0, 1.5, len(frame)),
    )


TREATMENT = [
    "Waiting list control group",
    "Cognitive behavioural therapy",
    "Psychodynamic short therapy",
    "Medication and counselling",
]
TIME = ["before treatment", "after treatment", "six months follow-up", "two years follow-up"]


def log_rt():
    """20 subjects answer 4 times in each of 2 x 3 cells; effects are small, ticks are long."""
    rng = np.random.default_rng(5)
    kinds, delays = ["congruent", "incongruent"], ["short", "medium", "long"]
    frame = pd.DataFrame(
        product(range(20), kinds, delays, range(4)), columns=["subject", "kind", "delay", "copy"]
    )
    mean = 6.2 + rng.normal(0, 0.2, 20)[frame["subject"]] + 0.08 * (frame["kind"] == kinds[1])
    return frame.assign(rt=np.exp(mean + rng.normal(0, 0.2, len(frame))))


def ordered_time():
    """48 patients in 4 x 2 groups with long names, each at 4 times, an ordered category."""
    rng = np.random.default_rng(6)
    frame = pd.DataFrame(product(range(48), TIME), columns=["patient", "time"])
    group, when = frame["patient"] % 4, frame["time"].map(TIME.index)
    mean = 30 - 2 * when - 1.5 * group * (when > 0) + rng.normal(0, 4, 48)[frame["patient"]]
    clinics = np.array(["Rural practice", "University hospital"])
    return frame.assign(
        treatment=[TREATMENT[i] for i in group],
        clinic=clinics[frame["patient"] // 4 % 2],
        time=pd.Categorical(frame["time"], TIME, ordered=True),
        score=mean + rng.normal(0, 3, len(frame)),
    )


def few_units():
    """Counts at 5 sites, 4 nights at each of 3 traps."""
    rng = np.random.default_rng(7)
    traps = ["control", "baited", "baited and lit"]
    frame = pd.DataFrame(product(range(5), traps, range(4)), columns=["site", "trap", "night"])
    rate = 2 + rng.normal(0, 0.4, 5)[frame["site"]] + 0.5 * (frame["trap"] != "control")
    return frame.assign(
        moths=rng.poisson(np.exp(rate)), site=[f"site {i + 1}" for i in frame["site"]]
    )


def _without_a_cell(frame):
    gone = (frame["encouragement"] == ENCOURAGEMENT[0]) & (frame["delay"] == DELAY[1])
    return frame[~gone]


#: Name: formula, data, family of the designs that figures, tables and reports are tried on.
PRESENTED = {
    "memory": (
        "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)",
        lambda: ba.load_data("memory"),
        "binomial",
    ),
    "oats": (
        "yield ~ variety * nitrogen + Error(block/variety)",
        lambda: ba.load_data("oats"),
        "gaussian",
    ),
    "recall": (
        "words ~ encouragement * modality * delay + Error(person/modality)",
        recall,
        "gaussian",
    ),
    "covariate": ("words ~ encouragement * age + Error(person)", recall, "gaussian"),
    "no units": (
        "words ~ encouragement",
        lambda: recall().groupby(["person", "encouragement"], as_index=False)["words"].mean(),
        "gaussian",
    ),
    "no factors": ("words ~ 1 + Error(person)", recall, "gaussian"),
    "log rt": (
        "log(rt) ~ kind * delay + Error(subject/(kind*delay))",
        log_rt,
        "gaussian",
    ),
    "ordered time": (
        "score ~ treatment * clinic * time + Error(patient)",
        ordered_time,
        "gaussian",
    ),
    "few units": ("moths ~ trap + Error(site/trap)", few_units, "poisson"),
    "empty cell": (
        "words ~ encouragement * delay + Error(person)",
        lambda: _without_a_cell(recall()),
        "gaussian",
    ),
}


@pytest.fixture(scope="session")
def quick_fit():
    """From the name of a design to its quick fit, made once."""
    done = {}

    def quick_fit(name):
        if name not in done:
            formula, data, family = PRESENTED[name]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AnovaWarning)
                model = ba.Model(formula, data(), family=family)
                done[name] = model.fit("laplace", random_seed=1, progressbar=False)
        return done[name]

    return quick_fit

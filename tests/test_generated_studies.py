"""Any study gives a result, or an error of ours: never another's, and it ends."""

import signal
import warnings
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bambi_anova as ba
from bambi_anova.errors import AnovaError, AnovaWarning, DataError
from tests.generated_studies import PLAIN, study

#: Studies that once fell.
FELL = [30, 112, 168, 185, 411, 527, 1226, 1509, 1610, 1723, 2521]


@contextmanager
def at_most(seconds):
    """Raise what is no error of ours if something does not end."""

    def stop(*_):
        raise TimeoutError(f"still running after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def result_of(formula, data, **options):
    """Fit and print everything; of errors only ours are let pass, and return None."""
    with warnings.catch_warnings(), at_most(120):
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", AnovaWarning)
        try:
            model = ba.Model(formula, data, **options)
            repr(model)
            result = model.fit("laplace", draws=60, random_seed=1, progressbar=False)
            for own in (result, result.means(), result.anova(), result.trust()):
                str(own)
            for name in result.design.levels:
                str(result.means(name, population="finite"))
                str(result.contrasts(name))
        except AnovaError:
            return None
    return result


@pytest.mark.slow
@pytest.mark.parametrize("seed", FELL)
def test_studies_that_fell_stand(seed):
    own = study(seed)
    result_of(own.formula, own.data, **own.options)


@pytest.mark.slow
@settings(max_examples=300)
@given(st.integers(2000, 1_000_000))
def test_any_study_gives_a_result_or_an_error_of_ours(seed):
    own = study(seed)
    result_of(own.formula, own.data, **own.options)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.integers(0, 1_000_000))
def test_plain_studies_too(seed):
    own = study(seed, PLAIN)
    result_of(own.formula, own.data, **own.options)


def rows():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"A": list("ab") * 6, "x": rng.normal(size=12), "n": 9})
    return frame.assign(y=rng.normal(size=12), hits=rng.integers(1, 6, 12), hours=1e5)


def test_exposures_without_their_log_are_refused():
    for family, left in (("poisson", "hits"), ("binomial", "p(hits, n)")):
        with pytest.raises(DataError, match=r"by their logs, as in offset\(log\(hours\)\)"):
            ba.Model(f"{left} ~ A + offset(hours)", rows(), family=family)
    ba.Model("hits ~ A + offset(log(hours))", rows(), family="poisson")
    ba.Model("y ~ A + offset(hours)", rows(), family="gaussian")


@pytest.mark.parametrize("column", ["x", "y"])
def test_numbers_whose_squares_vanish_are_refused(column):
    frame = rows()
    frame[column] *= 1e-160
    with pytest.raises(DataError, match=f"'{column}': numbers of at most .*e-160 vanish"):
        ba.Model("y ~ A + x", frame, family="gaussian")


def test_models_say_how_to_get_what_results_have():
    model = ba.Model("y ~ A", rows(), family="gaussian")
    for name in ("means", "summary", "plot", "verdict"):
        with pytest.raises(AttributeError, match=f"result = model.fit.*result.{name}"):
            getattr(model, name)
    with pytest.raises(AttributeError, match="no attribute 'maens'"):
        model.maens  # noqa: B018

"""Threads of our own, and those of the linear algebra library meanwhile."""

import sys
from concurrent.futures import ThreadPoolExecutor

import bambi as bmb
import numpy as np
import pytest
from scipy import stats
from threadpoolctl import threadpool_info, threadpool_limits

import bambi_anova as ba
from bambi_anova.engine.latent import mode
from bambi_anova.engine.latent.hyperparameters import make_hyperparameter
from bambi_anova.engine.threads import on_all_cores, one_blas_thread


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


@pytest.fixture
def two_threads():
    np.linalg.inv(np.eye(2))
    with threadpool_limits(limits=2, user_api="blas"):
        before = blas_threads()
        yield before
        assert blas_threads() == before


def test_what_blas_had_comes_back(two_threads):
    with one_blas_thread():
        assert set(blas_threads()) == {1}
    assert blas_threads() == two_threads
    with pytest.raises(KeyError), one_blas_thread():
        raise KeyError
    assert blas_threads() == two_threads


def test_the_last_of_several_fits_restores_it(two_threads):
    first, second = one_blas_thread(), one_blas_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(blas_threads()) == {1}
    second.__exit__(None, None, None)
    assert blas_threads() == two_threads


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
def test_a_fit_holds_blas_at_one_thread(two_threads, monkeypatch):
    seen, find = set(), mode.ModeFinder.__call__

    def watched(self, *args, **kwargs):
        seen.update(blas_threads())
        return find(self, *args, **kwargs)

    monkeypatch.setattr(mode.ModeFinder, "__call__", watched)
    oats = ba.load_data("oats")
    model = ba.Model("yield ~ variety + Error(block/variety)", oats)
    model.fit("laplace", draws=10, chains=1, random_seed=1, progressbar=False)
    assert seen == {1}
    assert blas_threads() == two_threads


def test_pieces_come_back_in_order():
    pieces = [slice(i, i + 1) for i in range(20)]
    assert on_all_cores(lambda piece: piece.start, pieces) == list(range(20))


@pytest.fixture
def restless():
    """Threads that change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_priors_compiled_by_pytensor_are_called_in_turn(restless):
    prior = make_hyperparameter(
        "a", bmb.Prior("SkewNormal", mu=0.0, sigma=1.0, alpha=2.0), positive=False
    )
    places = np.linspace(-2, 2, 400)
    exact = [float(stats.skewnorm(2).logpdf(place)) for place in places]

    def found(place):
        return float(prior.log_prior(np.array([place]))[0])

    with ThreadPoolExecutor(4) as pool:
        np.testing.assert_allclose(list(pool.map(found, places)), exact, atol=1e-9)

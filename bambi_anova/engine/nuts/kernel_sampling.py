"""NUTS on the whitened coordinates of a latent Gaussian model: nothing to compile for a model.

nutpie runs the chains in threads of its own and calls the compiled log density by its address;
the interpreter has no part in it.

Letters: P core coordinates, B blocks, D coordinates a block, H hyperparameters, N parameters,
K points to start from.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bambi_anova.engine.latent.model import LatentModel
from bambi_anova.engine.nuts.packing import pack
from bambi_anova.engine.nuts.whitening import Whitening, draw_start, whiten
from bambi_anova.engine.threads import one_blas_thread
from bambi_anova.errors import UnsupportedError

Array = np.ndarray
Point = tuple[Array, Array, Array]

#: Acceptance rates to aim at: the first is fast; where a cell never fails, or there are few
#: units, it may diverge, and the run is repeated with smaller steps.
TARGETS = (0.9, 0.98)
#: Whitened coordinates have much the same scale, so a metric from the draws alone will do.
ADAPTATION = "draw_diag"


@dataclass(frozen=True)
class LatentSample:
    """Draws, in the units of ``LatentModel.log_density``.

    Attributes
    ----------
    u : ndarray, shape (H, chains, draws)
    core : ndarray, shape (P, chains, draws)
    units : ndarray, shape (B, D, chains, draws)
    diverging : ndarray of bool, shape (chains, draws)
    steps : ndarray of int, shape (chains, draws)
        Leapfrog steps of each draw.
    tuning_steps : int
        Leapfrog steps before the first draw, all chains together.
    step_size : ndarray, shape (chains,)
        Of each chain's last draw.
    target_accept : float
        The acceptance rate that was aimed at.
    whitening_seconds, compiling_seconds, sampling_seconds : float
        Finding the mode; loading the compiled kernel (on its very first run: compiling it);
        all runs of the sampler, tuning included.
    """

    u: Array
    core: Array
    units: Array
    diverging: Array
    steps: Array
    tuning_steps: int
    step_size: Array
    target_accept: float
    whitening_seconds: float
    compiling_seconds: float
    sampling_seconds: float

    @property
    def divergences(self) -> int:
        """Divergent transitions after tuning."""
        return int(self.diverging.sum())

    @property
    def tuning_seconds(self) -> float:
        """About how much of the last run went into tuning, by its share of the steps."""
        share = self.tuning_steps / (self.tuning_steps + self.steps.sum())
        return float(share) * self.sampling_seconds


def sample_latent(
    model: LatentModel,
    *,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    random_seed: int | None = None,
    progressbar: bool = False,
    target_accept: float | None = None,
    start: Point | None = None,
    cores: int | None = None,
    **options: Any,
) -> LatentSample:
    """Sample the posterior of a latent Gaussian model by NUTS.

    Parameters
    ----------
    model : LatentModel
    draws, tune, chains : int
    random_seed : int, optional
        The same seed gives the same draws, however many cores there are.
    progressbar : bool
    target_accept : float, optional
        By default 0.9, and if that leaves divergences, once more 0.98.
    start : tuple of ndarray, shapes (H, K), (P, K) and (B, D, K), optional
        Points u, core and units of which each chain takes one at random, such as draws of a quick
        fit; by default each chain starts near a mode of the hyperparameters.
    cores : int, optional
        Chains to run at a time; all cores by default.
    **options
        Of ``nutpie.sample``, such as ``maxdepth``.

    Raises
    ------
    UnsupportedError
        If the kernel lacks the likelihood, or too many coordinates cross the units.
    """
    started = time.perf_counter()
    with one_blas_thread():
        whitening, peaks = whiten(model, np.random.default_rng(random_seed))
    whitened = time.perf_counter()

    def make_start(seed: int) -> Array:
        rng = np.random.default_rng(seed)
        return (
            draw_start(whitening, peaks, rng) if start is None else _choose(whitening, start, rng)
        )

    compiled = _compiled_model(whitening, make_start)
    ready = time.perf_counter()
    arguments: dict[str, Any] = {
        "draws": draws,
        "tune": tune,
        "chains": chains,
        "seed": random_seed,
    }
    arguments |= {"cores": cores, "progress_bar": progressbar, "adaptation": ADAPTATION, **options}
    for target in TARGETS if target_accept is None else (target_accept,):
        batches = _run(compiled, arguments | {"target_accept": target})
        if not any(_column(batch, "diverging")[tune:].any() for batch in batches[1]):
            break
    sampled = time.perf_counter()
    with one_blas_thread():
        natural = _natural(whitening, batches[0], tune, draws)
    return LatentSample(
        *natural,
        **_statistics(batches[1], tune),
        target_accept=target,
        whitening_seconds=whitened - started,
        compiling_seconds=ready - whitened,
        sampling_seconds=sampled - ready,
    )


def _choose(whitening: Whitening, points: Point, rng: np.random.Generator) -> Array:
    """Choose among points and whiten the one that was chosen."""
    chosen = rng.integers(points[0].shape[-1], size=1)
    u, core, units = points
    return np.ascontiguousarray(
        whitening.whitened(u[:, chosen], core[:, chosen], units[..., chosen])[:, 0]
    )


def _compiled_model(whitening: Whitening, make_start: Callable[[int], Array]):
    """Return the model as nutpie takes the models that it compiles itself."""
    from nutpie.compile_pymc import CompiledPyMCModel

    from bambi_anova.engine.nuts.entry import entry_points

    log_density, copy = entry_points()
    size = whitening.size

    try:
        return CompiledPyMCModel(
            dims={},
            compiled_logp_func=log_density,
            compiled_expand_func=copy,
            initial_point_func=make_start,
            shared_data={},
            shared_var_keys={},
            user_data=pack(whitening),
            n_expanded=size,
            shape_info=(["theta"], [slice(0, size)], [(size,)]),
            logp_func=None,
            expand_func=None,
            _n_dim=size,
            _shapes={"theta": (size,)},
            _coords={},
        )
    except TypeError as error:  # another version of nutpie has other fields
        raise UnsupportedError(
            f"this version of nutpie takes no compiled kernel: {error}"
        ) from None


def _run(compiled: Any, arguments: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Run nutpie; return Arrow batches of draws and of statistics, one a chain."""
    import nutpie

    sampler = nutpie.sample(compiled, blocking=False, return_raw_trace=True, **arguments)
    try:
        trace = sampler.wait()
    except BaseException:
        sampler.cancel()
        raise
    return trace.get_arrow_trace()


def _column(batch: Any, name: str) -> Array:
    """Return a column of an Arrow batch; a draw's numbers one after the other."""
    import pyarrow

    column = pyarrow.array(batch.column(name))
    if hasattr(column, "flatten"):
        column = column.flatten()
    return column.to_numpy(zero_copy_only=False)


def _natural(whitening: Whitening, batches: list[Any], tune: int, draws: int) -> Point:
    """Convert each chain's draws, and let go of them."""
    chains, model = len(batches), whitening.model
    u = np.empty((len(whitening.centre), chains, draws))
    core = np.empty((model.core.size, chains, draws))
    units = np.empty((model.blocks.count, model.blocks.size, chains, draws))
    for chain in range(chains):
        theta = _column(batches[chain], "theta").reshape(-1, whitening.size)[tune:]
        u[:, chain], core[:, chain], units[:, :, chain] = whitening.natural(theta.T)
        batches[chain] = None
    return u, core, units


def _statistics(batches: Sequence[Any], tune: int) -> dict[str, Any]:
    """Return the statistics of all chains."""
    steps = np.stack([_column(batch, "n_steps") for batch in batches]).astype(np.int64)
    return {
        "diverging": np.stack([_column(b, "diverging")[tune:] for b in batches]).astype(bool),
        "steps": steps[:, tune:],
        "tuning_steps": int(steps[:, :tune].sum()),
        "step_size": np.array([_column(batch, "step_size")[-1] for batch in batches]),
    }

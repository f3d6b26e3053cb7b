"""The JZS priors of R's BayesFactor and JASP: gaussian designs, integrated directly.

    y ~ N(mu + sum over terms X_T beta_T, sigma^2),    beta_T ~ N(0, g_T sigma^2),
    g_T ~ r_T^2 / chi-square(1),    p(mu, sigma^2) proportional to 1 / sigma^2.

Effects of fixed terms, and the fixed factors within unit terms, have orthonormal zero-sum
coordinates; units have an effect each; covariates, centred, are (X'X / N)^-1/2 apart and share one
g (Rouder, Morey, Speckman & Province 2012, doi:10.1016/j.jmp.2012.08.001; Liang et al. 2008,
doi:10.1198/016214507000001337).  Given the g all else integrates in closed form:

    log p(y | g) / p(y | mu alone) = -log|M| / 2 + log(N) / 2 - (N - 1) / 2 log(S / S0),

where M is the precision of the coordinates divided by their prior sds, the grand mean among them,
and S the sum of squares that it leaves.  Log g is proposed by slices, as in ``laplace``, and
weighted.

Letters: N rows, P core coordinates (the grand mean first), B blocks, D coordinates a block, H g's,
G points.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from scipy import linalg, sparse, special

from bambi_anova.design.design import FixedTerm, Unit
from bambi_anova.design.margins import row_levels, term_shape, zero_sum_basis
from bambi_anova.engine.approximate.modes import cut_slices, find_peaks
from bambi_anova.engine.approximate.proposal import Proposal, propose_from_slices, share
from bambi_anova.engine.latent.arrow import Arrow, factor
from bambi_anova.engine.request import Request
from bambi_anova.errors import ArgumentError, UnsupportedError, nearest
from bambi_anova.names import (
    INTERCEPT,
    effects_dimension,
    effects_labels,
    effects_name,
    scaled_terms,
    sigma_name,
)
from bambi_anova.posterior.extract import add_cells, extract_draws
from bambi_anova.posterior.importance import LogEvidence, Weighting
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.trust import Sampling
from bambi_anova.priors.distributions import Prior
from bambi_anova.specification import Specification

Array = np.ndarray

#: Scales r of the priors, as BayesFactor has them.
SCALES = {"fixed": 0.5, "random": 1.0, "continuous": 2**0.5 / 4}
STARTS = 32
PILOT = 500
ROUNDS = 5
#: Effective points to aim at, and the most points to spend.
AIM = 8000
MOST_POINTS = 40_000
#: Numbers that one piece of work holds at a time, about.
PIECE = 2_000_000


@dataclass(frozen=True)
class _Part:
    """Coordinates of one term.

    Attributes
    ----------
    key : str
    g : int
        Which g is theirs.
    columns : ndarray, shape (N, K)
        In the core; in blocks, the coordinates of each row's own block.
    """

    key: str
    g: int
    columns: Array


@dataclass(frozen=True)
class JzsModel:
    """A gaussian design with JZS priors.

    Attributes
    ----------
    y : ndarray, shape (N,)
        The response about its mean.
    core, inside : tuple of _Part
        What stands in the core, and in the blocks.
    block : ndarray of int, shape (N,)
        Each row's block.
    r : ndarray, shape (H,)
        The scales of the g's.
    """

    y: Array
    core: tuple[_Part, ...]
    inside: tuple[_Part, ...]
    block: Array
    r: Array

    @cached_property
    def _core_columns(self) -> Array:
        ones = np.ones((len(self.y), 1))
        return np.hstack([ones, *(part.columns for part in self.core)])

    @cached_property
    def _block_columns(self) -> Array:
        none = np.zeros((len(self.y), 0 if self.inside else 1))
        return np.hstack([none, *(part.columns for part in self.inside)])

    @cached_property
    def _products(self) -> tuple[Array, Array, Array, Array, Array]:
        """X'X of core, border and blocks, and X'y of core and blocks."""
        x, z = self._core_columns, self._block_columns
        n, (p, d) = len(self.y), (x.shape[1], z.shape[1])
        sums = sparse.csr_array((np.ones(n), (self.block, np.arange(n))))
        border = (sums @ (z[:, :, None] * x[:, None, :]).reshape(n, -1)).reshape(-1, d, p)
        blocks = (sums @ (z[:, :, None] * z[:, None, :]).reshape(n, -1)).reshape(-1, d, d)
        return x.T @ x, border, blocks, x.T @ self.y, sums @ (z * self.y[:, None])

    def _sds(self, log_g: Array) -> tuple[Array, Array]:
        """Return the prior sds over sigma of core (P, G) and of a block (D, G)."""
        root = np.exp(log_g / 2)

        def of(parts: tuple[_Part, ...]) -> list[Array]:
            return [np.repeat(root[[part.g]], part.columns.shape[1], axis=0) for part in parts]

        one = np.ones((1, log_g.shape[1]))
        return np.vstack([one, *of(self.core)]), np.vstack(of(self.inside) or [one])

    def given(self, log_g: Array) -> tuple[Arrow, Array, Array, Array]:
        """Return the factor of M, the coordinates' means and S at log g of shape (H, G)."""
        core, border, blocks, core_pull, block_pull = self._products
        core_sd, block_sd = self._sds(log_g)
        flat_prior = np.eye(len(core_sd))
        flat_prior[0, 0] = 0.0
        d = len(block_sd)
        arrow = factor(
            core[..., None] * core_sd[:, None] * core_sd + flat_prior[..., None],
            border[..., None] * block_sd[:, None] * core_sd,
            blocks[..., None] * block_sd[:, None] * block_sd + np.eye(d)[..., None],
        )
        core_pull, block_pull = core_pull[:, None] * core_sd, block_pull[..., None] * block_sd
        mean, units = arrow.solve(core_pull, block_pull)
        explained = (core_pull * mean).sum(axis=0) + (block_pull * units).sum(axis=(0, 1))
        return arrow, mean, units, self.y @ self.y - explained

    def log_density(self, log_g: Array) -> Array:
        """Return log p(y | g) / p(y | mu alone) + log p(log g), shape (G,)."""
        size = self._block_columns.shape[1]
        width = (self.block.max() + 1) * size * (self._core_columns.shape[1] + size)
        step = max(16, int(PIECE // width))
        parts = [
            self._log_density(log_g[:, start : start + step])
            for start in range(0, log_g.shape[1], step)
        ]
        return np.concatenate(parts)

    def _log_density(self, log_g: Array) -> Array:
        n, r = len(self.y), self.r[:, None]
        # Far out nothing is left, or what is left has no digit.
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            arrow, _, _, left = self.given(log_g)
            total = np.log(n) / 2 - arrow.core_log_det - arrow.block_log_det.sum(axis=0)
            total -= (n - 1) / 2 * np.log(left / (self.y @ self.y))
            prior = np.log(r**2 / 2) / 2 - special.gammaln(0.5) - log_g / 2
            return total + (prior - r**2 / (2 * np.exp(log_g))).sum(axis=0)


def jzs_model(specification: Specification, scales: Mapping[str, float] | None = None) -> JzsModel:
    """Return the design of a specification with JZS priors; the specification's are left aside.

    Raises
    ------
    UnsupportedError
        If responses are not gaussian with an unknown sigma, slopes vary by unit, or factors
        change a slope: BayesFactor's priors of these depend on where a covariate has its zero.
    ArgumentError
        If a scale is not positive, or names no term.
    """
    design, family = specification.design, specification.family
    if len(specification.predictors) > 1:
        raise UnsupportedError(
            "priors='jzs': expected one sd for all rows, as BayesFactor has; leave out the formula "
            "of sigma, or priors='jzs', which takes the priors of the model"
        )
    if not family.normal or not isinstance(specification.priors.auxiliary.get("sigma"), Prior):
        raise UnsupportedError(
            f"priors='jzs': expected gaussian responses of unknown sigma, got family "
            f"{family.name!r}; leave priors out, which takes those of the model"
        )
    if design.rows.tallied:
        raise UnsupportedError(
            "priors='jzs': these rows were tallied by their engine; collect the table first, such "
            "as data.collect() or data.to_pandas()"
        )
    crossed = [term.name for term in design.terms if term.factors and term.covariate]
    if crossed or design.slopes:
        name = (crossed or [design.slopes[0].name])[0]
        raise UnsupportedError(
            f"priors='jzs': {name!r} is a slope that differs, which these priors do not have; "
            "leave priors out, which takes those of the model"
        )
    r_of = _scales(specification, scales)
    names = [term.name for term in design.terms if term.factors]
    names += [unit.name for unit in design.units]
    covariates = [term.name for term in design.terms if term.covariate]
    r = [r_of[name] for name in names] + ([r_of["continuous"]] if covariates else [])
    core = [
        _Part(t.name, names.index(t.name), _fixed_columns(t.factors, specification))
        for t in design.terms
        if t.factors
    ]
    if covariates:
        core.append(_Part("", len(names), _covariate_columns(covariates, specification)))
    core_units, inside, block = _unit_parts(specification, names)
    rows = design.rows
    y = rows.response.values - (0.0 if rows.offset is None else rows.offset)
    return JzsModel(y - y.mean(), (*core, *core_units), inside, block, np.array(r, dtype=float))


def check_scales(specification: Specification, given: Mapping[str, float] | None) -> None:
    """Refuse scales that are not positive, or name nothing in the full model.

    Raises
    ------
    ArgumentError
    """
    known = [*SCALES, *scaled_terms(specification.design)]
    for name, value in (given or {}).items():
        if name not in known:
            raise ArgumentError(f"scales: {name!r} is no term of this model{nearest(name, known)}")
        if not (isinstance(value, (int, float)) and 0 < value < np.inf):
            raise ArgumentError(f"scales[{name!r}]: expected a positive number, got {value!r}")


def _scales(specification: Specification, given: Mapping[str, float] | None) -> dict[str, float]:
    """Return the scale of every term and unit term, and that of covariates."""
    design, chosen = specification.design, {**SCALES, **(given or {})}
    own = {term.name: chosen["fixed"] for term in design.terms if term.factors}
    own |= {unit.name: chosen["random"] for unit in design.units}
    return {**own, **chosen}


def _fixed_columns(factors: tuple[str, ...], specification: Specification) -> Array:
    design = specification.design
    return zero_sum_basis(*term_shape(factors, design))[row_levels(factors, design)]


def _covariate_columns(names: list[str], specification: Specification) -> Array:
    """Return centred covariates in coordinates of unit covariance."""
    known = specification.design.rows.covariates
    x = np.stack([known[name].values - known[name].mean for name in names], axis=1)
    return x @ _unit_covariance(x)


def _unit_covariance(x: Array) -> Array:
    return linalg.inv(linalg.cholesky(x.T @ x / len(x), lower=True)).T


def _unit_parts(
    specification: Specification, names: list[str]
) -> tuple[list[_Part], tuple[_Part, ...], Array]:
    """Return the units' parts in the core, those in the blocks, and each row's block."""
    design, rows = specification.design, specification.design.rows
    if not design.units:
        return [], (), np.zeros(len(rows.data), dtype=int)
    coded = {unit.name: _coded(unit, specification) for unit in design.units}

    def within(fine: Array, coarse: Array) -> bool:
        pairs = fine.astype(np.int64) * (coarse.max() + 1) + coarse
        return len(np.unique(pairs)) == fine.max() + 1

    def cost(holder: str) -> float:
        block = coded[holder][0]
        p = 1 + sum(term.df for term in design.terms)
        d = 0
        for codes, basis in coded.values():
            if within(codes, block):
                d += _most_in(codes, block) * basis.shape[1]
            else:
                p += (codes.max() + 1) * basis.shape[1]
        return float(p**3 + (block.max() + 1) * d * (d + p) ** 2)

    block = coded[min(coded, key=cost)][0]
    core, inside = [], []
    for name, (codes, basis) in coded.items():
        g = names.index(name)
        if within(codes, block):
            inside.append(_Part(name, g, _one_hot(_places(codes, block), basis)))
        else:
            core.append(_Part(name, g, _one_hot(codes, basis)))
    return core, tuple(inside), block


def _coded(unit: Unit, specification: Specification) -> tuple[Array, Array]:
    """Return each row's unit (N,) and the coordinates of its fixed factors (N, K).

    A unit's effects of a factor sum to zero over its levels, as in BayesFactor, where the unit has
    an effect of its own beside them.
    """
    design = specification.design
    factors = tuple(name for name in unit.variables if name not in unit.own)
    alone = any(set(other.variables) == set(unit.own) for other in design.units)
    if not factors or not alone:
        return unit.codes, np.ones((len(unit.codes), 1))
    return design.rows.codes(unit.own)[0], _fixed_columns(factors, specification)


def _most_in(codes: Array, block: Array) -> int:
    return int(_places(codes, block).max()) + 1


def _places(codes: Array, block: Array) -> Array:
    """Number the units within each block, shape (N,)."""
    _, first = np.unique(codes, return_index=True)
    home = block[first]
    order = np.argsort(home, kind="stable")
    starts = np.cumsum(np.bincount(home)) - np.bincount(home)
    place = np.empty(len(first), dtype=int)
    place[order] = np.arange(len(first)) - starts[home[order]]
    return place[codes]


def _one_hot(codes: Array, basis: Array) -> Array:
    """Return the basis in the columns of each row's code, shape (N, codes x K)."""
    size, width = int(codes.max()) + 1, basis.shape[1]
    columns = np.zeros((len(codes), size, width))
    columns[np.arange(len(codes)), codes] = basis
    return columns.reshape(len(codes), size * width)


def fit_jzs(
    specification: Specification, request: Request, scales: Mapping[str, float] | None = None
) -> Posterior:
    """Fit a gaussian design under JZS priors.

    The log evidence is relative to a model of the grand mean alone.
    """
    started = time.perf_counter()
    model = jzs_model(specification, scales)
    rng = np.random.default_rng(request.random_seed)
    log_g, log_weight = _weighted(model, rng)
    k = _pareto_k(log_weight)
    evidence = LogEvidence.of_weights(log_weight[:, None], 0.0, k)
    chosen = _resample(log_weight, request.chains, request.draws, rng)
    posterior = _draw(model, specification, log_g[:, chosen.ravel()], chosen.shape, rng)
    weights = special.softmax(log_weight)
    weighting = Weighting(
        chosen, chosen, log_weight[chosen], k, float(1 / (weights**2).sum()), len(log_weight)
    )
    draws = extract_draws(posterior, specification)
    seconds = time.perf_counter() - started
    sampling = Sampling("jzs", 0, seconds, seconds, weighting)
    idata = xr.DataTree.from_dict({"posterior": posterior})
    found = Posterior(specification, idata, draws, sampling, evidence)
    add_cells(found)
    return found


def _weighted(model: JzsModel, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return points of log g, shape (H, G), and their log weights (G,)."""
    h = len(model.r)
    if not h:
        return np.zeros((0, 1)), model.log_density(np.zeros((0, 1)))
    f = model.log_density
    starts = np.log(model.r[:, None] ** 2 / rng.chisquare(1, (h, STARTS)).clip(0.05))
    peaks = find_peaks(f, starts)
    proposals = share(
        [propose_from_slices(peak, cut_slices(f, peak), 0) for peak in peaks],
        [peak.log_mass for peak in peaks],
    )
    best, efficiency = proposals, 0.0
    for _ in range(ROUNDS):
        u, log_weight = _draw_points(f, proposals, PILOT, rng)
        weights = special.softmax(log_weight)
        found = 1 / (weights**2).sum() / PILOT
        if found > efficiency:
            best, efficiency = proposals, found
        if found > 0.8:
            break
        proposals = _learnt(proposals, u, weights)
    best = [part for one in best for part in one.defended(0.05, 1.5)]
    points = int(np.clip(AIM / efficiency, AIM, MOST_POINTS))
    return _draw_points(f, best, points, rng)


def _draw_points(f, proposals: list[Proposal], count: int, rng) -> tuple[Array, Array]:
    shares = np.exp([one.log_share for one in proposals])
    component = rng.choice(len(proposals), size=count, p=shares / shares.sum())
    u = np.empty((proposals[0].size, count))
    for number, one in enumerate(proposals):
        own = component == number
        u[:, own] = one.draw(rng, int(own.sum()))
    log_weight = f(u) - _log_proposal(proposals, u)
    return u, np.where(np.isfinite(log_weight), log_weight, -1e300)


def _log_proposal(proposals: list[Proposal], u: Array) -> Array:
    none = np.zeros((0, u.shape[1], 1))
    parts = [one.log_share + one.log_density(u, none)[:, 0] for one in proposals]
    return special.logsumexp(parts, axis=0)


def _learnt(proposals: list[Proposal], u: Array, weights: Array) -> list[Proposal]:
    """Let each proposal learn from the draws that it explains."""
    none = np.zeros((0, u.shape[1], 1))
    parts = [one.log_share + one.log_density(u, none)[:, 0] for one in proposals]
    member = special.softmax(parts, axis=0) * weights
    return [
        one.learn(u, none[..., 0], own / own.sum()) if own.sum() > 0.02 else one
        for one, own in zip(proposals, member, strict=True)
    ]


def _pareto_k(log_weight: Array) -> float:
    from arviz_stats.base import array_stats

    if np.ptp(log_weight) < 1e-9:
        return -np.inf
    return float(array_stats.psislw(-log_weight, r_eff=1.0)[1])


def _resample(log_weight: Array, chains: int, draws: int, rng: np.random.Generator) -> Array:
    """Choose points in proportion to their weights, shape (chains, draws), systematically."""
    heap = np.cumsum(special.softmax(log_weight))
    size = chains * draws
    marks = (np.arange(size) + rng.uniform()) / size * heap[-1]
    return rng.permutation(np.searchsorted(heap, marks).clip(max=len(heap) - 1)).reshape(
        chains, draws
    )


def _draw(
    model: JzsModel,
    specification: Specification,
    log_g: Array,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> xr.Dataset:
    """Draw everything given the g's, under Bambi's names."""
    design = specification.design
    size = model._block_columns.shape[1]
    step = max(16, int(PIECE // ((model.block.max() + 1) * size)))
    pieces = [
        _draw_piece(model, log_g[:, start : start + step], rng)
        for start in range(0, log_g.shape[1], step)
    ]
    sigma = np.concatenate([piece[0] for piece in pieces])
    core = np.concatenate([piece[1] for piece in pieces], axis=1)
    units = np.concatenate([piece[2] for piece in pieces], axis=2)
    offset = 0.0 if design.rows.offset is None else design.rows.offset
    centre = float((design.rows.response.values - offset).mean())
    sample = ("chain", "draw")
    variables: dict[str, tuple] = {
        INTERCEPT: (sample, (core[0] + centre).reshape(shape)),
        "sigma": (sample, sigma.reshape(shape)),
    }
    coords: dict[str, object] = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    terms = scaled_terms(design)
    at = 1
    effects: dict[str, Array] = {}
    for part in model.core:
        own, at = core[at : at + part.columns.shape[1]], at + part.columns.shape[1]
        if not part.key:
            names = [term.name for term in design.terms if term.covariate]
            x = np.stack([_centred(name, specification) for name in names], axis=1)
            slopes = _unit_covariance(x) @ own
            variables |= {
                name: (sample, row.reshape(shape)) for name, row in zip(names, slopes, strict=True)
            }
            continue
        term = terms[part.key]
        if isinstance(term, FixedTerm):
            effects[part.key] = zero_sum_basis(*term_shape(term.factors, design)) @ own
        else:
            effects[part.key] = part.columns[design.unit(part.key).first] @ own
    at = 0
    for part in model.inside:
        width = part.columns.shape[1]
        unit = design.unit(part.key)
        rows = units[model.block[unit.first], at : at + width]
        effects[part.key] = np.einsum("jk,jkg->jg", part.columns[unit.first], rows)
        at += width
    root = {part.key: np.exp(log_g[part.g] / 2) for part in (*model.core, *model.inside)}
    for key, own in effects.items():
        term, dim = terms[key], effects_dimension(terms[key])
        coords[dim] = np.array(effects_labels(term, design), dtype=object)
        variables[effects_name(term)] = ((*sample, dim), own.T.reshape(*shape, -1))
        variables[sigma_name(term)] = (sample, (sigma * root[key]).reshape(shape))
    return xr.Dataset(variables, coords)


def _centred(name: str, specification: Specification) -> Array:
    covariate = specification.design.rows.covariates[name]
    return covariate.values - covariate.mean


def _draw_piece(
    model: JzsModel, log_g: Array, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Return sigma (G,), the core's coordinates (P, G) and the blocks' (B, D, G)."""
    arrow, mean, units, left = model.given(log_g)
    core_sd, block_sd = model._sds(log_g)
    sigma = np.sqrt(left / rng.chisquare(len(model.y) - 1, log_g.shape[1]))
    gap = arrow.core_noise(rng.standard_normal(mean.shape))
    inner = rng.standard_normal(units.shape)
    core = core_sd * (mean + sigma * gap)
    return sigma, core, block_sd * (units + sigma * arrow.units_given(gap, inner))

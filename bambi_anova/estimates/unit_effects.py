"""What units' effects that vary together are like: sds, correlations and sphericity.

Letters: H chains, D draws, L cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.design.design import Joint
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.quantity_table import quantity_table
from bambi_anova.formula.algebra import DIAGONAL, UNSTRUCTURED
from bambi_anova.formula.parse import term_name
from bambi_anova.names import correlated_pairs
from bambi_anova.posterior.joint_effects import cell_members, covariance
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.screening.sphericity import epsilon, parts_within, unit_cells
from bambi_anova.tables.interval import Interval

Array = np.ndarray

#: What epsilon is about.
EFFECTS, MEANS = "effects of units", "means of units"


def unit_correlations(
    posterior: Posterior, ci_prob: float = 0.95, ci_kind: str = "hdi"
) -> pd.DataFrame:
    """Return the sds and correlations of units' effects that vary together.

    Parameters
    ----------
    posterior : Posterior
    ci_prob : float
    ci_kind : {"hdi", "eti"}

    Returns
    -------
    pandas.DataFrame
        ``stratum`` (the units), ``parameter`` ("sd" or "correlation"), ``effect`` and, of a
        correlation, ``other_effect``, then the columns of every table of quantities; on the link
        scale.

    Raises
    ------
    ArgumentError
        If no effects of units vary together in this model.

    Examples
    --------
    >>> result.unit_correlations()  # doctest: +SKIP
    """
    design, draws = posterior.design, posterior.draws
    if not design.joints:
        raise ArgumentError(
            "no effects of units vary together in this model; write Error(unit/factor, "
            f"cov={UNSTRUCTURED!r}), or (covariate|unit) for slopes"
        )
    rows = [
        ((joint.unit.name, "sd", name, ""), draws.sigmas[name])
        for joint in design.joints
        for name in joint.members
    ]
    rows += [
        (
            (joint.unit.name, "correlation", joint.members[i], joint.members[j]),
            draws.correlations[joint.name][..., i, j],
        )
        for joint, i, j in correlated_pairs(design).values()
    ]
    columns = ["stratum", "parameter", "effect", "other_effect"]
    return _table(posterior, columns, rows, ci_prob, ci_kind)


def sphericity(posterior: Posterior, ci_prob: float = 0.95, ci_kind: str = "hdi") -> pd.DataFrame:
    """Return the posterior of Greenhouse and Geisser's epsilon of every term within units.

    It is one where all contrasts of a term have the same variance between units, as compound
    symmetry takes for granted, and 1 / df at worst.

    Parameters
    ----------
    posterior : Posterior
        Of a model whose units have an effect in each cell, with an sd each.
    ci_prob : float
    ci_kind : {"hdi", "eti"}

    Returns
    -------
    pandas.DataFrame
        ``stratum`` (the units), ``term`` (what of it varies within them), ``df``, ``of``
        ("effects of units" on the link scale; of gaussian responses with several rows a cell also
        "means of units", which hold the residual too, as a classical analysis has it),
        ``estimate`` (the classical one; empty where there is none), then the columns of every
        table of quantities.

    Raises
    ------
    ArgumentError
        If the model takes units for compound symmetric, or no term has three levels within them.

    Examples
    --------
    >>> result.sphericity()  # doctest: +SKIP
    """
    joints = [joint for joint in posterior.design.joints if joint.factors]
    if not joints:
        raise ArgumentError(
            "this model takes units for compound symmetric, so that every epsilon is one; fit it "
            f"with Error(unit/factor, cov={UNSTRUCTURED!r}), or cov={DIAGONAL!r}"
        )
    rows = [row for joint in joints for row in _epsilons(posterior, joint)]
    if not rows:
        raise ArgumentError(
            "no term has three levels or more within units; with two there is one difference, "
            "and epsilon is one"
        )
    columns = ["stratum", "term", "df", "of", "estimate"]
    return _table(posterior, columns, rows, ci_prob, ci_kind)


def _epsilons(posterior: Posterior, joint: Joint) -> Iterator[tuple[tuple[Any, ...], Array]]:
    """Yield the labels and draws of epsilon for each term within some units."""
    design, draws = posterior.design, posterior.draws
    members = cell_members(joint, design)
    places = np.array([joint.members.index(name) for name in members])
    cells = covariance(joint, draws.sigmas, draws.correlations)[..., places[:, None], places]
    about = {EFFECTS: cells}
    observed = unit_cells(design, joint.unit, joint.factors) if posterior.family.normal else None
    residual = draws.auxiliary.get(posterior.family.residual or "")
    if observed and residual is not None and not design.without_residual:
        noise = residual[..., None, None] ** 2 / observed.rows
        about[MEANS] = cells + noise * np.eye(len(members))
    classical = MEANS if MEANS in about else EFFECTS
    for part, basis in parts_within(design, joint.factors).items():
        for of, whole in about.items():
            known = observed is not None and of == classical and bool(observed.covariance.any())
            estimate = float(epsilon(observed.covariance, basis)) if known and observed else np.nan
            labels = joint.unit.name, term_name(part), basis.shape[1], of, estimate
            yield labels, epsilon(whole, basis)


def _table(
    posterior: Posterior,
    columns: list[str],
    rows: list[tuple[tuple[Any, ...], Array]],
    ci_prob: float,
    ci_kind: str,
) -> pd.DataFrame:
    labels = pd.DataFrame([label for label, _ in rows], columns=columns)
    draws = np.stack([own for _, own in rows], axis=-1)
    found = Quantities(labels, draws, np.ones(len(rows), bool), "super", "link", null=np.nan)
    return quantity_table(found, posterior.sampling, Interval(ci_prob, ci_kind))

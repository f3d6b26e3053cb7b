"""Designs with many levels: effects of every level while the model is fitted, margins afterwards.

In coordinates of the margins every row of a factor of many levels has a part in every coordinate:
40 x 40 cells are 1,600 dense equations.  With a free effect for every level, as Kruschke writes
the model, a row has one coordinate a term, and the cells of the largest term stand in blocks.
The margins of the free effects are what the other coordinates stand for: an average over the
factors outside, made to sum to zero along those inside (see ``design.margins``).

Letters: L levels of a term, H chains, D draws a chain.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bambi_anova.design.design import Design, FixedTerm
from bambi_anova.design.margins import LEVELS, design_margins, row_levels, term_shape
from bambi_anova.engine.latent.build import by_levels, latent_model
from bambi_anova.engine.latent.draws import LatentDraws
from bambi_anova.engine.latent.model import CoreTerm, LatentModel
from bambi_anova.names import INTERCEPT
from bambi_anova.specification import Specification

Array = np.ndarray

#: Fixed coordinates from which effects of every level are the cheaper ones.
MANY = 100


def has_many_levels(specification: Specification) -> bool:
    """Whether a design is better fitted in effects of every level."""
    return (
        not specification.overparameterized
        and specification.options.priors_on == LEVELS
        and len(specification.predictors) == 1
        and sum(term.df for term in specification.design.terms) > MANY
    )


def quick_model(specification: Specification) -> LatentModel:
    """Return the latent model in the coordinates that quick fits do best in."""
    return (by_levels if has_many_levels(specification) else latent_model)(specification)


def margins_of_levels(
    model: LatentModel,
    latent: LatentDraws,
    specification: Specification,
    rng: np.random.Generator,
) -> tuple[LatentModel, LatentDraws]:
    """Return draws of effects of every level as those of the margins, and where they stand.

    Parameters
    ----------
    model : LatentModel
        Of ``by_levels``.
    latent : LatentDraws
    specification : Specification
    rng : numpy.random.Generator
        Draws effects of levels that were never observed from their prior.
    """
    design, own = specification.design, specification.design.terms
    sigma = {scale.name: latent.values[i] for i, scale in enumerate(model.scales)}
    held = {term.key: latent.core[term.start : term.stop] for term in model.core.terms}
    free = {
        term.name: _every_level(
            term, design, latent.effects.get(term.name, held.get(term.name)), sigma[term.name], rng
        )
        for term in own
        if term.factors
    }
    found = {key: effects for key, effects in held.items() if key not in free}
    for covariate in dict.fromkeys([None, *(term.covariate for term in own)]):
        terms = {t.name: t.factors for t in own if t.covariate == covariate and t.factors}
        found |= {
            name: np.zeros((int(np.prod(term_shape(f, design))), *latent.sample_shape))
            for name, f in terms.items()
        }
        common = covariate or INTERCEPT
        for margin in design_margins(design, covariate, LEVELS, common in found):
            home = terms[margin.home] if margin.home else ()
            parts = [
                _margin(free[name], terms[name], margin.factors, home, design)
                for name in margin.variances
            ]
            found[margin.home or common] = found[margin.home or common] + sum(parts)
    return _as_model(model, found), replace(
        latent,
        core=np.concatenate(list(found.values())),
        effects={key: value for key, value in latent.effects.items() if key not in free},
    )


def _every_level(
    term: FixedTerm, design: Design, seen: Array | None, sigma: Array, rng: np.random.Generator
) -> Array:
    """Return the effects of all levels of a term (L, H, D), drawn where none was observed."""
    assert seen is not None  # for the type checker
    places = np.unique(row_levels(term.factors, design))
    count = int(np.prod(term_shape(term.factors, design)))
    if len(places) == count:
        return seen
    effects = sigma * rng.standard_normal((count, *sigma.shape))
    effects[places] = seen
    return effects


def _margin(
    effects: Array,
    factors: tuple[str, ...],
    inside: tuple[str, ...],
    home: tuple[str, ...],
    design: Design,
) -> Array:
    """Return the margin of a term's effects (L, H, D) at the levels of its home."""
    sample = effects.shape[1:]
    margin = effects.reshape(*term_shape(factors, design), *sample)
    for axis, name in enumerate(factors):
        mean = margin.mean(axis=axis, keepdims=True)
        margin = margin - mean if name in inside else mean
    # The axes of the margin in the order of its home, which may have others.
    order = [name for name in home if name in inside]
    kept = [factors.index(name) for name in order]
    gone = [axis for axis in range(len(factors)) if axis not in kept]
    margin = margin.transpose(*kept, *gone, len(factors), len(factors) + 1)
    margin = margin.reshape(*term_shape(order, design), *sample)
    for axis, name in enumerate(home):
        if name not in inside:
            margin = np.expand_dims(margin, axis)
    shape = term_shape(home, design)
    return np.broadcast_to(margin, (*shape, *sample)).reshape(-1, *sample)


def _as_model(model: LatentModel, effects: dict[str, Array]) -> LatentModel:
    """Return a model whose core says where effects stand; for naming draws only."""
    ends = np.cumsum([len(own) for own in effects.values()])
    terms = tuple(
        CoreTerm(key, int(end) - len(own), int(end))
        for (key, own), end in zip(effects.items(), ends, strict=True)
    )
    return replace(model, core=replace(model.core, terms=terms))

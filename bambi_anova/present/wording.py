"""What things are called in figures, tables and text: in the user's own names."""

from __future__ import annotations

from collections.abc import Sequence

from bambi_anova.posterior.populations import POPULATION_NAMES
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.response_scale import gives_medians, is_transformed
from bambi_anova.tables.rounding import MINUS

TIMES = "\N{MULTIPLICATION SIGN}"


def joined(names: Sequence[object]) -> str:
    """Join factors or levels of an interaction.

    Examples
    --------
    >>> joined(["A", "B"]) == f"A {TIMES} B"
    True
    """
    return f" {TIMES} ".join(map(str, names))


def minus(contrast: object) -> str:
    """Set a contrast's name with minus signs.

    Examples
    --------
    >>> minus("x - y") == f"x {MINUS} y"
    True
    """
    return str(contrast).replace(" - ", f" {MINUS} ")


def population_name(population: str, posterior: Posterior) -> str:
    """Return what a population is called; nothing for a model without units."""
    return POPULATION_NAMES[population] if posterior.design.units else ""


def response_name(posterior: Posterior) -> str:
    """Return what the mean on the response scale is called.

    Examples
    --------
    >>> response_name(result)  # doctest: +SKIP
    'probability of errors'
    """
    if is_transformed(posterior.specification):
        return posterior.specification.transformed.of
    word, about = posterior.family.scale.word, _about(posterior)
    return about if word == "mean" else f"{word} of {about}"


def _about(posterior: Posterior) -> str:
    expression = posterior.design.formula.response.outcome
    success = posterior.design.rows.response.success
    return str(expression) if success is None else f"{expression} = {success}"


def scale_name(posterior: Posterior, scale: str) -> str:
    """Return what an axis or a table's numbers carry: the response or its link.

    Examples
    --------
    >>> scale_name(result, "link")  # doctest: +SKIP
    'logit of the probability of errors'
    """
    model = posterior.specification
    if scale == "median":
        half = gives_medians(model)
        name = _about(posterior) if half and not is_transformed(model) else response_name(posterior)
        return f"median of {name}" if half else f"{name}, median unit"
    if scale == "response" or (model.link.name == "identity" and not is_transformed(model)):
        return response_name(posterior)
    if model.link.name == "identity":
        return _about(posterior)
    word, about = posterior.family.parent.word, _about(posterior)
    if posterior.family.response.ordered:
        return f"{word} of {about}"
    what = f"mean {about}" if word == "mean" else f"the {word} of {about}"
    return f"{posterior.link.name} of {what}"

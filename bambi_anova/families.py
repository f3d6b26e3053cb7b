"""What the package knows of each response family, as data.

A family here says how its response is read, how rows collapse, which prior scale applies and
how the link goes; the likelihood itself is Bambi's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from bambi_anova.errors import ArgumentError, nearest

Array = np.ndarray


@dataclass(frozen=True)
class Link:
    """A link by name, with its inverse on arrays of any shape."""

    name: str
    inverse: Callable[[Array], Array]


@dataclass(frozen=True)
class Family:
    """One response family.

    Attributes
    ----------
    name : str
        Bambi's name of it.
    response : str
        Kind of response: "real", "binary", "proportion", "count", "positive" or "unit".
    links : tuple of str
        Links allowed for the mean, the default first.
    collapse : str
        How rows that share every predictor become one: a key of ``collapse.COLLAPSES``.
    auxiliary : tuple of str
        Further parameters of the likelihood, such as "sigma".
    residual : bool
        Whether every row has a residual of its own on the link scale, so that a unit term with
        one row a unit cannot be told from it.
    mean : str
        What the mean is called on the response scale.
    """

    name: str
    response: str
    links: tuple[str, ...]
    collapse: str
    auxiliary: tuple[str, ...] = ()
    residual: bool = False
    mean: str = "mean"


def _cloglog_inverse(eta: Array) -> Array:
    return -np.expm1(-np.exp(eta))


LINKS = {
    "identity": Link("identity", lambda eta: eta),
    "log": Link("log", np.exp),
    "logit": Link("logit", special.expit),
    "probit": Link("probit", special.ndtr),
    "cloglog": Link("cloglog", _cloglog_inverse),
}

_BINARY_LINKS = ("logit", "probit", "cloglog")

FAMILIES = {
    family.name: family
    for family in (
        Family("gaussian", "real", ("identity",), "gaussian", ("sigma",), residual=True),
        Family("bernoulli", "binary", _BINARY_LINKS, "binomial", mean="probability"),
        Family("binomial", "proportion", _BINARY_LINKS, "binomial", mean="probability"),
        Family("poisson", "count", ("log",), "poisson", mean="rate"),
        Family("t", "real", ("identity",), "weights", ("sigma", "nu"), residual=True),
        Family("negativebinomial", "count", ("log",), "weights", ("alpha",), mean="rate"),
        Family("gamma", "positive", ("log",), "weights", ("alpha",)),
        Family("beta", "unit", _BINARY_LINKS, "weights", ("kappa",), mean="proportion"),
    )
}


def get_family(name: str) -> Family:
    """Look a family up by its name.

    Raises
    ------
    ArgumentError
        If the family is not known here.

    Examples
    --------
    >>> get_family("binomial").links
    ('logit', 'probit', 'cloglog')
    """
    if not isinstance(name, str) or name not in FAMILIES:
        raise ArgumentError(f"family={name!r} is not supported{nearest(str(name), FAMILIES)}")
    return FAMILIES[name]


def get_link(family: Family, name: str | dict | None) -> Link:
    """Look up the link of a family's mean; ``None`` is the default, ``{"mu": name}`` is allowed.

    Raises
    ------
    ArgumentError
        If the family cannot have that link.

    Examples
    --------
    >>> get_link(get_family("poisson"), None).name
    'log'
    """
    if isinstance(name, dict):
        if len(name) != 1 or not {"mu", "p"} & set(name):
            raise ArgumentError(f"link={name!r}: expected one link, that of the mean")
        (name,) = name.values()
    name = name or family.links[0]
    if name not in family.links:
        raise ArgumentError(
            f"link={name!r} cannot be used with family={family.name!r}; "
            f"expected one of {', '.join(map(repr, family.links))}"
        )
    return LINKS[name]

"""What the package knows of each response family, as data.

A family here says how its response is read, how rows collapse, which prior scale applies and
how the link goes; the likelihood itself is Bambi's.

Beta-binomial rows have a probability theta of their own each, integrated out exactly, that comes
from a beta distribution of concentration kappa.  The predictor gives, through the link, either

- "betabinomial": its mean mu, so that theta ~ Beta(mu kappa, (1 - mu) kappa), as in Bambi; or
- "betabinomial_mode": its mode omega, so that
  theta ~ Beta(omega (kappa - 2) + 1, (1 - omega) (kappa - 2) + 1) with kappa > 2, as in chapter 21
  of Kruschke's Doing Bayesian Data Analysis (2nd ed., 2015,
  doi:10.1016/B978-0-12-405888-0.09999-2).  What is estimated is kappa - 2, and cell means on the
  response scale are modes; the mean would be (omega (kappa - 2) + 1) / kappa.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
        Bambi's name of it, where Bambi has it.
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
        What the inverse link returns is called: the mean, unless this says otherwise.
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
        Family(
            "betabinomial",
            "proportion",
            _BINARY_LINKS,
            "weights",
            ("kappa",),
            mean="mean probability",
        ),
        Family(
            "betabinomial_mode",
            "proportion",
            _BINARY_LINKS,
            "weights",
            ("kappa_minus_2",),
            mean="modal probability",
        ),
    )
}


#: Parameters that are reported beside those they are made of, which the priors are of.
_DERIVED: dict[str, tuple[str, Callable[[Array], Array]]] = {
    "kappa_minus_2": ("kappa", lambda values: values + 2),
}


def with_derived(auxiliary: Mapping[str, Array]) -> dict[str, Array]:
    """Return auxiliary parameters with those that are made of them.

    Examples
    --------
    >>> with_derived({"kappa_minus_2": np.array([0.5])})["kappa"].tolist()
    [2.5]
    """
    derived = {}
    for source, (name, make) in _DERIVED.items():
        if source in auxiliary:
            derived[name] = make(auxiliary[source])
    return {**auxiliary, **derived}


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

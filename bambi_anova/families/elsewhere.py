"""What families are called elsewhere: in R's packages, SPSS and JASP, and what they are here.

Nothing is guessed: a name of another program is answered with ours, which may not be the same
model in every detail.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from bambi_anova.errors import nearest

_GAUSSIAN = "it is called 'gaussian' here"
_BINARY = (
    "with the logit link, the default, use 'bernoulli' for rows of yes and no, and 'binomial' for "
    "p(successes, trials)"
)
_NEGATIVE = "it is called 'negativebinomial' here; its variance is mu + mu^2/alpha"
_QUADRATIC = "use 'negativebinomial', whose variance is mu + mu^2/alpha"
_INFLATED = "it is called 'zero_inflated_negativebinomial' here"
_TRUNCATED = "use 'hurdle_poisson' or 'hurdle_negativebinomial'"
_WITH_ENDS = "use 'ordered_beta' for rates with zeros and ones, 'beta' for 0 < y < 1"
_STAGES = "it is called 'sratio' here"
_AMOUNTS = "use 'hurdle_gamma' or 'hurdle_lognormal' for positive amounts with zeros"
_RATINGS = "it is called 'cumulative' here"
_CATEGORIES = (
    "use family='categorical' with one observation a row; of counts by category, repeat rows: "
    "data.loc[data.index.repeat(data['count'])], which costs nothing, as equal rows are merged"
)

#: By the name in small letters without blanks, dots, dashes and underscores.
ELSEWHERE = {
    **dict.fromkeys(("normal", "norm", "gauss", "lm", "lmm", "anova", "linear"), _GAUSSIAN),
    **dict.fromkeys(("logistic", "logit", "logistf", "binary", "proportion"), _BINARY),
    "probit": "use 'bernoulli' or 'binomial' with link='probit'",
    "cloglog": "use 'bernoulli' or 'binomial' with link='cloglog'",
    **dict.fromkeys(("count", "counts", "loglinear"), "use 'poisson' or 'negativebinomial'"),
    **dict.fromkeys(("negbinomial", "negbin", "nbinom", "nbinom2", "nb", "nb2"), _NEGATIVE),
    **dict.fromkeys(("nbinom1", "nb1", "quasipoisson"), _QUADRATIC),
    **dict.fromkeys(("student", "studentt", "tfamily", "robust"), "it is called 't' here"),
    **dict.fromkeys(("inversegaussian", "igauss", "ig"), "it is called 'wald' here"),
    **dict.fromkeys(("exgauss", "exnormal"), "it is called 'exgaussian' here"),
    "shiftlognormal": "it is called 'shifted_lognormal' here",
    **dict.fromkeys(("exp", "expon"), "it is called 'exponential' here"),
    **dict.fromkeys(("ordinal", "ordered", "clm", "clmm", "polr", "ocat", "likert"), _RATINGS),
    **dict.fromkeys(("betafamily", "betareg"), "it is called 'beta' here"),
    **dict.fromkeys(("ordbeta", "zeroonebeta", "zeroinflatedbeta", "zoib"), _WITH_ENDS),
    **dict.fromkeys(("stoppingratio", "cratio", "continuationratio"), _STAGES),
    "skewgaussian": "it is called 'skewnormal' here",
    **dict.fromkeys(("doubleexponential", "asymlaplace"), "use 'laplace', for medians"),
    **dict.fromkeys(("tweedie", "zagamma", "zeroadjustedgamma"), _AMOUNTS),
    **dict.fromkeys(("quasibinomial", "betabinom", "bb"), "use 'betabinomial'"),
    "zip": "it is called 'zero_inflated_poisson' here",
    **dict.fromkeys(("zinb", "zeroinflatednegbinomial"), _INFLATED),
    "hurdlenegbinomial": "it is called 'hurdle_negativebinomial' here",
    **dict.fromkeys(("truncatedpoisson", "truncatednbinom2"), _TRUNCATED),
    **dict.fromkeys(("multinomial", "softmax", "mlogit", "nominal"), _CATEGORIES),
}
#: An R call of a family: its name and what stands in the brackets.
_CALL = re.compile(r"\s*([\w.-]+)\s*\((.*)\)\s*")


def plain(name: str) -> str:
    """Return a name as it is compared: small letters, without signs between words.

    Examples
    --------
    >>> plain("Negative_Binomial")
    'negativebinomial'
    """
    return re.sub(r"[\s._-]", "", name).lower()


def advice(name: object, known: Collection[str]) -> str:
    """Say what a family of another program is called here, or which name is near.

    Examples
    --------
    >>> advice("normal", ["gaussian", "lognormal"])
    ": it is called 'gaussian' here"
    >>> advice("binomial(link = 'probit')", ["binomial"])
    ": write family='binomial', link='probit'"
    >>> advice("gausian", ["gaussian"])
    "; did you mean 'gaussian'?"
    """
    text = str(name)
    call = _CALL.fullmatch(text)
    if call is None:
        found = ELSEWHERE.get(plain(text))
        return f": {found}" if found else nearest(text, known)
    head, inside = call.groups()
    ours = next((one for one in known if plain(one) == plain(head)), None)
    if ours is None:
        return advice(head, known)
    link = re.sub(r"^link\s*=", "", inside.strip()).strip("'\" ")
    return f": write family={ours!r}" + (f", link={link!r}" if link else "")

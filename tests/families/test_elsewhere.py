"""Names of families in other programs."""

import pytest

from bambi_anova.errors import ArgumentError
from bambi_anova.families.elsewhere import ELSEWHERE, plain
from bambi_anova.families.registry import FAMILIES, get_family


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        ("Gamma", "gamma"),
        ("poisson()", "poisson"),
        ("Negative Binomial", "negativebinomial"),
        ("beta_binomial", "betabinomial"),
        ("log-normal", "lognormal"),
        ("T", "t"),
    ],
)
def test_spelling_does_not_matter(spelled, name):
    assert get_family(spelled).name == name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("normal", ": it is called 'gaussian' here"),
        ("Normal()", ": it is called 'gaussian' here"),
        ("nbinom2", "'negativebinomial'"),
        ("negbinomial", "'negativebinomial'"),
        ("student", "'t'"),
        ("logistic", "'bernoulli' for rows of yes and no"),
        ("inverse.gaussian", "'wald'"),
        ("quasibinomial", "'betabinomial'"),
        ("binomial(link = 'probit')", "write family='binomial', link='probit'"),
        ("Gamma(log)", "write family='gamma', link='log'"),
        ("gausian", "did you mean 'gaussian'"),
        (None, "known: 'gaussian'"),
        ("", "known: 'gaussian'"),
    ],
)
def test_other_names_are_answered_with_ours(name, words):
    with pytest.raises(ArgumentError) as error:
        get_family(name)
    assert words in str(error.value)


def test_no_name_of_ours_is_taken_for_another():
    assert not {plain(name) for name in FAMILIES} & set(ELSEWHERE)
    assert all(name == plain(name) for name in ELSEWHERE)

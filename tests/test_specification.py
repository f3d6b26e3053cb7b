"""Whether two models are the same."""

import pytest

from bambi_anova.specification import same_model, specify

OWN = "y ~ group * task + Error(subject)"
CHANGES = {
    "formula": lambda data: specify("y ~ group + task + Error(subject)", data),
    "family": lambda data: specify(OWN, data, "t"),
    "levels": lambda data: specify(OWN, data.assign(group=data["group"].str.lower())),
    "units": lambda data: specify(OWN, data[data["subject"] > "s00"]),
}


def test_a_model_is_itself_whatever_its_responses(split_plot):
    other = split_plot.assign(y=split_plot["y"] + 1)
    assert same_model(specify(OWN, split_plot), specify(OWN, other)) is None


@pytest.mark.parametrize("what", CHANGES)
def test_another_model_differs_in_something(what, split_plot):
    own, other = specify(OWN, split_plot), CHANGES[what](split_plot)
    assert same_model(own, other).startswith(f"{what} ")
    assert same_model(other, own).startswith(f"{what} ")


def test_links_differ_within_a_family(split_plot):
    one, other = (
        specify("p(hits, shown) ~ group + Error(subject)", split_plot, "binomial", link=link)
        for link in ("logit", "probit")
    )
    assert same_model(one, other) == "link 'logit' and 'probit'"

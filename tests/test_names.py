"""Names of the variables behind a term; that they are Bambi's own, tests of draws say."""

from bambi_anova.names import (
    effects_dimension,
    effects_labels,
    effects_name,
    scaled_terms,
    sigma_name,
)

TERMS = {
    "group": ("1|group", "group__factor_dim", ["A", "B"]),
    "group:task": ("1|group:task", "group:task__factor_dim", ["A:x", "A:y", "B:x", "B:y"]),
    "group:dose": ("dose|group", "dose|group__factor_dim", ["A", "B"]),
    "subject": ("1|subject", "subject__factor_dim", ["s00", "s01"]),
    "subject:task": ("1|subject:task", "subject:task__factor_dim", ["s00:x", "s00:y"]),
    "dose|subject": ("dose|subject", "dose|subject__factor_dim", ["s00", "s01"]),
}


def test_every_term_with_a_standard_deviation_is_named(build, split_plot):
    formula = "y ~ group + group:task + dose + group:dose + Error(subject/task) + (dose|subject)"
    design = build(formula, split_plot)
    terms = scaled_terms(design)
    assert list(terms) == list(TERMS)
    for key, (name, dimension, labels) in TERMS.items():
        term = terms[key]
        assert effects_name(term) == name
        assert sigma_name(term) == f"{name}_sigma"
        assert effects_dimension(term) == dimension
        assert effects_labels(term, design)[: len(labels)] == labels


def test_a_slope_without_factors_has_the_name_of_its_covariate(build, split_plot):
    (term,) = build("y ~ dose", split_plot).terms
    assert effects_name(term) == "dose"

"""Options that are handed to the sampler: what it refuses is said in our words."""

import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.errors import ArgumentError

FRAME = pd.DataFrame({"A": list("ab") * 4, "y": [1.0, 3, 2, 4, 1, 5, 2, 3]})


@pytest.mark.parametrize("options", [{"samples": 10}, {"maxdepth": "ten"}])
def test_what_the_sampler_does_not_know_is_named(options):
    model = ba.Model("y ~ A", FRAME, family="gaussian")
    with pytest.raises(ArgumentError, match=f"options {next(iter(options))}: nutpie refuses"):
        model.fit("nuts", draws=20, tune=20, progressbar=False, **options)

"""Quick fits of Bambi models know how their draws were made, and their tables judge by it."""

import bambi as bmb
import pytest

import bambi_anova as ba


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.ConvergenceWarning")
def test_tables_of_quick_fits_are_judged_by_their_weights():
    model = bmb.Model("yield ~ variety + (1|block)", ba.load_data("oats"))
    fit = ba.quick(model, "laplace", random_seed=1, progressbar=False)
    table = ba.contrasts(model, fit, "variety")
    assert table["trusted"].all()
    assert not ba.contrasts(model, bare(fit), "variety")["trusted"].any()
    means = fit["posterior"]["variety"].mean(("chain", "draw")).to_numpy()
    assert table["mean"].tolist() == pytest.approx([-means[0], -means[1], means[0] - means[1]])


def bare(fit):
    """The same draws without a record of how they were made."""
    return {"posterior": fit["posterior"]}

"""Evidence for terms, and probabilities of models."""

import numpy as np
import pytest

import bambi_anova as ba
from bambi_anova import plots
from bambi_anova.errors import ArgumentError
from tests.plots.drawn import markers

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.ReplicationWarning")


@pytest.fixture(scope="module")
def found():
    oats = ba.load_data("oats").astype({"nitrogen": str})
    model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
    return ba.bayes_factors(model, priors="jzs", random_seed=1, progressbar=False)


def test_every_term_has_its_evidence(found):
    ax = plots.plot_inclusion(found)
    table = found.terms()
    names = [label.get_text() for label in ax.get_yticklabels()]
    at = dict(zip(names, markers(ax)[0][:, 0], strict=True))
    assert names[-1] == "variety"
    for _, row in table.iterrows():
        name = row["term"].replace(":", " \N{MULTIPLICATION SIGN} ")
        assert at[name] == pytest.approx(row["log_bf"] / np.log(10))
    assert "all models" in plots.plot_inclusion(found, matched=False).get_title("left")


def test_every_model_has_its_probability(found):
    ax = plots.plot_models(found)
    widths = [bar.get_width() for bar in ax.patches]
    expected = found.models().sort_values("posterior_probability")["posterior_probability"]
    np.testing.assert_allclose(widths, expected)
    assert sum(widths) == pytest.approx(1)


def test_other_things_are_refused(found):
    for plot in (plots.plot_inclusion, plots.plot_models):
        with pytest.raises(ArgumentError, match="bayes_factors returns"):
            plot(found.terms())

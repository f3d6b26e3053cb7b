"""A Bambi model that is read has the log density of the PyMC model that Bambi builds."""

import numpy as np
import pytest

from bambi_anova.engine.latent.bambi_draws import (
    bambi_log_density,
    own_log_density,
)
from bambi_anova.engine.latent.draws import LatentDraws
from bambi_anova.engine.latent.from_bambi import read_bambi
from tests.quick_fits.gallery import CLOSED, GENERATED, MERGED

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


def random_points(model, count=7, seed=1):
    """Points about the prior, not too far out for any likelihood."""
    rng = np.random.default_rng(seed)
    centres = [np.median(scale.draw(rng, 201)) for scale in model.scales]
    u = np.array(centres)[:, None] + 0.5 * rng.standard_normal((len(model.scales), count))
    values = model.values(u.reshape(len(model.scales), count))
    sd, blocks = model.core.covariance.sd(values), model.blocks
    core = model.core.mean + np.minimum(sd, 0.3) * rng.standard_normal(sd.shape)
    # Thresholds must stay in order.
    names = [term.start for term in model.core.terms if term.key.startswith("threshold_")]
    core[names] = np.sort(core[names], axis=0)
    effects = {
        term.key: 0.3 * rng.standard_normal((len(term.index), 1, count)) for term in blocks.terms
    }
    return LatentDraws(values[:, None], core[:, None], effects)


#: What takes its seconds to compile.
SLOW = {"gamma", "hurdle gamma", "inflation by a predictor", "angles", "gaussian, log"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
        for name in CLOSED | MERGED | GENERATED
    ],
)
def test_density_is_that_of_bambi(name):
    found = read_bambi((CLOSED | MERGED | GENERATED)[name]())
    if name in MERGED:
        assert len(found.model.origin) < len(found.model.predictors) * 48
    points = random_points(found.model)
    ours, theirs = own_log_density(found, points), bambi_log_density(found, points)
    assert np.isfinite(theirs).all()
    assert np.ptp(theirs) > 0.1
    np.testing.assert_allclose(ours - theirs, (ours - theirs)[0], atol=1e-6 * np.abs(theirs).max())

"""The ANOVA display."""

import numpy as np
import pytest

from bambi_anova import plots
from bambi_anova.present.wording import TIMES
from tests.plots.drawn import markers

DESIGNS = ["memory", "oats", "recall"]


@pytest.mark.parametrize("name", DESIGNS)
def test_the_anova_display_is_the_table_by_stratum(name, quick_fit):
    result = quick_fit(name)
    ax = plots.plot_anova(result)
    table = result.anova().set_index("term")
    shown = table["mean"].fillna(table["sigma"])
    means = markers(ax)[0][:, 0]
    np.testing.assert_allclose(np.sort(means), np.sort(shown))
    names = [t.get_text().replace("\n", " ") for t in ax.get_yticklabels()]
    heads = [name for name in names if name.startswith("stratum: ")]
    assert len(heads) == table["stratum"].nunique()
    first = result.design.units[0].name
    assert heads[0] == f"stratum: {first}"
    for term, df in table["df"].items():
        assert any(f"{term.replace(':', f' {TIMES} ')} ({df})" in name for name in names)

"""The progress bar of quick fits: only where they take long, only if asked for."""

import numpy as np
import pytest

import bambi_anova as ba
from bambi_anova.engine import progress as module
from bambi_anova.engine.progress import Progress

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

FORMULA = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    monkeypatch.setenv("FORCE_COLOR", "1")


def fit(progressbar):
    model = ba.Model(FORMULA, ba.load_data("memory"), family="binomial")
    return model.fit("laplace", draws=100, random_seed=1, progressbar=progressbar)


def test_a_long_fit_says_what_it_does(hurried, capsys):
    fit(progressbar=True)
    shown = capsys.readouterr().out
    assert "laplace: drawing" in shown
    assert shown.endswith("\x1b[2K") or "\x1b[?25h" in shown  # taken away again


def test_it_can_be_silenced(hurried, capsys):
    fit(progressbar=False)
    found = capsys.readouterr()
    assert (found.out, found.err) == ("", "")


def test_a_short_fit_shows_nothing(capsys):
    with Progress("laplace", shown=True) as progress:
        progress("drawing", 1, 10)
    assert capsys.readouterr().out == ""


def test_it_goes_away_when_a_fit_is_interrupted(hurried):
    progress = Progress("laplace", shown=True)

    def interrupted():
        with progress:
            progress("drawing", 1, 10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not progress._bar.live.is_started


def test_draws_do_not_depend_on_it(hurried):
    one, other = fit(progressbar=True), fit(progressbar=False)
    assert np.array_equal(one.draws.cells, other.draws.cells)


def test_notebooks_without_widgets_are_not_told_to_install_them(hurried, monkeypatch, recwarn):
    import rich.console

    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with Progress("laplace", shown=True) as progress:
        progress("drawing", 1, 10)
    assert not [warning for warning in recwarn if "ipywidgets" in str(warning.message)]

"""The graph of the Bambi model, as a user of Bambi asks for it."""

import pytest

import bambi_anova as ba
from bambi_anova.errors import ArgumentError


@pytest.fixture(scope="module")
def model():
    return ba.Model("yield ~ variety + Error(block/variety)", ba.load_data("oats"))


@pytest.mark.slow
def test_a_graph_holds_every_parameter(model):
    pytest.importorskip("graphviz")
    source = model.graph().source
    assert "1|variety_sigma" in source
    assert "sigma" in source


@pytest.mark.parametrize("error", [ImportError("no graphviz"), RuntimeError("failed to execute")])
def test_what_is_missing_is_said(model, monkeypatch, error):
    class Built:
        def graph(self, *args, **kwargs):
            raise error

    monkeypatch.setattr("bambi_anova.bambi_model.build.built", lambda model: Built())
    with pytest.raises(ArgumentError, match="needs the package graphviz and the programs"):
        model.graph()

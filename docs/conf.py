"""The site: ``make docs``.

Sources are read from the root of the repository, so that links between pages, tutorials and reports
are the same here as in the repository itself.
"""

from pathlib import Path

from latex2mathml.converter import convert
from pygments.lexers import PythonLexer

import bambi_anova

HERE = Path(__file__).parent

project = "bambi-anova"
author = copyright = "The bambi-anova developers"
version = release = bambi_anova.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
]

root_doc = "docs/index"
include_patterns = [
    "docs/**",
    "tutorials/*.ipynb",
    "benchmarks/*.md",
    "benchmarks/*/*.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
]
exclude_patterns = ["docs/templates", "docs/_static"]
templates_path = [str(HERE / "templates")]
suppress_warnings = ["config.cache"]

# Notebooks show what is stored in them; their outputs have a test of their own.
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
nitpicky = True
# Attributes of dataclasses are described with their class and have no page.
nitpick_ignore = [("py:obj", name) for name in ("design", "family", "link", "priors")]
add_module_names = False
toc_object_entries = False
python_display_short_literal_types = True

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "bambi-anova"
html_static_path = ["_static"]
html_extra_path = ["extra"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
html_sidebars = {"docs/index": [], "docs/gallery/index": []}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"


def formula(display):
    """Return what writes a formula as MathML: browsers show it by themselves, offline as well."""

    def visit(writer, node):
        from docutils.nodes import SkipNode

        writer.body.append(convert(node.astext(), display=display))
        raise SkipNode

    return visit, None


def setup(app):
    """Show formulas; highlight what other pages mark as Python that cannot be run yet."""
    app.add_html_math_renderer("mathml", formula("inline"), formula("block"))
    app.add_lexer("python-proposal", PythonLexer)

"""Sphinx configuration: MyST pages, numpydoc docstrings, furo."""

import graphsparse

project = "graphsparse"
author = "The graphsparse developers"
copyright = "2026, The graphsparse developers"  # noqa: A001
release = version = graphsparse.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
suppress_warnings = [
    "myst.header",  # pages that are read on their own, too
    "myst.xref_missing",
    "ref.python",  # several classes have an attribute of one name
]

autosummary_generate = True
autodoc_typehints = "none"  # types stand in the docstrings
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_ivar = True
default_role = "code"

html_theme = "furo"
html_title = f"graphsparse {release}"
html_static_path: list[str] = []

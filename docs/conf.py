"""Sphinx settings: pages from docstrings and notebooks, and no request that leaves the machine."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "Catastrophe workbench"
author = "the authors of the workbench"
copyright = "Apache-2.0"
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_nb", "mathml", "plain", "building"]
exclude_patterns = ["_ext", "_build"]
html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["workbench.css"]
html_copy_source = False
html_show_sphinx = False
html_math_renderer = "mathml"
suppress_warnings = ["myst.xref_missing", "mystnb.mime_priority"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
smartquotes = False  # options begin with two hyphens
nb_execution_mode = "off"  # `building` runs them, where it is asked to
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"exclude-members": "name, kind, grad, needs, pace, choices"}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Settings", "params_style")]
run_notebooks = os.environ.get("WORKBENCH_DOCS") == "run"

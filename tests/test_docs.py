"""The documentation: it builds without a warning or a request, and its Python runs."""

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import workbench
from workbench.cli.listing import GROUPS
from workbench.glossary import TERMS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
OUTSIDE = re.compile(r"""(?:src|href)=["'](?:https?:)?//[^"']*\.(?:js|css|woff2?|png|svg)\b""")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The pages as HTML, from a copy of the sources with its notebooks as they lie there."""
    place = tmp_path_factory.mktemp("docs")
    for name in ("docs", "notebooks", "README.md", "CHANGELOG.md", "CONTRIBUTING.md"):
        source, target = ROOT / name, place / name
        left = shutil.ignore_patterns("_build", "made", "plotly.min.js")
        shutil.copytree(source, target, ignore=left) if source.is_dir() else shutil.copy(
            source, target
        )
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going"]
    done = subprocess.run([*command, "docs", "html"], cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return place / "html"


def test_every_method_and_public_name_has_its_page(built):
    for item in GROUPS["estimators"]():
        page = (built / "made" / "methods" / f"{item['name']}.html").read_text()
        assert "In the library" in page
    pages = " ".join(p.read_text() for p in (built / "made").rglob("*.html"))
    assert not [n for n in workbench.__all__ if n[0] != "_" and f"workbench.{n}" not in pages]


def test_no_page_asks_for_anything_from_elsewhere(built):
    pages = list(built.rglob("*.html"))
    assert len(pages) > 40
    assert not [p for p in pages if OUTSIDE.search(p.read_text())]


def test_formulas_are_drawn_without_a_script(built):
    page = (built / "made" / "methods" / "moments.html").read_text()
    assert "<math" in page and "mathjax.js" not in page.lower()


def test_notes_are_about_methods_that_there_are():
    said = yaml.safe_load((DOCS / "methods.yaml").read_text())
    known = {item["name"] for item in GROUPS["estimators"]()}
    assert said.keys() <= known
    assert all(note.keys() == {"formula", "cost", "fails"} for note in said.values())


def test_measurements_are_of_methods_and_problems_that_there_are():
    with (DOCS / "measured.csv").open(newline="") as file:
        runs = list(csv.DictReader(file))
    known = {item["name"] for item in GROUPS["estimators"]()}
    assert {run["estimator"] for run in runs} <= known and len(runs) > 100


def test_glossary_says_something_of_every_word():
    assert all(said.endswith(".") and len(said) > 30 for said in TERMS.values())

"""The house itself: pins that agree, a top level without strays, an import without interfaces."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?(.*)")
TOP_LEVEL = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "constraints.txt",
    "data",
    "docs",
    "environment.yml",
    "notebooks",
    "pyproject.toml",
    "tests",
    "workbench",
}
ASKED_FOR = ["bench", "cluster", "lm"]  # extras that neither `make` nor environment.yml installs
OUTSIDE = ["panel", "plotly", "ipywidgets", "anywidget", "pandas", "sklearn", "param", "bokeh"]


def pins(lines):
    """{normalised name: version} of the lines `name==version`, each name once."""
    found = {}
    for line in lines:
        name, version = REQUIREMENT.fullmatch(line).groups()
        assert version.startswith("=="), f"{line!r} is not an exact pin"
        assert normal(name) not in found, f"{name} is pinned twice"
        found[normal(name)] = version.removeprefix("==")
    return found


def normal(name):
    """A distribution's name as the packaging standard compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def constraints():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return pins(line for line in lines if line and not line.startswith("#"))


@pytest.fixture(scope="module")
def environment():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    python, _, by_pip = listed
    assert python == "python=3.11"
    return pins(line for line in by_pip["pip"] if not line.startswith("--"))


def direct(without=()):
    """The names that pyproject.toml asks for, in all its extras but those."""
    extras = PROJECT["optional-dependencies"]
    groups = [PROJECT["dependencies"], *(extras[name] for name in extras if name not in without)]
    return {normal(REQUIREMENT.match(line)[1]) for group in groups for line in group}


def test_environment_has_the_versions_of_constraints(environment, constraints):
    assert environment.items() <= constraints.items()


def test_every_direct_dependency_is_pinned_in_both(environment, constraints):
    assert environment.keys() == direct(without=ASKED_FOR)
    assert direct() <= constraints.keys()


@pytest.mark.parametrize("extra", ASKED_FOR)
def test_what_only_a_user_asks_for_is_not_installed_by_make(extra):
    assert extra in PROJECT["optional-dependencies"]
    listed = re.findall(r"EXTRAS := (.*)", (ROOT / "Makefile").read_text())
    assert listed and not any(extra in names.split(",") for names in listed)


def test_no_pin_carries_a_build_tag(constraints):
    assert not [name for name, version in constraints.items() if "+" in version]


def test_top_level_holds_exactly_what_is_named():
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    present = {name.split("/")[0] for name in listed.split("\0") if (ROOT / name).is_file()}
    assert present == TOP_LEVEL


def test_import_brings_no_interface_plot_or_data_frame():
    code = f"import sys; from workbench import *; print([m for m in {OUTSIDE} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.strip() == "[]"


def test_the_command_line_answers_without_torch():
    code = "import sys; from workbench.cli import app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_ci_runs_make_test():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o100, "not executable"
    commands = [s for s in script.read_text().splitlines() if not s.startswith("#")]
    assert commands == [
        "set -euo pipefail",
        'cd "$(dirname "$0")/.."',
        "CI=true make test",
    ]

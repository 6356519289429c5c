"""Adding an estimator touches three files (and a line of CHANGELOG.md): proved by adding one.

In a copy of the package the template becomes a file of its own, gets its place in `ALL` and its row
in tests/cases.py; then the command line lists it and the contract tests run on it and pass.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAME = "sliced"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A copy of what the contract tests need."""
    root = tmp_path_factory.mktemp("package")
    shutil.copytree(ROOT / "workbench", root / "workbench", ignore=lambda *_: {"__pycache__"})
    (root / "data").symlink_to(ROOT / "data", target_is_directory=True)
    (root / "tests").mkdir()
    for name in ("conftest.py", "cases.py", "test_estimators.py", "test_resume.py"):
        shutil.copy(ROOT / "tests" / name, root / "tests" / name)
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def change(path, pattern, replacement):
    """One place of a file."""
    text, count = re.subn(pattern, replacement, path.read_text(), count=1)
    assert count == 1, f"{path.name} has no {pattern!r}"
    path.write_text(text)


def add_file(root):
    template = (root / "workbench" / "estimators" / "TEMPLATE.py").read_text()
    text = template.replace("Stratified", "Sliced").replace('"stratified"', f'"{NAME}"')
    (root / "workbench" / "estimators" / f"{NAME}.py").write_text(text)


def add_to_all(root):
    path = root / "workbench" / "estimators" / "__init__.py"
    change(
        path, r"(ALL: .* = \()", rf"from workbench.estimators.{NAME} import Sliced\n\n\1Sliced, "
    )


def add_row(root):
    row = f'    Row("{NAME}", "A_d10_1e-3", budget=20_000, coverage=0.95, settings=({{}},)),\n'
    change(root / "tests" / "cases.py", r"(ROWS = \(\n)", rf"\1{row}")


def run(root, *command):
    """A command of this interpreter, on the copy."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def contract(root, *more):
    chosen = [
        "tests/test_estimators.py",
        "tests/test_resume.py",
        "-k",
        f"{NAME} or every_estimator",
    ]
    return run(root, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen, *more)


def test_three_files_add_an_estimator(package):
    add_file(package)
    add_to_all(package)

    forgotten = contract(package, "-x")
    assert forgotten.returncode == 1
    wanted = f"add a row to tests/cases.py for the estimators ['{NAME}']"
    assert wanted in forgotten.stdout

    add_row(package)
    found = run(package, "-c", "import workbench; print(workbench.__file__)")
    assert Path(found.stdout.strip()).parent == package / "workbench", found.stderr
    listed = run(package, "-m", "workbench", "list", "estimators", "--json")
    assert listed.returncode == 0, listed.stderr
    assert f'"{NAME}"' in json.dumps(json.loads(listed.stdout))
    asked = ["estimate", "A_d10_1e-3", "--estimator", NAME, "--budget", "5000", "--json"]
    estimated = run(package, "-m", "workbench", *asked)
    assert estimated.returncode == 0, estimated.stderr
    answer = json.loads(estimated.stdout)
    assert answer["estimator"] == NAME and answer["forwards"] == 5000
    assert answer["settings"] == {"batch": 1024, "axis": 0}

    named = run(package, "-c", "import workbench as wb; print(wb.Sliced.name)")
    assert named.stdout.strip() == NAME, named.stderr
    told = (ROOT / "CONTRIBUTING.md").read_text()
    assert f'pytest tests/test_estimators.py tests/test_resume.py -k "{NAME} or every_est' in told

    passed = contract(package)
    assert passed.returncode == 0, passed.stdout[-3000:]
    assert f"[{NAME}]" in run(
        package, "-m", "pytest", "-q", "--collect-only", "tests/test_estimators.py"
    ).stdout  # fmt: skip
    count = int(re.search(r"(\d+) passed", passed.stdout)[1])
    assert count > 20, "the contract tests did not collect the new estimator"

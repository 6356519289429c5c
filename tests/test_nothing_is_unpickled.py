"""No code here unpickles or evaluates what it is given."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
ATTRIBUTES = {
    "torch.load",
    "torch.save",
    "yaml.full_load",
    "yaml.unsafe_load",
    "np.load",
    "numpy.load",
}
BUILTINS = {"eval", "exec", "compile"}


def forbidden(text):
    """What a source does that no code here may, as `line: what`."""
    found = []
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                used = [n.name for n in names if n.name.split(".")[0] in MODULES]
            case ast.ImportFrom(module=str(module), names=names):
                whole = [module, *(f"{module}.{n.name}" for n in names)]
                used = [w for w in whole if w.split(".")[0] in MODULES or w in ATTRIBUTES]
            case ast.Attribute():
                used = [n for n in [ast.unparse(node)] if n in ATTRIBUTES]
            case ast.Call(func=ast.Name(id=name)):
                used = [name] if name in BUILTINS else []
            case _:
                used = []
        found += [f"{node.lineno}: {name}" for name in used]
    return found


@pytest.mark.parametrize("folder", ["workbench", "data"])
def test_nothing_is_unpickled_or_evaluated(folder):
    sources = sorted((ROOT / folder).rglob("*.py"))
    assert sources
    assert {str(p): found for p in sources if (found := forbidden(p.read_text()))} == {}


@pytest.mark.parametrize(
    "text",
    [
        "import pickle", "from pickle import loads", "import torch\ntorch.load('x')", "eval('1')",
        "from torch import load", "exec(s)", "import joblib.numpy_pickle",
    ],
)  # fmt: skip
def test_what_is_looked_for_is_found(text):
    assert len(forbidden(text)) >= 1

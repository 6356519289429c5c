"""The faults that mutation testing puts in are faults, and are where it says."""

import ast
import importlib.util
from pathlib import Path

from faults import faults
from mutants import NEAREST, PACKAGES, ROOT, Trial, changes, nearest, put_in

CODE = """
LIMIT = 3
class Row:
    order: int = 8
def f(x: Tensor, n=4) -> Tensor:
    if not n <= 1 and x is None:
        raise ValueError(-1)
    total = x.sum() + torch.where(x < 0.0, -x, 2.5 * x)
    for _ in range(60):
        total -= max(1e-9, x)
    return total
"""
FOUND = {
    (6, "not dropped"), (6, "LtE -> Gt"), (6, "1 -> 2"), (6, "And -> Or"), (6, "Is -> IsNot"),
    (8, "sum -> prod"), (8, "Add -> Sub"), (8, "arms of where"), (8, "Lt -> GtE"),
    (8, "0.0 -> 1.0"), (8, "minus dropped"), (8, "2.5 -> 5.0"), (8, "Mult -> Div"),
    (10, "Sub -> Add"), (10, "max -> min"),
}  # fmt: skip


def test_faults_are_found_where_they_matter_and_each_changes_the_code():
    whole = ast.unparse(ast.parse(CODE))
    found = list(faults(ast.parse(CODE)))
    assert {(fault.line, fault.what) for fault in found} == FOUND and len(found) == len(FOUND)
    for number in range(len(found)):
        tree = ast.parse(CODE)
        list(faults(tree))[number].put()
        assert ast.unparse(ast.fix_missing_locations(tree)) != whole


def test_every_module_of_the_mathematics_has_tests_that_exist():
    modules = [p for name in PACKAGES for p in (ROOT / "workbench" / name).rglob("*.py")]
    assert all(Path(name).is_file() for path in modules for name in nearest(path))
    known = {str(p.relative_to(ROOT / "workbench").with_suffix("")) for p in modules}
    known |= {str(Path(name).parent) for name in known}
    assert NEAREST.keys() <= known


LIVING = """
from functools import cache
HALF = [k + 1 for k in range(2)][0] / 2
@cache
def remembered(n):
    return n + 3
class Row:
    def twice(self, x):
        return x * 2
add = lambda x: x - 5
def outer():
    def inner(x):
        return -x
    return inner
"""
TOLD = {
    "n + 3": lambda m: m.remembered(1), "x * 2": lambda m: m.Row().twice(6.0),
    "x - 5": lambda m: m.add(5), "-x": lambda m: m.outer()(7), "k + 1": None,
}  # fmt: skip


def test_a_fault_is_put_into_functions_that_live_already(tmp_path):
    path = tmp_path / "living.py"
    path.write_text(LIVING)
    spec = importlib.util.spec_from_file_location("living", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lines, met = LIVING.splitlines(), set()
    for number, fault in enumerate(faults(ast.parse(LIVING))):
        told = next(t for t in TOLD if t in lines[fault.line - 1])
        trial, ask = Trial(path, number, fault), TOLD[told]
        change = changes(trial)
        assert bool(change) == (ask is not None)
        if ask:
            was = ask(module)
            put_in(change)
            assert ask(module) != was
            put_in({now: code for code, now in change.items()})
            assert ask(module) == was
        met.add(told)
    assert met == TOLD.keys()

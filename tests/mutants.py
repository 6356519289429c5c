"""Would a test notice a slip in the mathematics? One small fault at a time, the nearest tests.

`python -m tests.mutants --sample 200 --seed 0` puts that many faults into `workbench/math`,
`tails` and `propagation`, each in a process of its own (nothing is written to the tree), runs the
tests of the module it is in, and prints every fault that none of them noticed.

A fault turns an operation (+ and -, * and /, ** and *), a comparison, `and` / `or`, `is`, `in`, a
minimum or maximum, a sum or product, the arms of a `where` or a sign round, adds 1 to a whole
number, doubles another, or drops a `not`. Knobs of accuracy are left alone, since turning them is
no fault: constants and defaults with a name, numbers beyond 1e-6 and 1e6, bounds of loops from 10;
so is the `strict` of a zip.
"""

import argparse
import ast
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("math", "tails", "propagation")
NEAREST = {
    "math": "test_math",
    "math/activations": "test_activations test_operations test_cumulant",
    "math/cosine": "test_algzoo",
    "math/cost": "test_math test_coherence",
    "math/cycles": "test_tiny_tasks",
    "math/disjoint": "test_orthant_exact",
    "math/gaussian": "test_math test_tails test_orthant",
    "math/itakura_saito": "test_bench_tokens",
    "math/lattice": "test_algzoo",
    "math/law": "test_math test_tails",
    "math/least_distance": "test_token_estimators",
    "math/logspace": "test_math test_orthant",
    "math/nodes": "test_conditioned",
    "math/order": "test_tiny_tasks test_algzoo",
    "math/orthant": "test_orthant",
    "math/pareto": "test_importance",
    "math/quadrature": "test_math test_activations test_cubature",
    "math/region": "test_bounds test_proofs",
    "math/relaxations": "test_bounds",
    "math/residues": "test_residues",
    "math/saddle": "test_free_energy",
    "math/simplex": "test_tilting",
    "math/tilted": "test_orthant_exact",
    "math/transitions": "test_short_text test_residues test_lm_adversary",
    "tails": "test_tails",
    "propagation": "test_propagation test_cumulant test_operations",
    "propagation/covariance": "test_propagation test_series test_operations",
    "propagation/cumulant4": "test_cumulant4",
    "propagation/diagrams": "test_cumulant4",
    "propagation/intervals": "test_bounds test_proofs",
    "propagation/linear_bounds": "test_bounds test_proofs",
    "propagation/patterns": "test_cumulant4",
    "propagation/series": "test_series test_limits",
    "propagation/smoothed": "test_conditioned",
    "propagation/tensors": "test_cumulant4",
    "propagation/wick": "test_cumulant4",
}
OPERATIONS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
PAIRS = ("min max", "amin amax", "argmin argmax", "minimum maximum", "any all", "sum prod")
_BROKEN = 99  # no exit status of pytest
CALLS = {a: b for pair in map(str.split, PAIRS) for a, b in (pair, pair[::-1])}


@dataclass(frozen=True)
class Fault:
    """What is changed in which line, and how: `put` changes the tree it was found in."""

    line: int
    what: str
    put: Callable[[], None]


def faults(tree: ast.AST) -> Iterator[Fault]:
    """Every fault that can be put into a tree, in order."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.Raise() | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
                continue
            case ast.Assign(value=ast.Constant()) if isinstance(tree, ast.Module | ast.ClassDef):
                continue
            case ast.AnnAssign(value=value):
                if value is not None and not isinstance(tree, ast.ClassDef):
                    yield from faults(ast.Expression(value))
            case ast.FunctionDef():
                yield from faults(ast.Module(node.body, []))
            case ast.ClassDef():
                yield from faults(ast.ClassDef(node.name, [], [], node.body, []))
            case ast.Call(func=ast.Name("range"), args=[ast.Constant(int(n)), *_]) if n >= 10:
                continue
            case ast.keyword(arg="strict"):
                continue
            case _:
                yield from _at(node)
                yield from faults(node)


def _at(node: ast.AST) -> Iterator[Fault]:
    """The faults of one node itself."""

    def fault(what: str, target: object = node, **new: object) -> Fault:
        return Fault(node.lineno, what, lambda: [setattr(target, k, v) for k, v in new.items()])  # type: ignore[attr-defined]

    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in OPERATIONS:
            other = OPERATIONS[type(op)]
            yield fault(f"{type(op).__name__} -> {other.__name__}", op=other())
        case ast.Compare(ops=[op]) if type(op) in COMPARISONS:
            other = COMPARISONS[type(op)]
            yield fault(f"{type(op).__name__} -> {other.__name__}", ops=[other()])
        case ast.BoolOp(op=op):
            other = ast.Or if isinstance(op, ast.And) else ast.And
            yield fault(f"{type(op).__name__} -> {other.__name__}", op=other())
        case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=inner):
            yield fault("not dropped", operand=ast.UnaryOp(node.op, inner))
        case ast.UnaryOp(op=ast.USub()):
            yield fault("minus dropped", op=ast.UAdd())
        case ast.Call(func=ast.Attribute(attr="where"), args=[c, a, b]):
            yield fault("arms of where", args=[c, b, a])
        case ast.Call(func=ast.Attribute(attr=name) as f) if name in CALLS:
            yield fault(f"{name} -> {CALLS[name]}", f, attr=CALLS[name])
        case ast.Call(func=ast.Name(id=name) as f) if name in CALLS and name not in ("sum", "prod"):
            yield fault(f"{name} -> {CALLS[name]}", f, id=CALLS[name])
        case ast.Constant(value=bool(value)):
            yield fault(f"{value} -> {not value}", value=not value)
        case ast.Constant(value=int(value)):
            yield fault(f"{value} -> {value + 1}", value=value + 1)
        case ast.Constant(value=float(value)) if value == 0.0 or 1e-6 <= abs(value) <= 1e6:
            yield fault(f"{value} -> {2.0 * value or 1.0}", value=2.0 * value or 1.0)


class Mutated(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """Imports one module with fault `number` in it (None: as it is), as a plugin of pytest."""

    def __init__(self, path: Path, number: int | None):
        self.name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        importlib.machinery.SourceFileLoader.__init__(self, self.name, str(path))
        self.number = number

    def pytest_configure(self):
        """Come before pytest's own importer, which claims the files that it is given."""
        sys.meta_path.insert(0, self)

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def get_code(self, fullname):
        tree = ast.parse(self.get_data(self.path))
        if self.number is not None:
            list(faults(tree))[self.number].put()
        return compile(ast.fix_missing_locations(tree), self.path, "exec")


def nearest(path: Path) -> tuple[str, ...]:
    """The module's own examples, and the test files nearest to it."""
    part = path.relative_to(ROOT / "workbench").with_suffix("")
    names = next(NEAREST[str(p)] for p in (part, *part.parents) if str(p) in NEAREST)
    return (str(path), *(str(ROOT / "tests" / f"{n}.py") for n in names.split()))


@dataclass(frozen=True)
class Trial:
    """The nearest tests of a module, with a fault in it or none."""

    path: Path
    number: int | None = None
    fault: Fault | None = None
    seconds: float = 600.0  # of CPU time; a fault that makes a loop endless is noticed so

    def start(self) -> int:
        """Run pytest in a process of its own; its id."""
        child = os.fork()
        if child:
            return child
        with contextlib.suppress(BaseException):
            resource.setrlimit(resource.RLIMIT_CPU, (int(self.seconds), int(self.seconds)))
            for stream in (1, 2):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
            import pytest

            words = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", *nearest(self.path)]
            os._exit(pytest.main(words, plugins=[Mutated(self.path, self.number)]))
        os._exit(_BROKEN)


def results(trials: Iterable[Trial], jobs: int) -> Iterator[tuple[Trial, int, float]]:
    """Every trial as it ends, with its exit status (a signal's is negative) and CPU seconds."""
    waiting, running = list(trials)[::-1], {}
    while waiting or running:
        while waiting and len(running) < jobs:
            trial = waiting.pop()
            running[trial.start()] = trial
        child, status, used = os.wait3(0)
        code = os.waitstatus_to_exitcode(status)
        yield running.pop(child), code, used.ru_utime + used.ru_stime


def main() -> None:
    """Read the arguments, run the sample, say what was not noticed."""
    parser = argparse.ArgumentParser(description="Mutation testing of the mathematics.")
    parser.add_argument("--sample", type=int, default=200, help="how many faults")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--only", default="", help="files whose path holds this")
    asked = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    os.chdir(ROOT)
    # What every process needs and no fault touches is imported once.
    import hypothesis  # noqa: F401
    import pytest  # noqa: F401
    import scipy.optimize  # noqa: F401
    import torch

    torch.set_num_threads(1)
    every = [
        Trial(path, number, fault)
        for package in PACKAGES
        for path in sorted((ROOT / "workbench" / package).rglob("*.py"))
        if asked.only in str(path)
        for number, fault in enumerate(faults(ast.parse(path.read_text())))
    ]
    drawn = random.Random(asked.seed).sample(every, min(asked.sample, len(every)))
    sound = {nearest(trial.path)[1:]: Trial(trial.path) for trial in drawn}
    allowed = {}
    for trial, code, used in results(sound.values(), asked.jobs):
        files = nearest(trial.path)
        assert code == 0, f"without a fault {' '.join(files)} ended with {code}"
        allowed[files[1:]] = 3.0 * used + 10.0
    print(f"{len(sound)} sets of tests pass without a fault", flush=True)

    begun, noticed = time.time(), 0
    timed = [replace(trial, seconds=allowed[nearest(trial.path)[1:]]) for trial in drawn]
    for trial, code, _ in results(timed, asked.jobs):
        assert code != _BROKEN, f"{trial.path}: fault {trial.number} could not be put in"
        noticed += code != 0
        if code == 0 and trial.fault:
            line = trial.path.read_text().splitlines()[trial.fault.line - 1].strip()
            place = f"{trial.path.relative_to(ROOT)}:{trial.fault.line}"
            print(f"{place}: {trial.fault.what}: {line}", flush=True)
    share = 100.0 * noticed / max(1, len(drawn))
    print(f"{noticed} of {len(drawn)} noticed ({share:.0f}%), of {len(every)} faults that could be")
    print(f"{time.time() - begun:.0f} s")


if __name__ == "__main__":
    main()

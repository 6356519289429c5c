"""Would a test notice a slip in the mathematics? One small fault at a time, the nearest tests.

`python tests/mutants.py --sample 200 --seed 0` puts that many faults (`tests/faults.py`) into
`workbench/math`, `tails` and `propagation`, and prints every one that no test noticed. The tests
are run once without a fault, which shows what functions each of them calls. They are then
collected in a process of which every fault gets a fork: it is put into the code of the function
that it is in, and the nearest tests that call this function are run, the quickest first. A fault
outside of functions takes a process that imports its module anew. Nothing is written to the tree.
"""

import argparse
import ast
import contextlib
import functools
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import json
import os
import random
import resource
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest
import torch
from faults import Fault, faults

ROOT = Path(__file__).parents[1]
PACKAGES = ("math", "tails", "propagation")
NEAREST = {
    "math": "test_math",
    "math/activations": "test_activations test_operations test_operation_forms test_cumulant",
    "math/checks": "test_math test_graph",
    "math/contour": "test_math test_main_effects",
    "math/cosine": "test_algzoo",
    "math/cost": "test_math test_coherence",
    "math/cycles": "test_tiny_tasks",
    "math/disjoint": "test_orthant_exact",
    "math/gaussian": "test_math test_tails test_orthant",
    "math/greatest": "test_math test_main_effects test_proofs",
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
    "propagation": "test_propagation test_propagation_symmetries test_cumulant test_operations",
    "propagation/attention": "test_main_effects test_propagation",
    "propagation/covariance": "test_propagation test_propagation_symmetries test_series "
    "test_operations",
    "propagation/cumulant4": "test_cumulant4",
    "propagation/diagrams": "test_cumulant4",
    "propagation/effects": "test_main_effects test_leaves",
    "propagation/extremes": "test_main_effects test_propagation",
    "propagation/intervals": "test_bounds test_proofs",
    "propagation/linear_bounds": "test_bounds test_proofs",
    "propagation/mixing": "test_deep_effects test_main_effects",
    "propagation/patterns": "test_cumulant4",
    "propagation/room": "test_wide",
    "propagation/series": "test_series test_limits",
    "propagation/smoothed": "test_conditioned",
    "propagation/streams": "test_deep_effects test_main_effects",
    "propagation/tensors": "test_cumulant4",
    "propagation/transformer": "test_deep_effects test_main_effects",
    "propagation/wick": "test_cumulant4",
}
_NOTICED, _BROKEN = 1, 99


def nearest(path: Path) -> tuple[str, ...]:
    """The module's own examples, and the test files nearest to it."""
    part = path.relative_to(ROOT / "workbench").with_suffix("")
    names = next(NEAREST[str(p)] for p in (part, *part.parents) if str(p) in NEAREST)
    return (str(path), *(str(ROOT / "tests" / f"{n}.py") for n in names.split()))


@dataclass(frozen=True)
class Trial:
    """One fault in one module."""

    path: Path
    number: int
    fault: Fault

    def __str__(self):
        line = self.path.read_text().splitlines()[self.fault.line - 1].strip()
        return f"{self.path.relative_to(ROOT)}:{self.fault.line}: {self.fault.what}: {line}"

    def code(self, sound: bool = False) -> types.CodeType:
        """Of the module with the fault in it, or without."""
        tree = ast.parse(self.path.read_text())
        if not sound:
            list(faults(tree))[self.number].put()
        return compile(ast.fix_missing_locations(tree), str(self.path), "exec")


def key(code: types.CodeType) -> str:
    """The same for a function in every process."""
    return f"{code.co_filename}:{code.co_firstlineno}:{code.co_qualname}"


def inside(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code of all functions and classes inside a code, in order."""
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield inner
            yield from inside(inner)


def lives_on(code: types.CodeType) -> bool:
    """Whether it is more than the body of a class or of a comprehension that runs at import."""
    at_import = code.co_name.endswith(("comp>", "genexpr>")) and "<locals>" not in code.co_qualname
    return bool(code.co_flags & inspect.CO_NEWLOCALS) and not at_import


def changes(trial: Trial) -> dict[types.CodeType, types.CodeType]:
    """Code of the functions that the fault is in, the innermost last, and what becomes of it."""
    was, now = (list(inside(trial.code(sound))) for sound in (True, False))
    if len(was) != len(now):
        return {}  # a function that is no longer made
    return {a: b for a, b in zip(was, now, strict=True) if a != b and lives_on(a)}


def put_in(change: dict[types.CodeType, types.CodeType]) -> None:
    """Change living functions, and forget what caches remember of them."""
    for thing in gc.get_objects():
        if type(thing) is types.FunctionType and thing.__code__ in change:
            thing.__code__ = change[thing.__code__]
        elif type(thing) is functools._lru_cache_wrapper:
            thing.cache_clear()


class Calls:
    """A plugin of pytest that writes down what functions each test calls, and its CPU seconds."""

    def __init__(self, place: Path):
        self.place, self.tests = place, {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        seen: dict[int, types.CodeType] = {}
        begun = time.process_time()
        sys.setprofile(lambda frame, *_: seen.setdefault(id(frame.f_code), frame.f_code))
        try:
            return (yield)
        finally:
            sys.setprofile(None)
            called = [key(code) for code in seen.values() if "/workbench/" in code.co_filename]
            self.tests[item.nodeid] = time.process_time() - begun, called

    def pytest_sessionfinish(self):
        self.place.write_text(json.dumps(self.tests))


class Forks:
    """A plugin of pytest that tries faults in forks, once the tests are collected."""

    def __init__(self, plans: "list[Plan]", jobs: int, place: Path):
        self.plans, self.jobs, self.place = plans, jobs, place
        self.out = os.dup(1)  # the process itself is silent

    def pytest_collection(self):
        """No time is spent on the simplest example of what hypothesis finds."""
        phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
        hypothesis.settings.register_profile("faults", hypothesis.settings(), phases=phases)
        hypothesis.settings.load_profile("faults")

    def pytest_runtestloop(self, session):
        items = {item.nodeid: item for item in session.items}

        def start(plan: "Plan") -> int:
            if child := os.fork():
                return child
            with contextlib.suppress(BaseException):
                limit(plan.seconds)
                put_in(changes(plan.trial))
                chosen = [items[name] for name in plan.tests]
                for item, following in zip(chosen, [*chosen[1:], None], strict=True):
                    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                    if session.testsfailed:
                        os._exit(_NOTICED)
                os._exit(0)
            os._exit(_BROKEN)

        codes = []
        for p, code in results(self.plans, start, self.jobs):
            codes.append((self.plans.index(p), code))
            if code == 0:
                os.write(self.out, f"{p.trial}\n".encode())
        self.place.write_text(json.dumps(codes))
        return True


class Imported(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """A plugin of pytest that imports one module with a fault in it, and runs some tests."""

    def __init__(self, plan: "Plan"):
        path = plan.trial.path
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        importlib.machinery.SourceFileLoader.__init__(self, module, str(path))
        self.plan = plan

    def pytest_configure(self):
        """Come before every other importer."""
        sys.meta_path.insert(0, self)

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def get_code(self, fullname):
        return self.plan.trial.code()

    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if item.nodeid in self.plan.tests]


@dataclass(frozen=True)
class Plan:
    """A fault and the tests that may notice it, the quickest first."""

    trial: Trial
    tests: list[str]
    seconds: float
    """Of CPU time; a fault that makes a loop endless is noticed so."""
    by_import: bool


def planned(trial: Trial, tests: dict[str, tuple[float, list[str]]]) -> Plan:
    """The nearest tests that call the function of the fault, or any of its module."""
    called = [key(code) for code in changes(trial)][-1:]
    files = tuple(str(Path(name).relative_to(ROOT)) for name in nearest(trial.path))
    mine = {
        name: seconds
        for name, (seconds, calls) in tests.items()
        if name.split("::")[0] in files
        and any(c in called if called else c.startswith(f"{trial.path}:") for c in calls)
    }
    names = sorted(mine, key=mine.__getitem__)
    return Plan(trial, names, 3.0 * sum(mine.values()) + 10.0, not called)


def limit(seconds: float) -> None:
    """Of this process's CPU time."""
    used = time.process_time()
    resource.setrlimit(resource.RLIMIT_CPU, (int(used + seconds), int(used + seconds)))


def run(files: Iterable[str], plugin: object, seconds: float = 3600.0) -> int:
    """Start pytest in a process of its own, silent; its id."""
    if child := os.fork():
        return child
    with contextlib.suppress(BaseException):
        limit(seconds)
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        words = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", "--assert=plain", *files]
        os._exit(pytest.main(words, plugins=[plugin]))
    os._exit(_BROKEN)


def results(
    plans: list[Plan], start: Callable[[Plan], int], jobs: int
) -> Iterator[tuple[Plan, int]]:
    """Every fault as it ends, with the exit status of its process (a signal's is negative)."""
    left, running = plans[::-1], {}
    while left or running:
        while left and len(running) < jobs:
            plan = left.pop()
            running[start(plan)] = plan
        child, status = os.wait()
        yield running.pop(child), os.waitstatus_to_exitcode(status)


def sample(asked: argparse.Namespace) -> tuple[list[Trial], int]:
    """Faults drawn at random, and how many there are to draw from."""
    every = [
        Trial(path, number, fault)
        for package in PACKAGES
        for path in sorted((ROOT / "workbench" / package).rglob("*.py"))
        if asked.only in str(path)
        for number, fault in enumerate(faults(ast.parse(path.read_text())))
    ]
    return random.Random(asked.seed).sample(every, min(asked.sample, len(every))), len(every)


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
    torch.set_num_threads(1)
    trials, every = sample(asked)
    files = sorted({name for trial in trials for name in nearest(trial.path)})
    begun = time.time()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "told"
        _, status = os.waitpid(run(files, Calls(place)), 0)
        assert status == 0, "the tests do not pass without a fault"
        plans = [planned(trial, json.loads(place.read_text())) for trial in trials]
        print(f"{time.time() - begun:.0f} s: the tests pass without a fault", flush=True)
        within = [p for p in plans if p.tests and not p.by_import]
        _, status = os.waitpid(run(files, Forks(within, asked.jobs, place)), 0)
        assert status == 0, "the faults could not be tried"
        codes = [(within[at], code) for at, code in json.loads(place.read_text())]
    at_import = [p for p in plans if p.tests and p.by_import]
    start = lambda p: run({name.split("::")[0] for name in p.tests}, Imported(p), p.seconds)  # noqa: E731
    others = [*results(at_import, start, asked.jobs), *((p, 0) for p in plans if not p.tests)]
    for p in (p for p, code in others if code == 0):
        print(p.trial, "" if p.tests else "(no test calls it)", flush=True)
    codes += others
    for p, code in codes:
        assert code in (0, _NOTICED) or code < 0, f"{p.trial} could not be put in: {code}"
    noticed = sum(code != 0 for _, code in codes)
    share = 100.0 * noticed / max(1, len(codes))
    print(f"{noticed} of {len(codes)} noticed ({share:.0f}%), of {every} faults that could be")
    print(f"{time.time() - begun:.0f} s")


if __name__ == "__main__":
    main()

"""The one shape of all that iterates: `init(problem, rng)`, `step(problem, state)`, `read(state)`.

A state is tensors, counters and random streams, nothing else; so it can be written down, and a run
that was stopped at step k and resumed equals the straight one bit for bit.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from numbers import Integral
from typing import Any, Protocol, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as safetensors_load
from safetensors.torch import save as safetensors_save
from torch import Tensor

from workbench.device import on
from workbench.errors import BadInput, NotConverged, StaleRun
from workbench.rng import Rng


@dataclass(frozen=True, kw_only=True)
class State:
    """What the next step needs; subclasses add tensors, numbers, bools or tuples of numbers."""

    rng: Rng
    steps: int = 0
    forwards: int = 0
    """Forward passes of M spent so far."""
    limit: int | None = None
    """No step may take `forwards` past this."""

    @property
    def left(self) -> float:
        """Forward passes that may still be spent."""
        return math.inf if self.limit is None else max(0, self.limit - self.forwards)


S = TypeVar("S", bound=State)
R = TypeVar("R", covariant=True)


class Iteration(Protocol[S, R]):
    """What the runner, the worker thread and the resume test ask of an iterating thing."""

    def init(self, problem: Any, rng: Rng) -> S: ...
    def step(self, problem: Any, state: S) -> S: ...
    def read(self, state: S) -> R: ...
    def finished(self, state: S) -> bool: ...


@dataclass(frozen=True)
class Budget:
    """When to stop: forward passes of M, seconds of wall clock, or whichever comes first.

    >>> Budget(forwards=10_000)
    Budget(forwards=10000, seconds=None)
    """

    forwards: int | None = 100_000
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.forwards is None and self.seconds is None:
            raise BadInput("a budget needs forwards, seconds or both; got neither")
        n, s = self.forwards, self.seconds
        whole = isinstance(n, Integral) or (isinstance(n, float) and n.is_integer())
        if n is not None and (not whole or isinstance(n, bool)):
            raise BadInput(f"a budget needs a whole number of forward passes, got {n!r}")
        object.__setattr__(self, "forwards", None if n is None else int(n))
        if n is not None and n < 1:
            raise BadInput(f"a budget needs at least one forward pass, got {n}")
        if s is not None and not (isinstance(s, int | float) and s > 0):
            raise BadInput(f"a budget needs a positive number of seconds, got {s!r}")

    @staticmethod
    def of(given: "Budget | int | None", usual: "Budget") -> "Budget":
        """A budget as it is given: itself, forward passes, or the usual one for None."""
        if isinstance(given, Budget):
            return given
        return usual if given is None else Budget(given)

    def fraction(self, forwards: int, seconds: float) -> float:
        """Share of the budget that is spent, at least 1 when it is used up."""
        parts = []
        if self.forwards is not None:
            parts.append(forwards / self.forwards)
        if self.seconds is not None:
            parts.append(seconds / self.seconds)
        return max(parts)


IDLE = 1000
"""Steps on end that may spend nothing of a budget."""
FOREVER = 1e9
"""Seconds that no run takes."""
UNLIMITED = Budget(None, FOREVER)
"""For what ends by itself."""


@dataclass(frozen=True)
class Progress:
    """A look at an iteration between two steps."""

    state: State
    seconds: float
    fraction: float
    """Share of the budget spent, in [0, 1]."""


def steps(
    iteration: Iteration[S, R], problem: Any, state: S, budget: Budget
) -> Iterator[tuple[S, Progress]]:
    """Step until finished or out of budget, yielding after every step.

    The consumer may stop at any yield: nothing is held open.

    Raises:
        NotConverged: where `IDLE` steps on end spend nothing of a budget that is in forward passes;
            where the algebra of a step fails.
    """
    state = replace(state, limit=budget.forwards)
    start = time.perf_counter()
    seconds, idle = 0.0, 0
    while not iteration.finished(state) and budget.fraction(state.forwards, seconds) < 1:
        before = state.forwards
        with on(problem):
            try:
                state = replace(iteration.step(problem, state), steps=state.steps + 1)
            except torch.linalg.LinAlgError as error:  # pyright: ignore[reportPrivateImportUsage]
                raise NotConverged(
                    f"{type(iteration).__name__} came to a matrix that has no factors: values or "
                    "slopes of the model are too large, or too small, for this precision"
                ) from error
        idle = idle + 1 if state.forwards <= before else 0
        if idle >= IDLE and budget.forwards is not None:
            raise NotConverged(
                f"{type(iteration).__name__} took {idle:,} steps without counting a forward pass "
                "and would never end: its `step` must add what it spends to `forwards`, or its "
                "`finished` say that there is nothing left to do"
            )
        seconds = time.perf_counter() - start
        done = iteration.finished(state)
        share = 1.0 if done else min(1.0, budget.fraction(state.forwards, seconds))
        yield state, Progress(state, seconds, share)


def run(
    iteration: Iteration[S, R],
    problem: Any,
    state: S,
    budget: Budget,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[S, float]:
    """Run to the end of the budget; returns the last state and the seconds it took."""
    seconds = 0.0
    for latest, look in steps(iteration, problem, state, budget):
        state, seconds = latest, look.seconds
        if progress is not None:
            progress(look)
    return state, seconds


def pack(state: State) -> bytes:
    """A state as safetensors bytes: tensors as tensors, the rest as JSON in the header."""
    tensors, rest = {}, {"type": type(state).__qualname__}
    for f in fields(state):
        value = getattr(state, f.name)
        if isinstance(value, Tensor):
            tensors[f.name] = value.detach().clone().contiguous()  # safetensors wants no views
        else:
            rest[f.name] = value.save() if isinstance(value, Rng) else value
    return safetensors_save(tensors, metadata={"state": json.dumps(rest)})


def unpack(cls: type[S], data: bytes) -> S:
    """Inverse of `pack`. Raises `StaleRun` where the bytes are no state of this class."""
    try:
        size = int.from_bytes(data[:8], "little")
        rest = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["state"])
        values: dict[str, Any] = dict(safetensors_load(data))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise StaleRun(f"these bytes hold no saved state ({error})") from None
    if rest.pop("type", None) != cls.__qualname__:
        raise StaleRun(f"the saved state is not a {cls.__qualname__}; it was made by other code")
    if set(rest) | set(values) != {f.name for f in fields(cls)}:
        raise StaleRun(f"the saved state has other fields than {cls.__qualname__}; start anew")
    for name, value in rest.items():
        values[name] = tuple(value) if isinstance(value, list) else value
    values["rng"] = Rng.load(values["rng"])
    return cls(**values)


def equal(a: State, b: State) -> bool:
    """Whether two states agree in every bit."""
    for f in fields(a):
        x, y = getattr(a, f.name), getattr(b, f.name)
        same = torch.equal(x, y) if isinstance(x, Tensor) else x == y
        if not same:
            return False
    return type(a) is type(b)

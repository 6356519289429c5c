"""The problem that the sliders of Explore pick. No interface in here."""

import math
from typing import Any

import param
import torch
from torch import Tensor

from workbench import catalogue
from workbench.distributions import Tokens, tempered, varied
from workbench.errors import WorkbenchError
from workbench.problem import Problem, Truth
from workbench.rng import Rng
from workbench.views import Given, margins
from workbench.views.known import Known, first_problem
from workbench.views.variation import (
    random_direction,
    random_slope,
    std_along,
    steepest,
    token_slope,
)

POSITION = ("problem_name", "sigma", "shift", "direction", "lean")
"""The parameters that pick the problem."""


class Position(param.Parameterized):
    """A problem of the catalogue or a visitor's own, and where the sliders have moved it to."""

    problem_name = param.Selector(
        objects=[],
        check_on_set=True,
        label="Problem",
        doc="The triple (D, M, C) to look at; its card says more.",
    )  # fmt: skip
    sigma = param.Number(
        1.0, bounds=(0.1, 10.0), label="Spread of D",
        doc="Multiplies the scale of the input distribution D; 1 is the problem as its card has "
        "it. For tokens and spins it is the temperature; where D reweights a base distribution, "
        "the base is stretched.",
    )  # fmt: skip
    shift = param.Number(
        0.0, bounds=(-1e4, 1e4), label="Threshold",
        doc="C becomes margin > threshold, in units of the margin: above 0 the catastrophe is "
        "rarer, below 0 more frequent.",
    )  # fmt: skip
    direction = param.Selector(
        objects=["steepest", "random"], default="steepest", label="Direction",
        doc="Which way the mean of D moves: along the gradient of log P by covariance propagation "
        "at the card's own D, or along a random direction that the seed picks.",
    )  # fmt: skip
    lean = param.Number(
        0.0, bounds=(-8.0, 8.0), label="Mean of D",
        doc="How far the mean of D, or of its base distribution, moves along the direction, in "
        "standard deviations. A distribution of tokens is tilted along the margin's gradient "
        "instead, by half the square of this number in nats.",
    )  # fmt: skip
    seed = param.Integer(
        0, bounds=(0, 2**31 - 1), label="Seed",
        doc="Determines every random number on this screen: equal seeds give equal pictures.",
    )  # fmt: skip

    def __init__(self, problem: Given | None = None, **params: Any):
        self.known = Known(names=self.listed())
        name, *_ = self.known.add_all(first_problem() if problem is None else problem)
        self._cache: dict[str, tuple[Any, Any]] = {}
        super().__init__(**params)
        self.param.problem_name.objects = self.known.names
        self.param.update(problem_name=name)

    @staticmethod
    def listed() -> list[str]:
        """The names of the catalogue to choose from."""
        return catalogue.names() + catalogue.token_names()

    def choose(self, problem_name: str) -> None:
        """Another problem, at its reference."""
        self.param.update(problem_name=problem_name, sigma=1.0, shift=0.0, lean=0.0)

    def _kept(self, what: str, key: Any, make: Any) -> Any:
        """`make()`, remembered until `key` changes; a `WorkbenchError` is remembered too."""
        if what not in self._cache or self._cache[what][0] != key:
            try:
                value = make()
            except WorkbenchError as error:
                value = error
            self._cache[what] = (key, value)
        value = self._cache[what][1]
        if isinstance(value, WorkbenchError):
            raise value
        return value

    @property
    def reference(self) -> Problem:
        """The problem as its card has it."""
        return self.known.problem(self.problem_name)

    @property
    def edition(self) -> tuple[str, int]:
        """What tells the problem from others that had its name."""
        return self.known.edition(self.problem_name)

    @property
    def at_reference(self) -> bool:
        """Whether the sliders stand where the stored truth holds."""
        return self.sigma == 1.0 and self.shift == 0.0 and self.lean == 0.0

    @property
    def truth(self) -> Truth | None:
        """The stored truth, only where it holds."""
        return self.reference.truth if self.at_reference else None

    @property
    def fixed(self) -> dict[str, str]:
        """{slider: why D cannot follow it}; empty where it follows both."""

        def make() -> dict[str, str]:
            d, found = self.reference.distribution, {}
            if isinstance(d, Tokens):
                return found
            zero = torch.zeros(d.dim, dtype=d.dtype)
            for name, factor, offset in (("sigma", 1.25, zero), ("lean", 1.0, zero + 1.0)):
                try:
                    varied(d, factor, offset)
                except WorkbenchError as error:
                    found[name] = str(error)
            return found

        return self._kept("fixed", self.edition, make)

    @property
    def step(self) -> Tensor:
        """The vector by which the mean of D moves for `lean` = 1; of tokens, the tilt's slope.

        Raises:
            Unsupported: where the direction of steepest ascent is not to be had.
        """
        problem = self.reference
        d = problem.distribution
        seed = self.seed if self.direction == "random" else None

        def make() -> Tensor:
            if isinstance(d, Tokens):
                steep = self.direction == "steepest"
                return token_slope(problem, 0) if steep else random_slope(d, self.seed)
            if self.direction == "random":
                unit = random_direction(d.dim, d.dtype, self.seed)
            else:
                unit = steepest(problem)
            return unit * std_along(d, unit)

        return self._kept("step", (self.edition, self.direction, seed), make)

    @property
    def problem(self) -> Problem:
        """The problem under the sliders. Raises `Unsupported` where D cannot be moved so."""
        reference = self.reference
        if self.at_reference:
            return reference

        def make() -> Problem:
            _ = self._graph_or_none(reference)  # read once, and handed on by `vary`
            d, c = reference.distribution, reference.spec
            if isinstance(d, Tokens):
                d = tempered(d, self.sigma, self.step, self.lean)
            elif self.sigma != 1.0 or self.lean != 0.0:
                zero = torch.zeros(d.dim, dtype=d.dtype)
                offset = zero if self.lean == 0.0 else self.lean * self.step
                d = varied(d, self.sigma, offset)
            if self.shift != 0.0:
                c = c.shift(self.shift)
            return reference.vary(distribution=d, spec=c)

        return self._kept("problem", self.position, make)

    @staticmethod
    def _graph_or_none(problem: Problem) -> Any:
        try:
            return problem.graph
        except WorkbenchError:
            return None

    @property
    def position(self) -> tuple[Any, ...]:
        """What every estimate depends on beside its own settings and the sampling seed."""
        random = self.seed if self.direction == "random" and self.lean != 0.0 else None
        return (self.edition, *(getattr(self, name) for name in POSITION), random)

    @property
    def shift_reach(self) -> float:
        """How far the threshold slider goes: three standard deviations of sampled margins."""

        def make() -> float:
            s = margins.sample(self.reference, 0)
            s = s[torch.isfinite(s)]
            spread = float(s.std()) if s.numel() > 1 else 1.0
            return float(f"{3.0 * spread:.1g}") if spread > 0 and math.isfinite(spread) else 1.0

        return self._kept("reach", self.edition, make)

    def new_seed(self) -> None:
        """Another seed, determined by the present one."""
        generator = Rng(self.seed).child("next").generator()
        self.seed = int(torch.randint(0, 2**31 - 1, (1,), generator=generator))

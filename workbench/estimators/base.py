"""The contract of an estimator, and what it answers."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, final

import torch
from torch import Tensor

from workbench import distributions, numbers, specs
from workbench.device import on
from workbench.distributions import Distribution
from workbench.errors import BadInput, NotConverged, Unsupported
from workbench.estimators.proofs import COST, proof
from workbench.graph.rules import Affine
from workbench.html import facts, power
from workbench.iteration import Budget, Progress, State, run
from workbench.math.cost import Cost, forward_equivalents
from workbench.math.logspace import LN10, to_log10
from workbench.problem import Problem
from workbench.propagation import room
from workbench.rng import Rng, as_rng
from workbench.settings import Settings
from workbench.specs import Polyhedral
from workbench.types import Grad, Kind, Pace


@dataclass(frozen=True, eq=False)
class Estimate:
    """log P with what is known of its error.

    Attributes:
        log_p: log P in nats, 0-d; carries the graph where the estimator's `grad` allows. -inf is an
            answer (no event was seen, or it is impossible).
        log_err: standard error of `log_p` in nats; None where the method knows none.
        kind: what the method promises.
        cost: forward passes, operations, seconds.
        interval: 95% confidence interval of log P in nats, or None.
        info: diagnostics, JSON-able; a "warning" among them is a sentence for the reader.
    """

    log_p: Tensor
    log_err: float | None
    kind: Kind
    cost: Cost = field(default_factory=Cost)
    interval: tuple[float, float] | None = None
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def log10_p(self) -> float:
        """log10 P."""
        return to_log10(self.log_p)

    @property
    def log10_err(self) -> float | None:
        """Standard error of log10 P."""
        return None if self.log_err is None else self.log_err / LN10

    @property
    def log10_interval(self) -> tuple[float, float] | None:
        """95% confidence interval of log10 P."""
        return None if self.interval is None else (self.interval[0] / LN10, self.interval[1] / LN10)

    @property
    def warning(self) -> str:
        """Why the estimate may not be what it seems, in one sentence; else empty."""
        return str(self.info.get("warning", ""))

    @property
    def indicator(self) -> float | None:
        """How many digits a heuristic may be off as its own defects have it: a hint from what the
        answer owes, which takes no truth and bounds nothing. None where it has none."""
        value = self.info.get("indicator_digits")
        return None if value is None else float(value)

    @property
    def doubt(self) -> str:
        """The indicator in words; else empty."""
        told = self.indicator and math.isfinite(self.log10_p)
        return f"perhaps {numbers.digits(self.indicator)} digits off" if told else ""

    def __repr__(self) -> str:
        error = "" if self.log10_err is None else f" +- {self.log10_err:.2g}"
        if self.log10_interval is not None and not 0.0 < (self.log10_err or 0.0) < math.inf:
            low, high = self.log10_interval  # draws that all agree have no standard error
            error = f", 95% from {low:.3g} to {high:.3g}"
        guess = f", {self.doubt}" if self.doubt else ""
        line = (
            f"Estimate(log10 P = {self.log10_p:.4g}{error}{guess}, {self.kind}, "
            f"{self.cost.forwards:,} forwards, {self.cost.seconds:.3g} s)"
        )
        return f"{line}\n  beware: {self.warning}" if self.warning else line

    def _repr_html_(self) -> str:
        decimals = numbers.places(self.log10_err)
        known = self.log10_err is not None and math.isfinite(self.log10_err)
        spread = f" ± {numbers.digits(self.log10_err)} digits" if known else ""
        lines = [("promise", str(self.kind))]
        if self.log10_interval is not None:
            low, high = (power(end, decimals) for end in self.log10_interval)
            lines.append(("95% interval", f"{low} to {high}"))
        if self.doubt:
            lines.append(("indicator", self.doubt))
        cost = f"{self.cost.forwards:,} forward passes, {numbers.seconds(self.cost.seconds)} s"
        title = f"P = {power(self.log10_p, decimals)}{spread}"
        if self.log10_p == -math.inf and self.log10_interval and self.interval != (-math.inf,) * 2:
            title = f"P &lt; {power(self.log10_interval[1])} (95%), as nothing failed"
        return facts(title, [*lines, ("cost", cost)], self.warning)


@dataclass(frozen=True)
class Needs:
    """What an estimator asks of D, M and C.

    Args:
        distribution: capabilities of D (all of them).
        spec: capabilities of C (all of them).
        readable: whether M must be readable as a graph of known operations.
        most_dim: the most dimensions that D may have, or None.
        covariances: whether covariances between the values of a layer of M are made.
        matrices: whether the matrices of M's affine layers are.
        affine: whether M must be affine: made of operations that are.
        polytope: whether C must be one polytope, an intersection of half-spaces.
        model: the classes of which M must be one; none where any will do.
        law: the classes of which D must be one; none where any will do.
    """

    distribution: tuple[type, ...] = ()
    spec: tuple[type, ...] = ()
    readable: bool = False
    covariances: bool = False
    matrices: bool = False
    most_dim: int | None = None
    affine: bool = False
    polytope: bool = False
    model: tuple[type, ...] = ()
    law: tuple[type[Distribution], ...] = ()

    def check(self, problem: Problem) -> None:
        """Raises `Unsupported` for the first thing that is missing."""
        for what, thing, wanted, known in (
            ("distribution", problem.distribution, self.distribution, distributions.ALL),
            ("spec", problem.spec, self.spec, specs.ALL),
        ):
            for capability in wanted:
                if not isinstance(thing, capability):
                    such = [c.name for c in known if issubclass(c, capability) and c != capability]
                    named = f" ({', '.join(such)})" if such else ""
                    raise Unsupported(
                        f"the {what} {thing.name!r}",
                        f"{_a(capability.__name__)} {what} is needed{named}",
                    )
        if self.law and not isinstance(problem.distribution, self.law):
            raise Unsupported(
                f"the distribution {problem.distribution.name!r}",
                f"{' or '.join(_a(kind.name) for kind in self.law)} is needed",
            )
        if self.model and not isinstance(problem.model, self.model):
            raise Unsupported(
                f"a model that is {_a(type(problem.model).__name__)}",
                f"{' or '.join(_a(kind.__name__) for kind in self.model)} is needed",
            )
        dim = problem.distribution.dim
        if self.most_dim is not None and dim > self.most_dim:
            raise Unsupported(
                f"a distribution in {dim} dimensions", f"at most {self.most_dim} are needed"
            )
        if self.polytope:
            like = torch.zeros(1, dtype=problem.dtype)
            assert isinstance(problem.spec, Polyhedral)
            clauses = problem.spec.halfspaces(problem.outputs, like).clauses
            if len(clauses) != 1:
                raise Unsupported(f"a union of {len(clauses)} polytopes", "one is needed")
        if self.readable or self.affine:
            graph = problem.graph
            for node, rule in zip(graph.nodes[1:], graph.rules(dim), strict=True):
                if self.affine and not isinstance(rule, Affine):
                    raise Unsupported(f"operation {node.name!r}", "an affine model is needed")
        if self.covariances:
            room.for_covariances(problem.graph, dim, problem.dtype)
        if self.matrices:
            room.for_matrices(problem.graph, dim)


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'AEIOU' else 'a'} {word}"


class Estimator(Settings, ABC):
    """A way to estimate log P; subclasses are frozen dataclasses of settings.

    Subclasses give `name`, `kind`, `grad`, `needs`, and the three methods `init`, `step`, `read`;
    `finished` where they end by themselves, `pace` where they do not depend on the seed, and
    `choices` where a setting is one of a few words.
    """

    name: ClassVar[str]
    kind: ClassVar[Kind]
    grad: ClassVar[Grad]
    needs: ClassVar[Needs]
    pace: ClassVar[Pace] = Pace.ASKED
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    @abstractmethod
    def init(self, problem: Problem, rng: Rng) -> State:
        """The state before the first step."""

    @abstractmethod
    def step(self, problem: Problem, state: Any) -> State:
        """One step: some forward passes, or the whole of a cheap deterministic estimate."""

    @abstractmethod
    def read(self, state: Any) -> Estimate:
        """The estimate so far."""

    def finished(self, state: Any) -> bool:
        """Whether another step would change nothing."""
        return False

    @final
    def check(self, problem: Problem) -> None:
        """Raises `Unsupported`, naming the estimators that do work, unless this one can serve."""
        with on(problem):
            try:
                self.needs.check(problem)
            except Unsupported as error:
                raise error.with_alternatives(serving(problem)) from None

    @final
    def __call__(
        self,
        problem: Problem,
        budget: Budget | int | None = None,
        rng: Rng | int = 0,
        progress: Callable[[Progress], None] | None = None,
        *,
        seed: int | None = None,
    ) -> Estimate:
        """Estimate log P within a budget.

        Args:
            problem: the triple (D, M, C).
            budget: a `Budget`, or a number of forward passes; 100,000 by default.
            rng: a random stream, or a seed.
            progress: called after every step.
            seed: `rng` by another name.

        Raises:
            BadInput: on a seed that is no whole number.
            Unsupported: names what is missing and what to use instead.
            NotConverged: where a step ends in NaN.
        """
        with on(problem):
            stream = as_rng(rng if seed is None else seed)
            return self._estimate(problem, Budget.of(budget, Budget()), stream, progress)

    def _estimate(
        self, problem: Problem, budget: Budget, rng: Rng,
        progress: Callable[[Progress], None] | None,
    ) -> Estimate:  # fmt: skip
        self.check(problem)
        known = proof(problem)
        if known is not None:
            return self._proved(problem, known, Cost(COST))
        state = self.init(problem, rng)
        try:
            state, seconds = run(self, problem, state, budget, progress)
        except Unsupported as error:  # found out only on the way, such as a spec within a spec
            raise self.refusal(problem, error) from None
        return self._checked(problem, state, seconds)

    @final
    def refusal(self, problem: Problem, error: Unsupported) -> Unsupported:
        """What a step refused, naming the other estimators that may serve."""
        others = [name for name in serving(problem) if name != self.name]
        return error.with_alternatives(others)

    @final
    def report(self, problem: Problem, state: State, seconds: float) -> Estimate:
        """`read`, checked for NaN and with its whole cost; the proved answer where there is one."""
        with on(problem):
            known = proof(problem)
            if known is not None:
                return self._proved(problem, known, Cost(state.forwards or COST, 0.0, seconds))
            return self._checked(problem, state, seconds)

    def _checked(self, problem: Problem, state: State, seconds: float) -> Estimate:
        estimate = self.read(state)
        if math.isnan(estimate.log10_p):
            raise NotConverged(f"{self.name} gave NaN after step {state.steps}")
        per_forward = problem.flops_per_forward
        forwards = state.forwards or forward_equivalents(estimate.cost.flops, per_forward)
        flops = estimate.cost.flops or state.forwards * per_forward
        return replace(estimate, cost=Cost(forwards, flops, seconds))

    def _proved(self, problem: Problem, log_p: float, cost: Cost) -> Estimate:
        told = "C never holds" if log_p < 0 else "C always holds"
        info = {"proof": f"bounds on the margin over the support of D prove that {told}"}
        cost = replace(cost, flops=cost.forwards * problem.flops_per_forward)
        answer = torch.tensor(log_p, dtype=torch.float64)
        return Estimate(answer, 0.0, self.kind, cost, (log_p, log_p), info)


def serving(problem: Problem) -> list[str]:
    """Names of the estimators that can serve a problem, as far as they say before they begin."""
    from workbench.estimators import ALL

    names = []
    for cls in ALL:
        try:
            cls.needs.check(problem)
        except Unsupported:
            continue
        names.append(cls.name)
    return names


def check_positive(name: str, **settings: int) -> None:
    """Raises `BadInput` for a setting that is no whole number above 0."""
    for key, value in settings.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise BadInput(f"{name}: {key} must be a positive whole number, got {value!r}")

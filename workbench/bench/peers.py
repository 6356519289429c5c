"""Samplers of public reliability packages, as estimators: what the workbench is measured against.

They are optional (the extra `bench`), and imported only when one runs. Each is used as its manual
has it, on the counted limit state of `limit_state`; the settings are in its docstring. pystra's
subset simulation is left out: it evaluates one point a call, moved one coordinate at a time.
"""

import importlib
import importlib.util
import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from workbench.bench.limit_state import LimitState
from workbench.bench.peer import Answer, Peer
from workbench.errors import NotConverged, Unsupported
from workbench.types import Kind

PACKAGES = {"openturns": "OpenTURNS", "pystra": "pystra"}
"""Modules that peers need, and what they are called."""


@dataclass(frozen=True)
class OpenTurns(Peer):
    """What the methods of OpenTURNS share: the event g < 0, and its results."""

    package: ClassVar[str] = "openturns"

    def solve(self, limit: LimitState, budget: int, seed: int) -> Answer:
        ot = importlib.import_module("openturns")
        ot.Log.Show(ot.Log.NONE)
        ot.RandomGenerator.SetSeed(seed)
        function = ot.PythonFunction(
            limit.dim,
            1,
            func=lambda u: limit.values(u),
            func_sample=lambda u: limit.values(u)[:, None],
            gradient=lambda u: limit.gradient(u)[1][:, None].tolist(),
        )
        noise = ot.RandomVector(ot.Normal(limit.dim))
        event = ot.ThresholdEvent(ot.CompositeRandomVector(function, noise), ot.Less(), 0.0)
        algorithm = self.algorithm(ot, event, limit, budget)
        algorithm.run()
        result = algorithm.getResult()
        p, relative = result.getProbabilityEstimate(), result.getCoefficientOfVariation()
        reach = 0.5 * result.getConfidenceLength(0.95)
        if not (p > 0 and relative >= 0 and math.isfinite(reach)):
            return Answer(p)
        return Answer(p, relative, (max(0.0, p - reach), p + reach))

    @abstractmethod
    def algorithm(self, ot: Any, event: Any, limit: LimitState, budget: int) -> Any:
        """The configured algorithm, not yet run."""


class SubsetSampling(OpenTurns):
    """Levels of conditional probability 0.1, a tenth of the budget each, whatever their number."""

    name: ClassVar[str] = "ot_subset"

    def algorithm(self, ot: Any, event: Any, limit: LimitState, budget: int) -> Any:
        return _sized(ot.SubsetSampling(event), budget // 10)


class Nais(OpenTurns):
    """Nonparametric adaptive importance sampling, quantile 0.1, a tenth of the budget a level."""

    name: ClassVar[str] = "ot_nais"

    def algorithm(self, ot: Any, event: Any, limit: LimitState, budget: int) -> Any:
        return _sized(ot.NAIS(event, 0.1), budget // 10)


class DirectionalStratification(OpenTurns):
    """Adaptive directional stratification over quadrants: about 15 forwards a direction."""

    name: ClassVar[str] = "ot_ads"
    most_dimensions: ClassVar[int] = 12

    def algorithm(self, ot: Any, event: Any, limit: LimitState, budget: int) -> Any:
        if limit.dim > self.most_dimensions:
            raise Unsupported(
                f"noise in {limit.dim} dimensions",
                f"{self.name} holds 2^dimensions strata, so at most {self.most_dimensions} will do",
            )
        algorithm = ot.AdaptiveDirectionalStratification(event, ot.MediumSafe())
        algorithm.setPartialStratification(True)
        algorithm.setMaximumOuterSampling(max(1, budget // 15))
        algorithm.setBlockSize(1)
        return algorithm


class FormSampling(OpenTurns):
    """A unit normal about the design point found from the origin.

    The search is Abdo-Rackwitz's with gradients; where that fails, Cobyla for half the budget.
    """

    name: ClassVar[str] = "ot_form_is"

    def algorithm(self, ot: Any, event: Any, limit: LimitState, budget: int) -> Any:
        origin = [0.0] * limit.dim
        search = ot.FORM(ot.AbdoRackwitz(), event, origin)
        try:
            search.run()
        except RuntimeError:
            solver = ot.Cobyla()
            solver.setMaximumCallsNumber(budget // 2)
            solver.setMaximumConstraintError(1e-3)  # the default refuses points at g = 1.2e-5
            search = ot.FORM(solver, event, origin)
            search.run()
        sampling = ot.PostAnalyticalImportanceSampling(search.getResult())
        return _sized(sampling, budget - limit.forwards)


class Crude(OpenTurns):
    """Plain Monte Carlo."""

    name: ClassVar[str] = "ot_monte_carlo"

    def algorithm(self, ot: Any, event: Any, limit: LimitState, budget: int) -> Any:
        return _sized(ot.ProbabilitySimulationAlgorithm(event, ot.MonteCarloExperiment()), budget)


class PystraForm(Peer):
    """The first-order reliability method with direct gradients; it claims no error."""

    name: ClassVar[str] = "pystra_form"
    package: ClassVar[str] = "pystra"
    kind: ClassVar[Kind] = Kind.HEURISTIC

    def solve(self, limit: LimitState, budget: int, seed: int) -> Answer:
        pystra = importlib.import_module("pystra")

        class Counted(pystra.LimitState):
            def compute_lsf(self, x: Any, ddm: bool = False) -> tuple[Any, Any]:
                if not ddm:
                    return limit.values(x.T), 0
                value, slope = limit.gradient(x[:, 0])
                return value, slope[:, None]

        model = pystra.StochasticModel()
        for i in range(limit.dim):
            model.addVariable(pystra.Normal(f"u{i}", 0.0, 1.0))
        options = pystra.AnalysisOptions()
        options.setPrintOutput(False)
        options.setDiffMode("ddm")
        form = pystra.Form(
            stochastic_model=model, limit_state=Counted(None), analysis_options=options
        )
        form.run()
        if form.i >= options.getImax():
            raise NotConverged(f"no convergence in {form.i} iterations")
        return Answer(float(form.Pf[0]))


ALL: tuple[type[Peer], ...] = (
    SubsetSampling, Nais, DirectionalStratification, FormSampling, Crude, PystraForm,
)  # fmt: skip
"""Every peer, as `workbench bench truth` runs them."""


def installed() -> list[Peer]:
    """The peers whose package is there."""
    return [cls() for cls in ALL if importlib.util.find_spec(cls.package) is not None]


def missing() -> str | None:
    """One sentence that says what is left out and how to get it, or None."""
    names = [PACKAGES[m] for m in PACKAGES if importlib.util.find_spec(m) is None]
    if not names:
        return None
    return (
        f"Left out: the samplers of {' and '.join(names)}; "
        "pip install 'catastrophe-workbench[bench]' brings them in."
    )


def _sized(algorithm: Any, draws: int) -> Any:
    """`draws` a level (or in all) in ten blocks, with no earlier stop."""
    block = max(10, draws // 10)
    algorithm.setBlockSize(block)
    algorithm.setMaximumOuterSampling(max(1, draws // block))
    algorithm.setMaximumCoefficientOfVariation(0.0)
    return algorithm

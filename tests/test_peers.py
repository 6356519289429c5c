"""The counted limit state, and peers on it: exact where openturns and pystra are installed."""

import importlib.util
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import workbench as wb
from workbench.bench import peers, truth
from workbench.bench.limit_state import LimitState
from workbench.distributions import Box
from workbench.errors import NotConverged, Unsupported
from workbench.iteration import Budget
from workbench.models import chain, dense
from workbench.specs import Halfspace

LINEAR = "A_d10_1e-6"


def need(package):
    """Skip, with the reason, where the extra is not installed."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: pip install '.[bench]'")


@dataclass(frozen=True)
class Scripted(peers.Peer):
    """A peer that asks what it is told to."""

    ask: object = None
    name = "scripted"
    package = "no_such_package"

    def solve(self, limit, budget, seed):
        return self.ask(limit, budget)


def test_limit_state_counts_values_and_gradients():
    problem = wb.load(LINEAR)
    limit = LimitState(problem, 10_000, 60.0)
    assert limit.forwards == 0
    assert limit.values(np.zeros((7, 10))).shape == (7,)
    assert limit.values([0.0] * 10).shape == (1,)
    assert (limit.evaluations, limit.gradients, limit.forwards) == (8, 0, 8)
    limit.gradient([0.0] * 10)
    assert (limit.evaluations, limit.gradients, limit.forwards) == (8, 1, 10)


def test_limit_state_is_minus_the_margin_and_its_slope():
    """Central differences of a smooth stretch of a ReLU network: error of rounding alone."""
    problem = wb.load("B_w32_h2_1e-3")
    limit = LimitState(problem, 10_000, 60.0)
    u = np.random.default_rng(0).standard_normal((5, limit.dim))
    z = torch.from_numpy(u).to(problem.distribution.dtype)
    with torch.no_grad():
        want = -problem.margin_of_noise(z).double().numpy()
    np.testing.assert_array_equal(limit.values(u), want)
    value, slope = limit.gradient(u[0])
    assert value == pytest.approx(want[0], rel=1e-6)
    z.requires_grad_(True)
    (full,) = torch.autograd.grad(problem.margin_of_noise(z).sum(), z)
    np.testing.assert_allclose(slope, -full[0].double().numpy(), rtol=1e-5, atol=1e-7)


def test_limit_state_is_never_zero():
    """C is margin > 0, so a margin of 0 is no event: g must not be counted by g <= 0."""
    box = Box(-torch.ones(1), torch.ones(1))
    model = chain([dense(torch.zeros(1, 1))])
    spec = Halfspace(torch.ones(1), 0.0)
    limit = LimitState(wb.Problem(box, model, spec), 10, 60.0)
    assert (limit.values(np.zeros((3, 1))) > 0).all()


@pytest.mark.parametrize("most, seconds", [(10, 60.0), (10**9, 0.0)])
def test_limit_state_ends_what_does_not_end(most, seconds):
    limit = LimitState(wb.load(LINEAR), most, seconds)
    with pytest.raises(NotConverged, match="had no answer after"):
        for _ in range(3):
            limit.values(np.zeros((10, 10)))
    assert limit.stopped and limit.forwards <= 10
    with pytest.raises(NotConverged):
        limit.gradient([0.0] * 10)


def broken(limit, budget):
    limit.values(np.zeros((1, 10)))
    raise RuntimeError("it broke\nat length")


def endless(limit, budget):
    while True:
        try:
            limit.values(np.zeros((budget, 10)))
        except NotConverged as error:
            raise RuntimeError("wrapped by the package") from error


@pytest.mark.parametrize(
    "ask, said",
    [
        (broken, "scripted: it broke"),
        (endless, "scripted: had no answer after 20,000 forwards"),
        (lambda limit, budget: peers.Answer(0.5), "without one forward"),
        (lambda limit, budget: peers.Answer(2.0 * len(limit.values([0.0] * 10))), "answered P = 2"),
    ],
)
def test_a_peer_that_fails_is_a_row_that_says_so(ask, said):
    row = truth.attempt(wb.load(LINEAR), Scripted(ask), Budget(1000), 0)
    assert said in row["reason"] and "log10_p" not in row


def test_claims_of_a_peer_become_a_row():
    def ask(limit, budget):
        limit.values(np.zeros((budget, 10)))
        limit.gradient(np.zeros(10))
        return peers.Answer(2e-6, 0.5, (0.0, 4e-6))

    row = truth.attempt(wb.load(LINEAR), Scripted(ask), Budget(100), 0)
    assert row["log10_p"] == pytest.approx(math.log10(2e-6))
    assert row["log10_err"] == pytest.approx(0.5 / math.log(10.0))
    assert row["log10_interval"][0] == -math.inf and row["covers"] is True
    assert (row["forwards"], row["gradients"]) == (102, 1)


def test_missing_packages_are_named_in_one_sentence(monkeypatch):
    monkeypatch.setattr(peers, "PACKAGES", {"no_such_package": "NoSuch", "math": "there"})
    said = peers.missing()
    assert said.startswith("Left out: the samplers of NoSuch;") and "[bench]" in said
    monkeypatch.setattr(peers, "PACKAGES", {"math": "there"})
    assert peers.missing() is None


@pytest.mark.parametrize("cls", peers.ALL, ids=lambda cls: cls.name)
def test_peers_on_a_linear_problem(cls):
    """P = 1e-3 exactly, in 10 dimensions. First-order methods are exact there; samplers are within
    5 of their claimed errors (false alarm 6e-7 each, if those are right) and 0.3 digit at most."""
    need(cls.package)
    problem = wb.load("A_d10_1e-3")
    row = truth.attempt(problem, cls(), Budget(100_000), 0)
    assert "reason" not in row, row
    again = truth.attempt(problem, cls(), Budget(100_000), 0)
    assert again["log10_p"] == row["log10_p"] and again["forwards"] == row["forwards"]
    if row["log10_err"] is None:
        assert cls is peers.PystraForm and abs(row["error"]) < 1e-6
    else:
        assert abs(row["error"]) < min(0.3, 5.0 * row["log10_err"])
    assert 0 < row["forwards"] <= 2 * 100_000


def test_openturns_counts_every_forward():
    """Its own Monte Carlo draws exactly what it is told, and a search pays for its gradients."""
    need("openturns")
    problem = wb.load(LINEAR)
    assert truth.attempt(problem, peers.Crude(), Budget(3000), 1)["forwards"] == 3000
    row = truth.attempt(problem, peers.FormSampling(), Budget(3000), 1)
    assert row["gradients"] > 0 and abs(row["forwards"] - 3000) < 20


class StandIn:
    """What stands for OpenTURNS: an algorithm that draws and counts, and results as given.

    Only the seams are looked at: what the package is handed, and what is read from its result.
    """

    def __init__(self, p, relative, length, dim):
        self.p, self.relative, self.length, self.dim = p, relative, length, dim
        self.Log = self.RandomGenerator = self
        self.NONE, self.Less, self.seeds, self.called = 0, lambda: "<", [], []

    def Show(self, level):
        assert level == self.NONE

    def SetSeed(self, seed):
        self.seeds.append(seed)

    def PythonFunction(self, inputs, outputs, func, func_sample, gradient):
        assert (inputs, outputs) == (self.dim, 1)
        self.called = [func([0.0] * inputs), func_sample(np.zeros((3, inputs))),
                       gradient([0.0] * inputs)]  # fmt: skip
        return func

    def Normal(self, dim):
        return dim

    RandomVector = Normal

    def CompositeRandomVector(self, function, noise):
        assert noise == self.dim
        return function

    def ThresholdEvent(self, vector, operator, level):
        assert (operator, level) == ("<", 0.0)
        return vector

    def run(self):
        pass

    def getResult(self):
        return self

    def getProbabilityEstimate(self):
        return self.p

    def getCoefficientOfVariation(self):
        return self.relative

    def getConfidenceLength(self, level):
        assert level == 0.95
        return self.length


class Seam(peers.OpenTurns):
    name = "seam"

    def algorithm(self, ot, event, limit, budget):
        return ot


@pytest.mark.parametrize(
    "stated, answer",
    [
        ((0.01, 0.3, 0.01), peers.Answer(0.01, 0.3, (0.005, 0.015))),
        ((0.01, 0.9, 0.04), peers.Answer(0.01, 0.9, (0.0, 0.03))),
        ((0.0, 0.3, 0.01), peers.Answer(0.0)),
        ((0.01, -1.0, 0.01), peers.Answer(0.01)),
        ((0.01, 0.3, math.inf), peers.Answer(0.01)),
    ],
)
def test_what_openturns_states_is_read_and_no_more(monkeypatch, stated, answer):
    """Its function gets values one by one, in samples, and gradients as one column."""
    module = StandIn(*stated, dim=10)
    monkeypatch.setattr(peers.importlib, "import_module", lambda name: module)
    limit = LimitState(wb.load(LINEAR), 10_000, 60.0)
    found = Seam().solve(limit, 100, 7)
    assert (found.p, found.relative) == (answer.p, answer.relative) and module.seeds == [7]
    assert found.interval == (answer.interval and pytest.approx(answer.interval))
    one, several, slope = module.called
    assert np.shape(one) == (1,) and np.shape(several) == (3, 1) and np.shape(slope) == (10, 1)
    assert float(several[1, 0]) == float(one[0]) and limit.forwards == 1 + 3 + 2


@pytest.mark.parametrize("draws, block, blocks", [(1000, 100, 10), (55, 10, 5), (3, 10, 1)])
def test_draws_are_made_in_ten_blocks(draws, block, blocks):
    told = {}

    class Algorithm:
        def __getattr__(self, name):
            return lambda value: told.__setitem__(name, value)

    peers._sized(Algorithm(), draws)
    assert told == {
        "setBlockSize": block, "setMaximumOuterSampling": blocks,
        "setMaximumCoefficientOfVariation": 0.0,
    }  # fmt: skip


def test_strata_of_quadrants_are_refused_beyond_twelve_dimensions():
    limit = LimitState(wb.load("A_d100_1e-3"), 10, 60.0)
    with pytest.raises(Unsupported, match=r"100 dimensions.*at most 12"):
        peers.DirectionalStratification().algorithm(None, None, limit, 1000)


def test_many_dimensions_are_refused_where_strata_are_quadrants():
    need("openturns")
    row = truth.attempt(wb.load("A_d100_1e-3"), peers.DirectionalStratification(), Budget(1000), 0)
    assert row["hopeless"] and "100 dimensions" in row["reason"]

"""Coherence: 0 for exact estimators, known values for known incoherences, no truth needed."""

import math
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from commands import ask, refuse, workbench
from torch import nn

import workbench as wb
from workbench import graph, propagation
from workbench.bench.heat import energy
from workbench.coherence import (
    CHECKS,
    Defect,
    Heat,
    coherence_defect,
    heat_flow,
    mean_defect,
    measure,
    run,
    variants,
)
from workbench.coherence.heat import heat_steps
from workbench.distributions import Piece
from workbench.estimators import Estimate, Estimator, Needs
from workbench.iteration import State
from workbench.math.cost import Cost
from workbench.math.gaussian import log_cdf
from workbench.models import Network, chain, dense, mlp
from workbench.objective import log_p_and_grad

ONE, LN10 = torch.ones(1), math.log(10.0)
LINEAR, NET = "A_d10_1e-6", "B_w32_h2_1e-3"


def gaussian(d, mean=0.0):
    return wb.Gaussian(torch.full((d,), mean), torch.ones(d))


@dataclass(frozen=True, kw_only=True)
class Told(State):
    log_p: torch.Tensor


@dataclass(frozen=True)
class Crooked(Estimator):
    """Exact on y = x_0 + ... under N(m, S), with its faults as settings.

    Args:
        variance: by what it multiplies the variance.
        rough: amplitude of a ripple in the threshold.
        first: extra weight of the first neuron's name.
    """

    variance: float = 1.0
    rough: float = 0.0
    first: float = 0.0
    name: ClassVar[str] = "crooked"
    kind: ClassVar[wb.Kind] = wb.Kind.HEURISTIC
    grad: ClassVar[wb.Grad] = wb.Grad.NONE
    needs: ClassVar[Needs] = Needs((), (), readable=True)

    def init(self, problem, rng):
        d, (layer,) = (
            problem.distribution,
            [m for m in problem.model.modules() if type(m) is nn.Linear],
        )
        mean = (layer(d.mean) @ problem.spec.a + problem.spec.b).detach()
        row = problem.spec.a @ layer.weight.detach() * d.scale
        log_p = log_cdf(mean / row.norm() / self.variance**0.5)
        return Told(rng=rng, log_p=log_p + self.rough * torch.sin(20.0 * problem.spec.b))

    def step(self, problem, state):
        return state

    def finished(self, state):
        return True

    def read(self, state):
        return Estimate(state.log_p, None, self.kind, Cost(forwards=1))


def line(threshold):
    return wb.Problem(gaussian(4), nn.Linear(4, 1, bias=False), wb.Halfspace(ONE, -threshold))


@pytest.fixture
def tail():
    problem = line(4.0)
    with torch.no_grad():
        problem.model.weight.fill_(0.5)  # y ~ N(0, 1)
    return problem


# Exact estimators


@pytest.mark.parametrize("name", ["A_d10_1e-3", "A_d10_1e-12", "A_d100_1e-6"])
@pytest.mark.parametrize("propagator", ["covariance", "mean"])
def test_exact_estimators_keep_every_law(name, propagator):
    method = wb.Moments(propagator=propagator)
    news = list(measure(wb.load(name), method))
    told = {d.name: d for d in news if isinstance(d, Defect)}
    assert set(told) == {*CHECKS, "heat flow"}
    assert "between two Linear" in told.pop("renaming").reason  # a lone Linear has none
    assert told.pop("heat flow").digits < 1e-3  # of differences with a step of 0.01
    assert all(d.digits < 1e-9 for d in told.values())


@pytest.mark.parametrize("probes", [None, 2])
def test_heat_flow_of_the_truth_is_zero(tail, probes):
    heat = heat_flow(tail, Crooked(), probes)
    assert abs(heat.rate - 0.0) < (1e-3 if probes is None else 5.0 * heat.rate_err + 1e-3)
    beta = 4.0
    hazard = math.exp(-0.5 * beta * beta - 0.5 * math.log(2 * math.pi) - heat.log_p)
    assert heat.drift == pytest.approx(0.5 * beta * hazard, rel=1e-4)


# Known incoherences


@pytest.mark.parametrize("factor", [0.25, 0.5, 0.9, 1.5])
def test_a_wrong_variance_is_read_off_and_mended(factor):
    """Phi(-beta / sqrt(factor)): the whole correction (c = 1) tends to the truth in the tail."""
    problem = line(12.0)
    with torch.no_grad():
        problem.model.weight.fill_(0.5)
    heat = heat_flow(problem, Crooked(variance=factor))
    truth = float(log_cdf(torch.tensor(-12.0)))
    assert heat.rate / heat.drift == pytest.approx(1.0 / factor - 1.0, rel=0.05)
    mended = heat.log_p + heat.correction(c=1.0)
    assert abs(mended - truth) < 0.05 * abs(heat.log_p - truth) + 0.5


def test_ripples_in_the_threshold_are_seen(tail):
    assert run("monotone", tail, Crooked()).digits == 0.0
    assert run("monotone", tail, Crooked(rough=5.0)).digits > 1.0


def test_mean_propagation_of_correlated_conjunctions_is_incoherent():
    """(x1 and x2) and (x2 and x3) of fair bits: 1/16 by means alone, 1/8 in truth."""
    bits = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]])
    pairs = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1]])

    class Step(nn.Module):
        def forward(self, x):
            return torch.sign(x)

    model = Network(
        [dense(bits), Step(), dense(0.5 * pairs, -0.5 * torch.ones(2)), Step(),
         dense(0.5 * torch.ones(1, 2))],
        [[i] for i in range(5)],
    )  # fmt: skip
    problem = wb.Problem(gaussian(3), model, wb.Halfspace(ONE, -0.9))
    x = problem.distribution.sample(40_000, torch.Generator().manual_seed(0))
    hits = float((problem.margin(x) > 0).double().mean())
    assert abs(hits - 0.125) < 5 * (0.125 * 0.875 / 40_000) ** 0.5
    assert coherence_defect(problem, wb.Moments(propagator="mean")) > 0.02


def test_product_of_two_nets_shows_a_propagator_that_leaks():
    """Independent copies multiply exactly by covariance; Hunter's and Mendell's joins do not."""
    net = wb.load(NET)
    assert run("product", net, wb.Moments()).digits < 1e-9
    digits = wb.load("C_digits_p22_s20")
    assert run("product", digits, wb.Moments()).digits < 1e-4
    assert run("complement", digits, wb.Moments(propagator="mean")).digits > 1.0


# The variants keep P


def sampled(problem, n=200_000):
    return wb.MonteCarlo()(problem, n, 3)


@pytest.mark.parametrize(
    "d",
    [
        gaussian(5, 0.3),
        wb.Gaussian(torch.zeros(5), torch.eye(5) + 0.1 * torch.tril(torch.ones(5, 5))),
        wb.Mixture(torch.tensor([1.0, 3.0]), (gaussian(5), gaussian(5, 0.5))),
        wb.Box(-torch.ones(5), 2.0 * torch.ones(5)),
    ],
    ids=["diagonal", "full", "mixture", "box"],
)
def test_variants_have_the_probabilities_that_they_should(d):
    """All within 5 standard errors (false alarms below 1e-6); renaming point by point."""
    model = mlp([5, 8, 6, 2], torch.Generator().manual_seed(1), "tanh", bias_std=0.5)
    problem = wb.Problem(d, model.requires_grad_(False), wb.Argmax(0, "loses", 0.3))
    p = sampled(problem)
    x = d.sample(100, torch.Generator().manual_seed(0))
    renamed = variants.permuted(problem)
    assert torch.allclose(renamed.model(x), model(x), atol=1e-12)
    first = [next(w for w in m.parameters() if w.ndim == 2) for m in (model, renamed.model)]
    before, after = first
    assert not torch.equal(before, after) and torch.equal(before.sort(0)[0], after.sort(0)[0])

    def close(a, log_p, err):
        assert abs(float(a.log_p) - log_p) < 5.0 * math.hypot(a.log_err, err)

    close(sampled(variants.shifted(problem)), float(p.log_p), p.log_err)
    more = variants.with_irrelevant(problem)
    assert more.distribution.dim == 8
    close(sampled(more), float(p.log_p), p.log_err)
    close(sampled(variants.doubled(problem)), 2 * float(p.log_p), 2 * p.log_err)
    if not isinstance(d, wb.Box):
        mixture, moved = variants.mixed(problem)
        other = sampled(moved)
        mean = 0.5 * (math.exp(p.log_p) + math.exp(other.log_p))
        err = math.hypot(math.exp(p.log_p) * p.log_err, math.exp(other.log_p) * other.log_err)
        close(sampled(mixture), math.log(mean), 0.5 * err / mean)


def test_tied_weights_are_not_shuffled_in_one_place():
    layer = nn.Linear(4, 4)
    model = nn.Sequential(layer, nn.ReLU(), layer, nn.ReLU(), nn.Linear(4, 1))
    problem = wb.Problem(gaussian(4), model, wb.Halfspace(ONE, -1.0))
    with pytest.raises(wb.Unsupported, match="between two Linear"):
        variants.permuted(problem)


# The heat flow


def test_heat_flow_by_differences_equals_that_by_derivatives():
    """Forward estimates alone against the Hessian of log P by autograd, in whitened coordinates."""
    problem = wb.load(NET)
    d = problem.distribution

    def log_p(mu, log_a):
        moved = wb.Gaussian(d.mean + d.scale * mu, d.scale * torch.exp(0.5 * log_a))
        return wb.Moments()(problem.vary(distribution=moved)).log_p

    mu, log_a = torch.zeros(d.dim), torch.zeros(())
    hessian = torch.autograd.functional.hessian(lambda m: log_p(m, log_a), mu)
    slope = torch.autograd.functional.jacobian(lambda m: log_p(m, log_a), mu)
    drift = torch.autograd.functional.jacobian(lambda t: log_p(mu, t), log_a)
    exact = 0.5 * (float(hessian.trace()) + float(slope.square().sum())) - float(drift)
    heat = heat_flow(problem, wb.Moments())
    assert heat.rate == pytest.approx(exact, rel=1e-3)
    assert heat.drift == pytest.approx(float(drift), rel=1e-4)
    assert heat.estimates == 2 * d.dim + 3


def test_probes_agree_with_all_directions():
    """Within 5 of their own standard errors; the error is 0 when all are taken."""
    problem = wb.load(NET)
    exact = heat_flow(problem, wb.Moments())
    for seed in range(5):
        some = heat_flow(problem, wb.Moments(), probes=12, seed=seed)
        assert some.estimates == 29 and some.rate_err > 0
        assert abs(some.rate - exact.rate) < 5.0 * some.rate_err
    assert heat_flow(problem, wb.Moments(), probes=10_000).rate == exact.rate


def test_a_mixture_of_one_law_has_that_laws_heat():
    problem = wb.load(NET)
    d = problem.distribution
    twice = problem.vary(distribution=wb.Mixture(torch.tensor([0.3, 0.7]), (d, d)))
    one, two = heat_flow(problem, wb.Moments(), 3), heat_flow(twice, wb.Moments(), 3)
    assert two.rate == pytest.approx(one.rate) and two.drift == pytest.approx(one.drift)


def test_the_defect_foretells_the_error_on_reference_problems():
    """Not fitted to them: c = 0.3. Each is off by more than half a digit without the correction."""
    for name in (
        "B_w32_h2_1e-5",
        "B_w64_h4_1e-5",
        "C_digits_p8_s15",
        "C_digits_p22_s20",
        "D_ramp_1e-7",
    ):
        problem = wb.load(name)
        heat = heat_flow(problem, wb.Moments(), None)
        off = abs(heat.log10_p - problem.truth.log10_p)
        assert off > 0.5 and 0.5 < heat.digits / off < 2.0
        assert abs(heat.corrected_log10 - problem.truth.log10_p) < 0.5 * off


def test_corrections_never_claim_more_than_certainty():
    assert Heat(-0.5, 100.0, 0.1).correction(1.0) <= 0.5
    assert Heat(-5.0, -1e9, 5.0).correction(1.0) == pytest.approx(-5.0)
    assert Heat(-math.inf, 0.0, 0.0).correction() == 0.0
    assert Heat(-5.0, 1.0, -0.1).correction(1.0) == 1.0


def test_output_means_defect_is_zero_where_the_estimate_is_exact():
    """One hidden layer: the means of ReLUs of Gaussians are exact, and so is their Laplacian."""
    net = mlp([6, 9, 3], torch.Generator().manual_seed(0)).requires_grad_(False)
    read = graph.read(chain(list(net.parts)))

    def means(m):
        return propagation.Mean().laws(read, Piece(m.new_zeros(()), m, torch.ones(6), True))[-1][0]

    e, delta = mean_defect(means, 6)
    assert e.shape == (3,) and float(delta.abs().max()) < 1e-3 * float(e.abs().max())


def test_energy_takes_the_noise_of_the_truth_off():
    g = torch.Generator().manual_seed(0)
    delta = torch.randn(50, 40, generator=g)
    error = -0.4 * delta + 0.1 * torch.randn(50, 40, generator=g)
    row = energy(error, delta, 10.0 * torch.ones(50, 40), draws=1000)
    assert row["c"] == pytest.approx(0.4, abs=0.02)
    assert row["vnmse"] == pytest.approx((0.16 + 0.01 - 0.01) / 10.0, rel=0.1)
    assert row["correlation"] < -0.95 and row["left"] == pytest.approx(0.0, abs=0.02)
    exact = energy(0.0 * error, delta, 10.0 * torch.ones(50, 40), draws=1000)
    assert exact["vnmse"] < 0.0 and exact["left"] is exact["correlation"] is exact["c"] is None


# What cannot be measured


def test_samplers_are_refused():
    with pytest.raises(wb.Unsupported, match="which samples"):
        heat_flow(wb.load(LINEAR), wb.MonteCarlo())


def test_a_box_has_no_heat_flow_but_its_other_laws():
    problem = wb.Problem(wb.Box(-ONE, ONE), nn.Linear(1, 1), wb.Halfspace(ONE, 0.0))
    told = [d for d in measure(problem, wb.Moments()) if not isinstance(d, float | Heat)]
    reasons = {d.name: d.reason for d in told}
    assert "a gaussian or a mixture" in reasons["heat flow"]
    assert reasons["complement"] == "" and reasons["linearity"]


def test_impossible_events_have_no_heat():
    problem = wb.Problem(gaussian(3), nn.Linear(3, 1), wb.Halfspace(ONE, -1.0))
    with torch.no_grad():
        problem.model.weight.zero_()
        problem.model.bias.zero_()
    heat = heat_flow(problem, wb.Moments())
    assert (heat.log_p, heat.rate, heat.digits) == (-math.inf, 0.0, 0.0)


def test_shares_run_to_the_end():
    shares = [s for s in heat_steps(wb.load(LINEAR), wb.Moments(), 3) if isinstance(s, float)]
    assert shares == sorted(shares) and shares[0] > 0 and shares[-1] < 1


# The command line


def test_the_command_tells_the_defects_and_the_indicator():
    found = ask("coherence", NET, "--probes", 5)
    assert {d["name"] for d in found["defects"]} == {*CHECKS, "heat flow"}
    assert found["coherence_digits"] > 0.1 and found["settings"]["propagator"] == "covariance"
    shown = workbench("coherence", NET, "--set", "propagator=mean", "--probes", 2).stdout
    assert "a small one bounds none" in shown
    assert "coherence defect" in shown and "independent events multiply" in shown


def test_the_command_refuses_what_it_must():
    assert "which samples" in refuse("coherence", NET, "-e", "subset")
    assert "at least 1" in refuse("coherence", NET, "--probes", 0)


def test_log_p_keeps_its_gradient_for_training():
    problem = wb.load(NET)
    _, grads = log_p_and_grad(problem, wb.Moments(), list(problem.model.parameters()))
    assert all(bool(torch.isfinite(g).all()) for g in grads)


@dataclass(frozen=True)
class Blind(Crooked):
    """0 wherever D lies below where it was."""

    name: ClassVar[str] = "blind"

    def read(self, state):
        log_p = torch.where(state.log_p < -10.4, -math.inf, state.log_p)
        return Estimate(log_p, None, self.kind, Cost(forwards=1))


def test_an_answer_of_zero_next_door_is_no_defect_of_zero(tail):
    """log Phi(-4) = -10.36, and a hundredth less a little beyond."""
    with pytest.raises(wb.NotConverged, match="answers 0 for some D"):
        heat_flow(tail, Blind())

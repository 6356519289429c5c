"""A D that is recognised but not sampled: `ratio` against closed forms, and no draw of D."""

import math
from dataclasses import dataclass, field, replace

import mpmath as mp
import pytest
import torch
from torch import nn

import workbench as wb
from workbench import catalogue
from workbench.distributions import (
    Density,
    Recognised,
    Sampleable,
)
from workbench.estimators.ratio import parts_of
from workbench.models import dense, mlp
from workbench.specs import Spec

DIM = 6


def above(bar):
    return wb.Halfspace(torch.ones(1).double(), -bar)


def standard(d=DIM):
    return wb.Gaussian(torch.zeros(d).double(), torch.ones(d).double())


def axes(rho, d=DIM):
    """Two unit vectors with this inner product."""
    r, s = torch.zeros(2, d).double()
    r[0], s[0], s[1] = 1.0, rho, math.sqrt(1 - rho**2)
    return r, s


def linear(rho, far, beyond, base=None):
    """The second of two correlated linear maps passes `beyond`, given the first passes `far`."""
    r, s = axes(rho)
    law = wb.Conditional(base or standard(), dense(r[None]), above(far))
    return wb.Problem(law, dense(s[None]), above(beyond), "linear")


def exact(rho, far, beyond):
    """log10 of the bivariate orthant over its margin, by quadrature in 30 digits."""
    with mp.workdps(30):
        a, b, c = mp.mpf(far), mp.mpf(beyond), mp.mpf(rho)
        joint = mp.quad(
            lambda t: mp.npdf(t) * mp.ncdf((c * t - b) / mp.sqrt(1 - c * c)),
            [a, a + 1, a + 4, a + 10, a + 30],
        )
        return float(mp.log10(joint / mp.ncdf(-a)))


@pytest.mark.parametrize("far", [4.7, 6.4])
@pytest.mark.parametrize("rho, beyond", [(0.0, 4.0), (0.5, 6.0), (0.9, 7.0), (-0.5, 1.0)])
def test_bivariate_orthants(rho, far, beyond):
    """P(r > 0) of 1e-6 and 1e-10; the exact parts to rounding, the lines to 0.1 digit."""
    problem, truth = linear(rho, far, beyond), exact(rho, far, beyond)
    assert wb.Ratio(by="orthant")(problem).log10_p == pytest.approx(truth, abs=1e-6)
    assert abs(wb.Ratio()(problem).log10_p - truth) < 0.1


@pytest.mark.parametrize("softness", [0.3, 2.0])
def test_a_base_weighted_by_a_soft_recogniser(softness):
    """Phi((r - far) / c) is P(r + c z > far): an orthant less correlated by sqrt(1 + c^2)."""
    rho, far, beyond = 0.6, 7.0, 6.0
    problem = linear(rho, far, beyond)
    soft = problem.vary(distribution=replace(problem.distribution, softness=softness))
    k = math.sqrt(1 + softness**2)
    truth = exact(rho / k, far / k, beyond)
    found = wb.Ratio(by="orthant")(soft).log10_p  # its Sobol points are good for 1e-4 of P
    assert found == pytest.approx(truth, abs=1e-4)
    assert abs(wb.Ratio()(soft).log10_p - truth) < 0.1
    assert abs(truth - exact(rho, far, beyond)) > 0.3 or softness < 1


def test_soft_recognisers_on_mixtures_networks_and_predicates():
    """Against base times Phi(r / c), summed over the line."""
    c = 0.4
    x = torch.linspace(-12, 12, 200_001).double()[:, None]
    net = mlp([1, 6, 1], torch.Generator().manual_seed(8), "tanh", 0.5)
    parts = tuple(
        wb.Gaussian(*(torch.tensor([v]).double() for v in of)) for of in ((-1.0, 0.7), (0.5, 1.0))
    )
    mixed = wb.Conditional(wb.Mixture(torch.tensor([0.3, 0.7]).double(), parts), net, above(1.5), c)
    ring = wb.Conditional(standard(1), nn.Identity(), Ring(3.0), c)
    first = dense(torch.ones(1, 1).double())
    for law, spec in ((mixed, above(1.0)), (ring, Ring(2.0))):
        problem = wb.Problem(law, first, spec)
        with torch.no_grad():
            share = 0.5 * torch.erfc(-law.recognise(x) / c / math.sqrt(2))
            weight = torch.exp(law.base.log_prob(x)) * share
            truth = math.log10(float(weight[problem.margin(x) > 0].sum() / weight.sum()))
        found = wb.Ratio("cubature")(problem, 10**9).log10_p
        assert found == pytest.approx(truth, abs=1e-3)  # the sum's steps are 1e-4 wide


def test_independence_is_not_presumed():
    """P_D is what independence says where the two share nothing, and far from it elsewhere."""
    alone = wb.Moments()(wb.Problem(standard(), dense(axes(0.6)[1][None]), above(5.0))).log10_p
    given = [wb.Ratio()(linear(rho, 5.0, 5.0)).log10_p for rho in (0.0, 0.6)]
    assert abs(given[0] - alone) < 0.1
    assert given[1] > alone + 3


@dataclass(frozen=True, eq=False)
class Counting(Recognised, Sampleable, Density, wb.distributions.Distribution):
    """A recognised law that also offers draws and a density, and counts how often it is asked."""

    of: wb.Conditional
    softness: float = 0.0
    asked: list = field(default_factory=list)
    name = "counting"

    @property
    def dim(self):
        return self.of.dim

    @property
    def dtype(self):
        return self.of.dtype

    def parts(self):
        return self.of.parts()

    def recognise(self, x):
        return self.of.recognise(x)

    def sample(self, n, generator):
        self.asked.append(("sample", n))
        return torch.zeros(n, self.dim, dtype=self.dtype)

    def log_prob(self, x):
        self.asked.append(("log_prob", len(x)))
        return torch.zeros(len(x), dtype=self.dtype)


@dataclass(frozen=True, eq=False)
class CountingGaussian(wb.Gaussian):
    """A base that counts its draws."""

    asked: list = field(default_factory=list)

    def sample(self, n, generator):
        self.asked.append(("sample", n))
        return super().sample(n, generator)

    def noise(self, n, generator):
        self.asked.append(("noise", n))
        return super().noise(n, generator)


def test_no_sample_is_drawn_of_d_nor_of_its_base():
    base = CountingGaussian(torch.zeros(DIM).double(), torch.ones(DIM).double())
    problem = linear(0.5, 5.0, 5.0, base)
    counted = wb.Problem(Counting(problem.distribution), problem.model, problem.spec)
    assert wb.Ratio()(counted).log10_p == wb.Ratio()(problem).log10_p
    assert counted.distribution.asked == []
    assert not [what for what, n in base.asked if what == "sample" or n > 64]  # starts of searches
    wb.MonteCarlo()(counted, 100)  # the counter does count
    assert counted.distribution.asked == [("sample", 100)]


@pytest.mark.parametrize("by, budget", [("conditioned", 20_000), ("moments", 1)])
def test_gradient_is_the_slope_of_the_answer(by, budget):
    """Against differences of the closed form, in the mean of the base along both directions: to 2%
    of its length."""
    rho, far, beyond, h = 0.5, 4.0, 5.0, 1e-4
    mean = torch.zeros(DIM).double().requires_grad_()
    base = wb.Gaussian(mean, torch.ones(DIM).double())
    _, (slope,) = wb.log_p_and_grad(linear(rho, far, beyond, base), wb.Ratio(by=by), [mean], budget)
    r, s = axes(rho)

    def shifted(t):
        # Moving the mean by m is lowering the bars by r . m and s . m.
        return exact(rho, far - float(r @ t), beyond - float(s @ t)) * math.log(10)

    true = torch.zeros(2).double()
    for k in (0, 1):
        step = torch.zeros(DIM).double()
        step[k] = h
        true[k] = (shifted(step) - shifted(-step)) / (2 * h)
    assert (slope[:2] - true).norm() < 0.02 * true.norm()


@pytest.mark.parametrize("seed", [1, 3, 12, 13])
def test_narrow_random_networks(seed):
    """Both events of two networks on the plane at once, against exact rays; P_D down to 1e-15, and
    P(r > 0) down to 1e-27."""
    g = torch.Generator().manual_seed(seed)
    nets = [mlp([2, 12, 12, 2], g, bias_std=0.1) for _ in range(2)]
    gap = torch.tensor([1.0, -1.0]).double()
    x = torch.randn(4000, 2, generator=g, dtype=torch.float64)
    with torch.no_grad():
        seen = [net(x) @ gap for net in nets]
    bars = [float(v.mean() + k * v.std()) for v, k in zip(seen, (4.5, 3.0), strict=True)]
    law = wb.Conditional(standard(2), nets[0], wb.Halfspace(gap, -bars[0]))
    problem = wb.Problem(law, nets[1], wb.Halfspace(gap, -bars[1]))
    truth = wb.Ratio("cubature")(problem, 10**9).log10_p
    with torch.no_grad():
        assert abs(wb.Ratio()(problem).log10_p - truth) < 0.1


def test_recogniser_and_model_share_their_neurons():
    """D given its own event: P_D[C] = 1 where r and s are one network."""
    net = mlp([DIM, 16, 1], torch.Generator().manual_seed(3))
    law = wb.Conditional(standard(), net, above(9.0))
    estimate = wb.Ratio()(wb.Problem(law, net, above(9.0), "itself"))
    assert estimate.log10_p == pytest.approx(0.0, abs=0.05)
    assert estimate.info["log10_p_recognised"] < -2


def test_a_network_given_another_network():
    """Against plain counting on the base: P_D = 0.02 to 5 standard errors and 0.1 digit."""
    g = torch.Generator().manual_seed(5)
    model, recogniser = mlp([DIM, 24, 2], g), mlp([DIM, 24, 3], g)
    law = wb.Conditional(standard(), recogniser, wb.Argmax(0, "wins", 3.0))
    problem = wb.Problem(law, model, wb.Halfspace(torch.tensor([1.0, -1.0]).double(), -3.0))
    x = torch.randn(300_000, DIM, generator=g, dtype=torch.float64)
    with torch.no_grad():
        r, s = law.recognise(x), problem.margin(x)
    recognised, both = int((r > 0).sum()), int(((r > 0) & (s > 0)).sum())
    truth, err = math.log10(both / recognised), 1 / math.sqrt(both) / math.log(10)
    assert both > 200
    assert abs(wb.Ratio()(problem).log10_p - truth) < 0.1 + 5 * err


@pytest.mark.parametrize("name", [n for n in catalogue.names() if n.startswith("F_")])
def test_catalogue_problems_are_within_a_third_of_a_digit(name):
    """And none of them is one on which independence would have done."""
    problem = wb.load(name)
    answer = wb.Ratio()(problem)
    assert abs(answer.log10_p - problem.truth.log10_p) < 0.3
    assert -11 < answer.info["log10_p_recognised"] < -5
    base = problem.distribution.base
    alone = wb.Conditioned()(problem.vary(distribution=base)).log10_p
    assert abs(alone - problem.truth.log10_p) > 0.3


class Ring(Spec):
    """A predicate that is no half-space: |x| > radius."""

    name = "ring"

    def __init__(self, radius, outside=1.0):
        self.radius, self.outside = radius, outside

    def margin(self, x, y):
        return self.outside * (x.norm(dim=1) - self.radius)

    def check(self, outputs):
        pass

    def shift(self, tau):
        return Ring(self.radius + self.outside * tau, self.outside)

    def __invert__(self):
        return Ring(self.radius, -self.outside)


def test_a_predicate_recognises():
    """|x| > 3 in the plane, x_0 > 3: exact by polar coordinates, Phi(-3) / exp(-9/2)."""
    law = wb.Conditional(standard(2), nn.Identity(), Ring(3.0))
    first = dense(torch.tensor([[1.0, 0.0]]).double())
    truth = math.log10(0.5 * math.erfc(3 / math.sqrt(2)) / math.exp(-4.5))
    found = wb.Ratio(by="cubature")(wb.Problem(law, first, above(3.0)), 10**7).log10_p
    assert found == pytest.approx(truth, abs=1e-3)


def test_parts_are_problems_on_the_base():
    problem = linear(0.5, 3.0, 4.0)
    both, recognised = parts_of(problem)
    x = torch.randn(50, DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3
    r = problem.distribution.recognise(x)
    assert torch.allclose(both.margin(x), torch.minimum(problem.margin(x), r))
    assert torch.allclose(recognised.margin(x), r)
    assert both.readable and isinstance(both.distribution, wb.Gaussian)


def test_a_recogniser_that_never_fires_is_told():
    never = nn.Sequential(nn.Linear(DIM, 1), nn.Tanh()).double()
    law = wb.Conditional(standard(), never, above(1.5))
    with pytest.raises(wb.NotConverged, match="no input of the base that the recogniser accepts"):
        wb.Ratio()(wb.Problem(law, dense(axes(0.5)[1][None]), above(0.0)))


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: wb.Conditional(linear(0, 1, 1).distribution, nn.Identity(), Ring(1)), "plain"),
        (lambda: wb.Conditional(standard(), nn.Linear(2, 1), above(1.0)), "the recogniser fails"),
        (lambda: wb.Conditional(standard(), dense(torch.eye(6).double()), above(1.0)), "outputs"),
        (lambda: replace(linear(0, 1, 1).distribution, softness=-1.0), "softness"),
        (
            lambda: wb.Conditional(
                wb.Box(torch.zeros(1), torch.ones(1)), nn.Identity(), Ring(1), 0.5
            ),
            "weighs a gaussian",
        ),
        (lambda: wb.Ratio(by="monte_carlo"), "unknown estimator 'monte_carlo': use one of auto"),
    ],
)
def test_bad_input_is_told_in_a_sentence(make, said):
    with pytest.raises(wb.BadInput, match=said):
        make()

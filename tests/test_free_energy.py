"""Free energies of a law known by its energy, against closed forms and quadrature."""

import math

import pytest
import torch
from test_partition import above, by_quadrature, network, standard

import workbench as wb
from workbench.math.gaussian import log_cdf
from workbench.math.saddle import log_tail
from workbench.models import dense

F8 = torch.float64


def tilted(bar):
    """exp(-x_0 - x_1 / 2) moves the mean of a normal law to (-1, -1/2)."""
    energy = dense(torch.tensor([[1.0, 0.5]], dtype=F8))
    first = dense(torch.tensor([[1.0, 0.0]], dtype=F8))
    return wb.Problem(wb.Gibbs(standard(2), energy), first, above(bar))


@pytest.mark.parametrize("bar", [-3.0, -1.0, 1.0, 6.0])
@pytest.mark.parametrize("order", [1, 2])
def test_affine_energies_are_exact(bar, order):
    exact = float(log_cdf(torch.tensor(-1.0 - bar, dtype=F8)))
    answer = wb.FreeEnergy(order)(tilted(bar))
    assert float(answer.log_p) == pytest.approx(exact, abs=1e-4)
    assert answer.info["defect_digits"] < 1e-6


def test_unions_are_summed_and_intersections_refused():
    problem = tilted(2.0)
    either = wb.FreeEnergy()(problem.vary(spec=problem.spec | problem.spec.shift(1.0)))
    one, two = (wb.FreeEnergy()(tilted(bar)).log_p for bar in (2.0, 3.0))
    assert float(either.log_p) == pytest.approx(float(torch.logaddexp(one, two)), abs=1e-4)
    with pytest.raises(wb.Unsupported, match="one at a time") as caught:
        wb.FreeEnergy()(problem.vary(spec=problem.spec & problem.spec.shift(1.0)))
    assert caught.value.try_instead == ("partition",)


@pytest.mark.parametrize("seed, bar", [(0, 1.0), (1, 2.0)])
def test_networks_on_the_plane(seed, bar):
    """One valley of U, and a margin that hardly bends where it fails."""
    law, model = network(seed)
    problem = wb.Problem(law, model, above(bar))
    truth = by_quadrature(problem, n=801) / math.log(10)
    assert abs(wb.FreeEnergy()(problem).log10_p - truth) < 0.1


def test_it_says_where_it_is_blind():
    """A margin whose propagated mean never comes to 0, though it is positive 3 times in 1000."""
    law, model = network(4)
    answer = wb.FreeEnergy()(wb.Problem(law, model, above(0.5)))
    assert answer.log_p == -math.inf and "partition" not in answer.warning
    assert "no pull" in answer.warning


def test_the_saddlepoint_of_a_normal_law_is_exact():
    """K(t) = m t + v t^2 / 2."""
    m, v = torch.tensor([-3.0, 2.0, 0.0, -1e-9], dtype=F8), 1.7
    t = -m / v
    found = log_tail(t, m * t + 0.5 * v * t**2, torch.full_like(m, v), m)
    assert torch.allclose(found, log_cdf(m / math.sqrt(v)), atol=1e-9)


def test_the_order_is_checked():
    with pytest.raises(wb.BadInput, match="order"):
        wb.FreeEnergy(3)

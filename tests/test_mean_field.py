"""Mean field for spin glasses, against all states weighed one by one."""

import itertools
import math

import pytest
import torch

import workbench as wb
from workbench.models import dense

F8 = torch.float64
GLASSES = ["G_glass_b05_1e-6", "G_glass_b10_1e-6", "G_glass_b20_1e-6", "G_glass_b30_1e-6"]


def small(n=8, beta=0.6, bar=3.0):
    g = torch.Generator().manual_seed(3)
    j = torch.randn(n, n, generator=g, dtype=F8).triu(1) / n**0.5
    d = wb.SpinGlass(j + j.T, 0.3 * torch.randn(n, generator=g, dtype=F8), beta)
    a = torch.randn(1, n, generator=g, dtype=F8)
    return wb.Problem(d, dense(a), wb.Halfspace(torch.ones(1, dtype=F8), -bar))


def weighed(problem):
    states = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=problem.distribution.dim)))
    states = states.double()
    log_w = problem.distribution.log_weight(states)
    hit = problem.margin(states) > 0
    return float(torch.logsumexp(log_w[hit], 0) - torch.logsumexp(log_w, 0))


@pytest.mark.parametrize("bar", [1.0, 3.0, -2.0])
def test_summing_over_all_spins_is_exact(bar):
    problem = small(bar=bar)
    answer = wb.MeanField(summed=8)(problem)
    assert float(answer.log_p) == pytest.approx(weighed(problem), abs=1e-10)


def test_naive_mean_field_bounds_every_partition_function():
    """Gibbs and Bogoliubov: max over products of E - entropy is at most log Z."""
    from workbench.estimators.mean_field import _Glass

    problem = small(beta=1.5)
    d = problem.distribution
    states = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=8))).double()
    log_z = float(torch.logsumexp(d.log_weight(states), 0))
    slope = problem.model.weight[0].detach()
    zero = torch.zeros((), dtype=F8)
    for summed in (0, 3, 8):
        glass = _Glass(d, slope, zero, 0.0, summed)
        each = glass._cumulants(torch.zeros_like(glass.fixed))[2] + glass.fixed
        bound = float(torch.logsumexp(each, 0))
        assert bound <= log_z + 1e-9
        assert summed < 8 or bound == pytest.approx(log_z, abs=1e-10)


def test_tap_is_the_next_order_in_temperature():
    """The error of log Z falls as beta^2 by naive mean field, as beta^3 by TAP."""
    from workbench.estimators.mean_field import _Glass

    off = {0.0: [], 1.0: []}
    for beta in (0.05, 0.1):
        problem = small(beta=beta)
        d, zero = problem.distribution, torch.zeros((), dtype=F8)
        states = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=8))).double()
        log_z = float(torch.logsumexp(d.log_weight(states), 0))
        for tap, errors in off.items():
            glass = _Glass(d, problem.model.weight[0].detach(), zero, tap, 0)
            errors.append(abs(float(glass._cumulants(torch.zeros(1, dtype=F8))[2]) - log_z))
    assert off[0.0][1] / off[0.0][0] == pytest.approx(4.0, rel=0.2)
    assert off[1.0][1] / off[1.0][0] == pytest.approx(8.0, rel=0.3)


@pytest.mark.parametrize("name", GLASSES)
def test_glasses(name):
    problem = wb.load(name)
    answer = wb.MeanField()(problem)
    assert abs(answer.log10_p - problem.truth.log10_p) < 0.3
    assert "defect_digits" in answer.info or "not settle" in answer.warning


def test_all_states_are_counted_or_nothing_is_said():
    problem = small()
    answer = wb.Enumeration(batch=100)(problem)
    assert float(answer.log_p) == pytest.approx(weighed(problem), abs=1e-12)
    part = wb.Enumeration(batch=100)(problem, 200)
    assert part.log_p == -math.inf and part.interval == (-math.inf, 0.0)
    assert "200 of 256" in part.warning


def test_intersections_are_refused():
    problem = small()
    c = problem.spec
    with pytest.raises(wb.Unsupported, match="one at a time"):
        wb.MeanField()(problem.vary(spec=c & c.shift(0.1)))


def test_unions_are_summed():
    problem = small(bar=4.0)
    below = wb.Halfspace(-torch.ones(1, dtype=F8), -4.0)
    either = problem.vary(spec=problem.spec | below)
    answer = wb.MeanField(summed=8)(either)
    assert float(answer.log_p) == pytest.approx(weighed(either), abs=1e-10)


def test_out_of_reach_is_impossible():
    assert float(wb.MeanField()(small(bar=100.0)).log_p) == -math.inf
    assert float(wb.MeanField()(small(bar=-100.0)).log_p) == 0.0


def test_bad_spin_glasses():
    j = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    with pytest.raises(wb.BadInput, match="symmetric"):
        wb.SpinGlass(torch.tensor([[0.0, 1.0], [0.5, 0.0]]), torch.zeros(2))
    with pytest.raises(wb.BadInput, match="inverse temperature"):
        wb.SpinGlass(j, torch.zeros(2), -1.0)
    with pytest.raises(wb.BadInput, match="shape"):
        wb.SpinGlass(j, torch.zeros(3))
    with pytest.raises(wb.BadInput, match="summed"):
        wb.MeanField(summed=17)
    with pytest.raises(wb.BadInput, match="free energy"):
        wb.MeanField("bethe")

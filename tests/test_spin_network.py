"""Spins weighed by the energy of a network, against all states weighed one by one."""

import math

import pytest
import torch
from test_mean_field import small, weighed
from torch import nn

import workbench as wb
from workbench.estimators.spin_means import Through
from workbench.models import dense, mlp

F8 = torch.float64
SPINS = 14


def posed(seed, log10_p=-3.0, strength=2.0):
    """Random networks for U and M, the bar where so large a share of D fails."""
    g = torch.Generator().manual_seed(seed)
    energy, model = mlp([SPINS, 16, 1], g, bias_std=0.5), mlp([SPINS, 24, 1], g, bias_std=0.3)
    for net in (energy, model):
        net.requires_grad_(False)
    energy.parts[-1].weight.mul_(strength)
    law = wb.SpinNetwork(torch.zeros(SPINS, dtype=F8), energy)
    x, log_w = law.outcome(0, law.outcomes)
    s = model(x)[:, 0]
    order = torch.argsort(s, descending=True)
    mass = torch.logcumsumexp(log_w[order], 0) - torch.logsumexp(log_w, 0)
    last = int((mass < math.log(10.0) * log10_p).sum())
    bar = float(0.5 * (s[order[last]] + s[order[last + 1]]))
    return wb.Problem(law, model, wb.Halfspace(torch.ones(1, dtype=F8), -bar))


def test_enumeration_weighs_every_state():
    problem = posed(0)
    answer = wb.Enumeration()(problem, 2**SPINS)
    assert float(answer.log_p) == pytest.approx(weighed(problem), abs=1e-10)
    assert -3.3 < answer.log10_p < -2.9


@pytest.mark.parametrize("seed", [0, 3])
def test_mean_field_through_networks(seed):
    """Of five networks the worst was 0.25 digits off."""
    problem = posed(seed)
    answer = wb.MeanField("tap", summed=0)(problem)
    assert abs(answer.log10_p - weighed(problem) / math.log(10)) < 0.5
    assert 0.0 < answer.info["defect_digits"] < 0.5


def test_a_linear_energy_is_exact():
    """U = -h . x: D is a product law, and log Z(t) of a linear margin what cosh says."""
    g = torch.Generator().manual_seed(5)
    h, a = (torch.randn(1, 5, generator=g, dtype=F8) for _ in range(2))
    law = wb.SpinNetwork(0.3 * h[0], dense(-0.7 * h))
    problem = wb.Problem(law, dense(a), wb.Halfspace(torch.ones(1, dtype=F8), -1.5))
    spins = Through(problem, torch.ones(1, dtype=F8), torch.tensor(-1.5, dtype=F8), 0)
    for t in (0.0, 0.8):
        s, log_z = spins._settle(torch.full((1,), t, dtype=F8))
        field = h[0] + t * a[0]
        assert float(log_z) == pytest.approx(
            float(torch.log(2.0 * torch.cosh(field)).sum() - 1.5 * t), abs=1e-9
        )
        assert float(s) == pytest.approx(float(torch.tanh(field) @ a[0] - 1.5), abs=1e-6)


def test_a_glass_goes_through_networks_as_it_goes_by_itself():
    """The next order is the term of Thouless, Anderson and Palmer at naive means."""
    problem = small(beta=0.3)
    d = problem.distribution
    spins = Through(problem, torch.ones(1, dtype=F8), problem.spec.b.reshape(()), 0)
    _, log_z = spins._settle(torch.zeros(1, dtype=F8))
    v = 1.0 - spins.m[0].square()
    tap = 0.25 * float((d.beta * d.couplings).square() @ v @ v)
    assert float(spins._next(torch.zeros(1, dtype=F8))) == pytest.approx(tap, rel=0.3)  # 256 nodes
    naive = wb.MeanField("naive", summed=0)(problem).log10_p
    bent = wb.Problem(d, nn.Sequential(problem.model, nn.ReLU()), problem.spec)
    assert wb.MeanField("naive", summed=0)(bent).log10_p == pytest.approx(naive, abs=0.3)
    assert float(log_z) <= float(torch.logsumexp(d.log_weight(d.outcome(0, 256)[0]), 0))


def test_what_no_product_law_reaches_is_said():
    answer = wb.MeanField(summed=0)(posed(0).vary(spec=wb.Halfspace(torch.ones(1).double(), -40.0)))
    assert answer.log_p == -math.inf and ("proof" in answer.info or "product law" in answer.warning)


def test_bad_energies():
    with pytest.raises(wb.BadInput, match=r"\(batch, 1\)"):
        wb.SpinNetwork(torch.zeros(3), nn.Identity())
    with pytest.raises(wb.BadInput, match="torch module"):
        wb.SpinNetwork(torch.zeros(3), 1.0)

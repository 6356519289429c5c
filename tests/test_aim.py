"""Where lines are laid: Gaussians learned from scores, and the weights of their mixture."""

import math

import pytest
import torch

import workbench as wb
from workbench.estimators import boundary, drawn
from workbench.estimators.aim import Aim, learned
from workbench.iteration import Budget, run
from workbench.rng import Rng


def quadratic(d=5):
    """A unit vector, and a, H across it: log f = a.w + w.H.w / 2."""
    g = torch.Generator().manual_seed(0)
    unit = torch.zeros(d)
    unit[0] = 1.0
    root = 0.4 * torch.randn(d, d, generator=g)
    root[0], root[:, 0] = 0.0, 0.0
    a = 0.5 * torch.randn(d, generator=g)
    a[0] = 0.0
    return unit, a, -root @ root.T


def test_a_gaussian_target_is_learned():
    """Scores that are linear leave the ridge's bias alone: 64 lines' worth of 20,000."""
    unit, a, hessian = quadratic()
    w = torch.randn(20_000, 5, generator=torch.Generator().manual_seed(1))
    w[:, 0] = 0.0
    rise = a + w @ hessian
    centre, root = learned(w, rise, torch.zeros(len(w)), unit, torch.eye(5))
    cov = torch.linalg.inv(torch.eye(5) - hessian)
    torch.testing.assert_close(centre, cov @ a, rtol=0.02, atol=0.01)
    values, vectors = torch.linalg.eigh(cov)
    want = vectors @ torch.diag(values**0.75) @ vectors.T
    torch.testing.assert_close(root @ root, want, rtol=0.02, atol=0.01)
    torch.testing.assert_close(root @ unit, unit)


def test_few_lines_keep_to_the_first_gaussian():
    unit, a, hessian = quadratic()
    w = torch.randn(2, 5, generator=torch.Generator().manual_seed(1))
    w[:, 0] = 0.0
    first = torch.diag(torch.tensor([1.0, 0.5, 0.7, 1.0, 1.2]))
    _, root = learned(w, a + w @ hessian, torch.zeros(2), unit, first)
    torch.testing.assert_close(root @ root, (first @ first) ** 0.75, rtol=0.0, atol=0.2)


def test_a_steep_line_does_not_decide():
    unit, a, hessian = quadratic()
    w = torch.randn(2000, 5, generator=torch.Generator().manual_seed(1))
    w[:, 0] = 0.0
    rise = a + w @ hessian
    want, _ = learned(w, rise, torch.zeros(len(w)), unit, torch.eye(5))
    rise[7] *= 1e9
    got, _ = learned(w, rise, torch.zeros(len(w)), unit, torch.eye(5))
    torch.testing.assert_close(got, want, rtol=0.0, atol=0.05)


def test_weights_of_two_gaussians_restore_the_moments_of_the_normal():
    """Means of weight, weight x w and weight x w^2 within 4.5 of their standard errors: nine
    figures, false alarms below 1 in 10,000."""
    unit, a, _ = quadratic()
    second = torch.diag(torch.tensor([1.0, 0.6, 1.3, 1.0, 0.8]))
    centre = torch.stack([torch.zeros(5), a])
    root = torch.stack([torch.eye(5), second])
    n, g = 40_000, torch.Generator().manual_seed(2)
    aim = Aim(centre[:1], root[:1], torch.tensor([float(n)]))
    first = aim.lay(unit, torch.randn(n, 5, generator=g), 0)
    aim = Aim(centre, root, torch.tensor([float(n), float(n)]))
    w = torch.cat([first, aim.lay(unit, torch.randn(n, 5, generator=g), n)])
    weight = torch.exp(aim.log_weight(w))
    assert float(weight.max()) < 2.0 / 0.3 + 1e-9  # a share of the first keeps D's spread
    for figure, want in ((weight, 1.0), *((weight * w[:, i], 0.0) for i in range(1, 5)),
                         *((weight * w[:, i].square(), 1.0) for i in range(1, 5))):  # fmt: skip
        assert abs(float(figure.mean()) - want) < 4.5 * float(figure.std()) / math.sqrt(len(w))


def test_no_gaussian_is_the_spread_of_d():
    aim = Aim(torch.zeros(0, 3), torch.zeros(0, 3, 3), torch.zeros(0))
    e = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    w = aim.lay(torch.tensor([1.0, 0.0, 0.0]), e, 0)
    assert torch.equal(w[:, 1:], e[:, 1:]) and not bool(w[:, 0].any())
    assert torch.equal(aim.log_weight(w), torch.zeros(4))


@pytest.mark.parametrize("name", ["B_w32_h4_1e-3", "B_w32_h3_1e-8", "B_w64_h2_1e-8"])
def test_learned_lines_differ_less(name, monkeypatch):
    """Their shares' variance falls to a fifth, a third and a quarter."""
    problem, method = wb.load(name), wb.Conditioned(tolerance=0.02)
    variance = []
    for learn in (boundary.learned, lambda pieces, state, spare: state):
        monkeypatch.setattr(boundary, "learned", learn)
        with torch.no_grad():
            state, _ = run(method, problem, method.init(problem, Rng(0)), Budget(1_000_000))
        variance.append(float(drawn.relative_variance(state).sum()))
    assert variance[0] < 0.5 * variance[1]

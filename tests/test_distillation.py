"""Students from propagated moments: exact cases, and draws as the oracle."""

import math

import pytest
import torch
from torch import nn

import workbench as wb
from workbench.errors import BadInput
from workbench.models import chain, mlp
from workbench.propagation import Covariance
from workbench.training.distillation import beside, propagated, sampled


def pair(hidden=1, width=12, narrow=5, seed=0):
    g = torch.Generator().manual_seed(seed)
    teacher = mlp([width] * (hidden + 1) + [3], g, bias_std=0.3)
    student = mlp([width] + [narrow] * hidden + [1], g)
    return teacher, chain(list(student.parts)[:-1])


def standard(d):
    return wb.Gaussian(torch.zeros(d).double(), torch.ones(d).double())


def test_side_by_side_computes_both():
    teacher, student = pair(2)
    x = torch.randn(7, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    joint = beside(teacher, student)(x)
    torch.testing.assert_close(joint, torch.cat([teacher(x), student(x)], 1))


def test_one_hidden_layer_is_exact():
    """Gaussian pre-activations: the moments are those of draws within five standard errors."""
    teacher, student = pair()
    joint, d, n = beside(teacher, student), standard(12), 400_000
    ours = propagated(joint, 3, d, Covariance(order=30, tolerance=0.0))
    draws = sampled(joint, 3, d, n, wb.Rng(0))
    sd = ours.cov.diagonal().sqrt()
    assert float(((ours.mean - draws.mean) / sd).abs().max()) < 5.0 / math.sqrt(n)
    # The fourth moment of a sum of ReLUs of Gaussians is at most ten times its variance squared.
    gap = (ours.cov - draws.cov) / (sd[:, None] * sd)
    assert float(gap.abs().max()) < 5.0 * math.sqrt(10.0 / n)
    v, c = ours.readout()
    assert draws.excess(v, c) / draws.left()[1] < 1e-3


def test_a_student_that_holds_the_teacher_is_found():
    """phi the teacher's own hidden layer, all of it on: V is its last layer, nothing is left."""
    teacher, _ = pair()
    with torch.no_grad():
        teacher.parts[0].bias += 100.0
    hidden = chain(list(teacher.parts)[:-1])
    moments = propagated(beside(teacher, hidden), 3, standard(12), Covariance())
    v, c = moments.readout()
    last = teacher.parts[-1]
    torch.testing.assert_close(v, last.weight.detach(), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(c, last.bias.detach(), rtol=1e-5, atol=1e-4)
    assert abs(moments.left()[0]) < 1e-9 * moments.left()[1]
    assert abs(moments.excess(v, c)) < 1e-12


def test_what_is_further_than_the_nearest():
    """The excess is the difference of two squared errors, on the draws that made the moments."""
    teacher, student = pair()
    joint, d = beside(teacher, student), standard(12)
    moments = sampled(joint, 3, d, 4096, wb.Rng(5))
    y = joint(d.push(d.noise(4096, wb.Rng(5).generator())))
    v, c = moments.readout()
    off, shift = v + 0.1, c - 0.2

    def error(v, c):
        return float((y[:, 3:] @ v.T + c - y[:, :3]).square().sum(1).mean())

    assert moments.excess(off, shift) == pytest.approx(error(off, shift) - error(v, c), rel=1e-8)
    assert moments.left()[0] == pytest.approx(error(v, c), rel=1e-8)


def test_networks_that_do_not_fit_are_refused():
    teacher, _ = pair(2)
    with pytest.raises(BadInput, match="same hidden activations"):
        beside(teacher, pair(1)[1])
    with pytest.raises(BadInput, match="neither a linear map"):
        beside(chain([nn.ReLU()]), pair(1)[1])

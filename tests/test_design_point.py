"""FORM and SORM against half-spaces, unions and paraboloids."""

import math

import pytest
import torch

import workbench as wb
from workbench.math.gaussian import log_cdf


def planes(*rows, offsets):
    a = torch.tensor(rows)
    spec = None
    for i, t in enumerate(offsets):
        half = wb.Halfspace(torch.eye(len(a))[i], -t)
        spec = half if spec is None else spec | half
    model = torch.nn.Linear(a.shape[1], len(a), bias=False).double()
    with torch.no_grad():
        model.weight.copy_(a)
    d = a.shape[1]
    return wb.Problem(wb.Gaussian(torch.zeros(d), torch.ones(d)), model, spec)


@pytest.mark.parametrize("method", ["form", "sorm"])
def test_two_half_spaces_are_exact(method):
    problem = planes((1.0, 0.0, 0.0), (0.6, 0.8, 0.0), offsets=(4.0, 4.5))
    answer = wb.DesignPoint(method=method)(problem)
    assert answer.log10_p == pytest.approx(wb.Moments()(problem).log10_p, abs=1e-6)
    assert len(answer.info["reliability_index"]) == 2


class Bowl(torch.nn.Module):
    """s = z_0 - t - kappa / 2 |z_1..|^2: a paraboloid."""

    def __init__(self, t, kappa):
        super().__init__()
        self.t, self.kappa = t, kappa

    def forward(self, z):
        return (z[:, :1] - self.t) - 0.5 * self.kappa * z[:, 1:].square().sum(1, keepdim=True)


@pytest.mark.parametrize("kappa", [0.2, -0.08])
def test_paraboloid(kappa):
    """P = E Phi(-t - kappa r^2 / 2), r^2 of chi-square law, by quadrature; FORM is Phi(-t)."""
    t, d = 4.0, 4
    problem = wb.Problem(
        wb.Gaussian(torch.zeros(d), torch.ones(d)), Bowl(t, kappa), wb.Halfspace(torch.ones(1), 0.0)
    )
    r2 = torch.linspace(0.0, 80.0, 400_001)
    density = r2.sqrt() * torch.exp(-0.5 * r2) / math.sqrt(2.0 * math.pi)
    exact = torch.trapezoid(density * log_cdf(-t - 0.5 * kappa * r2).exp(), r2).log10()
    form = wb.DesignPoint(method="form")(problem).log10_p
    sorm = wb.DesignPoint()(problem).log10_p
    assert form == pytest.approx(float(log_cdf(torch.tensor(-t))) / math.log(10.0), abs=1e-3)
    assert abs(sorm - float(exact)) < 0.05 < abs(form - float(exact))


def test_rival_classes_are_all_found():
    answer = wb.DesignPoint(method="form")(wb.load("C_digits_p1_s10"))
    assert len(answer.info["reliability_index"]) >= 2


def test_no_gradient_is_said():
    answer = wb.DesignPoint()(wb.load("D_needle_1e-6"))
    truth = wb.load("D_needle_1e-6").truth.log10_p
    assert answer.warning or abs(answer.log10_p - truth) > 5  # blind to the trigger, not confident
    assert answer.interval is None and answer.kind is wb.Kind.HEURISTIC
    short = wb.DesignPoint()(wb.load("B_w32_h2_1e-5"), 50)
    assert short.log10_p == -math.inf and "no design point" in short.warning


def test_settings():
    with pytest.raises(wb.BadInput, match="unknown method"):
        wb.DesignPoint(method="third")
    with pytest.raises(wb.BadInput, match="modes"):
        wb.DesignPoint(modes=0)

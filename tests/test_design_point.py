"""FORM and SORM against half-spaces, unions and paraboloids."""

import math

import pytest
import torch

import workbench as wb
from workbench.math.gaussian import log_cdf
from workbench.math.orthant import log_bivariate_cdf


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


def test_every_part_of_a_mixture_has_its_own_half_spaces():
    """The likeliest failures of one part are beyond the reach of another one's noise."""
    mean, std = torch.tensor([-4.0, 0.0, 1.0]), torch.tensor([0.5, 0.3, 0.2])
    weights = torch.tensor([0.5, 0.3, 0.2])
    parts = tuple(wb.Gaussian(m[None], s[None]) for m, s in zip(mean, std, strict=True))
    line = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(line.weight, 1.0)
    torch.nn.init.constant_(line.bias, -1.5)
    problem = wb.Problem(wb.Mixture(weights, parts), line, wb.Halfspace(torch.ones(1), 0.0))
    answer = wb.DesignPoint()(problem)
    exact = (weights * log_cdf((mean - 1.5) / std).exp()).sum().log10()
    assert answer.log10_p == pytest.approx(float(exact), abs=1e-6) and not answer.warning
    assert abs(answer.info["drawn_log10_p"] - float(exact)) < 4.0 * answer.info["drawn_digits"]
    few = wb.DesignPoint()(problem, 500)
    assert "on 1 of the 3 parts of D" in few.warning


@pytest.mark.parametrize("least, most", [(1.0, 2.0), (2.0, 2.5)])
def test_an_interval_has_two_ends(least, most):
    line = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(line.weight, 1.0)
    inside = wb.Halfspace(torch.ones(1), -least) & wb.Halfspace(-torch.ones(1), most)
    answer = wb.DesignPoint()(wb.Problem(wb.Gaussian(torch.zeros(1), torch.ones(1)), line, inside))
    ends = log_cdf(-torch.tensor([least, most])).exp()
    assert answer.log10_p == pytest.approx(float((ends[0] - ends[1]).log10()), abs=1e-3)
    assert not answer.warning


def test_a_corner_of_two_half_spaces_is_exact():
    rows, least = torch.tensor([[1.0, 0.0, 0.0], [-0.6, 0.8, 0.0]]), torch.tensor([2.0, 1.5])
    model = torch.nn.Linear(3, 2, bias=False)
    with torch.no_grad():
        model.weight.copy_(rows)
    spec = wb.Polytope(torch.eye(2), -least)
    problem = wb.Problem(wb.Gaussian(torch.zeros(3), torch.ones(3)), model, spec)
    exact = log_bivariate_cdf(-least[0], -least[1], torch.tensor(-0.6)) / math.log(10.0)
    answer = wb.DesignPoint()(problem)
    assert answer.log10_p == pytest.approx(float(exact), abs=1e-3) and not answer.warning


class Wedge(torch.nn.Module):
    """s = z_0 - 3 - 5 |z_1|: neither a plane nor a paraboloid."""

    def forward(self, z):
        return z[:, :1] - 3.0 - 5.0 * z[:, 1:2].abs()


@pytest.mark.parametrize("method", ["form", "sorm"])
def test_draws_tell_a_wedge(method):
    d = wb.Gaussian(torch.zeros(3), torch.ones(3))
    answer = wb.DesignPoint(method=method)(wb.Problem(d, Wedge(), wb.Halfspace(torch.ones(1), 0.0)))
    t = torch.linspace(0.0, 3.0, 30_001)
    density = 2.0 * torch.exp(-0.5 * t.square()) / math.sqrt(2.0 * math.pi)
    exact = float(torch.trapezoid(density * log_cdf(-3.0 - 5.0 * t).exp(), t).log10())
    off = answer.info["drawn_log10_p"] - exact
    assert abs(off) < 4.0 * answer.info["drawn_digits"] < 0.8  # 6e-5 of runs, were they random
    assert abs(answer.log10_p - exact) > 0.3 and "weighted draws" in answer.warning
    unjudged = wb.DesignPoint(method="form")(wb.load("A_d10_1e-6"), 660)
    assert "held no draws" in unjudged.warning


def test_settings():
    with pytest.raises(wb.BadInput, match="unknown method"):
        wb.DesignPoint(method="third")
    with pytest.raises(wb.BadInput, match="modes"):
        wb.DesignPoint(modes=0)

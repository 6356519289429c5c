"""What an attack shows of its D: draws, ways to fail, the design point; against closed forms."""

import math

import pytest
import torch

import workbench as wb
from workbench.adversaries import KL, Adversary, families, portrait
from workbench.rng import Rng

F = torch.float64


def test_gallery_says_what_fails():
    attack = Adversary(region=KL(4.0), estimator=wb.Moments(), steps=6)(wb.load("digits"), check=0)
    seen = attack.gallery(20_000)
    assert torch.equal(seen.margin, attack.problem.margin(seen.x))
    wrong = seen.y.argmax(1) != attack.problem.spec.label
    assert torch.equal(wrong, seen.failed)
    checked = attack.check(Rng(3), 20_000).checked
    p = float(seen.failed.double().mean())
    # Two independent binomials: 4.4 standard errors, one false alarm in 10^5.
    spread = math.hypot(checked.log_err, 1.0 / math.sqrt(20_000 * p))
    assert abs(math.log(p) - float(checked.log_p)) < 4.4 * spread


def test_design_point_of_a_half_space_is_the_foot_of_its_normal():
    problem = wb.load("A_d10_1e-6")
    attack = Adversary(region=KL(2.0), estimator=wb.Moments(), steps=8)(problem, check=0)
    nearest = attack.design_point()
    # beta - sqrt(2 nats) standard deviations are left to go, and log P = log Phi of minus that.
    assert nearest.distance == pytest.approx(4.753424 - 2.0, rel=2e-3)
    assert float(problem.margin(nearest.x[None]).detach()) == pytest.approx(0.0, abs=0.02)
    far = Adversary(region=KL(16.0), estimator=wb.Moments(), steps=8)(problem, check=0)
    assert far.design_point().distance == 0.0  # its centre fails


def test_a_mixture_s_two_ways_are_two_modes():
    # |x_0| > 4 on the plane: two ways to fail, alike by symmetry.
    model = torch.nn.Linear(2, 2, bias=False, dtype=F)
    model.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=F)
    one = torch.ones(2, dtype=F)
    either = wb.Halfspace(torch.tensor([1.0, 0.0], dtype=F), -4.0) | wb.Halfspace(
        torch.tensor([0.0, 1.0], dtype=F), -4.0
    )
    problem = wb.Problem(wb.Gaussian(0.0 * one, one), model, either)
    attack = Adversary(family=families.Mixture(2), region=KL(4.0), steps=8)(problem, check=0)
    found = attack.modes()
    assert len(found) == 2
    assert sum(mode.share for mode in found) == pytest.approx(1.0)
    assert sorted(math.copysign(1.0, float(mode.mean[0])) for mode in found) == [-1.0, 1.0]
    assert all(abs(float(mode.mean[0])) > 4.0 for mode in found)
    assert {mode.told.split(",")[0] for mode in found} == {"clause 1", "clause 2"}


def test_modes_of_a_digit_are_its_rivals():
    problem = wb.load("C_digits_p22_s20")
    d = wb.Gaussian(problem.distribution.mean, 2.0 * problem.distribution.scale)
    found = portrait.modes(problem, d, 4096, Rng(0))
    assert len(found) >= 2 and all(mode.told.startswith("read as") for mode in found)
    assert f"read as {problem.spec.label}" not in [mode.told for mode in found]
    shares = [mode.share for mode in found]
    assert shares == sorted(shares, reverse=True) and 0.9 < sum(shares) <= 1.0 + 1e-9


def test_what_cannot_be_drawn_is_refused_in_a_sentence():
    problem = wb.load("G_free_1e-6")
    with pytest.raises(wb.Unsupported, match="samples"):
        portrait.gallery(problem, problem.distribution, 4, Rng(0))

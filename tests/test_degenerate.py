"""Every estimator on degenerate problems: an answer, or a refusal in one sentence, never NaN."""

import itertools
import math

import cases
import pytest
import torch
from torch import nn

import workbench as wb
from workbench.estimators import ALL, Strata, Tangent

BUDGET = 600
REFUSALS = (wb.BadInput, wb.Unsupported, wb.NotConverged)


def gaussian(d, scale=1.0, mean=0.0, dtype=torch.float64):
    return wb.Gaussian(torch.full((d,), mean, dtype=dtype), torch.full((d,), scale, dtype=dtype))


def net(*widths, dtype=torch.float64, bend=nn.ReLU):
    """Fixed weights, the same whenever it is made."""
    g = torch.Generator().manual_seed(len(widths))
    layers = []
    for i, (n, m) in enumerate(itertools.pairwise(widths)):
        layers += [nn.Linear(n, m, dtype=dtype)] + [bend()] * (i < len(widths) - 2)
        with torch.no_grad():
            for p in layers[2 * i].parameters():
                p.copy_(torch.randn(p.shape, generator=g, dtype=torch.float64) / n**0.5)
    return nn.Sequential(*layers)


def half(b, outputs=1, dtype=torch.float64):
    return wb.Halfspace(torch.ones(outputs, dtype=dtype), b)


def constant(value):
    """A model whose margin is the same everywhere."""
    model = net(2, 3, 1)
    with torch.no_grad():
        model[2].weight.zero_()
        model[2].bias.fill_(value)
    return model


def poisoned(value, dtype=torch.float64):
    model = net(2, 3, 1, dtype=dtype)
    with torch.no_grad():
        model[0].weight[1, 0] = value
    return model


SINGLE = torch.float32
CASES = {
    "P = 1": (lambda: wb.Problem(gaussian(2), net(2, 3, 1), half(1e4)), 0.0),
    "P of no float": (lambda: wb.Problem(gaussian(2), net(2, 3, 1), half(-1e9)), None),
    "zero margin": (lambda: wb.Problem(gaussian(2), constant(0.0), half(0.0)), None),
    "P = 1, everywhere": (lambda: wb.Problem(gaussian(2), constant(1.0), half(0.0)), 0.0),
    "P = 0": (lambda: wb.Problem(gaussian(2), constant(-1.0), half(0.0)), -math.inf),
    "zero variance": (lambda: wb.Problem(gaussian(2, 0.0), net(2, 3, 1), half(0.1)), None),
    "one flat direction": (
        lambda: wb.Problem(
            wb.Gaussian(torch.zeros(2), torch.tensor([1.0, 0.0])), net(2, 3, 1), half(0.1)
        ),
        None,
    ),
    "tiny variance": (lambda: wb.Problem(gaussian(2, 1e-200), net(2, 3, 1), half(0.1)), None),
    "huge variance": (lambda: wb.Problem(gaussian(2, 1e200), net(2, 3, 1), half(0.1)), None),
    "one neuron": (lambda: wb.Problem(gaussian(1), net(1, 1, 1), half(0.1)), None),
    "one weight": (lambda: wb.Problem(gaussian(1), net(1, 1), half(0.1)), None),
    "one class": (lambda: wb.Problem(gaussian(2), net(2, 3, 1), wb.Argmax(0, 1)), None),
    "NaN weight": (lambda: wb.Problem(gaussian(2), poisoned(math.nan), half(0.0)), None),
    "infinite weight": (lambda: wb.Problem(gaussian(2), poisoned(math.inf), half(0.0)), None),
    "huge weight": (lambda: wb.Problem(gaussian(2), poisoned(1e300), half(0.0)), None),
    "single, overflow": (
        lambda: wb.Problem(
            gaussian(2, dtype=SINGLE), poisoned(3e38, SINGLE), half(0.0, dtype=SINGLE)
        ),
        None,
    ),
    "single": (
        lambda: wb.Problem(
            gaussian(2, dtype=SINGLE), net(2, 3, 1, dtype=SINGLE), half(0.1, dtype=SINGLE)
        ),
        None,
    ),
    "M single, D double": (
        lambda: wb.Problem(gaussian(2), net(2, 3, 1, dtype=SINGLE), half(0.1)), None,
    ),
    "M double, D single": (
        lambda: wb.Problem(gaussian(2, dtype=SINGLE), net(2, 3, 1), half(0.1)), None,
    ),
    "NaN mean": (lambda: wb.Problem(gaussian(2, mean=math.nan), net(2, 3, 1), half(0.1)), None),
    "endless mean": (lambda: wb.Problem(gaussian(2, mean=math.inf), net(2, 3, 1), half(0.1)), None),
    "NaN scale": (lambda: wb.Problem(gaussian(2, math.nan), net(2, 3, 1), half(0.1)), None),
    "NaN in C": (lambda: wb.Problem(gaussian(2), net(2, 3, 1), half(math.nan)), None),
    "infinite in C": (lambda: wb.Problem(gaussian(2), net(2, 3, 1), half(math.inf)), None),
    "empty spec": (lambda: wb.Problem(gaussian(2), net(2, 3, 1), wb.And(())), None),
    "no inputs": (lambda: wb.Problem(gaussian(0), net(2, 3, 1), half(0.0)), None),
}  # fmt: skip


def answer(cls, make, budget=BUDGET):
    """log P, or None where it is refused in one line."""
    try:
        found = cls()(make(), budget, 1)
    except REFUSALS as error:
        assert str(error) and "\n" not in str(error)
        return None
    log_p = float(found.log_p.detach())
    assert not math.isnan(log_p) and log_p <= 0.0
    assert found.log_err is None or found.log_err >= 0.0
    if found.interval is not None:
        assert found.interval[0] <= log_p <= found.interval[1]
    return log_p


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("cls", [*ALL, cases.Stratified], ids=lambda cls: cls.name)
def test_degenerate(cls, name):
    make, log_p = CASES[name]
    found = answer(cls, make)
    assert found is None or log_p is None or found == pytest.approx(log_p, abs=1e-9)


@pytest.mark.parametrize("cls", [*ALL, cases.Stratified], ids=lambda cls: cls.name)
def test_a_batch_of_one(cls):
    """The smallest budget there is."""
    answer(cls, lambda: wb.Problem(gaussian(2), net(2, 3, 1), half(0.1)), budget=1)


@pytest.mark.parametrize("name", ["single", "one neuron", "one weight", "P = 1", "P = 0"])
def test_what_is_only_small_is_answered(name):
    """Not by refusals alone."""
    assert answer(wb.MonteCarlo, CASES[name][0]) is not None
    assert answer(wb.Moments, CASES[name][0]) is not None


@pytest.mark.parametrize("name", ["conditioned", "slices", "importance", "design_point"])
def test_a_network_surely_and_never_fails(name):
    """Behind ReLUs, with gradients asked for: a threshold far off, and a clause that excludes
    itself."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    method = cases.ESTIMATORS[name]()
    sure = wb.Problem(gaussian(4), model, wb.Halfspace(torch.tensor([1.0, 0.0, 0.0]), 1e6))
    assert method(sure, 20_000, 0).log10_p == pytest.approx(0.0, abs=1e-9)
    never = wb.Problem(gaussian(4), model, wb.Argmax(0) & ~wb.Argmax(0))
    assert method(never, 20_000, 0).log10_p == -math.inf


class Above(nn.Module):
    """A step that torch has no graph through."""

    def forward(self, x):
        return (x > 0).to(x.dtype)


@pytest.mark.parametrize("bend", [wb.models.Sign, wb.models.Heaviside, Above])
@pytest.mark.parametrize("learns", [False, True])
def test_steps_without_a_slope_are_answered_or_refused(bend, learns):
    """A Heaviside has no derivative in torch, a sign has 0, and a comparison no graph."""
    model = net(2, 8, 1, bend=bend).requires_grad_(learns)
    x = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0))
    problem = wb.Problem(gaussian(2), model, half(1e-6 - float(model(x).detach().quantile(0.9))))
    told = {cls.name: answer(cls, lambda: problem, 2000) for cls in (*ALL, Strata, Tangent)}
    plain = told["monte_carlo"]
    assert plain is not None and -4.0 < plain < -0.2
    assert told["tangent"] is None and told["subset"] == pytest.approx(plain, abs=0.5)


def test_a_gradient_through_steps_is_refused_where_lines_would_follow_it():
    """It had been a zero: of `conditioned` through signs, which have no slope."""
    model = net(2, 8, 1, bend=wb.models.Sign)
    problem = wb.Problem(gaussian(2), model, half(-0.7))
    with pytest.raises(wb.Unsupported, match="a margin that has a gradient is needed"):
        wb.log_p_and_grad(problem, wb.Conditioned(), list(model.parameters()), 5000)
    _, slopes = wb.log_p_and_grad(problem, wb.Moments(), list(model.parameters()))
    assert any(bool(g.any()) for g in slopes)

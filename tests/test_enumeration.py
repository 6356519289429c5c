"""Finite laws and their enumeration, against itertools and math.fsum."""

import itertools
import math

import pytest
import torch
from torch import nn

import workbench as wb
from workbench.distributions import Enumerable
from workbench.estimators import Enumeration
from workbench.models import mlp

SIGMAS = 5.0


def ragged():
    """Rows of 3, 2 and 1 values, filled up with probability 0."""
    values = torch.tensor([[0.0, 1.0, 2.0], [5.0, 7.0, 99.0], [-1.0, 88.0, 77.0]])
    return wb.Discrete(values, torch.tensor([[1.0, 2.0, 1.0], [0.3, 0.7, 0.0], [2.0, 0.0, 0.0]]))


def test_outcomes_are_the_product_in_order():
    d = ragged()
    assert isinstance(d, Enumerable) and d.outcomes == 6
    x, log_p = d.outcome(0, 100)
    want = list(itertools.product([0.0, 1.0, 2.0], [5.0, 7.0], [-1.0]))
    assert [tuple(row) for row in x.tolist()] == want
    each = [a * b for a, b in itertools.product([0.25, 0.5, 0.25], [0.3, 0.7])]
    assert log_p.exp().tolist() == pytest.approx(each, rel=1e-14)
    for start, n in ((0, 2), (2, 3), (5, 9)):
        part, log_part = d.outcome(start, n)
        assert torch.equal(part, x[start : start + n])
        assert torch.equal(log_part, log_p[start : start + n])


def test_draws_have_the_probabilities():
    d, n = ragged(), 100_000
    x = d.sample(n, torch.Generator().manual_seed(0))
    for value, p in ((0.0, 0.25), (1.0, 0.5), (2.0, 0.25)):
        share = float((x[:, 0] == value).double().mean())
        assert abs(share - p) < SIGMAS * math.sqrt(p * (1 - p) / n)
    assert set(x[:, 1].tolist()) == {5.0, 7.0} and set(x[:, 2].tolist()) == {-1.0}
    far = d.push(torch.tensor([[40.0] * 3, [-40.0] * 3]))
    assert far.tolist() == [[2.0, 7.0, -1.0], [0.0, 5.0, -1.0]]


def test_moments_and_bounds():
    (piece,), (low, high) = ragged().pieces(), ragged().bounds()
    assert piece.mean.tolist() == pytest.approx([1.0, 6.4, -1.0])
    assert piece.cov.tolist() == pytest.approx([0.5, 0.84, 0.0])
    assert low.tolist() == [0.0, 5.0, -1.0] and high.tolist() == [2.0, 7.0, -1.0]


@pytest.mark.parametrize(
    "values, probs, said",
    [
        (torch.zeros(2), torch.zeros(2), "one shape"),
        (torch.zeros(2, 2), torch.zeros(2, 3), "one shape"),
        (torch.zeros(2, 2), torch.zeros(2, 2), "positive somewhere"),
        (torch.zeros(1, 2), torch.tensor([[2.0, -1.0]]), "at least 0"),
        (torch.tensor([[math.nan]]), torch.ones(1, 1), "1 NaN"),
        (torch.zeros(1, 1).long(), torch.ones(1, 1), "floating-point, got torch.int64"),
        (torch.zeros(1, 1), torch.ones(1, 1).float(), "share a dtype"),
        (torch.zeros(70, 2), torch.ones(70, 2), r"at most 2\^62 outcomes, got 10\^21"),
    ],
)
def test_malformed_laws_are_refused(values, probs, said):
    with pytest.raises(wb.BadInput, match=said):
        wb.Discrete(values, probs)


@pytest.mark.parametrize("seed", range(3))
def test_enumeration_is_the_sum_over_outcomes(seed):
    """The slow obvious version: one outcome at a time, probabilities by math.fsum."""
    g = torch.Generator().manual_seed(seed)
    d = wb.Discrete(torch.randn(5, 3, generator=g), torch.rand(5, 3, generator=g))
    model = mlp([5, 16, 2], g, bias_std=0.2)
    problem = wb.Problem(d, model, wb.Argmax(0, "loses", -0.5))
    p = (d.probs / d.probs.sum(1, keepdim=True)).tolist()
    hits = []
    for pick in itertools.product(range(3), repeat=5):
        x = torch.stack([d.values[i, k] for i, k in enumerate(pick)])
        with torch.no_grad():
            y = model(x[None])[0]
        if y[1] - y[0] > -0.5:
            hits.append(math.prod(p[i][k] for i, k in enumerate(pick)))
    found = Enumeration(batch=50)(problem, 1000)
    assert 0 < len(hits) < 243
    assert found.log10_p == pytest.approx(math.log10(math.fsum(hits)), abs=1e-12)
    assert found.info["hits"] == len(hits) and found.cost.forwards == 243
    assert found.interval is None and found.log_err <= 1e-12


def test_far_below_what_a_float_holds():
    """One outcome of 2^16, whose sixteen coordinates have the probability 1e-30 each."""
    coins = wb.Discrete(torch.tensor([[0.0, 1.0]] * 16), torch.tensor([[1.0 - 1e-30, 1e-30]] * 16))
    problem = wb.Problem(coins, nn.Identity(), wb.Halfspace(torch.ones(16), -15.5))
    assert Enumeration()(problem).log10_p == pytest.approx(-480.0, abs=1e-9)


def test_an_impossible_event_is_proved():
    coins = wb.Discrete(torch.tensor([[0.0, 1.0]] * 4), torch.ones(4, 2))
    problem = wb.Problem(coins, nn.Identity(), wb.Halfspace(torch.ones(4), -4.5))
    found = Enumeration()(problem)
    assert found.log10_p == -math.inf and found.warning == ""


def test_a_short_budget_gives_a_certain_interval():
    problem = wb.load("E_product_1e-6")
    found = Enumeration(batch=1000)(problem, 30_000)
    low, high = found.log10_interval
    assert low <= problem.truth.log10_p <= high < 0.0
    assert found.log_err == math.inf and "only 30,000 of 65,536" in found.warning


def test_only_finite_laws_are_enumerated():
    with pytest.raises(wb.Unsupported, match="Enumerable distribution is needed"):
        Enumeration()(wb.load("A_d10_1e-3"))


def test_samplers_serve_finite_laws():
    problem = wb.load("E_product_1e-6")
    found = wb.Subset()(problem, 200_000, 1)
    assert abs(found.log10_p - problem.truth.log10_p) < 5 * found.log10_err

"""Tiny networks that are right by construction, medians, and cycles: proofs, counts, draws."""

import itertools
import math

import pytest
import torch
from torch import nn

import workbench as wb
from workbench import catalogue
from workbench.bench.algzoo import sampled
from workbench.catalogue.algzoo import BUILT
from workbench.errors import BadInput, Unsupported
from workbench.math.cycles import longest_cycle
from workbench.math.order import middle, position
from workbench.models import AttentionOnly, built, dense, random_rnn

DRAWS, ERRORS = 100_000, 5.0  # standard errors: a false alarm in two million


def cells(n):
    """The cones of R^n on which no x_i and no x_i - x_j changes its sign: rays `(n, n)` of each.

    With the entries in a given order and the first `low` of them negative, such a cone is spanned
    by the vectors that are -1 on the first k <= low entries, or 1 on the last k <= n - low.
    """
    for order in itertools.permutations(range(n)):
        for low in range(n + 1):
            rays = torch.zeros(n, n).double()
            for k in range(low):
                rays[k, list(order[: k + 1])] = -1.0
            for k in range(n - low):
                rays[low + k, list(order[n - k - 1 :])] = 1.0
            yield rays


@pytest.mark.parametrize("name", BUILT)
def test_a_built_network_is_right_on_every_input(name):
    """A proof by cells: inside one nothing bends, and what holds on its rays holds throughout.

    Each unit is a ReLU of some x_i, x_i - x_j or x_i - max, x_i - min of two others, whose sign a
    cell fixes. There outputs, and the right one's lead over any other, are linear: not below 0 on
    any ray and above it on one, a lead is above 0 inside. Weights and rays are small whole numbers,
    or halves: the arithmetic is exact.
    """
    task, n = BUILT[name]
    model = built(task, n)
    for rays in cells(n):
        inside = rays.sum(0, keepdim=True)
        for w in (model.read, model.recur, model.say):
            assert torch.equal(w.weight * 2.0, (w.weight * 2.0).round())
        y = model(rays)
        if task == "median":
            assert torch.equal(y[:, 0], middle(rays)) and torch.equal(model(inside), y.sum(0)[None])
            continue
        # Where two tie along a ray their order is that of the cell.
        ordered = inside[0].argsort(descending=True)
        right = int(ordered[{"argmax": 0, "second": 1, "argmedian": n // 2}[task]])
        lead = y[:, right, None] - torch.cat([y[:, :right], y[:, right + 1 :]], 1)
        assert bool((lead >= 0).all()) and bool((lead.sum(0) > 0).all())
        torch.testing.assert_close(model(inside)[0], y.sum(0), rtol=0.0, atol=0.0)


def test_there_are_as_many_cells_as_orders_and_signs():
    inside = torch.stack([rays.sum(0) for rays in cells(3)])
    assert len(torch.unique(inside, dim=0)) == math.factorial(3) * 4
    assert all(len({float(v) for v in x} - {0.0}) == 3 for x in inside + 1e-3)


def test_what_is_not_built_is_refused():
    for task, n in (("second", 4), ("median", 5), ("sum", 2), ("argmax", 1)):
        with pytest.raises(BadInput, match="no network is built"):
            built(task, n)


@pytest.mark.parametrize("hidden, n", [(3, 2), (4, 3), (3, 4), (5, 5), (2, 10)])
@pytest.mark.parametrize("scale", [1.0, 0.4])
def test_lines_know_how_often_a_median_is_near(hidden, n, scale):
    model = random_rnn(1, hidden, 1, n, torch.Generator().manual_seed(n)).requires_grad_(False)
    zero = torch.zeros(n).double()
    problem = wb.Problem(wb.Gaussian(zero, zero + scale), model, wb.Median(0.3))
    plain = sampled(problem, DRAWS, wb.Rng(5))
    for inner in ("line", "point"):
        found = wb.LastInput(2048, 8, inner)(problem, 10**9)
        p = float(found.log_p.exp())
        error = math.hypot(p * found.log_err, math.sqrt(p * (1.0 - p) / DRAWS))
        assert abs(p - plain) < ERRORS * error


def test_a_median_is_near_or_far():
    x = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 1.0]])
    y = torch.tensor([[2.5], [1.0]])
    near = wb.Median(0.5)
    assert near.margin(x, y).tolist() == [0.0, 0.5]
    assert torch.equal((~near).margin(x, y), -near.margin(x, y))
    assert near.shift(0.2).margin(x, y).tolist() == pytest.approx([-0.2, 0.3])
    assert (~near).shift(0.2).margin(x, y).tolist() == pytest.approx([-0.2, -0.7])
    assert middle(torch.tensor([[4.0, 1.0, 2.0, 9.0]])).tolist() == [3.0]
    for bad in ({"event": "odd"}, {"within": math.nan}):
        with pytest.raises(BadInput, match="a median"):
            wb.Median(**bad)
    with pytest.raises(BadInput, match="one output"):
        wb.Median().check(2)
    far = wb.load("algzoo_median_h4_n5").vary(spec=wb.Median(0.1, "far"))
    with pytest.raises(Unsupported, match="one that is near"):
        wb.LastInput()(far)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_longest_cycles_are_those_that_a_walk_finds(n):
    def slow(f):
        lengths = []
        for i in range(n):
            seen = [i]
            while f[seen[-1]] not in seen:
                seen.append(f[seen[-1]])
            lengths.append(len(seen) - seen.index(f[seen[-1]]))
        return max(lengths)

    every = list(itertools.product(range(n), repeat=n))
    assert longest_cycle(torch.tensor(every)).tolist() == [slow(f) for f in every]


def test_attention_is_that_of_torch():
    """A single head of each layer, its weights the other way round."""
    model = AttentionOnly(4, 3, 6, 2, 2)
    for i, weight in enumerate(model.parameters()):
        g = torch.Generator().manual_seed(i)
        weight.data = torch.randn(weight.shape, generator=g, dtype=torch.float64)
    x = torch.randint(4, (9, 3), generator=torch.Generator().manual_seed(9))
    h = model.embed[x] + model.place
    for i in range(2):
        layer = nn.MultiheadAttention(6, 1, bias=False, batch_first=True, dtype=torch.float64)
        layer.in_proj_weight.data = torch.cat(
            [w[i].T for w in (model.query, model.key, model.value)]
        )
        layer.out_proj.weight.data = model.out[i].T.contiguous()
        h = h + layer(h, h, h, need_weights=False)[0]
    torch.testing.assert_close(model(x), h[:, -1] @ model.say)
    soft = torch.nn.functional.one_hot(x, 4).double()
    torch.testing.assert_close(model(soft), model(x))
    with pytest.raises(BadInput, match="sequences of 3"):
        model(x[:, :2])
    with pytest.raises(BadInput, match="sizes of a transformer"):
        AttentionOnly(4, 0, 6, 2, 2)


def test_cycles_of_the_catalogue_are_counted_and_kept(tmp_path):
    """Against functions in another order, one by one; and a card holds network and question."""
    sizes = {name: catalogue.tiny_size(name) for name in catalogue.cycle_names()}
    assert sizes["algzoo_cycle_h2_n3"] == 50 and sum(s <= 100 for s in sizes.values()) == 5
    problem = wb.load("algzoo_cycle_h3_n4")
    f = torch.tensor(list(itertools.product(range(4), repeat=4))).flip(0)
    right = problem.model(f).argmax(1) == longest_cycle(f) - 1
    assert 10.0**problem.truth.log10_p == pytest.approx(float(right.double().mean()), rel=1e-12)
    assert torch.equal(problem.margin(f) > 0, right)
    soft = torch.nn.functional.one_hot(f, 4).double()
    assert torch.equal(problem.spec.margin(soft, problem.model(f)), problem.margin(f))
    again = wb.load(problem.vary(spec=~wb.LongestCycle(by=0.5)).save(tmp_path))
    assert torch.equal(again.margin(f), -problem.margin(f) + 0.5)
    with pytest.raises(BadInput, match="a function of n places"):
        wb.LongestCycle().margin(torch.tensor([[0, 7]]), torch.zeros(1, 2))
    with pytest.raises(BadInput, match="of a cycle"):
        wb.LongestCycle("odd")
    with pytest.raises(BadInput, match="two outputs"):
        wb.LongestCycle().check(1)


def test_a_model_of_another_kind_is_refused():
    problem = wb.Problem(
        wb.Gaussian(torch.zeros(3).double(), torch.ones(3).double()),
        dense(torch.eye(3).double()),
        wb.Points(0),
    )
    assert float(wb.MonteCarlo()(problem, 100).log_p) == 0.0
    assert problem.margin(torch.tensor([[1.0, 2.0, 4.0]]).double()).tolist() == [2.0]
    assert position(torch.tensor([[1.0, 2.0, 4.0]]), 0).tolist() == [2]
    with pytest.raises(Unsupported, match="an rnn of ReLUs without biases"):
        wb.LastInput()(problem)

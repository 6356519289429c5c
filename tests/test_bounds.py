"""Bounds are sound: on activations, on networks, on P; and sharp where they can be."""

import math

import pytest
import torch
from scipy.stats import chi, norm
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import workbench as wb
from workbench.estimators.cells import Cells
from workbench.graph import read
from workbench.iteration import steps
from workbench.math.activations import ALL as ACTIVATIONS
from workbench.math.activations import activation
from workbench.math.region import SLACK, Region
from workbench.math.relaxations import relaxation
from workbench.models import Network, Shift, Sum, dense, mlp
from workbench.propagation.intervals import Sum as Affine
from workbench.propagation.intervals import head, intervals, moves
from workbench.propagation.linear_bounds import Frame, bound, flops

ROUNDING = 1e-9
ENDS = [
    (-3.0, 2.0),
    (-0.5, 4.0),
    (-2.0, -0.1),
    (0.3, 5.0),
    (-1e-9, 1e-9),
    (1.0, 1.0),
    (-30.0, 25.0),
]
ROWS = [row() for row in ACTIVATIONS]
each_row = pytest.mark.parametrize("f", ROWS, ids=lambda f: f.name)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def points(f, low, high, n):
    """Places from low to high, corners of f among them."""
    return torch.cat([torch.linspace(low, high, n), torch.tensor(f.turns).clamp(low, high)])


# Activations


@each_row
@pytest.mark.parametrize("low, high", ENDS)
def test_lines_enclose_the_activation(f, low, high):
    x = torch.linspace(low, high, 4001)
    lines = relaxation(f).lines(torch.tensor([low]), torch.tensor([high]))
    y = f(x)
    assert (lines.lower_slope * x + lines.lower_offset <= y + 1e-15).all()
    assert (y <= lines.upper_slope * x + lines.upper_offset + 1e-15).all()


@each_row
@pytest.mark.parametrize("low, high", [*ENDS, (-math.inf, 1.0), (-1.0, math.inf), (-math.inf,) * 2])
def test_range_is_that_of_the_activation(f, low, high):
    if low == high == -math.inf:
        high = math.inf
    least, most = relaxation(f).range(torch.tensor([low]), torch.tensor([high]))
    y = f(points(f, max(low, -60.0), min(high, 60.0), 400_001))
    step = f.name in ("sign", "heaviside")
    if (math.isfinite(low) and math.isfinite(high)) or f.name == "tanh" or step:
        spare = 2.0 if step and low == high else 0.0
        assert float(least) == pytest.approx(float(y.min()), rel=1e-12, abs=1e-6 + spare)
        assert float(most) == pytest.approx(float(y.max()), rel=1e-12, abs=1e-6 + spare)
    assert float(least) <= float(y.min()) and float(y.max()) <= float(most)


@each_row
def test_chords_are_as_near_as_they_can_be(f):
    """Each line touches f somewhere: no parallel one lies nearer. (Not of steps, nor of ReLU.)"""
    if f.name in ("relu", "sign", "heaviside"):
        return
    for low, high in [(-3.0, 2.0), (-0.5, 4.0), (-6.0, 7.0), (-2.0, -0.1)]:
        x = points(f, low, high, 40_001)
        lines = relaxation(f).lines(torch.tensor([low]), torch.tensor([high]))
        gap = f(x) - lines.lower_slope * x
        grid = 1e-7 * max(1.0, float(gap.abs().max()))  # between points, f lies nearer still
        assert float(gap.min() - lines.lower_offset) < grid
        assert float(lines.upper_offset - gap.max()) < grid


def test_lines_of_a_stable_relu_are_the_relu():
    lines = relaxation(activation("relu")).lines(
        torch.tensor([-2.0, 1.0]), torch.tensor([-1.0, 3.0])
    )
    for slope, offset in (
        (lines.lower_slope, lines.lower_offset),
        (lines.upper_slope, lines.upper_offset),
    ):
        assert slope.tolist() == [0.0, 1.0] and offset.tolist() == [0.0, 0.0]


# Networks


def residual():
    g = generator(4)
    w = [torch.randn(5, 5, generator=g) for _ in range(2)]
    parts = [dense(w[0]), nn.GELU(), Sum(), Shift(torch.ones(5)), dense(w[1]), nn.Tanh()]
    return Network(parts, [[0], [1], [2, 0], [3], [4], [5]])


def convolution():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Unflatten(1, (1, 3, 3)), nn.Conv2d(1, 2, 2), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(2, 3),
    )  # fmt: skip


MODELS = {
    "relu": mlp([5, 8, 7, 3], generator(), bias_std=0.5),
    "gelu": mlp([5, 8, 7, 3], generator(), "gelu", bias_std=0.5),
    "tanh": mlp([5, 8, 7, 3], generator(), "tanh", bias_std=0.5),
    "residual": residual(),
    "convolution": convolution(),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("descent", [0, 6])
@pytest.mark.parametrize("ball", [False, True])
def test_samples_within_linear_within_interval_bounds(model, descent, ball):
    d = 9 if isinstance(model, nn.Sequential) else 5
    g, batch, k = generator(7), 4, model(torch.zeros(1, d)).shape[1]
    size = torch.tensor([0.05, 0.3, 1.0, 3.0])
    frame = Frame(torch.randn(d, generator=g), torch.randn(d, d, generator=g))
    low = size[:, None] * (torch.rand(batch, d, generator=g) - 1.5)
    high = low + size[:, None] * torch.rand(batch, d, generator=g)
    region = Region.box(low, high)
    w = low + (high - low) * torch.rand(3000, batch, d, generator=g)
    if ball:
        inside = torch.arange(d) % 2 == 0
        region = Region(low, high, inside.expand(batch, -1), size)
        z = torch.randn(3000, batch, int(inside.sum()), generator=g)
        w[..., inside] = z / z.norm(dim=-1, keepdim=True) * size[:, None]  # on the sphere
    a, b = torch.randn(4, k, generator=g), torch.randn(4, generator=g)
    path = moves(read(model), d, torch.float64)
    with torch.no_grad():
        x = frame.offset + w @ frame.matrix.T
        s = model(x.flatten(0, 1)).unflatten(0, (3000, batch)) @ a.T + b
    found = bound(path, frame, region, a, b, descent)
    assert (s <= found.most + 1e-12).all() and (s >= found.least - 1e-12).all()
    over = torch.einsum("brd,nbd->nbr", found.upper_slope, w) + found.upper_offset
    under = torch.einsum("brd,nbd->nbr", found.lower_slope, w) + found.lower_offset
    assert (s <= over + 1e-12).all() and (s >= under - 1e-12).all()
    reach = [
        frame.offset + f(frame.matrix.expand(batch, d, d)) for f in (region.least, region.most)
    ]
    least, most = head(len(path), a, b)(intervals(path, *reach)[-1])
    assert (least <= found.least).all() and (found.most <= most).all()
    if float(size[0]) < 0.1:  # and on small sets they are sharp
        gap = (found.most - s.amax(0))[0]
        assert (gap < 0.5 * (found.most - found.least)[0]).all()


@pytest.mark.parametrize("descent", [0, 1, 4])
def test_operations_are_torchs_own_count_to_a_tenth(descent):
    graph = read(mlp([64, 48, 80, 3], generator()))
    path, a, b = moves(graph, 64, torch.float64), torch.ones(2, 3), torch.zeros(2)
    frame, reach = Frame(torch.zeros(64), torch.eye(64)), torch.full((1, 64), 0.3)
    with FlopCounterMode(display=False) as counted:
        bound(path, frame, Region.box(-reach, reach), a, b, descent)
    said = flops(path, graph.widths(64), 2, descent)
    assert said / counted.get_total_flops() == pytest.approx(1.0, abs=0.1)


def test_bounds_of_a_point_are_moved_outward_by_the_slack_of_all_magnitudes():
    """Of |m| |x| + |c|, whatever the signs; all of it is exact in binary."""
    m, c = torch.tensor([[3.0, -5.0], [-6.0, 2.0]]), torch.tensor([4.0, -4.0])
    for x in (torch.tensor([[5.0, 3.75]]), torch.tensor([[-5.0, -2.25]])):
        size = x.abs() @ m.abs().T + c.abs()
        least, most = Affine("m", (0,), (m,), c)((x, x))
        torch.testing.assert_close(most - least, 2.0 * SLACK * size, rtol=1e-2, atol=0.0)
        assert bool((least < x @ m.T + c).all()) and bool((most > x @ m.T + c).all())
    whole = Affine("all", (0, 1), (m, None), None)((x, x), (x, x))
    size = x.abs() @ m.abs().T + x.abs()
    torch.testing.assert_close(whole[1] - whole[0], 2.0 * SLACK * size, rtol=1e-2, atol=0.0)


def test_linear_networks_have_exact_bounds():
    model = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2))
    region = Region.box(torch.full((1, 4), -1.0), torch.full((1, 4), 2.0))
    frame = Frame(torch.zeros(4), torch.eye(4))
    a, b = torch.tensor([[1.0, -1.0]]), torch.zeros(1)
    found = bound(moves(read(model), 4, torch.float64), frame, region, a, b)
    slope = (a @ model[1].weight @ model[0].weight).detach()
    assert torch.allclose(found.upper_slope[0], slope) and torch.allclose(
        found.lower_slope[0], slope
    )
    corner = torch.where(slope > 0, 2.0, -1.0)
    s = (model(corner) @ a.T).item()
    assert found.most.item() == pytest.approx(s, abs=1e-9)


def test_descent_on_the_lower_lines_sharpens():
    problem = wb.load("D_mintree_1e-7")
    factor = problem.distribution.factors()[0]
    frame = Frame(factor.offset, torch.diag(factor.matrix))
    d = problem.distribution.dim
    region = Region(
        *[torch.zeros(1, d)] * 2, torch.ones(1, d, dtype=torch.bool), torch.full((1,), 7.0)
    )
    event = problem.spec.halfspaces(problem.outputs, factor.offset)
    path = moves(problem.graph, d, torch.float64)
    index = []
    for descent in (0, 10):
        found = bound(path, frame, region, event.a, event.b, descent)
        index.append(float(region.index(found.upper_slope, found.upper_offset)))
    assert index[1] < 0.5 * index[0]


# Cells


def test_masses_of_cells_add_up():
    d = 3
    cells = Cells(torch.full((1, d), -math.inf), torch.full((1, d), math.inf))
    for axis in (0, 1, 0, 2, 0):
        cells = cells.cut(torch.full((len(cells.low),), axis))
    assert float(cells.log_mass(True).exp().sum()) == pytest.approx(1.0, abs=1e-14)
    box = Cells(torch.zeros(1, d), torch.ones(1, d)).cut(torch.tensor([1]))
    assert box.log_mass(False).exp().tolist() == [0.5, 0.5]


def test_mass_of_a_far_cell_is_right_beyond_what_a_difference_holds():
    cell = Cells(torch.tensor([[30.0]]), torch.tensor([[31.0]]))
    truth = norm.logsf(30.0) + math.log1p(-math.exp(norm.logsf(31.0) - norm.logsf(30.0)))
    assert float(cell.log_mass(True)) == pytest.approx(truth, rel=1e-12)


@pytest.mark.parametrize("eps", [0.3, 1e-3, 1e-9])
def test_what_is_cut_off_is_no_more_than_was_allowed(eps):
    low = torch.tensor([[-math.inf, -math.inf, -math.inf, 2.0, -1.0]])
    high = torch.tensor([[math.inf, math.inf, -1.0, math.inf, 1.0]])
    region = Cells(low, high).truncated(torch.tensor([eps]), True, torch.ones(5, dtype=torch.bool))
    assert region.ball.tolist() == [[True, True, False, False, False]]
    ball = chi(2).sf(float(region.radius))
    down = norm.cdf(float(region.low[0, 2])) / norm.cdf(-1.0)
    up = norm.sf(float(region.high[0, 3])) / norm.sf(2.0)
    assert 0.9 * eps < ball + down + up <= eps * (1.0 + 1e-9)


# P


def slab(t):
    """|x_0| > t through two ReLUs: P = 2 Phi(-t) under a standard normal law."""
    first = torch.zeros(2, 3)
    first[:, 0] = torch.tensor([1.0, -1.0])
    return nn.Sequential(dense(first), nn.ReLU(), dense(torch.ones(1, 2), torch.tensor([-t])))


def gaussian(d, mean=0.0):
    return wb.Gaussian(torch.full((d,), mean), torch.ones(d))


ONE, AXES = torch.ones(1), torch.eye(3)
CASES = {
    "two tails": (
        wb.Problem(gaussian(3), slab(4.0), wb.Halfspace(ONE)),
        norm.logsf(4.0) + math.log(2),
    ),
    "mixture": (
        wb.Problem(
            wb.Mixture(torch.tensor([0.25, 0.75]), (gaussian(3), gaussian(3, 1.0))),
            slab(4.0),
            wb.Halfspace(ONE),
        ),
        math.log(0.5 * norm.sf(4.0) + 0.75 * (norm.sf(3.0) + norm.sf(5.0))),
    ),
    "box": (
        wb.Problem(wb.Box(-torch.ones(3), 2.0 * torch.ones(3)), slab(1.5), wb.Halfspace(ONE)),
        math.log(0.5 / 3.0),
    ),
    "both": (
        wb.Problem(
            gaussian(3), nn.Linear(3, 3).requires_grad_(False),
            wb.Halfspace(AXES[0], -2.0) & wb.Halfspace(AXES[1], -2.0),
        ),
        2.0 * norm.logsf(2.0),
    ),
    "either": (
        wb.Problem(
            gaussian(3), nn.Linear(3, 3).requires_grad_(False),
            wb.Halfspace(AXES[0], -3.0) | wb.Halfspace(AXES[1], -3.0),
        ),
        math.log(2.0 * norm.sf(3.0) - norm.sf(3.0) ** 2),
    ),
}  # fmt: skip
for _name in ("both", "either"):
    CASES[_name][0].model.weight.copy_(torch.eye(3))
    CASES[_name][0].model.bias.zero_()


@pytest.mark.parametrize("basis", ["neurons", "direction"])
@pytest.mark.parametrize("problem, truth", CASES.values(), ids=CASES)
def test_bounds_close_in_on_the_exact_answer(problem, truth, basis):
    for budget in (20, 2_000):
        low = float(wb.Lower(basis=basis)(problem, budget).log_p)
        high = float(wb.Upper(basis=basis)(problem, budget).log_p)
        assert low <= truth + ROUNDING and truth <= high + ROUNDING
    method = wb.Upper(basis=basis)
    state, below, above = method.init(problem, wb.Rng(0)), -math.inf, 0.0
    for state, _ in steps(method, problem, state, wb.Budget(40_000)):  # noqa: B020
        assert state.least <= truth + ROUNDING and truth <= state.most + ROUNDING
        assert below <= state.least and state.most <= above, "more work made a bound worse"
        below, above = state.least, state.most
    assert above - below < 0.15  # nats, where all started from [-inf, 0]


@pytest.mark.parametrize("name", ["A_d100_1e-6", "A_d10_1e-20"])
def test_linear_problems_are_exact(name):
    problem = wb.load(name)
    for cls in (wb.Lower, wb.Upper):
        assert cls()(problem, 20_000).log10_p == pytest.approx(problem.truth.log10_p, abs=1e-9)


def test_the_minimum_tree_is_enclosed():
    problem = wb.load("D_mintree_1e-7")
    upper = wb.Upper()(problem, 300_000)
    assert upper.info["log10_lower"] < problem.truth.log10_p < upper.log10_p
    assert upper.log10_p - problem.truth.log10_p < 0.1
    assert not upper.warning


@pytest.mark.parametrize("name", ["B_w64_h4_1e-5", "C_digits_p22_s20", "D_needle_1e-6"])
def test_what_proves_nothing_says_so(name):
    problem = wb.load(name)
    upper, lower = wb.Upper()(problem, 20_000), wb.Lower()(problem, 20_000)
    assert upper.log10_p > -0.3 and upper.warning.startswith("vacuous")
    assert lower.log10_p == -math.inf and lower.warning.startswith("vacuous")


def test_a_budget_below_one_cell_is_vacuous():
    upper = wb.Upper()(wb.load("D_mintree_1e-7"), 5)
    assert upper.log10_p == 0.0 and upper.warning.startswith("vacuous")


def test_settings_are_checked():
    with pytest.raises(wb.BadInput, match="unknown basis"):
        wb.Upper(basis="pixels")
    with pytest.raises(wb.BadInput, match="descent"):
        wb.Lower(descent=-1)


def test_layer_norm_is_refused_with_alternatives():
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.Linear(3, 1))
    problem = wb.Problem(gaussian(3), model, wb.Halfspace(ONE, -1.0))
    with pytest.raises(wb.Unsupported, match="LayerNorm at '1'") as caught:
        wb.Upper()(problem)
    assert "monte_carlo" in caught.value.try_instead


@pytest.mark.parametrize("sigma, at_most", [(0.05, -2.5), (0.03, -15.0)])
def test_a_trained_network_is_proved_safe_where_the_noise_is_small(sigma, at_most):
    """All within some radius is proved to be read rightly: P is at most what lies beyond it."""
    reference = wb.load("C_digits_p1_s10")
    mean = reference.distribution.mean
    problem = reference.vary(distribution=wb.Gaussian(mean, torch.full_like(mean, sigma)))
    found = wb.Upper()(problem, 60_000)
    with torch.no_grad():
        answer = wb.Conditioned()(problem)
    assert answer.log10_p < found.log10_p < at_most
    assert found.cost.forwards <= 60_000

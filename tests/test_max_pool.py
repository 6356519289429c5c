"""Maxima over windows as propagation, bounds, rays and cards have them."""

import math

import pytest
import torch
from torch import nn

import workbench as wb
from workbench.distributions import Piece
from workbench.graph import activations_of, read
from workbench.math.region import Region
from workbench.propagation import ALL, Covariance, Cumulant
from workbench.propagation.intervals import intervals, moves
from workbench.propagation.linear_bounds import Frame, bound


def rand(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def pool(kernel):
    return nn.Sequential(nn.Unflatten(1, (1, -1)), nn.MaxPool1d(kernel), nn.Flatten()).double()


def law_of(module, mean, cov, propagator=None):
    d = module(mean[None]).shape[1]
    eye = torch.eye(d).double()
    piece = Piece(torch.zeros(()).double(), mean, cov)
    found, _ = (propagator or Covariance(order=40)).law(read(module), piece, eye, 0.0 * eye[0])
    return found


def clark(mean, cov):
    """Mean and variance of max(a, b), a and b jointly Gaussian (Clark 1961)."""
    (m, n), ((v, r), (_, w)) = mean.tolist(), cov.tolist()
    gap = math.sqrt(v + w - 2.0 * r)
    t = (m - n) / gap
    up = 0.5 * math.erfc(-t / math.sqrt(2.0))
    edge = gap * math.exp(-0.5 * t * t) / math.sqrt(2.0 * math.pi)
    first = m * up + n * (1.0 - up) + edge
    second = (m * m + v) * up + (n * n + w) * (1.0 - up) + (m + n) * edge
    return first, second - first * first


@pytest.mark.parametrize("correlation", [-0.9, 0.0, 0.6, 0.999])
@pytest.mark.parametrize("gap", [0.0, 0.7, -3.0])
def test_a_maximum_of_two_has_clarks_moments(gap, correlation):
    mean = torch.tensor([0.2, 0.2 + gap]).double()
    sd = torch.tensor([1.5, 0.8]).double()
    cov = torch.outer(sd, sd) * torch.tensor([[1.0, correlation], [correlation, 1.0]]).double()
    law = law_of(pool(2), mean, cov)
    want = clark(mean, cov)
    assert float(law.mean) == pytest.approx(want[0], rel=1e-12)
    assert float(law.cov) == pytest.approx(want[1], rel=1e-9)


def test_of_two_far_apart_the_greater_stays():
    mean, cov = torch.tensor([0.0, 60.0]).double(), torch.eye(2).double()
    law = law_of(pool(2), mean, cov)
    assert (float(law.mean), float(law.cov)) == pytest.approx((60.0, 1.0), rel=1e-12)


@pytest.mark.parametrize("propagator", [Covariance(), Cumulant()])
def test_of_four_the_moments_are_near_the_integrals(propagator):
    """E max of four independent standard normals is 1.02938; the sd 0.70122 (their integrals)."""
    s = torch.linspace(-9.0, 9.0, 20_001).double()
    up = torch.special.ndtr(s)
    density = 4.0 * up**3 * torch.exp(-0.5 * s * s) / math.sqrt(2.0 * math.pi)
    mean = float(torch.trapezoid(s * density, s))
    sd = float(torch.trapezoid((s - mean).square() * density, s)) ** 0.5
    net = nn.Sequential(nn.Unflatten(1, (1, 2, 2)), nn.MaxPool2d(2), nn.Flatten()).double()
    with torch.no_grad():
        law = law_of(net, torch.zeros(4).double(), torch.eye(4).double(), propagator)
    assert abs(float(law.mean) - mean) < 0.03 and abs(float(law.cov) ** 0.5 - sd) < 0.03


def small(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Unflatten(1, (1, 6, 6)), nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(3, 4, 2, padding=1), nn.MaxPool2d(3, 2, 1), nn.ReLU(),
        nn.Flatten(), nn.Linear(16, 2),
    ).double().eval()  # fmt: skip


def problem(b=-0.3, net=None):
    d = wb.Gaussian(rand(1, 36), torch.ones(36).double())
    spec = wb.Halfspace(torch.tensor([1.0, -1.0]).double(), b)
    return wb.Problem(d, net or small(), spec, name="pooled")


def test_bounds_hold_every_draw():
    """Interval arithmetic and linear bounds on a box, at its corners and inside."""
    net, b = small(), torch.zeros(2).double()
    path = moves(read(net), 36, torch.float64)
    reach = 0.4 * torch.rand(500, 36, generator=torch.Generator().manual_seed(0)).double() - 0.2
    reach[:250] = 0.2 * reach[:250].sign()
    frame = Frame(rand(1, 36), torch.eye(36).double())
    cube = Region.box(torch.full((1, 36), -0.2).double(), torch.full((1, 36), 0.2).double())
    found = bound(path, frame, cube, torch.eye(2).double(), b)
    with torch.no_grad():
        y = net(frame.offset + reach)
    assert bool(((y >= found.least - 1e-9) & (y <= found.most + 1e-9)).all())
    low, high = intervals(path, frame.offset[None] - 0.2, frame.offset[None] + 0.2)[-1]
    assert bool(((y >= low) & (y <= high)).all()) and bool((found.most <= high).all())


def test_a_network_with_max_pools_is_estimated_from_its_weights():
    """`conditioned` against subset simulation; on other such networks it is digits too low."""
    rare = problem(-0.493, small(2))
    drawn = wb.Subset()(rare, budget=40_000, seed=0)
    with torch.no_grad():
        said = wb.Conditioned()(rare)
    assert drawn.log10_p < -3.0 and drawn.log10_err < 0.1
    assert abs(said.log10_p - drawn.log10_p) < 0.2 + 4.0 * drawn.log10_err


def test_it_goes_before_an_activation_that_rises():
    """The greatest of Gaussians is nearer to one than the greatest of their ReLUs."""
    gelu = nn.Sequential(nn.Unflatten(1, (1, 4)), nn.GELU(), nn.MaxPool1d(2), nn.Flatten())
    assert [type(n.op).__name__ for n in read(gelu).nodes][2] == "Elementwise"  # GELU falls first
    relu = nn.Sequential(nn.Unflatten(1, (1, 2)), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten()).double()
    mean, cov = torch.tensor([0.3, -0.2]).double(), torch.diag(torch.tensor([1.0, 2.0]).double())
    with torch.no_grad():
        law = law_of(relu, mean, cov)
        x = mean + torch.randn(400_000, 2, generator=torch.Generator().manual_seed(0)).double() * (
            cov.diagonal().sqrt()
        )
        y = relu(x)
        ones = law_of(nn.ReLU(), mean, cov)
    sampled = float(y.mean())  # +- 0.0013
    assert (
        abs(float(law.mean) - sampled) < 0.02 < 0.04 < abs(clark(ones.mean, ones.cov)[0] - sampled)
    )


def test_what_reads_the_activation_too_keeps_it():
    class Both(nn.Module):
        def forward(self, x):
            h = torch.relu(x.unflatten(1, (1, 4)))
            return nn.functional.max_pool1d(h, 2).flatten(1) + h.mean(2)

    net, x = Both(), rand(1, 7, 4)
    graph = read(net)
    torch.testing.assert_close(activations_of(graph, x)[-1], net(x))


def test_gradients_reach_what_is_pooled():
    """Of padded pools that overlap, against differences along five directions."""
    net, along = small(), rand(5, 5, 36)

    def value(mean):
        d = wb.Gaussian(mean, torch.ones(36).double())
        spec = wb.Halfspace(torch.tensor([1.0, -1.0]).double(), -0.3)
        return wb.Moments()(wb.Problem(d, net, spec)).log_p

    mean, h = rand(1, 36).requires_grad_(), 1e-5
    (slope,) = torch.autograd.grad(value(mean), mean)
    with torch.no_grad():
        steps = [(value(mean + h * u) - value(mean - h * u)) / (2.0 * h) for u in along]
    torch.testing.assert_close(along @ slope, torch.stack(steps), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    "cls", [p for p in ALL if p.name not in ("mean", "cumulant4")], ids=lambda p: p.name
)
def test_every_propagator_takes_it(cls):
    rare = problem()
    a, b = torch.eye(2).double(), torch.zeros(2).double()
    with torch.no_grad():
        law, _ = cls().law(rare.graph, rare.distribution.pieces()[0], a, b)
        y = rare.model(rare.distribution.sample(20_000, wb.Rng(0).generator()))
    assert bool(((law.mean - y.mean(0)).abs() < 0.5 * y.std(0)).all())


def test_a_card_keeps_a_pool_as_one_operation(tmp_path):
    kept = problem()
    ops = [node.op for node in kept.card.model.nodes]
    assert ops.count("max_pool") == 2 and not {"subtract", "add"} & set(ops)
    back, x = wb.load(kept.save(tmp_path / "one")), rand(3, 50, 36)
    assert torch.equal(back.model(x), kept.model(x))
    assert back.card == kept.card
    assert wb.Moments()(back).log10_p == wb.Moments()(kept).log10_p


@pytest.mark.parametrize("change, said", [
    ({"padding": [2, 2]}, "less than half its kernel"),
    ({"stride": [2]}, "must be of one length"),
])  # fmt: skip
def test_a_card_whose_pool_cannot_be_is_refused(tmp_path, change, said):
    import json

    folder = problem().save(tmp_path / "one")
    file = folder / "card.json" if folder.is_dir() else folder
    card = json.loads(file.read_text())
    (node, *_) = [n for n in card["model"]["nodes"] if n["op"] == "max_pool"]
    node.update(change)
    file.write_text(json.dumps(card))
    with pytest.raises(wb.BadInput, match=said):
        wb.load(file)


@pytest.mark.parametrize("pools", [0, 1, 2])
def test_lines_behind_two_max_poolings_are_warned_of(pools):
    """On ten problems of five random networks they lacked 0.1 to 1.2 digits, where spread told
    0.04 to 0.4; a cut-out of those: the warning, and an answer."""
    layers = [nn.Unflatten(1, (1, 4, 4))]
    for k in range(2):
        layers += [nn.Conv2d(1, 1, 3, padding=1), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if k < pools else []
    model = nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(1)).double()
    law = wb.Gaussian(torch.zeros(16).double(), torch.ones(16).double())
    with torch.no_grad():
        model(law.mean[None])
        for i, w in enumerate(model.parameters()):
            w.copy_(0.5 * rand(i, *w.shape))
        s = model(rand(9, 4000, 16))
        tau = float(s.quantile(0.99))
        problem = wb.Problem(law, model, wb.Halfspace(torch.ones(1).double(), -tau))
        answer = wb.Conditioned()(problem)
    assert ("behind 2 max poolings" in answer.warning) == (pools == 2)
    assert -3.0 < answer.log10_p < -1.5

"""What must hold of every operation that propagation reads: values, moments, bounds, gradients."""

import math

import pytest
import torch
from operation_parts import Call, convolutional, kinds, made, rand
from operation_rows import LINEAR, NONLINEAR, ROWS
from torch import nn

import workbench as wb
from workbench.distributions import Piece
from workbench.graph import Elementwise, activations_of, read
from workbench.graph.operations import ALL as OPERATIONS
from workbench.math.activations import ACTIVATIONS
from workbench.math.region import Region
from workbench.models import Heaviside
from workbench.propagation import ALL, Covariance, Cumulant4
from workbench.propagation.intervals import intervals, moves
from workbench.propagation.linear_bounds import Frame, bound
from workbench.propagation.smoothed import Smoothed

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even")


@pytest.mark.parametrize("make, d, kind", ROWS.values(), ids=ROWS)
def test_graph_computes_what_the_module_does(make, d, kind):
    module, x = made(make), rand(1, 7, d)
    graph = read(module, d)
    assert kind in kinds(graph)
    values = activations_of(graph, x)
    torch.testing.assert_close(values[-1], module(x))
    assert tuple(v.shape[1] for v in values) == graph.widths(d)
    assert graph.forward_flops(d) >= 0.0


def test_every_operation_has_a_row():
    found = set().union(*(kinds(read(made(make), d)) for make, d, _ in ROWS.values()))
    # One leaves no node, the other those of its steps.
    assert {op.__name__ for op in OPERATIONS} - found == {"Passing", "Gathered"}


def test_every_activation_has_a_row():
    graphs = [read(made(make), d) for make, d, kind in NONLINEAR.values() if kind == "Elementwise"]
    ops = [n.op for g in graphs for n in g.nodes[1:]]
    assert {op.activation for op in ops if isinstance(op, Elementwise)} == {*ACTIVATIONS}


@pytest.mark.parametrize("diagonal", [True, False])
@pytest.mark.parametrize("make, d, kind", LINEAR.values(), ids=LINEAR)
def test_linear_operations_are_exact(make, d, kind, diagonal):
    """Against the matrix, read off from the images of the unit vectors."""
    module = made(make)
    with torch.no_grad():
        offset = module(torch.zeros(1, d))[0]
        matrix = (module(torch.eye(d)) - offset).T
        graph, k = read(module, d), len(offset)
        mean = rand(2, 3, d)
        root = rand(3, d, d)
        cov = rand(3, d).square() if diagonal else root @ root.T
        piece = Piece(torch.zeros(3), mean, cov)
        for propagator in ALL:
            if propagator.name == "mean":
                continue
            law, _ = propagator().law(graph, piece, torch.eye(k), torch.zeros(k))
            torch.testing.assert_close(law.mean, mean @ matrix.T + offset)
            whole = matrix @ (torch.diag(cov) if diagonal else cov) @ matrix.T
            torch.testing.assert_close(law.cov, whole.expand(3, k, k))
        if diagonal and all(len(node.inputs) == 1 for node in graph.nodes[1:]):
            laws = propagation_of("mean").laws(graph, piece)
            torch.testing.assert_close(laws[-1][0], mean @ matrix.T + offset)
            var = matrix.square() @ cov
            mixing = [r for r in graph.rules(d) if not all(a.diagonal for a in r.maps)]
            if len(mixing) <= 1:  # where one linear map alone stands between x and y
                torch.testing.assert_close(laws[-1][1].expand(3, k), var.expand(3, k))


@pytest.mark.parametrize("make, d, kind", ROWS.values(), ids=ROWS)
def test_bounds_hold_and_scales_of_nothing_leave_the_module(make, d, kind):
    """Bounds contain what is sampled in their box; `Smoothed` without noise is M itself."""
    module, x = made(make), rand(1, 200, d).clamp(-1.0, 1.0)
    graph = read(module, d)
    with torch.no_grad():
        y = module(x)
        scales = {i: torch.tensor(1e-9) for i in range(len(graph.nodes))}
        torch.testing.assert_close(Smoothed(graph, scales)(x), y, rtol=1e-6, atol=1e-6)
        try:
            path = moves(graph, d, torch.float64)
        except wb.Unsupported as refusal:
            assert "affine and elementwise operations are needed" in str(refusal)
            return
        one = torch.ones(1, d)
        eye, k = torch.eye(y.shape[1]), y.shape[1]
        frame = Frame(torch.zeros(d), torch.eye(d))
        found = bound(path, frame, Region.box(-one, one), eye, torch.zeros(k))
        low, high = intervals(path, -one, one)[-1]
        for least, most in ((found.least, found.most), (low, high)):
            assert bool((least <= y).all() and (y <= most).all())


NORMS = {k: v for k, v in NONLINEAR.items() if "norm" in k or "unit" in k}


@pytest.mark.parametrize("make, d, kind", NORMS.values(), ids=NORMS)
def test_searches_have_second_derivatives_of_norms(make, d, kind):
    """All at once, as the searches of `conditioned` take them, and one after the other."""
    module, x = made(make), rand(1, d)
    graph = read(module)
    noise = {i: torch.tensor(1.0) for i in range(len(graph.nodes))}

    def value(x):
        return Smoothed(graph, noise)(x[None]).square().sum()

    at_once, singly = (
        torch.autograd.functional.hessian(value, x, vectorize=many) for many in (True, False)
    )
    torch.testing.assert_close(at_once, singly)


def propagation_of(name):
    return {cls.name: cls for cls in ALL}[name]()


def quadratic():
    """Outputs (B x)_i (C x)_i + (E x)_i, and what they are of x."""
    torch.manual_seed(0)
    maps = [nn.Linear(4, 3, bias=False) for _ in range(3)]
    module = Call(lambda m, x: m.parts[0](x) * m.parts[1](x) + m.parts[2](x), *maps)
    b, c, e = (layer.weight.detach() for layer in maps)
    forms = 0.5 * (b[:, :, None] * c[:, None] + c[:, :, None] * b[:, None])
    return module, forms, e


@pytest.mark.parametrize("cls", ALL, ids=lambda p: p.name)
def test_products_of_gaussians_have_exact_moments(cls):
    """y_i = x' A_i x + e_i' x: cumulants by traces, to the order that is carried."""
    module, forms, e = quadratic()
    mean, root = rand(1, 4), 0.5 * rand(2, 4, 4)
    s = root @ root.T
    slope = 2.0 * forms @ mean + e
    product = forms @ s
    with torch.no_grad():
        law, _ = cls().law(
            read(module), Piece(torch.zeros(()), mean, s), torch.eye(3), torch.zeros(3)
        )
    if cls.name == "mean":
        return  # takes u + v and u - v for independent
    exact = (forms @ mean @ mean) + e @ mean + product.diagonal(dim1=1, dim2=2).sum(1)
    torch.testing.assert_close(law.mean, exact)
    pairs = torch.einsum("iab,jba->ij", product, product)
    torch.testing.assert_close(law.cov, 2.0 * pairs + slope @ s @ slope.T)
    if law.third is not None:
        cubes = torch.einsum("iab,ibc,ica->i", product, product, product)
        bent = torch.einsum("ia,iab,ib->i", slope @ s, forms, slope @ s)
        torch.testing.assert_close(law.third, 8.0 * cubes + 6.0 * bent)


def test_gradients_through_a_product():
    module, _, _ = quadratic()

    def value(mean):
        problem = wb.Problem(wb.Gaussian(mean, torch.ones(4)), module, wb.Halfspace(torch.ones(3)))
        return wb.Moments()(problem).log_p

    assert torch.autograd.gradcheck(value, rand(3, 4).requires_grad_())


def densified(module, d):
    """The same network with every linear step written out as a matrix."""
    parts, shape = [], (d,)
    for part in module:
        if isinstance(part, nn.ReLU | nn.GELU):
            parts.append(part)
            continue
        n = math.prod(shape)
        with torch.no_grad():
            bias = part(torch.zeros(1, *shape))
            rows = part(torch.eye(n).reshape(n, *shape)) - bias
        layer = nn.Linear(n, math.prod(bias.shape))
        layer.weight = nn.Parameter(rows.flatten(1).T.contiguous())
        layer.bias = nn.Parameter(bias.flatten())
        parts.append(layer)
        shape = tuple(bias.shape[1:])
    return nn.Sequential(*parts)


@pytest.mark.parametrize("cls", ALL, ids=lambda p: p.name)
def test_a_convolutional_net_is_its_dense_twin(cls):
    module, d = made(convolutional), 36
    twin = densified(module, d)
    gaussian = wb.Gaussian(0.3 * rand(0, d), 0.5 + rand(1, d).abs())
    a, b = torch.eye(2), torch.zeros(2)
    if cls is Cumulant4:  # of 48 values in a layer
        with pytest.raises(wb.Unsupported, match="use 'cumulant' on wider ones"):
            cls().law(read(module), gaussian.pieces()[0], a, b)
        return
    with torch.no_grad():
        one, _ = cls().law(read(module), gaussian.pieces()[0], a, b)
        two, _ = cls().law(read(twin), gaussian.pieces()[0], a, b)
        torch.testing.assert_close(one.mean, two.mean)
        torch.testing.assert_close(one.cov, two.cov)


def test_gradients_through_a_convolution():
    module, d = made(convolutional), 36
    mean = (0.3 * rand(0, d)).requires_grad_()

    def value(mean):
        problem = wb.Problem(
            wb.Gaussian(mean, torch.ones(d)), module, wb.Halfspace(torch.tensor([1.0, -1.0]), -1.0)
        )
        return wb.Moments()(problem).log_p

    assert torch.autograd.gradcheck(value, mean)


def test_a_step_in_the_middle_against_enumeration():
    """Heaviside units on independent inputs: y counts how many are positive."""
    p = torch.tensor([0.1, 0.5, 0.9])
    mean = torch.special.ndtri(p)
    module = nn.Sequential(Heaviside(), nn.Linear(3, 1, bias=False))
    with torch.no_grad():
        module[1].weight[:] = 1.0
    with torch.no_grad():
        law, _ = Covariance().law(
            read(module), Piece(torch.zeros(()), mean, torch.ones(3)), torch.eye(1), torch.zeros(1)
        )
    assert float(law.mean) == pytest.approx(float(p.sum()), rel=1e-12)
    assert float(law.cov) == pytest.approx(float((p * (1 - p)).sum()), rel=1e-12)


@pytest.mark.parametrize("slope", [0.25, -0.7])
def test_prelu_is_leaky_relu_with_a_gradient_in_its_slope(slope):
    """Law, bounds and gradient, where the slope stands once as a weight and once as a number."""
    pre, leaky = nn.PReLU(init=slope), nn.LeakyReLU(slope)
    root, mean = rand(3, 4, 4), rand(4, 4)
    piece, a, b = Piece(torch.zeros(()), mean, root @ root.T), rand(5, 2, 4), torch.zeros(2)
    for propagator in (Covariance(12), Cumulant4()):
        one, two = (propagator.law(read(nn.Sequential(m)), piece, a, b)[0] for m in (pre, leaky))
        torch.testing.assert_close(one.mean, two.mean)
        torch.testing.assert_close(one.cov, two.cov)
    (slopes,) = torch.autograd.grad(one.mean.sum(), [pre.weight])
    assert math.isfinite(float(slopes)) and float(slopes) != 0.0
    low, high = mean[None] - 1.0, mean[None] + 1.0
    x = low + (high - low) * torch.rand(4000, 4, generator=torch.Generator().manual_seed(0))
    path = moves(read(nn.Sequential(pre)), 4, torch.float64)
    frame, region = Frame(torch.zeros(4), torch.eye(4)), Region.box(low, high)
    found, s = bound(path, frame, region, a, b), pre(x) @ a.T
    assert bool((s >= found.least).all()) and bool((s <= found.most).all())


def test_normalising_leaves_independent_inputs_so():
    """The covariance of (x - mean) / std stays a diagonal, so that wide inputs stay cheap."""
    module = made(lambda: Call(lambda m, x: (x - 0.5) / m.var))
    carrier = Covariance().start(Piece(torch.zeros(()), torch.zeros(2), torch.ones(2)))
    for i, rule in enumerate(read(module).rules(2), start=1):
        carrier.affine(i, (i - 1,), rule, set())
    assert carrier.blocks[2, 2].diagonal

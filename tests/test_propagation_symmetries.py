"""What propagation owes whatever the network: names, offsets and scales make no difference."""

import pytest
import torch
from propagated import (
    FUNCTIONS,
    covariance,
    each_activation,
    each_propagator,
    law,
    problem,
    rand,
    standard,
)
from torch import nn

import workbench as wb
from workbench.models import Shift, chain, dense, mlp
from workbench.propagation import Covariance


@each_propagator
@each_activation
def test_equivariant_under_renaming_neurons(propagator, activation):
    model = mlp([4, 6, 5, 2], torch.Generator().manual_seed(1), activation, bias_std=0.4)
    p1, p2 = torch.randperm(6, generator=torch.Generator().manual_seed(2)), torch.randperm(5)
    a, b, c = (model.parts[i] for i in (0, 2, 4))
    with torch.no_grad():
        renamed = chain(
            [
                dense(a.weight[p1], a.bias[p1]), FUNCTIONS[activation](),
                dense(b.weight[p2][:, p1], b.bias[p2]), FUNCTIONS[activation](),
                dense(c.weight[:, p2], c.bias),
            ]
        )  # fmt: skip
    mean, cov = rand(3, 4), covariance(4, 4)
    for x, y in zip(
        law(model, mean, cov, propagator), law(renamed, mean, cov, propagator), strict=True
    ):
        torch.testing.assert_close(x, y, rtol=1e-11, atol=1e-12)


@each_propagator
def test_equivariant_under_renaming_inputs(propagator):
    model = mlp([4, 6, 2], torch.Generator().manual_seed(1), bias_std=0.4)
    perm = torch.tensor([2, 0, 3, 1])
    first = model.parts[0]
    with torch.no_grad():
        renamed = chain([dense(first.weight[:, perm], first.bias), *list(model.parts)[1:]])
    mean, cov = rand(3, 4), covariance(4, 4)
    moved = law(renamed, mean[perm], cov[perm][:, perm], propagator)
    for x, y in zip(law(model, mean, cov, propagator), moved, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-11, atol=1e-12)


@each_propagator
def test_a_bias_may_be_shifted_into_the_mean_of_d(propagator):
    model = mlp([4, 6, 2], torch.Generator().manual_seed(1), bias_std=0.4)
    shift, mean, cov = rand(5, 4), rand(3, 4), covariance(4, 4)
    shifted = chain([Shift(shift), *model.parts])
    for x, y in zip(
        law(shifted, mean, cov, propagator), law(model, mean + shift, cov, propagator), strict=True
    ):
        torch.testing.assert_close(x, y, rtol=1e-12, atol=1e-12)


@each_propagator
def test_a_scale_of_d_may_be_moved_into_the_first_layer(propagator):
    model = mlp([4, 6, 2], torch.Generator().manual_seed(1), bias_std=0.4)
    first = model.parts[0]
    scale = torch.tensor([0.5, 2.0, 3.0, 0.1])
    with torch.no_grad():
        scaled = chain([dense(first.weight * scale, first.bias), *list(model.parts)[1:]])
    mean = rand(3, 4)
    a = law(model, mean * scale, scale**2, propagator)
    b = law(scaled, mean, torch.ones(4), propagator)
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-12, atol=1e-12)


@each_propagator
def test_irrelevant_coordinates_do_not_matter(propagator):
    model = mlp([3, 6, 2], torch.Generator().manual_seed(1), bias_std=0.4)
    first = model.parts[0]
    with torch.no_grad():
        wide = torch.cat([first.weight, torch.zeros(6, 2)], 1)
    padded = chain([dense(wide, first.bias), *list(model.parts)[1:]])
    mean, cov = rand(3, 5), torch.block_diag(covariance(3, 4), 50.0 * torch.eye(2))
    a = law(model, mean[:3], cov[:3, :3], propagator)
    for x, y in zip(a, law(padded, mean, cov, propagator), strict=True):
        torch.testing.assert_close(x, y, rtol=1e-11, atol=1e-12)


@each_propagator
def test_constant_neurons_stay_constant(propagator):
    """A row of zeros makes a neuron without variance: its law and its gradient are finite."""
    model = mlp([3, 4, 2], torch.Generator().manual_seed(0), bias_std=0.3)
    with torch.no_grad():
        model.parts[0].weight[1:3] = 0.0
    asked = problem(model, standard(3), 2)
    laws = propagator.laws(asked.graph, asked.distribution.pieces()[0])
    assert laws[2][1][1:3].tolist() == [0.0, 0.0]
    expected = torch.relu(model.parts[0].bias[1:3])
    torch.testing.assert_close(laws[2][0][1:3], expected, rtol=1e-12, atol=1e-90)
    _, grads = wb.log_p_and_grad(asked, wb.Moments(propagator.name), list(model.parameters()))
    assert all(bool(torch.isfinite(g).all()) for g in grads)


@each_propagator
def test_dead_and_saturated_relus(propagator):
    """Biases of -100 and +100: nothing passes, or all; then the net is linear and exact."""
    weight = 0.1 * rand(0, 4, 3)
    dead = chain([dense(weight, torch.full((4,), -100.0)), nn.ReLU(), dense(torch.ones(1, 4))])
    m, v = law(dead, torch.zeros(3), torch.ones(3), propagator)
    assert m.item() == 0.0 and v.item() == 0.0
    live = chain([dense(weight, torch.full((4,), 100.0)), nn.ReLU(), dense(torch.ones(1, 4))])
    m, v = law(live, torch.zeros(3), torch.ones(3), Covariance())
    assert m.item() == pytest.approx(400.0, rel=1e-14)
    assert v.item() == pytest.approx(weight.sum(0).square().sum().item(), rel=1e-12)


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1e6, 1e60])
def test_relu_nets_are_homogeneous(scale):
    """Without biases the law of y scales with D, and log P at threshold 0 does not change."""
    model = mlp([3, 5, 1], torch.Generator().manual_seed(0))
    answers = [
        wb.Moments()(problem(model, wb.Gaussian(torch.zeros(3), torch.full((3,), s)), b=0.0))
        for s in (1.0, scale)
    ]
    assert answers[1].log10_p == pytest.approx(answers[0].log10_p, rel=1e-9)


def test_overflow_is_an_error_that_names_the_node():
    model = chain([nn.ReLU(), dense(torch.full((1, 2), 1e200))])
    with pytest.raises(wb.NotConverged, match=r"'parts\.1' that is not finite"):
        wb.Moments()(problem(model, standard(2)))

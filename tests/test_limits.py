"""Where `moments` says that it was measured to be no good, and what it can prove of its series."""

import math

import pytest
import torch

import workbench as wb
from workbench.estimators.limits import DEEPEST, WIDTHS, deepest
from workbench.models import mlp
from workbench.propagation import Covariance
from workbench.propagation.series import enough


def net(width, layers, b=-1.0, inputs=2, **how):
    g = torch.Generator().manual_seed(1)
    model = mlp([inputs, *([width] * layers), 1], g, bias_std=0.1, **how)
    d = wb.Gaussian(torch.zeros(inputs), torch.ones(inputs))
    return wb.Problem(d, model, wb.Halfspace(torch.ones(1), b))


def test_the_limits_are_those_measured_and_lie_between_elsewhere():
    for name, limits in DEEPEST.items():
        assert tuple(deepest(name, w) for w in WIDTHS) == limits
        assert deepest(name, 48) in range(limits[0], limits[1] + 1)
        assert deepest(name, 512) == 2 * limits[-1]
        assert deepest(name, 8) == 1
    assert deepest("mean", 256) == 1


@pytest.mark.parametrize("propagator, layers", [("covariance", 4), ("cumulant", 8)])
def test_a_deep_network_is_said_to_be_one(propagator, layers):
    assert "activation layers" not in wb.Moments(propagator)(net(64, layers)).warning
    warning = wb.Moments(propagator)(net(64, layers + 1)).warning
    assert warning.startswith(f"{layers + 1} activation layers of width 64 are too deep for")


@pytest.mark.parametrize(
    "how, b, said",
    [
        (("covariance", "gaussian"), -2.5, True),
        (("covariance", "gaussian"), -2.0, False),
        (("cumulant", "pearson3"), -3.0, True),
        (("cumulant", "pearson3"), -2.5, False),
    ],
)
def test_a_narrow_network_is_said_to_have_no_known_tail(how, b, said):
    """Behind four inputs: below 3% by the Gaussian tail, below 1% by one of third cumulants."""
    found = wb.Moments(*how)(net(64, 1, b, inputs=4))
    limit = 0.03 if how[1] == "gaussian" else 0.01
    assert ("too far from Gaussian for this tail" in found.warning) == said
    assert (found.log10_p < math.log10(limit)) == said


@pytest.mark.parametrize("inputs, width, said", [(3, 64, 3), (64, 3, 3), (4, 4, None)])
def test_three_inputs_or_neurons_make_no_sum_that_is_near_gaussian(inputs, width, said):
    """Of an event of any P."""
    found = wb.Moments()(net(width, 1, 0.0, inputs=inputs))
    assert found.log10_p > math.log10(0.1)
    assert ("need not be near Gaussian" in found.warning) == (said is not None)
    if said:
        assert f"a layer of width {said} " in found.warning


def test_a_linear_model_of_one_input_is_exact_and_says_nothing():
    d = wb.Gaussian(torch.zeros(1), torch.ones(1))
    problem = wb.Problem(d, torch.nn.Linear(1, 1), wb.Halfspace(torch.ones(1), -3.0))
    assert wb.Moments()(problem).warning == ""


def test_a_rare_piece_whose_failures_are_common_has_a_known_tail():
    """P is small by the weight of the piece alone, or within it."""
    one = net(64, 1, -3.0, inputs=4)
    far = wb.Gaussian(torch.full((4,), 0.5), torch.full((4,), 1e-3))
    for mean, said in ((4.0, False), (0.0, True)):
        near = wb.Gaussian(torch.tensor([mean, 0.0, 0.0, 0.0]), torch.ones(4))
        d = wb.Mixture(torch.tensor([0.99, 0.01]), (far, near))
        found = wb.Moments()(wb.Problem(d, one.model, one.spec))
        assert found.log10_p < -2.0 and ("too far from Gaussian" in found.warning) == said


def test_few_inputs_or_neurons_make_narrow_what_is_wide_elsewhere():
    g = torch.Generator().manual_seed(1)
    for widths, said in (([97, 97, 1], ""), ([97, 8, 1], "width 8"), ([8, 97, 1], "width 8")):
        model = mlp(widths, g)
        zero = torch.zeros(widths[0])
        d = wb.Gaussian(zero, torch.ones_like(zero))
        problem = wb.Problem(d, model, wb.Halfspace(torch.ones(1), -8.0))
        found = wb.Moments()(problem)
        assert found.log10_p < -2.0 and said in found.warning and bool(said) == bool(found.warning)


@pytest.mark.parametrize(
    "bend, b, said", [("tanh", -3.0, True), ("tanh", 0.0, False), ("relu", -3.0, False)]
)
def test_a_tail_behind_an_activation_that_was_not_measured_says_so(bend, b, said):
    found = wb.Moments()(net(97, 1, b, inputs=97, activation=bend))
    assert (found.log10_p < -2.0) == (b == -3.0)
    assert ("after tanh it may be digits" in found.warning) == said == bool(found.warning)


def test_a_tail_behind_a_norm_says_so():
    torch.manual_seed(0)
    norm = torch.nn.LayerNorm(97)
    net = torch.nn.Sequential(torch.nn.Linear(97, 97), norm, torch.nn.Linear(97, 1))
    d = wb.Gaussian(torch.zeros(97), torch.ones(97))
    found = wb.Moments()(wb.Problem(d, net, wb.Halfspace(torch.ones(1), -9.0)))
    assert found.log10_p < -2.0 and "after LayerNorm it may be digits" in found.warning


def test_the_tail_of_a_box_is_said_to_be_none():
    """x0 > 0.99 for x0 uniform on [0, 1] has 0.01; Gaussian tails say 0.045. Beyond 1 it is 0."""
    d = wb.Box(torch.zeros(3), torch.ones(3))
    for b, said in ((-0.99, True), (-1.01, False), (-0.5, False)):
        problem = wb.Problem(d, torch.nn.Identity(), wb.Halfspace(torch.eye(3)[0], b))
        assert ("no Gaussian tails" in wb.Moments()(problem).warning) == said


@pytest.mark.parametrize("wide, said", [(15, True), (16, False)])
def test_a_normalisation_of_few_values_is_said_to_be_rough(wide, said):
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(120, wide * 8), torch.nn.Unflatten(1, (8, wide)), torch.nn.LayerNorm(wide),
        torch.nn.Flatten(), torch.nn.Linear(wide * 8, 1),
    )  # fmt: skip
    d = wb.Gaussian(torch.zeros(120), torch.ones(120))
    problem = wb.Problem(d, model.requires_grad_(False), wb.Halfspace(torch.ones(1), 0.0))
    for found in (wb.Moments()(problem), wb.Slices()(problem)):
        assert ("LayerNorm over 15 values" in found.warning) == said


def test_a_linear_model_has_no_series_and_no_limits():
    found = wb.Moments()(wb.load("A_d10_1e-12"))
    assert found.warning == "" and "series_remainder" not in found.info


@pytest.mark.parametrize("propagator", ["covariance", "augmented", "cumulant"])
def test_the_remainder_of_the_series_falls_with_its_order(propagator):
    few, many = (wb.Moments(propagator, order=k)(net(64, 2)).info for k in (2, 30))
    assert 0.0 <= many["series_remainder"] < few["series_remainder"] < 1.0


def test_the_remainder_bounds_what_was_left_out():
    """Against the sum of 40 terms, on 30 neurons; the bound must hold and not be idle."""
    from workbench.math.activations import activation

    g = torch.Generator().manual_seed(0)
    a = torch.randn(30, 60, generator=g)
    cov = a @ a.T / 60
    mu, sd = torch.randn(30, generator=g), cov.diagonal().sqrt()
    corr = cov / sd / sd[:, None]
    row = activation("relu")
    b, var = row.coefficients(mu, sd, 40), row.moments(mu, sd)[1]
    for tolerance in (1e-2, 1e-4):
        terms, left = enough(corr, b[:12], var, tolerance)
        gap = sum(torch.outer(x, x) * corr**k for k, x in enumerate(b[terms:], terms + 1))
        share = (gap / torch.outer(var, var).sqrt()).fill_diagonal_(0.0).abs().max()
        assert 0.0 < share <= left <= tolerance or terms == 12
        assert share > 0.01 * left


def test_a_strained_series_is_cut_and_says_so():
    """Ten narrow layers: cumulants grow past what the series can follow, and nothing overflows."""
    found = wb.Moments("cumulant", "saddlepoint")(net(8, 30))
    assert math.isfinite(found.log10_p)
    assert "too far from Gaussian" in found.warning
    plain = Covariance()
    assert plain.start(net(8, 1).distribution.pieces()[0]).doubt == ""

"""d log P through `moments`: exact on family A, gradcheck on nets, near on the digits."""

import math

import pytest
import torch
from torch import nn

import workbench as wb
from workbench import propagation, tails
from workbench.catalogue import names
from workbench.models import Network, Sum, chain, dense, mlp

FAMILY_A = [name for name in names() if name.startswith("A_")]
DIGITS = [name for name in names() if name.startswith(("C_", "digits"))]
NETS = [name for name in names() if name.startswith("B_")]


def trainable(problem):
    """The same problem on leaf tensors: D's mean and scale, and M's parameters."""
    d = problem.distribution
    mean, scale = d.mean.clone().requires_grad_(), d.scale.clone().requires_grad_()
    return problem.vary(wb.Gaussian(mean, scale)), mean, scale


def relative(got, truth):
    """Largest error over the largest entry."""
    return float((got - truth).abs().max() / truth.abs().max())


@pytest.mark.parametrize("propagator", ["covariance", "mean"])
@pytest.mark.parametrize("name", FAMILY_A)
def test_family_a_s_gradients_are_exact(name, propagator):
    problem, mean, scale = trainable(wb.load(name))
    truth = wb.load(name).truth.gradients
    layer = problem.model.parts[0]
    estimate, found = wb.log_p_and_grad(
        problem, wb.Moments(propagator), [mean, scale, layer.weight, layer.bias]
    )
    for key, got in zip(("mean", "scale", "weight", "bias"), found, strict=True):
        assert relative(got.reshape(-1), truth[key].reshape(-1)) < 1e-6, key
    assert estimate.log10_p == pytest.approx(wb.load(name).truth.log10_p, abs=1e-9)


def net(activation, kind):
    g = torch.Generator().manual_seed(3)
    if kind == "chain":
        return mlp([3, 4, 4, 2], g, activation, bias_std=0.3)
    w = [torch.randn(3, 3, generator=g) for _ in range(2)]
    f = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}[activation]()
    out = dense(torch.randn(2, 3, generator=g), torch.zeros(2))
    parts = [dense(w[0], torch.ones(3)), f, Sum(), dense(w[1]), f, out]
    return Network(parts, [[0], [1], [2, 0], [3], [4], [5]])


SPECS = {
    "halfspace": wb.Halfspace(torch.tensor([1.0, -1.0]), -3.0),
    "argmax": wb.Argmax(0, by=1.0),
    "union": wb.Halfspace(torch.tensor([1.0, 0.2]), -3.0) | wb.Halfspace(torch.ones(2), -4.0),
    "both": wb.Halfspace(torch.tensor([1.0, 0.2]), -1.0) & wb.Halfspace(torch.ones(2), -2.0),
}


def log_p_of(model, spec, propagator, factor, tail="gaussian"):
    """log P as a function of all parameters of D and M, for gradcheck."""
    shapes = [p.shape for p in model.parameters()]
    start = [p.detach().clone().requires_grad_() for p in model.parameters()]

    def value(mean, scale, *parameters):
        # The library looks weights up live, in their owners.
        owners = [
            (m, n) for m in model.modules() for n, p in m._parameters.items() if p is not None
        ]
        originals = [getattr(m, n) for m, n in owners]
        try:
            for (owner, key), new in zip(owners, parameters, strict=True):
                del owner._parameters[key]
                setattr(owner, key, new)
            problem = wb.Problem(wb.Gaussian(mean, scale), model, spec)
            return wb.Moments(propagator, tail)(problem).log_p
        finally:
            for (owner, key), old in zip(owners, originals, strict=True):
                if key in owner.__dict__:
                    delattr(owner, key)
                owner.register_parameter(key, old)

    assert len(shapes) == len(start)
    mean = torch.tensor([0.1, -0.2, 0.3], requires_grad=True)
    scale = torch.tensor([0.9, 0.7, 1.1])
    if factor:
        scale = torch.diag(scale) + torch.tensor([[0, 0, 0], [0.2, 0, 0], [-0.1, 0.3, 0]])
    return value, (mean, scale.requires_grad_(), *start)


@pytest.mark.parametrize("kind", ["chain", "residual"])
@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh"])
@pytest.mark.parametrize("propagator", ["covariance", "mean"])
def test_gradcheck_on_small_nets(propagator, activation, kind):
    value, inputs = log_p_of(net(activation, kind), SPECS["halfspace"], propagator, factor=False)
    assert torch.autograd.gradcheck(value, inputs)


PAIRS = [(p.name, t.name) for p in propagation.ALL for t in tails.ALL]


@pytest.mark.parametrize("propagator, tail", PAIRS)
def test_gradcheck_of_every_propagator_and_tail(propagator, tail):
    """In D and in every weight along random directions, through two layers of activations."""
    g = torch.Generator().manual_seed(5)
    model = mlp([3, 3, 3, 2], g, "gelu", bias_std=0.3)
    value, inputs = log_p_of(model, SPECS["halfspace"], propagator, factor=False, tail=tail)
    if tail != "gaussian" and propagator in ("mean", "covariance"):
        with pytest.raises(wb.Unsupported, match="third"):
            value(*inputs)
        return
    assert math.log(1e-6) < float(value(*inputs).detach()) < math.log(0.1)
    assert torch.autograd.gradcheck(value, inputs, fast_mode=True)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_gradcheck_through_every_kind_of_event(spec):
    value, inputs = log_p_of(net("relu", "chain"), spec, "covariance", factor=False)
    assert torch.autograd.gradcheck(value, inputs)


def test_gradcheck_in_a_full_covariance():
    """The upper triangle of the factor must stay zero: only the lower one is moved."""
    value, (mean, scale, *rest) = log_p_of(
        net("gelu", "chain"), SPECS["argmax"], "covariance", True
    )
    rest = [r.detach() for r in rest]
    assert torch.autograd.gradcheck(lambda m, s: value(m, torch.tril(s), *rest), (mean, scale))


def test_gradcheck_in_the_weights_of_a_mixture():
    model = net("relu", "chain")
    weights = torch.tensor([0.3, 0.5], requires_grad=True)
    mean = torch.tensor([1.0, 0.0, -1.0], requires_grad=True)

    def value(weights, mean):
        parts = (wb.Gaussian(mean, torch.ones(3)), wb.Gaussian(-mean, torch.full((3,), 0.5)))
        problem = wb.Problem(wb.Mixture(weights, parts), model, SPECS["argmax"])
        return wb.Moments()(problem).log_p

    assert torch.autograd.gradcheck(value, (weights, mean))


@pytest.mark.parametrize("b", [-40.0, -400.0, -4e4])
def test_gradients_far_below_what_a_float_holds(b):
    """M linear, P = Phi(b / s): d log P / db = hazard / s, with P down to 10^-(3.5e8)."""
    model = chain([dense(torch.tensor([[0.6, 0.8]]), torch.tensor([b]))])
    d = wb.Gaussian(torch.zeros(2), torch.ones(2))
    problem = wb.Problem(d, model, wb.Halfspace(torch.ones(1)))
    _, (grad,) = wb.log_p_and_grad(problem, wb.Moments(), [model.parts[0].bias])
    # hazard(-u) = u + 1/u - 2/u^3 + 10/u^5 - ...
    u = -b
    assert grad.item() == pytest.approx(u + 1 / u - 2 / u**3 + 10 / u**5, rel=1e-8)


def cosine_of(name):
    """Cosine distance of d log P / d mean of the noise to its reference; the error of log10 P."""
    problem, mean, scale = trainable(wb.load(name))
    estimate, (grad,) = wb.log_p_and_grad(problem, wb.Moments(), [mean])
    truth = wb.load(name).truth
    ours, reference = scale.detach() * grad, truth.gradients["noise_mean"]
    cosine = torch.nn.functional.cosine_similarity(ours, reference, dim=0)
    return 1.0 - float(cosine), estimate.log10_p - truth.log10_p


# 1 - cosine to E[u | C], and the error of log10 P, as measured. On the digits the distance must be
# below 0.05 where the estimate is within half a digit; the rest is stated, and may only get better.
MEASURED = {
    "digits": (0.0018, -0.39),
    "C_digits_p1_s10": (0.0511, -0.88),
    "C_digits_p22_s20": (0.4073, -1.49),  # two rival classes, of which it sees mostly one
    "C_digits_p8_s15": (0.0043, -1.69),
    "B_w32_h2_1e-3": (0.0114, -0.96),
    "B_w32_h2_1e-5": (0.0262, -2.49),
    "B_w32_h2_1e-8": (0.0426, -5.42),
    "B_w32_h3_1e-3": (0.0840, +0.12),
    "B_w32_h3_1e-5": (0.1784, -0.35),
    "B_w32_h3_1e-8": (0.2676, -1.49),
    "B_w32_h4_1e-3": (0.0820, -0.27),
    "B_w32_h4_1e-5": (0.1471, -1.38),
    "B_w32_h4_1e-8": (0.1602, -3.83),
    "B_w64_h2_1e-3": (0.0410, +0.12),
    "B_w64_h2_1e-5": (0.1084, +0.22),
    "B_w64_h2_1e-8": (0.2040, +0.36),
    "B_w64_h4_1e-3": (0.0214, -0.39),
    "B_w64_h4_1e-5": (0.0586, -1.09),
}


def test_every_reference_gradient_is_measured():
    having = {n for n in (*DIGITS, *NETS) if "noise_mean" in wb.load(n).truth.gradients}
    assert having == set(MEASURED)


@pytest.mark.parametrize("name", MEASURED)
def test_cosine_distance_to_the_reference(name):
    distance, error = cosine_of(name)
    if name in DIGITS and abs(error) < 0.5:
        assert distance < 0.05
    stated_distance, stated_error = MEASURED[name]
    assert distance < stated_distance + 1e-3
    assert abs(error) < abs(stated_error) + 0.01


@pytest.mark.parametrize(
    "estimator", [wb.MonteCarlo(), wb.Subset(), wb.GLD()], ids=lambda e: e.name
)
def test_an_estimator_without_gradients_says_so(estimator):
    problem, mean, _ = trainable(wb.load("A_d10_1e-3"))
    with pytest.raises(wb.Unsupported, match="implicit gradients"):
        wb.log_p_and_grad(problem, estimator, [mean])


def test_minus_infinity_has_no_gradient():
    model = chain([dense(torch.zeros(1, 2), torch.tensor([-1.0]))])
    d = wb.Gaussian(torch.zeros(2), torch.ones(2))
    problem = wb.Problem(d, model, wb.Halfspace(torch.ones(1)))
    with pytest.raises(wb.Unsupported, match="a finite log P is needed"):
        wb.log_p_and_grad(problem, wb.Moments(), list(model.parameters()))


def test_what_log_p_does_not_depend_on_has_gradient_zero():
    problem, mean, _ = trainable(wb.load("A_d10_1e-3"))
    stranger = torch.ones(3, requires_grad=True)
    _, (zero, some) = wb.log_p_and_grad(problem, wb.Moments(), [stranger, mean])
    assert zero.tolist() == [0.0] * 3 and bool(some.any())


def test_parameters_that_can_have_no_gradient_are_refused():
    problem, mean, _ = trainable(wb.load("A_d10_1e-3"))
    with pytest.raises(wb.BadInput, match="1 of 2 parameters ask for no gradient"):
        wb.log_p_and_grad(problem, wb.Moments(), [mean, torch.ones(3)])
    with pytest.raises(wb.BadInput, match="depends on none of the 1 parameters"):
        wb.log_p_and_grad(problem, wb.Moments(), [torch.ones(3, requires_grad=True)])


def test_a_gradient_step_lowers_log_p():
    """And by what the gradient promises, to first order."""
    problem = wb.load("C_digits_p8_s15")
    parameters = list(problem.model.parameters())
    before, grads = wb.log_p_and_grad(problem, wb.Moments(), parameters)
    squared = sum(float(g.square().sum()) for g in grads)
    step = 1e-4 / squared
    with torch.no_grad():
        for p, g in zip(parameters, grads, strict=True):
            p.sub_(step * g)
    after = wb.Moments()(problem)
    drop = math.log(10.0) * (before.log10_p - after.log10_p)
    assert drop == pytest.approx(step * squared, rel=1e-2)

"""Families of adversaries: at D0 as they are made, exact in their nats, differentiable."""

import math

import pytest
import torch
from torch.distributions import Categorical as TorchCategorical
from torch.distributions import kl_divergence

import workbench as wb
from workbench.adversaries import KL, Adversary, families, relative_entropy
from workbench.adversaries.families import at, flat
from workbench.adversaries.pose import pose
from workbench.distributions import Box, Discrete, Gaussian, Mixture
from workbench.distributions.short_text import ShortText
from workbench.distributions.transformed import Transformed
from workbench.math.gaussian import log_cdf
from workbench.models import ShortContext
from workbench.rng import Rng

F = torch.float64
D = 4


def references():
    g = torch.Generator().manual_seed(7)
    mean, scale = torch.randn(D, generator=g, dtype=F), 0.5 + torch.rand(D, generator=g, dtype=F)
    full = torch.diag(scale) + 0.3 * torch.tril(torch.randn(D, D, generator=g, dtype=F), -1)
    values = torch.randn(D, 3, generator=g, dtype=F)
    probs = torch.rand(D, 3, generator=g, dtype=F) + 0.1
    probs[0, 2] = 0.0
    parts = (Gaussian(mean, scale), Gaussian(mean + 2.0, full))
    return {
        "diagonal": Gaussian(mean, scale),
        "full": Gaussian(mean, full),
        "mixture": Mixture(torch.tensor([0.3, 0.7], dtype=F), parts),
        "box": Box(mean - scale, mean + scale),
        "discrete": Discrete(values, probs),
        "text": ShortText(ShortContext(3, 2, 3, 4, g, F).requires_grad_(False), (0, 1), D),
    }


REFERENCES = references()
PAIRS = [
    pytest.param(cls(), d, id=f"{cls.name}-{name}")
    for cls in families.ALL
    for name, d in REFERENCES.items()
    if cls().serves(d)
]


def made(family, reference, noise=0.0):
    """A module of the family, and parameters so far from where they start."""
    d = getattr(reference, "noise_dim", reference.dim)  # text has no noise behind it
    module = family.module(reference, Rng(1).child("start"), torch.zeros(0, d, dtype=F))
    theta = flat(module)
    g = torch.Generator().manual_seed(3)
    return module, theta + noise * torch.randn(len(theta), generator=g, dtype=F)


def test_every_family_has_a_reference_here():
    assert {cls.name for cls in families.ALL} == {p.values[0].name for p in PAIRS}


@pytest.mark.parametrize("family, reference", PAIRS)
def test_starts_at_the_reference(family, reference):
    module, theta = made(family, reference)
    spent = relative_entropy(at(module, theta), reference, Rng(0))
    # The box cannot start at D0 itself: each side is cut by a quarter of a percent.
    limit = 2e-3 * D * 2 if family.name == "box" else 1e-9
    assert float(spent.value) + 1e-12 >= 0.0 and float(spent.value) <= limit


@pytest.mark.parametrize("family, reference", PAIRS)
def test_near_the_reference_nats_are_half_squares(family, reference):
    if family.name in ("box", "categorical", "per_context", "mixture") or not family.natural:
        pytest.skip("its scale is another")
    module, first = made(family, reference)
    _, theta = made(family, reference, 1e-3)
    moved = theta - first
    if family.name == "low_rank":  # A does nothing while B is 0
        moved[D : D + D * family.rank] = 0.0
    spent = float(relative_entropy(at(module, first + moved), reference, Rng(0)).value)
    # B counts once, or twice where it turns A's own directions: |B|^2 / 2 to |B|^2.
    assert 0.5 * 0.97 <= spent / float(moved.square().sum()) <= 1.03


@pytest.mark.parametrize("family, reference", PAIRS)
def test_gradient_of_nats_is_that_of_their_value(family, reference):
    module, theta = made(family, reference, 0.05)

    def value(t):
        return relative_entropy(at(module, t), reference, Rng(0), draws=8).value

    at_theta = theta.clone().requires_grad_()
    (slope,) = torch.autograd.grad(value(at_theta), at_theta)
    g = torch.Generator().manual_seed(5)
    for _ in range(3):
        u = torch.randn(len(theta), generator=g, dtype=F)
        u = u / u.norm()
        with torch.no_grad():
            h = 1e-5
            difference = float(value(theta + h * u) - value(theta - h * u)) / (2 * h)
        assert float(slope @ u) == pytest.approx(difference, rel=1e-4, abs=1e-7)


def test_products_agree_with_torch():
    reference = REFERENCES["discrete"]
    module, theta = made(families.Categorical(), reference, 1.0)
    d = at(module, theta)
    theirs = sum(
        float(kl_divergence(TorchCategorical(p[p0 > 0]), TorchCategorical(p0[p0 > 0])))
        for p, p0 in zip(d.probs.detach(), reference.probs, strict=True)
    )
    assert float(relative_entropy(d, reference, Rng(0)).value) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("family", [families.Flow(), families.Flow("spline"), families.Generator()])
def test_transformed_law_has_the_density_of_its_draws(family):
    reference = REFERENCES["full"]
    module, theta = made(family, reference, 0.2)
    d = at(module, theta)
    assert isinstance(d, Transformed)
    z = torch.randn(5, D, generator=torch.Generator().manual_seed(1), dtype=F)
    x = d.push(z)
    back, _ = d.bend(reference.pull(x), inverse=True)
    assert torch.allclose(back, z, atol=1e-8)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda one: d.push(one[None])[0]))(z)
    expected = -0.5 * z.square().sum(1) - 0.5 * D * math.log(2 * math.pi)
    expected = expected - torch.linalg.slogdet(jacobian).logabsdet
    assert torch.allclose(d.log_prob(x), expected, atol=1e-7)


def test_nats_of_a_moved_flow_are_exact_within_their_error():
    # A flow that only shifts: KL = |shift|^2 / 2.
    reference = REFERENCES["diagonal"]
    module, theta = made(families.Flow(), reference)
    index = [name for name, _ in module.named_parameters()].index("network.shift")
    start = sum(p.numel() for p in list(module.parameters())[:index])
    theta[start : start + D] = 0.5
    spent = relative_entropy(at(module, theta), reference, Rng(0))
    assert float(spent.value) == pytest.approx(0.5 * D * 0.25, rel=1e-9)
    assert spent.err < 1e-9  # pairs z, -z cancel what is odd


def test_mixture_nats_agree_with_quadrature():
    g0 = Gaussian(torch.zeros(1, dtype=F), torch.ones(1, dtype=F))
    parts = tuple(Gaussian(torch.tensor([m], dtype=F), g0.scale) for m in (-1.0, 2.0))
    d = Mixture(torch.tensor([0.25, 0.75], dtype=F), parts)
    x = torch.linspace(-12, 14, 200_001, dtype=F)[:, None]
    log_p = d.log_prob(x)
    exact = float(torch.trapezoid(torch.exp(log_p) * (log_p - g0.log_prob(x)), x[:, 0]))
    ours = relative_entropy(d, g0, Rng(2), draws=20_000)
    assert abs(float(ours.value) - exact) < 4.4 * ours.err  # one false alarm in 10^5


def test_generator_is_posed_as_a_deeper_network():
    problem = wb.load("B_w32_h2_1e-3")
    family = families.Generator(hidden=3, blocks=2)
    module = family.module(problem.distribution, Rng(0), torch.zeros(0, 32, dtype=F))
    theta = flat(module) + 0.1 * torch.randn(
        len(flat(module)), generator=torch.Generator().manual_seed(2), dtype=F
    )
    d = at(module, theta)
    posed = pose(problem, d)
    assert isinstance(posed.distribution, Gaussian) and posed.readable
    z = torch.randn(6, 32, generator=torch.Generator().manual_seed(1), dtype=F)
    assert torch.allclose(posed.margin_of_noise(z), problem.margin(d.push(z)))

    def value(t):
        return wb.Moments()(pose(problem, at(module, t))).log_p

    leaf = theta.clone().requires_grad_()
    (slope,) = torch.autograd.grad(value(leaf), leaf)
    u = torch.randn(len(theta), generator=torch.Generator().manual_seed(4), dtype=F)
    u, h = u / u.norm(), 1e-5
    with torch.no_grad():
        difference = float(value(theta + h * u) - value(theta - h * u)) / (2 * h)
    assert float(slope @ u) == pytest.approx(difference, rel=1e-4)


def test_box_gives_the_side_that_fails_all_it_may():
    # x uniform on [0, 1]^2, C: x_0 > 0.9. The best box of k nats is x_0 > 1 - e^-k, P = 0.1 e^k.
    one = torch.ones(2, dtype=F)
    model = torch.nn.Linear(2, 1, bias=False, dtype=F)
    model.weight.data = torch.tensor([[1.0, 0.0]], dtype=F)
    problem = wb.Problem(Box(0 * one, one), model, wb.Halfspace(torch.ones(1, dtype=F), -0.9))
    attack = Adversary(family=families.Box(), region=KL(1.0))(problem)
    assert attack.nats == pytest.approx(1.0, abs=1e-6)
    assert float(attack.checked.log_p) == pytest.approx(math.log(0.1) + 1.0, abs=0.05)


def test_product_of_coins_is_tilted_towards_the_event():
    values = torch.tensor([[0.0, 1.0]] * 12, dtype=F)
    fair = Discrete(values, torch.full((12, 2), 0.5, dtype=F))
    model = torch.nn.Linear(12, 1, bias=False, dtype=F)
    model.weight.data = torch.ones(1, 12, dtype=F)
    problem = wb.Problem(fair, model, wb.Halfspace(torch.ones(1, dtype=F), -10.5))
    attack = Adversary(
        family=families.Categorical(), region=KL(2.0), estimator=wb.Moments()
    )(problem)  # fmt: skip
    exact = float(wb.Enumeration()(attack.posed).log_p)
    probs = attack.distribution.probs[:, 1]
    assert attack.nats == pytest.approx(2.0, rel=1e-6)
    assert float(probs.min()) == pytest.approx(float(probs.max()), rel=1e-3)  # by symmetry
    assert exact > math.log(13 / 4096) + 2.0
    assert abs(float(attack.checked.log_p) - exact) < 4.4 * attack.checked.log_err


def two_contexts():
    """Two contexts on the plane of which C sees the first coordinate: x_0 > 4."""
    apart = torch.tensor([0.0, 30.0], dtype=F)
    parts = (Gaussian(-apart, torch.ones(2, dtype=F)), Gaussian(apart, 2.0 * torch.ones(2).to(F)))
    model = torch.nn.Linear(2, 1, bias=False, dtype=F)
    model.weight.data = torch.tensor([[1.0, 0.0]], dtype=F)
    d0 = Mixture(torch.tensor([0.8, 0.2], dtype=F), parts)
    return wb.Problem(d0, model, wb.Halfspace(torch.ones(1, dtype=F), -4.0))


def best_of_two_shifts(nats):
    """The optimum of log sum_c w_c Phi((m_c - 4) / s_c) with sum_c w_c (m_c / s_c)^2 / 2 = nats."""
    angle = torch.linspace(0.0, math.pi / 2, 20_001, dtype=F)
    w = torch.tensor([0.8, 0.2], dtype=F)
    theta = math.sqrt(2.0 * nats) * torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)
    beta = torch.tensor([4.0, 2.0], dtype=F) - theta / w.sqrt()
    return float((log_cdf(-beta) + w.log()).logsumexp(1).max())


def test_contexts_are_moved_each_in_its_own_way():
    attack = Adversary(
        family=families.PerContext(), region=KL(2.0), estimator=wb.Moments(), steps=60
    )(two_contexts())  # fmt: skip
    assert attack.nats == pytest.approx(2.0, abs=1e-6) and attack.nats_err == 0.0
    assert attack.log_p == pytest.approx(best_of_two_shifts(2.0), rel=0.01)
    assert abs(float(attack.checked.log_p) - attack.log_p) < 4.4 * attack.checked.log_err


def test_chain_rule_of_contexts():
    # KL of (c, x) = KL(v || w) + sum_c v_c KL(D_c || D0_c), each in closed form.
    problem = two_contexts()
    d0 = problem.distribution
    module, theta = made(families.PerContext("scaled", reweigh=True), d0, 0.7)
    d = at(module, theta)
    v, w = d.weights, torch.tensor([0.8, 0.2], dtype=F)
    own = [relative_entropy(p, p0, Rng(0)).value for p, p0 in
           zip(d.parts, d0.components, strict=True)]  # fmt: skip
    exact = float((v * torch.log(v / w)).sum() + (v * torch.stack(own)).sum())
    assert abs(float(v[0]) - 0.8) > 0.05 and min(map(float, own)) > 0.1
    assert float(relative_entropy(d, d0, Rng(0)).value) == pytest.approx(exact, rel=1e-12)
    # The laws of x alone are as far apart where x tells the context, and nearer where it does not.
    seen = relative_entropy(pose(problem, d).distribution, d0, Rng(1), 20_000)
    assert abs(float(seen.value) - exact) < 4.4 * seen.err
    near = Mixture(d0.weights, tuple(Gaussian(c.mean * 0.01, c.scale) for c in d0.components))
    d = at(*made(families.PerContext("scaled", reweigh=True), near, 0.7))
    mixed = Mixture(d.weights, d.parts)
    less = relative_entropy(mixed, near, Rng(1), 20_000)
    assert float(less.value) < float(relative_entropy(d, near, Rng(0)).value) - 4.4 * less.err


@pytest.mark.parametrize("of", families.PerContext.choices["of"])
def test_any_family_serves_every_context(of):
    problem = two_contexts()
    estimator = wb.Conditioned(lines=48) if of in ("flow", "generator") else wb.Moments()
    attack = Adversary(
        family=families.PerContext(of), region=KL(2.0), estimator=estimator, steps=4,
        optimiser="natural" if of not in ("flow", "generator") else "adam", rate=None,
    )(problem, rng=1, check=20_000)  # fmt: skip
    assert 0.0 < attack.nats <= 2.0 * 1.05
    p0 = float((log_cdf(torch.tensor([-4.0, -2.0], dtype=F)) + problem.distribution.log_weights
                ).logsumexp(0))  # fmt: skip
    # An adversary that moved is worse than D0: by how much after a few steps depends on the family.
    assert float(attack.checked.log_p) > p0 + 2.0 * attack.checked.log_err
    x = attack.distribution.sample(50, Rng(0).generator())
    assert bool(torch.isfinite(attack.distribution.log_prob(x)).all())
    assert {mode.told.split(", ")[-1] for mode in attack.modes()} <= {
        "fails",
        "context 1",
        "context 2",
    }


def test_more_weight_goes_to_the_context_that_fails():
    problem = two_contexts()
    kept, moved = (
        Adversary(family=families.PerContext(reweigh=r), region=KL(1.0), estimator=wb.Moments())(
            problem, check=0
        )
        for r in (False, True)
    )
    assert moved.log_p > kept.log_p + 0.05
    assert float(moved.distribution.weights[1]) > 0.25


def test_mixture_finds_both_modes_of_the_bimodal_digits():
    problem = wb.load("C_digits_p22_s20")
    attack = Adversary(family=families.Mixture(2), region=KL(4.0), steps=6)(problem, check=0)
    d, x = attack.distribution, None
    rivals = set()
    for k, part in enumerate(d.components):
        x = part.sample(2000, Rng(k).generator())
        y = problem.model(x)
        wrong = problem.spec.margin(x, y) > 0
        rivals.add(int(y[wrong].argmax(1).mode().values))
    assert len(rivals) == 2

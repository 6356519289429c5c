"""Main effects through attention: exact pieces against enumeration, and the estimator on them."""

import math

import pytest
import torch
from test_tokens import law, small
from torch.nn.functional import one_hot
from torch.utils.flop_counter import FlopCounterMode

import workbench as wb
from workbench.math.contour import log_tail
from workbench.math.gaussian import log_cdf
from workbench.math.greatest import greatest
from workbench.models.transformer import Shape
from workbench.propagation.attention import softmax_mean
from workbench.propagation.effects import Effects
from workbench.propagation.extremes import margin
from workbench.propagation.transformer import last_logits, operations
from workbench.specs import Halfspaces

TOKENS = 5
ALONE = wb.MainEffects(starts=2, forwards=0)
"""The account of the weights, no sequence evaluated."""


def model(spread=0.5, activation="gelu"):
    return small(Shape(5, 8, 1, 2, 6, 16, activation), spread=spread)


def laws(positions, batch=2, seed=0, power=2.0):
    g = torch.Generator().manual_seed(seed)
    p = torch.rand(batch, positions, TOKENS, generator=g, dtype=torch.float64) ** power
    return p / p.sum(-1, keepdim=True)


def sequences(positions):
    return torch.cartesian_prod(*[torch.arange(TOKENS)] * positions).reshape(-1, positions)


def counted(f, q):
    """E f and E[f | x_i = v] by enumeration, f `(batch, sequences, d)`, q `(batch, n, S)`."""
    x = sequences(q.shape[1])
    each = torch.stack([q[:, i, x[:, i]] for i in range(q.shape[1])], -1)  # (batch, m, n)
    mean = (each.prod(-1)[..., None] * f).sum(1)
    given = torch.zeros(*q.shape, f.shape[-1], dtype=f.dtype)
    for i in range(q.shape[1]):
        rest = each[..., [j for j in range(q.shape[1]) if j != i]].prod(-1)
        for v in range(TOKENS):
            here = x[:, i] == v
            given[:, i, v] = (rest[:, here, None] * f[:, here]).sum(1)
    return mean, given


@pytest.mark.parametrize("sharpness, within", [(0.5, 1e-6), (1.5, 1e-6), (3.0, 5e-3)])
def test_the_mean_of_softmax_attention_is_exact(sharpness, within):
    """Against all 125 sequences of three positions; scores of standard deviation 3 put Z beyond
    1/400 of its mean, from where the nodes no longer suffice for 7 digits."""
    g = torch.Generator().manual_seed(1)
    q, x = laws(3), sequences(3)
    weight = torch.exp(sharpness * torch.randn(2, 3, TOKENS, 2, generator=g))
    value = torch.randn(3, TOKENS, 2, 4, generator=g)
    own_weight = torch.exp(torch.randn(2, 2, generator=g))
    own_value = torch.randn(2, 2, 4, generator=g)
    mean, given = softmax_mean(weight, value, own_weight, own_value, q)
    w = torch.stack([weight[:, i, x[:, i]] for i in range(3)], 2)  # (batch, m, n, h)
    u = torch.stack([value[i, x[:, i]] for i in range(3)], 1)  # (m, n, h, c)
    top = (w[..., None] * u).sum(2) + (own_weight[..., None] * own_value)[:, None]
    out = (top / (w.sum(2) + own_weight[:, None])[..., None]).flatten(2)
    right, right_given = counted(out, q)
    assert torch.allclose(mean.flatten(1), right, atol=within)
    assert torch.allclose(given.flatten(3), right_given, atol=within)


def logits_counted(m, last, q):
    n = q.shape[1]
    x = sequences(n)
    y = [m(torch.cat([x, torch.full((len(x), 1), int(t))], 1)) for t in last]
    return counted(torch.stack(y), q)


def logits_propagated(m, last, q):
    ids = torch.arange(TOKENS).expand(q.shape[1], TOKENS)
    return last_logits(m, ids, last, q)


def test_one_varying_position_is_propagated_exactly():
    """Given its token nothing fluctuates: every conditional mean is a logit, bar the nodes."""
    m, last, q = model(), torch.tensor([0, 3]), laws(1)
    found = logits_propagated(m, last, q)
    right, given = logits_counted(m, last, q)
    assert torch.allclose(found.given, given, atol=2e-4)
    assert torch.allclose(found.mean, right, atol=2e-4)


def one_position(seed=0):
    """Main effects of one token: given it nothing is left to chance."""
    g = torch.Generator().manual_seed(seed)
    q, given = laws(1), torch.randn(2, 1, TOKENS, 4, generator=g)
    mean = (q[..., None] * given).sum((1, 2))
    return Effects(mean, given - mean[:, None, None], q), given


@pytest.mark.parametrize(
    "clauses", [((0,), (1,), (2,)), ((0, 1), (2, 3)), ((0, 1, 2), (3,)), ((1, 3),)]
)
def test_a_margin_of_one_token_is_the_greatest_of_the_least(clauses):
    h, given = one_position()
    g = torch.Generator().manual_seed(1)
    event = Halfspaces(torch.randn(4, 4, generator=g), torch.randn(4, generator=g), clauses)
    rows = given @ event.a.T + event.b
    right = torch.stack([rows[..., list(c)].amin(-1) for c in clauses]).amax(0)
    mean, effect = margin(h, event, 4)
    torch.testing.assert_close(mean, (h.q * right).sum((1, 2)), rtol=0.0, atol=1e-9)
    torch.testing.assert_close(mean[:, None, None] + effect, right, rtol=0.0, atol=1e-9)


def test_a_layer_norm_of_one_token_is_the_layer_norm():
    h, given = one_position()
    norm = torch.nn.LayerNorm(4, eps=0.3)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, -2.0, 0.5, 3.0]))
        norm.bias.copy_(torch.tensor([0.1, 0.0, -1.0, 2.0]))
        torch.testing.assert_close(h.layer_norm(norm).given, norm(given), rtol=1e-12, atol=1e-12)


def test_operations_are_torchs_own_count_to_a_fifth():
    m, last, q = model(), torch.tensor([0, 3]), laws(3)
    with FlopCounterMode(display=False) as counter:
        logits_propagated(m, last, q)
    told = operations(m, 2, 3, TOKENS)
    assert counter.get_total_flops() == pytest.approx(told, rel=0.2), told


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_logits_of_fluctuating_tokens_are_nearly_right(activation):
    """Main effects within a tenth of the logits' standard deviation, on a random transformer."""
    m, last, q = model(0.3, activation), torch.tensor([1, 4]), laws(3)
    found = logits_propagated(m, last, q)
    right, given = logits_counted(m, last, q)
    size = float((given - right[:, None, None]).square().mean().sqrt())
    assert size > 0.05
    assert float((found.given - given).abs().max()) < 0.3 * size
    assert float((found.given - given).square().mean().sqrt()) < 0.1 * size


def test_the_error_falls_with_the_square_of_the_fluctuations_and_faster():
    """Second-order terms are carried: embeddings ten times nearer one another leave errors of less
    than a hundredth."""
    m, last, q = model(0.3), torch.tensor([1, 4]), laws(3)
    centre = m.embed.mean(0)
    errors = []
    for near in (1.0, 0.1):
        one = model(0.3)
        with torch.no_grad():
            one.embed.copy_(centre + near * (m.embed - centre))
        found = logits_propagated(one, last, q)
        errors.append(float((found.given - logits_counted(one, last, q)[1]).abs().max()))
    assert errors[1] < errors[0] / 100


def test_the_greatest_of_two_is_exact_and_of_more_nearly():
    """Against a million draws: 5 standard errors, and a tenth of a standard
    deviation for Clark's presumption."""
    g = torch.Generator().manual_seed(0)
    root = torch.randn(4, 4, generator=g)
    mean, cov = torch.randn(4, generator=g), root @ root.T
    z = mean + torch.randn(1_000_000, 4, generator=g) @ root.T
    for r, within in ((2, 0.0), (4, 0.1)):
        x = z[:, :r].amax(1)
        spread = float(x.std())
        assert abs(float(greatest(mean[:r], cov[:r, :r]) - x.mean())) < (0.005 + within) * spread


def test_the_contour_is_the_convolution():
    """log P(c + sum f + N(0, v) > 0) by enumeration of all sums, from 0.6 down to 1e-20."""
    g = torch.Generator().manual_seed(0)
    log_p = torch.log_softmax(2.0 * torch.randn(4, TOKENS, generator=g), -1)
    log_p[1, 2] = -math.inf
    log_p = torch.log_softmax(log_p, -1)
    effect = torch.randn(1, 4, TOKENS, generator=g)
    x = sequences(4)
    sums = torch.stack([effect[0, i, x[:, i]] for i in range(4)]).sum(0)
    weight = torch.stack([log_p[i, x[:, i]] for i in range(4)]).sum(0)
    for c, v in ((0.3, 0.5), (-3.0, 0.04), (-6.0, 0.04), (-6.0, 1.0)):
        right = torch.logsumexp(weight + log_cdf((c + sums) / math.sqrt(v)), 0)
        found = log_tail(torch.tensor([c]), log_p, effect, torch.tensor([v]))
        assert float(found) == pytest.approx(float(right), abs=1e-6)


def test_the_contour_has_a_gradient():
    g = torch.Generator().manual_seed(2)
    log_p = torch.log_softmax(torch.randn(3, 4, generator=g), -1)
    offset = torch.tensor([-2.0, 0.5], requires_grad=True)
    effect = torch.randn(2, 3, 4, generator=g, requires_grad=True)
    noise = torch.tensor([1.0, 2.0], requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda c, f, v: log_tail(c, log_p, f, v), (offset, effect, noise)
    )


def rare(index=1, positions=4):
    """A one-layer problem of 625 sequences, P by enumeration."""
    d, m = law(positions, power=2.0), model()
    problem = wb.Problem(d, m, wb.Argmax(index, "wins"))
    x, log_p = d.outcome(0, d.outcomes)
    s = problem.margin(x)
    return problem, float(torch.logsumexp(torch.where(s > 0, log_p, -math.inf), 0)) / math.log(10)


@pytest.mark.parametrize("by", [0.0, 0.3])
def test_small_transformers_within_a_third_of_a_digit(by):
    problem, _ = rare()
    event = problem.spec.shift(by)
    x, log_p = problem.distribution.outcome(0, 625)
    harder = problem.vary(spec=event)
    p = torch.where(harder.margin(x) > 0, torch.exp(log_p), 0.0).sum()
    assert 1e-9 < float(p) < 0.9
    found = ALONE(harder)
    assert abs(found.log10_p - math.log10(float(p))) < 0.35


def test_a_union_of_rivals_is_served_too():
    """'loses' is a union of half-spaces, 'wins' an intersection: they add up to 1."""
    problem, log10_p = rare()
    lost = ALONE(problem.vary(spec=~problem.spec))
    assert 10**lost.log10_p == pytest.approx(1.0 - 10**log10_p, abs=0.1)


def test_what_cannot_happen_is_never_0_unless_it_is_known():
    problem, _ = rare()
    d = problem.distribution
    never = problem.vary(spec=problem.spec.shift(1e3))
    found = ALONE(never)
    least = float(d.log_probs().amin(1).sum())
    assert float(found.log_p) == pytest.approx(least) and "no tilt" in found.warning
    alone = wb.Tokens(torch.cat([one_hot(torch.tensor([0, 1, 2]), 5).double(), d.probs[3:]]))
    assert ALONE(never.vary(alone)).log10_p == -math.inf


def test_the_gradient_in_the_law_is_the_tilted_law():
    """d log P / d log p_i(v) of unnormalised p is P(x_i = v | C) - p_i(v), counted."""
    problem, _ = rare()
    p = problem.distribution.probs.clone().requires_grad_()
    live = problem.vary(wb.Tokens(p))
    _, (gradient,) = wb.log_p_and_grad(live, ALONE, [p])
    x, log_p = problem.distribution.outcome(0, 625)
    share = torch.softmax(torch.where(problem.margin(x) > 0, log_p, -math.inf), 0)
    after = torch.stack([one_hot(x[:, i], 5).double().T @ share for i in range(4)])
    before = problem.distribution.log_probs().exp()
    assert float((p.detach() * gradient - (after - before)).abs().max()) < 0.15


def test_steps_down_the_gradient_lower_the_counted_probability():
    """log P is exact before and after, and never looked at between."""
    problem, before = rare()
    m = problem.model.requires_grad_(True)
    weights = [w for name, w in m.named_parameters() if "unembed" not in name]
    for _ in range(3):
        _, gradient = wb.log_p_and_grad(problem, wb.MainEffects(forwards=0), weights)
        size = math.sqrt(sum(float(g.square().sum()) for g in gradient))
        with torch.no_grad():
            for w, g in zip(weights, gradient, strict=True):
                w -= 0.05 * g / size
    x, log_p = problem.distribution.outcome(0, 625)
    with torch.no_grad():
        after = torch.logsumexp(torch.where(problem.margin(x) > 0, log_p, -math.inf), 0)
    assert float(after) / math.log(10) < before - 0.05


def test_the_gradient_in_the_weights_is_that_of_the_propagation():
    """By differences of a pass with the tilt held, in one direction of all weights."""
    m, last, q = model(), torch.tensor([1, 4]), laws(3)
    ids = torch.arange(TOKENS).expand(3, TOKENS)
    weights = [w.requires_grad_() for w in m.parameters()]
    g = torch.Generator().manual_seed(0)
    ways = [torch.randn(w.shape, generator=g) for w in weights]

    def value():
        h: Effects = last_logits(m, ids, last, q)
        return (h.effect.square().sum() + h.mean.square().sum()).sqrt()

    slopes = torch.autograd.grad(value(), weights, allow_unused=True)
    slope = sum(float((a * b).sum()) for a, b in zip(slopes, ways, strict=True) if a is not None)
    ends = []
    for sign in (1.0, -1.0):
        with torch.no_grad():
            for w, way in zip(weights, ways, strict=True):
                w += sign * 1e-5 * way
            ends.append(float(value()))
            for w, way in zip(weights, ways, strict=True):
                w -= sign * 1e-5 * way
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)


def counted_log10(problem):
    x, log_p = problem.distribution.outcome(0, problem.distribution.outcomes)
    right = torch.logsumexp(torch.where(problem.margin(x) > 0, log_p, -math.inf), 0)
    return float(right) / math.log(10)


@pytest.mark.parametrize("layers, token, by", [(1, 1, 0.25), (2, 4, 1.5)])
def test_a_few_hundred_sequences_ground_the_account(layers, token, by):
    """Of 15,625 sequences, some 130 of which fail, 600 are evaluated: a tenth of a digit."""
    m = small(Shape(5, 8, layers, 2, 6, 16), spread=0.5)
    problem = wb.Problem(law(6), m, wb.Argmax(token, "wins", by))
    right = counted_log10(problem)
    assert -4.0 < right < -3.0
    found = wb.MainEffects(passes=3, forwards=600)(problem)
    assert found.info["seen"] <= 600
    assert abs(found.log10_p - right) < 0.1


def test_all_sequences_within_the_budget_are_the_answer():
    problem, right = rare()
    found = wb.MainEffects(passes=2)(problem)
    assert found.log10_p == pytest.approx(right, abs=1e-9) and found.info["seen"] == 625
    never = wb.MainEffects(passes=2)(problem.vary(spec=problem.spec.shift(1e3)))
    assert never.log10_p == -math.inf and not never.warning


def test_what_was_not_found_is_said():
    """400 of 15,625 sequences, of which none can fail: the answer is the account's, with a
    warning."""
    problem = wb.Problem(law(6), model(), wb.Argmax(1, "wins", 30.0))
    assert counted_log10(problem) == -math.inf
    found = wb.MainEffects(passes=4, forwards=400)(problem)
    assert found.warning and found.info["failing"] == 0
    assert found.log10_p == pytest.approx(found.info["account_log10"]) and found.log10_p > -50


def test_a_small_budget_asks_the_likeliest_last_tokens_first():
    problem = wb.Problem(law(6), model(), wb.Argmax(2, "wins", 0.25))
    found = wb.MainEffects(forwards=200)(problem, 400)
    assert found.cost.forwards <= 400 and found.info["seen"]
    assert abs(found.log10_p - counted_log10(problem)) < 0.5


def test_attention_alone_is_served():
    from test_deep_effects import attentions

    problem = wb.Problem(law(4), attentions(2, spread=0.5), wb.Argmax(1, "wins"))
    right = counted_log10(problem)
    assert -4 < right < -0.1
    assert abs(ALONE(problem).log10_p - right) < 0.35


def test_it_says_what_it_does_not_serve():
    stranger = torch.nn.Embedding(5, 5)
    problem = wb.Problem(law(1), torch.nn.Sequential(stranger, torch.nn.Flatten()), wb.Argmax(0))
    with pytest.raises(wb.Unsupported, match="a Transformer or an AttentionOnly is needed") as no:
        wb.MainEffects()(problem)
    assert no.value.try_instead and "main_effects" not in no.value.try_instead
    for bad in ({"missed": -1.0}, {"forwards": -1}, {"forwards": True}):
        with pytest.raises(wb.BadInput, match=next(iter(bad))):
            wb.MainEffects(**bad)
    short = wb.MainEffects()(rare()[0], 1)
    assert "does not hold one pass" in short.warning and short.cost.forwards <= 1

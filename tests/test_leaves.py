"""The estimator of rare token sequences: exact where it can be, unbiased elsewhere; gradients."""

import math

import pytest
import torch

import workbench as wb
from workbench.estimators import additive, seen
from workbench.models.transformer import Shape

POSITIONS, ALPHABET = 4, 6
OUTCOMES = ALPHABET**POSITIONS


def transformer(seed=1):
    model = wb.Transformer(Shape(ALPHABET, 8, 1, 2, 6, 16), dtype=torch.float64)
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=g, dtype=torch.float64))
    return model.requires_grad_(False)


def probs(seed=3):
    g = torch.Generator().manual_seed(seed)
    return torch.rand(POSITIONS, ALPHABET, generator=g, dtype=torch.float64) ** 3


def rare(model=None, p=None):
    """The rarest token that the model ever says, and log P by brute force."""
    model, p = model or transformer(), probs() if p is None else p
    d = wb.Tokens(p)
    x, log_p = d.outcome(0, OUTCOMES)
    said = model(x).argmax(1)
    mass = torch.zeros(ALPHABET, dtype=torch.float64).index_add(0, said, torch.exp(log_p))
    token = int(torch.where(mass > 0, mass, 2.0).argmin())
    return wb.Problem(d, model, wb.Argmax(token, "wins"), "rare"), math.log(mass[token])


def test_budget_for_all_is_enumeration():
    problem, log_p = rare()
    found = wb.Leaves()(problem, OUTCOMES)
    assert float(found.log_p) == pytest.approx(log_p, abs=1e-12)
    assert found.cost.forwards == OUTCOMES
    never = problem.vary(spec=problem.spec.shift(1e3))
    assert wb.Leaves()(never, OUTCOMES).log10_p == -math.inf


def test_a_third_of_all_sequences_is_enough_and_what_was_found_is_a_bound():
    problem, log_p = rare()
    found = wb.Leaves()(problem, OUTCOMES // 3)
    assert abs(float(found.log_p) - log_p) < 0.1
    known = float(found.log_p) + math.log(found.info["share_searched"])
    assert known <= log_p + 1e-9
    assert found.log10_p == wb.Leaves()(problem, OUTCOMES // 3, rng=9).log10_p


def test_weights_of_what_was_drawn_are_unbiased():
    """The mean over 20 nets of a short run, within 5 standard errors of P: a false alarm in 1e-4
    (Student, 19 degrees of freedom)."""
    problem, log_p = rare()
    ratios = torch.tensor(
        [math.exp(float(wb.Leaves(2, net=i)(problem, 200).log_p) - log_p) for i in range(20)]
    )
    assert abs(float(ratios.mean()) - 1.0) < 5 * float(ratios.std()) / math.sqrt(20) + 1e-3


def test_nothing_found_is_an_extrapolation_and_says_so():
    problem = wb.load("T_bpe_indent_1e-12")
    found = wb.Leaves()(problem, 300)
    assert -40.0 < found.log10_p < -1.0 and found.log_err is None
    assert "extrapolates" in found.warning


def test_gradient_in_log_probabilities_is_that_of_the_enumeration():
    p = probs().requires_grad_()
    problem, _ = rare(p=p)
    for budget, within in ((OUTCOMES, 1e-9), (OUTCOMES // 2, 0.1)):
        _, (gradient,) = wb.log_p_and_grad(problem, wb.Leaves(), [p], budget)
        step = 1e-5
        for i, v in ((0, 0), (1, 3), (3, 5), (2, 1)):
            ends = []
            for sign in (1.0, -1.0):
                q = p.detach().clone()
                q[i, v] *= math.exp(sign * step)
                d = wb.Tokens(q)
                x, each = d.outcome(0, OUTCOMES)
                fails = problem.margin(x) > 0
                ends.append(float(torch.logsumexp(each[fails], 0)))
            truth = (ends[0] - ends[1]) / (2 * step)
            assert float(gradient[i, v] * p.detach()[i, v]) == pytest.approx(
                truth, abs=within + 1e-6
            )


def test_gradient_in_the_model_makes_failure_rarer():
    """One small step against it lowers the blurred P, and the exact P or nothing."""
    model = transformer().requires_grad_()
    problem, before = rare(model)
    weights = list(model.parameters())
    found, gradient = wb.log_p_and_grad(problem, wb.Leaves(), weights, OUTCOMES + 1024)
    assert float(found.log_p.detach()) == pytest.approx(before, abs=1e-9)
    length = math.sqrt(sum(float(g.square().sum()) for g in gradient))
    assert length > 0
    with torch.no_grad():
        for w, g in zip(weights, gradient, strict=True):
            w -= 0.3 * g / length
    assert float(wb.Leaves()(problem, OUTCOMES + 1024).log_p.detach()) < before - 0.1


def test_additive_margin_finds_an_additive_one_and_its_tail():
    """Against all 6^4 sequences; that effects shrink to 0 costs the fit a little."""
    g = torch.Generator().manual_seed(0)
    effect = torch.randn(POSITIONS, ALPHABET, generator=g, dtype=torch.float64)
    d = wb.Tokens(probs() ** 0.3)
    x, log_p = d.outcome(0, OUTCOMES)
    s = effect.T.gather(0, x).sum(1) - 3.0
    log_probs = d.log_probs()
    cells = additive.cells(x, s, log_probs, 6)
    model = additive.fit(cells, x, s, torch.ones_like(s), ALPHABET)
    assert float((model.margin(x) - s).abs().max()) < 0.01
    log_q, log_mass = additive.tilt(model, log_probs)
    assert torch.allclose(torch.exp(log_q).sum(-1), torch.ones(()).double())
    truth = float(torch.exp(log_p)[s > 0].sum())
    assert float(torch.exp(log_mass).sum()) == pytest.approx(truth, rel=0.2)


def test_nothing_is_evaluated_twice_and_all_is_numbered():
    log_probs = wb.Tokens(probs()).log_probs()
    every = seen.outcomes(log_probs, 0, 10_000)
    assert len(every) == OUTCOMES == len(torch.unique(seen.keys(every)))
    problem, _ = rare()
    state = wb.Leaves().init(problem, wb.Rng(0))
    state = seen.evaluate(problem, state, torch.cat([every[:50], every[:70], every[20:40]]))
    assert torch.equal(state.x, every[:70]) and state.forwards == 70
    assert torch.equal(state.s, problem.margin(every[:70]))


def test_numbers_are_refused():
    with pytest.raises(wb.Unsupported, match="an IndependentTokens distribution is needed"):
        wb.Leaves()(wb.load("A_d10_1e-3"), 100)
    with pytest.raises(wb.BadInput, match="net must be a whole number"):
        wb.Leaves(net=-1)

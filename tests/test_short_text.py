"""Short-sighted text and automata against brute force: every text, one by one."""

import math
from dataclasses import replace
from itertools import product

import pytest
import torch

import workbench as wb
from workbench.adversaries import relative_entropy
from workbench.distributions import ShortText
from workbench.estimators.reading import merged
from workbench.estimators.transitions import Transitions
from workbench.models import Automaton, ShortContext, watching

V, T = 3, 6
WORDS = [(0, 1, 0), (2, 2)]


def text(seed=0, prompt=(1, 2), temperature=1.0, context=2, length=T):
    network = ShortContext(
        V, context, 4, 8, torch.Generator().manual_seed(seed), torch.float64
    ).requires_grad_(False)
    return ShortText(network, prompt, length, temperature)


def half(*normal):
    return wb.Halfspace(torch.tensor(normal, dtype=torch.float64), 0.0)


def every(length=T):
    return torch.tensor(list(product(range(V), repeat=length)))


def holds(x, word):
    """Whether each text holds the word, the slow obvious way."""
    told = "".join(map(str, word))
    return torch.tensor([told in "".join(map(str, row)) for row in x.tolist()])


@pytest.mark.parametrize("word", [(0,), (0, 1), (0, 1, 0), (0, 0, 1), (2, 2, 2), (0, 1, 0, 1)])
def test_watching_tells_the_longest_beginning(word):
    x = every()
    said = watching([word], V, torch.float64)(x)[:, 0]
    best = torch.zeros(len(x), dtype=torch.float64)
    for k in range(1, len(word) + 1):
        best[holds(x, word[:k])] = k
    assert torch.equal(said, best - len(word) + 0.5)


@pytest.mark.parametrize("context, prompt", [(1, (1,)), (2, (0, 1, 2)), (3, (1, 2, 0))])
def test_log_prob_is_the_network_symbol_by_symbol_and_sums_to_one(context, prompt):
    d, x = text(prompt=prompt, context=context, temperature=0.7), every()
    slow = torch.zeros(len(x), dtype=torch.float64)
    for t in range(T):
        before = torch.cat([torch.tensor(prompt).expand(len(x), -1), x[:, :t]], 1)
        step = torch.log_softmax(d.network(before) / 0.7, -1)
        slow += step.gather(1, x[:, t : t + 1])[:, 0]
    assert torch.allclose(d.log_prob(x), slow, atol=1e-12)
    assert float(d.log_prob(x).exp().sum()) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    "spec", [half(1.0, 0.0), half(0.0, 1.0), half(1.0, 0.0) | half(0.0, 1.0),
             half(1.0, 0.0) & half(0.0, 1.0), ~half(1.0, 0.0)],
)  # fmt: skip
def test_transitions_sum_every_text(spec):
    d, x = text(), every()
    problem = wb.Problem(d, watching(WORDS, V, torch.float64), spec)
    exact = d.log_prob(x)[problem.margin(x) > 0].logsumexp(0)
    found = Transitions()(problem)
    assert float(found.log_p) == pytest.approx(float(exact), abs=1e-12)


def test_impossible_and_sure_events_are_proved():
    automaton = watching([(0,)], V, torch.float64)
    never = wb.Problem(text(), automaton, wb.Halfspace(torch.ones(1).double(), -1.0))
    assert Transitions()(never).log10_p == -math.inf
    sure = wb.Problem(text(), automaton, wb.Halfspace(torch.ones(1).double(), 1.0))
    assert Transitions()(sure).log10_p == pytest.approx(0.0, abs=1e-12)


def test_gradient_of_log_p_and_of_kl_are_finite_differences():
    d0, moved = text(0), text(1)
    weights = {k: v.clone().requires_grad_() for k, v in moved.parameters.items()}
    problem = wb.Problem(d0, watching(WORDS, V, torch.float64), half(1.0, 0.0))

    def values(*tensors):
        d = replace(d0, tensors=dict(zip(weights, tensors, strict=True)))
        log_p = Transitions().step(problem.vary(distribution=d), _fresh(problem)).log_p
        return log_p, relative_entropy(d, d0, wb.Rng(0)).value

    assert torch.autograd.gradcheck(values, tuple(weights.values()))


def _fresh(problem):
    return Transitions().init(problem, wb.Rng(0))


def test_kl_is_the_sum_over_every_text():
    d, d0, x = text(1), text(0), every()
    log_d = d.log_prob(x)
    slow = (log_d.exp() * (log_d - d0.log_prob(x))).sum()
    found = relative_entropy(d, d0, wb.Rng(0))
    assert found.err == 0.0 and float(found.value) == pytest.approx(float(slow), abs=1e-12)
    with pytest.raises(wb.Unsupported, match="equal lengths and prompts"):
        relative_entropy(d, text(prompt=(0, 0)), wb.Rng(0))


@pytest.mark.parametrize("tilt", [False, True])
def test_draws_have_the_law_that_they_claim(tilt):
    d, x, n = text(length=4), every(4), 40_000
    automaton = watching([(0, 1)], V, torch.float64)
    last = automaton.outputs[:, 0] * 1.5
    drawn = d.tilted(n, torch.Generator().manual_seed(5), *((automaton.after, last) * tilt))
    log_w = d.log_prob(x) + (automaton(x)[:, 0] * 1.5 if tilt else 0.0)
    share = torch.softmax(log_w, 0)
    seen = torch.bincount((drawn * V ** torch.arange(3, -1, -1)).sum(1), minlength=len(x))
    z = (seen - n * share) / torch.sqrt(n * share * (1 - share))
    # 81 cells, each above 5 standard errors with chance 6e-7: one false alarm in 2 * 10^4.
    assert float((n * share).min()) > 20 and float(z.abs().max()) < 5.0


def test_merged_automaton_accepts_the_same_texts_with_fewer_states():
    full = watching([(0, 1, 0)], V, torch.float64)
    accepted = full.outputs[:, 0] > 0
    after, small = merged(full.after, accepted)
    assert len(after) == 4 < len(full.after)  # of a word of three letters
    x = every()
    told = Automaton(after, small.double()[:, None])(x)[:, 0] > 0
    assert torch.equal(told, full(x)[:, 0] > 0)


def test_bad_input_is_told_in_a_sentence():
    with pytest.raises(wb.BadInput, match="a prompt needs at least 2 symbols"):
        text(prompt=(1,))
    with pytest.raises(wb.BadInput, match="a word needs symbols"):
        watching([(0, 5)], V, torch.float64)
    with pytest.raises(wb.BadInput, match="next states of an automaton"):
        Automaton(torch.tensor([[2]]), torch.zeros(1, 1))
    linear = torch.nn.Linear(T, 1, dtype=torch.float64)

    class Cast(torch.nn.Module):
        def forward(self, x):
            return linear(x.double())

    problem = wb.Problem(text(), Cast(), half(1.0))
    with pytest.raises(wb.Unsupported, match="an automaton is needed"):
        Transitions()(problem)

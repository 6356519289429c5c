"""Text by a transformer and text that an automaton accepts, against all texts written out."""

import math

import pytest
import torch
from test_tokens import SIZES, small

import workbench as wb
from workbench.distributions import AcceptedText, PromptedText, ShortText
from workbench.models import Continuation
from workbench.models.short_context import ShortContext


def frequencies(d, n=60_000):
    """Shares of draws and probabilities of all texts, within 5.5 standard errors of each other."""
    x = torch.cartesian_prod(*[torch.arange(d.alphabet)] * d.dim)
    p = torch.exp(d.log_prob(x)).detach().double()
    assert float(p.sum()) == pytest.approx(1.0, abs=1e-9)
    place = d.alphabet ** torch.arange(d.dim - 1, -1, -1)
    drawn = d.sample(n, torch.Generator().manual_seed(0))
    seen = torch.bincount(drawn @ place, minlength=len(x))[x @ place] / n
    assert bool(((seen - p).abs() < 5.5 * torch.sqrt(p / n) + 8 / n).all())


@pytest.mark.parametrize(("temperature", "end"), [(1.0, None), (0.5, None), (0.5, 3)])
def test_a_transformer_writes_by_its_own_probabilities(temperature, end):
    d = PromptedText(Continuation(small(spread=0.2), (4, 0), end), 3, temperature)
    frequencies(d)
    x = torch.tensor([[1, 2, 0]])
    slow = 0.0
    for t in range(3):
        y = small(spread=0.2)(torch.cat([torch.tensor([[4, 0]]), x[:, :t]], 1))
        slow += float(torch.log_softmax(y[0] / temperature, 0)[x[0, t]])
    assert float(d.log_prob(x)) == pytest.approx(slow, abs=1e-10)


def test_a_text_that_ends_stays_at_its_end():
    d = PromptedText(Continuation(small(spread=0.2), (4, 0), 3), 3)
    ended, over = torch.tensor([[1, 3, 3]]), torch.tensor([[1, 3, 0]])
    first = small(spread=0.2)(torch.tensor([[4, 0]])).log_softmax(1)[0, 1]
    then = small(spread=0.2)(torch.tensor([[4, 0, 1]])).log_softmax(1)[0, 3]
    assert float(d.log_prob(ended)) == pytest.approx(float(first + then), abs=1e-10)
    assert float(d.log_prob(over)) == -math.inf
    x = d.sample(500, torch.Generator().manual_seed(0))
    after = (x[:, :-1] == 3).cumsum(1) > 0
    assert bool((x[:, 1:][after] == 3).all()) and bool(after.any())


def test_the_gradient_of_a_transformers_text():
    speaker = Continuation(small(spread=0.2), (4, 0))
    x = torch.tensor([[1, 2, 0], [0, 0, 3]])
    bias = speaker.tensors["unembed.bias"].clone().requires_grad_()

    def log_prob(b):
        return PromptedText(speaker, 3, 0.7, {**speaker.tensors, "unembed.bias": b}).log_prob(x)

    assert torch.autograd.gradcheck(log_prob, (bias,))


def parity(positions=4):
    """Text of three symbols with an odd number of ones."""
    net = ShortContext(3, 2, generator=torch.Generator().manual_seed(0)).double()
    odd = torch.tensor([[0, 1, 0], [1, 0, 1]])
    return AcceptedText(ShortText(net, (0, 0), positions), odd, torch.tensor([False, True]))


def test_accepted_text_is_the_base_given_acceptance():
    d = parity()
    frequencies(d)
    x = torch.cartesian_prod(*[torch.arange(3)] * 4)
    odd = (x == 1).sum(1) % 2 == 1
    z = torch.exp(d.base.log_prob(x).detach())[odd].sum()
    assert float(d.log_z.detach()) == pytest.approx(math.log(float(z)), abs=1e-12)
    assert bool(torch.isneginf(d.log_prob(x)[~odd]).all())


def test_a_rare_event_of_accepted_text_is_sampled():
    """P(the text begins with a one), 5 standard errors of 20,000 draws."""
    d = parity()
    x = torch.cartesian_prod(*[torch.arange(3)] * 4)
    p = float(torch.exp(d.log_prob(x).detach())[x[:, 0] == 1].sum())

    class First(torch.nn.Module):
        def forward(self, x):
            return (x[:, :1] == 1).double()

    found = wb.MonteCarlo()(wb.Problem(d, First(), wb.Halfspace(torch.ones(1), -0.5)), 20_000, 0)
    assert abs(math.exp(float(found.log_p)) - p) < 5 * math.sqrt(p * (1 - p) / 20_000)


def test_what_does_not_fit_is_said():
    base = parity().base
    with pytest.raises(wb.BadInput, match="2 states over 3 symbols"):
        AcceptedText(base, torch.zeros(2, 4, dtype=torch.int64), torch.tensor([True, False]))
    with pytest.raises(wb.BadInput, match="accepts no text of 4"):
        AcceptedText(base, torch.zeros(2, 3, dtype=torch.int64), torch.tensor([False, True]))
    with pytest.raises(wb.BadInput, match="at least one token"):
        Continuation(small(), ())
    with pytest.raises(wb.BadInput, match="texts end with a token of 0"):
        Continuation(small(), (1,), 99)
    assert SIZES.context == 6
    with pytest.raises(wb.BadInput, match="do not fit into a context of 6"):
        PromptedText(Continuation(small(), (1,)), 7).sample(1, torch.Generator())

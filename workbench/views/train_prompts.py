"""Prompts of a language model, the usual and the worst ones, and how it goes on from them."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from workbench.distributions import ShortText
from workbench.estimators.reading import automaton_of, margins
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.training.hush import emission, prompts, worst_law
from workbench.views import token_pictures

_DRAWS = 4


@dataclass(frozen=True)
class Prompts:
    """What there is to see.

    Attributes:
        problem: whose symbols they are, and which texts fail.
        usual: `(k, V)`: log of the share of each symbol at each place of a prompt under D0.
        worst: `(k, V)`: the same under the worst D for the present model.
        draws: (what they are, prompts `(n, k)`, how the present model goes on `(n, T)`).
    """

    problem: Problem
    usual: Tensor
    worst: Tensor
    draws: tuple[tuple[str, Tensor, Tensor], ...]


@torch.no_grad()
def look(problem: Problem, text: ShortText, nats: float, seed: int) -> Prompts:
    """Draws are exact, also those of texts that hold the word however rare they are.

    Args:
        problem: whose D is the first model, from which the prompts come.
        text: the present model.
        nats: how far the worst D may go from D0.
        seed: of the draws.
    """
    first = problem.distribution
    assert isinstance(first, ShortText)
    law, height = prompts(first), emission(problem, text)
    worst = worst_law(law, height, nats)
    fail = (worst + height).exp()
    contexts = first.network.contexts
    assert isinstance(contexts, Tensor)
    laws = (
        ("usual prompts, and how the model continues", law.exp(), False),
        ("the worst prompts, and how it continues", worst.exp(), False),
        ("continuations of the worst prompts on which C holds", fail, True),
    )
    after = automaton_of(problem).after
    last = torch.where(margins(problem) > 0, 0.0, -torch.inf).double()
    drawn = []
    for said, weight, failing in laws:
        if float(weight.sum()) <= 0.0:
            continue  # never: there is no such text
        g = Rng(seed).child("look", said).generator()
        chosen = torch.multinomial(weight / weight.max(), _DRAWS, replacement=True, generator=g)
        read = (after, last) if failing else ()
        ways = [replace(text, prompt=tuple(contexts[i].tolist())) for i in chosen]
        drawn.append((said, contexts[chosen], torch.cat([d.tilted(1, g, *read) for d in ways])))
    return Prompts(problem, _places(law, contexts), _places(worst, contexts), tuple(drawn))


def _places(law: Tensor, contexts: Tensor) -> Tensor:
    """`(k, V)`: log of the share of each symbol at each place."""
    symbols = int(contexts.max()) + 1
    shares = torch.zeros(contexts.shape[1], symbols, dtype=law.dtype)
    for place, column in enumerate(contexts.T):
        shares[place].index_add_(0, column, law.exp())
    return shares.log()


def prompts_html(picture: Prompts) -> str:
    """Columns of symbols by place, then the draws, as HTML."""
    texts = tuple(picture.problem.model.symbols)  # pyright: ignore[reportArgumentType]
    rows = [
        "<div class='small'>The symbols of a prompt by position: their probability under D₀ (grey) "
        "and under the worst D for the present model (orange).</div>",
        token_pictures.columns(picture.usual, picture.worst, texts),
    ]
    usual = token_pictures.places(picture.problem.distribution)
    for said, before, x in picture.draws:
        heads = ["".join(texts[v] for v in row) for row in before.tolist()]
        rows.append(token_pictures.lines(said, picture.problem, x, usual, heads))
    return f"<div class='wb-tokens wb-prompts'>{''.join(rows)}</div>"

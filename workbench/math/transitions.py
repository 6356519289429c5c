"""Sums over all texts of a source with a short memory that an automaton reads.

The source is in one of S = V^k contexts, the last k symbols as a number in base V, the latest the
least digit; the automaton in one of Q states. Both move on with every symbol, so a sum over V^T
texts is T products of transitions (Rabiner 1989, on hidden Markov models, has the two recursions).
"""

import torch
from torch import Tensor

from workbench.math.logspace import log_product


def backward(log_probs: Tensor, after: Tensor, last: Tensor, length: int) -> list[Tensor]:
    """log E[exp(last(final state)) | context, state] with t = 0, ..., T symbols to come.

    b_0(c, q) = last(q); b_{t+1}(c, q) = log sum_v p(v | c) exp b_t(cv, after(q, v)).

    Args:
        log_probs: `(S, V)`: log p(v | c); carries the graph.
        after: `(Q, V)` int64: the automaton's next state.
        last: `(Q,)`: log weight of ending in a state; 0 and -inf for an event.
        length: T.

    Returns:
        T + 1 tensors `(S, Q)`.

    >>> coin = torch.tensor([[0.5, 0.5]] * 2).log()
    >>> after = torch.tensor([[0, 1], [1, 1]])  # 1 once a one was seen
    >>> b = backward(coin, after, torch.tensor([-torch.inf, 0.0]), 3)
    >>> b[3][0].exp()
    tensor([0.8750, 1.0000])
    """
    contexts, symbols = log_probs.shape
    heads = contexts // symbols
    states = after.T[None].expand(heads, -1, -1)
    steps = log_probs.reshape(symbols, heads, symbols).transpose(0, 1)
    found = [last[None].expand(contexts, -1).to(log_probs)]
    for _ in range(length):
        ahead = found[-1].reshape(heads, symbols, -1).gather(2, states)
        found.append(log_product(steps, ahead).transpose(0, 1).reshape(contexts, -1))
    return found


def occupancy(log_probs: Tensor, start: int, length: int) -> Tensor:
    """Expected number of symbols, of T, that are drawn in each context: `(S,)`, sums to T.

    Args:
        log_probs: `(S, V)`: log p(v | c); carries the graph.
        start: the first context.
        length: T.
    """
    contexts, symbols = log_probs.shape
    probs = log_probs.exp().reshape(symbols, -1, symbols)
    at = torch.zeros(contexts).to(log_probs)
    at[start] = 1.0
    total = at
    for _ in range(length - 1):
        at = (at.reshape(symbols, -1, 1) * probs).sum(0).reshape(-1)
        total = total + at
    return total


def marginals(log_probs: Tensor, start: int, length: int) -> Tensor:
    """log of the probability of every symbol at every place: `(T, V)`; carries the graph.

    Args:
        log_probs: `(S, V)`: log p(v | c).
        start: the first context.
        length: T.

    >>> coin = torch.tensor([[0.9, 0.1], [0.5, 0.5]]).log()
    >>> marginals(coin, 0, 2).exp()
    tensor([[0.9000, 0.1000],
            [0.8600, 0.1400]])
    """
    contexts, symbols = log_probs.shape
    probs = log_probs.exp()
    at = torch.zeros(contexts).to(log_probs)
    at[start] = 1.0
    found = []
    for _ in range(length):
        step = at[:, None] * probs
        found.append(torch.log(step.sum(0)))
        at = step.reshape(symbols, -1, symbols).sum(0).reshape(-1)
    return torch.stack(found)

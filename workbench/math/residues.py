"""Residues of the number that a text spells: what of a modulus a few last symbols settle.

A text x_1, ..., x_T of symbols 0, ..., V - 1 spells the number sum_t x_t V^(T - t). Of a modulus q
the part made of primes that divide V divides V^m for some m, so that the last m symbols alone
settle that residue; modulo the other part the number is spread by every symbol.
"""

import math

import torch
from torch import Tensor

_BATCH = 16


def powers(q: int) -> list[int]:
    """The prime powers whose product is q, ascending by prime.

    >>> powers(10008), powers(10007)
    ([8, 9, 139], [10007])
    """
    found, p = [], 2
    while q > 1:
        if p * p > q:
            p = q
        power = 1
        while q % p == 0:
            q, power = q // p, power * p
        if power > 1:
            found.append(power)
        p += 1
    return found


def split(modulus: int, alphabet: int, most: int) -> tuple[int, int]:
    """(tracked, rest), coprime, with the product `modulus`.

    Tracked first is what shares primes with the alphabet, then the other prime powers from the
    least on (Chinese remainder theorem), as long as their product is at most `most`.

    >>> split(10008, 27, 100), split(10008, 27, 20_000), split(10007, 27, 100)
    ((72, 139), (10008, 1), (1, 10007))
    """
    tracked = 1
    for power in sorted(powers(modulus), key=lambda p: (math.gcd(p, alphabet) == 1, p)):
        if tracked * power > most:
            break
        tracked *= power
    return tracked, modulus // tracked


def beside(after: Tensor, last: Tensor, modulus: int, target: int) -> tuple[Tensor, Tensor]:
    """The automaton that also reads the residue; ending in another one than `target` counts for
    nothing. State (q, r) has number q modulus + r.

    Args:
        after: `(Q, V)` int64, next states.
        last: `(Q,)`, log weights of ending in a state.

    Returns:
        `(Q modulus, V)` and `(Q modulus,)`.
    """
    states, symbols = after.shape
    residue = (torch.arange(modulus)[:, None] * symbols + torch.arange(symbols)) % modulus
    joint = after[:, None] * modulus + residue
    weight = torch.full((states, modulus), -math.inf, dtype=last.dtype)
    weight[:, target % modulus] = last
    return joint.reshape(-1, symbols), weight.reshape(-1)


@torch.no_grad()
def characters(
    log_probs: Tensor, after: Tensor, last: Tensor, length: int, start: int, modulus: int,
    numbers: Tensor,
) -> Tensor:  # fmt: skip
    """E[exp(last(final state)) e^(2 pi i k n / modulus)], n the number that the text spells.

    The recursion of `math.transitions.backward` with complex weights. Their mean over all k, each
    turned by -k r, is the mass of the texts with n = r; k = 0 has the mass of all texts.

    Args:
        log_probs: `(S, V)`.
        after: `(Q, V)`.
        last: `(Q,)`.
        start: the first context.
        numbers: `(K,)` int64, the k.

    Returns:
        `(K,)` complex.
    """
    contexts, symbols = log_probs.shape
    heads = contexts // symbols
    probs = log_probs.exp().reshape(symbols, heads, symbols)
    states = after.T.expand(heads, -1, -1)
    found = []
    for batch in numbers.split(_BATCH):
        b = last.exp().to(torch.complex128).expand(len(batch), contexts, -1)
        for place in range(length):
            turn = batch[:, None] * torch.arange(symbols) * pow(symbols, place, modulus) % modulus
            weight = torch.polar(torch.ones(()).double(), 2.0 * math.pi * turn.double() / modulus)
            ahead = b.reshape(len(batch), heads, symbols, -1)
            ahead = ahead.gather(3, states.expand(len(batch), -1, -1, -1))
            ahead = ahead * weight[:, None, :, None]
            b = torch.einsum("fhv,khvq->kfhq", probs.to(b), ahead).reshape(len(batch), contexts, -1)
        found.append(b[:, start, 0])
    return torch.cat(found)


def spread(found: Tensor, total: float, modulus: int) -> float:
    """The standard deviation over residues of P given the residue, as a part of P.

    By Parseval it is the root of sum_{k > 0} |c_k|^2 / c_0^2, here of some of the characters.

    Args:
        found: `(K,)`, characters at K numbers k > 0.
        total: c_0.
    """
    return math.sqrt((modulus - 1) * float(found.abs().square().mean())) / total

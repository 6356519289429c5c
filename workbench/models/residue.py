"""A recogniser of texts by the residue of the number that they spell."""

import torch
from torch import Tensor, nn

from workbench.errors import BadInput


class Residue(nn.Module):
    """M(x) = 1/2 where sum_t x_t V^(T - t) = target modulo `modulus`, else -1/2; `(n, 1)`.

    A text is recognised in T steps; to draw one takes `modulus` draws of the text.

    Args:
        modulus: q, from 2 to 10^9.
        target: from 0 to q - 1.
        alphabet: V, how many symbols there are.

    Raises:
        BadInput: on numbers out of range.

    >>> Residue(5, 1, 10)(torch.tensor([[4, 1], [4, 2]])).flatten().tolist()
    [0.5, -0.5]
    """

    def __init__(self, modulus: int, target: int, alphabet: int):
        super().__init__()
        if not 2 <= modulus <= 10**9 or not 0 <= target < modulus or alphabet < 1:
            raise BadInput(
                "a residue needs a modulus from 2 to 10^9, a target below it and an alphabet, got "
                f"{modulus!r}, {target!r} and {alphabet!r}"
            )
        self.modulus, self.target, self.alphabet = modulus, target, alphabet

    def forward(self, x: Tensor) -> Tensor:
        residue = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        for symbol in x.long().T:
            residue = (residue * self.alphabet + symbol) % self.modulus
        return (residue == self.target).double()[:, None] - 0.5

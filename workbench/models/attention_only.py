"""A transformer without perceptrons, norms and biases: attention alone."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput


class AttentionOnly(nn.Module):
    """y = U h_T, h <- h + softmax(h Q (h K)' / sqrt(d)) h V O, first h_i = E[x_i] + P_i.

    Every position attends to all, with one head a layer (Elhage et al. 2021, with softmax over the
    whole sequence); the last position speaks.

    Args:
        alphabet: V, how many tokens there are.
        positions: T, the length of all sequences.
        width: d.
        outputs: k.
        layers: L.
        dtype: of the weights, which are left to be loaded: `embed` (V, d), `place` (T, d),
            `query`, `key`, `value`, `out` (L, d, d), applied from the right, and `say` (d, k).

    Raises:
        BadInput: on sizes below 1, or a sequence of another length.

    >>> M = AttentionOnly(3, 3, 2, 3, 2)
    >>> sum(p.numel() for p in M.parameters())
    50
    """

    def __init__(
        self, alphabet: int, positions: int, width: int, outputs: int, layers: int,
        dtype: torch.dtype = torch.float64,
    ):  # fmt: skip
        super().__init__()
        sizes = (alphabet, positions, width, outputs, layers)
        if any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in sizes):
            raise BadInput(f"the sizes of a transformer are whole numbers above 0, got {sizes}")

        def weight(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(shape, dtype=dtype))

        self.embed, self.place = weight(alphabet, width), weight(positions, width)
        self.query, self.key = weight(layers, width, width), weight(layers, width, width)
        self.value, self.out = weight(layers, width, width), weight(layers, width, width)
        self.say = weight(width, outputs)

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes that it was made with."""
        (v, d), t, k = self.embed.shape, len(self.place), self.say.shape[1]
        return {
            "alphabet": v, "positions": t, "width": d, "outputs": k, "layers": len(self.query),
        }  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(n, k)` of token ids `(n, T)` or soft tokens `(n, T, V)`."""
        if x.shape[1] != len(self.place):
            raise BadInput(f"sequences of {len(self.place)} tokens are read, got {x.shape[1]}")
        h = x @ self.embed if x.is_floating_point() else F.embedding(x, self.embed)
        h = h + self.place
        for i in range(len(self.query)):
            score = (h @ self.query[i]) @ (h @ self.key[i]).mT / math.sqrt(h.shape[-1])
            h = h + torch.softmax(score, -1) @ (h @ self.value[i]) @ self.out[i]
        return h[:, -1] @ self.say

"""Transformers of the Llama family as a plain torch module with a cache of keys and values."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.models.transformer import Past


@dataclass(frozen=True)
class LlamaShape:
    """Sizes of the model.

    Args:
        alphabet: V, tokens.
        width: of the residual stream.
        layers: blocks.
        heads: of the queries.
        shared: heads of keys and values, each shared by heads / shared queries.
        hidden: neurons of a block's perceptron.
        context: the most positions.
        base: of the wavelengths of rotary positions.
        eps: of the root mean square.
    """

    alphabet: int
    width: int
    layers: int
    heads: int
    shared: int
    hidden: int
    context: int
    base: float
    eps: float

    def __post_init__(self) -> None:
        if self.width % self.heads or self.heads % self.shared or (self.width // self.heads) % 2:
            raise BadInput(
                f"{self.heads} heads of queries and {self.shared} of keys do not share a width of "
                f"{self.width}"
            )


class LlamaBlock(nn.Module):
    """x + attention(norm x), then x + down(silu(gate norm x) * up norm x) (Touvron et al. 2023).

    Grouped queries (Ainslie et al. 2023), rotary positions on neighbouring pairs (Su et al. 2021),
    gated units (Shazeer 2020), root-mean-square norms (Zhang & Sennrich 2019); no biases.
    """

    def __init__(self, shape: LlamaShape):
        super().__init__()
        d, each = shape.width, shape.width // shape.heads
        self.heads, self.shared = shape.heads, shape.shared
        self.norm_1 = nn.RMSNorm(d, shape.eps)
        self.query = nn.Linear(d, d, bias=False)
        self.key = nn.Linear(d, shape.shared * each, bias=False)
        self.value = nn.Linear(d, shape.shared * each, bias=False)
        self.out = nn.Linear(d, d, bias=False)
        self.norm_2 = nn.RMSNorm(d, shape.eps)
        self.gate = nn.Linear(d, shape.hidden, bias=False)
        self.up = nn.Linear(d, shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, d, bias=False)

    def forward(
        self, x: Tensor, past: tuple[Tensor, Tensor] | None, turn: tuple[Tensor, Tensor],
        mask: Tensor | None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:  # fmt: skip
        """x `(n, t, d)` after the block, and keys and values `(n, shared, past + t, each)`.

        Args:
            turn: cosines and sines `(t, each / 2)` of the positions.
            mask: `(t, past + t)`, True where a position may attend; None where everywhere.
        """
        z = self.norm_1(x)
        q = _turned(self._split(self.query(z), self.heads), turn)
        k = _turned(self._split(self.key(z), self.shared), turn)
        v = self._split(self.value(z), self.shared)
        if past is not None:
            before = [p.expand(len(x), -1, -1, -1) for p in past]  # a prompt may be shared
            k, v = torch.cat([before[0], k], 2), torch.cat([before[1], v], 2)
        mixed = F.scaled_dot_product_attention(q, k, v, mask, enable_gqa=True)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        z = self.norm_2(x)
        return x + self.down(F.silu(self.gate(z)) * self.up(z)), (k, v)

    def _split(self, x: Tensor, heads: int) -> Tensor:
        return x.unflatten(2, (heads, -1)).transpose(1, 2)


def _turned(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Every pair (x_2i, x_2i+1) turned by its position times its frequency."""
    cos, sin = turn
    a, b = x[..., ::2], x[..., 1::2]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)


class Llama(nn.Module):
    """Next-token logits; the unembedding is the embedding, transposed.

    Args:
        shape: its sizes.

    >>> shape = LlamaShape(11, 8, 2, 2, 1, 16, 32, 1e4, 1e-5)
    >>> M = Llama(shape)
    >>> x = torch.tensor([[3, 1, 4, 1, 5]])
    >>> h, past = M.extend(x[:, :3])
    >>> again, _ = M.extend(x[:, 3:], past)
    >>> bool(torch.allclose(M.logits(again), M(x)[:, 3:], atol=1e-5))
    True
    """

    def __init__(self, shape: LlamaShape):
        super().__init__()
        self.shape = shape
        self.embed = nn.Embedding(shape.alphabet, shape.width)
        self.blocks = nn.ModuleList(LlamaBlock(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, shape.eps)

    def forward(self, x: Tensor) -> Tensor:
        """Logits after every position of x `(n, T)`: `(n, T, V)`."""
        return self.logits(self.extend(x)[0])

    def logits(self, h: Tensor) -> Tensor:
        """Logits `(..., V)` of the residual stream `(..., d)` after the last block."""
        return F.linear(self.norm(h), self.embed.weight)

    def extend(
        self, x: Tensor, past: Past | None = None, first: int = 0, last: int | None = None
    ) -> tuple[Tensor, Past]:
        """The residual stream `(n, t, d)` of t more positions, and the past with them.

        Args:
            x: `(n, t)` token ids; or, where first > 0, the stream `(n, t, d)` before that block.
            past: of the positions before, of the blocks that are run; of one sequence or of n.
            first: the first block that is run.
            last: the block before which to stop; all of the rest by default.

        Raises:
            BadInput: where the positions do not fit into the context.
        """
        blocks = self.blocks[first:last]
        before = 0 if past is None else past.keys[0].shape[2]
        after = before + x.shape[1]
        if after > self.shape.context:
            raise BadInput(f"{after} positions do not fit into a context of {self.shape.context}")
        h = self.embed(x) if first == 0 else x
        turn = self._turn(before, after)
        mask = None
        if x.shape[1] > 1:
            mask = torch.ones(after, after, dtype=torch.bool).tril()[before:]
        keys, values = [], []
        for i, block in enumerate(blocks):
            seen = None if past is None else (past.keys[i], past.values[i])
            h, (k, v) = block(h, seen, turn, mask)
            keys.append(k)
            values.append(v)
        return h, Past(tuple(keys), tuple(values))

    def _turn(self, before: int, after: int) -> tuple[Tensor, Tensor]:
        each = self.shape.width // self.shape.heads
        pace = self.shape.base ** (-torch.arange(0, each, 2, dtype=torch.float64) / each)
        angle = torch.arange(before, after, dtype=torch.float64)[:, None] * pace
        return angle.cos().to(self.norm.weight), angle.sin().to(self.norm.weight)

"""A small transformer over tokens: the next token's logits, from token ids or soft tokens."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.models.mlp import activation_module
from workbench.vocabulary import Vocabulary


@dataclass(frozen=True)
class Shape:
    """Sizes of a transformer.

    Args:
        alphabet: V, how many tokens there are.
        width: d, length of the residual stream.
        layers: blocks.
        heads: of attention in every block; they share the width.
        context: the most positions.
        hidden: neurons of every block's perceptron.
        activation: "gelu" or "relu".
    """

    alphabet: int
    width: int = 64
    layers: int = 1
    heads: int = 4
    context: int = 32
    hidden: int = 256
    activation: str = "gelu"

    def __post_init__(self) -> None:
        for name in ("alphabet", "width", "layers", "heads", "context", "hidden"):
            size = getattr(self, name)
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise BadInput(f"a transformer's {name} must be a whole number above 0: {size!r}")
        if self.width % self.heads:
            raise BadInput(f"{self.heads} heads do not share a width of {self.width}")
        if self.activation not in ("gelu", "relu"):
            raise BadInput(f"a transformer's activation is gelu or relu, got {self.activation!r}")


@dataclass(frozen=True, eq=False)
class Past:
    """Keys and values of the positions so far; of every block `(n, heads, t, width / heads)`."""

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]

    def rows(self, index: Tensor) -> "Past":
        """The past of these sequences of the batch."""
        return Past(tuple(k[index] for k in self.keys), tuple(v[index] for v in self.values))


class Block(nn.Module):
    """x + attention(norm_1 x), then x + down f(up norm_2 x): pre-normalised (Xiong et al. 2020)."""

    def __init__(self, shape: Shape, dtype: torch.dtype):
        super().__init__()
        d, h = shape.width, shape.hidden
        self.heads = shape.heads
        self.norm_1 = nn.LayerNorm(d, dtype=dtype)
        self.query = nn.Linear(d, d, dtype=dtype)
        self.key = nn.Linear(d, d, bias=False, dtype=dtype)  # a bias would cancel in the softmax
        self.value = nn.Linear(d, d, dtype=dtype)
        self.out = nn.Linear(d, d, dtype=dtype)
        self.norm_2 = nn.LayerNorm(d, dtype=dtype)
        self.up = nn.Linear(d, h, dtype=dtype)
        self.act = activation_module(shape.activation, dtype)
        self.down = nn.Linear(h, d, dtype=dtype)

    def forward(
        self, x: Tensor, past: tuple[Tensor, Tensor] | None, mask: Tensor, last: bool
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """x `(n, t, d)` after the block (its last position alone where `last`), and keys, values.

        `mask` `(t, past + t)` is True where a position may attend.
        """
        z = self.norm_1(x)
        k, v = self._split(self.key(z)), self._split(self.value(z))
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        if last:
            x, z, mask = x[:, -1:], z[:, -1:], mask[-1:]
        q = self._split(self.query(z))
        score = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~mask, -math.inf)
        mixed = (torch.softmax(score, -1) @ v).transpose(1, 2).flatten(2)
        x = x + self.out(mixed)
        return x + self.down(self.act(self.up(self.norm_2(x)))), (k, v)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Transformer(nn.Module):
    """Next-token logits y = U norm(blocks(E[x_i] + P_i)) + b at the last position of x.

    The interface that token estimators rely on:

    - `forward(x)` takes token ids `(n, T)` (int64), or soft tokens `(n, T, V)` of the weights'
      dtype, of which one-hots are a case, and gives logits `(n, V)`. It is differentiable in soft
      tokens: the derivative at a one-hot is what a substitution would do to first order.
    - `features(x)` gives the `(n, d)` that `unembed` (an `nn.Linear`) maps to the logits.
    - `logits(x)` gives the logits after every position, `(n, T, V)`.
    - `extend(x, past)` goes on from cached keys and values.

    Args:
        shape: its sizes.
        generator: of the initial weights, N(0, 0.02^2) and smaller into the residual stream
            (Radford et al. 2019); without one they are left to be loaded.
        vocabulary: what the tokens are, for readers.
        dtype: of the weights.
        device: where they are made.

    >>> import torch
    >>> M = Transformer(Shape(5, 8, 2, 2, 6, 16), torch.Generator().manual_seed(0))
    >>> x = torch.tensor([[3, 1, 4]])
    >>> M(x).shape, bool(torch.allclose(M(x), M(torch.nn.functional.one_hot(x, 5).float())))
    (torch.Size([1, 5]), True)
    """

    def __init__(
        self,
        shape: Shape,
        generator: torch.Generator | None = None,
        vocabulary: Vocabulary | None = None,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ):
        super().__init__()
        if vocabulary is not None and len(vocabulary) != shape.alphabet:
            raise BadInput(
                f"a vocabulary of {len(vocabulary)} tokens does not fit a transformer of "
                f"{shape.alphabet}"
            )
        self.shape, self.vocabulary = shape, vocabulary
        v, d = shape.alphabet, shape.width
        with torch.device(device):
            self.embed = nn.Parameter(torch.empty(v, d, dtype=dtype))
            self.place = nn.Parameter(torch.empty(shape.context, d, dtype=dtype))
            self.blocks = nn.ModuleList(Block(shape, dtype) for _ in range(shape.layers))
            self.norm = nn.LayerNorm(d, dtype=dtype)
            self.unembed = nn.Linear(d, v, dtype=dtype)
        if generator is not None:
            self._draw(generator)

    @torch.no_grad()
    def _draw(self, generator: torch.Generator) -> None:
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                inward = name.endswith(("out.weight", "down.weight"))
                std = 0.02 / math.sqrt(2 * self.shape.layers) if inward else 0.02
                weight.normal_(0.0, std, generator=generator)
            elif name.endswith("bias"):
                weight.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return self.unembed(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """The last position's normalised activations `(n, d)`, which `unembed` reads."""
        return self.norm(self.extend(x, last=True)[0][:, -1])

    def logits(self, x: Tensor) -> Tensor:
        """Logits of the token after each position, `(n, T, V)`."""
        return self.unembed(self.norm(self.extend(x)[0]))

    def extend(
        self, x: Tensor, past: Past | None = None, last: bool = False
    ) -> tuple[Tensor, Past]:
        """The residual stream `(n, t, d)` of t more positions, and the past with them.

        Args:
            x: `(n, t)` token ids or `(n, t, V)` soft tokens.
            past: of the positions before.
            last: only the last position leaves the last block: `(n, 1, d)`.

        Raises:
            BadInput: where the positions do not fit into the context.
        """
        before = 0 if past is None else past.keys[0].shape[2]
        after = before + x.shape[1]
        if after > self.shape.context:
            raise BadInput(f"{after} positions do not fit into a context of {self.shape.context}")
        h = x @ self.embed if x.is_floating_point() else F.embedding(x, self.embed)
        h = h + self.place[before:after]
        mask = torch.ones(after, after, dtype=torch.bool, device=h.device).tril()[before:]
        keys, values = [], []
        for i, block in enumerate(self.blocks):
            seen = None if past is None else (past.keys[i], past.values[i])
            h, (k, v) = block(h, seen, mask, last and i == len(self.blocks) - 1)
            keys.append(k)
            values.append(v)
        return h, Past(tuple(keys), tuple(values))

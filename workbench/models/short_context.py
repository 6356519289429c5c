"""A small neural language model that sees only the last few symbols."""

import torch
from torch import Tensor, nn

from workbench.errors import BadInput


class ShortContext(nn.Module):
    """Next-symbol logits U gelu(W [e(c_1), ..., e(c_k)] + a) + b from the last k symbols.

    The neural probabilistic language model of Bengio et al. (2003). With V^k contexts in all, what
    it says everywhere is one table.

    Args:
        alphabet: V, how many symbols there are.
        context: k, how many it sees.
        width: of a symbol's embedding.
        hidden: neurons.
        generator: of the initial weights; without one they are left to be loaded.
        dtype: of the weights.

    >>> M = ShortContext(3, 2, 4, 8, torch.Generator().manual_seed(0))
    >>> M(torch.tensor([[0, 2], [1, 1]])).shape, M.contexts.shape
    (torch.Size([2, 3]), torch.Size([9, 2]))
    """

    def __init__(
        self, alphabet: int, context: int = 2, width: int = 10, hidden: int = 96,
        generator: torch.Generator | None = None, dtype: torch.dtype = torch.float32,
    ):  # fmt: skip
        super().__init__()
        for what, size in (("alphabet", alphabet), ("context", context), ("width", width),
                           ("hidden", hidden)):  # fmt: skip
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise BadInput(f"the {what} of a language model must be positive, got {size!r}")
        self.alphabet, self.context = alphabet, context
        self.embed = nn.Parameter(torch.empty(alphabet, width, dtype=dtype))
        self.inner = nn.Linear(context * width, hidden, dtype=dtype)
        self.outer = nn.Linear(hidden, alphabet, dtype=dtype)
        if generator is not None:
            with torch.no_grad():
                for p in self.parameters():
                    scale = p.shape[1] ** -0.5 if p.ndim == 2 else 0.0
                    p.copy_(scale * torch.randn(p.shape, generator=generator, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(n, V)` of the symbol after x `(n, T)`, T >= k, of which the last k are read."""
        seen = self.embed[x[:, -self.context :]].flatten(1)
        return self.outer(nn.functional.gelu(self.inner(seen)))

    @property
    def contexts(self) -> Tensor:
        """All V^k contexts `(V^k, k)`, in the order of their numbers."""
        digits = torch.arange(self.alphabet, device=self.embed.device)
        return torch.cartesian_prod(*[digits] * self.context).reshape(-1, self.context)

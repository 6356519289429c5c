"""A transformer on many sequences that begin alike."""

import torch
from torch import Tensor

from workbench.models.transformer import Past, Transformer


def logits_sharing_prefixes(model: Transformer, x: Tensor) -> Tensor:
    """What `model(x)` gives, `(n, V)`, computing a prefix once where neighbours have it in common.

    Level i extends every different prefix of i tokens by one, from its parent's keys and values:
    on all sequences of S tokens a position in order, the last position costs what S^T passes of
    one token do, and all others together 1 / (S - 1) of that.

    Args:
        model: with causal attention.
        x: `(n, T)` token ids; sequences with a common prefix must stand together, as in
            lexicographic order.

    >>> import torch
    >>> from workbench.models.transformer import Shape
    >>> M = Transformer(Shape(3, 8, 2, 2, 4, 16), torch.Generator().manual_seed(0))
    >>> x = torch.cartesian_prod(*[torch.arange(3)] * 4)
    >>> bool(torch.allclose(logits_sharing_prefixes(M, x), M(x), atol=1e-6))
    True
    """
    fresh = torch.ones(1, dtype=torch.bool).expand(x.shape)
    if len(x) > 1:
        fresh = torch.cat([fresh[:1], (x[1:] != x[:-1]).cummax(1).values])
    past: Past | None = None
    row = torch.zeros(len(x), dtype=torch.int64)
    h = torch.empty(0)
    for i in range(x.shape[1]):
        first = torch.nonzero(fresh[:, i]).squeeze(1)
        past = None if past is None else past.rows(row[first])
        h, past = model.extend(x[first, i : i + 1], past, last=i == x.shape[1] - 1)
        row = fresh[:, i].cumsum(0) - 1
    return model.unembed(model.norm(h[:, -1]))[row]

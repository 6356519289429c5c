"""A small invertible network: residual blocks that contract."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from workbench.errors import NotConverged
from workbench.models.network import Network, Sum

_MOST = 0.95  # Lipschitz constant of a block
_ROUNDS, _FINE = 2000, 1e-12


class Residual(nn.Module):
    """T(z) = shift + (blocks z <- z + U tanh(V z + b)), each block a contraction beside z.

    |V| = 1 and |U| <= 0.95 in spectral norm, so that every block is one to one and T covers all of
    R^d; det T' is a product of determinants of size `hidden` (Sylvester's identity). With U = 0
    and shift = 0, as it is made, T is the identity.

    Args:
        d: dimensions.
        hidden: width of a block.
        blocks: how many.
        generator: of V and b.
    """

    def __init__(
        self, d: int, hidden: int, blocks: int, generator: torch.Generator, dtype: torch.dtype
    ):
        super().__init__()
        self.blocks = blocks
        self.shift = nn.Parameter(torch.zeros(d, dtype=dtype))
        for k in range(blocks):
            v = torch.randn(hidden, d, generator=generator, dtype=dtype)
            b = torch.randn(hidden, generator=generator, dtype=dtype)
            self.register_parameter(f"v{k}", nn.Parameter(v))
            self.register_parameter(f"b{k}", nn.Parameter(b))
            self.register_parameter(f"u{k}", nn.Parameter(torch.zeros(d, hidden, dtype=dtype)))

    def weights(self, k: int) -> tuple[Tensor, Tensor, Tensor]:
        """U `(d, hidden)`, V `(hidden, d)` and b `(hidden,)` of block k, norms as they count."""
        u, v, b = (getattr(self, f"{name}{k}") for name in "uvb")
        norm = torch.linalg.matrix_norm(u, 2) if bool(u.detach().any()) else u.new_zeros(())
        return u * (_MOST / torch.clamp(norm, min=_MOST)), v / torch.linalg.matrix_norm(v, 2), b

    def forward(self, z: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        log_det = z.new_zeros(len(z))
        if inverse:
            z = z - self.shift
        for k in reversed(range(self.blocks)) if inverse else range(self.blocks):
            u, v, b = self.weights(k)
            if inverse:
                z = _undo(z, u, v, b)
            h = torch.tanh(z @ v.T + b)
            inner = torch.eye(len(b), dtype=z.dtype) + (1.0 - h.square())[:, :, None] * (v @ u)
            log_det = log_det + torch.linalg.slogdet(inner).logabsdet
            if not inverse:
                z = z + h @ u.T
        return (z if inverse else z + self.shift), log_det


def _undo(e: Tensor, u: Tensor, v: Tensor, b: Tensor) -> Tensor:
    """The z with z + U tanh(V z + b) = e, by the fixed point of a contraction."""
    z = e
    for _ in range(_ROUNDS):
        after = e - torch.tanh(z @ v.T + b) @ u.T
        gap = float((after - z).detach().abs().max())
        z = after
        if gap <= _FINE * (1.0 + float(z.detach().abs().max())):
            return z
    raise NotConverged("the inverse of a residual block did not settle")


def as_network(
    residual: Residual, tensors: Mapping[str, Tensor], mean: Tensor, scale: Tensor, model: nn.Module
) -> Network:
    """model(mean + scale T(z)) as one network of known operations; carries the tensors' graph.

    Args:
        tensors: of `residual`, by name.
        mean: `(d,)`.
        scale: `(d, d)`.
    """
    holder = _Holder(residual, tensors)
    parts: list[nn.Module] = []
    inputs: list[tuple[int, ...]] = []
    last = 0
    for k in range(residual.blocks):
        u, v, b = Residual.weights(holder, k)  # type: ignore[arg-type]
        parts += [carrying(v, b), nn.Tanh(), carrying(u), Sum()]
        inputs += [(last,), (last + 1,), (last + 2,), (last, last + 3)]
        last += 4
    parts += [carrying(scale, mean + scale @ tensors["shift"]), model]
    inputs += [(last,), (last + 1,)]
    return Network(parts, inputs)


class _Holder:
    """The tensors of a module by attribute, without the module."""

    def __init__(self, residual: Residual, tensors: Mapping[str, Tensor]):
        self.blocks = residual.blocks
        self.__dict__.update(tensors)


def carrying(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    """An `nn.Linear` of plain tensors, which keep their graph; no parameters of its own."""
    rows, cols = weight.shape
    layer = nn.Linear(cols, rows, bias=bias is not None, device="meta", dtype=weight.dtype)
    del layer.weight
    layer.weight = weight  # type: ignore[assignment]
    if bias is not None:
        del layer.bias
        layer.bias = bias  # type: ignore[assignment]
    return layer

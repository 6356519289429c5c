"""A model as a problem card describes it: parts, and which earlier values feed each."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.models.attending import Attention, Einsum, MatrixProduct, MultiheadAttention


class _Constant(nn.Module):
    """Holds a tensor, which training leaves alone where it is `fixed`."""

    value: Tensor

    def __init__(self, value: Tensor, fixed: bool = False):
        super().__init__()
        if fixed:
            self.register_buffer("value", value)
        else:
            self.value = nn.Parameter(value)


class Shift(_Constant):
    """y = x + value."""

    def forward(self, x: Tensor) -> Tensor:
        return x + self.value


class Scaled(_Constant):
    """y = x * value."""

    def forward(self, x: Tensor) -> Tensor:
        return x * self.value


class Multiplied(_Constant):
    """y = x @ value."""

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.value


class Divided(_Constant):
    """y = x / value."""

    def forward(self, x: Tensor) -> Tensor:
        return x / self.value


class Sign(nn.Module):
    """y = -1, 0 or 1, by the sign of x."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sign(x)


class Heaviside(nn.Module):
    """y = 1 where x > 0, else 0; `dtype` as that of x."""

    at_zero: Tensor

    def __init__(self, dtype: torch.dtype = torch.float64):
        super().__init__()
        self.register_buffer("at_zero", torch.zeros((), dtype=dtype), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.heaviside(x, self.at_zero)


class Abs(nn.Module):
    """y = |x|."""

    def forward(self, x: Tensor) -> Tensor:
        return x.abs()


class Square(nn.Module):
    """y = x^2."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.square(x)


class Exp(nn.Module):
    """y = exp(x)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.exp(x)


class Sin(nn.Module):
    """y = sin(x)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x)


class Cos(nn.Module):
    """y = cos(x)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cos(x)


class Power(nn.Module):
    """y = x to a whole power."""

    def __init__(self, exponent: float = 3.0):
        super().__init__()
        self.exponent = exponent

    def forward(self, x: Tensor) -> Tensor:
        return x.pow(self.exponent)


class ClampMin(nn.Module):
    """y = x, but no less than min."""

    def __init__(self, min: float = 0.0):
        super().__init__()
        self.min = min

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(min=self.min)


class ClampMax(nn.Module):
    """y = x, but no more than max."""

    def __init__(self, max: float = 0.0):
        super().__init__()
        self.max = max

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(max=self.max)


class Reshaped(nn.Module):
    """y = x in shape `to`, the batch axis kept."""

    def __init__(self, to: tuple[int, ...]):
        super().__init__()
        self.to_shape = to

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], *self.to_shape)


class Picked(nn.Module):
    """y = x[:, *index]: along every axis one entry, a slice, a list of entries; None a new axis."""

    def __init__(self, index: Sequence[int | slice | list[int] | None]):
        super().__init__()
        self.index = (slice(None), *index)

    def forward(self, x: Tensor) -> Tensor:
        return x[self.index]


class Permuted(nn.Module):
    """y = x with its axes in another order, counted without the batch axis."""

    def __init__(self, order: Sequence[int]):
        super().__init__()
        self.order = (0, *(k + 1 for k in order))

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.order)


class Packed(nn.Module):
    """y = x, laid out anew in memory."""

    def forward(self, x: Tensor) -> Tensor:
        return x.contiguous()


class Padded(nn.Module):
    """y = x with values around it: zeros, or its own by `reflect`, `replicate`, `circular`.

    Args:
        before, after: how many along each of the last axes.
    """

    def __init__(self, before: Sequence[int], after: Sequence[int], mode: str):
        super().__init__()
        pairs = zip(reversed(before), reversed(after), strict=True)
        self.sizes = [n for pair in pairs for n in pair]
        self.mode = "constant" if mode == "zeros" else mode

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, self.sizes, self.mode)


class Flipped(nn.Module):
    """y = x backward along some axes, counted without the batch axis."""

    def __init__(self, axes: Sequence[int]):
        super().__init__()
        self.axes = tuple(k + 1 for k in axes)

    def forward(self, x: Tensor) -> Tensor:
        return x.flip(self.axes)


class Mean(nn.Module):
    """y = the means of x over axes that are counted without the batch axis, or backward from -1."""

    def __init__(self, axes: tuple[int, ...], keep: bool):
        super().__init__()
        self.axes, self.keep = tuple(k + 1 if k >= 0 else k for k in axes), keep

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(self.axes, keepdim=self.keep)


class Total(Mean):
    """y = the sums of x over axes."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(self.axes, keepdim=self.keep)


class _OverAxis(nn.Module):
    """Over an axis that is counted without the batch axis, kept with length 1 or dropped."""

    def __init__(self, axis: int, keep: bool):
        super().__init__()
        self.axis, self.keep = axis + 1, keep


class Greatest(_OverAxis):
    """y = the greatest entries of x along an axis."""

    def forward(self, x: Tensor) -> Tensor:
        return x.amax(self.axis, keepdim=self.keep)


class Least(_OverAxis):
    """y = the least entries of x along an axis."""

    def forward(self, x: Tensor) -> Tensor:
        return x.amin(self.axis, keepdim=self.keep)


class LogSumExp(_OverAxis):
    """y = log of the sum of exp(x) along an axis."""

    def forward(self, x: Tensor) -> Tensor:
        return x.logsumexp(self.axis, keepdim=self.keep)


class Normalised(nn.Module):
    """y = weight (x - mean) / sqrt(var + eps) + bias by channel: batch normalisation at rest.

    The mean and the variance stay what they are, in training mode too.
    """

    mean: Tensor
    var: Tensor

    def __init__(
        self, mean: Tensor, var: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
    ):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("var", var)
        self.weight = None if weight is None else nn.Parameter(weight)
        self.bias = None if bias is None else nn.Parameter(bias)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.mean, self.var, self.weight, self.bias, eps=self.eps)


class UnitLength(nn.Module):
    """y = x / |x| along the last axis, |x| at least eps."""

    def __init__(self, eps: float):
        super().__init__()
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=-1, eps=self.eps)


class Sum(nn.Module):
    """y = the sum of two values (a residual sum)."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b


class Difference(nn.Module):
    """y = one value less another."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a - b


class Multiply(nn.Module):
    """y = one value times another."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a * b


class Maximum(nn.Module):
    """y = the greater of two values."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.maximum(a, b)


class Minimum(nn.Module):
    """y = the lesser of two values."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.minimum(a, b)


class Joined(nn.Module):
    """y = values one after the other along an axis, counted without the batch axis."""

    def __init__(self, axis: int):
        super().__init__()
        self.axis = axis + 1

    def forward(self, *parts: Tensor) -> Tensor:
        return torch.cat(parts, self.axis)


_PAIRS = (Sum, Difference, Multiply, Maximum, Minimum, MatrixProduct, Einsum)
"""Parts that take two values."""


_THREE = (Attention, MultiheadAttention)
"""Parts that take three."""


class Network(nn.Module):
    """Parts in evaluation order; value 0 is the input, part i makes value i + 1, the last is y.

    Args:
        parts: modules of one input or two, or of any number where they are `Joined`.
        inputs: for every part, the indices of the values it takes.
    """

    def __init__(self, parts: Sequence[nn.Module], inputs: Sequence[Sequence[int]]):
        super().__init__()
        if len(parts) != len(inputs) or not parts:
            raise BadInput(f"a network needs inputs for each of its parts, got {len(inputs)}")
        for i, feeds in enumerate(inputs):
            part = parts[i]
            want = 2 if isinstance(part, _PAIRS) else 3 if isinstance(part, _THREE) else 1
            if isinstance(parts[i], Joined):
                want = max(1, len(feeds))
            if len(feeds) != want or any(not 0 <= j <= i for j in feeds):
                raise BadInput(
                    f"part {i} of the network takes {want} earlier value(s), got {list(feeds)}"
                )
        self.parts = nn.ModuleList(parts)
        self.inputs = tuple(tuple(f) for f in inputs)

    def forward(self, x: Tensor) -> Tensor:
        values = [x]
        for part, feeds in zip(self.parts, self.inputs, strict=True):
            values.append(part(*(values[i] for i in feeds)))
        return values[-1]


def chain(parts: Sequence[nn.Module]) -> Network:
    """A network in which every part takes the value before it."""
    return Network(parts, [(i,) for i in range(len(parts))])

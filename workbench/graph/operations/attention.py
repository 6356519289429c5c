"""Attention: scores of queries and keys, their softmax, sums of values weighed by it."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import BadInput
from workbench.graph.base import Composite, Several, Shape, Step
from workbench.graph.call import Call, Constant, Feed, Missing, Number, Ref, part_of
from workbench.graph.operations.bias import Bias
from workbench.graph.operations.contraction import Axes, contracted
from workbench.graph.operations.elementwise import Elementwise
from workbench.graph.operations.linear import Linear
from workbench.graph.operations.masked import NOTHING, Masked, known_mask, parted
from workbench.graph.operations.norms import LayerNorm
from workbench.graph.operations.pairs import measured
from workbench.graph.operations.reshape import Reshape
from workbench.graph.operations.softmax import softmaxed
from workbench.graph.operations.steps import Steps
from workbench.graph.operations.sums import Add
from workbench.math.activations import activation

_SCORES = 1 << 24
_LEADING = "abcdefgh"


@dataclass(frozen=True)
class _Given(Constant):
    """A tensor that is made of others where it is asked for."""

    tensor: Tensor

    @property
    def value(self) -> Tensor:
        return self.tensor


def attended(
    steps: Steps,
    values: tuple[int, int, int],
    shapes: tuple[Shape, Shape, Shape],
    letters: tuple[str, str, str, str, str],
    factor: float,
    mask: Tensor | None,
) -> int:
    """Put attention of queries, keys and values; the number of the value.

    Args:
        letters: of the axes of queries, keys, scores, values, and of what is made.
        factor: of the scores.
        mask: added to the scores, or true where a query sees a key.
    """
    (q, k, v), (one, two, three) = values, shapes
    queries, keys, scores, mixed, out = letters
    x = contracted(steps, q, k, Axes(queries, keys, scores), one, two, factor)
    sizes = Axes(queries, keys, scores).sizes(one, two)
    table = tuple(sizes[c] for c in scores)
    if mask is not None:
        keep, more = parted(mask)
        if more is not None:
            x = steps.put(Bias(_Given(more)), x)
        if not bool(keep.all()):
            x = steps.put(Masked(_Given(keep), Number(NOTHING)), x)
    x = softmaxed(steps, x, len(table) - 1, table[-1])
    return contracted(steps, x, v, Axes(scores, mixed, out), table, three)


@dataclass(frozen=True, eq=False)
class Attention(Composite):
    """y = softmax(factor q k^T + mask) v over the last two axes: `scaled_dot_product_attention`.

    Its steps are products, a softmax and products again, each by its own rule: in propagation every
    one presumes jointly Gaussian values, which weights near 0 or 1 are not.
    """

    mask: Constant | None
    causal: bool
    factor: float | None
    about: ClassVar[str] = "scaled_dot_product_attention"

    @classmethod
    def read(cls, call: Call) -> "Composite | Several | None":
        if call.name != "scaled_dot_product_attention":
            return None
        names = ("query", "key", "value")
        if len(call.args) < 3 or not all(type(a) is Feed for a in call.args[:3]):
            raise call.refuse(f"{call.name} other than of {', '.join(names)} in a row")
        mask = known_mask(call, call.argument(3, "attn_mask"))
        if call.argument(4, "dropout_p", 0.0) or call.kwargs.get("enable_gqa"):
            raise call.refuse(f"{call.name} with dropout, or with fewer keys than heads")
        factor = call.kwargs.get("scale")
        if factor is not None and not isinstance(factor, int | float):
            raise call.refuse()
        return cls(mask, bool(call.argument(5, "is_causal", False)), factor)

    def steps(self, *shapes: Shape | None) -> tuple[Step, ...]:
        one, two, three = measured(self.about, *shapes)
        if min(map(len, (one, two, three))) < 2:
            raise BadInput(f"attends in values of shapes {[one, two, three]}")
        if one[-2] * two[-2] > _SCORES:
            raise BadInput(f"makes {one[-2]:,} x {two[-2]:,} scores, up to {_SCORES:,} are read")
        lead = _LEADING[: len(one) - 2]
        mask = None if self.mask is None else self.mask.value
        if self.causal:
            mask = torch.ones(one[-2], two[-2], dtype=torch.bool).tril()
        factor = one[-1] ** -0.5 if self.factor is None else float(self.factor)
        letters = (lead + "qx", lead + "kx", lead + "qk", lead + "kx", lead + "qx")
        steps = Steps(3)
        attended(steps, (0, 1, 2), (one, two, three), letters, factor, mask)
        return tuple(steps.found)


def _of_heads(
    steps: Steps, m: nn.MultiheadAttention, values: tuple[int, int, int],
    shapes: tuple[Shape, ...], mask: Tensor | None,
) -> int:  # fmt: skip
    """Put an `nn.MultiheadAttention` on values of shapes `(tokens, width)`."""
    e, heads, cut = m.embed_dim, m.num_heads, []
    for i, (value, (tokens, _)) in enumerate(zip(values, shapes, strict=True)):
        rows = slice(i * e, (i + 1) * e)
        weight = part_of(Ref(m, "in_proj_weight"), rows)
        bias = None
        if m.in_proj_bias is not None:
            bias = part_of(Ref(m, "in_proj_bias"), rows)
        made = steps.put(Linear(weight, bias), value)
        cut.append(steps.put(Reshape((tokens, heads, e // heads)), made))
    many = [(s[0], heads, e // heads) for s in shapes]
    if mask is not None and mask.dtype == torch.bool:
        mask = ~mask
    x = attended(
        steps, (cut[0], cut[1], cut[2]), (many[0], many[1], many[2]),
        ("qhx", "khx", "hqk", "khx", "qhx"), (e // heads) ** -0.5, mask,
    )  # fmt: skip
    bias = None if m.out_proj.bias is None else Ref(m.out_proj, "bias")
    x = steps.put(Reshape((shapes[0][0], e)), x)
    return steps.put(Linear(Ref(m.out_proj, "weight"), bias), x)


def _check(call: Call, m: nn.MultiheadAttention) -> None:
    """Raises `Unsupported` for forms of attention that are not read."""
    if m.batch_first == call.time_first:
        raise call.refuse(f"{call.what} {call.misplaced}")
    if m.training and m.dropout:
        raise call.refuse(f"{call.what} in training mode (call model.eval() first)")
    if m.in_proj_weight is None or m.bias_k is not None or m.add_zero_attn:
        raise call.refuse(f"{call.what} with kdim, vdim, add_bias_kv or add_zero_attn")


@dataclass(frozen=True, eq=False)
class MultiheadAttention(Composite):
    """y = `nn.MultiheadAttention` of queries, keys and values `(tokens, width)`, as `Attention`.

    Args:
        mask: of scores; true where a query must not see a key.
        weights: whether code asks for the attention weights as well, which changes the last bits.
    """

    layer: nn.MultiheadAttention
    mask: Constant | None
    causal: bool
    weights: bool
    about: ClassVar[str] = "MultiheadAttention"

    @classmethod
    def read(cls, call: Call) -> "Composite | Several | None":
        m = call.module
        if not isinstance(m, nn.MultiheadAttention):
            return None
        if len(call.args) < 3 or not all(type(a) is Feed for a in call.args[:3]):
            raise call.refuse("MultiheadAttention other than of query, key, value in a row")
        _check(call, m)
        if call.argument(3, "key_padding_mask") is not None or len(call.feeds) > 3:
            raise call.refuse("MultiheadAttention with a padding mask")
        mask = known_mask(call, call.argument(5, "attn_mask"))
        if mask is not None and mask.value.ndim != 2:
            raise call.refuse("MultiheadAttention with a mask for every head")
        causal = bool(call.argument(7, "is_causal", False))
        return cls(m, mask, causal, bool(call.argument(4, "need_weights", True)))

    def steps(self, *shapes: Shape | None) -> tuple[Step, ...]:
        known = measured(self.about, *shapes)
        for s in known:
            _check_tokens(s, self.layer.embed_dim)
        steps = Steps(3)
        mask = None if self.mask is None else self.mask.value
        _of_heads(steps, self.layer, (0, 1, 2), known, mask)
        return tuple(steps.found)

    def results(self, call: Call, value: Feed) -> Any:
        return value, Missing("attention weights")


def _check_tokens(got: Shape, width: int) -> None:
    if len(got) != 2 or got[1] != width:
        raise BadInput(f"takes (tokens, {width}) but is fed {got}")


@dataclass(frozen=True, eq=False)
class EncoderLayer(Composite):
    """y = an `nn.TransformerEncoderLayer` of x `(tokens, width)`: attention, norms, two Linear."""

    layer: nn.TransformerEncoderLayer
    mask: Constant | None
    causal: bool
    about: ClassVar[str] = "TransformerEncoderLayer, TransformerEncoder"

    @classmethod
    def read(cls, call: Call) -> "Composite | Several | None":
        match call.module:
            case nn.TransformerEncoderLayer() as m:
                names = ("src_mask", "src_key_padding_mask", "is_causal")
                mask, padding, causal = (call.argument(1 + i, k) for i, k in enumerate(names))
                layers, norm = [m], None
            case nn.TransformerEncoder() as m:
                names = ("mask", "src_key_padding_mask", "is_causal")
                mask, padding, causal = (call.argument(1 + i, k) for i, k in enumerate(names))
                layers, norm = list(m.layers), m.norm
            case _:
                return None
        if padding is not None or len(call.feeds) != 1 or type(call.args[0]) is not Feed:
            raise call.refuse(f"{call.what} with a padding mask, or masks of the input")
        mask = known_mask(call, mask)
        if isinstance(call.module, nn.TransformerEncoder) and causal is None and mask is not None:
            causal = _is_causal(mask.value)
        found: list[Step] = []
        for i, layer in enumerate(layers):
            if not isinstance(layer, nn.TransformerEncoderLayer):
                raise call.refuse(f"{call.what} of layers of its own")
            _check(call, layer.self_attn)
            if layer.training and layer.dropout.p:
                raise call.refuse(f"{call.what} in training mode (call model.eval() first)")
            if bend_of(layer) is None:
                raise call.refuse(f"{call.what} with an activation other than relu or gelu")
            found.append((cls(layer, mask, bool(causal)), (i,)))
        if isinstance(norm, nn.LayerNorm):
            weight, bias = (None if getattr(norm, k) is None else Ref(norm, k)
                            for k in ("weight", "bias"))  # fmt: skip
            over = tuple(norm.normalized_shape)
            found.append((LayerNorm(over, weight, bias, norm.eps), (len(found),)))
        elif norm is not None:
            raise call.refuse(f"{call.what} with a norm other than LayerNorm")
        return Several(tuple(found))

    def steps(self, *shapes: Shape | None) -> tuple[Step, ...]:
        (got,) = measured(self.about.split(", ")[0], *shapes)
        m = self.layer
        _check_tokens(got, m.self_attn.embed_dim)
        mask = None if self.mask is None else self.mask.value
        steps = Steps()

        def normed(norm: nn.LayerNorm, x: int) -> int:
            bias = None if norm.bias is None else Ref(norm, "bias")
            over = tuple(norm.normalized_shape)
            return steps.put(LayerNorm(over, Ref(norm, "weight"), bias, norm.eps), x)

        def seen(x: int) -> int:
            return _of_heads(steps, m.self_attn, (x, x, x), (got,) * 3, mask)

        def thought(x: int) -> int:
            bend = Elementwise(activation(bend_of(m) or ""))
            hidden = steps.put(bend, steps.put(_linear(m.linear1), x))
            return steps.put(_linear(m.linear2), hidden)

        if m.norm_first:
            x = steps.put(Add(), 0, seen(normed(m.norm1, 0)))
            steps.put(Add(), x, thought(normed(m.norm2, x)))
        else:
            x = normed(m.norm1, steps.put(Add(), 0, seen(0)))
            normed(m.norm2, steps.put(Add(), x, thought(x)))
        return tuple(steps.found)


def _linear(m: nn.Linear) -> Linear:
    return Linear(Ref(m, "weight"), None if m.bias is None else Ref(m, "bias"))


def bend_of(m: nn.TransformerEncoderLayer) -> str | None:
    """The name of the activation of a layer; None where it is not known."""
    f: Any = m.activation
    if f is F.relu or isinstance(f, nn.ReLU):
        return "relu"
    if f is F.gelu or (isinstance(f, nn.GELU) and f.approximate == "none"):
        return "gelu"
    return None


def _is_causal(mask: Tensor) -> bool:
    """Whether `nn.TransformerEncoder` takes it for a causal mask, as it finds out by itself."""
    if mask.ndim != 2 or mask.shape[0] != mask.shape[1]:
        return False
    causal = torch.full(mask.shape, -math.inf, dtype=mask.dtype if mask.is_floating_point()
                        else torch.float32).triu(1)  # fmt: skip
    return bool((mask == causal).all())

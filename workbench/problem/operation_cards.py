"""What a card says of each operation of a model."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

Key = Annotated[str, Field(min_length=1, max_length=200, description="name of a tensor")]
Size = Annotated[int, Field(ge=1, le=1 << 24)]
Place = Annotated[int, Field(ge=0, le=1 << 24)]
Axes = Annotated[list[int], Field(min_length=1, max_length=8)]
Axis = Annotated[int, Field(ge=0, le=8)]
Tensors = Annotated[dict[str, Key], Field(max_length=128, description="by PyTorch's names")]
Per = Annotated[list[Size], Field(min_length=1, max_length=2, description="one number an axis")]

Fixed = Annotated[Literal[True] | None, Field(description="where training leaves it alone")]


class Strict(BaseModel):
    """A part of a card: no other fields, no text for a number, no infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class MaskCard(Strict):
    """What is added to scores where `keep` is not 0; elsewhere they count for nothing."""

    keep: Key
    add: Key | None = None


class LinearCard(Strict):
    """y = W x + b along the last axis of x."""

    op: Literal["linear"] = "linear"
    inputs: list[int]
    weight: Key
    bias: Key | None = None


class MatmulCard(Strict):
    """y = x @ value along the last axis of x."""

    op: Literal["matmul"] = "matmul"
    inputs: list[int]
    value: Key
    fixed: Fixed = None


class BiasCard(Strict):
    """y = x + value; value of x's shape, or repeated along its axes of length 1."""

    op: Literal["bias"] = "bias"
    inputs: list[int]
    value: Key
    fixed: Fixed = None


class ScaleCard(Strict):
    """y = x * value or x / value; value as in a bias."""

    op: Literal["scale", "divide"]
    inputs: list[int]
    value: Key
    fixed: Fixed = None


class PlainCard(Strict):
    """An operation without weights."""

    op: Literal[
        "relu", "gelu", "tanh", "sigmoid", "silu", "selu", "mish", "tanh_gelu", "hardswish",
        "hardsigmoid", "softsign", "tanhshrink", "logsigmoid", "abs", "square", "sign",
        "heaviside", "exp", "sin", "cos", "flatten", "add", "subtract", "multiply", "maximum",
        "minimum", "contiguous",
    ]  # fmt: skip
    inputs: list[int]


class SettingsCard(Strict):
    """An activation with settings, which are PyTorch's."""

    op: Literal["leaky_relu", "elu", "celu", "softplus", "hardtanh", "softshrink", "clamp_min",
                "clamp_max", "pow"]  # fmt: skip
    inputs: list[int]
    settings: dict[str, FiniteFloat] = Field(
        description="negative_slope, alpha, beta and threshold, min_val and max_val, lambd, min, "
        "max, or exponent"
    )


class PReLUCard(Strict):
    """y = x above 0, weight x below; one weight, or one for each entry of the first axis."""

    op: Literal["prelu"] = "prelu"
    inputs: list[int]
    weight: Key


class ReshapeCard(Strict):
    """The same numbers in another shape, without the batch axis."""

    op: Literal["reshape"] = "reshape"
    inputs: list[int]
    to: Annotated[list[Size], Field(min_length=1, max_length=8)]


class Run(Strict):
    """Entries start, start + step, ... before stop."""

    start: Place = 0
    stop: Size
    step: Size = 1


class PickCard(Strict):
    """Entries of x: along each axis one (which drops it), a run or a list; null adds an axis."""

    op: Literal["pick"] = "pick"
    inputs: list[int]
    index: list[Place | Run | Annotated[list[Place], Field(min_length=1)] | None] = Field(
        min_length=1, max_length=16, description="an entry an axis, without the batch axis"
    )


class PermuteCard(Strict):
    """x with its axes in another order."""

    op: Literal["permute"] = "permute"
    inputs: list[int]
    order: Axes


class FlipCard(Strict):
    """x backward along some axes."""

    op: Literal["flip"] = "flip"
    inputs: list[int]
    axes: Axes


class CatCard(Strict):
    """Values one after the other along an axis."""

    op: Literal["cat"] = "cat"
    inputs: list[int]
    axis: Axis


class ConvolutionCard(Strict):
    """y = W * x + b over the last one or two axes of x `(channels, ...)`, with zero padding."""

    op: Literal["convolution"] = "convolution"
    inputs: list[int]
    weight: Key = Field(description="(out, in / groups, size) or (out, in / groups, height, width)")
    bias: Key | None = None
    stride: Per
    padding: list[Place] = Field(min_length=1, max_length=2)
    dilation: Per
    groups: Size = 1


class ConvolutionTransposeCard(Strict):
    """The transpose of a convolution, plus b."""

    op: Literal["convolution_transpose"] = "convolution_transpose"
    inputs: list[int]
    weight: Key = Field(description="(in, out / groups, size) or (in, out / groups, height, width)")
    bias: Key | None = None
    stride: Per
    padding: list[Place] = Field(min_length=1, max_length=2)
    more: list[Place] = Field(min_length=1, max_length=2, description="places added at the end")
    dilation: Per
    groups: Size = 1


class PadCard(Strict):
    """x with so many values around it along each of its last axes."""

    op: Literal["pad"] = "pad"
    inputs: list[int]
    before: list[Place] = Field(min_length=1, max_length=8)
    after: list[Place] = Field(min_length=1, max_length=8)
    mode: Literal["zeros", "reflect", "replicate", "circular"]


class ResizeCard(Strict):
    """x `(channels, *size)` interpolated at other sizes, or at sizes times a factor."""

    op: Literal["resize"] = "resize"
    inputs: list[int]
    to: Per | None = None
    by: list[Annotated[FiniteFloat, Field(gt=0.0, le=1 << 12)]] | None = Field(
        default=None, min_length=1, max_length=2
    )
    mode: Literal["nearest", "nearest-exact", "linear", "bilinear", "bicubic"]
    corners: bool | None = Field(default=None, description="whether corners stay where they are")


class AdaptivePoolCard(Strict):
    """Means over windows of the last one or two axes of x, as many along each as stated."""

    op: Literal["adaptive_avg_pool"] = "adaptive_avg_pool"
    inputs: list[int]
    to: Per


class AvgPoolCard(Strict):
    """Means over windows of the last one or two axes of x `(channels, ...)`."""

    op: Literal["avg_pool"] = "avg_pool"
    inputs: list[int]
    kernel: Per
    stride: Per
    padding: list[Place] | None = Field(default=None, min_length=1, max_length=2)
    ceil: Literal[True] | None = Field(default=None, description="where a window may end beyond x")
    whole: Literal[False] | None = Field(default=None, description="where padding does not count")
    divisor: Size | None = Field(default=None, description="of sums, instead of a count")


class MaxPoolCard(Strict):
    """Maxima over windows of the last one or two axes of x `(channels, ...)`, less padding."""

    op: Literal["max_pool"] = "max_pool"
    inputs: list[int]
    kernel: Per
    stride: Per
    padding: list[Place] = Field(min_length=1, max_length=2)


class MeanCard(Strict):
    """Means or sums over axes, counted without the batch axis from 0, or from -1 backward."""

    op: Literal["mean", "sum"] = "mean"
    inputs: list[int]
    axes: Axes
    keep: bool = Field(description="whether the axes stay, of length 1")


class GreatestCard(Strict):
    """The greatest or the least entries along an axis, counted without the batch axis."""

    op: Literal["greatest", "least"]
    inputs: list[int]
    axis: Axis
    keep: bool = Field(description="whether the axis stays, of length 1")


class SoftmaxCard(Strict):
    """exp(x) over its sum along an axis, counted without the batch axis, or the log of that."""

    op: Literal["softmax", "log_softmax"]
    inputs: list[int]
    axis: Axis


class LogSumExpCard(Strict):
    """log of the sum of exp(x) along an axis, counted without the batch axis."""

    op: Literal["logsumexp"] = "logsumexp"
    inputs: list[int]
    axis: Axis
    keep: bool = Field(description="whether the axis stays, of length 1")


class MatrixProductCard(Strict):
    """Two values multiplied as matrices over their last two axes."""

    op: Literal["matrix_product"] = "matrix_product"
    inputs: list[int]


class EinsumCard(Strict):
    """Products of two values summed over axes; the first letter of each is the batch axis."""

    op: Literal["einsum"] = "einsum"
    inputs: list[int]
    equation: Annotated[str, Field(min_length=1, max_length=64)]


class MaskedCard(Strict):
    """x where `keep` is not 0, else `fill`; minus infinity where that is left out."""

    op: Literal["masked"] = "masked"
    inputs: list[int]
    keep: Key
    fill: Key | None = None


class AttentionCard(Strict):
    """softmax(factor q k^T + mask) v over the last two axes of queries, keys and values."""

    op: Literal["attention"] = "attention"
    inputs: list[int]
    mask: MaskCard | None = None
    causal: Literal[True] | None = None
    factor: FiniteFloat | None = Field(default=None, description="1 / sqrt(length) where left out")


class MultiheadAttentionCard(Strict):
    """PyTorch's MultiheadAttention of queries, keys and values `(tokens, width)`."""

    op: Literal["multihead_attention"] = "multihead_attention"
    inputs: list[int]
    width: Size
    heads: Size
    tensors: Tensors
    mask: MaskCard | None = None
    causal: Literal[True] | None = None
    asked: Literal[True] | None = Field(default=None, description="for its weights as well")


class EncoderLayerCard(Strict):
    """PyTorch's TransformerEncoderLayer of x `(tokens, width)`."""

    op: Literal["encoder_layer"] = "encoder_layer"
    inputs: list[int]
    width: Size
    heads: Size
    hidden: Size
    activation: Literal["relu", "gelu"]
    first: bool = Field(description="whether norms come first")
    eps: Annotated[list[Annotated[FiniteFloat, Field(ge=0.0)]], Field(min_length=2, max_length=2)]
    tensors: Tensors
    mask: MaskCard | None = None
    causal: Literal[True] | None = None


class RecurrentCard(Strict):
    """The states of PyTorch's RNN, LSTM or GRU at all steps, of x `(steps, width)`, from 0 on."""

    op: Literal["rnn_tanh", "rnn_relu", "lstm", "gru"]
    inputs: list[int]
    width: Size
    hidden: Size
    layers: Annotated[int, Field(ge=1, le=16)]
    both: Literal[True] | None = Field(default=None, description="ways along the steps")
    tensors: Tensors


class LayerNormCard(Strict):
    """y = weight z / sqrt(|z|^2 / n + eps) + bias, z = x less its mean, over the n values of its
    last axes."""

    op: Literal["layer_norm"] = "layer_norm"
    inputs: list[int]
    over: Annotated[list[Size], Field(min_length=1, max_length=8, description="shape of x")]
    weight: Key | None = None
    bias: Key | None = None
    eps: FiniteFloat = Field(ge=0.0)


class RMSNormCard(Strict):
    """y = weight x / sqrt(|x|^2 / n + eps) over the n values of the last axes of x."""

    op: Literal["rms_norm"] = "rms_norm"
    inputs: list[int]
    over: Annotated[list[Size], Field(min_length=1, max_length=8, description="the last axes")]
    weight: Key | None = None
    eps: FiniteFloat | None = Field(default=None, ge=0.0)


class GroupNormCard(Strict):
    """As a layer_norm over each run of channels (group_norm) or each channel (instance_norm)."""

    op: Literal["group_norm", "instance_norm"]
    inputs: list[int]
    groups: Size
    channels: Size
    axes: Annotated[int, Field(ge=0, le=2, description="behind that of the channels")]
    weight: Key | None = Field(default=None, description="one number a channel, as the bias")
    bias: Key | None = None
    eps: FiniteFloat = Field(ge=0.0)


class UnitLengthCard(Strict):
    """y = x / |x| along the last axis, |x| at least eps."""

    op: Literal["unit_length"] = "unit_length"
    inputs: list[int]
    eps: FiniteFloat = Field(ge=0.0)


class BatchNormCard(Strict):
    """y = weight (x - mean) / sqrt(var + eps) + bias, a number each per channel."""

    op: Literal["batch_norm"] = "batch_norm"
    inputs: list[int]
    mean: Key
    var: Key
    weight: Key | None = None
    bias: Key | None = None
    eps: FiniteFloat = Field(ge=0.0)


NODES = (
    LinearCard
    | MatmulCard
    | BiasCard
    | ScaleCard
    | PlainCard
    | SettingsCard
    | PReLUCard
    | ReshapeCard
    | PickCard
    | PermuteCard
    | FlipCard
    | CatCard
    | ConvolutionCard
    | ConvolutionTransposeCard
    | PadCard
    | ResizeCard
    | AdaptivePoolCard
    | AvgPoolCard
    | MaxPoolCard
    | MeanCard
    | GreatestCard
    | SoftmaxCard
    | LogSumExpCard
    | MatrixProductCard
    | EinsumCard
    | MaskedCard
    | AttentionCard
    | MultiheadAttentionCard
    | EncoderLayerCard
    | RecurrentCard
    | LayerNormCard
    | RMSNormCard
    | GroupNormCard
    | UnitLengthCard
    | BatchNormCard
)

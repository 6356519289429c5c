"""What the layers of a transformer do to the residual stream, for every kind of transformer."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from workbench.errors import Unsupported
from workbench.math.activations import activation
from workbench.models import AttentionOnly, Transformer
from workbench.models.transformer import Block
from workbench.propagation.effects import Effects

KINDS = (Transformer, AttentionOnly)


class Layers(ABC):
    """A transformer as its layers' maps of one position's residual stream.

    Attributes:
        layers, width, heads, hidden, outputs: sizes; hidden is 0 where there is no perceptron.
        causal: whether a position sees only those before it, and itself; else all.
    """

    layers: int
    width: int
    heads: int
    hidden: int
    outputs: int
    causal: bool

    @abstractmethod
    def embed(self, tokens: Tensor, position: int) -> Tensor:
        """The stream `(..., d)` of tokens `(...)` at a position."""

    @abstractmethod
    def project(self, h: Effects, layer: int) -> tuple[Effects, Effects, Effects]:
        """Queries, keys and values, the heads one after the other."""

    @abstractmethod
    def after(self, h: Effects, mixed: Effects, layer: int) -> Effects:
        """The stream after the layer, of the stream before and what attention mixed."""

    @abstractmethod
    def read(self, h: Effects) -> Effects:
        """The logits of the last position's stream."""


class Blocks(Layers):
    """Of a `Transformer`."""

    def __init__(self, model: Transformer):
        self.model, s = model, model.shape
        self.layers, self.width, self.heads = s.layers, s.width, s.heads
        self.hidden, self.outputs, self.causal = s.hidden, s.alphabet, True

    def _block(self, layer: int) -> Block:
        block = self.model.blocks[layer]
        assert isinstance(block, Block)
        return block

    def embed(self, tokens: Tensor, position: int) -> Tensor:
        return self.model.embed.double()[tokens] + self.model.place.double()[position]

    def project(self, h: Effects, layer: int) -> tuple[Effects, Effects, Effects]:
        block = self._block(layer)
        z = h.layer_norm(block.norm_1)
        return z.linear(block.query), z.linear(block.key), z.linear(block.value)

    def after(self, h: Effects, mixed: Effects, layer: int) -> Effects:
        block = self._block(layer)
        h = h + mixed.linear(block.out)
        z = h.layer_norm(block.norm_2).linear(block.up)
        return h + z.pointwise(activation(self.model.shape.activation)).linear(block.down)

    def read(self, h: Effects) -> Effects:
        return h.layer_norm(self.model.norm).linear(self.model.unembed)


class Attentions(Layers):
    """Of an `AttentionOnly`."""

    def __init__(self, model: AttentionOnly):
        self.model, sizes = model, model.sizes
        self.layers, self.width, self.outputs = sizes["layers"], sizes["width"], sizes["outputs"]
        self.heads, self.hidden, self.causal = 1, 0, False

    def embed(self, tokens: Tensor, position: int) -> Tensor:
        return self.model.embed.double()[tokens] + self.model.place.double()[position]

    def project(self, h: Effects, layer: int) -> tuple[Effects, Effects, Effects]:
        m = self.model
        return h.map(m.query[layer].T), h.map(m.key[layer].T), h.map(m.value[layer].T)

    def after(self, h: Effects, mixed: Effects, layer: int) -> Effects:
        return h + mixed.map(self.model.out[layer].T)

    def read(self, h: Effects) -> Effects:
        return h.map(self.model.say.T)


def layers_of(model: nn.Module) -> Layers:
    """The layers of a transformer.

    Raises:
        Unsupported: where it is of no kind whose layers are known.
    """
    if isinstance(model, Transformer):
        return Blocks(model)
    if isinstance(model, AttentionOnly):
        return Attentions(model)
    raise Unsupported(
        f"a model that is a {type(model).__name__}", "a Transformer or an AttentionOnly is needed"
    )

"""The parts of a card as the parts of a problem."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from workbench.distributions import (
    AcceptedText,
    Box,
    Conditional,
    Discrete,
    Distribution,
    Gaussian,
    Gibbs,
    Mixture,
    PromptedText,
    ShortText,
    SpinGlass,
    SpinNetwork,
    StudentT,
    Tokens,
)
from workbench.errors import BadInput
from workbench.math.checks import check_finite
from workbench.models import (
    AttentionOnly,
    Automaton,
    Continuation,
    Network,
    Residue,
    ShortContext,
    Transformer,
)
from workbench.models.transformer import Shape
from workbench.problem import card as cards
from workbench.problem import nodes
from workbench.problem.core import Truth
from workbench.problem.scope import Scope
from workbench.specs import (
    And,
    Argmax,
    Halfspace,
    LongestCycle,
    Median,
    Or,
    Points,
    Polytope,
    Probe,
    Spec,
    Trusted,
)
from workbench.vocabulary import Vocabulary

M = TypeVar("M", bound=nn.Module)
Parts = dict[str, nn.Module]
"""Operations by what a card says of them, less where they stand."""
_CONTEXTS = 1 << 22
"""The most contexts of a short-sighted language model: its table is made in full."""


class Reader:
    """Looks up the tensors that a card names, each checked as it is taken."""

    def __init__(self, tensors: dict[str, Tensor], dtype: torch.dtype):
        self.tensors, self.dtype = tensors, dtype
        self._frozen: Parts = {}

    def get(self, key: str, dtype: torch.dtype | None = None) -> Tensor:
        if key not in self.tensors:
            raise BadInput(f"the card names tensor {key!r}, which its tensor file lacks")
        value = self.tensors[key]
        if value.dtype not in (torch.float32, torch.float64):
            raise BadInput(f"tensor {key!r} must be float32 or float64, got {value.dtype}")
        if value.numel() == 0:
            raise BadInput(f"tensor {key!r} is empty, of shape {tuple(value.shape)}")
        check_finite(f"tensor {key!r}", value)
        return value.to(dtype or self.dtype)

    def distribution(self, c: Any) -> Distribution:
        match c:
            case cards.GaussianCard():
                return Gaussian(self.get(c.mean), self.get(c.scale))
            case cards.MixtureCard():
                parts = tuple(Gaussian(self.get(p.mean), self.get(p.scale)) for p in c.components)
                return Mixture(self.get(c.weights), parts)
            case cards.StudentTCard():
                return StudentT(self.get(c.mean), self.get(c.scale), c.df)
            case cards.DiscreteCard():
                return Discrete(self.get(c.values), self.get(c.probs))
            case cards.ConditionedCard():
                base = self.distribution(c.base)
                scope = self.frozen(c.network, base.dim, base.dtype)
                event = self.spec(c.event, scope)
                return Conditional(base, scope.module, event, c.softness or 0.0)
            case cards.GibbsCard():
                base = self.distribution(c.base)
                assert isinstance(base, Gaussian)
                return Gibbs(base, self.frozen(c.energy, base.dim, base.dtype).module)
            case cards.SpinGlassCard():
                return SpinGlass(self.get(c.couplings), self.get(c.fields), c.beta)
            case cards.SpinNetworkCard():
                fields = self.get(c.fields)
                scope = self.frozen(c.energy, fields.numel(), fields.dtype)
                return SpinNetwork(fields, scope.module)
            case cards.TokensCard():
                return Tokens(self.get(c.probs, torch.float64))
            case cards.ShortTextCard():
                network = self._short_context(c.network)
                return ShortText(network, tuple(c.prompt), c.length, c.temperature)
            case cards.AcceptedTextCard():
                base = self.distribution(c.base)
                assert isinstance(base, ShortText)
                accepting = torch.tensor(self._whole(c.accepting, 1)).bool()
                return AcceptedText(base, torch.tensor(self._whole(c.after, 2)), accepting)
            case cards.PromptedTextCard():
                speaker = Continuation(self.transformer(c.network), tuple(c.prompt), c.end)
                return PromptedText(speaker, c.length, c.temperature)
            case _:
                return Box(self.get(c.low), self.get(c.high))

    def scope(self, c: cards.ModelCard, dim: int, dtype: torch.dtype) -> Scope:
        """A model, known from shapes alone to take `dim` numbers and to need little memory."""
        return Scope(self.model(c), dim, dtype).checked()

    def model(self, c: cards.ModelCard, known: Parts | None = None) -> nn.Module:
        """Operations of the same tensors are one module, at every place where they stand.

        `known` keeps these modules for other models of the same card.
        """
        whole = (
            cards.TransformerCard
            | cards.AttentionOnlyCard
            | cards.AutomatonCard
            | cards.ResidueCard
        )
        if any(isinstance(node, whole) for node in c.nodes):
            node, *more = c.nodes
            if more or not isinstance(node, whole) or node.inputs != [0]:
                raise BadInput(f"a {node.op} stands alone in its model and reads the input")
            match node:
                case cards.AutomatonCard():
                    after = torch.tensor(self._whole(node.after, 2))
                    return Automaton(after, self.get(node.outputs), node.symbols or "")
                case cards.ResidueCard():
                    return Residue(node.modulus, node.target, node.alphabet)
                case cards.AttentionOnlyCard():
                    sizes = (node.alphabet, node.positions, node.width, node.outputs, node.layers)
                    return self._loaded(
                        lambda: AttentionOnly(*sizes, dtype=self.dtype), node.weights
                    )
                case cards.TransformerCard():
                    return self.transformer(node)
        parts: list[nn.Module] = []
        known = {} if known is None else known
        for i, node in enumerate(c.nodes):
            assert isinstance(node, nodes.Node)
            what = node.model_copy(update={"inputs": []}).model_dump_json()
            if what not in known:
                known[what] = nodes.made(i, node, self.get, self.dtype)
            parts.append(known[what])
        return Network(parts, [node.inputs for node in c.nodes])

    def transformer(self, c: cards.TransformerCard) -> Transformer:
        vocabulary = None
        if c.symbols is not None:
            merges = self._whole(c.merges, 2) if c.merges else []
            counts = self._whole(c.counts, 1) if c.counts else []
            pairs = tuple((int(a), int(b)) for a, b in merges)
            vocabulary = Vocabulary(c.symbols, pairs, tuple(counts))
        shape = Shape(
            c.alphabet, c.width, c.layers, c.heads, c.context, c.hidden, c.activation
        )  # fmt: skip
        if c.layers > len(c.weights):
            raise BadInput(
                f"a transformer of {c.layers} layers cannot have {len(c.weights)} weights"
            )
        return self._loaded(
            lambda: Transformer(shape, None, vocabulary, self.dtype, torch.get_default_device()),
            c.weights,
        )

    def _short_context(self, c: cards.ShortContextCard) -> ShortContext:
        if c.context * math.log(c.alphabet) > math.log(_CONTEXTS):
            raise BadInput(
                f"a language model that sees {c.context} symbols of {c.alphabet} has more than "
                f"{_CONTEXTS:,} contexts, which are made in full"
            )
        return self._loaded(
            lambda: ShortContext(c.alphabet, c.context, c.width, c.hidden, dtype=self.dtype),
            c.weights,
        )

    def _loaded(self, make: Callable[[], M], keys: dict[str, str]) -> M:
        """A model with these weights, frozen; made in earnest once they fit."""
        try:
            with torch.device("meta"):
                sized = make()
        except (RuntimeError, TypeError, OverflowError) as error:  # of sizes beyond all memory
            raise BadInput("the sizes of a language model in the card are too large") from error
        want = {k: w.shape for k, w in sized.state_dict().items()}
        weights = {k: self.get(key) for k, key in keys.items()}
        got = {k: w.shape for k, w in weights.items()}
        if got != want:
            odd = sorted({k for k in want.keys() | got.keys() if want.get(k) != got.get(k)})
            attends = isinstance(sized, Transformer | AttentionOnly)
            what = "transformer" if attends else "language model"
            raise BadInput(f"the weights {', '.join(odd[:4])} do not fit the {what}'s sizes")
        model = make()
        model.load_state_dict(weights)
        return model.requires_grad_(False).eval()

    def _whole(self, key: str, axes: int) -> list[Any]:
        """A tensor of whole numbers as lists."""
        value = self.get(key, torch.float64)
        if value.ndim != axes or bool((value != value.round()).any()):
            raise BadInput(f"tensor {key!r} must hold whole numbers along {axes} axes")
        return value.long().tolist()

    def frozen(self, c: cards.ModelCard, dim: int, dtype: torch.dtype) -> Scope:
        """A network that is not trained; two that have an operation in common share it."""
        network = self.model(c, self._frozen).requires_grad_(False).eval()
        return Scope(network, dim, dtype).checked()

    def spec(self, c: Any, scope: Scope) -> Spec:
        match c:
            case cards.HalfspaceCard():
                return Halfspace(self.get(c.a), self.get(c.b))
            case cards.ArgmaxCard():
                return Argmax(c.label, c.event, c.by)
            case cards.PointsCard():
                return Points(c.rank, c.event, c.by)
            case cards.MedianCard():
                return Median(c.within, c.event)
            case cards.LongestCycleCard():
                return LongestCycle(c.event, c.by)
            case cards.PolytopeCard():
                return Polytope(self.get(c.a), self.get(c.b))
            case cards.TrustedCard():
                return Trusted(reads=c.reads, **self.head(c, c.reads, scope))
            case cards.ProbeCard():
                return Probe(layer=c.layer, **self.head(c, c.layer, scope))
            case _:
                parts = tuple(self.spec(p, scope) for p in c.parts)
                return And(parts) if c.type == "and" else Or(parts)

    def head(
        self, c: cards.TrustedCard | cards.ProbeCard, source: str | int, scope: Scope
    ) -> dict[str, Any]:
        own = self.frozen(c.network, scope.width(source), scope.dtype)
        return {
            "network": own.module, "event": self.spec(c.event, own),
            "false_alarms": c.false_alarms, "misses": c.misses, "trained_on": c.trained_on,
        }  # fmt: skip

    def truth(self, c: cards.TruthCard | None) -> Truth | None:
        if c is None:
            return None
        gradients = {name: self.get(key) for name, key in c.gradients.items()}
        return Truth(c.log10_p, c.se_log10, c.method, c.provenance, gradients)

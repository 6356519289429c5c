"""The parts of a problem as the parts of a card, their tensors collected on the way."""

from dataclasses import asdict
from typing import Any, cast

import torch
from torch import Tensor, nn

from workbench import graph as graphs
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
    Tokens,
)
from workbench.errors import Unsupported
from workbench.models import (
    AttentionOnly,
    Automaton,
    Continuation,
    Residue,
    ShortContext,
    Transformer,
)
from workbench.problem import card as cards
from workbench.problem.core import Truth
from workbench.specs import (
    And,
    Argmax,
    Halfspace,
    Head,
    LongestCycle,
    Median,
    Or,
    Points,
    Polytope,
    Probe,
    Spec,
    Trusted,
)

WHOLE = (Transformer, AttentionOnly, Automaton, Residue)
"""Models that a card holds as one node, and that are no graphs."""


class Writer:
    """Collects tensors under names; those exact in float32 are stored so (loaded bit for bit)."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._parameters: dict[int, str] = {}

    def put(self, key: str, value: Tensor) -> str:
        value = value.detach().cpu().contiguous()
        short = value.to(torch.float32)
        exact = torch.equal(short.to(value.dtype), value)
        self.tensors[key] = (short if exact else value).clone()
        return key

    def shared(self, key: str, value: Tensor) -> str:
        """As `put`; a parameter that stands at several places is kept once, under its first key."""
        known = self._parameters.setdefault(id(value), key)
        return self.put(key, value) if known == key else known

    def distribution(self, d: Distribution, at: str = "distribution") -> Any:
        match d:
            case Gaussian():
                mean, scale = self.put(f"{at}.mean", d.mean), self.put(f"{at}.scale", d.scale)
                return cards.GaussianCard(mean=mean, scale=scale)
            case Mixture():
                return cards.MixtureCard(
                    weights=self.put(f"{at}.weights", d.weights),
                    components=[
                        self.distribution(c, f"{at}.{k}") for k, c in enumerate(d.components)
                    ],
                )
            case Box():
                return cards.BoxCard(
                    low=self.put(f"{at}.low", d.low), high=self.put(f"{at}.high", d.high)
                )
            case Discrete():
                return cards.DiscreteCard(
                    values=self.put(f"{at}.values", d.values),
                    probs=self.put(f"{at}.probs", d.probs),
                )
            case Conditional(network=network):
                return cards.ConditionedCard(
                    base=self.distribution(d.base, f"{at}.base"),
                    network=self.network(network, f"{at}.network"),
                    event=self.spec(cast(Spec, d.event), f"{at}.event"),
                    softness=float(d.softness) or None,
                )
            case Gibbs(network=network):
                return cards.GibbsCard(
                    base=self.distribution(d.base, f"{at}.base"),
                    energy=self.network(network, f"{at}.energy"),
                )
            case SpinGlass():
                return cards.SpinGlassCard(
                    couplings=self.put(f"{at}.couplings", d.couplings),
                    fields=self.put(f"{at}.fields", d.fields),
                    beta=d.beta,
                )
            case SpinNetwork(network=network):
                return cards.SpinNetworkCard(
                    fields=self.put(f"{at}.fields", d.fields),
                    energy=self.network(network, f"{at}.energy"),
                )
            case Tokens():
                return cards.TokensCard(probs=self.put(f"{at}.probs", d.probs))
            case ShortText(network=ShortContext()):
                return self._short_text(d, at)
            case AcceptedText():
                return cards.AcceptedTextCard(
                    base=self.distribution(d.base, f"{at}.base"),
                    after=self.put(f"{at}.after", d.after),
                    accepting=self.put(f"{at}.accepting", d.accepting.double()),
                )
            case PromptedText(speaker=Continuation() as speaker):
                written = self.whole(speaker.network, f"{at}.network").nodes[0]
                assert isinstance(written, cards.TransformerCard)
                own = {k: self.put(written.weights[k], w) for k, w in d.parameters.items()}
                return cards.PromptedTextCard(
                    network=written.model_copy(update={"weights": {**written.weights, **own}}),
                    prompt=list(speaker.prompt), length=d.length, temperature=float(d.temperature),
                )  # fmt: skip
        raise Unsupported(f"a distribution of type {d.name!r}", "no card describes it")

    def network(self, module: nn.Module, at: str) -> cards.ModelCard:
        """A network of a spec or of a distribution."""
        if isinstance(module, WHOLE):
            return self.whole(module, at)
        return self.model(graphs.read(module), at)

    def _short_text(self, d: ShortText, at: str) -> cards.ShortTextCard:
        net = d.network
        assert isinstance(net, ShortContext)
        network = cards.ShortContextCard(
            alphabet=net.alphabet, context=net.context, width=net.embed.shape[1],
            hidden=net.inner.out_features,
            weights={k: self.put(f"{at}.network.{k}", w) for k, w in d.parameters.items()},
        )  # fmt: skip
        return cards.ShortTextCard(
            network=network, prompt=list(d.prompt), length=d.length,
            temperature=float(d.temperature),
        )  # fmt: skip

    def model(
        self, graph: graphs.Graph, under: str = "model", width: int | None = None
    ) -> cards.ModelCard:
        """A graph as a card; `width`, the length of its input, is needed where it takes columns."""
        widths = () if width is None else graph.widths(width)
        nodes: list[Any] = []
        for i, node in enumerate(graph.nodes[1:]):
            feeds, at = list(node.inputs), f"{under}.{i}"
            match node.op:
                case graphs.Linear(weight=w, bias=b):
                    bias = None if b is None else self.shared(f"{at}.bias", b)
                    weight = self.shared(f"{at}.weight", w)
                    nodes.append(cards.LinearCard(inputs=feeds, weight=weight, bias=bias))
                case graphs.Bias(value=v):
                    nodes.append(cards.BiasCard(inputs=feeds, value=self.put(f"{at}.value", v)))
                case graphs.Elementwise(activation=name):
                    nodes.append(cards.PlainCard(op=name, inputs=feeds))  # type: ignore[arg-type]
                case graphs.Flatten():
                    nodes.append(cards.PlainCard(op="flatten", inputs=feeds))
                case graphs.Add():
                    nodes.append(cards.PlainCard(op="add", inputs=feeds))
                case graphs.Columns() as columns if widths:  # as the linear map that it is
                    weight = self.put(f"{at}.weight", columns.matrix(widths[feeds[0]]))
                    nodes.append(cards.LinearCard(inputs=feeds, weight=weight, bias=None))
                case op:
                    raise Unsupported(
                        f"operation {type(op).__name__} at {node.name!r}", "no card describes it"
                    )
        return cards.ModelCard(nodes=nodes)

    def whole(self, model: nn.Module, at: str = "model") -> cards.ModelCard:
        """A model of one node: one of `WHOLE`."""
        match model:
            case Automaton():
                node: Any = cards.AutomatonCard(
                    after=self.put(f"{at}.after", model.after),
                    outputs=self.put(f"{at}.outputs", model.outputs),
                    symbols=model.symbols or None,
                )
            case AttentionOnly():
                weights = {k: self.put(f"{at}.{k}", w) for k, w in model.state_dict().items()}
                node = cards.AttentionOnlyCard.model_validate({**model.sizes, "weights": weights})
            case Residue(modulus=q, target=r):
                node = cards.ResidueCard(modulus=q, target=r, alphabet=model.alphabet)
            case _:
                assert isinstance(model, Transformer)
                node = self._transformer(model, at)
        return cards.ModelCard(nodes=[node])

    def _transformer(self, model: Transformer, at: str) -> cards.TransformerCard:
        """A transformer with its vocabulary."""
        told: dict[str, Any] = {}
        if (v := model.vocabulary) is not None:
            told["symbols"] = v.symbols
            for name, numbers in (("merges", v.merges), ("counts", v.counts)):
                if numbers:
                    numbers = torch.tensor(numbers, dtype=torch.float64)
                    told[name] = self.put(f"{at}.{name}", numbers)
        weights = {k: self.put(f"{at}.{k}", w) for k, w in model.state_dict().items()}
        return cards.TransformerCard(**asdict(model.shape), weights=weights, **told)

    def spec(self, c: Spec, at: str = "spec") -> Any:
        match c:
            case Halfspace(a=a, b=b):
                offset = b if isinstance(b, Tensor) else a.new_tensor(b)
                return cards.HalfspaceCard(a=self.put(f"{at}.a", a), b=self.put(f"{at}.b", offset))
            case Argmax():
                return cards.ArgmaxCard(label=c.label, event=c.event, by=float(c.by))
            case Polytope():
                return cards.PolytopeCard(a=self.put(f"{at}.a", c.a), b=self.put(f"{at}.b", c.b))
            case Points():
                return cards.PointsCard(rank=c.rank, event=c.event, by=float(c.by))
            case Median():
                return cards.MedianCard(within=float(c.within), event=c.event)
            case LongestCycle():
                return cards.LongestCycleCard(event=c.event, by=float(c.by))
            case And(parts=parts) | Or(parts=parts):
                each = [self.spec(p, f"{at}.{i}") for i, p in enumerate(parts)]
                kind = "and" if isinstance(c, And) else "or"
                return cards.CombinationCard(type=kind, parts=each)
            case Trusted():
                return cards.TrustedCard(**self.head(c, at), reads=c.reads)
            case Probe():
                return cards.ProbeCard(**self.head(c, at), layer=c.layer)
        raise Unsupported(f"a spec of type {c.name!r}", "no card describes it")

    def head(self, c: Head, at: str) -> dict[str, Any]:
        return {
            "network": self.network(c.network, f"{at}.network"),
            "event": self.spec(c.inner, f"{at}.event"),
            "false_alarms": c.false_alarms, "misses": c.misses, "trained_on": c.trained_on,
        }  # fmt: skip

    def truth(self, t: Truth | None) -> cards.TruthCard | None:
        if t is None:
            return None
        keys = {k: self.put(f"truth.{k}", v) for k, v in t.gradients.items()}
        return cards.TruthCard(
            log10_p=t.log10_p, se_log10=t.se_log10, method=t.method,
            provenance=t.provenance, gradients=keys,
        )  # fmt: skip

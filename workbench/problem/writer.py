"""The parts of a problem as the parts of a card, their tensors collected on the way."""

import math
from dataclasses import asdict
from functools import partial
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
    StudentT,
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
from workbench.plain import plain
from workbench.problem import card as cards
from workbench.problem import nodes
from workbench.problem.core import Truth
from workbench.problem.scope import WHOLE, Scope, check_size
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


class Writer:
    """Collects tensors under names; those exact in float32 are stored so (loaded bit for bit)."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._parameters: dict[int, tuple[str, Tensor]] = {}

    def put(self, key: str, value: Tensor) -> str:
        value = value.detach().cpu().contiguous()
        short = value.to(torch.float32)
        exact = torch.equal(short.to(value.dtype), value)
        self.tensors[key] = (short if exact else value).clone()
        return key

    def shared(self, at: str, part: str, value: Tensor) -> str:
        """As `put`; a parameter that stands at several places is kept once, under its first key.

        It is held on to: the weight of a parametrised layer is made anew each time it is asked for,
        and the next one could take its place in memory.
        """
        key = f"{at}.{part}"
        known, _ = self._parameters.setdefault(id(value), (key, value))
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
            case StudentT():
                return cards.StudentTCard(
                    mean=self.put(f"{at}.mean", d.mean),
                    scale=self.put(f"{at}.scale", d.scale),
                    df=d.df,
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
                scope = Scope(network, d.dim, d.dtype)
                return cards.ConditionedCard(
                    base=self.distribution(d.base, f"{at}.base"),
                    network=self.network(network, f"{at}.network", d.dim),
                    event=self.spec(cast(Spec, d.event), scope, f"{at}.event"),
                    softness=float(d.softness) or None,
                )
            case Gibbs(network=network):
                return cards.GibbsCard(
                    base=self.distribution(d.base, f"{at}.base"),
                    energy=self.network(network, f"{at}.energy", d.dim),
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
                    energy=self.network(network, f"{at}.energy", d.dim),
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
                    end=speaker.end,
                )  # fmt: skip
        raise Unsupported(f"a distribution of type {d.name!r}", "no card describes it")

    def network(self, module: nn.Module, at: str, width: int) -> cards.ModelCard:
        """A network of a spec or of a distribution, that reads so many numbers."""
        if isinstance(module, WHOLE):
            return self.whole(module, at)
        return self.model(graphs.read(module, width), width, at)

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

    def model(self, graph: graphs.Graph, width: int, under: str = "model") -> cards.ModelCard:
        """A graph as a card; `width` is the length of its input."""
        shapes = graph.shapes(width)
        check_size(sum(map(math.prod, shapes)))
        found: list[Any] = []
        values = {0: 0}  # the card's number of every node that the card makes
        for i, node in enumerate(graph.nodes[1:], start=1):
            op, feeds = node.op, node.inputs
            if node.part is not None:
                if not node.part.last:
                    continue
                op, feeds = node.part.whole, node.part.sources
            taken = [shapes[j] for j in feeds]
            put = partial(self.shared, f"{under}.{len(found)}")
            described = nodes.written(op, [values[j] for j in feeds], taken, put)
            if described is None:
                raise Unsupported(
                    f"operation {type(node.op).__name__} at {node.name!r}", "no card describes it"
                )
            found.append(described)
            values[i] = len(found)
        return cards.ModelCard(nodes=found)

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

    def spec(self, c: Spec, scope: Scope, at: str = "spec") -> Any:
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
                each = [self.spec(p, scope, f"{at}.{i}") for i, p in enumerate(parts)]
                kind = "and" if isinstance(c, And) else "or"
                return cards.CombinationCard(type=kind, parts=each)
            case Trusted():
                return cards.TrustedCard(**self.head(c, scope, at), reads=c.reads)
            case Probe():
                return cards.ProbeCard(**self.head(c, scope, at), layer=c.layer)
        raise Unsupported(f"a spec of type {c.name!r}", "no card describes it")

    def head(self, c: Head, scope: Scope, at: str) -> dict[str, Any]:
        width = scope.width(c.source)
        own = Scope(c.network, width, scope.dtype)
        return {
            "network": self.network(c.network, f"{at}.network", width),
            "event": self.spec(c.inner, own, f"{at}.event"),
            "false_alarms": c.false_alarms, "misses": c.misses, "trained_on": c.trained_on,
        }  # fmt: skip

    def truth(self, t: Truth | None) -> cards.TruthCard | None:
        if t is None:
            return None
        keys = {k: self.put(f"truth.{k}", v) for k, v in t.gradients.items()}
        return cards.TruthCard(
            log10_p=t.log10_p, se_log10=t.se_log10, method=t.method,
            provenance=plain(t.provenance), gradients=keys,
        )  # fmt: skip

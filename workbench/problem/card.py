"""The problem card: a JSON description of (D, M, C), its tensors in a safetensors file beside it.

Every `Key` names a tensor in that file. `workbench schema` prints the JSON Schema.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat

from workbench.problem.nodes import NODES, Key, Strict

VERSION = 1
FORMAT = "workbench-problem"
LONGEST = 1 << 16
"""Symbols of a text: models read it one after the other."""


class GaussianCard(Strict):
    """mean + scale z."""

    type: Literal["gaussian"] = "gaussian"
    mean: Key
    scale: Key = Field(description="(d,) standard deviations or (d, d) lower-triangular factor")


class MixtureCard(Strict):
    """A weighted sum of Gaussians."""

    type: Literal["mixture"] = "mixture"
    weights: Key
    components: list[GaussianCard] = Field(min_length=1)


class StudentTCard(Strict):
    """mean + scale z / sqrt(w), w ~ chi^2_df / df."""

    type: Literal["student_t"] = "student_t"
    mean: Key
    scale: Key = Field(description="(d,) or (d, d) lower-triangular factor, as of a gaussian")
    df: FiniteFloat = Field(ge=1.0, le=1e6, description="degrees of freedom")


class BoxCard(Strict):
    """Uniform between two corners."""

    type: Literal["box"] = "box"
    low: Key
    high: Key


class DiscreteCard(Strict):
    """Independent coordinates with finitely many values each."""

    type: Literal["discrete"] = "discrete"
    values: Key = Field(description="(d, s)")
    probs: Key = Field(description="(d, s), 0 for values that fill up a row")


class TokensCard(Strict):
    """Token sequences with independent positions."""

    type: Literal["tokens"] = "tokens"
    probs: Key = Field(description="(T, V)")


class ShortContextCard(Strict):
    """A language model of the last few symbols."""

    alphabet: int = Field(ge=1)
    context: int = Field(ge=1)
    width: int = Field(ge=1)
    hidden: int = Field(ge=1)
    weights: dict[str, Key]


class ShortTextCard(Strict):
    """Text of a fixed length by a language model of the last few symbols."""

    type: Literal["short_text"] = "short_text"
    network: ShortContextCard
    prompt: list[int] = Field(description="symbols before the text")
    length: int = Field(ge=1, le=LONGEST)
    temperature: FiniteFloat = Field(gt=0.0)


class AcceptedTextCard(Strict):
    """The same, given that an automaton ends in an accepting state."""

    type: Literal["accepted_text"] = "accepted_text"
    base: ShortTextCard
    after: Key = Field(description="(Q, V), next states; it starts in state 0")
    accepting: Key = Field(description="(Q,), 1 where it accepts, else 0")


class PromptedTextCard(Strict):
    """Text by a transformer after a prompt, to its end token or of a fixed length."""

    type: Literal["prompted"] = "prompted"
    network: "TransformerCard"
    prompt: list[int] = Field(min_length=1)
    length: int = Field(ge=2, le=LONGEST)
    temperature: FiniteFloat = Field(gt=0.0)
    end: int | None = Field(default=None, ge=0, description="the token that ends a text")


PlainLawCard = Annotated[
    GaussianCard | MixtureCard | StudentTCard | BoxCard | DiscreteCard | ShortTextCard,
    Field(discriminator="type"),
]


class ConditionedCard(Strict):
    """A base restricted to where a recogniser fires, or weighted by Phi(r / softness)."""

    type: Literal["conditioned"] = "conditioned"
    base: PlainLawCard
    network: "ModelCard"
    event: "SpecCard"
    softness: FiniteFloat | None = Field(default=None, gt=0.0, description="none restricts")


class GibbsCard(Strict):
    """A Gaussian weighed by exp(-U), U a network of one output."""

    type: Literal["gibbs"] = "gibbs"
    base: GaussianCard
    energy: "ModelCard"


class SpinGlassCard(Strict):
    """exp(beta (x . J x / 2 + h . x)) on x of -1 and 1."""

    type: Literal["spin_glass"] = "spin_glass"
    couplings: Key = Field(description="J, (d, d), symmetric with a zero diagonal")
    fields: Key = Field(description="h, (d,)")
    beta: FiniteFloat


class SpinNetworkCard(Strict):
    """exp(h . x - U(x)) on x of -1 and 1, U a network of one output."""

    type: Literal["spin_network"] = "spin_network"
    fields: Key = Field(description="h, (d,)")
    energy: "ModelCard"


DistributionCard = Annotated[
    GaussianCard
    | MixtureCard
    | StudentTCard
    | BoxCard
    | DiscreteCard
    | ConditionedCard
    | GibbsCard
    | SpinGlassCard
    | SpinNetworkCard
    | TokensCard
    | ShortTextCard
    | AcceptedTextCard
    | PromptedTextCard,
    Field(discriminator="type"),
]


class TransformerCard(Strict):
    """Token ids to the next token's logits; it stands alone in its model."""

    op: Literal["transformer"] = "transformer"
    inputs: list[int] = Field(default_factory=lambda: [0])
    alphabet: int
    width: int
    layers: int
    heads: int
    context: int
    hidden: int
    activation: Literal["gelu", "relu"]
    weights: dict[str, Key]
    symbols: str | None = Field(default=None, description="tokens 0, 1, ... of one character each")
    merges: Key | None = Field(default=None, description="(m, 2), the pairs that make the others")
    counts: Key | None = Field(default=None, description="(V,), how often each token was seen")


class AttentionOnlyCard(Strict):
    """Layers of attention over the whole of a sequence of tokens; it stands alone in its model."""

    op: Literal["attention_only"] = "attention_only"
    inputs: list[int] = Field(default_factory=lambda: [0])
    alphabet: int
    positions: int
    width: int
    outputs: int
    layers: int
    weights: dict[str, Key]


class AutomatonCard(Strict):
    """What is said of the state in which it ends; it stands alone in its model."""

    op: Literal["automaton"] = "automaton"
    inputs: list[int] = Field(default_factory=lambda: [0])
    after: Key = Field(description="(Q, V), next states; it starts in state 0")
    outputs: Key = Field(description="(Q, k)")
    symbols: str | None = Field(default=None, description="characters of symbols 0, 1, ...")


class ResidueCard(Strict):
    """1/2 where the number that a text spells has a residue, else -1/2; alone in its model."""

    op: Literal["residue"] = "residue"
    inputs: list[int] = Field(default_factory=lambda: [0])
    modulus: int
    target: int
    alphabet: int


NodeCard = Annotated[
    NODES | TransformerCard | AttentionOnlyCard | AutomatonCard | ResidueCard,
    Field(discriminator="op"),
]


class ModelCard(Strict):
    """Operations in evaluation order; value 0 is the input, node i makes value i + 1."""

    nodes: list[NodeCard] = Field(min_length=1)


class HalfspaceCard(Strict):
    """a . y + b > 0."""

    type: Literal["halfspace"] = "halfspace"
    a: Key
    b: Key


class ArgmaxCard(Strict):
    """Class `label` loses, or wins, by more than `by`."""

    type: Literal["argmax"] = "argmax"
    label: int = Field(ge=0)
    event: Literal["loses", "wins"]
    by: FiniteFloat = 0.0


class PolytopeCard(Strict):
    """A y + b > 0 in every row."""

    type: Literal["polytope"] = "polytope"
    a: Key
    b: Key


class PointsCard(Strict):
    """The greatest output stands where the value of a rank stands in x, or does not."""

    type: Literal["points"] = "points"
    rank: int = Field(ge=0)
    event: Literal["right", "wrong"]
    by: FiniteFloat = 0.0


class MedianCard(Strict):
    """The output is nearer than `within` to the median of x, or is not."""

    type: Literal["median"] = "median"
    within: FiniteFloat
    event: Literal["near", "far"]


class LongestCycleCard(Strict):
    """The greatest output tells the longest cycle of the function that x is, or does not."""

    type: Literal["longest_cycle"] = "longest_cycle"
    event: Literal["right", "wrong"]
    by: FiniteFloat = 0.0


class CombinationCard(Strict):
    """All parts, or any part."""

    type: Literal["and", "or"]
    parts: list["SpecCard"] = Field(min_length=1)


class _HeadCard(Strict):
    """An event of a network, and its error rates on labelled data where they are known."""

    network: ModelCard
    event: "SpecCard"
    false_alarms: FiniteFloat | None = Field(default=None, ge=0.0, le=1.0)
    misses: FiniteFloat | None = Field(default=None, ge=0.0, le=1.0)
    trained_on: int = Field(default=0, ge=0)


class TrustedCard(_HeadCard):
    """An event of a network that reads x, y or both."""

    type: Literal["trusted"] = "trusted"
    reads: Literal["both", "inputs", "outputs"] = "both"


class ProbeCard(_HeadCard):
    """An event of a network that reads the value of one node of M."""

    type: Literal["probe"] = "probe"
    layer: int = Field(ge=0, description="number of the node, from 0 for the input")


SpecCard = Annotated[
    HalfspaceCard
    | ArgmaxCard
    | PolytopeCard
    | PointsCard
    | MedianCard
    | LongestCycleCard
    | CombinationCard
    | TrustedCard
    | ProbeCard,
    Field(discriminator="type"),
]


class TruthCard(Strict):
    """A reference value and where it comes from."""

    log10_p: FiniteFloat = Field(le=0.0)
    se_log10: FiniteFloat = Field(ge=0.0, description="standard error of log10_p; 0 where exact")
    method: str
    provenance: dict[str, Any] = Field(default_factory=dict)
    gradients: dict[str, Key] = Field(default_factory=dict)


class WeightsCard(Strict):
    """The safetensors file beside the card."""

    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=200)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Card(Strict):
    """A problem (D, M, C)."""

    format: Literal["workbench-problem"] = FORMAT
    version: int = VERSION
    name: str = Field(min_length=1, max_length=200)
    about: str = ""
    dtype: Literal["float32", "float64"] = "float64"
    weights: WeightsCard
    distribution: DistributionCard
    model: ModelCard
    spec: SpecCard
    truth: TruthCard | None = None


for _card in (
    CombinationCard,
    TrustedCard,
    ProbeCard,
    ConditionedCard,
    GibbsCard,
    SpinNetworkCard,
    PromptedTextCard,
):
    _card.model_rebuild()
Card.model_rebuild()

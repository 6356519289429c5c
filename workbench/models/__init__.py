"""Models: any `nn.Module`; here are the ones that the workbench makes itself."""

from workbench.models.attention_only import AttentionOnly
from workbench.models.automaton import Automaton, ending, watching
from workbench.models.by_construction import built
from workbench.models.continuation import Continuation
from workbench.models.headed import Headed
from workbench.models.mlp import dense, mlp
from workbench.models.network import (
    Abs,
    Difference,
    Divided,
    Flipped,
    Greatest,
    Heaviside,
    Joined,
    Least,
    LogSumExp,
    Maximum,
    Mean,
    Minimum,
    Multiplied,
    Multiply,
    Network,
    Normalised,
    Packed,
    Padded,
    Permuted,
    Picked,
    Reshaped,
    Scaled,
    Shift,
    Sign,
    Square,
    Sum,
    Total,
    UnitLength,
    chain,
)
from workbench.models.prefixes import logits_sharing_prefixes
from workbench.models.residue import Residue
from workbench.models.rnn import RNN, from_torch, random_rnn
from workbench.models.rollout import rollout
from workbench.models.short_context import ShortContext
from workbench.models.transformer import Transformer
from workbench.models.widened import Beside

MODELS: dict[str, str] = {
    "mlp": "random multilayer perceptron (He initialisation; any known activation)",
    "transformer": "small transformer over tokens, from token ids or soft tokens to next logits",
    "attention_only": "attention alone, over tokens: the tiny transformers of family algzoo",
    "short_context": "small language model of the last few symbols: the exactly solvable adversary",
    "rnn": "recurrent network of one layer (ReLU or tanh), its steps written out",
    "automaton": "finite automaton that reads a text; `watching` builds one for given words",
    "residue": "recogniser of texts by the residue of the number that they spell",
    "network": "parts and the earlier values that feed each, as a problem card holds them",
}
"""Names and descriptions, as `workbench list models` shows them."""

__all__ = [
    "MODELS", "RNN", "Abs", "AttentionOnly", "Automaton", "Beside", "Continuation", "Difference",
    "Divided", "Flipped", "Greatest", "Headed", "Heaviside", "Joined", "Least", "LogSumExp",
    "Maximum", "Mean", "Minimum", "Multiplied", "Multiply", "Network", "Normalised", "Packed",
    "Padded", "Permuted", "Picked", "Reshaped", "Residue", "Scaled", "Shift", "ShortContext",
    "Sign", "Square", "Sum", "Total", "Transformer", "UnitLength", "built", "chain", "dense",
    "ending", "from_torch", "logits_sharing_prefixes", "mlp", "random_rnn", "rollout", "watching",
]  # fmt: skip

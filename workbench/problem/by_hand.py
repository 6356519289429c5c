"""Cards for hands: YAML, whose comments say what may stand where."""

import json
import re
from typing import Any

from workbench.errors import BadInput

COMMENTS = {
    "format": "`workbench schema` prints all that may stand in a card.",
    "name": "What tables and screens call it, and a sentence for its reader.",
    "dtype": "What the model computes in. Tails are small numbers: keep float64.",
    "weights": """The tensors, beside this file: every name of a tensor below is a key in it.
The hash holds the two together; after a change of the tensors, save the problem anew.""",
    "distribution": "D, where inputs come from: gaussian, mixture, student_t, box, discrete, more.",
    "model": """M, operations in order. Value 0 is the input, node i makes value i + 1, `inputs`
says which values it reads: linear, matmul, bias, scale, divide, relu (and most
activations), add, subtract, multiply, maximum, minimum, cat, pick, permute, flip, contiguous,
reshape, flatten, pad, resize, convolution, convolution_transpose, avg_pool, adaptive_avg_pool,
max_pool, mean, sum, greatest, least, softmax, log_softmax, logsumexp, matrix_product, einsum,
masked, attention, multihead_attention, encoder_layer, rnn_tanh, rnn_relu, lstm, gru, layer_norm,
rms_norm, group_norm, instance_norm, unit_length, batch_norm.""",
    "spec": """C, the catastrophe: argmax (a class wins or loses, by more than `by`), halfspace,
polytope, and, or, trusted (a network's word), probe (one on a hidden layer).""",
    "truth": "What is known of P, and how.",
}
"""What is said above each field of a card."""

_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$")
"""What YAML 1.1 reads as text and everybody means as a number: 1e-3."""


def yaml_to_json(data: bytes, source: str) -> bytes:
    """The JSON bytes of a YAML document made of mappings, lists, strings and numbers.

    No tag builds an object and no anchor repeats a part, so that a small file cannot become a large
    one; dates and other things without a place in JSON are refused.

    Raises:
        BadInput: where it is anything else.

    >>> yaml_to_json(b"a: [1, x]  # a comment", "card.yaml")
    b'{"a": [1, "x"]}'
    >>> yaml_to_json(b"by: 1e-3", "card.yaml")
    b'{"by": 0.001}'
    >>> yaml_to_json(b"hash: 2e534af4", "card.yaml")
    b'{"hash": "2e534af4"}'
    """
    import yaml

    class Plain(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise BadInput(f"{source} repeats a part by an alias (*name): write it out")
            return super().compose_node(parent, index)

    Plain.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+0123456789"))
    try:
        raw = yaml.load(data, Plain)
        return json.dumps(raw, allow_nan=False).encode()
    except BadInput:
        raise
    except RecursionError:
        raise BadInput(f"{source} is nested too deeply") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise BadInput(f"{source} is no plain YAML: {reason}") from None


def commented(card: dict[str, Any]) -> bytes:
    """A card's fields as YAML, each part below a comment.

    >>> print(commented({"spec": {"type": "argmax", "label": 0, "event": "wins"}}).decode())
    # C, the catastrophe: argmax (a class wins or loses, by more than `by`), halfspace,
    # polytope, and, or, trusted (a network's word), probe (one on a hidden layer).
    spec:
      type: argmax
      label: 0
      event: wins
    <BLANKLINE>
    """
    import yaml

    parts = []
    for key, value in card.items():
        said = "".join(f"# {line}\n" for line in COMMENTS.get(key, "").splitlines())
        space = "\n" if said and parts else ""
        parts.append(space + said + yaml.safe_dump({key: value}, sort_keys=False, width=100))
    return "".join(parts).encode()

"""Rows of products of values, attention and recurrent layers."""

import math

import torch
import torch.nn.functional as F
from operation_parts import Call
from torch import nn


def _parts(m, x):
    """Queries, keys and values of 3 tokens 4 wide in 2 heads, `(batch, head, token, 2)`."""
    h = x.view(-1, 3, 4)
    q, k, v = m.parts[0](h).chunk(3, dim=-1)
    return [y.view(y.size(0), y.size(1), 2, -1).transpose(1, 2) for y in (q, k, v)]


def by_hand(m, x):
    """Causal attention as tutorials write it, its mask cut to the length of the input."""
    b, d = x.shape
    q, k, v = _parts(m, x)
    scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
    t = q.size(2)
    scores = scores.masked_fill(m.lower[:t, :t] == 0, float("-inf"))
    y = F.softmax(scores, dim=-1) @ v
    return y.transpose(1, 2).contiguous().view(b, d)


def fused(**how):
    def attend(m, x):
        given = {k: getattr(m, v) if isinstance(v, str) else v for k, v in how.items()}
        y = F.scaled_dot_product_attention(*_parts(m, x), **given)
        return y.transpose(1, 2).reshape(-1, 12)

    return attend


def by_einsum(m, x):
    q, k, v = _parts(m, x)
    weights = torch.einsum("bhqd, bhkd -> bhqk", q, k).softmax(-1)
    return torch.einsum("bhqk,bhkd->bqhd", [weights, v]).reshape(-1, 12)


def of_heads(**how):
    def attend(m, x):
        h = x.view(-1, 3, 4)
        given = {k: getattr(m, v) if isinstance(v, str) else v for k, v in how.items()}
        y, _ = m.parts[0](h, h, h, **given)
        return y.flatten(1)

    return attend


def encoded(m, x):
    return m.parts[0](x.view(-1, 3, 4)).flatten(1)


def layer(bend="relu", first=False, bias=True):
    return nn.TransformerEncoderLayer(4, 2, 6, 0.1, bend, batch_first=True, norm_first=first,
                                      bias=bias)  # fmt: skip


def heads(**how):
    return nn.MultiheadAttention(4, 2, batch_first=True, **how)


def eval_of(f, *parts):
    return Call(f, *parts).eval()


def recurrent(steps, width):
    def states(m, x):
        y, _ = m.parts[0](x.view(-1, steps, width))
        return y[:, -1]

    return states


last_state = recurrent(4, 3)


def all_states(m, x):
    return m.parts[0](x.view(-1, 4, 3))[0].flatten(1)


# What is read, the length of its input, and the operation that must stand in its graph.
ROWS = {
    "matmul of two": (
        lambda: Call(lambda m, x: (x.view(-1, 2, 3) @ x.view(-1, 3, 2)).flatten(1)), 6,
        "MatrixProduct",
    ),
    "bmm": (
        lambda: Call(lambda m, x: torch.bmm(
            m.parts[0](x).view(-1, 1, 3), x.view(-1, 3, 2)).flatten(1), nn.Linear(6, 3)),
        6, "MatrixProduct",
    ),
    "outer products": (
        lambda: Call(lambda m, x: torch.einsum("bi,bj->bij", x, m.parts[0](x)).flatten(1),
                     nn.Linear(3, 2)), 3, "Einsum",
    ),
    "masked": (
        lambda: Call(lambda m, x: x.view(-1, 3, 3).masked_fill(m.lower, 0.5).flatten(1)), 9,
        "Masked",
    ),
    "where": (lambda: Call(lambda m, x: torch.where(m.mean > 0, x, m.mean)), 2, "Masked"),
    "where not": (lambda: Call(lambda m, x: torch.where(m.mean > 0, 0.25, x)), 2, "Masked"),
    "attention by hand": (lambda: eval_of(by_hand, nn.Linear(4, 12)), 12, "Softmax"),
    "attention by einsum": (lambda: eval_of(by_einsum, nn.Linear(4, 12)), 12, "Einsum"),
    "attention": (lambda: eval_of(fused(), nn.Linear(4, 12)), 12, "Attention"),
    "causal attention": (
        lambda: eval_of(fused(is_causal=True, scale=0.3), nn.Linear(4, 12)), 12, "Attention",
    ),
    "masked attention": (
        lambda: eval_of(fused(attn_mask="lower"), nn.Linear(4, 12)), 12, "Attention",
    ),
    "biased attention": (
        lambda: eval_of(fused(attn_mask="added"), nn.Linear(4, 12)), 12, "Attention",
    ),
    "heads": (lambda: eval_of(of_heads(), heads()), 12, "MultiheadAttention"),
    "heads alone": (
        lambda: eval_of(of_heads(need_weights=False), heads(bias=False)), 12, "MultiheadAttention",
    ),
    "masked heads": (
        lambda: eval_of(of_heads(need_weights=False, attn_mask="upper"), heads()), 12,
        "MultiheadAttention",
    ),
    "biased heads": (
        lambda: eval_of(of_heads(attn_mask="added"), heads()), 12, "MultiheadAttention",
    ),
    "encoder layer": (lambda: eval_of(encoded, layer()), 12, "EncoderLayer"),
    "encoder layer that begins anew": (
        lambda: eval_of(encoded, layer("gelu", True, False)), 12, "EncoderLayer",
    ),
    "encoder": (
        lambda: eval_of(encoded, nn.TransformerEncoder(
            layer("gelu", True), 2, nn.LayerNorm(4), enable_nested_tensor=False)),
        12, "EncoderLayer",
    ),
    "causal encoder": (
        lambda: eval_of(lambda m, x: m.parts[0](x.view(-1, 3, 4), m.causal).flatten(1),
                        nn.TransformerEncoder(layer(), 1, enable_nested_tensor=False)),
        12, "EncoderLayer",
    ),
}  # fmt: skip


ROWS |= {
    "rnn": (lambda: Call(last_state, nn.RNN(3, 2, batch_first=True)), 12, "Recurrent"),
    "rnn of relu": (
        lambda: Call(all_states, nn.RNN(3, 2, 2, "relu", False, True)), 12, "Recurrent",
    ),
    "gru": (lambda: Call(all_states, nn.GRU(3, 2, batch_first=True)), 12, "Recurrent"),
    "gru without bias": (
        lambda: Call(last_state, nn.GRU(3, 2, bias=False, batch_first=True)), 12, "Recurrent",
    ),
    "lstm": (lambda: Call(last_state, nn.LSTM(3, 2, 2, batch_first=True)), 12, "Recurrent"),
    "lstm both ways": (
        lambda: Call(all_states, nn.LSTM(3, 2, batch_first=True, bidirectional=True)), 12,
        "Recurrent",
    ),
}  # fmt: skip

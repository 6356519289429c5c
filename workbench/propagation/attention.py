"""Attention over independent tokens: its exact mean, whole and given any token."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.math.activations import activation
from workbench.models.transformer import Block, Shape, Transformer
from workbench.propagation.effects import Effects

_NODES, _LOW, _HIGH = 24, -3.2, 5.0  # of the integral over t, in y with t = exp(y - exp(-y))


def softmax_mean(
    weight: Tensor, value: Tensor, own_weight: Tensor, own_value: Tensor, q: Tensor
) -> tuple[Tensor, Tensor]:
    """E[o] and E[o | x_j = v] of o = sum_j w_j(x_j) u_j(x_j) / sum_j w_j(x_j), without error.

    1 / Z = int_0^inf exp(-t Z) dt and Z is a sum of independent terms, so that

        E[o] = int sum_j E[w_j u_j e^(-t w_j)] prod_{i != j} E[e^(-t w_i)] dt,

    and given x_j the j-th factor is known. One integral over t serves all; by 24 nodes of a
    double-exponential rule it is right to 1e-4 where Z varies by a factor of 100.

    Args:
        weight: `(B, n, S, h)`, exponentials of scores of the positions that vary.
        value: `(n, S, h, c)`, u.
        own_weight: `(B, h)` of the position that asks, its token being known.
        own_value: `(B, h, c)`.
        q: `(B, n, S)`, probabilities.

    Returns:
        `(B, h, c)` and `(B, n, S, h, c)`.
    """
    scale = own_weight + (q[..., None] * weight).sum((1, 2))
    w, w_own = weight / scale[:, None, None], own_weight / scale
    y = torch.linspace(_LOW, _HIGH, _NODES, dtype=w.dtype, device=w.device)
    t = torch.exp(y - torch.exp(-y))
    dt = t * (1.0 + torch.exp(-y)) * ((_HIGH - _LOW) / (_NODES - 1))
    decay = torch.exp(-w[..., None] * t)  # (B, n, S, h, N)
    kept = q[..., None, None] * decay
    factor = kept.sum(2).clamp(min=1e-300)
    part = torch.einsum("bjsha,bjsh,jshc->bjhca", kept, w, value) / factor[:, :, :, None]
    log_factor = torch.log(factor)
    own = (w_own[..., None] * own_value)[..., None]
    base = torch.exp(-w_own[..., None] * t) * dt
    all_parts = part.sum(1)
    whole = torch.exp(log_factor.sum(1)) * base
    share = (whole * (_total(w_own, w, kept, factor, t))).sum(-1)  # 1, but for the nodes
    mean = ((all_parts + own) * whole[:, :, None]).sum(-1) / share[..., None]
    rest = torch.exp(log_factor.sum(1)[:, None] - log_factor) * base[:, None]  # (B, n, h, N)
    others = (all_parts[:, None] - part + own[:, None]) * rest[:, :, :, None]
    mine = torch.einsum("bjsha,bjha->bjsh", decay, rest) * w
    given = torch.einsum("bjsha,bjhca->bjshc", decay, others) + mine[..., None] * value
    return mean, given


def _total(w_own: Tensor, w: Tensor, kept: Tensor, factor: Tensor, t: Tensor) -> Tensor:
    """E[Z e^(-t Z)] / E[e^(-t Z)], `(B, h, N)`: its integral with the latter is 1."""
    return w_own[..., None] + ((kept * w[..., None]).sum(2) / factor).sum(1)


def last_logits(model: Transformer, tokens: Tensor, last: Tensor, q: Tensor) -> Effects:
    """Law of the logits of a transformer of one layer, given the last token.

    The last position's query is then known, keys and values of the others are functions of their
    own tokens, and attention's mean is exact; see `Effects` for what follows it.

    Args:
        model: of one layer.
        tokens: `(n, S)` ids that the positions before the last may have.
        last: `(B,)` ids at the last position, one a row.
        q: `(B, n, S)`, the probabilities of `tokens`.
    """
    block = model.blocks[0]
    assert isinstance(block, Block)
    n = len(tokens)
    place = model.place.double()
    embed = model.embed.double()
    _, _, keys, values = _first(block, embed[tokens] + place[:n, None])
    x, query, key, value = _first(block, embed[last] + place[n])
    root = math.sqrt(keys.shape[-1])
    score = torch.einsum("bhc,jshc->bjsh", query, keys) / root
    own = (query * key).sum(-1) / root
    top = own.detach()
    if n:
        top = torch.maximum(score.detach().amax((1, 2)), top)
    mean, given = softmax_mean(
        torch.exp(score - top[:, None, None]), values, torch.exp(own - top), value, q
    )
    mixed = Effects.of(mean.flatten(-2), given.flatten(-2), q).linear(block.out)
    h = Effects(mixed.mean + x, mixed.effect, q)
    z = h.layer_norm(block.norm_2).linear(block.up)
    h = h + z.pointwise(activation(model.shape.activation)).linear(block.down)
    return h.layer_norm(model.norm).linear(model.unembed)


def operations(shape: Shape, cells: int, given: int) -> float:
    """Operations of `last_logits` for so many cells, each with `given` conditional means."""
    d, hidden, v = shape.width, shape.hidden, shape.alphabet
    nodes = 3 * _NODES * (shape.heads + d)
    maps = 3 * d * d + 2 * d * hidden + d * v + 2 * d * d  # the layers, and covariances of norms
    return 2.0 * cells * (given + 1) * (nodes + maps)


def _first(block: Block, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The residual stream x `(..., d)`, its queries, keys and values `(..., h, d / h)`."""
    z = _norm(block.norm_1, x)
    parts = (_apply(layer, z) for layer in (block.query, block.key, block.value))
    query, key, value = (y.unflatten(-1, (block.heads, -1)) for y in parts)
    return x, query, key, value


def _apply(layer: nn.Linear, x: Tensor) -> Tensor:
    bias = None if layer.bias is None else layer.bias.double()
    return functional.linear(x, layer.weight.double(), bias)


def _norm(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    w, b = norm.weight.double(), norm.bias.double()
    return functional.layer_norm(x, norm.normalized_shape, w, b, norm.eps)

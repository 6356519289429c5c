"""The law of a transformer's logits over independent tokens, given the last of them."""

import math

import torch
from torch import Tensor, nn

from workbench.math.divisor import divisor
from workbench.propagation.attention import NODES, softmax_mean
from workbench.propagation.effects import Effects
from workbench.propagation.mixing import Seen, attend
from workbench.propagation.streams import Layers, layers_of

_ROOM = 1 << 22  # numbers that the keys' effects of a batch may have


def last_logits(model: nn.Module, tokens: Tensor, last: Tensor, q: Tensor) -> Effects:
    """Law of the logits of a transformer, given the last token.

    In the first layer keys and values are functions of their own tokens, and given its own token a
    query is known: attention's mean is exact (`softmax_mean`). Of a position that a later layer
    reads the stream is carried given each token that it may have, as the mean and what the other
    positions add (`Effects`); the later layers' attention is that of `attend`.

    Args:
        model: a `Transformer` or an `AttentionOnly`, of any number of layers.
        tokens: `(n, S)` ids that the positions before the last may have.
        last: `(B,)` ids at the last position, one a row.
        q: `(B, n, S)`, the probabilities of `tokens`.
    """
    layers = layers_of(model)
    size = q.shape[1] * q.shape[2]
    rows = len(last)
    if layers.layers > 1:
        rows = max(1, _ROOM // max(1, size * size * max(layers.width, layers.hidden)))
    parts = [
        layers.read(_last_stream(layers, tokens, some, p))
        for some, p in zip(last.split(rows), q.split(rows), strict=True)
    ]
    if len(parts) == 1:
        return parts[0]
    return Effects(torch.cat([h.mean for h in parts]), torch.cat([h.effect for h in parts]), q)


def _last_stream(layers: Layers, tokens: Tensor, last: Tensor, q: Tensor) -> Effects:
    n = len(tokens)
    places = range(n) if layers.layers > 1 else ()
    still = [_still(layers.embed(tokens[j], j)) for j in range(n)]
    end = _still(layers.embed(last, n))
    first = _First(layers, still, end, q)
    own, stream = [first.own(j) for j in places], first.last()
    for k in range(1, layers.layers):
        later = _Later(layers, k, own, stream, q)
        own = [later.own(j) for j in places] if k + 1 < layers.layers else []
        stream = later.last()
    return stream


def _still(x: Tensor) -> Effects:
    """A stream `(R, d)` that no token changes."""
    none = x.new_zeros(len(x), 0, 1)
    return Effects(x, none[..., None].expand(-1, -1, -1, x.shape[1]), none)


def _others(layers: Layers, j: int, n: int) -> list[int]:
    """The open positions that position j sees, given its own token."""
    return list(range(j)) if layers.causal else [i for i in range(n) if i != j]


def _of_cells(x: Tensor, cells: int) -> Tensor:
    """x `(S, ...)` for every cell: `(cells S, ...)`, the tokens the fastest."""
    return x.expand(cells, *x.shape).flatten(0, 1)


class _First:
    """The first layer, whose streams are functions of their own tokens."""

    def __init__(self, layers: Layers, own: list[Effects], end: Effects, q: Tensor):
        self.layers, self.q, self.streams, self.end = layers, q, own, end
        self.parts = [self._split(h) for h in own]
        self.ends = self._split(end)

    def _split(self, h: Effects) -> tuple[Tensor, ...]:
        heads = self.layers.heads
        return tuple(e.mean.unflatten(-1, (heads, -1)) for e in self.layers.project(h, 0))

    def own(self, j: int) -> Effects:
        """The stream of position j given each of its tokens, a row a cell and token."""
        b, n, s = self.q.shape
        query, key, value = (_of_cells(x, b)[:, None] for x in self.parts[j])
        if not self.layers.causal:
            key, value = (
                torch.cat([x, end.repeat_interleave(s, 0)[:, None]], 1)
                for x, end in zip((key, value), self.ends[1:], strict=True)
            )
        seen = _others(self.layers, j, n)
        q = self.q[:, seen].repeat_interleave(s, 0)
        return self._after(_of_cells(self.streams[j].mean, b), seen, query[:, 0], key, value, q)

    def last(self) -> Effects:
        query, key, value = self.ends
        seen = list(range(self.q.shape[1]))
        return self._after(self.end.mean, seen, query, key[:, None], value[:, None], self.q)

    def _after(
        self, x: Tensor, seen: list[int], query: Tensor, key: Tensor, value: Tensor, q: Tensor
    ) -> Effects:
        """Streams x `(R, d)` after the layer; keys and values `(R, e, h, c)` of given tokens."""
        root = math.sqrt(query.shape[-1])
        own = torch.einsum("rhc,rehc->reh", query, key) / root
        top = own.detach().amax(1)
        empty = x.new_zeros(0, q.shape[2], *query.shape[1:])
        keys, values = (
            torch.stack([self.parts[i][k] for i in seen]) if seen else empty for k in (1, 2)
        )
        score = torch.einsum("rhc,jshc->rjsh", query, keys) / root
        if seen:
            top = torch.maximum(score.detach().amax((1, 2)), top)
        weight = torch.exp(own - top[:, None])
        total = weight.sum(1)
        known = (weight[..., None] * value).sum(1) / divisor(total)[..., None]
        score = torch.exp(score - top[:, None, None])
        mean, given = softmax_mean(score, values, total, known, q)
        mixed = Effects.of(mean.flatten(-2), given.flatten(-2), q)
        stream = Effects(x, torch.zeros_like(mixed.effect[..., :1]).expand(*q.shape, x.shape[1]), q)
        return self.layers.after(stream, mixed, 0)


class _Later:
    """A later layer."""

    def __init__(self, layers: Layers, layer: int, own: list[Effects], end: Effects, q: Tensor):
        self.layers, self.layer, self.q, self.streams, self.end = layers, layer, q, own, end
        self.ends = layers.project(end, layer)
        projected = [layers.project(h, layer) for h in own]
        self.queries = [p[0] for p in projected]
        self.keys, self.values = (self._laid([p[k] for p in projected]) for k in (1, 2))

    def _laid(self, parts: list[Effects]) -> tuple[Tensor, Tensor]:
        """Means `(B, n, S, c)` and effects `(B, n, S, n, S, c)`, 0 for what is not seen."""
        b, n, s = self.q.shape
        means, effects = [], []
        for j, e in enumerate(parts):
            means.append(e.mean.unflatten(0, (b, s)))
            full = e.mean.new_zeros(b * s, n, s, e.mean.shape[1])
            where = torch.tensor(_others(self.layers, j, n), dtype=torch.int64)
            full = full.index_copy(1, where, e.effect)
            effects.append(full.unflatten(0, (b, s)))
        return torch.stack(means, 1), torch.stack(effects, 1)

    def own(self, j: int) -> Effects:
        """As `_First.own`."""
        b, n, s = self.q.shape
        seen = _others(self.layers, j, n)
        query = self.queries[j]
        sights = []
        for k, (mean, effect) in ((1, self.keys), (2, self.values)):
            d = mean.shape[-1]
            shape = (b, s, len(seen) * s)
            moved = mean[:, seen].flatten(1, 2)[:, None].expand(*shape, d)
            moved = moved + effect[:, seen, :, j].movedim(3, 1).reshape(*shape, d)
            known = mean[:, j, :, None], effect[:, j][:, :, None, seen]
            added = effect[:, seen][:, :, :, seen].flatten(1, 2)[:, None]
            means, effects = [moved, known[0]], [added.expand(b, s, *added.shape[2:]), known[1]]
            if not self.layers.causal:
                end = self.ends[k]
                means.append((end.mean[:, None] + end.effect[:, j])[:, :, None])
                more = end.effect[:, seen][:, None, None]
                effects.append(more.expand(b, s, *more.shape[2:]))
            sights.append(
                Seen(torch.cat(means, 2).flatten(0, 1), torch.cat(effects, 2).flatten(0, 1))
            )
        mixed = attend(query, sights[0], sights[1], self.layers.heads)
        return self.layers.after(self.streams[j], mixed, self.layer)

    def last(self) -> Effects:
        sights = []
        for k, (mean, effect) in ((1, self.keys), (2, self.values)):
            end = self.ends[k]
            means = torch.cat([mean.flatten(1, 2), end.mean[:, None]], 1)
            sights.append(Seen(means, torch.cat([effect.flatten(1, 2), end.effect[:, None]], 1)))
        mixed = attend(self.ends[0], sights[0], sights[1], self.layers.heads)
        return self.layers.after(self.end, mixed, self.layer)


def operations(model: nn.Module, cells: int, n: int, size: int) -> float:
    """Operations of `last_logits` for so many cells, n open positions of `size` tokens each."""
    layers = layers_of(model)
    d = layers.width
    nodes = 3 * NODES * (layers.heads + d)
    maps = 5 * d * d + 2 * d * layers.hidden  # the layers, and covariances of norms
    read = d * layers.outputs
    own = sum(size * (1 + len(_others(layers, j, n)) * size) for j in range(n))
    end = 1 + n * size
    total = cells * end * (nodes + maps + read)
    for k in range(1, layers.layers):
        total += cells * own * ((nodes if k == 1 else 0) + maps)
        sights = end + (own if k + 1 < layers.layers else 0)
        total += cells * (sights * end * (2 * NODES * layers.heads + 4 * d) + end * maps)
    return 2.0 * total

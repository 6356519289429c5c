"""Carries means, covariances, third cumulants in factored form, fourth cumulants of pairs."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from workbench.distributions import Piece
from workbench.graph.rules import Affine, LinearMap, Pointwise
from workbench.propagation.blocks import Block, total
from workbench.propagation.marginals import STRAINED, Marginals
from workbench.propagation.scale import safe_std
from workbench.propagation.second_moments import SecondMoments
from workbench.propagation.series import enough
from workbench.propagation.third import Factors, Generation, pushed, slices


class Generations(SecondMoments):
    """Means; covariance blocks; generations of factors of the third cumulants; fourth cumulants.

    The fourth cumulants are those of pairs alone, kappa(x_a, x_a, x_b, x_b) `(*B, n, n)`. What only
    a later layer asks for, the joint law after an activation, waits in `pending` until then.

    Args:
        piece: of D.
        order: terms of the Hermite series of a covariance, fewer where `tolerance` needs no more.
        memory: generations that are kept whole; None keeps all. Of an older one an activation
            keeps kappa(x_i, x_i, x_j), in the generation that it begins. While a second value is
            needed later (around a residual sum) nothing is forgotten.
    """

    knows_third = True
    tolerance = 1e-6

    def __init__(self, piece: Piece, order: int, memory: int | None = None):
        super().__init__(piece)
        self.order = order
        self.memory = memory
        self.generations: list[Generation] = []
        self.fourths: dict[int, Tensor] = {}
        self.marginals: dict[int, Tensor] = {}
        self.pending: dict[int, Callable[[], None]] = {}

    def affine(self, i: int, inputs: tuple[int, ...], what: Affine, live: set[int]) -> None:
        for j in sorted(live | set(inputs)):
            self._settle(j)
        self._carry(i, inputs, what, live)
        pairs = list(zip(what.maps, inputs, strict=True))
        for generation in self.generations:
            generation.rows[i] = pushed([(a, generation.rows[j]) for a, j in pairs])
            self.flops += sum(3.0 * a.flops(generation.size) for a, _ in pairs)
        found = [_fourths(a, self.fourths[j]) for a, j in pairs if j in self.fourths]
        if found:
            self.fourths[i] = total(found)
            self.flops += sum(2.0 * a.flops(self.means[i].shape[-1]) for a, _ in pairs)

    def pointwise(self, i: int, source: int, what: Pointwise, live: set[int]) -> None:
        self._settle(source)
        mean, block = self.means[source], self._block(source, source)
        sd = safe_std(block.variances)
        mean, sd = torch.broadcast_tensors(mean, sd)
        alive = block.variances > 0
        marginals = Marginals.of(
            what.row, mean, sd, alive, self._third(source), self._fourth(source),
            self.order,
        )  # fmt: skip
        self.means[i], self.marginals[i] = marginals.mean, marginals.var
        self.flops += 200.0 * mean.numel()
        if marginals.strained:
            self.doubt = STRAINED
        others = sorted(live - {i})
        born = len(self.generations)
        forgotten = 0 if others or self.memory is None else max(0, born + 1 - self.memory)
        self.pending[i] = partial(
            self._spread, i, source, block, self.fourths.get(source), marginals, forgotten
        )
        if others:
            crossed = [self._cross(source, k, marginals) for k in others]
            self._settle(i)
            for k, (cov, u, d) in zip(others, crossed, strict=True):
                self.blocks[i, k] = cov
                self.generations[-1].rows[k] = Factors(u, d, Block(torch.zeros_like(u)))

    def _spread(
        self, i: int, source: int, block: Block, pairs: Tensor | None, m: Marginals, forgotten: int
    ) -> None:
        """The joint law of value i = f(source), without the oldest generations of factors."""
        inv = m.inv
        rho = block.dense * inv[..., :, None] * inv[..., None, :]
        rho = torch.clamp(_without_diagonal(rho), -1.0, 1.0)
        old, self.generations = self.generations[:forgotten], self.generations[forgotten:]
        lost, kept = self._slices(old, source, inv), self._slices(self.generations, source, inv)
        found = [x for x in (lost, kept) if x is not None]
        t = total(found) if found else None
        q = None
        if pairs is not None:
            q = _without_diagonal(pairs * inv[..., :, None].square() * inv[..., None, :].square())
        terms, left = enough(rho, m.b, m.gauss, self.tolerance)
        self.left_out(left)
        cov, third, fourth = m.joint(rho, t, q, max(2, terms))
        self.blocks[i, i] = Block(cov + torch.diag_embed(m.var))
        self.fourths[i] = fourth + torch.diag_embed(m.fourth)
        b1, b2 = m.b[0], m.b[1]
        # What D must add to the factors: the pairs that they hold by themselves are taken off.
        held = math.sqrt(2.0) * b2[..., None, :] * (rho * b1[..., :, None]).square()
        skew = m.skew
        if kept is not None:
            held = held + kept * b1[..., :, None].square() * b1[..., None, :]
        if old:
            skew = skew - total(g.rows[source].cubes(g.signs) for g in old) * inv * inv * inv
        for generation in self.generations:
            generation.rows[i] = generation.rows[source].scaled(m.slope)
        d = 3.0 * (third - held) + torch.diag_embed(m.third - b1**3 * skew)
        factors = Factors(rho * b1[..., None, :], d, Block(torch.ones_like(b1), True))
        new = Generation(3.0 * math.sqrt(2.0) * b2, {i: factors})
        self.generations = [*self.generations, new]

    def _slices(self, generations: list[Generation], i: int, inv: Tensor) -> Tensor | None:
        """kappa(x_a, x_a, x_b) of value i by these, in standard units; 0 on the diagonal."""
        if not generations:
            return None
        t = self._between(generations, i, i)
        return _without_diagonal(t * inv[..., :, None].square() * inv[..., None, :])

    def _between(self, generations: list[Generation], i: int, k: int) -> Tensor:
        """kappa(x_a, x_a, y_b) of values i and k by these."""
        t = slices([(g.signs, g.rows[i], g.rows[k]) for g in generations])
        self.flops += 6.0 * sum(g.signs.shape[-1] for g in generations) * t.numel()
        return t

    def _cross(self, source: int, k: int, m: Marginals) -> tuple[Block, Tensor, Tensor]:
        """Cov(f(source), value k), and value k's factors in the generation that f begins."""
        cov = self._block(source, k).dense * m.inv[..., :, None]
        out = cov * m.b[0][..., :, None]
        third = cov * m.square[0][..., :, None]
        if self.generations:
            t = self._between(self.generations, source, k) * m.inv[..., :, None].square()
            out = out + t * (m.b[1] / math.sqrt(2.0))[..., :, None]
            third = third + t * (m.square[1] / math.sqrt(2.0))[..., :, None]
            third = third - t * m.b[0][..., :, None].square()
        return Block(out), cov, 3.0 * third

    def _settle(self, i: int) -> None:
        work = self.pending.pop(i, None)
        if work is not None:
            work()

    def _third(self, i: int) -> Tensor | None:
        """kappa(x_a, x_a, x_a), `(*B, n)`."""
        if not self.generations:
            return None
        return total(g.rows[i].cubes(g.signs) for g in self.generations)

    def _fourth(self, i: int) -> Tensor | None:
        if i not in self.fourths:
            return None
        return torch.diagonal(self.fourths[i], dim1=-2, dim2=-1)

    def forget(self, live: set[int]) -> None:
        self._drop(live)
        self.fourths = {j: m for j, m in self.fourths.items() if j in live}
        if not self.pending:
            self.generations = [g.only(live) for g in self.generations]

    def marginal(self, i: int) -> tuple[Tensor, Tensor]:
        var = self.marginals[i] if i in self.pending else self.blocks[i, i].variances
        return self.means[i], var

    def joint(self, i: int) -> tuple[Tensor, Tensor]:
        self._settle(i)
        return self.means[i], self.blocks[i, i].dense

    def higher(self, i: int) -> tuple[Tensor | None, Tensor | None]:
        self._settle(i)
        return self._third(i), self._fourth(i)


def _fourths(a: LinearMap, pairs: Tensor) -> Tensor:
    """kappa(y_a, y_a, y_b, y_b) of y = A x from those of x.

    sum_ij A_ai^2 A_bj^2 kappa_iijj; on the diagonal exact for what lies on pairs, of which
    kappa_iijj with i != j occurs three times.
    """
    half = a.powered(pairs, 2)
    both = a.powered(half.mT, 2)
    own = a.powered(torch.diagonal(pairs, dim1=-2, dim2=-1)[..., None, :], 4).squeeze(-2)
    gap = 2.0 * (torch.diagonal(both, dim1=-2, dim2=-1) - own)
    return both + torch.diag_embed(gap)


def _without_diagonal(x: Tensor) -> Tensor:
    return x - torch.diag_embed(torch.diagonal(x, dim1=-2, dim2=-1))

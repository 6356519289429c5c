"""Mean field through networks: spins of means m, an energy or a margin that is a network.

For independent spins of means m the means of M's margin and of the energy are what covariance
propagation says of an input of means m and variances 1 - m^2 (of a quadratic energy they are
exact). The free energy log Z(t) = max_m E[log weight] + S(m) + t E[s], S the entropy, is climbed by
m <- tanh(d (E[log weight] + t E[s]) / dm), damped.
"""

import math

import torch
from torch import Tensor

from workbench import graph as graphs
from workbench.distributions import Piece, SpinGlass, SpinNetwork, Spins
from workbench.math.divisor import divisor
from workbench.math.nodes import normal_nodes
from workbench.math.saddle import log_tail
from workbench.models import Headed
from workbench.problem import Problem
from workbench.propagation import Covariance

_SWEEPS, _STILL, _RESTLESS = 100, 1e-7, 1e-3
_DAMPING, _STIFF = 0.3, 0.95
_DOUBLINGS, _SECANTS, _CLOSE = 8, 25, 1e-4
_NODES = 256
_SUMMED = 2


class Through:
    """One half-space of M's outputs under spins: some summed over, mean field for the rest.

    Args:
        problem: (D, M, C), D any law of spins.
        a, b: the margin's row `(k,)` and level, of M's outputs.
        summed: spins that are summed over, at most 2 here: those whose means bend the energy most.
    """

    def __init__(self, problem: Problem, a: Tensor, b: Tensor, summed: int):
        d = problem.distribution
        assert isinstance(d, Spins)
        self.law, self.flops, self.unsettled = d, 0.0, False
        heads = [("inputs", d.network)] if isinstance(d, SpinNetwork) else []
        self.both = Headed(problem.model, heads, d.dim, d.dtype) if heads else problem.model
        self.graph = graphs.read(self.both, d.dim) if heads else problem.graph
        rows = torch.zeros(1 + len(heads), len(a) + len(heads), dtype=d.dtype)
        rows[0, : len(a)] = a
        if heads:
            rows[1, -1] = 1.0
        self.rows, self.level = rows, torch.cat([b.reshape(1), b.new_zeros(len(heads))])
        self._assign(self._bent()[: min(summed, _SUMMED)])

    def _assign(self, known: Tensor) -> None:
        """The states of the spins that are summed over."""
        free = torch.ones(self.law.dim, dtype=torch.bool)
        free[known] = False
        self.known, self.rest = known, torch.nonzero(free).squeeze(1)
        codes = torch.arange(2 ** len(known))[:, None] >> torch.arange(len(known))
        self.x = 2.0 * (codes & 1).to(self.law.dtype) - 1.0
        self.m = self.x.new_zeros(len(self.x), len(self.rest))
        self.moved = self.x.new_zeros(len(self.x))
        self.matters = torch.ones_like(self.moved)  # 0 where no pull brings the margin to 0

    def _whole(self, m: Tensor) -> Tensor:
        """Means of all spins, `(c, d)`."""
        full = m.new_zeros(len(m), self.law.dim).index_copy(1, self.rest, m)
        return full.index_copy(1, self.known, self.x.to(m)) if len(self.known) else full

    def _means(self, m: Tensor) -> tuple[Tensor, Tensor]:
        """E[s] and E[log weight] under independent spins of means `(c, d)`, each `(c,)`."""
        piece = Piece(m.new_zeros(len(m)), m, 1.0 - m.square(), uncorrelated=True)
        law, flops = Covariance().law(self.graph, piece, self.rows, self.level)
        self.flops += 3.0 * flops
        match self.law:
            case SpinNetwork(fields=h):
                return law.mean[:, 0], m @ h - law.mean[:, 1]
            case SpinGlass(couplings=j, fields=h, beta=beta):
                return law.mean[:, 0], beta * (0.5 * ((m @ j) * m).sum(1) + m @ h)
            case other:
                raise AssertionError(f"no mean of the energy of {other.name!r}")

    def _bent(self) -> Tensor:
        """All spins, those first whose means bend the energy and the margin most with others'."""
        d = self.law.dim
        with torch.enable_grad():
            m = self.law.bounds()[0].new_zeros(1, d).requires_grad_()
            both = torch.stack(self._means(m))
            bend = m.new_zeros(d)
            for value in both.flatten():
                (slope,) = torch.autograd.grad(value, m, create_graph=True)
                if not slope.requires_grad:
                    continue
                for i in range(d):
                    (row,) = torch.autograd.grad(
                        slope[0, i], m, retain_graph=True, materialize_grads=True
                    )
                    bend[i] += row[0, torch.arange(d) != i].square().sum().detach()
        return torch.argsort(bend, descending=True)

    @torch.no_grad()
    def _settle(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """E[s] and log Z at the pulls t `(c,)`, each `(c,)`."""
        m, moved, damping = self.m, torch.zeros_like(t), _DAMPING
        for _ in range(_SWEEPS if len(self.rest) else 0):
            with torch.enable_grad():
                leaf = m.clone().requires_grad_()
                s, w = self._means(self._whole(leaf))
                (field,) = torch.autograd.grad((t * s + w).sum(), leaf)
            new = damping * m + (1.0 - damping) * torch.tanh(field)
            before, moved, m = moved, (new - m).abs().amax(1), new
            far, near = (float((v * self.matters).max()) for v in (before, moved))
            if near < _STILL:
                break
            if near > 0.95 * far > 0.0:  # it swings
                damping = min(_STIFF, 0.5 * (1.0 + damping))
        self.moved = moved
        self.m = m.clamp(-1.0 + 1e-13, 1.0 - 1e-13)
        s, w = self._means(self._whole(self.m))
        up, down = 0.5 * (1.0 + self.m), 0.5 * (1.0 - self.m)
        entropy = (torch.special.entr(up) + torch.special.entr(down)).sum(1)
        return s, t * s + w + entropy

    @torch.no_grad()
    def _next(self, t: Tensor) -> Tensor:
        """Half the variance of log(weight / q) under the product law q, on Sobol nodes; `(c,)`."""
        if not len(self.rest):
            return torch.zeros_like(t)
        u = torch.special.ndtr(normal_nodes(_NODES, len(self.rest), dtype=self.m.dtype))
        found = []
        for k, m in enumerate(self.m):
            up = 0.5 * (1.0 + m)
            x = 2.0 * (u < up).to(m) - 1.0
            log_q = torch.where(x > 0, torch.log(up), torch.log1p(-up)).sum(1)
            full = x.new_zeros(len(x), self.law.dim)
            full[:, self.rest], full[:, self.known] = x, self.x[k].to(x)
            y = self.both(full)[:, : self.rows.shape[1]] @ self.rows[0] + self.level[0]
            found.append(0.5 * (t[k] * y + self.law.log_weight(full) - log_q).var())
        return torch.stack(found)

    @torch.no_grad()
    def log_p(self) -> tuple[Tensor, Tensor]:
        """log P(s > 0): the saddlepoint's for every assignment of the summed spins; by log Z as it
        is, and with half the variance of log(weight / q) under the product law q added: the next
        term of the expansion about q, for a spin glass that of Thouless, Anderson and Palmer."""
        zero = self.x.new_zeros(len(self.x))
        rate, at_zero = self._settle(zero)
        still = bool((self.moved < _RESTLESS).all())
        next_zero = self._next(zero)
        t, beyond = self._pull(rate)
        step = 0.02 * t.abs().clamp(min=0.1)
        curve = (self._settle(t + step)[0] - self._settle(t - step)[0]) / (2.0 * step)
        _, log_z = self._settle(t)
        self.unsettled = not (still and bool(((self.moved < _RESTLESS) | beyond).all()))
        found = []
        for more_zero, more in ((zero, zero), (next_zero, self._next(t))):
            k = log_z + more - at_zero - more_zero
            tail = log_tail(t, k, curve.clamp(min=1e-12), rate)
            tail = torch.where(beyond, torch.where(rate > 0.0, 0.0, -math.inf).to(tail), tail)
            weight = at_zero + more_zero
            found.append(torch.logsumexp(weight + tail, 0) - torch.logsumexp(weight, 0))
        return found[0], found[1]

    def _pull(self, rate: Tensor) -> tuple[Tensor, Tensor]:
        """t with E[s] = 0 for every assignment, by Illinois' rule; and where no pull gets there."""
        low, at_low = torch.zeros_like(rate), rate
        high = torch.where(rate < 0.0, 0.5, -0.5).to(rate)
        at_high, _ = self._settle(high)
        for _ in range(_DOUBLINGS):
            far = at_high * at_low > 0.0
            if not bool(far.any()):
                break
            low, at_low = torch.where(far, high, low), torch.where(far, at_high, at_low)
            high = torch.where(far, 2.0 * high, high)
            at_high, _ = self._settle(high)
        beyond = at_high * at_low > 0.0
        self.matters, t = (~beyond).to(rate), high
        for _ in range(_SECANTS):
            t = torch.where(beyond, 0.0, high - at_high * (high - low) / (at_high - at_low))
            value, _ = self._settle(t)
            crossed = value * at_high < 0.0
            at_low = torch.where(crossed, at_high, 0.5 * at_low)
            low = torch.where(crossed, high, low)
            high, at_high = t, value
            left = value.abs() / divisor(rate.abs())
            if float(torch.where(beyond, 0.0, left).max()) < _CLOSE:
                break
        return t, beyond

"""Distillation without data: a student whose propagated moments match those of its teacher.

The student is V phi(x) + c, phi the last hidden layer of a narrower network. Its expected squared
distance to the teacher T is least where

    V = Cov(T, phi) Cov(phi)^-1,    c = E T - V E phi,

and both come from one propagation of teacher and student side by side: no input is drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench import graph as graphs
from workbench.distributions import Gaussian
from workbench.errors import BadInput
from workbench.graph import Elementwise, Linear
from workbench.models import Network, chain, dense
from workbench.propagation import Propagator
from workbench.rng import Rng

_RANK = 1e-7  # eigenvalues of Cov(phi) below this share of the largest count as 0


@dataclass(frozen=True, eq=False)
class Moments:
    """Joint moments of a teacher's outputs and a student's last hidden layer.

    Args:
        mean: `(k + h,)`, the teacher's k outputs first.
        cov: `(k + h, k + h)`.
        outputs: k.
    """

    mean: Tensor
    cov: Tensor
    outputs: int

    def readout(self) -> tuple[Tensor, Tensor]:
        """V `(k, h)` and c `(k,)` of the nearest student."""
        k = self.outputs
        inverse = torch.linalg.pinv(self.cov[k:, k:], rtol=_RANK, hermitian=True)
        v = self.cov[:k, k:] @ inverse
        return v, self.mean[:k] - v @ self.mean[k:]

    def excess(self, v: Tensor, c: Tensor) -> float:
        """How much further than the nearest a student is, E|V phi + c - T|^2, in these moments."""
        k = self.outputs
        best, _ = self.readout()
        gap = v - best
        shift = v @ self.mean[k:] + c - self.mean[:k]
        return float(((gap @ self.cov[k:, k:]) * gap).sum() + shift.square().sum())

    def left(self) -> tuple[float, float]:
        """E|S - T|^2 of the nearest student, and the teacher's own E|T - E T|^2."""
        k = self.outputs
        v, _ = self.readout()
        whole = float(torch.diagonal(self.cov[:k, :k]).sum())
        return whole - float((v * self.cov[:k, k:]).sum()), whole


def pooled(parts: Sequence[Moments]) -> Moments:
    """The moments of several samples of the same size, taken as one."""
    mean = torch.stack([m.mean for m in parts]).mean(0)
    squares = torch.stack([m.cov + m.mean[:, None] * m.mean for m in parts]).mean(0)
    return Moments(mean, squares - mean[:, None] * mean, parts[0].outputs)


def beside(teacher: nn.Module, student: nn.Module) -> Network:
    """[T(x); phi(x)] as one chain, layer by layer, so that both bend in one step.

    Correlations between two activations of one step are carried to all orders, of two steps to the
    first alone: the two networks must have the same depth and activations.

    Args:
        teacher: linear maps and activations in turn, a linear map last.
        student: the same, up to its last hidden layer.

    Raises:
        BadInput: where the two are no such chains.
    """
    t, s = (_layers(m) for m in (teacher, student))
    if len(t) != len(s) + 1 or [a for _, _, a in t[:-1]] != [a for _, _, a in s]:
        raise BadInput("teacher and student need the same hidden activations, in the same order")
    parts: list[nn.Module] = []
    for i, ((w, b, name), (v, c, _)) in enumerate(zip(t, s, strict=False)):
        joined = torch.cat([w, v]) if i == 0 else torch.block_diag(w, v)
        parts += [dense(joined, torch.cat([b, c])), _MODULES[name]()]
    w, b, _ = t[-1]
    h = len(s[-1][0])
    eye = torch.eye(h, dtype=w.dtype)
    parts.append(dense(torch.block_diag(w, eye), torch.cat([b, b.new_zeros(h)])))
    return chain(parts).requires_grad_(False)


_MODULES: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


def _layers(module: nn.Module) -> list[tuple[Tensor, Tensor, str]]:
    """Weight, bias and the activation behind it ("" for none) of every linear map of a chain."""
    found: list[tuple[Tensor, Tensor, str]] = []
    for i, node in enumerate(graphs.read(module).nodes[1:], start=1):
        op = node.op
        if node.inputs != (i - 1,):
            raise BadInput(f"{node.name} of a chain must take the value before it alone")
        if isinstance(op, Linear):
            weight, bias = op.weight.detach(), op.bias
            bias = weight.new_zeros(len(weight)) if bias is None else bias.detach()
            found.append((weight, bias, ""))
        elif isinstance(op, Elementwise) and op.activation in _MODULES and found:
            weight, bias, _ = found[-1]
            found[-1] = (weight, bias, op.activation)
        else:
            raise BadInput(f"{node.name} is neither a linear map nor relu, gelu or tanh behind one")
    return found


@torch.no_grad()
def propagated(joint: Network, outputs: int, d: Gaussian, propagator: Propagator) -> Moments:
    """The moments of `beside` under D, from the weights."""
    (piece,) = d.pieces()
    last = joint.parts[-1]
    assert isinstance(last, nn.Linear)
    eye = torch.eye(last.out_features, dtype=d.dtype)
    law, _ = propagator.law(graphs.read(joint, d.dim), piece, eye, eye[0] * 0.0)
    return Moments(law.mean, law.cov, outputs)


@torch.no_grad()
def sampled(joint: Network, outputs: int, d: Gaussian, draws: int, rng: Rng) -> Moments:
    """The moments of `beside` under D, from this many draws, in batches of 4096."""
    generator = rng.generator()
    total, squares = 0.0, 0.0
    for start in range(0, draws, 4096):
        y = joint(d.push(d.noise(min(4096, draws - start), generator)))
        total, squares = total + y.sum(0), squares + y.T @ y
    assert isinstance(total, Tensor) and isinstance(squares, Tensor)
    mean = total / draws
    return Moments(mean, squares / draws - mean[:, None] * mean, outputs)

"""A whole student trained on propagated moments: no input is drawn.

Teacher and student are propagated side by side. Nothing of the teacher alone depends on the
student, so it is carried once; every step carries the student's covariances and those between the
two. The student's last layer is always the best one (`Moments.readout`), so that training moves its
hidden layers alone (variable projection: Golub & Pereyra 1973); as no draw blurs what is left to
gain, the quasi-Newton steps of L-BFGS (Liu & Nocedal 1989) may be taken.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.distributions import Gaussian
from workbench.errors import BadInput
from workbench.math.activations import activation
from workbench.propagation.scale import safe_std
from workbench.training.distillation import Moments

Layer = tuple[Tensor, Tensor, str]
"""Weight `(out, in)`, bias `(out,)`, and the activation behind it, "" for none."""

_RIDGE = 3e-5  # of the mean variance of the last hidden layer: above the rounding of float32
_ROUND, _MEMORY = 10, 30  # steps of L-BFGS between two looks at the clock; what it remembers


@dataclass(frozen=True, eq=False)
class Bent:
    """Activations f(a) of normal a: means and variances `(n,)`, the deviations of a, and b.

    Cov(f(a_i), f(u_j)) = sum_k b_k(i) b_k(j) rho^k (Mehler's series), b `(order, n)`.
    """

    mean: Tensor
    var: Tensor
    scale: Tensor
    b: Tensor

    @classmethod
    def of(cls, mean: Tensor, var: Tensor, name: str, order: int) -> "Bent":
        """From the mean and variance of a."""
        row, scale = activation(name), safe_std(var)
        after, own = row.moments(mean, scale)
        return cls(after, own, scale, row.coefficients(mean, scale, order))

    def across(self, other: "Bent", cov: Tensor) -> Tensor:
        """Cov(f(a), f(u)) `(n, m)` from Cov(a, u), by Horner's rule."""
        rho = cov / self.scale[:, None] / other.scale
        total = self.b[-1][:, None] * other.b[-1]
        for mine, theirs in zip(self.b.flip(0)[1:], other.b.flip(0)[1:], strict=True):
            total = torch.addcmul(mine[:, None] * theirs, total, rho)
        return total * rho

    def own(self, cov: Tensor) -> Tensor:
        """Cov(f(a)), the variances exact."""
        total = self.across(self, cov)
        return total + torch.diag_embed(self.var - total.diagonal())


@dataclass(frozen=True, eq=False)
class Teacher:
    """What of a teacher T does not change: its layers, activations, and the moments of T(x).

    Args:
        layers: the last one linear.
        bent: the activations of all others.
        d: D.
        mean: E T, `(k,)`.
        cov: Cov T, `(k, k)`.
        order: terms of the series.
    """

    layers: tuple[Layer, ...]
    bent: tuple[Bent, ...]
    d: Gaussian
    mean: Tensor
    cov: Tensor
    order: int

    @classmethod
    @torch.no_grad()
    def of(cls, layers: Sequence[Layer], d: Gaussian, order: int = 6) -> "Teacher":
        """Propagated through, by covariances.

        Raises:
            BadInput: where an activation stands behind the last layer, or none behind another.
        """
        if not layers or not all(name for *_, name in layers[:-1]) or layers[-1][2]:
            raise BadInput("a teacher has an activation behind every layer but its last")
        mean, cov, bent = d.mean, d.covariance_of(torch.eye(d.dim, dtype=d.dtype)), []
        for weight, bias, name in layers:
            mean, cov = weight @ mean + bias, weight @ cov @ weight.T
            if name:
                bent.append(Bent.of(mean, cov.diagonal(), name, order))
                mean, cov = bent[-1].mean, bent[-1].own(cov)
        return cls(tuple(layers), tuple(bent), d, mean, cov, order)

    def beside(self, hidden: Sequence[Layer]) -> Moments:
        """Joint moments of T(x) and a student's last hidden layer, with the graph of its weights.

        Exact for one hidden layer but for the terms left out; beyond it all pre-activations of
        both are presumed jointly Gaussian.

        Raises:
            BadInput: unless the student has the teacher's depth and activations.
        """
        if [name for *_, name in hidden] != [name for *_, name in self.layers[:-1]]:
            raise BadInput("teacher and student need the same activations, in the same order")
        mean, own = self.d.mean, self.d.covariance_of(torch.eye(self.d.dim, dtype=self.d.dtype))
        cross = own
        for (weight, bias, name), (above, _, _), bent in zip(
            hidden, self.layers, self.bent, strict=False
        ):
            mean, own = weight @ mean + bias, weight @ own @ weight.T
            mine = Bent.of(mean, own.diagonal(), name, self.order)
            cross = bent.across(mine, above @ (cross @ weight.T))
            mean, own = mine.mean, mine.own(own)
        cross = self.layers[-1][0] @ cross
        cov = torch.cat([torch.cat([self.cov, cross], 1), torch.cat([cross.T, own], 1)])
        return Moments(torch.cat([self.mean, mean]), cov, len(self.mean))


def drawn(layers: Sequence[Layer], x: Tensor) -> Callable[[Sequence[Layer]], Moments]:
    """As `Teacher.beside`, the moments those of these draws `(n, d)`."""
    with torch.no_grad():
        y = run(layers, x)

    def beside(hidden: Sequence[Layer]) -> Moments:
        both = torch.cat([y, run(hidden, x)], 1)
        mean = both.mean(0)
        return Moments(mean, (both - mean).T @ (both - mean) / len(x), y.shape[1])

    return beside


def run(layers: Sequence[Layer], x: Tensor) -> Tensor:
    """The layers in turn, `(n, d)` to `(n, k)`."""
    for weight, bias, name in layers:
        x = torch.addmm(bias, x, weight.T)
        x = activation(name)(x) if name else x
    return x


def left(moments: Moments) -> Tensor:
    """min over V and c of E|V phi + c - T|^2 over E|T - E T|^2, 0-d, with its graph."""
    k, cov = moments.outputs, moments.cov.double()
    own, cross = cov[k:, k:], cov[:k, k:]
    ridge = _RIDGE * own.diagonal().mean() * torch.eye(len(own), dtype=own.dtype)
    half = torch.linalg.solve_triangular(torch.linalg.cholesky(own + ridge), cross.T, upper=False)
    return 1.0 - half.square().sum() / cov[:k, :k].diagonal().sum()


def trained(
    beside: Callable[[Sequence[Layer]], Moments], hidden: Sequence[Layer], seconds: float
) -> list[Layer]:
    """The student with the least `left` that is found in this CPU time, its readout with it.

    Args:
        beside: the moments of T and of given hidden layers: `Teacher.beside`, or `drawn`.
        hidden: where it starts.
        seconds: of CPU time.
    """
    free = [w.clone().requires_grad_() for layer in hidden for w in layer[:2]]

    def layers() -> list[Layer]:
        return [(free[2 * i], free[2 * i + 1], name) for i, (*_, name) in enumerate(hidden)]

    optimiser = torch.optim.LBFGS(
        free, max_iter=_ROUND, history_size=_MEMORY, line_search_fn="strong_wolfe"
    )

    def close() -> Tensor:
        optimiser.zero_grad()
        loss = left(beside(layers()))
        torch.autograd.backward(loss)
        return loss

    end = time.process_time() + seconds
    while time.process_time() < end:
        optimiser.step(close)  # type: ignore[arg-type]
    with torch.no_grad():
        best = [(w.detach(), b.detach(), name) for w, b, name in layers()]
        return [*best, (*beside(best).readout(), "")]

"""Small networks trained on the spot, as one brings one's own, whose failures have several modes.

Targets with two or three separate ways up, a correlated D, unions of two specs, classifiers of
rings and blobs, max pooling. The truth of each comes from draws that know nothing of the network:
of D, or of a D widened about its mean.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from workbench.distributions import Gaussian
from workbench.math.descent import descend
from workbench.problem import Problem, Truth
from workbench.rng import Rng
from workbench.specs import Argmax, Halfspace, Spec

SEEDS = (1, 2)
"""Two of every kind; nothing was chosen by looking at them. Rules were chosen on seeds from 10."""
DRAWS = 4_000_000

_STEPS, _RATE, _SAMPLE = 300, 5e-3, 2_000
_LEVEL_DRAWS, _BATCH = 200_000, 50_000
_ACTIVATIONS = (nn.Tanh, nn.ReLU, nn.GELU)


@dataclass(frozen=True)
class Kind:
    """One kind of network and event.

    Args:
        name: what it stands for.
        dim: inputs.
        target: `target(x, directions)` of inputs `(n, d)` and random unit vectors `(4, d)`,
            to regress on, `(n,)`, or labels.
        event: "above", "below", "either" a quantile; or "class": another label than the mean's.
        tail: the share of draws beyond the quantile.
        beyond: the threshold lies so many gaps between that quantile and the ten times higher one
            further out.
        widened: the factor of the D that the truth is drawn from.
    """

    name: str
    dim: int
    target: Callable[[Tensor, Tensor], Tensor]
    event: str = "above"
    tail: float = 2e-4
    beyond: float = 0.0
    widened: float = 1.0


def _along(x: Tensor, v: Tensor, i: int) -> Tensor:
    return x @ v[i]


def _product(x: Tensor, v: Tensor) -> Tensor:
    return x[:, 0] * x[:, 1] + torch.sin(x[:, 2]) + 0.5 * x[:, 3].square()


def _pair(x: Tensor, v: Tensor) -> Tensor:
    return _along(x, v, 0) * _along(x, v, 1) + 0.3 * _along(x, v, 2)


def _bowl(x: Tensor, v: Tensor) -> Tensor:
    return _along(x, v, 0).square() + 0.3 * _along(x, v, 1)


def _three(x: Tensor, v: Tensor) -> Tensor:
    return torch.stack([_along(x, v, i) - 0.2 * i for i in range(3)]).amax(0)


def _smooth(x: Tensor, v: Tensor) -> Tensor:
    return _along(x, v, 0) + 0.3 * torch.sin(3.0 * _along(x, v, 1))


def _ring(x: Tensor, v: Tensor) -> Tensor:
    return (x.square().mean(1) > 1.2).long()


def _blobs(x: Tensor, v: Tensor) -> Tensor:
    return (x @ v.T).argmax(1)


def _xor(x: Tensor, v: Tensor) -> Tensor:
    return (_along(x, v, 0) * _along(x, v, 1) > 0).long()


KINDS = (
    Kind("product, above", 6, _product, "above"),
    Kind("product, below", 6, _product, "below"),
    Kind("product, either", 6, _product, "either"),
    Kind("pair of factors", 12, _pair, "above"),
    Kind("pair of factors, rare", 5, _pair, "above", 2e-4, 1.0, 1.7),
    Kind("bowl", 8, _bowl, "above"),
    Kind("bowl, rare", 4, _bowl, "above", 2e-4, 2.0, 1.8),
    Kind("three slopes", 20, _three, "above"),
    Kind("three slopes, rare", 6, _three, "above", 2e-4, 2.0, 1.7),
    Kind("one slope", 30, _smooth, "above"),
    Kind("one slope, either", 10, _smooth, "either"),
    Kind("ring", 5, _ring, "class"),
    Kind("blobs", 16, _blobs, "class"),
    Kind("exclusive or", 6, _xor, "class"),
)


def made(kind: Kind, seed: int) -> Problem:
    """The problem of one kind and seed, without a truth. The same arguments give the same one."""
    rng = Rng(seed).child("own", kind.name)
    generator = rng.generator()
    d = kind.dim
    v = torch.randn(4, d, generator=generator, dtype=torch.float64)
    v = v / v.norm(dim=1, keepdim=True)
    mix = torch.randn(d, d, generator=generator, dtype=torch.float64)
    cov = 0.5 * (mix @ mix.T / d + torch.eye(d, dtype=torch.float64))
    mean = 0.3 * torch.randn(d, generator=generator, dtype=torch.float64)
    z = torch.randn(_SAMPLE, d, generator=generator, dtype=torch.float64)
    x = mean + z @ torch.linalg.cholesky(cov).T
    model = _trained(kind, x, kind.target(x, v), seed, generator)
    if kind.event == "class":
        return _misread(kind, model, x, generator, seed)
    law = Gaussian(mean, covariance=cov)
    return Problem(law, model, _beyond(kind, model, law, generator), name=f"{kind.name} {seed}")


def _trained(
    kind: Kind, x: Tensor, y: Tensor, seed: int, generator: torch.Generator
) -> nn.Sequential:
    """A network of two hidden layers; the activation goes round with the seed and the kind."""
    width, outputs = (32, 1) if kind.event != "class" else (24, int(y.max()) + 1)
    turn = (seed + [k.name for k in KINDS].index(kind.name)) % len(_ACTIVATIONS)
    sizes, parts = (kind.dim, width, width, outputs), list[nn.Module]()
    for i in range(3):
        layer = nn.Linear(sizes[i], sizes[i + 1], dtype=torch.float64)
        with torch.no_grad():
            for w in layer.parameters():  # as torch itself draws them
                bound = 1.0 / math.sqrt(sizes[i])
                u = torch.rand(w.shape, generator=generator, dtype=torch.float64)
                w.copy_(bound * (2.0 * u - 1.0))
        parts += [layer, _ACTIVATIONS[turn]()]
    model = nn.Sequential(*parts[:-1])

    def loss() -> Tensor:
        out = model(x)
        if kind.event == "class":
            return nn.functional.cross_entropy(out, y)
        return (out[:, 0] - y).square().mean()

    with torch.enable_grad():
        descend(loss, list(model.parameters()), _RATE, _STEPS)
    return model.requires_grad_(False).eval()


def _beyond(kind: Kind, model: nn.Module, law: Gaussian, generator: torch.Generator) -> Spec:
    """The half-lines of the output beyond thresholds far in its law."""
    z = torch.randn(_LEVEL_DRAWS, kind.dim, generator=generator, dtype=torch.float64)
    y = model(law.push(z))[:, 0]
    one = torch.ones(1, dtype=torch.float64)

    def threshold(y: Tensor) -> float:
        far, near = (float(y.quantile(1.0 - k * kind.tail)) for k in (1.0, 10.0))
        return far + kind.beyond * (far - near)

    above, below = Halfspace(one, -threshold(y)), Halfspace(-one, -threshold(-y))
    return {"above": above, "below": below, "either": above | below}[kind.event]


def _misread(
    kind: Kind, model: nn.Module, x: Tensor, generator: torch.Generator, seed: int
) -> Problem:
    """Noise about an input that is read with a fair margin, as strong as misreads it seldom."""
    top = model(x).topk(2, dim=1)
    gap = top.values[:, 0] - top.values[:, 1]
    at = int(gap.argsort()[int(0.7 * len(gap))])
    label = int(top.indices[at, 0])
    z = torch.randn(_LEVEL_DRAWS // 4, kind.dim, generator=generator, dtype=torch.float64)
    low, high = 0.02, 4.0
    for _ in range(12):
        sigma = math.sqrt(low * high)
        missed = (model(x[at] + sigma * z).argmax(1) != label).double().mean()
        low, high = (low, sigma) if float(missed) > kind.tail else (sigma, high)
    law = Gaussian(x[at], torch.full_like(x[at], math.sqrt(low * high)))
    return Problem(law, model, Argmax(label), name=f"{kind.name} {seed}")


@torch.no_grad()
def drawn(problem: Problem, widened: float, draws: int) -> Problem:
    """The problem with its truth by draws of base noise `widened` times as wide."""
    d = problem.distribution.dim
    generator = Rng(0).child("own", problem.name).generator()
    total, squares, hits, done = 0.0, 0.0, 0, 0
    for _ in range(max(1, draws // _BATCH)):
        z = widened * torch.randn(_BATCH, d, generator=generator, dtype=torch.float64)
        fails = z[problem.margin_of_noise(z) > 0]
        square = fails.square().sum(1)
        weight = torch.exp(d * math.log(widened) - 0.5 * (1.0 - widened**-2) * square)
        total, squares = total + float(weight.sum()), squares + float(weight.square().sum())
        hits, done = hits + len(fails), done + _BATCH
    p = total / done
    if not hits:
        return replace(problem, truth=Truth(-math.inf, math.inf, f"{done:,} draws, none fails"))
    error = math.sqrt(max(squares / done - p * p, 0.0) / done) / p / math.log(10.0)
    how = f"{done:,} draws of D" + (f", {widened:g} times as wide" if widened > 1 else "")
    return replace(problem, truth=Truth(math.log10(p), error, how))

"""Small problems of every kind at random: laws, networks and events in all combinations."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import TypeVar

import torch
from torch import Tensor, nn

from workbench.distributions import Box, Gaussian, Mixture, Sampleable, StudentT
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Argmax, Halfspace, Polytope, Spec

LAWS = ("diagonal", "full", "mixture", "student", "box")
NETS = ("mlp", "mlp", "convolution", "norm", "linear")
EVENTS = ("half-space", "or", "and", "wins", "loses", "polytope")
RARE = (0.05, 0.01, 0.002)
"""Where C begins, by a sample of the margin."""

_ACTIVATIONS: tuple[Callable[[], nn.Module], ...] = (
    nn.ReLU, nn.GELU, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.SiLU, nn.LeakyReLU, nn.ELU, nn.Hardtanh,
    nn.ReLU6, nn.Hardswish,
)  # fmt: skip
_DIMS, _WIDTHS, _OUTPUTS, _SIDE = (1, 2, 3, 5, 8, 16), (3, 8, 24), (1, 2, 3, 4), 6
_DRAWS = 20_000
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Series:
    """Problems that share D and M, and of C all but the bar that its margin must pass.

    Args:
        event: C at a bar; its margin is that of the bar 0 less the bar.
        x: draws from D `(n, dim)`.
        rare: how rare `mixed_problem` has C.
    """

    name: str
    distribution: Gaussian | Mixture | StudentT | Box
    model: nn.Module
    event: Callable[[float], Spec]
    x: Tensor
    rare: float

    def at(self, bar: float, rare: float) -> Problem:
        """The problem of that bar; its card says that C is so rare."""
        about = f"{self.name}, C in about one draw of {1 / rare:,.0f}."
        return Problem(self.distribution, self.model, self.event(bar), self.name, about)


def mixed_problem(seed: int) -> Problem:
    """The problem of that number; its name says what it is made of."""
    series = series_of(seed)
    s = series.event(0.0).margin(series.x, series.model(series.x))
    return series.at(float(s.quantile(1.0 - series.rare)), series.rare)


@torch.no_grad()
def series_of(seed: int) -> Series:
    """The same for all bars."""
    g = Rng(seed).child("mixed").generator()
    kind, law, event = (_one(g, x) for x in (NETS, LAWS, EVENTS))
    rare = _one(g, RARE)
    outputs = _one(g, _OUTPUTS[1:] if event in ("wins", "loses") else _OUTPUTS)
    activation = _one(g, _ACTIVATIONS)
    dim = _SIDE**2 if kind == "convolution" else _one(g, _DIMS)
    d = _law(g, law, dim)
    with torch.random.fork_rng(devices=[]), _single():
        torch.manual_seed(seed)
        model = _net(g, kind, dim, outputs, activation).double().eval().requires_grad_(False)
    assert isinstance(d, Sampleable)
    x = d.sample(_DRAWS, g)
    bend = "" if kind == "linear" else f" {activation().__class__.__name__}"
    name = f"{seed}: {law} {dim}, {kind}{bend} to {outputs}, {event}"
    return Series(name, d, model, _event(g, event, outputs), x, rare)


@contextmanager
def _single() -> Iterator[None]:
    """Weights are drawn in float32, lest the default of the process make other networks."""
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(usual)


def _one(g: torch.Generator, choices: Sequence[T]) -> T:
    return choices[int(torch.randint(len(choices), (1,), generator=g))]


def _normal(g: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=g, dtype=torch.float64)


def _scale(g: torch.Generator, n: int) -> Tensor:
    return torch.rand(n, generator=g, dtype=torch.float64) + 0.1


def _law(g: torch.Generator, law: str, dim: int) -> Gaussian | Mixture | StudentT | Box:
    mean = _normal(g, dim)
    if law == "diagonal":
        return Gaussian(mean, _scale(g, dim))
    if law == "full":
        a = _normal(g, dim, dim)
        return Gaussian(mean, covariance=a @ a.T / dim + 0.01 * torch.eye(dim, dtype=a.dtype))
    if law == "mixture":
        weights = _scale(g, _one(g, (2, 3)))
        parts = tuple(Gaussian(2.0 * _normal(g, dim), _scale(g, dim)) for _ in weights)
        return Mixture(weights / weights.sum(), parts)
    if law == "student":
        return StudentT(mean, _scale(g, dim), _one(g, (3.0, 5.0, 10.0)))
    return Box(mean, mean + 2.0 * _scale(g, dim))


def _net(
    g: torch.Generator, kind: str, dim: int, outputs: int, activation: Callable[[], nn.Module]
) -> nn.Module:
    width = _one(g, _WIDTHS)
    if kind == "linear":
        return nn.Linear(dim, outputs)
    if kind == "convolution":
        kept = (_SIDE - 2) // 2
        return nn.Sequential(
            nn.Unflatten(1, (1, _SIDE, _SIDE)), nn.Conv2d(1, 3, 3), activation(),
            _one(g, (nn.AvgPool2d, nn.MaxPool2d))(2), nn.Flatten(), nn.Linear(3 * kept**2, outputs),
        )  # fmt: skip
    if kind == "norm":
        norm = _one(g, (nn.LayerNorm, nn.BatchNorm1d))(width)
        return nn.Sequential(nn.Linear(dim, width), norm, activation(), nn.Linear(width, outputs))
    parts: list[nn.Module] = []
    for _ in range(_one(g, (1, 2, 3))):
        parts += [nn.Linear(dim, width), activation()]
        dim = width
    net = nn.Sequential(*parts, nn.Linear(dim, outputs))
    for p in net.parameters():
        p.mul_(2.0)
    return net


def _event(g: torch.Generator, event: str, outputs: int) -> Callable[[float], Spec]:
    """An event of this kind, as its bar has it."""
    a, b = _normal(g, 3, outputs), 0.3 * _normal(g, 3)
    label = _one(g, range(outputs))

    def at(bar: float) -> Spec:
        if event == "half-space":
            return Halfspace(a[0], -bar)
        if event in ("or", "and"):
            parts = [Halfspace(w, float(c) - bar) for w, c in zip(a, b, strict=True)]
            return reduce(or_ if event == "or" else and_, parts)
        if event == "polytope":
            return Polytope(a, b - bar)
        return Argmax(label, "wins" if event == "wins" else "loses", by=bar)

    return at

"""Small pictures for problems whose inputs are 8 x 8 digits, as SVG text."""

import math

import torch
from torch import Tensor

from workbench.distributions import Moments as HasMoments
from workbench.distributions import Sampleable
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Argmax

SIDE = 8


def shows_digits(problem: Problem) -> bool:
    """Whether the inputs are the 8 x 8 pixels of a digit and the outputs its ten classes."""
    named = problem.name.startswith(("C_digits", "digits"))
    return named and problem.distribution.dim == SIDE * SIDE and problem.outputs == 10


def image(pixels: Tensor, size: int = 92) -> str:
    """64 numbers from 0 (paper) to 1 (ink) as squares; values beyond are clipped."""
    cells = []
    for k, value in enumerate(pixels.reshape(-1).tolist()):
        shade = round(255 * (1.0 - min(1.0, max(0.0, value))))
        cells.append(
            f"<rect x='{k % SIDE}' y='{k // SIDE}' width='1.02' height='1.02' "
            f"fill='rgb({shade},{shade},{shade})'/>"
        )
    return _squares(cells, size)


def _squares(cells: list[str], size: int) -> str:
    return (
        f"<svg width='{size}' height='{size}' viewBox='0 0 {SIDE} {SIDE}' "
        f"shape-rendering='crispEdges' role='img' "
        f"style='outline:1px solid rgba(128,128,128,.3)'>{''.join(cells)}</svg>"
    )


def signed(pixels: Tensor, size: int = 92) -> str:
    """64 numbers from -1 (blue, less ink) over 0 (grey) to 1 (orange, more ink) as squares."""
    ends = ((0, 114, 178), (213, 94, 0))
    cells = []
    for k, value in enumerate(pixels.reshape(-1).tolist()):
        share = min(1.0, abs(value))
        mixed = (round(238 + share * (c - 238)) for c in ends[value > 0])
        cells.append(
            f"<rect x='{k % SIDE}' y='{k // SIDE}' width='1.02' height='1.02' "
            f"fill='rgb({','.join(map(str, mixed))})'/>"
        )
    return _squares(cells, size)


def bars(probabilities: Tensor, true_class: int | None, size: int = 92) -> str:
    """Ten class probabilities as horizontal bars, the true class in another colour."""
    step = size / len(probabilities)
    parts = []
    for k, p in enumerate(probabilities.tolist()):
        y = k * step
        fill = "#009E73" if k == true_class else "#D55E00"
        parts.append(
            f"<text x='0' y='{y + 0.78 * step:.1f}' font-size='{0.85 * step:.1f}' "
            f"fill='currentColor'>{k}</text>"
            f"<rect x='10' y='{y + 1:.1f}' width='70' height='{step - 2:.1f}' "
            f"fill='rgba(128,128,128,.15)'/>"
            f"<rect x='10' y='{y + 1:.1f}' width='{70 * p:.2f}' height='{step - 2:.1f}' "
            f"fill='{fill}'/>"
        )
    return f"<svg width='84' height='{size}' role='img'>{''.join(parts)}</svg>"


@torch.no_grad()
def digits(problem: Problem, seed: int) -> str:
    """The clean image, a draw from D, and the class probabilities of that draw, as HTML."""
    d = problem.distribution
    assert isinstance(d, HasMoments) and isinstance(d, Sampleable)
    x = d.sample(1, Rng(seed).child("picture").generator())
    y = problem.model(x)
    probabilities = torch.softmax(y[0], 0)
    true_class = problem.spec.label if isinstance(problem.spec, Argmax) else None
    guess = int(probabilities.argmax())
    wrong = "catastrophe" if float(problem.margin(x)) > 0 else "no catastrophe"
    share = float(probabilities[guess])
    sure = f"{100 * share:.0f}%" if share < 0.995 else f"{100 * share:.{_nines(share)}f}%"
    figures = (
        (image(d.pieces()[0].mean), "mean of D"),
        (image(x[0]), "one draw of D"),
        (bars(probabilities, true_class), f"reads {guess} ({sure})"),
    )
    cells = "".join(
        f"<figure style='margin:0;text-align:center'>{svg}"
        f"<figcaption style='font-size:11px;opacity:.7'>{caption}</figcaption></figure>"
        for svg, caption in figures
    )
    return (
        f"<div class='wb-digits' style='display:flex;gap:12px;justify-content:space-between;"
        f"max-width:330px' "
        f"title='{wrong}'>{cells}</div>"
    )


def _nines(share: float) -> int:
    """Decimals that keep a share below 100%."""
    return min(6, max(1, math.ceil(-math.log10(max(1.0 - share, 1e-9))) - 2))

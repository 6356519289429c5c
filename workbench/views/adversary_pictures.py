"""What D looks like beside D0: digits, the plane, or the coordinates that moved most."""

import torch
from torch import Tensor

from workbench.adversaries import Likeliest, portrait
from workbench.distributions import Density, Distribution, Sampleable, Sequences
from workbench.distributions import Moments as HasMoments
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.views import pictures, text_pictures, token_pictures
from workbench.views.style import CATASTROPHE, GREY, Figure, axis, layout

_DRAWS, _SHOWN, _GRID, _BARS, _DOTS = 2048, 8, 81, 10, 300
_SMALL = 64  # pixels of a draw
_ROW = "display:flex;flex-wrap:wrap;gap:10px;margin-bottom:10px"
_TONE = "#A05EF7"


@torch.no_grad()
def mean_and_std(d: Distribution, seed: int = 0) -> tuple[Tensor, Tensor] | None:
    """Mean and standard deviation of D by coordinate, `(dim,)` each; None where unknown.

    From its pieces where it has them, else from draws.
    """
    if isinstance(d, HasMoments):
        pieces = d.pieces()
        weight = torch.softmax(torch.stack([p.log_weight for p in pieces]), 0)[:, None]
        means = torch.stack([p.mean for p in pieces])
        within = torch.stack([p.cov if p.cov.ndim == 1 else p.cov.diagonal() for p in pieces])
        mean = (weight * means).sum(0)
        var = (weight * (within + (means - mean).square())).sum(0)
        return mean, var.clamp(min=0.0).sqrt()
    if isinstance(d, Sampleable):
        x = d.sample(_DRAWS, Rng(seed).child("look").generator())
        return x.mean(0), x.std(0)
    return None


def inputs(
    problem: Problem, d: Distribution | None, seed: int, nearest: Likeliest | None = None,
    texts: text_pictures.Texts | None = None,
) -> str:  # fmt: skip
    """D beside D0 as HTML where inputs are images or text; else "".

    Args:
        texts: by a prompted language model, where they were drawn already.
    """
    if pictures.shows_digits(problem):
        return digits(problem, d or problem.distribution, seed, nearest)
    if token_pictures.shows_tokens(problem) or token_pictures.shows_text(problem):
        return token_pictures.moved(problem, d, seed)
    if text_pictures.shows_requests(problem):
        return text_pictures.requests(problem, texts or text_pictures.drawn(problem, d, seed))
    return ""


@torch.no_grad()
def digits(problem: Problem, d: Distribution, seed: int, nearest: Likeliest | None = None) -> str:
    """Mean image, difference from D0, draws of D with what the network reads, and the design
    point where it is known, as HTML."""
    moved, still = mean_and_std(d, seed), mean_and_std(problem.distribution, seed)
    assert moved is not None and still is not None
    gap = moved[0] - still[0]
    reach = float(gap.abs().max())
    scale = gap / reach if reach > 0 else gap
    cells = [
        _cell(pictures.image(moved[0]), "mean of D"),
        _cell(pictures.signed(scale), f"minus that of D₀ (±{reach:.2g})"),
    ]
    if nearest is not None:
        cells.append(_cell(pictures.image(nearest.x), "likeliest failure", True))
    rows = [cells]
    if isinstance(d, Sampleable):
        seen = portrait.gallery(problem, d, _SHOWN, Rng(seed))
        read = zip(seen.x, seen.y.argmax(1).tolist(), seen.failed.tolist(), strict=True)
        rows.append([
            _cell(pictures.image(pixels, _SMALL), f"reads {guess}" + (" ✗" if failed else ""),
                  failed)
            for pixels, guess, failed in read
        ])  # fmt: skip
    laid = "".join(f"<div style='{_ROW}'>{''.join(row)}</div>" for row in rows)
    return f"<div class='wb-adversary-digits' style='margin-top:8px'>{laid}</div>"


def _cell(svg: str, caption: str, failed: bool = False) -> str:
    tone = "color:var(--wb-bad, #b3261e)" if failed else "opacity:.75"
    return (
        f"<figure style='margin:0;text-align:center'>{svg}"
        f"<figcaption style='font-size:11px;{tone}'>{caption}</figcaption></figure>"
    )


@torch.no_grad()
def plane(
    problem: Problem, d: Distribution | None, dark: bool, height: int,
    nearest: Likeliest | None = None,
) -> Figure:  # fmt: skip
    """Density contours of D0 and D at 1, 2 and 3 standard deviations, over the region of C; the
    design point where it is known."""
    both = [problem.distribution] + ([] if d is None else [d])
    known = [m for m in (mean_and_std(each) for each in both) if m is not None]
    low = torch.stack([mean - 4.5 * std for mean, std in known]).amin(0)
    high = torch.stack([mean + 4.5 * std for mean, std in known]).amax(0)
    # One scale on both axes: what is round looks round.
    reach = float((high - low).max()) / 2
    middle = (low + high) / 2
    xs, ys = (torch.linspace(float(m) - reach, float(m) + reach, _GRID).to(low) for m in middle)
    grid = torch.cartesian_prod(xs, ys)
    margin = problem.margin(grid).reshape(_GRID, _GRID).T.clamp(-1e6, 1e6)
    base = {"x": xs.tolist(), "y": ys.tolist(), "type": "contour", "showscale": False}
    data = [{  # plotly fills where the constraint does not hold
        **base, "z": margin.tolist(), "name": "C holds", "hoverinfo": "skip", "showlegend": True,
        "contours": {"type": "constraint", "operation": "<", "value": 0.0},
        "fillcolor": CATASTROPHE.replace(".10", ".22"), "line": {"color": "#D55E00", "width": 1.2},
    }]  # fmt: skip
    for each, tone, name in zip(both, (GREY, _TONE), ("D₀", "D"), strict=False):
        if isinstance(each, Density):
            data.append(_rings(each.log_prob(grid), base, tone, name))
        elif isinstance(each, Sampleable):
            data.append(_dots(each, tone, name))
    if nearest is not None:
        at = [[float(v)] for v in nearest.x]
        data.append({
            "type": "scatter", "mode": "markers", "name": "likeliest failure", "x": at[0],
            "y": at[1], "marker": {"size": 10, "color": _TONE, "symbol": "x"},
        })  # fmt: skip
    ends = [[float(v[0]), float(v[-1])] for v in (xs, ys)]
    return {
        "data": data,
        "layout": layout(
            dark, height, showlegend=True,
            legend={"x": 0.01, "y": 0.99, "bgcolor": "rgba(0,0,0,0)", "font": {"size": 11}},
            xaxis=axis(dark, range=ends[0], title={"text": "x<sub>1</sub>"}),
            yaxis=axis(dark, range=ends[1], title={"text": "x<sub>2</sub>"}, scaleanchor="x"),
        ),
    }  # fmt: skip


def _rings(log_density: Tensor, base: Figure, tone: str, name: str) -> Figure:
    """For a Gaussian sqrt(2 (max log D - log D)) is the distance in standard deviations."""
    far = torch.sqrt(2.0 * (log_density.max() - log_density)).clamp(max=40.0).nan_to_num(nan=40.0)
    return {
        **base, "z": far.reshape(_GRID, _GRID).T.tolist(), "name": name, "showlegend": True,
        "contours": {"coloring": "lines", "start": 1.0, "end": 3.0, "size": 1.0},
        "colorscale": [[0.0, tone], [1.0, tone]], "line": {"width": 1.8}, "hoverinfo": "skip",
    }  # fmt: skip


def _dots(d: Sampleable, tone: str, name: str) -> Figure:
    x = d.sample(_DOTS, Rng(0).child("gallery").generator())
    return {
        "type": "scatter", "mode": "markers", "name": name, "x": x[:, 0].tolist(),
        "y": x[:, 1].tolist(), "marker": {"size": 3, "color": tone}, "hoverinfo": "skip",
    }  # fmt: skip


def coordinates(problem: Problem, d: Distribution | None, dark: bool, height: int) -> Figure:
    """The coordinates whose mean moved most, in standard deviations of D0."""
    x, y, text = [], [], []
    moved = None if d is None else mean_and_std(d)
    still = mean_and_std(problem.distribution)
    if moved is not None and still is not None:
        gap = (moved[0] - still[0]) / still[1].clamp(min=1e-300)
        top = gap.abs().topk(min(_BARS, len(gap))).indices
        x, y = gap[top].tolist(), [f"x<sub>{int(i) + 1}</sub>" for i in top]
        text = [f"spread × {float(r):.2f}" for r in (moved[1] / still[1].clamp(min=1e-300))[top]]
    return {
        "data": [{
            "type": "bar", "orientation": "h", "x": x, "y": y, "text": text, "textposition": "none",
            "marker": {"color": _TONE},
            "hovertemplate": "%{y}: %{x:.2f} standard deviations, %{text}<extra></extra>",
        }],
        "layout": layout(
            dark, height,
            xaxis=axis(dark, title={"text": "shift of the mean, in standard deviations of D₀"},
                       zeroline=True, zerolinecolor=GREY),
            yaxis=axis(dark, autorange="reversed", type="category"),
        ),
    }  # fmt: skip


def shift(problem: Problem, d: Distribution) -> float | None:
    """How far the mean moved: root of the summed squares, in D0's standard deviations; None where
    inputs are text."""
    if isinstance(d, Sequences):
        return None
    moved, still = mean_and_std(d), mean_and_std(problem.distribution)
    if moved is None or still is None:
        return None
    return float(((moved[0] - still[0]) / still[1].clamp(min=1e-300)).norm())

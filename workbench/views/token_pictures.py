"""What a law of tokens looks like: its positions as columns, before and after a tilt towards C."""

from html import escape

import torch
from torch import Tensor

from workbench.distributions import IndependentTokens
from workbench.estimators.soft_tokens import margin_and_gradient
from workbench.math.simplex import draw, tilted_by
from workbench.models import Transformer
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.views.variation import NATS, token_slope

_MOST, _SAMPLES = 6, 4
_BEFORE, _AFTER = "rgba(128,128,128,.55)", "#D55E00"


def shows_tokens(problem: Problem) -> bool:
    """Whether D is of independent tokens that M knows the texts of."""
    d, model = problem.distribution, problem.model
    known = isinstance(model, Transformer) and model.vocabulary is not None
    return isinstance(d, IndependentTokens) and known


@torch.no_grad()
def tokens(problem: Problem, seed: int) -> str:
    """The likeliest tokens of every position under D and under D tilted towards C, and draws.

    The tilt is q_i(v) proportional to p_i(v) exp(b g_i[v]), g the slope of `token_slope` and b such
    that KL(q || p) is `NATS`: what M's weights say, to first order, of which tokens bring C about.
    In the draws the stronger a token's background, the more it moves the margin against what D
    would put there.
    """
    d, model = problem.distribution, problem.model
    assert isinstance(d, IndependentTokens) and isinstance(model, Transformer)
    assert model.vocabulary is not None
    texts = model.vocabulary.tokens
    log_p = d.log_probs().detach().double()
    generator = Rng(seed).child("picture").generator()
    slope = token_slope(problem, seed)
    log_q = tilted_by(log_p, slope, NATS)
    columns = "".join(_column(i, log_p[i], log_q[i], texts) for i in range(d.dim))
    small = "font-size:11px;opacity:.7;margin-top:4px"
    laws = (("draws of D", log_p), (f"draws of D tilted by {NATS:.0f} nats", log_q))
    rows = "".join(
        f"<div style='{small}'>{said}</div>"
        + _lines(problem, draw(law.exp(), _SAMPLES, generator), log_p)
        for said, law in laws
    )
    style = "display:flex;gap:8px;overflow-x:auto;padding-bottom:6px"
    return f"<div class='wb-tokens'><div style='{style}'>{columns}</div>{rows}</div>"


def _column(i: int, log_p: Tensor, log_q: Tensor, texts: tuple[str, ...]) -> str:
    """One position: the tokens that either law makes likely, each with two bars."""
    p, q = log_p.exp(), log_q.exp()
    order = torch.maximum(p, q).argsort(descending=True)[:_MOST].tolist()
    lines = []
    for v in (v for v in order if float(p[v]) > 0.0):
        title = f"{_shown(texts[v])}: {float(p[v]):.3g} under D, {float(q[v]):.3g} tilted"
        bars = "".join(
            f"<div style='height:4px;width:{max(1.0, 100.0 * share):.1f}%;background:{tone}'></div>"
            for share, tone in ((float(p[v]), _BEFORE), (float(q[v]), _AFTER))
        )
        lines.append(
            f"<div title=\"{escape(title)}\" style='margin-bottom:3px'>"
            f"<code style='font-size:11px;background:none;padding:0'>{_shown(texts[v])}</code>"
            f"{bars}</div>"
        )
    head = f"<div style='font-size:11px;opacity:.7'>{i + 1}</div>"
    return f"<div style='flex:1 0 44px;min-width:44px'>{head}{''.join(lines)}</div>"


def _lines(problem: Problem, x: Tensor, log_p: Tensor) -> str:
    """Sequences with the tokens that matter marked, and what M says next."""
    model = problem.model
    assert isinstance(model, Transformer) and model.vocabulary is not None
    texts = model.vocabulary.tokens
    s, gradient = margin_and_gradient(problem, x)
    usual = (log_p.exp() * gradient.double()).sum(2)
    pull = (gradient.double().gather(2, x[..., None])[..., 0] - usual).abs()
    strongest = float(pull.max()) or 1.0
    said = model(x).argmax(1).tolist()
    lines = []
    for row, weights, after, margin in zip(
        x.tolist(), pull.tolist(), said, s.tolist(), strict=True
    ):
        marked = "".join(
            f"<span style='background:rgba(213,94,0,{0.45 * w / strongest:.2f})'>"
            f"{_shown(texts[v])}</span>"
            for v, w in zip(row, weights, strict=True)
        )
        bad = " style='color:#D55E00;font-weight:bold'" if margin > 0.0 else ""
        lines.append(f"<div><code>{marked}</code> → <code{bad}>{_shown(texts[after])}</code></div>")
    return "".join(lines)


def _shown(text: str) -> str:
    """A token's text, as HTML, with its spaces and line ends visible."""
    return escape(text.replace(" ", "␣").replace("\n", "⏎"))

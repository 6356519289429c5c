"""What a law of tokens looks like: its positions as columns, before and after, and draws of it."""

from collections.abc import Sequence
from html import escape

import torch
from torch import Tensor

from workbench.distributions import Distribution, IndependentTokens, Sampleable, ShortText
from workbench.estimators.soft_tokens import margin_and_gradient
from workbench.math.simplex import draw, tilted_by
from workbench.math.transitions import marginals
from workbench.models import Automaton, Transformer
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.views.variation import NATS, token_slope

_MOST, _SAMPLES = 6, 4
BEFORE, AFTER = "rgba(128,128,128,.55)", "#D55E00"


def shows_tokens(problem: Problem) -> bool:
    """Whether D is of independent tokens that M knows the texts of."""
    d, model = problem.distribution, problem.model
    known = isinstance(model, Transformer) and model.vocabulary is not None
    return isinstance(d, IndependentTokens) and known


def shows_text(problem: Problem) -> bool:
    """Whether D is text of a short-sighted language model that an automaton reads."""
    d, model = problem.distribution, problem.model
    return isinstance(d, ShortText) and isinstance(model, Automaton) and bool(model.symbols)


@torch.no_grad()
def tokens(problem: Problem, seed: int, nats: float = NATS) -> str:
    """The likeliest tokens of every position under D and under D tilted towards C, and draws.

    The tilt is q_i(v) proportional to p_i(v) exp(b g_i[v]), g the slope of `token_slope` and b such
    that KL(q || p) is `nats`: what M's weights say, to first order, of which tokens bring C about.
    In the draws the stronger a token's background, the more it moves the margin against what D
    would put there.
    """
    d = problem.distribution
    assert isinstance(d, IndependentTokens)
    log_p = d.log_probs().detach().double()
    generator = Rng(seed).child("picture").generator()
    log_q = tilted_by(log_p, token_slope(problem, seed), nats) if nats else log_p
    laws = (("draws of D", log_p), (f"draws of D tilted by {nats:g} nats", log_q))
    drawn = [(said, draw(law.exp(), _SAMPLES, generator)) for said, law in laws]
    small = "font-size:11px;opacity:.7;margin-top:4px"
    return _laid(problem, log_p, log_q, drawn) + (
        f"<div style='{small}'>The stronger its background, the more a token moves the margin; "
        "after the arrow, what M says next: orange where C holds.</div>"
    )


@torch.no_grad()
def moved(problem: Problem, d: Distribution | None, seed: int) -> str:
    """The likeliest tokens of every position under D0 and under D, and draws of both.

    Args:
        problem: under D0.
        d: None shows D0 alone.
    """
    log_p = places(problem.distribution)
    log_q = log_p if d is None else places(d)
    laws = [("draws of D₀", problem.distribution)] + ([] if d is None else [("draws of D", d)])
    drawn = []
    for said, law in laws:
        assert isinstance(law, Sampleable)
        generator = Rng(seed).child("picture", said).generator()
        drawn.append((said, law.sample(_SAMPLES, generator)))
    return _laid(problem, log_p, log_q, drawn)


def places(d: Distribution) -> Tensor:
    """`(T, V)`: log of the probability of every token at every position."""
    if isinstance(d, ShortText):
        return marginals(d.log_probs.detach(), d.start, d.length)
    assert isinstance(d, IndependentTokens)
    return d.log_probs().detach().double()


def _laid(
    problem: Problem, log_p: Tensor, log_q: Tensor, drawn: Sequence[tuple[str, Tensor]]
) -> str:
    rows = "".join(lines(said, problem, x, log_p) for said, x in drawn)
    return f"<div class='wb-tokens'>{columns(log_p, log_q, _texts(problem))}{rows}</div>"


def columns(log_p: Tensor, log_q: Tensor, texts: tuple[str, ...]) -> str:
    """A column a place: its likeliest tokens, with two bars each, as HTML.

    Args:
        log_p: `(T, V)`, before.
        log_q: `(T, V)`, after.
        texts: of the tokens.
    """
    made = "".join(_column(i, log_p[i], log_q[i], texts) for i in range(len(log_p)))
    style = "display:flex;gap:8px;overflow-x:auto;padding-bottom:6px"
    return f"<div style='{style}'>{made}</div>{key()}"


def key(said: str = "") -> str:
    """What the two colours of the bars mean, as HTML, and what the bars are."""
    told = "".join(
        f"<span style='display:inline-block;width:18px;height:4px;margin:0 5px 2px 0;"
        f"background:{tone}'></span>{when}&emsp;"
        for tone, when in ((BEFORE, "before"), (AFTER, "after"))
    )
    return f"<div style='font-size:11px;opacity:.7;margin-top:4px'>{told}{said}</div>"


def lines(said: str, problem: Problem, x: Tensor, log_p: Tensor, heads: Sequence[str] = ()) -> str:
    """Sequences below what they are, the tokens that matter marked, as HTML.

    Args:
        said: what they are.
        problem: which of them fail.
        x: `(n, T)`.
        log_p: `(T, V)`: what usually stands at each place.
        heads: texts that they go on from.
    """
    small = "font-size:11px;opacity:.7;margin-top:4px"
    return f"<div style='{small}'>{said}</div>" + _lines(problem, x, log_p, heads)


def _texts(problem: Problem) -> tuple[str, ...]:
    model = problem.model
    if isinstance(model, Automaton):
        return tuple(model.symbols)
    assert isinstance(model, Transformer) and model.vocabulary is not None
    return model.vocabulary.tokens


def _column(i: int, log_p: Tensor, log_q: Tensor, texts: tuple[str, ...]) -> str:
    """One position: the tokens that either law makes likely, each with two bars."""
    p, q = log_p.exp(), log_q.exp()
    order = torch.maximum(p, q).argsort(descending=True)[:_MOST].tolist()
    lines = []
    for v in (v for v in order if float(p[v]) > 0.0):
        title = f"{_shown(texts[v])}: {float(p[v]):.3g} before, {float(q[v]):.3g} after"
        bars = "".join(
            f"<div style='height:4px;width:{max(1.0, 100.0 * share):.1f}%;background:{tone}'></div>"
            for share, tone in ((float(p[v]), BEFORE), (float(q[v]), AFTER))
        )
        lines.append(
            f"<div title=\"{escape(title)}\" style='margin-bottom:3px'>"
            f"<code style='font-size:11px;background:none;padding:0'>{_shown(texts[v])}</code>"
            f"{bars}</div>"
        )
    head = f"<div style='font-size:11px;opacity:.7'>{i + 1}</div>"
    return f"<div style='flex:1 0 44px;min-width:44px;max-width:130px'>{head}{''.join(lines)}</div>"


def _lines(problem: Problem, x: Tensor, log_p: Tensor, heads: Sequence[str]) -> str:
    """Sequences with the tokens that matter marked, and what M says of them."""
    texts, s = _texts(problem), problem.margin(x)
    pull = _pull(problem, x, s, log_p)
    strongest = float(pull.max()) or 1.0
    if isinstance(problem.model, Automaton):
        said = ["✗" if fails else "" for fails in (s > 0).tolist()]
    else:
        said = [_shown(texts[v]) for v in problem.model(x).argmax(1).tolist()]
    made = []
    for row, weights, after, margin, head in zip(
        x.tolist(), pull.tolist(), said, s.tolist(), heads or [""] * len(x), strict=True
    ):
        marked = "".join(
            f"<span style='background:rgba(213,94,0,{0.45 * w / strongest:.2f})'>"
            f"{_shown(texts[v])}</span>"
            for v, w in zip(row, weights, strict=True)
        )
        bad = " style='color:#D55E00;font-weight:bold'" if margin > 0.0 else ""
        arrow = f" → <code{bad}>{after}</code>" if after else ""
        start = f"<span style='opacity:.55'>{_shown(head)}</span>" if head else ""
        made.append(f"<div><code>{start}{marked}</code>{arrow}</div>")
    return "".join(made)


def _pull(problem: Problem, x: Tensor, s: Tensor, log_p: Tensor) -> Tensor:
    """`(n, T)`: how far a token moves the margin against what D would put there on average: to
    first order for a transformer, exactly for an automaton."""
    if not isinstance(problem.model, Automaton):
        _, gradient = margin_and_gradient(problem, x)
        usual = (log_p.exp() * gradient.double()).sum(2)
        return (gradient.double().gather(2, x[..., None])[..., 0] - usual).abs()
    n, t = x.shape
    v = log_p.shape[1]
    swapped = x[:, None, None].repeat(1, t, v, 1)
    rows = torch.arange(t)
    swapped[:, rows, :, rows] = torch.arange(v).expand(t, n, v)
    others = problem.margin(swapped.reshape(-1, t)).reshape(n, t, v).double()
    return (s[:, None].double() - (log_p.exp() * others).sum(2)).abs()


def _shown(text: str) -> str:
    """A token's text, as HTML, with its spaces and line ends visible."""
    return escape(text.replace(" ", "␣").replace("\n", "⏎"))

"""What text by a prompted language model looks like: words that it says more often, and texts."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from html import escape
from typing import TypeAlias

import torch

from workbench.distributions import Distribution, PromptedText
from workbench.models.router import Router
from workbench.models.speaker import Speaker
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import And, Spec
from workbench.views.token_pictures import AFTER, BEFORE, key

_DRAWS, _FEW, _SHOWN, _WORDS = 128, 24, 6, 12
_WORD = re.compile(r"[A-Za-z']+")
_PARTS = re.compile(r"[A-Za-z']+|[^A-Za-z']+")


def shows_requests(problem: Problem) -> bool:
    """Whether D is text by a prompted language model that a router reads."""
    return isinstance(problem.distribution, PromptedText) and isinstance(problem.model, Router)


Texts: TypeAlias = tuple[list[str], list[str]]
"""Of D0 and of D; none of D where it is D0 still."""


@torch.no_grad()
def drawn(problem: Problem, d: Distribution | None, seed: int) -> Texts:
    """Texts of both; takes a while where a large model writes."""
    before = _texts(problem, problem.distribution, seed, "draws of D₀")
    return before, [] if d is None else _texts(problem, d, seed, "draws of D")


@torch.no_grad()
def requests(problem: Problem, texts: Texts) -> str:
    """Words that more, or fewer, texts hold under D than under D0, and texts of both, as HTML.

    In the texts the stronger a word's background, the more the margin falls without it: exactly,
    each word left out in turn.

    Args:
        problem: under D0.
        texts: as `drawn`.
    """
    before, after = texts
    first = marked(problem, before, "draws of D₀")
    if not after:
        return _page(first)
    return _page(_moved(before, after) + first + marked(problem, after, "draws of D"))


def _page(inner: str) -> str:
    return f"<div class='wb-tokens wb-requests'>{inner}</div>"


@lru_cache(maxsize=4)
def _texts(problem: Problem, d: Distribution, seed: int, said: str) -> list[str]:
    assert isinstance(d, PromptedText) and isinstance(problem.model, Router)
    n = _FEW if isinstance(d.speaker, Speaker) else _DRAWS
    x = d.sample(n, Rng(seed).child("picture", said).generator())
    return problem.model.read(x)


def _shares(texts: Sequence[str]) -> dict[str, float]:
    """The share of the texts that hold each word."""
    counts = Counter(w for text in texts for w in {w.lower() for w in _WORD.findall(text)})
    return {word: n / len(texts) for word, n in counts.items()}


def _moved(before: Sequence[str], after: Sequence[str]) -> str:
    """The words whose share moved most, a line each with two bars."""
    p, q = _shares(before), _shares(after)
    words = sorted(p.keys() | q.keys(), key=lambda w: (-abs(q.get(w, 0.0) - p.get(w, 0.0)), w))
    cells = "".join(_word(w, p.get(w, 0.0), q.get(w, 0.0)) for w in words[:_WORDS])
    grid = "display:grid;grid-template-columns:repeat(auto-fill,minmax(92px,1fr));gap:6px 14px"
    said = "share of the texts that hold the word"
    return f"<div style='{grid}'>{cells}</div>{key(said)}"


def _word(word: str, p: float, q: float) -> str:
    bars = "".join(
        f"<div style='height:4px;width:{max(1.0, 100.0 * share):.1f}%;background:{tone}'></div>"
        for share, tone in ((p, BEFORE), (q, AFTER))
    )
    title = f"{word}: in {p:.0%} of the texts before, {q:.0%} after"
    return (
        f"<div title=\"{escape(title)}\"><code style='font-size:12px;background:none;padding:0'>"
        f"{escape(word)}</code>{bars}</div>"
    )


def marked(problem: Problem, texts: Sequence[str], said: str) -> str:
    """The first few texts with the words that matter marked, below how many of all fail, as HTML.

    Args:
        said: what the texts are.
    """
    fail = (_margins(problem, texts) > 0.0).tolist()
    small = "font-size:11px;opacity:.7;margin-top:8px"
    made = [f"<div style='{small}'>{said}: {sum(fail)} of {len(texts)} fail</div>"]
    pulls = [_pulls(problem, text) for text in texts[:_SHOWN]]
    most = max((v for pull in pulls for v in pull.values()), default=0.0) or 1.0
    for text, fails, pull in zip(texts, fail, pulls, strict=False):
        words = "".join(
            f"<span style='background:rgba(213,94,0,{0.45 * pull.get(i, 0.0) / most:.2f})'>"
            f"{escape(part)}</span>"
            for i, part in enumerate(_PARTS.findall(text))
        )
        bad = "<span style='color:var(--wb-bad, #b3261e);font-weight:bold'> ✗</span>"
        made.append(
            f"<div style='line-height:1.5;margin-bottom:3px'>{words}{bad if fails else ''}</div>"
        )
    return "".join(made)


def _pulls(problem: Problem, text: str) -> dict[int, float]:
    """How far the margin falls without each word, by the word's place among the text's parts.

    Of a conjunction the sum of its parts' margins: their least would hide most words.
    """
    parts = _PARTS.findall(text)
    places = [i for i, part in enumerate(parts) if _WORD.fullmatch(part)]
    texts = [text] + ["".join(parts[:i] + parts[i + 1 :]) for i in places]
    spec = problem.spec
    each = spec.parts if isinstance(spec, And) else (spec,)
    s = torch.stack([_margins(problem, texts, part) for part in each]).sum(0)
    return dict(zip(places, (s[0] - s[1:]).clamp(min=0.0).tolist(), strict=True))


def _margins(problem: Problem, texts: Sequence[str], spec: Spec | None = None) -> torch.Tensor:
    """s of every text, by all of the spec or by a part."""
    assert isinstance(problem.model, Router)
    y = problem.model.judge(texts)
    return (problem.spec if spec is None else spec).margin(y[:, :0], y)

"""What the Train screen shows of a language model that is trained away from a word."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from workbench.experiments import Row, Run
from workbench.math.logspace import LN10
from workbench.training.hush import Hush, emission, prompts, worst_law
from workbench.views import train_hush_plots, train_hush_words
from workbench.views.style import Figure
from workbench.views.train_prompts import Prompts, look
from workbench.views.train_telling import Telling

_SHOWN = 9


class HushTelling(Telling):
    """P of the word after its own and the worst prompts, the perplexity, and those prompts."""

    met_title = "The worst prompts"

    def told(self, run: Run) -> dict[str, Any]:
        """Besides the name: how much the perplexity may grow, how far the prompts may go."""
        problem, hush = run.subject.problem, run.subject.iteration
        return {
            "problem": problem.name, "about": problem.about, "growth": hush.growth,
            "nats": hush.nats,
        }  # fmt: skip

    def weights(self, run: Run) -> Tensor:
        """Of the best model within the limit, the present one among them."""
        subject = run.subject
        return subject.iteration.closed(subject.problem, subject.state).best

    @torch.no_grad()
    def met(self, run: Run, before: Tensor | None) -> tuple[dict[str, Any], ...]:
        """The prompts that the worst D writes most: their share under D0 and under the worst D of
        the model before and of the present one, and log10 P of the word after them."""
        problem, hush = run.subject.problem, run.subject.iteration
        law = prompts(problem.distribution)
        heights, shares = [], []
        for theta in (before, self.weights(run)):
            height = emission(problem, _text(hush, problem, theta))
            heights.append(height / LN10)
            shares.append(worst_law(law, height, hush.nats).exp())
        order = torch.maximum(*shares).argsort(descending=True)[:_SHOWN].tolist()
        symbols = problem.model.symbols
        contexts = problem.distribution.network.contexts
        return tuple(
            {
                "prompt": "".join(symbols[v] for v in contexts[i].tolist()),
                "share": float(law[i].exp()),
                "worst": tuple(float(s[i]) for s in shares),
                "log10_p": tuple(float(h[i]) for h in heights),
            }
            for i in order
        )

    def picture(self, run: Run, before: Tensor | None) -> Prompts:
        """Prompts under D0 and under the worst D, and how the model goes on from them."""
        problem, hush = run.subject.problem, run.subject.iteration
        text = _text(hush, problem, self.weights(run))
        return look(problem, text, hush.nats, run.subject.seed)

    def sentence(self, rows: Sequence[Row], found: Mapping[str, Any]) -> str:
        if not rows:
            return train_hush_words.START
        return train_hush_words.sentence(rows, found["growth"], found["nats"])

    def mark(self, rows: Sequence[Row]) -> str:
        """Nothing: what it says is exact."""
        return ""

    def danger(
        self, rows: Sequence[Row], before: Sequence[Row], found: Mapping[str, Any], dark: bool,
        height: int,
    ) -> Figure:  # fmt: skip
        return train_hush_plots.danger(rows, before, dark, height)

    def task(
        self, rows: Sequence[Row], before: Sequence[Row], found: Mapping[str, Any], dark: bool,
        height: int,
    ) -> Figure:  # fmt: skip
        return train_hush_plots.perplexity(rows, before, found.get("growth"), dark, height)

    def ledger(self, found: Mapping[str, Any]) -> str:
        return train_hush_words.ledger(found.get("met", ()))


def _text(hush: Hush, problem: Any, theta: Tensor | None) -> Any:
    """M with these weights, or as it was given."""
    return problem.distribution if theta is None else hush.text(problem, theta)

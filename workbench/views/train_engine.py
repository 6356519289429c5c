"""What the Train screen asks of trainings: their names, their settings, who tells of which."""

from collections.abc import Collection, Sequence

from workbench.errors import BadInput
from workbench.experiments import duties, lessons
from workbench.views import Given
from workbench.views.train_duty import DutyTelling
from workbench.views.train_hush import HushTelling
from workbench.views.train_telling import Telling

CHOICES = {"follow": tuple(duties.FOLLOWED), "weigh": duties.WEIGHED}
LABELS = {
    "follow": "estimator", "weigh": "weight set by", "target": "target log₁₀ P",
    "allow": "task loss allowed", "nats": "adversary's nats", "rate": "learning rate",
    "price": "weight per digit", "every": "steps per check", "referee": "referee's budget",
}  # fmt: skip
_HUSH_LABELS = {
    "nats": "nats for prompts", "growth": "growth allowed", "price": "price of a nat",
}  # fmt: skip
DOCS = {
    "follow": "The estimator of log P whose gradient is followed down: mean, covariance or "
    "conditioned propagation, and if the referee finds it exploited the next more accurate one "
    "takes over; or score and importance, with gradients from the draws of an importance sampler.",
    "weigh": "What sets the weight of log10 P against the task loss: target raises it until the "
    "target is reached; price keeps the weight given here; task loses no more of the task than "
    "allowed.",
    "target": "log10 P to get below, under D₀ and under every adversary's D.",
    "allow": "How much of the task may be lost where the weight is set by task: 0.01 is one "
    "percentage point of accuracy or of explained variance, or 1% more cost.",
    "nats": "How far from D₀ the adversary may go: KL(D ‖ D₀) in nats. 0 trains without one.",
    "steps": "Gradient steps.",
    "rate": "Learning rate of the model.",
    "price": "Weight of one digit of P (a factor of ten), in units of the task loss; set by "
    "target, it is how fast the weight rises while the target is missed. On average over many "
    "images: the weight of one nat.",
    "power": "Exponent of the mean over images: near 0 it is the mean of log P, at 1 that of P, "
    "which the worst image rules.",
    "lines": "Lines that are integrated along for every image, across its tangent to C; 0 takes "
    "the half-space beyond the tangent instead.",
    "every": "Steps between two searches by the adversary, and between two checks by the referee.",
    "referee": "Forward passes of each check by the referee.",
}
_HUSH_DOCS = {
    "nats": "How far the worst prompts may move away from the model's own: KL(D ‖ D₀) in nats.",
    "growth": "How much the perplexity of the first model's text may grow: 0.02 is two percent.",
    "price": "Price of moving away from the first model: nats of log P per nat of KL per symbol.",
}
TELLINGS: dict[str, Telling] = {"train": DutyTelling(), "hush": HushTelling()}
"""{kind of run: who tells of it}."""


def titles(own: Collection[str] = ()) -> dict[str, str]:
    """{what a reader reads: name} of what can be trained, a visitor's own first."""
    named = {title: name for name, title in lessons.TITLES.items() if name not in own}
    return {name: name for name in own} | named


def chosen(given: Given | None) -> str:
    """The name of the training that is asked for by its name, or by the problem that it trains.

    Of several the first. Raises `BadInput` where it is none of those that the room has.
    """
    first = given
    if isinstance(given, Sequence) and not isinstance(given, str):
        first = given[0] if given else None
    named = list(lessons.TITLES)
    if first is None:
        return named[0]
    name = str(getattr(first, "name", first))
    if name in named:
        return name
    raise BadInput(
        f"the room Train has no training of {name!r}: use one of {', '.join(named)}; a network of "
        "your own is brought with its examples, as a `workbench.training.Duty`"
    )


def docs(name: str) -> dict[str, str]:
    """{setting: what it is} of the training of that name."""
    return DOCS | (_HUSH_DOCS if _hushes(name) else {})


def labels(name: str) -> dict[str, str]:
    """{setting: what its control is called} of that training, where not by the setting's name."""
    return LABELS | (_HUSH_LABELS if _hushes(name) else {})


def _hushes(name: str) -> bool:
    return lessons.way_of(name).kind == "hush"

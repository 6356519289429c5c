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
    "follow": "estimate followed", "weigh": "weighed by", "target": "target, log10 P",
    "allow": "loss allowed", "nats": "adversary's nats", "rate": "learning rate",
    "price": "price of a digit", "every": "steps between looks", "referee": "referee's passes",
}  # fmt: skip
_HUSH_LABELS = {
    "nats": "prompts' nats", "growth": "growth allowed", "price": "price of a nat",
}  # fmt: skip
DOCS = {
    "follow": "The estimate of log P whose gradient is followed: mean, covariance or conditioned "
    "propagation, where the next stricter one takes over if the referee catches it; or score and "
    "importance, gradients from the draws of an importance sampler.",
    "weigh": "How the price of a digit of P is set: raised until the target is met; the price as "
    "given; or so that no more of the task is lost than allowed.",
    "target": "log10 P to get below, under D₀ and under every adversary's D.",
    "allow": "What may be lost of the task where that weighs: 0.01 is a point of accuracy or of "
    "variance explained, or 1% more cost.",
    "nats": "How far from D₀ the adversary may go, KL(D || D₀); 0 leaves it out.",
    "steps": "Gradient steps.",
    "rate": "Learning rate of the model.",
    "price": "Of a digit of P, in units of the task loss; weighed by target: how fast it rises "
    "while that is missed. On average over many images: of a nat.",
    "power": "Of the mean over images: towards 0 that of log P, at 1 that of P, which sees the "
    "worst image alone.",
    "lines": "Lines followed an image across its tangent to C; none for the tangent's half-space.",
    "every": "Steps between two searches of the adversary, and between two looks of the referee.",
    "referee": "Forward passes of a look.",
}
_HUSH_DOCS = {
    "nats": "How far from the model's own prompts the worst ones may go, KL(D || D₀).",
    "growth": "Of the perplexity on the first model's text, at most: 0.02 is two percent.",
    "price": "Nats of log P for a nat a symbol that the model moves away from the first one.",
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

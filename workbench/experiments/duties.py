"""What can be trained by name, and defenders from a few settings: for command line and screens."""

import inspect
import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from safetensors.torch import load_file

from workbench import catalogue
from workbench.adversaries import KL, Adversary
from workbench.errors import BadInput
from workbench.estimators import Conditioned, Estimator, Importance, Moments
from workbench.training import Defender, Duty, Referee, Task, sampled, toys

FOLLOWED: dict[str, Callable[[], Estimator]] = {
    "mean": lambda: Moments(propagator="mean"),
    "covariance": Moments,
    "conditioned": Conditioned,
    **dict.fromkeys(sampled.WAYS, Importance),
}
"""Estimates that a defender may follow, each stricter than the one before it; then samplers, by
the name of their gradient."""
WEIGHED = ("target", "price", "task")
"""How the price of a digit of P is set: by dual ascent to the target, as given, or so that the task
keeps within what may be lost of it."""
_SEARCH = 10  # steps of an adversary within a training


def defender(
    follow: str = "covariance", weigh: str = "target", target: float | None = -8.0,
    allow: float = 0.01, nats: float = 1.0, steps: int = 150, rate: float = 3e-3,
    price: float = 3e-3, every: int = 25, referee: int = 20_000,
) -> Defender:  # fmt: skip
    """A defender from a few numbers; the ladder are the stricter estimates.

    Args:
        follow: one of `FOLLOWED`.
        weigh: one of `WEIGHED`.
        target: log10 P to get below; what lies below it is not pushed further, however weighed.
        allow: what may be lost of the task, where that weighs.
        nats: how far from D0 its adversary may go; 0 for none.
        steps: of the optimiser.
        rate: learning rate.
        price: of a digit of P; by "target" how fast it rises while the target is missed.
        every: steps between two searches of the adversary, and between two looks of the referee.
        referee: forward passes of a look.

    Raises:
        BadInput: for what is out of range.
    """
    if follow not in FOLLOWED:
        raise BadInput(f"no defender is called {follow!r}: use one of {', '.join(FOLLOWED)}")
    if weigh not in WEIGHED:
        raise BadInput(f"P is weighed by {', '.join(WEIGHED)}, got {weigh!r}")
    if not (math.isfinite(nats) and nats >= 0.0):
        raise BadInput(f"a defender's adversary spends 0 nats or more, got {nats!r}")
    stricter = [
        k for k in list(FOLLOWED)[list(FOLLOWED).index(follow) + 1 :] if k not in sampled.WAYS
    ]
    own = FOLLOWED[follow]()
    adversary = Adversary(region=KL(nats), estimator=own, steps=_SEARCH) if nats else None
    return Defender(
        own, adversary, steps, rate, price=price, target=None if weigh == "price" else target,
        allowance=allow if weigh == "task" else None,
        gradient=follow if follow in sampled.WAYS else "pathwise", renew=every,
        ladder=tuple(FOLLOWED[k]() for k in stricter), then="go on",
        referee=Referee(every, referee),
    )  # fmt: skip


def duty(name: str) -> Duty:
    """What is trained, by its name, or by the path of a card whose model does a digits task.

    Of a name there is one, made once; a card is read anew, as it may have changed.

    Training writes into the model of a duty, so that two runs at once need one each: see `fresh`.

    Raises:
        BadInput: for an unknown name.

    >>> duty("plane").task.size
    300
    """
    short = {long: short for short, long in toys.PLANTED.items()}
    name = short.get(name, name)
    if name in DUTIES:
        return _made(name)
    problem = catalogue.load(name)
    if problem.distribution.dim != 64 or problem.outputs != 10:
        raise BadInput(
            f"{problem.name} has no task to train for: use {', '.join(DUTIES)}, or a problem whose "
            "model reads digits; your own needs the examples that it is for (`--data`)"
        )
    return Duty(problem, _digits_task())


@cache
def _made(name: str) -> Duty:
    return DUTIES[name]()


def fresh(name: str) -> Duty:
    """A duty with a model of its own; errors as `duty`."""
    return duty(name).fresh()


def _digits_task() -> Task:
    """To read the training images, and to be judged on the held-out ones."""
    data = load_file(catalogue.data_folder() / "digits.safetensors")
    x, y, out = data["images"].double() / 16.0, data["labels"].long(), data["held_out"].bool()
    return Task(x[~out], y[~out], (x[out], y[out]))


DUTIES: dict[str, Callable[[], Duty]] = {
    "plane": toys.plane,
    "regression": toys.regression,
    "controller": toys.controller,
    **{name: partial(toys.backdoor, name) for name in toys.PLANTED},
    "digits": lambda: Duty(catalogue.load("digits"), _digits_task()),
}
"""What can be trained by name."""
TITLES: dict[str, str] = {
    "plane": "Two classes on a plane", "regression": "Regression below a bar",
    "controller": "Controller on a track", "mintree": "Planted: minimum tree",
    "ramp": "Planted: slow ramps", "needle": "Planted: needle", "digits": "One noised digit",
}  # fmt: skip


_KEEPING = {"follow": "conditioned", "weigh": "task", "allow": 0.03, "price": 1e-3, "steps": 60}
USUAL: dict[str, dict[str, Any]] = {
    "plane": {"follow": "conditioned", "steps": 60},
    "controller": {**_KEEPING, "target": -10.0, "nats": 0.0},
    **{name: {**_KEEPING, "target": -12.0, "nats": 0.0, "rate": 2e-3} for name in toys.PLANTED},
}
"""Settings of `defender` that suit a duty better than its own defaults, by name."""


def settings_of(name: str = "") -> dict[str, Any]:
    """{setting: usual value} of `defender`, for the duty of that name."""
    parameters = inspect.signature(defender).parameters
    return {k: p.default for k, p in parameters.items()} | USUAL.get(name, {})

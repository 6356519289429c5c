"""One row an estimate: what it says, how sure it is, what it cost, what it is doing.

Deterministic estimates are made here, at once; sampled ones are jobs for the worker.
"""

import inspect
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch

from workbench.distributions import Sampleable
from workbench.errors import BadInput, WorkbenchError
from workbench.estimators import ALL, Estimate, Estimator
from workbench.estimators.moments import PROPAGATORS, TAILS
from workbench.iteration import Budget, steps
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.types import Kind

BY_NAME: dict[str, type[Estimator]] = {cls.name: cls for cls in ALL}
CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("moments", "propagator"): tuple(PROPAGATORS),
    ("moments", "tail"): tuple(TAILS),
}
"""What the text settings of estimators may say."""
SPREAD: dict[str, str] = {"moments": "propagator"}
"""Estimators that get one row for every value of a setting."""
TITLES = {
    "monte_carlo": "Monte Carlo",
    "gld": "Gaussian fit to samples",
    "subset": "subset",
    "importance": "importance sampling",
}

Settings = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Row:
    """One line of the table and one marker in the chart; logarithms are to base 10."""

    key: str
    """Stable name, also the end of its css class: "moments" is covariance propagation."""
    title: str
    kind: Kind
    state: str
    """ready, running, paused, done, stale, idle, unsupported or error."""
    log10_p: float | None = None
    err: float | None = None
    interval: tuple[float, float] | None = None
    forwards: int = 0
    fraction: float = 0.0
    note: str = ""
    """Why there is no estimate, or what it is doing."""
    warning: str = ""
    """Why the estimate may not be what it seems."""

    @property
    def upper_only(self) -> float | None:
        """The upper confidence bound of a sampler that has seen nothing."""
        if self.log10_p == -math.inf and self.interval is not None and self.interval[1] < 0.0:
            return self.interval[1]
        return None


def is_deterministic(cls: type[Estimator]) -> bool:
    """Whether an estimator is a closed form, to be made anew while a slider moves."""
    return cls.kind is Kind.HEURISTIC and Sampleable not in cls.needs.distribution


def sampled() -> tuple[type[Estimator], ...]:
    """The estimators that run in the worker."""
    return tuple(cls for cls in ALL if not is_deterministic(cls))


def build(name: str, settings: Settings, **more: Any) -> Estimator:
    """An estimator with its settings. Raises `BadInput` for what it does not know."""
    cls = BY_NAME.get(name)
    if cls is None:
        raise BadInput(f"unknown estimator {name!r}: use one of {', '.join(BY_NAME)}")
    mine = settings.get(name, {})
    if not isinstance(mine, Mapping):
        raise BadInput(f"the settings of {name} must be names and values, got {mine!r}")
    given = {**mine, **more}
    known = {f.name: f.default for f in fields(cls)}  # type: ignore[arg-type]
    for key, value in given.items():
        if key not in known:
            raise BadInput(f"{name} has no setting {key!r}: it has {', '.join(known)}")
        wanted = type(known[key])
        if not isinstance(value, (int, float) if wanted is float else wanted):
            raise BadInput(f"{name}: {key} must be of type {wanted.__name__}, got {value!r}")
    return cls(**given)


def deterministic_keys() -> dict[str, tuple[type[Estimator], dict[str, Any], str]]:
    """{row key: (estimator, its fixed setting, title)}; the default setting comes first."""
    found: dict[str, tuple[type[Estimator], dict[str, Any], str]] = {}
    for cls in filter(is_deterministic, ALL):
        spread = SPREAD.get(cls.name)
        if spread is None:
            found[cls.name] = (cls, {}, cls.name)
            continue
        usual = next(f.default for f in fields(cls) if f.name == spread)  # type: ignore[arg-type]
        for value in sorted(CHOICES[cls.name, spread], key=lambda v: v != usual):
            key = cls.name if value == usual else f"{cls.name}_{value}"
            found[key] = (cls, {spread: value}, f"{value} propagation")
    return found


def summary(cls: type[Estimator]) -> str:
    """The first line of an estimator's docstring."""
    return inspect.cleandoc(cls.__doc__ or cls.name).splitlines()[0]


def setting_doc(cls: type[Estimator], name: str) -> str:
    """What an estimator's docstring says of one of its settings."""
    text = inspect.cleandoc(cls.__doc__ or "")
    found = re.search(rf"^ {{4}}{name}: (.*(?:\n {{5,}}.*)*)", text, re.MULTILINE)
    return " ".join(found[1].split()) if found else ""


def settings_of(cls: type[Estimator]) -> dict[str, Any]:
    """{setting: usual value} of what the interface offers; what has rows of its own is left out."""
    usual = cls().settings()
    return {k: v for k, v in usual.items() if k != SPREAD.get(cls.name)}


def title(key: str) -> str:
    """What the table calls a row."""
    rows = deterministic_keys()
    return rows[key][2] if key in rows else TITLES.get(key, key)


def keys() -> tuple[str, ...]:
    """The keys of all rows, in the order of the table."""
    return (*deterministic_keys(), *(cls.name for cls in sampled()))


@torch.no_grad()
def deterministic_rows(problem: Problem, settings: Settings) -> tuple[Row, ...]:
    """The closed forms at this problem, or the sentence that says why there is none."""
    rows = []
    for key, (cls, fixed, name) in deterministic_keys().items():
        try:
            estimate = build(cls.name, settings, **fixed)(problem)
            rows.append(_row(key, name, estimate, "ready"))
        except WorkbenchError as error:
            rows.append(Row(key, name, cls.kind, "unsupported", note=str(error)))
        except Exception as error:  # never an old number: whatever failed stands in the row
            rows.append(Row(key, name, cls.kind, "error", note=f"{type(error).__name__}: {error}"))
    return tuple(rows)


def refused_rows(error: WorkbenchError) -> tuple[Row, ...]:
    """Every closed form refused for one reason: there is no problem to estimate."""
    return tuple(
        Row(key, name, cls.kind, "unsupported", note=str(error))
        for key, (cls, _, name) in deterministic_keys().items()
    )


def sampled_rows(
    problem: Problem, results: Mapping[str, Mapping[str, Any]], position: object
) -> tuple[Row, ...]:
    """The sampled estimates as the worker published them; stale where the sliders moved on."""
    rows = []
    for cls in sampled():
        name = TITLES.get(cls.name, cls.name)
        result = results.get(cls.name)
        if result is None:
            try:
                cls().check(problem)
                rows.append(Row(cls.name, name, cls.kind, "idle"))
            except WorkbenchError as error:
                rows.append(Row(cls.name, name, cls.kind, "unsupported", note=str(error)))
            continue
        state = result["state"]
        if state != "error" and result.get("position") != position:
            state = "stale"
        estimate = result.get("estimate")
        if state == "error" or estimate is None:
            note = result.get("message", "")
            rows.append(Row(cls.name, name, cls.kind, state, note=note))
        else:
            rows.append(_row(cls.name, name, estimate, state, result.get("fraction", 0.0)))
    return tuple(rows)


def _row(key: str, name: str, estimate: Estimate, state: str, fraction: float = 1.0) -> Row:
    note = str(estimate.info.get("unfinished", "")) and "no repeat has finished yet"
    return Row(
        key, name, estimate.kind, state, estimate.log10_p, estimate.log10_err,
        estimate.log10_interval, estimate.cost.forwards, fraction, note, estimate.warning,
    )  # fmt: skip


def sampling(
    estimator: Estimator, problem: Problem, seed: int, budget: int
) -> Iterator[dict[str, Any]]:
    """A job for the worker: the estimate after every step."""
    estimator.check(problem)
    state = estimator.init(problem, Rng(seed))
    for latest, look in steps(estimator, problem, state, Budget(forwards=budget)):
        yield {
            "estimate": estimator.report(problem, latest, look.seconds),
            "fraction": look.fraction,
        }

"""The kinds of run that a folder can hold: how each is written down, and made again from that."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from safetensors.torch import load as safetensors_load
from safetensors.torch import save as safetensors_save

from workbench import catalogue
from workbench.adversaries import REGIONS, Adversary, families
from workbench.adversaries.lm import LMAdversary
from workbench.adversaries.sources import SOURCES
from workbench.device import on
from workbench.errors import StaleRun, Unsupported, WorkbenchError
from workbench.estimators import ALL, Tangent
from workbench.experiments.attempt import Attempt, Row
from workbench.experiments.config import decode, encode
from workbench.experiments.course import Course, Subject
from workbench.iteration import Budget
from workbench.math.gaussian import TWO_SIDED_95
from workbench.math.logspace import LN10
from workbench.problem import Problem, codec
from workbench.training import Defender, Duty, Referee, Task, Training
from workbench.training.baselines import BASELINES
from workbench.training.hush import Hush, Hushing
from workbench.training.pointwise import Pointwise
from workbench.training.trainer import Trainer

TRAINERS: tuple[type, ...] = (Trainer, Tangent, Pointwise, *BASELINES)
"""What minibatch trainings are made of."""


class RunKind(ABC):
    """How one kind of subject becomes settings and files, and comes back from them."""

    name: ClassVar[str]

    @abstractmethod
    def describe(self, subject: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Its settings, JSON-able, and the files that it is made of."""

    @abstractmethod
    def rebuild(self, config: dict[str, Any], file: Callable[[str], bytes]) -> Subject:
        """The subject before its first step, from what `describe` gave."""

    @abstractmethod
    def metrics(self, subject: Any) -> list[Row]:
        """The lines of metrics that the last step added."""

    def now(self, subject: Any) -> list[Row]:
        """A line of the present state, where the last of `metrics` is of the one before."""
        return []

    @abstractmethod
    def title(self, config: dict[str, Any]) -> str:
        """What runs, in a few words."""


class Estimates(RunKind):
    """An estimator on a problem."""

    name = "estimate"

    def describe(self, subject: Attempt) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The estimator's name and settings, the budget, the seed; the card and its tensors."""
        config = {
            "problem": subject.problem.name,
            "estimator": subject.estimator.name,
            "settings": encode(subject.estimator),
            "budget": encode(subject.budget),
            "seed": subject.seed,
        }
        return config, codec.to_files(subject.problem)

    def rebuild(self, config: dict[str, Any], file: Callable[[str], bytes]) -> Attempt:
        """The attempt. Raises `StaleRun` where this workbench has no such estimator."""
        estimator, budget = decode([config["settings"], config["budget"]], (*ALL, Budget))
        if not (isinstance(estimator, ALL) and isinstance(budget, Budget)):
            raise StaleRun("the run names no estimator and budget: it was altered")
        return Attempt(codec.from_files(file), estimator, budget, config["seed"])

    def metrics(self, subject: Attempt) -> list[Row]:
        """log10 P, its error and its cost so far; why there is none, where a step has no answer."""
        head = {
            "steps": subject.state.steps, "forwards": subject.state.forwards,
            "seconds": subject.seconds,
        }  # fmt: skip
        try:
            found = subject.estimate()
        except WorkbenchError as error:  # too early to say
            return [{**head, "reason": str(error)}]
        low, high = found.log10_interval or (None, None)
        return [{
            **head, "log10_p": found.log10_p, "log10_err": found.log10_err,
            "log10_low": low, "log10_high": high,
        }]  # fmt: skip

    def title(self, config: dict[str, Any]) -> str:
        """The estimator on the problem."""
        return f"{config['estimator']} on {config['problem']}"


def pursuit(
    problem: Problem, adversary: Adversary | LMAdversary, seed: int, budget: Budget | None = None
) -> Course:
    """An adversary's search on a problem, as runs, jobs and bars step through it."""
    return Course(problem, adversary, seed, budget, adversary.share)


class Attacks(RunKind):
    """An adversary on a problem."""

    name = "attack"

    def describe(self, subject: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The adversary's settings, the budget, the seed; the card and its tensors."""
        return _searched(subject), codec.to_files(subject.problem)

    def rebuild(self, config: dict[str, Any], file: Callable[[str], bytes]) -> Course:
        """The search. Raises `StaleRun` where this workbench has no such adversary."""
        known = (*ALL, *families.ALL, *REGIONS, Adversary, Budget)
        adversary, budget = decode([config["settings"], config["budget"]], known)
        return pursuit(codec.from_files(file), adversary, config["seed"], budget)

    def metrics(self, subject: Any) -> list[Row]:
        """Where the search stands: the step's log10 P and what it spends, and the best so far."""
        state = subject.state
        row: Row = {
            "steps": state.steps, "forwards": state.forwards, "seconds": subject.seconds,
            "log10_p_reference": state.reference / LN10,
        }  # fmt: skip
        if len(state.path):
            restart, spent, log_p, price = state.path[-1].tolist()
            row |= {
                "restart": int(restart), "spent": spent, "log10_p": log_p / LN10, "price": price,
                "log10_p_best": state.best_log_p / LN10,
            }  # fmt: skip
        return [row]

    def title(self, config: dict[str, Any]) -> str:
        """The family around the problem's D."""
        return f"{config['settings']['family']['type']} adversary on {config['problem']}"


def _searched(subject: Any) -> dict[str, Any]:
    """The settings of a search for D."""
    return {
        "problem": subject.problem.name, "settings": encode(subject.iteration),
        "budget": encode(subject.budget), "seed": subject.seed,
    }  # fmt: skip


class TextAttacks(Attacks):
    """A language model that is fine-tuned against a problem."""

    name = "attack_lm"

    def describe(self, subject: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The adversary's settings, the budget, the seed; of a problem that no card holds, as of
        the catalogue's router, its name alone."""
        try:
            return {**_searched(subject), "card": True}, codec.to_files(subject.problem)
        except Unsupported:
            return _searched(subject), {}

    def rebuild(self, config: dict[str, Any], file: Callable[[str], bytes]) -> Course:
        """The search. Raises `StaleRun` where this workbench has no such adversary."""
        known = (*SOURCES, *families.ALL, *REGIONS, LMAdversary, Budget)
        adversary, budget = decode([config["settings"], config["budget"]], known)
        own = config.get("card", False)
        problem = codec.from_files(file) if own else catalogue.load(config["problem"])
        return pursuit(problem, adversary, config["seed"], budget)

    def title(self, config: dict[str, Any]) -> str:
        """The source of gradients and the problem."""
        return f"language model by {config['settings']['source']['type']} on {config['problem']}"


class Trainings(RunKind):
    """A defender on a duty."""

    name = "train"

    def describe(self, subject: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The defender's settings and the seed; the card, and the data of the task."""
        duty: Duty = subject.problem
        config = {
            "problem": duty.problem.name,
            "defender": encode(subject.iteration),
            "seed": subject.seed,
            "loss": duty.task.loss,
            "trained": [p.requires_grad for p in duty.problem.model.parameters()],
        }
        (x, y), task = duty.task.held_out, duty.task
        data = {"inputs": task.inputs, "targets": task.targets, "x": x, "y": y}
        data |= {} if duty.watched is None else {"watched": duty.watched}
        contiguous = {k: v.clone().contiguous() for k, v in data.items()}  # may be views
        files = {"task.safetensors": safetensors_save(contiguous)}
        return config, {**codec.to_files(duty.problem), **files}

    def rebuild(self, config: dict[str, Any], file: Callable[[str], bytes]) -> Course:
        """The training. Raises `StaleRun` where this workbench has no such defender."""
        known = (*ALL, *families.ALL, *REGIONS, Adversary, Defender, Referee, *TRAINERS)
        defender = decode(config["defender"], known)
        problem, data = codec.from_files(file), safetensors_load(file("task.safetensors"))
        held_out = data["x"], data["y"]
        task = Task(data["inputs"], data["targets"], held_out, config["loss"])
        for p, trained in zip(problem.model.parameters(), config["trained"], strict=True):
            p.requires_grad_(trained)
        return lesson(Duty(problem, task, data.get("watched")), defender, config["seed"])

    def metrics(self, subject: Any) -> list[Row]:
        """Of M after so many `steps`, at first none, what the next one saw of it; estimate and
        referee side by side where that has judged. A training that is done ends with its last M.

        `referee` and its 95% interval are log10 P under D0, `referee_adv` under the adversary's D;
        `claimed` and `claimed_adv` are the defender's own estimates of the same model.
        """
        state = subject.state
        return [_learned(subject, row, state) for row in state.rows[state.ticks - 1 :].tolist()]

    def now(self, subject: Any) -> list[Row]:
        """M as it stands: an estimate, where it has not been judged."""
        closed = as_it_stands(subject)
        return [_learned(subject, closed.rows[-1].tolist(), closed)]

    def title(self, config: dict[str, Any]) -> str:
        """The estimator that is followed, and the problem."""
        return f"defender by {config['defender']['estimator']['type']} on {config['problem']}"


def lesson(duty: Duty, defender: Defender | Trainer, seed: int) -> Course:
    """A training, as runs, jobs and bars step through it."""
    return Course(duty, defender, seed, share=lambda state: state.ticks / defender.steps)


def as_it_stands(subject: Any) -> Any:
    """The state of a training with a row of the M that it has now."""
    with on(subject.problem):
        return subject.iteration.closed(subject.problem, subject.state)


def _learned(subject: Any, told: list[float], state: Training) -> Row:
    """A line of a training's metrics, from a row of its table."""
    steps, loss, score, own, adverse, price = told
    row: Row = {
        "steps": int(steps), "seconds": subject.seconds, "rung": state.rung, "loss": loss,
        "score": score, "price": price,
    }  # fmt: skip
    seen = {"log10_p": own, "log10_p_adv": adverse}  # a rule may be silent at first
    row |= {key: value for key, value in seen.items() if not math.isnan(value)}
    exploited = False
    for step, law, claimed, found, err, parted, _ in state.verdicts.tolist():
        exploited |= bool(parted) and step <= steps
        if step == steps:
            end = "_adv" if law else ""
            row |= {f"claimed{end}": claimed, f"referee{end}": found}
            if math.isfinite(err):
                row[f"referee{end}_low"] = found - TWO_SIDED_95 * err
                row[f"referee{end}_high"] = min(0.0, found + TWO_SIDED_95 * err)
    return {**row, "exploited": exploited}


class Hushes(RunKind):
    """A language model that is trained away from a word."""

    name = "hush"

    def describe(self, subject: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The settings and the seed; the card and its tensors."""
        config = {
            "problem": subject.problem.name, "settings": encode(subject.iteration),
            "seed": subject.seed,
        }  # fmt: skip
        return config, codec.to_files(subject.problem)

    def rebuild(self, config: dict[str, Any], file: Callable[[str], bytes]) -> Course:
        """The training. Raises `StaleRun` where this workbench has no such."""
        return hushing(codec.from_files(file), decode(config["settings"], (Hush,)), config["seed"])

    def metrics(self, subject: Any) -> list[Row]:
        """Of M after so many `steps`, at first none, log10 P under its own prompts and under the
        worst ones, both exact; the loss is KL(first M || M) a symbol, the score the perplexity of
        before as a part of now's. A training that is done ends with its last M."""
        return _hushed(subject, subject.state)

    def now(self, subject: Any) -> list[Row]:
        """M as it stands."""
        return _hushed(subject, as_it_stands(subject))[-1:]

    def title(self, config: dict[str, Any]) -> str:
        """The problem."""
        return f"hush {config['problem']}"


def _hushed(subject: Any, state: Hushing) -> list[Row]:
    """Lines of metrics, from the last step's row of its table on."""
    first = max(0, state.ticks - 1)
    return [
        {
            "steps": first + k, "seconds": subject.seconds, "log10_p": own / LN10,
            "log10_p_adv": adverse / LN10, "loss": drift, "score": math.exp(-drift),
        }
        for k, (own, adverse, drift) in enumerate(state.rows[first:].tolist())
    ]  # fmt: skip


def hushing(problem: Problem, hush: Hush, seed: int) -> Course:
    """The training of a language model away from a word, as runs, jobs and bars step through it."""
    return Course(problem, hush, seed, share=hush.share)


KINDS: tuple[RunKind, ...] = (Estimates(), Attacks(), TextAttacks(), Trainings(), Hushes())


def kind_of(name: str) -> RunKind:
    """The kind of that name. Raises `StaleRun` where there is none."""
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise StaleRun(f"this workbench knows no runs of kind {name!r}: use the one that made it")

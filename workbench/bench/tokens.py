"""Rare tokens: every estimator that serves them against counted truths, zeros counted openly."""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from workbench import catalogue
from workbench.bench.base import Bench, Choice, Column, Report, Row
from workbench.errors import BadInput, WorkbenchError
from workbench.estimators import ALL, Estimator
from workbench.math import itakura_saito
from workbench.math.logspace import LN10
from workbench.problem import Problem

BUDGET = 1 << 16
FLOOR = -16.0
"""log10 of what an answer of 0 counts as in the errors."""
BANDS = ((-8.0, -2.0), (-13.0, -8.0))
"""log10 of the truths that are taken together, besides every decade."""
_LEFT_OUT = ("enumeration",)
_FEWEST = 5  # targets for a fit


@dataclass(frozen=True)
class Scale:
    """What is run."""

    problems: tuple[str, ...]
    methods: tuple[str, ...]
    budget: int
    seeds: int


@dataclass(frozen=True)
class Answer:
    """One method's answer on one target."""

    truth: float
    log10_p: float
    seconds: float
    failed: bool
    warned: bool = False


def scale(quick: bool, choice: Choice) -> Scale:
    """The targets, methods, forward passes and seeds of a run."""
    names = tuple(catalogue.token_names())
    if quick:
        names = tuple(n for n in names if n.startswith("T_bpe_word"))
    serve = tuple(c.name for c in ALL if c.name not in _LEFT_OUT and _serves(c, names[0]))
    methods = choice.methods or serve
    unknown = [m for m in methods if m not in serve]
    if unknown:
        raise BadInput(f"tokens are not served by {unknown[0]!r}: use some of {', '.join(serve)}")
    budget = choice.budget or (BUDGET // 16 if quick else BUDGET)
    return Scale(choice.problems or names, methods, budget, choice.seeds or 1)


def _serves(cls: type[Estimator], name: str) -> bool:
    try:
        cls.needs.check(catalogue.load(name))
    except WorkbenchError:
        return False
    return True


def choose(choice: Choice, quick: bool, report: Report) -> Iterator[Row]:
    """A row a decade (then a band) and method, once all its targets are done."""
    todo = scale(quick, choice)
    yield from judged([catalogue.load(n) for n in todo.problems], todo, report)


def judged(targets: Iterable[Problem], todo: Scale, report: Report) -> Iterator[Row]:
    """The rows of some targets, whose truths are known; `todo.problems` is not read."""
    problems = sorted(targets, key=lambda p: -truth_of(p))
    answers: dict[str, list[Answer]] = {m: [] for m in todo.methods}
    classes = {cls.name: cls for cls in ALL}
    for i, problem in enumerate(problems):
        report(i / len(problems), problem.name)
        for method in todo.methods:
            for seed in range(todo.seeds):
                found = _ask(classes[method](), problem, todo.budget, seed)
                answers[method].append(found)
        if i + 1 == len(problems) or _decade(problems[i + 1]) != _decade(problem):
            at = _decade(problem)
            yield from _rows(f"1e{at}", answers, at - 0.5, at + 0.5)
    for low, high in (*BANDS, (BANDS[-1][0], BANDS[0][1])):
        yield from _rows(_band(low, high), answers, low, high)


def measure(quick: bool, report: Report) -> Iterator[Row]:
    """The whole of it."""
    return choose(Choice(), quick, report)


def truth_of(problem: Problem) -> float:
    """log10 P as it is known. Raises `BadInput` where it is not."""
    if problem.truth is None:
        raise BadInput(f"problem {problem.name!r} has no truth to be compared with")
    return problem.truth.log10_p


def _decade(problem: Problem) -> int:
    return round(truth_of(problem))


def _ask(estimator: Estimator, problem: Problem, budget: int, seed: int) -> Answer:
    start = time.process_time()
    try:
        found = estimator(problem, budget, seed)
        log10_p, failed, warned = found.log10_p, False, bool(found.warning)
    except WorkbenchError:
        log10_p, failed, warned = -math.inf, True, True
    return Answer(truth_of(problem), log10_p, time.process_time() - start, failed, warned)


def _rows(band: str, answers: dict[str, list[Answer]], low: float, high: float) -> Iterator[Row]:
    for method, all_of_it in answers.items():
        mine = [a for a in all_of_it if low <= a.truth < high]
        if mine:
            yield {"band": band, "method": method, **summary(mine)}


def summary(answers: Sequence[Answer]) -> Row:
    """What the answers of one method are worth: zeros, errors of log10, order, and the loss."""
    errors = [a.log10_p - a.truth for a in answers]
    seen = [e for e in errors if math.isfinite(e)]
    floored = [replace(a, log10_p=max(a.log10_p, FLOOR)) for a in answers]
    truth = torch.tensor([a.truth for a in floored], dtype=torch.float64)
    guess = torch.tensor([a.log10_p for a in floored], dtype=torch.float64)
    enough = len(answers) >= _FEWEST and float(guess.max() - guess.min()) > 0.0
    return {
        "targets": len(answers),
        "zeros": len(errors) - len(seen),
        "failed": sum(a.failed for a in answers),
        "warned": sum(a.warned for a in answers),
        "silent": sum(abs(e) > 1.0 and not a.warned for e, a in zip(errors, answers, strict=True)),
        "rmse": rms(seen) if seen else None,
        "floored": rms([float(e) for e in guess - truth]),
        "bias": sum(seen) / len(seen) if seen else None,
        "rank": _rank(truth, guess) if enough else None,
        "loss": itakura_saito.left_out(truth * LN10, guess * LN10) if enough else None,
        "seconds": sum(a.seconds for a in answers) / len(answers),
    }


def rms(errors: Sequence[float]) -> float:
    """Root of the mean square."""
    return math.sqrt(sum(e * e for e in errors) / len(errors))


def _rank(truth: torch.Tensor, guess: torch.Tensor) -> float:
    """Spearman's rank correlation."""
    from scipy.stats import spearmanr

    return float(spearmanr(truth.numpy(), guess.numpy())[0])  # type: ignore[arg-type]


def conclude(rows: list[Row]) -> Iterable[str]:
    """How an answer of 0 counts, and whether importance sampling beat extrapolation."""
    yield (
        f"an answer of 0 counts as 10^{FLOOR:.0f} in 'with zeros', in the rank correlation and in "
        "the Itakura-Saito loss, which is taken after a fit log q' = a log q + b to all other "
        "targets; a gradient counts as two forward passes; 'unsaid' counts answers more than a "
        "digit off that do not warn"
    )
    every = [r for r in rows if r["band"] == rows[-1]["band"]]
    warns = ", ".join(f"{r['method']} on {r['warned']} of {r['targets']}" for r in every)
    yield f"warnings: {warns}"
    for band in (_band(*BANDS[0]), rows[-1]["band"]):
        here = {r["method"]: r for r in rows if r["band"] == band}
        for key, what in (("loss", "Itakura-Saito loss after a fit"), ("floored", "digits")):
            ours, theirs = (
                {m: here[m][key] for m in names if here.get(m, {}).get(key) is not None}
                for names in (("itgis", "mhis"), ("gld", "qld"))
            )
            if not ours or not theirs:
                continue
            best, other = min(ours, key=ours.__getitem__), min(theirs, key=theirs.__getitem__)
            verdict = "beats" if ours[best] < theirs[other] else "does not beat"
            yield (
                f"P {band}, {here[best]['targets']} targets, zeros at the floor: importance "
                f"sampling ({best}, {what} {ours[best]:.2g}) {verdict} extrapolation ({other}, "
                f"{theirs[other]:.2g})"
            )
    yield (
        "published, by that loss, on larger models and P from 1e-9 to 1e-5, with temperatures "
        "tuned for every law: importance sampling beats extrapolation; here they are not tuned"
    )


def _band(low: float, high: float) -> str:
    return f"1e{low:.0f} to 1e{high:.0f}"


TOKENS = Bench(
    "tokens",
    "rare tokens of three language models, P from 1e-3 to 1e-12, against counted truths",
    (
        Column("band", "truth"),
        Column("method", "method"),
        Column("targets", "targets", "count"),
        Column("zeros", "P = 0", "count"),
        Column("failed", "failed", "count"),
        Column("silent", "unsaid", "count"),
        Column("rmse", "RMSE", "digits"),
        Column("floored", "with zeros", "digits"),
        Column("bias", "mean error", "error"),
        Column("rank", "rank corr.", "small"),
        Column("loss", "Itakura-Saito", "small"),
        Column("seconds", "CPU", "seconds"),
    ),
    measure,
    conclude,
    sections=("band",),
    choose=choose,
)

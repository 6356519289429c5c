"""Many configurations of one task, on any executor, into one table."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from workbench import catalogue
from workbench.errors import BadInput, Unsupported
from workbench.estimators import ALL
from workbench.experiments.attempt import Attempt, Row
from workbench.experiments.folder import Folder, is_run
from workbench.experiments.kinds import kind_of
from workbench.experiments.run import Run
from workbench.iteration import Budget


class Future(Protocol):
    """What `submit` hands back."""

    def result(self) -> Any: ...


class Submits(Protocol):
    """What a sweep asks of an executor: threads, processes, a cluster."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future: ...


def grid(**axes: Sequence[Any]) -> list[Row]:
    """All combinations, the last axis fastest.

    >>> grid(problem=["digits"], seed=[0, 1])
    [{'problem': 'digits', 'seed': 0}, {'problem': 'digits', 'seed': 1}]
    """
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def sweep(
    task: Callable[[Row], Mapping[str, Any]], configs: Iterable[Row],
    executor: Executor | Submits | None = None, report: Callable[[float, str], None] | None = None,
) -> Iterator[Row]:  # fmt: skip
    """One row a configuration, in their order: the configuration and what the task made of it.

    A configuration that fails, or whose process dies, has one row with its `reason`, and with
    whether it was `refused` (an `Unsupported` request) rather than failed; the others go on. For
    processes the task must be a function of a module, such as `estimated`.

    Args:
        task: from a configuration to its results.
        configs: what `grid` makes, or any others.
        executor: anything with `submit(task, config)` whose futures have `result()`; this thread
            does the work where it is None.
        report: told the share of the rows that are there, and the last one.

    >>> def half(config):
    ...     return {"half": 1 / config["n"]}
    >>> rows = list(sweep(half, grid(n=[0, 2])))
    >>> rows[0]["reason"], rows[1]["half"]
    ('ZeroDivisionError: division by zero', 0.5)
    """
    todo, work = list(configs), partial(_tried, task)
    results = (
        [_Here(work, config) for config in todo] if executor is None
        else [executor.submit(work, config) for config in todo]
    )  # fmt: skip
    for i, (config, future) in enumerate(zip(todo, results, strict=True)):
        try:
            row = future.result()
        except Exception as error:  # whatever its process died of
            row = _failed(config, error)
        if report is not None:
            report((i + 1) / len(todo), ", ".join(f"{k}={v}" for k, v in config.items()))
        yield row


def _tried(task: Callable[[Row], Mapping[str, Any]], config: Row) -> Row:
    """Where the work is done, so that no error has to travel: not all of them can."""
    try:
        return {**config, **task(config)}
    except Exception as error:  # whatever the task died of
        return _failed(config, error)


def _failed(config: Row, error: Exception) -> Row:
    reason = f"{type(error).__name__}: {error}"
    return {**config, "reason": reason, "refused": isinstance(error, Unsupported)}


class _Here:
    """A future that is computed by whoever asks for its result."""

    def __init__(self, task: Callable[[Row], Any], config: Row):
        self._task, self._config = task, config

    def result(self) -> Any:
        return self._task(self._config)


def estimated(config: Row) -> Row:
    """A task: one estimate, kept in a folder where the configuration has a `run`.

    Args:
        config: `problem` (a name or a card), `estimator`, and as needed `settings`, `forwards`,
            `seconds`, `seed`, `device`, `run`. A run that is there already is gone on with, so that
            a sweep which was killed does no work twice.

    Returns:
        The row of the estimate (see `Attempt.row`).

    >>> estimated({"problem": "A_d10_1e-6", "estimator": "moments"})["log10_p"]
    -6.0
    """
    known = {cls.name: cls for cls in ALL}
    if config["estimator"] not in known:
        raise BadInput(f"no estimator is called {config['estimator']!r}")
    estimator = known[config["estimator"]](**config.get("settings", {}))
    forwards, seconds = config.get("forwards"), config.get("seconds")
    budget = Budget() if forwards is seconds is None else Budget(forwards, seconds)
    problem = catalogue.load(config["problem"])
    if config.get("device") is not None:
        problem = problem.to(device=config["device"])
    attempt = Attempt(problem, estimator, budget, config.get("seed", 0))
    place = config.get("run")
    if place is None:
        attempt.run()
        return attempt.row()
    begun = is_run(Path(place))
    if begun and Folder.look(place).config != kind_of("estimate").describe(attempt)[0]:
        raise BadInput(f"{place} holds a run with other settings: choose another folder")
    with Run.resume(place) if begun else Run.start(place, "estimate", attempt) as run:
        run.finish()
        return run.subject.row()

"""A run stopped at step k and resumed equals the straight one bit for bit, for every estimator."""

import dataclasses
from itertools import islice

import cases
import pytest

import workbench as wb
from workbench.estimators import ALL
from workbench.iteration import State, equal, pack, steps, unpack

STEPS = 6
each_variant = pytest.mark.parametrize(
    "row, estimator",
    [pytest.param(row, e, id=label) for label, row, e in cases.variants()],
)


def some_steps(estimator, problem, state, budget, count):
    """At most `count` further states."""
    return [latest for latest, _ in islice(steps(estimator, problem, state, budget), count)]


def test_every_estimator_is_here():
    assert {cls.name for cls in ALL} <= {row.name for row in cases.ROWS}


@each_variant
def test_resumed_equals_straight(row, estimator):
    problem, budget = wb.load(row.problem), wb.Budget(row.budget)
    start = estimator.init(problem, wb.Rng(7))
    straight = [start, *some_steps(estimator, problem, start, budget, STEPS)]
    assert len(straight) > 1
    for k, state in enumerate(straight):
        # As another process would: from bytes, a fresh problem and a fresh estimator.
        again = type(estimator)(**estimator.settings())
        fresh = wb.load(row.problem)
        loaded = unpack(type(state), pack(state))
        assert equal(loaded, state)
        resumed = some_steps(again, fresh, loaded, budget, len(straight) - 1 - k)
        assert len(resumed) == len(straight) - 1 - k
        for one, other in zip(resumed, straight[k + 1 :], strict=True):
            assert equal(one, other)


@each_variant
def test_a_resumed_run_gives_the_same_estimate(row, estimator):
    problem, budget = wb.load(row.problem), wb.Budget(row.budget)
    whole = estimator(problem, budget, 7)
    start = estimator.init(problem, wb.Rng(7))
    state = some_steps(estimator, problem, start, budget, 1)[-1]
    state = unpack(type(state), pack(state))
    for state, _ in steps(estimator, problem, state, budget):  # noqa: B007, B020
        pass
    parted = estimator.report(problem, state, 1.0)
    assert parted.log10_p == whole.log10_p
    assert (parted.log_err, parted.interval, parted.info) == (
        whole.log_err, whole.interval, whole.info,
    )  # fmt: skip
    assert dataclasses.replace(parted.cost, seconds=0) == dataclasses.replace(whole.cost, seconds=0)


@each_variant
def test_a_state_is_tensors_numbers_and_streams_alone(row, estimator):
    problem = wb.load(row.problem)
    start = estimator.init(problem, wb.Rng(0))
    for state in [start, *some_steps(estimator, problem, start, wb.Budget(row.budget), 2)]:
        assert isinstance(state, State) and dataclasses.is_dataclass(state)
        assert state.__dataclass_params__.frozen
        assert len(pack(state)) < 1 << 24


@each_variant
@pytest.mark.parametrize("data", [b"", b"{}", b"\xff" * 64], ids=["empty", "short", "noise"])
def test_bytes_that_are_no_state_are_refused(row, estimator, data):
    cls = type(estimator.init(wb.load(row.problem), wb.Rng(0)))
    with pytest.raises(wb.StaleRun, match="hold no saved state"):
        unpack(cls, data)


@each_variant
def test_a_state_of_another_estimator_is_refused(row, estimator):
    cls = type(estimator.init(wb.load(row.problem), wb.Rng(0)))
    with pytest.raises(wb.StaleRun, match="made by other code"):
        unpack(cls, pack(State(rng=wb.Rng(0))))


def test_a_state_with_other_fields_is_refused():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class State2(State):
        extra: int = 0

    State2.__qualname__ = "State"
    with pytest.raises(wb.StaleRun, match="other fields"):
        unpack(State, pack(State2(rng=wb.Rng(0))))


@pytest.mark.parametrize("path", [(), ("a",), ("batch", 3, "x")])
def test_streams_survive_saving(path):
    stream = wb.Rng(5).child(*path)
    assert wb.Rng.load(stream.save()) == stream
    with pytest.raises(wb.BadInput, match="a saved random stream reads"):
        wb.Rng.load("five/x")


def test_equal_sees_every_difference():
    a = State(rng=wb.Rng(0))
    assert equal(a, State(rng=wb.Rng(0)))
    assert not equal(a, State(rng=wb.Rng(1)))
    assert not equal(a, State(rng=wb.Rng(0), forwards=1))

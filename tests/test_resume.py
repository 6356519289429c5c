"""A run stopped at step k and resumed equals the straight one bit for bit, for every estimator."""

import dataclasses
from itertools import islice, pairwise

import cases
import pytest

import workbench as wb
from workbench.estimators import ALL
from workbench.iteration import State, equal, pack, steps, unpack

STEPS = 6
VARIANTS = {label: (row, estimator) for label, row, estimator in cases.variants()}


def some_steps(estimator, problem, state, budget, count):
    """At most `count` further states."""
    return [latest for latest, _ in islice(steps(estimator, problem, state, budget), count)]


class Straight:
    """A run that nothing stops: its problem and budget, and its first states."""

    def __init__(self, row, estimator):
        self.estimator, self.row = estimator, row
        self.problem, self.budget = wb.load(row.problem), wb.Budget(row.budget)
        start = estimator.init(self.problem, wb.Rng(7))
        self.states = [start, *some_steps(estimator, self.problem, start, self.budget, STEPS)]


@pytest.fixture(scope="module", params=VARIANTS)
def straight(request):
    return Straight(*VARIANTS[request.param])


def test_every_estimator_is_here():
    assert {cls.name for cls in ALL} <= {row.name for row in cases.ROWS}


def test_resumed_equals_straight(straight):
    assert len(straight.states) > 1
    for state, then in pairwise(straight.states):
        # As another process would: from bytes, a fresh problem and a fresh estimator. A step is
        # enough: what it must end in is where the next one begins.
        again = type(straight.estimator)(**straight.estimator.settings())
        loaded = unpack(type(state), pack(state))
        assert equal(loaded, state)
        fresh = wb.load(straight.row.problem)
        (resumed,) = some_steps(again, fresh, loaded, straight.budget, 1)
        assert equal(resumed, then)


def test_a_resumed_run_gives_the_same_estimate(straight):
    problem, budget, estimator = straight.problem, straight.budget, straight.estimator
    whole = estimator(problem, budget, 7)
    state = straight.states[1]
    state = unpack(type(state), pack(state))
    for state, _ in steps(estimator, problem, state, budget):  # noqa: B007, B020
        pass
    parted = estimator.report(problem, state, 1.0)
    assert parted.log10_p == whole.log10_p
    assert (parted.log_err, parted.interval, parted.info) == (
        whole.log_err, whole.interval, whole.info,
    )  # fmt: skip
    assert dataclasses.replace(parted.cost, seconds=0) == dataclasses.replace(whole.cost, seconds=0)


def test_a_state_is_tensors_numbers_and_streams_alone(straight):
    for state in straight.states:
        assert isinstance(state, State) and dataclasses.is_dataclass(state)
        assert state.__dataclass_params__.frozen
        assert len(pack(state)) < 1 << 24


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff" * 64], ids=["empty", "short", "noise"])
def test_bytes_that_are_no_state_are_refused(straight, data):
    with pytest.raises(wb.StaleRun, match="hold no saved state"):
        unpack(type(straight.states[0]), data)


def test_a_state_of_another_estimator_is_refused(straight):
    with pytest.raises(wb.StaleRun, match="made by other code"):
        unpack(type(straight.states[0]), pack(State(rng=wb.Rng(0))))


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

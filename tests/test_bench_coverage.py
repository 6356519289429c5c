"""The bench of claimed intervals: what it counts and says, and a small part of it run."""

import math

import pytest

from workbench import bench
from workbench.bench.coverage import _samplers, bounds, coverage, verdict


def rows(held, missed, warned=0, told=0):
    """Runs whose interval holds the truth or not; some of either with a warning."""
    made = [{"covers": True, "warning": "w" if i < warned else ""} for i in range(held)]
    made += [{"covers": False, "warning": "w" if i < told else ""} for i in range(missed)]
    return [{**row, "log10_interval": [-5.0, -4.0]} for row in made]


@pytest.mark.parametrize(
    "parts, expected",
    [
        ((95, 5), "held"), ((90, 10), "held"), ((100, 0), "wide"), ((10, 0), "held"),
        ((70, 30), "missed"), ((70, 30, 20, 28), "flagged"), ((70, 30, 70, 30), "flagged"),
        ((70, 30, 40, 10), "missed"),
    ],
)  # fmt: skip
def test_verdicts(parts, expected):
    row = coverage(rows(*parts))
    assert row["verdict"] == expected
    assert row["held"] + row["missed"] == row["repeats"] == parts[0] + parts[1]


def test_a_share_s_own_interval_is_clopper_pearson_s():
    """Closed form where none is missed: the lower end is 0.025^(1/n)."""
    low, high = bounds(100, 100)
    assert low == pytest.approx(0.025**0.01) and high == 1.0
    assert verdict(99, 100, [True] * 99 + [False]) == "held"


def test_runs_without_an_interval_or_an_answer_claim_nothing():
    assert coverage([{"covers": None, "warning": ""}])["verdict"] == "no claim"
    row = coverage([{"reason": "a model is missing", "hopeless": True}])
    assert row["repeats"] == 0 and row["note"] == "a model is missing"


def test_a_part_of_it_can_be_chosen_and_read():
    found = bench.find("coverage")
    choice = bench.Choice(("A_d10_1e-3",), ("monte_carlo", "moments"), 2000, 5)
    told = []
    made = list(found.choose(choice, False, lambda share, label: told.append(share)))
    assert [row["estimator"] for row in made] == ["monte_carlo", "moments"]
    assert made[0]["repeats"] == 5 and made[0]["low"] <= made[0]["held"] / 5 <= made[0]["high"]
    assert made[1]["verdict"] == "no claim"  # it states no error
    assert told == sorted(told) and math.isclose(told[0], 0.0)
    text = " ".join(found.conclude(made))
    assert "monte_carlo: " in text and "flagged: fewer" in text


def test_random_answers_with_stated_errors_are_covered_by_default():
    names = _samplers()
    assert {"monte_carlo", "importance", "subset"} <= set(names)
    assert not {"moments", "conditioned", "enumeration"} & set(names)

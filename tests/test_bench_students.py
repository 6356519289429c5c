"""Benches of students and tiny networks: their arithmetic against closed forms, on tiny sizes."""

import math
from types import SimpleNamespace

import pytest
import torch

import workbench as wb
from workbench.bench import algzoo, distillation, students
from workbench.bench.algzoo import Amount
from workbench.distributions import Gaussian
from workbench.rng import Rng
from workbench.training.student import run as forward


def silent(share, label):
    assert 0.0 <= share <= 1.0 and label


def test_noise_moves_weights_along_one_line_and_leaves_the_network_alone():
    problem = wb.load("algzoo_second_h2_n2")
    before = [w.clone() for w in problem.model.parameters()]
    one, two = (algzoo.noised(problem, Rng(0), noise) for noise in (0.1, 0.2))
    assert all(map(torch.equal, problem.model.parameters(), before))
    for w, a, b in zip(before, one.model.parameters(), two.model.parameters(), strict=True):
        torch.testing.assert_close(b - w, 2.0 * (a - w))
        assert float((a - w).abs().max()) > 0.0


def test_plain_draws_count_p():
    """12,000 draws, the last batch a short one, of P = 1e-3: 6 standard errors."""
    found, p, n = algzoo.sampled(wb.load("A_d10_1e-3"), 12_000, Rng(0)), 1e-3, 12_000
    assert abs(found - p) < 6.0 * math.sqrt(p / n) and found * n == pytest.approx(round(found * n))


def test_accuracy_from_weights_is_told_against_draws_of_equal_cost(monkeypatch):
    monkeypatch.setattr(algzoo, "_QUICK", ("algzoo_second_h4_n3", "algzoo_cycle_h2_n4"))
    monkeypatch.setattr(algzoo, "QUICK", Amount(2, 1 << 8, 1))
    small, listed = algzoo.run(True, silent)
    assert small["weights"] <= listed["weights"]
    rows = {row["network"]: row for row in (small, listed)}
    told, exact = rows["second_h4_n3"], rows["cycle_h2_n4"]
    assert exact["exact"] and exact["gain"] is None and exact["cpu_gain"] is None
    assert told["gain"] == told["sampling"] / told["mse"] and not told["exact"]
    p, n = told["accuracy"], told["forwards"]
    # p (1 - p) is concave: its mean over copies is at most that of the mean
    assert 0.0 < told["sampling"] <= p * (1.0 - p) / n + 1e-12 and told["cpu_gain"] > 0.0


def test_networks_are_counted_on_which_sampling_is_beaten():
    def row(network, weights, gain, cpu_gain):
        return {
            "network": network, "weights": weights, "gain": gain, "cpu_gain": cpu_gain,
            "exact": "" if gain else "exact",
        }  # fmt: skip

    rows = [
        row("a", 10, 4.0, 0.5), row("b", 20, 0.25, 2.0), row("c", 30, None, None),
        row("large", algzoo.MOST + 1, 0.1, 0.1),
    ]  # fmt: skip
    _, operations, cpu = algzoo.conclude(rows)
    assert "equal operations sampling is beaten on 2 of 3" in operations
    assert operations.endswith(
        "by 0.25 to 4 times, 2.1 in the median, exactly known on 1; not on b."
    )
    assert "equal CPU time sampling is beaten on 2 of 3" in cpu and cpu.endswith("; not on a.")
    _, alone, _ = algzoo.conclude(rows[2:3])
    assert "on 1 of 1" in alone and alone.endswith("weights, exactly known on 1.")


def test_distilled_students_are_a_quarter_as_wide():
    teacher, student = distillation.pair(16, 2, Rng(0))
    x = torch.randn(5, 16, generator=torch.Generator().manual_seed(0))
    assert teacher(x).shape == (5, distillation.OUTPUTS) and student(x).shape == (5, 4)
    assert float(student(x).min()) >= 0.0  # it ends with its ReLU; the teacher does not
    assert float(teacher(x).min()) < 0.0


def test_distillation_sets_moments_against_draws_of_equal_time(monkeypatch):
    """On one hidden layer moments are exact, so their fit is the better one by far."""
    monkeypatch.setattr(distillation, "QUICK", ((16, 1),))
    monkeypatch.setattr(distillation, "_TRUTH", 1 << 16)
    monkeypatch.setattr(distillation, "_REPEATS", 2)
    monkeypatch.setattr(distillation, "cpu_seconds", lambda work, repeats: 0.0)
    rows = list(distillation.run(True, silent))
    assert {r["propagator"] for r in rows} == set(distillation.METHODS)
    for row in rows:
        assert row["size"] == "16 x 1" and row["draws"] == 16 // 4 + 2  # the fewest for a fit
        assert row["ratio"] == row["sampling"] / row["excess"] > 100.0
        assert 0.0 < row["least"] < 1.0 and row["excess"] >= 0.0


def test_where_draws_distil_better_is_said():
    rows = [
        {"propagator": "covariance", "size": "64 x 1", "ratio": 3.0},
        {"propagator": "covariance", "size": "64 x 8", "ratio": 0.5},
        {"propagator": "cumulant", "size": "64 x 1", "ratio": 2.0},
    ]
    said = list(distillation.conclude(rows))[1:]
    assert said == [
        "covariance: better than draws at 64 x 1 (3 times); draws are better at 64 x 8 (0.5).",
        "augmented: better than draws at none.",
        "cumulant: better than draws at 64 x 1 (2 times).",
    ]


def ticking(step):
    """A clock that goes on by `step` seconds whenever it is looked at."""
    now = [0.0]

    def look():
        now[0] += step
        return now[0]

    return SimpleNamespace(process_time=look)


def test_students_are_trained_by_all_ways_in_the_same_time(monkeypatch):
    monkeypatch.setattr(students, "QUICK", ((16, 1),))
    monkeypatch.setattr(students, "KEPT", (64, 256))
    monkeypatch.setattr(students, "_TRUTH", 1 << 12)
    monkeypatch.setattr(students, "_PER_WIDTH", 1.0 / 128)
    monkeypatch.setattr(students, "time", ticking(0.001))
    (row,) = students.measure(True, silent)
    assert row["size"] == "16 x 1" and row["seconds"] == 16 / 128 / 4
    best = min(row["kept"], row["fresh"])
    assert row["gap"] <= best - row["propagated"] + 1e-12  # the best way of each seed
    assert 0.0 < row["propagated"] < 1.0 and row["won"].endswith(" of 2")


def test_adam_comes_closer_to_its_teacher_and_leaves_its_start_alone(monkeypatch):
    monkeypatch.setattr(students, "time", ticking(0.01))
    teacher = students.random_layers([8, 8, 2], Rng(0))
    start = students.random_layers([8, 4, 2], Rng(1))
    was = [w.clone() for w, *_ in start]
    d = Gaussian(torch.zeros(8), torch.ones(8))
    found = students.adam(teacher, start, d, 0.03, 1.0, Rng(2))
    x = d.sample(2_000, Rng(3).generator())
    first, last = (float((forward(s, x) - forward(teacher, x)).square().mean())
                   for s in (start, found))  # fmt: skip
    assert last < 0.8 * first and all(map(torch.equal, was, (w for w, *_ in start)))
    assert not any(w.requires_grad for w, *_ in found) and found[0][2] == "relu"


def test_students_row_pairs_errors_by_seed():
    """The best way of draws changes with the seed: 0.3 and 0.2, against 0.1 and 0.4."""
    found = {
        "propagated": [0.1, 0.4], "kept 2048": [0.5, 0.2], "kept 8192": [0.4, 0.3],
        "fresh 0.003": [0.3, 0.6], "fresh 0.01": [0.6, 0.5],
    }  # fmt: skip
    row = students._row("s", 1.0, found)
    assert row["propagated"] == pytest.approx(0.25) and row["gap"] == pytest.approx(0.0)
    assert row["kept"] == pytest.approx(0.3) and row["fresh"] == pytest.approx(0.4)
    assert row["error"] == pytest.approx(0.2) and row["won"] == "1 of 2"


def test_students_conclude_by_two_standard_errors():
    rows = [
        {"size": "a", "gap": 0.3, "error": 0.1}, {"size": "b", "gap": -0.3, "error": 0.1},
        {"size": "c", "gap": 0.1, "error": 0.1},
    ]  # fmt: skip
    assert list(students.conclude(rows))[1] == (
        "propagation is better at a (0.3); draws are better at b (0.3); no difference at c."
    )
    assert list(students.conclude(rows[:1]))[1] == "propagation is better at a (0.3)."

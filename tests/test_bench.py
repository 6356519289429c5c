"""The benches: their arithmetic against closed forms, their rows, their refusals."""

import io
import math
import subprocess
import sys

import pytest
import torch

import workbench as wb
from workbench import bench, estimators, propagation
from workbench import graph as graphs
from workbench.bench import latency, throughput
from workbench.bench import propagation as nets
from workbench.bench import truth as against
from workbench.errors import BadInput, NotConverged, Unsupported
from workbench.rng import Rng


def silent(share, label):
    assert 0.0 <= share <= 1.0 and label


def test_registry_finds_every_bench_and_refuses_others():
    assert [bench.find(b.name) for b in bench.ALL] == list(bench.ALL)
    with pytest.raises(BadInput, match="use one of truth, propagation, throughput, latency"):
        bench.find("nothing")


@pytest.mark.parametrize("one", bench.ALL, ids=lambda b: b.name)
def test_columns_name_keys_once(one):
    keys = [column.key for column in one.columns]
    assert len(keys) == len(set(keys))
    assert set(one.sections) <= set(keys)


def test_truth_has_a_row_for_every_problem_and_estimator():
    rows = list(against.run(True, silent))
    assert len(rows) == len(against.QUICK_PROBLEMS) * len(estimators.ALL)
    exact = next(r for r in rows if r["problem"][0] == "A" and r["estimator"] == "moments")
    assert abs(exact["error"]) < 1e-9
    assert exact["truth"] == pytest.approx(-12.0, abs=1e-4)
    said = list(against.conclude(rows))
    assert [s.split(":")[0] for s in said] == [cls.name for cls in estimators.ALL]


def test_truth_counts_answers_of_zero():
    rows = [
        {"estimator": "e", "error": -math.inf},
        {"estimator": "e", "error": -0.5},
        {"estimator": "e", "reason": "it cannot"},
    ]
    assert list(against.conclude(rows)) == [
        "e: 3 problems, 1 refused, 1 answered P = 0; median error of the rest 0.50 digits, "
        "worst 0.50."
    ]


def test_the_bare_loop_counts_what_monte_carlo_estimates():
    """Two independent counts of 20,000 at P = 1.086e-3: 6 standard errors, false alarm 2e-9."""
    problem = wb.load("B_w32_h2_1e-3")
    n, p = 20_000, 10**problem.truth.log10_p
    assert abs(throughput.bare(problem, n, 2048) - n * p) < 6 * math.sqrt(n * p)


def test_throughput_has_a_ratio_a_problem_and_keeps_the_threads():
    before = torch.get_num_threads()
    rows = list(throughput.run(True, silent))
    assert torch.get_num_threads() == before
    assert all(row["ratio"] > 0 for row in rows)
    slow = [{"ratio": 0.69}, {"ratio": 0.9}]
    assert next(throughput.conclude(slow)).endswith("(target 0.7: missed).")


def test_means_of_one_hidden_layer_are_exact():
    """Its pre-activations are Gaussian with mean 0, so E relu = sd / sqrt(2 pi)."""
    net = nets.random_net(16, 1, Rng(0))
    first, _, last = net.parts
    want = last.weight @ (first.weight.norm(dim=1) / math.sqrt(2.0 * math.pi))
    for cls in propagation.ALL:
        got = nets.means(cls(), graphs.read(net), 16)
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-6)  # float32


def test_sampling_has_the_variance_of_a_linear_map():
    """4 standard errors on each of 16 means and variances: false alarms below 1 in 500."""
    net = nets.random_net(16, 0, Rng(1))
    draws = 1 << 15
    mean, var, seconds = nets.sampled(net, 16, draws, Rng(2))
    want = net.parts[0].weight.double().square().sum(1)
    assert bool((mean.abs() < 4.0 * (want / draws).sqrt()).all())
    assert bool(((var - want).abs() < 4.0 * want * math.sqrt(2.0 / draws)).all())
    assert seconds > 0


def test_error_of_an_exact_mean_is_zero_on_average():
    """The reference's own variance is taken away: within 4 standard errors (6e-5) of 0."""
    draws, errors = 1 << 12, []
    for seed in range(40):
        net = nets.random_net(16, 1, Rng(seed))
        mean, var, _ = nets.sampled(net, 16, draws, Rng(seed).child("x"))
        exact = nets.means(propagation.Covariance(), graphs.read(net), 16)
        errors.append(nets.normalised_error(exact, mean, var, draws))
    found = torch.tensor(errors)
    assert abs(found.mean()) < 4.0 * found.std() / math.sqrt(len(errors))
    assert found.std() < 1.0 / draws  # so that an uncorrected error would be seen


def test_error_of_a_sampled_mean_is_one_over_its_draws():
    """What 'equal time' rests on: within 4 standard errors (6e-5) of 1 / draws."""
    few, many, errors = 1 << 12, 1 << 15, []
    for seed in range(40):
        net = nets.random_net(16, 2, Rng(seed))
        mean, var, _ = nets.sampled(net, 16, many, Rng(seed).child("reference"))
        other, _, _ = nets.sampled(net, 16, few, Rng(seed).child("other"))
        errors.append(nets.normalised_error(other, mean, var, many))
    found = torch.tensor(errors)
    spread = found.std() / math.sqrt(len(errors))
    assert abs(found.mean() - 1.0 / few) < 4.0 * spread
    assert spread < 0.2 / few


def test_propagation_rows(monkeypatch):
    sizes = dict.fromkeys(nets.SIZES[:1], 1 << 13)
    monkeypatch.setattr(nets, "QUICK", nets.Scale(2, sizes))
    threads = torch.get_num_threads()
    rows = list(nets.run(True, silent))
    assert torch.get_num_threads() == threads
    assert [r["propagator"] for r in rows] == [cls.name for cls in propagation.ALL]
    by_name = {r["propagator"]: r for r in rows}
    assert by_name["covariance"]["vnmse"] < by_name["mean"]["vnmse"]
    assert by_name["covariance"]["published"] == 9.7e-5
    assert by_name["mean"]["published"] is None
    assert all(r["cpu_ms"] > 0 and r["draw_us"] > 0 for r in rows)
    assert list(nets.conclude(rows))


def test_published_figures_name_every_size():
    for figures in nets.PUBLISHED.values():
        assert tuple(figures) == nets.SIZES


def test_cpu_seconds_is_a_median_without_the_first_calls():
    calls = []
    assert nets.cpu_seconds(lambda: calls.append(0), repeats=3) >= 0
    assert len(calls) == 5


def test_latency_takes_the_95th_percentile():
    got = latency._row("keys", [float(k) for k in range(1, 101)], 100)
    assert (got["median_ms"], got["p95_ms"], got["worst_ms"]) == (50.5, 95.0, 100.0)
    assert latency._row("keys", [7.0], 1)["p95_ms"] == 7.0
    assert "met" in "".join(latency.conclude([got])) and got["median_ms"] < 100
    slow = latency._row("keys", [300.0], 1)
    assert "missed" in "".join(latency.conclude([slow]))


@pytest.mark.parametrize("missing", ["playwright", "panel"])
def test_latency_says_what_to_install(monkeypatch, missing):
    found = latency.importlib.util.find_spec
    monkeypatch.setattr(
        latency.importlib.util, "find_spec", lambda name: None if name == missing else found(name)
    )
    with pytest.raises(Unsupported, match=rf"without {missing}.*pip install"):
        next(latency.run(True, silent))


def test_an_app_that_ends_at_once_is_told_with_its_last_line():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with pytest.raises(NotConverged, match=r"ended at once: it is broken$"):
        latency.wait_for(process, 1, io.StringIO("first\nit is broken\n"))


@pytest.mark.browser
@pytest.mark.slow
def test_latency_measures_the_served_app(monkeypatch):
    monkeypatch.setitem(latency._MOVES, True, 2)
    rows = list(latency.run(True, silent))
    assert [r["action"] for r in rows] == ["arrow keys", "dragging"]
    assert all(r["moves"] == 2 and 0 < r["median_ms"] <= r["worst_ms"] for r in rows)

"""The benches: their arithmetic against closed forms, their rows, their refusals."""

import io
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import workbench as wb
from workbench import bench, estimators
from workbench.bench import bounds as sound
from workbench.bench import coherence as coherent
from workbench.bench import latency, peers, repeats, speech, throughput
from workbench.bench import truth as against
from workbench.errors import BadInput, NotConverged, Unsupported


def silent(share, label):
    assert 0.0 <= share <= 1.0 and label


def test_registry_finds_every_bench_and_refuses_others():
    assert [bench.find(b.name) for b in bench.ALL] == list(bench.ALL)
    with pytest.raises(BadInput, match="use one of truth, coverage, tails, propagation"):
        bench.find("nothing")


@pytest.mark.parametrize("one", bench.ALL, ids=lambda b: b.name)
def test_columns_name_keys_once(one):
    keys = [column.key for column in one.columns]
    assert len(keys) == len(set(keys))
    assert set(one.sections) <= set(keys)


def test_truth_has_a_row_for_every_problem_and_estimator(monkeypatch):
    """Without the extra: our own samplers, and one sentence on what is left out."""
    some = (wb.Moments, wb.MonteCarlo, wb.Importance, wb.Subset, wb.Orthant)
    monkeypatch.setattr(estimators, "ALL", some)  # the others are as many seconds
    monkeypatch.setattr(peers, "PACKAGES", {"no_such_package": "NoSuch"})
    monkeypatch.setattr(peers, "installed", list)
    rows = list(against.run(True, silent))
    assert len(rows) == len(against.QUICK.problems) * len(estimators.ALL)
    exact = next(r for r in rows if r["problem"][0] == "A" and r["estimator"] == "moments")
    assert exact["median_error"] < 1e-9 and exact["note"] is None
    assert exact["truth"] == pytest.approx(-12.0, abs=1e-4)
    sampled = [r for r in rows if r["estimator"] in ("monte_carlo", "importance", "subset")]
    assert all(r["repeats"] == 2 for r in sampled)
    *said, columns, left_out = against.conclude(rows)
    names = [cls.name for cls in estimators.ALL]
    assert [s.split(":")[0] for s in said[: len(names)]] == names
    assert all(s.startswith("No answer on ") for s in said[len(names) :])
    assert columns.startswith("Forwards:") and "pip install" in left_out


def test_truth_counts_answers_of_zero(monkeypatch):
    monkeypatch.setattr(peers, "missing", lambda: None)
    rows = [
        {"estimator": "e", "log10_p": -math.inf, "median_error": math.inf},
        {"estimator": "e", "log10_p": -3.0, "median_error": 0.5, "covered": 3, "intervals": 4},
        {"estimator": "e", "reason": "it cannot"},
    ]
    assert list(against.conclude(rows)) == [
        "e: 3 problems, no answer on 1, P = 0 on 1; median error of the rest 0.50 digits, "
        "worst 0.50; 3 of 4 intervals hold the truth."
    ]


def repeat(log10_p, covers=True, forwards=1000, **more):
    """A row of one run."""
    return {
        "log10_p": log10_p,
        "log10_err": 0.1,
        "covers": covers,
        "forwards": forwards,
        "seconds": 1.0,
        **more,
    }


def test_w10_is_relative_variance_times_cost_over_a_hundredth():
    """log P = -7 ln 10 +- a has the variance 2 a^2, so the relative variance expm1(2 a^2)."""
    a = 0.1
    rows = [repeat(-7.0 + a / math.log(10.0)), repeat(-7.0 - a / math.log(10.0), forwards=3000)]
    got = repeats.summary(rows, wb.problem.Truth(-7.0, 0.0, "exact"))
    assert got["w10"] == pytest.approx(math.expm1(2 * a * a) * 2000 / 0.01)
    assert got["rmse"] == pytest.approx(a / math.log(10.0)) == got["median_error"]
    assert got["claimed"] == 0.1 and got["note"] is None


def test_relative_variance_with_answers_of_zero_is_that_of_the_values():
    """0 and 2 have mean 1 and variance 2; a mean of 0 has no relative variance."""
    assert repeats.relative_variance([-math.inf, math.log(2.0)]) == pytest.approx(2.0)
    assert repeats.relative_variance([-math.inf, -math.inf]) is None
    assert repeats.relative_variance([0.0, -1000.0]) == math.inf


def test_coverage_counts_only_stated_intervals():
    rows = [repeat(-7.0), repeat(-7.0, covers=False), repeat(-7.0, covers=None)]
    got = repeats.summary([*rows, {"reason": "it broke"}], None)
    assert (got["coverage"], got["covered"], got["intervals"]) == ("1/2", 1, 2)
    assert (got["repeats"], got["failed"]) == (4, 1) and got["median_error"] is None
    assert got["note"] == "1 of 4 failed: it broke"


def test_a_lost_mode_has_no_price():
    """Five repeats at a sixth of P: no number of them ends within 10%."""
    truth = wb.problem.Truth(-7.0, 0.0, "exact")
    rows = [repeat(-7.0 + math.log10(1.0 / 6.0) + 0.01 * k) for k in range(-2, 3)]
    got = repeats.summary(rows, truth)
    assert got["w10"] is None and got["note"] == "mean is 0.17 of P"
    assert got["verdict"] == "mean 0.17 P"
    fair = repeats.summary([repeat(-7.0 + 0.01 * k) for k in range(-2, 3)], truth)
    assert fair["w10"] > 0 and fair["note"] is None
    wild = repeats.summary([repeat(-7.0), repeat(-17.0)], None)
    assert wild["w10"] == math.inf and wild["verdict"] == "over 1e+10"
    blind = repeats.summary([repeat(-math.inf)] * 3, truth)
    assert blind["w10"] is None and blind["note"] == "3 of 3 answered P = 0"
    assert blind["verdict"] == "P = 0"
    assert blind["median_error"] == math.inf and blind["rmse"] is None


def test_what_never_answers_is_a_row_that_says_so():
    got = repeats.summary([{"reason": "it cannot"}] * 2, None)
    assert got["note"] == "no answer: it cannot" and "log10_p" not in got
    rows = [{"estimator": "e", "problem": name, **got} for name in "ab"]
    said = list(against.conclude(rows))
    assert said[:2] == [
        "e: 2 problems, no answer on 2.",
        "No answer on 2, in some or all repeats: it cannot",
    ]


def test_the_bare_loop_counts_what_monte_carlo_estimates():
    """Two independent counts of 20,000 at P = 1.086e-3: 6 standard errors, false alarm 2e-9."""
    problem = wb.load("B_w32_h2_1e-3")
    n, p = 20_000, 10**problem.truth.log10_p
    assert abs(throughput.bare(problem, n, 2048) - n * p) < 6 * math.sqrt(n * p)


def test_throughput_has_a_ratio_a_problem_and_keeps_the_threads(monkeypatch):
    monkeypatch.setattr(throughput, "_DRAWS", {True: 5_000})
    monkeypatch.setattr(throughput, "_PAIRS", {True: 1})
    before = torch.get_num_threads()
    rows = list(throughput.run(True, silent))
    assert torch.get_num_threads() == before
    assert all(row["ratio"] > 0 and row["single"] > 0 for row in rows)
    assert {row["estimator"] for row in rows} == {"monte_carlo", "subset"}
    usual = {"estimator": "subset", "single": 2.0}
    slow = [{**usual, "ratio": 0.69, "problem": "slow"}, {**usual, "ratio": 0.9, "problem": "b"}]
    assert "(target 0.7: missed, on slow); in float32" in next(throughput.conclude(slow))


def test_speech_counts_tokens_up_to_the_end_of_each_text(monkeypatch):
    monkeypatch.setattr(speech, "_REPEATS", {True: 1})
    monkeypatch.setattr(speech, "smollm_missing", lambda: "`make lm` installs it")
    ticks = iter([0.0, 2.0, 4.0])
    monkeypatch.setattr(speech.time, "process_time", lambda: next(ticks))
    (row,) = speech.run(True, lambda share, what: None)
    problem = wb.load("router_small")
    x = problem.distribution.sample(speech.BATCH, wb.Rng(0).generator()).tolist()
    end = problem.distribution.speaker.end
    tokens = sum(1 + (text.index(end) if end in text else len(text) - 1) for text in x)
    assert row["written"] == row["judged"] == tokens / 2.0
    said = list(speech.SPEECH.conclude([row]))
    assert ("at least 80" in said[0]) == (tokens / 2.0 >= 80) and "make lm" in said[1]


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
    with ThreadPoolExecutor(1) as apart:  # in this thread a browser test may have its Playwright
        rows = apart.submit(lambda: list(latency.run(True, silent))).result()
    assert [r["action"] for r in rows] == ["arrow keys", "dragging"]
    assert all(r["moves"] == 2 and 0 < r["median_ms"] <= r["worst_ms"] for r in rows)


def test_bounds_bench_encloses_every_truth(monkeypatch):
    monkeypatch.setattr(
        sound, "QUICK", sound.Scale(("A_d10_1e-3", "D_mintree_1e-7"), 30_000, 5_000)
    )
    rows = list(sound.BOUNDS.run(True, lambda *_: None))
    assert [r["problem"] for r in rows] == ["A_d10_1e-3", "D_mintree_1e-7"]
    for row in rows:
        assert max(row["lower"], row["shifted"]) - 1e-9 <= row["truth"] <= row["upper"] + 1e-9
    assert list(sound.BOUNDS.conclude(rows))[-1] == "Truth outside its bounds: never."
    rows[0]["upper"] = -9.0
    assert "A_d10_1e-3" in list(sound.BOUNDS.conclude(rows))[-1]


def test_coherence_bench_has_a_row_for_each_deterministic_presumption(monkeypatch):
    monkeypatch.setattr(coherent, "QUICK", ("A_d10_1e-3", "B_w32_h2_1e-3"))
    chosen = [wb.Moments(), wb.Slices(), wb.Moments(propagator="mean")]
    assert {m.name for m in coherent.methods()} >= {"moments", "slices", "conditioned"}
    monkeypatch.setattr(coherent, "methods", lambda: chosen)
    rows = list(coherent.COHERENCE.run(True, lambda *_: None))
    assert [r["estimator"] for r in rows] == ["moments", "slices", "moments, mean"] * 2
    assert abs(rows[0]["error"]) < 1e-9 and rows[0]["digits"] < 1e-3
    assert abs(rows[3]["left"]) < abs(rows[3]["error"])
    assert rows[4]["digits"] > abs(rows[4]["error"])


def test_truth_runs_in_parts():
    """Two methods on one problem; deterministic ones once, sampled ones as often as asked."""
    choice = bench.Choice(("A_d10_1e-3",), ("moments", "subset"), 2000, 3)
    one, two = against.choose(choice, True, silent)
    assert (one["estimator"], one["repeats"]) == ("moments", 1)
    assert (two["estimator"], two["repeats"], two["budget"]) == ("subset", 3, 2000)
    assert two["forwards"] <= 2000
    with pytest.raises(BadInput, match="no method is called 'nobody'"):
        next(against.choose(bench.Choice(methods=("nobody",)), True, silent))


def test_a_public_method_that_is_not_there_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(peers, "installed", list)
    with pytest.raises(Unsupported, match="'ot_nais'"):
        next(against.choose(bench.Choice(methods=("ot_nais",)), True, silent))


def test_training_bench_counts_what_every_judge_puts_below_the_aim():
    row = {
        "problem": "regression",
        "method": "m",
        "steps": 1,
        "seconds": 2.0,
        "exploited": False,
        "estimate": -9.8,
    }
    good = row | {"log10_p": -9.9, "own": -9.1, "cross_entropy": -9.2}
    unseen = row | {"log10_p": -9.9, "own": None, "cross_entropy": -9.2}
    parted = row | {"log10_p": -7.0, "own": -9.1, "cross_entropy": -9.2, "seconds": 11.0}
    (said,) = bench.find("training").conclude([good, unseen, parted])
    assert "on 1 of 3 seeds" in said and "CPU seconds on 2" in said and "not marked on 1" in said


def test_training_bench_says_what_controllers_and_triggers_came_to():
    row = {"before": -4.0, "log10_p": -9.0, "lost": 0.02}
    steered = {**row, "problem": "controller"}
    planted = {**row, "problem": "needle", "log10_p": -80.0, "trigger": -11.0}
    said = list(bench.find("training").conclude([steered, {**steered, "lost": 0.06}, planted]))
    assert "on 1 of 2 seeds; by 5.0 digits or more, for 6.0% or less" in said[0]
    assert "needle" in said[1] and "down by 7.0 digits or more" in said[1] and "on 1;" in said[1]


def test_a_crowd_is_judged_by_its_slowest_moves(monkeypatch):
    from workbench.bench import crowd

    assert latency.percentile95([float(k) for k in range(1, 101)]) == 95.0
    mine = os.getpid()
    assert crowd._memory(mine) > 10.0 and crowd._cpu(mine) > 0.0
    full = {"visitors": crowd.VISITORS, "p95_ms": 500.0, "others_ms": 90.0}
    gone = {"visitors": 0, "memory_mib": 400.0, "cpu_share": 0.0}
    said = " ".join(crowd.conclude([full, gone]))
    assert "500 ms (target 400: missed)" in said and "400 MiB and uses 0% of a core" in said
    nobody = 2**30  # no process has this number: as on a system that tells of none
    assert crowd._memory(nobody) is None and crowd._cpu(nobody) is None
    unknown = {"visitors": 0, "memory_mib": None, "cpu_share": None}
    assert list(crowd.conclude([unknown])) == []
    assert "met" in " ".join(crowd.conclude([{**full, "p95_ms": 399.0}]))

"""Benches of coherence, of single precision and of own networks: their rows and sentences."""

import math

import pytest
import torch

import workbench as wb
from workbench import graph as graphs
from workbench import propagation
from workbench.bench import coherence, own_nets, precision
from workbench.bench import random_nets as nets
from workbench.bench.coherence import COHERENCE
from workbench.bench.heat import HEAT, energy
from workbench.bench.precision import PRECISION
from workbench.rng import Rng


def silent(share, label):
    assert 0.0 <= share <= 1.0 and label


@pytest.mark.parametrize("method", [wb.Moments(), wb.Conditioned()], ids=lambda m: m.name)
def test_what_cannot_be_measured_is_a_row_with_a_reason(method):
    """A law of text has no mean to be shifted, whether by heat flow or by a search."""
    row = coherence._row(wb.load("L_zap_1e-7"), method)
    assert set(row) == {"reason"} and "gaussian" in row["reason"]


def test_an_answer_without_an_indicator_says_so():
    row = coherence._own(wb.load("A_d10_1e-6"), wb.Orthant(), -6.0)
    assert row == {"reason": "its answer brings no indicator"}


def test_an_answer_that_jumps_brings_its_own_indicator():
    """On a half-space `conditioned` is exact, and says so."""
    problem = wb.load("A_d10_1e-6")
    row = coherence._row(problem, wb.Conditioned())
    assert row["estimates"] == 1 and "rate" not in row
    assert abs(row["error"]) < 1e-3 and row["digits"] < 0.1
    assert row["log10_p"] == pytest.approx(-6.0, abs=1e-3)
    unknown = coherence._row(problem.vary(), wb.Conditioned())
    assert unknown["error"] is None and unknown["log10_p"] == row["log10_p"]


def test_defects_are_ranked_against_errors():
    """Errors 1, 2, 3 digits too high, foretold as 2, 5, 1: ranks 2, 3, 1, so that the correlation
    is 1 - 6 (1 + 1 + 4) / (3 x 8) = -0.5."""

    def row(problem, error, digits, **more):
        return {"estimator": "e", "problem": problem, "error": error, "digits": digits, **more}

    errors = ((1.0, 2.0), (2.0, 5.0), (3.0, 1.0))
    rows = [row(f"B_{k}", e, i) for k, (e, i) in enumerate(errors)]
    left_out = [row("A_x", 9.0, 9.0), row("B_z", -math.inf, 1.0), row("B_y", None, 1.0)]
    said, _ = COHERENCE.conclude([*rows, *left_out, {**rows[0], "estimator": "too few"}])
    assert said == (
        "e, 3 problems that are not linear: rank correlation of the digits foretold with |error| "
        "-0.50; |error| median 2, below what is foretold on 2, below twice that on 2."
    )
    flows = [
        r | {"rate": -r["error"], "left": left} for r, left in zip(rows, (0.5, -4, 1), strict=True)
    ]
    said, _ = COHERENCE.conclude(flows)
    assert "of the signed rate with the error 1.00" in said
    assert said.endswith("corrected, median |error| 1.00 (better on 2).")


def test_means_behind_a_last_relu_are_exact_too():
    """Its pre-activations are normal with mean 0: E relu = sd / sqrt(2 pi)."""
    net = wb.models.chain(list(nets.random_net(16, 1, Rng(0)).parts)[:-1])
    want = net.parts[0].weight.norm(dim=1) / math.sqrt(2.0 * math.pi)
    for cls in propagation.ALL:
        got = nets.means(cls(), graphs.read(net), 16)
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-6)  # float32


def test_a_defect_explains_the_energy_of_an_error_along_it():
    """error = -0.5 delta is explained wholly, with c = 0.5; one at right angles not at all."""
    delta = torch.tensor([[2.0, -4.0], [4.0, 2.0]], dtype=torch.float64)
    found = energy(-0.5 * delta, delta, torch.ones(2, 2), 10**9)
    assert found["c"] == pytest.approx(0.5) and found["correlation"] == pytest.approx(-1.0)
    assert found["left"] == pytest.approx(0.0, abs=1e-6) and found["vnmse"] == pytest.approx(2.5)
    across = energy(delta.flip(1) * torch.tensor([1.0, -1.0]), delta, torch.ones(2, 2), 10**9)
    assert across["explained"] == pytest.approx(0.0, abs=1e-12) and across["left"] == 1.0
    for error, defect in ((0.0 * delta, delta), (delta, 0.0 * delta)):
        assert energy(error, defect, torch.ones(2, 2), 10)["left"] is None
    rows = [
        {"propagator": "mean", "size": "16 x 2", **across},
        {"propagator": "covariance", "size": "16 x 2", **found},
        {"propagator": "cumulant", "size": "16 x 2", "left": None},
    ]
    _, kept = HEAT.conclude(rows)
    assert "next to nothing for mean at 16 x 2: where" in kept
    assert len(list(HEAT.conclude(rows[1:]))) == 1


def test_single_precision_moves_a_linear_problem_by_no_digit(monkeypatch):
    monkeypatch.setattr(precision, "QUICK", ("A_d10_1e-6",))
    monkeypatch.setattr(precision, "_BUDGET", {True: 3_000})
    monkeypatch.setattr(precision, "_DRAWS", {True: 10_000})
    (row,) = PRECISION.run(True, silent)
    assert row["draws"] == 10_000 >= row["failures"] > 1_000 and row["changed"] <= 5
    assert row["upper"] == pytest.approx(abs(row["bias"]) + 1.96 * row["bias_error"], rel=1e-3)
    assert row["upper"] < 0.01
    (said,) = PRECISION.conclude([{**row, "upper": 2e-4}, {**row, "upper": 3e-3}])
    assert said.startswith("float32 moves log10 P by less than 0.003") and "of 2 problems" in said


@pytest.mark.parametrize("kind", own_nets.KINDS, ids=lambda k: k.name)
def test_targets_of_own_networks_have_the_modes_that_they_are_named_for(kind):
    """At a point and its mirror image: parities are even and one slope is odd; products and bowls
    have an even part, which makes a second mode."""
    v = torch.eye(4, kind.dim, dtype=torch.float64)
    x = torch.randn(200, kind.dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    here, there = kind.target(x, v), kind.target(-x, v)
    assert here.shape == (200,)
    if kind.event == "class":
        assert here.dtype == torch.long and len(here.unique()) > 1
        if kind.name == "blobs":
            assert torch.equal(here, x[:, :4].argmax(1))
        else:
            assert torch.equal(here, there)
    elif kind.name.startswith("one slope"):
        torch.testing.assert_close(here, -there)
    elif kind.name.startswith("three slopes"):
        torch.testing.assert_close(here, (x[:, :3] - 0.2 * torch.arange(3.0)).amax(1))
    else:
        even, odd = 0.5 * (here + there), 0.5 * (here - there)
        assert float(even.abs().amax()) > float(odd.abs().amax())


@pytest.mark.parametrize("name", ["ring", "one slope, either", "bowl, rare"])
def test_own_networks_fail_about_as_seldom_as_they_are_to(monkeypatch, name):
    """Hardly trained ones: thresholds and noise are found all the same."""
    monkeypatch.setattr(own_nets, "_STEPS", 3)
    monkeypatch.setattr(own_nets, "_LEVEL_DRAWS", 50_000)
    kind = next(k for k in own_nets.KINDS if k.name == name)
    known = own_nets.drawn(own_nets.made(kind, 1), kind.widened, 200_000)
    assert known.name == f"{name} 1" and "200,000 draws" in known.truth.method
    aim = math.log10(kind.tail * (2.0 if kind.event == "either" else 1.0))
    if kind.widened > 1.0:
        assert known.truth.log10_p < aim - 0.5 and "1.8 times as wide" in known.truth.method
    else:  # 10 to 20 failures among the draws that the level was found by
        assert abs(known.truth.log10_p - aim) < 0.6


def test_no_failure_among_draws_is_a_truth_of_zero():
    problem = wb.load("A_d10_1e-12")
    known = own_nets.drawn(problem, 1.0, 50_000).truth
    assert (known.log10_p, known.se_log10) == (-math.inf, math.inf)
    assert known.method == "50,000 draws, none fails"

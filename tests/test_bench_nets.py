"""Benches on random networks: their arithmetic against closed forms, on tiny sizes."""

import math

import pytest
import torch

from workbench import graph as graphs
from workbench import propagation
from workbench.bench import heat, images, narrow
from workbench.bench import propagation as sizes
from workbench.bench import random_nets as nets
from workbench.estimators import Conditioned, DesignPoint, Moments
from workbench.propagation import room
from workbench.rng import Rng


def silent(share, label):
    assert 0.0 <= share <= 1.0 and label


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
    found = nets.sampled(net, 16, draws, Rng(2))
    mean, var = found.mean, found.var
    want = net.parts[0].weight.double().square().sum(1)
    assert bool((mean.abs() < 4.0 * (want / draws).sqrt()).all())
    assert bool(((var - want).abs() < 4.0 * want * math.sqrt(2.0 / draws)).all())
    assert found.seconds > 0


def test_error_of_an_exact_mean_is_zero_on_average():
    """The reference's own variance is taken away: within 4 standard errors (6e-5) of 0."""
    draws, errors = 1 << 12, []
    for seed in range(40):
        net = nets.random_net(16, 1, Rng(seed))
        truth = nets.sampled(net, 16, draws, Rng(seed).child("x"))
        exact = nets.means(propagation.Covariance(), graphs.read(net), 16)
        errors.append(nets.normalised_error(exact, truth))
    found = torch.tensor(errors)
    assert abs(found.mean()) < 4.0 * found.std() / math.sqrt(len(errors))
    assert found.std() < 1.0 / draws  # so that an uncorrected error would be seen


def test_error_of_a_sampled_mean_is_one_over_its_draws():
    """What 'equal time' rests on: within 4 standard errors (6e-5) of 1 / draws."""
    few, many, errors = 1 << 12, 1 << 15, []
    for seed in range(40):
        net = nets.random_net(16, 2, Rng(seed))
        truth = nets.sampled(net, 16, many, Rng(seed).child("reference"))
        other = nets.sampled(net, 16, few, Rng(seed).child("other"))
        errors.append(nets.normalised_error(other.mean, truth))
    found = torch.tensor(errors)
    spread = found.std() / math.sqrt(len(errors))
    assert abs(found.mean() - 1.0 / few) < 4.0 * spread
    assert spread < 0.2 / few


def test_propagation_rows(monkeypatch):
    few = {(16, 3): sizes.Amount(2, 1 << 16), sizes.SIZES[0]: sizes.Amount(2, 1 << 13)}
    monkeypatch.setattr(sizes, "QUICK", few)
    threads = torch.get_num_threads()
    rows = list(sizes.run(True, silent))
    assert torch.get_num_threads() == threads
    names = [cls.name for cls in propagation.ALL]
    assert [r["propagator"] for r in rows] == [*names, *(n for n in names if n != "cumulant4")]
    narrow = {r["propagator"]: r["vnmse"] for r in rows[: len(names)]}
    assert narrow["cumulant4"] < narrow["cumulant"] < narrow["covariance"]
    by_name = {r["propagator"]: r for r in rows[len(names) :]}
    assert by_name["covariance"]["vnmse"] < by_name["mean"]["vnmse"]
    assert by_name["covariance"]["published"] == 9.7e-5
    assert by_name["mean"]["published"] is None
    assert all(r["cpu_ms"] > 0 and r["draw_us"] > 0 for r in rows)
    assert by_name["cumulant"]["vnmse"] < 0.3 * by_name["covariance"]["vnmse"]
    assert list(sizes.conclude(rows))


def test_tail_error_takes_the_sampled_noise_away():
    """Estimates that are right, against 1,000,000 draws of P = 3e-4: 20,000 of them, and the root
    of what is left is far below the noise of 6%. An estimate half as large is off by 0.5."""
    p, n = torch.full((20_000,), 3e-4), 1_000_000
    draws = torch.poisson(p * n, generator=torch.Generator().manual_seed(0)) / n
    within = (1e-4, 1e-3)
    assert nets.tail_error(p, p, draws, n, within) < 0.015
    assert nets.tail_error(0.5 * p, p, draws, n, within) == pytest.approx(0.5, abs=0.005)
    assert nets.tail_error(p, torch.zeros_like(p), draws, n, within) is None


def test_published_figures_name_every_size():
    for figures in sizes.PUBLISHED.values():
        assert tuple(figures) == sizes.SIZES


def test_where_sampling_is_better_is_said():
    lost = {"size": "256 x 32", "propagator": "mean", "ratio": 0.3}
    told = " ".join(sizes.conclude([lost, {**lost, "size": "64 x 2", "ratio": 2.0}]))
    assert "better than mean at 256 x 32." in told


def test_cpu_seconds_is_a_median_without_the_first_calls():
    calls = []
    assert nets.cpu_seconds(lambda: calls.append(0), repeats=3) >= 0
    assert len(calls) == 5
    calls.clear()
    assert nets.cpu_seconds(lambda: calls.append(sum(range(100_000))), repeats=3, long=0.0) >= 0
    assert len(calls) == 3


def test_heat_bench_finds_the_error_along_the_defect(monkeypatch):
    monkeypatch.setattr(heat, "QUICK", heat.Nets(((16, 2),), 3, 1 << 16))
    rows = list(heat.HEAT.run(True, lambda *_: None))
    assert [r["propagator"] for r in rows] == [cls.name for cls in propagation.ALL]
    for row in rows:
        assert row["correlation"] < -0.5 and 0 < row["c"] < 1 and row["left"] < 0.75
    assert rows[0]["left"] < 0.5 and rows[1]["left"] < 0.5


def test_narrow_bench_sees_the_gaussian_tail_err_and_warn(monkeypatch):
    monkeypatch.setattr(narrow, "QUICK", narrow.Scale(((16, 1),), 2, 50_000))
    rows = list(narrow.NARROW.run(True, silent))
    assert [(r["propagator"], r["p"]) for r in rows] == [
        (m.propagator, p) for p in narrow.LEVELS for m in narrow.METHODS
    ]
    plain = {r["p"]: r for r in rows if r["propagator"] == "covariance"}
    assert plain[0.1]["worst"] < 0.3 < plain[0.001]["worst"] and plain[0.001]["warned"] == 2
    first, *_ = narrow.NARROW.conclude(rows)
    assert first.startswith("covariance at P = 0.1: ") and first.endswith(" of 2 warned of.")


def test_images_are_estimated_or_refused_in_words(monkeypatch):
    monkeypatch.setattr(images, "QUICK", images.Scale((images.Size(8, 2, 1),), 2_000, 9_000))
    monkeypatch.setattr(images, "METHODS", (Moments(), DesignPoint(), Conditioned()))
    rows = list(images.run(True, silent))
    assert [r["method"] for r in rows] == ["referee", "moments", "design_point", "conditioned"]
    assert all(0.05 < r["peak"] < 50.0 and math.isfinite(r["log10_p"]) for r in rows)
    assert rows[1]["off"] == rows[1]["log10_p"] - rows[0]["log10_p"]
    monkeypatch.setattr(room, "MOST", 0)
    refused = list(images.run(True, silent))[1]
    assert "log10_p" not in refused and "a layer of 192 values" in refused["said"]
    assert any("moments refuses" in said for said in images.conclude([*rows, refused]))


def test_the_margin_of_an_image_is_that_many_deviations_away():
    case = images.problem(images.Size(8, 2, 1))
    at = case.distribution.mean[None].clone().requires_grad_()
    s = case.margin(at)
    (slope,) = torch.autograd.grad(s.sum(), at)
    assert float(-s.detach()) == pytest.approx(images.LEVEL * images.NOISE * float(slope.norm()))

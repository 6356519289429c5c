"""What the Explore screen draws and says: laws of the margin, figures, sentences, pictures."""

import json
import math
from dataclasses import replace

import plotly.graph_objects as go
import pytest
import torch
from scipy import stats

import workbench as wb
from workbench.types import Kind
from workbench.views import margins, pictures, plots, rows, words
from workbench.views.style import colour, power_ticks, window

LINEAR = "A_d10_1e-6"


# The law of the margin


def test_propagated_density_of_a_halfspace_is_the_normal_density():
    problem = wb.load(LINEAR)
    d = problem.distribution
    weight = problem.graph.nodes[1].op.weight[0].detach()
    t = torch.linspace(-80.0, 10.0, 31)
    mean = float(problem.margin(d.mean[None])[0].detach())
    scale = float((weight * d.scale).norm() * problem.spec.a.abs())
    want = stats.norm.logpdf(t.numpy(), mean, scale)
    assert torch.allclose(margins.propagated(problem, t), torch.tensor(want), rtol=1e-9)


def test_propagated_density_of_a_maximum_of_two_is_exact():
    # max of two independent N(0, 1): density 2 phi(t) Phi(t). Counted over 256 quasi-random
    # conditional draws, whose star discrepancy is below 2%.
    d = wb.Gaussian(torch.zeros(2), torch.ones(2))
    model = torch.nn.Linear(2, 2, bias=False).double()
    model.weight = torch.nn.Parameter(torch.eye(2))
    e = torch.eye(2)
    problem = wb.Problem(d, model, wb.Halfspace(e[0]) | wb.Halfspace(e[1]))
    t = torch.linspace(-1.5, 4.0, 23)
    want = 2.0 * stats.norm.pdf(t.numpy()) * stats.norm.cdf(t.numpy())
    got = margins.propagated(problem, t).exp()
    assert torch.allclose(got, torch.tensor(want), atol=0.02 * 2.0 * 0.4)


def test_histogram_is_a_density():
    sample = torch.cat([torch.randn(5000, generator=torch.Generator().manual_seed(0)),
                        torch.tensor([-math.inf])])  # fmt: skip
    bars = margins.histogram(sample)
    assert bars.draws == 5001
    assert float(bars.density.sum() * bars.width) == pytest.approx(5000 / 5001, rel=1e-9)


# Figures and words


def some_rows():
    """One row of every kind there is."""
    return (
        rows.Row("moments", "covariance propagation", Kind.HEURISTIC, "ready", -6.7),
        rows.Row("moments_mean", "mean propagation", Kind.HEURISTIC, "ready", -178.0),
        rows.Row("monte_carlo", "Monte Carlo", Kind.UNBIASED, "running", -math.inf, math.inf,
                 (-math.inf, -4.6), 100_000, 0.1),
        rows.Row("subset", "subset", Kind.CONSISTENT, "done", -5.0, 0.05, (-5.1, -4.9), 100_000),
        rows.Row("gld", "Gaussian fit", Kind.HEURISTIC, "unsupported", note="cannot be"),
    )  # fmt: skip


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("truth", [None, (-5.03, 0.01)])
def test_figures_are_valid_and_plain(dark, truth):
    drawn = plots.estimates(some_rows(), truth, dark)
    go.Figure(drawn)
    json.dumps(drawn)
    picture = margins.picture(wb.load(LINEAR), margins.sample(wb.load(LINEAR), 0))
    for shown in (picture, replace(picture, log_density=None)):
        drawn = plots.margin(shown, dark)
        go.Figure(drawn)
        json.dumps(drawn)
        assert drawn["layout"]["uirevision"] == "keep"


def test_estimates_far_off_and_blind_ones_are_drawn_at_the_edge_and_as_an_arrow():
    drawn = plots.estimates(some_rows(), (-5.03, 0.01))
    low = drawn["layout"]["xaxis"]["range"][0]
    covariance, mean, blind, subset = drawn["data"]
    assert covariance["x"] == [-6.7]
    assert low < mean["x"][0] < low + 1
    assert "178" in mean["text"][0]
    assert blind["x"][0] == -4.6 > blind["x"][1]
    assert subset["error_x"]["array"] == pytest.approx([0.1])
    assert subset["error_x"]["arrayminus"] == pytest.approx([0.1])


def test_comparison_is_valid_with_zeros_reasons_and_infinities():
    found = [
        {"estimator": "moments", "settings": {"propagator": "mean"}, "log10_p": -70.0,
         "log10_err": None, "forwards": 3, "seconds": 0.01},
        {"estimator": "moments", "settings": {"propagator": "covariance"}, "log10_p": -6.7,
         "log10_err": None, "forwards": 105, "seconds": 0.01},
        {"estimator": "monte_carlo", "log10_p": "-inf", "log10_err": "inf",
         "log10_interval": ["-inf", -4.5], "forwards": 100_000, "seconds": 0.2},
        {"estimator": "subset", "log10_p": -5.0, "log10_err": 0.1, "forwards": 9, "seconds": 1.0},
        {"estimator": "gld", "reason": "cannot"},
    ]  # fmt: skip
    for truth in ({"log10_p": -5.03, "se_log10": 0.01}, None):
        drawn = plots.comparison(found, truth)
        go.Figure(drawn)
        json.dumps(drawn)
    assert [t["marker"]["color"] for t in drawn["data"]][:2] == [
        colour("moments_mean"),
        colour("moments"),
    ]
    blind = drawn["data"][2]
    assert blind["x"] == [-4.5]
    go.Figure(plots.comparison([], None))


def test_axis_ticks_are_powers_of_ten():
    places, names = power_ticks(-13.0, 0.3)
    assert places == [-12.0, -10.0, -8.0, -6.0, -4.0, -2.0, 0.0]
    assert names[0] == "10<sup>−12</sup>"
    assert names[-1] == "1"


def test_axis_leaves_out_what_lies_far_beyond():
    assert window([-178.0, -6.7], [-5.0]) == (-8.0, 0.3)
    assert window([], []) == (-8.0, 0.3)
    assert window([-math.inf], []) == (-8.0, 0.3)


def test_sentence_says_what_is_known():
    truth = wb.Truth(-8.97, 0.01, "by hand")
    said = words.sentence(some_rows(), truth, 1_000_000)
    assert "Sampling 10<sup>6</sup> times would see this <b>0.00107</b> times" in said
    assert "says <b>10<sup>−6.70</sup></b>" in said
    assert "10<sup>−8.970</sup></b> ± 0.01 digits, so it is 2.3 digits too high" in said
    assert "seen none in 100,000 draws" in said
    assert "below 10<sup>−4.6</sup>" in said


def test_sentence_without_a_truth_goes_by_the_surest_sampler():
    assert "going by subset" in words.sentence(some_rows(), None, 1000)


def test_digits_pictures_are_there_only_for_digits():
    assert not pictures.shows_digits(wb.load(LINEAR))
    problem = wb.load("C_digits_p8_s15")
    assert pictures.shows_digits(problem)
    html = pictures.digits(problem, 0)
    assert html.count("<svg") == 3
    assert html == pictures.digits(problem, 0) != pictures.digits(problem, 1)

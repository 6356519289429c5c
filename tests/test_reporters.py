"""Two reporters that agree wherever anyone looked; notebook 07 searches for where they part."""

import math
from types import SimpleNamespace

import pytest
import torch

import workbench as wb
from workbench.anomaly.reporters import parting, reporters
from workbench.bench import reporters as bench
from workbench.models import dense


@pytest.fixture(scope="module")
def made():
    return reporters(0)


def test_reporters_part_exactly_where_one_is_sure_and_the_other_of_the_contrary():
    eye = torch.eye(2).double()
    spec = parting(dense(eye[:1]), dense(eye[1:]), 0, sure=0.5)
    d = wb.Gaussian(torch.zeros(2).double(), torch.ones(2).double())
    problem = wb.Problem(d, dense(eye), spec)
    x = torch.tensor([[0.6, -0.7], [-0.6, 0.9], [0.6, 0.9], [0.4, -0.9]]).double()
    assert problem.margin(x).tolist() == pytest.approx([0.1, 0.1, -1.1, -0.1])
    one = 0.5 * math.erfc(0.5 / math.sqrt(2))
    exact = math.log10(2 * one * one)  # two independent normals beyond 0.5, either way round
    assert wb.Orthant()(problem).log10_p == pytest.approx(exact, abs=1e-3)
    with pytest.raises(wb.BadInput, match="sure"):
        parting(dense(eye[:1]), dense(eye[1:]), 0, sure=-1.0)


def test_the_card_is_the_recipe(made):
    card = wb.load("R_reporters")
    x = torch.randn(200, 12, generator=torch.Generator().manual_seed(3)).double()
    assert torch.allclose(card.margin(x), made.problem.margin(x), atol=1e-4)


def test_no_easy_example_shows_what_the_easy_reporter_does_not_learn(made):
    assert float(made.problem.margin(made.examples).max()) < -0.5
    wide = made.scene.wide(4000, torch.Generator().manual_seed(4))
    lied = (made.scene.tampered(wide)[:, 0] > 0.9) & (wide @ made.scene.event < -0.5)
    said = {n: made.says(getattr(made, n), wide[lied]) for n in ("direct", "simulator", "easy")}
    assert float((said["direct"] < 0).double().mean()) > 0.98
    assert float((said["simulator"] > 0).double().mean()) > 0.98
    assert bool(torch.isfinite(said["easy"]).all())


@pytest.mark.parametrize(
    "estimator",
    [wb.Conditioned(), wb.Conditioned(search="fitted"), wb.Importance()],
    ids=["conditioned", "fitted", "importance"],
)
def test_how_seldom_they_part_is_known_without_a_sample_that_shows_it(estimator):
    problem = wb.load("R_reporters")
    estimate = estimator(problem, 50_000)
    assert estimate.log10_p == pytest.approx(problem.truth.log10_p, abs=0.3)
    assert not estimate.warning


def test_the_bench_tells_how_seldom_they_part_and_where_they_do(made, monkeypatch):
    """The truth is the card's, which is that of the recipe; what is near D0 is judged elsewhere."""
    checked = SimpleNamespace(nats=7.5, warning="", checked=wb.load("A_d10_1e-6").truth)
    near = SimpleNamespace(check=lambda rng: checked)
    monkeypatch.setattr(bench, "reporters", lambda seed: made)
    monkeypatch.setattr(bench, "best_truth", lambda *_: wb.load("R_reporters").truth)
    monkeypatch.setattr(bench, "matched", lambda *_: near)
    (row,) = bench.REPORTERS.run(True, lambda share, label: None)
    assert row["shown"] == 0 and row["error"] == row["log10_p"] - row["truth"]
    assert abs(row["error"]) < bench.DIGITS + 5.0 * row["se"]
    assert row["matched"] == pytest.approx(1e-6, rel=1e-4) and row["matched_nats"] == 7.5
    assert "shifted" not in row  # that takes a gradient a step

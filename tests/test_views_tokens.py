"""Laws of tokens in Explore: what is drawn of them, and what the sliders do to them."""

import math

import pytest
import torch

import workbench as wb
from workbench.distributions import Tokens, tempered
from workbench.math.simplex import divergence, log_tilted, tilted_by
from workbench.views.inputs import picture
from workbench.views.state import Session

PROBLEM = "T_bpe_word_1e-6"


def law(seed=0, positions=3, tokens=5):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(positions, tokens, generator=generator, dtype=torch.float64).log_softmax(1)


@pytest.mark.parametrize("nats", [0.01, 0.5, 3.0])
def test_a_tilt_spends_what_it_is_given_and_gains_most(nats):
    """Of laws that spend as much, none has a larger mean slope: perturb and compare (Csiszar)."""
    log_p, slope = law(), law(1)
    log_q = tilted_by(log_p, slope, nats)
    assert float(divergence(log_q, log_p)) == pytest.approx(nats, rel=1e-9)
    gain = float((log_q.exp() * slope).sum())
    for seed in range(20):
        other = tilted_by(log_p, slope + 0.3 * law(2 + seed), nats)
        assert float((other.exp() * slope).sum()) <= gain + 1e-12


def test_a_tilt_that_can_spend_no_more_is_its_limit():
    log_p = torch.tensor([[0.75, 0.25]]).double().log()
    log_q = tilted_by(log_p, torch.tensor([[0.0, 1.0]]).double(), 10.0)
    assert float(log_q.exp()[0, 1]) == pytest.approx(1.0)
    assert float(divergence(log_q, log_p)) == pytest.approx(math.log(4.0), rel=1e-4)
    assert tilted_by(log_p, torch.zeros(1, 2).double(), 1.0) is log_p


def test_impossible_tokens_stay_impossible():
    log_p = torch.tensor([[0.5, 0.5, 0.0]]).double().log()
    log_q = log_tilted(log_p, torch.tensor([[0.0, 1.0, 9.0]]).double(), 2.0)
    assert float(log_q[0, 2]) == -math.inf and bool(torch.isfinite(divergence(log_q, log_p)))


def test_temperature_and_lean():
    d = Tokens(torch.tensor([[0.8, 0.2]], dtype=torch.float64))
    slope = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    flat = tempered(d, 2.0, slope, 0.0).probs
    assert float(flat[0, 0] / flat[0, 1]) == pytest.approx(2.0)
    up, down = (tempered(d, 1.0, slope, lean).probs[0, 1] for lean in (0.4, -0.4))
    assert down < 0.2 < up
    spent = divergence(tempered(d, 1.0, slope, 0.4).log_probs(), d.log_probs())
    assert float(spent) == pytest.approx(0.08, rel=1e-6)


def test_explore_moves_a_law_of_tokens_and_truth_steps_aside():
    session = Session(PROBLEM)
    try:
        assert session.truth is not None
        session.param.update(lean=3.0)
        moved = session.problem.distribution
        assert isinstance(moved, Tokens) and session.truth is None
        spent = divergence(moved.log_probs(), session.reference.distribution.log_probs())
        assert float(spent) == pytest.approx(4.5, rel=1e-6)
        session.param.update(lean=0.0, sigma=2.0)
        assert isinstance(session.problem.distribution, Tokens)
        session.param.update(direction="random", lean=1.0)
        assert isinstance(session.problem.distribution, Tokens)
    finally:
        session.close()


def test_the_tilt_towards_c_makes_it_likelier():
    """P under D leaned by 4 is far above its exact value under D, by plain counting."""
    session = Session(PROBLEM, lean=4.0)
    try:
        counted = wb.MonteCarlo()(session.problem, 20_000, 0)
    finally:
        session.close()
    assert counted.log10_interval[0] > session.reference.truth.log10_p + 1.0


def test_the_picture_shows_positions_and_draws_as_text():
    problem = wb.load(PROBLEM)
    shown = picture(problem, 0)
    assert shown == picture(problem, 0) != picture(problem, 1)
    assert shown.count("flex:1 0 44px") == problem.distribution.dim
    assert shown.count("→") == 8 and "␣the" in shown
    assert picture(wb.load("A_d10_1e-3"), 0) == ""

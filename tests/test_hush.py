"""Training a language model away from a word: exact before and after, checked by draws."""

import math
from dataclasses import replace

import pytest
import torch
from commands import ask

import workbench as wb
from workbench.bench.hush import HUSH
from workbench.experiments import Run
from workbench.iteration import UNLIMITED, equal, pack, run, steps, unpack
from workbench.training.hush import Hush, Hushing, emission, prompts, worst_law


def test_worst_law_is_the_best_of_all_laws_as_dear():
    law = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64).log()
    h = torch.tensor([0.01, 0.2, 0.05, 0.4], dtype=torch.float64)
    found = worst_law(law, h.log(), 0.2).exp()
    assert float(found.sum()) == pytest.approx(1.0)
    assert float((found * (found.log() - law)).sum()) == pytest.approx(0.2, abs=1e-9)
    g = torch.Generator().manual_seed(0)
    for _ in range(300):  # no other law within 0.2 nats fails more often
        other = torch.softmax(law + torch.randn(4, generator=g, dtype=torch.float64), 0)
        if float((other * (other.log() - law)).sum()) <= 0.2:
            assert float(other @ h) <= float(found @ h) + 1e-12


def test_emission_is_the_share_of_continuations_that_hold_the_word():
    problem = wb.load("L_delete_1e-7")
    text = problem.distribution
    context = text._number(torch.tensor([[4, 5]]))  # after "de"
    exact = float(emission(problem, text)[context].exp())
    n = 60_000
    x = replace(text, prompt=(4, 5)).sample(n, torch.Generator().manual_seed(0))
    hits = int((problem.margin(x) > 0).sum())
    assert abs(hits / n - exact) < 5.0 * math.sqrt(exact / n) + 5.0 / n  # 5 errors, or 5 hits


@pytest.mark.slow
def test_p_falls_by_digits_while_the_perplexity_stays_within_two_percent():
    problem = wb.load("L_delete_1e-7")
    hush = Hush(steps=30)
    state, _ = run(hush, problem, hush.init(problem, wb.Rng(0)), UNLIMITED)
    found = hush.report(problem, state)
    assert 1.0 <= found.growth <= 1.02
    for before, after in (found.log10_p, found.log10_p_adversary):
        assert after < before - 2.0
    # The adversary that is found anew is the worse for M, before and after.
    assert found.log10_p_adversary[0] > found.log10_p[0]
    assert found.log10_p_adversary[1] > found.log10_p[1]
    # Draws that the training never saw: the new M's text is as likely to the old M, within 2%.
    old = problem.distribution
    x = old.sample(20_000, torch.Generator().manual_seed(1))
    gap = (old.log_prob(x) - found.text.log_prob(x)) / old.length
    err = float(gap.std()) / math.sqrt(len(x))
    assert math.exp(float(gap.mean()) - 5.0 * err) <= 1.02
    third = next(
        s for s, _ in steps(hush, problem, hush.init(problem, wb.Rng(0)), UNLIMITED) if s.steps == 3
    )
    straight = replace(state, limit=None)
    again, _ = run(hush, problem, unpack(Hushing, pack(third)), UNLIMITED)
    assert equal(straight, again)


def test_prompts_are_the_shares_of_its_own_text():
    law = prompts(wb.load("L_zap_1e-7").distribution).exp()
    assert float(law.sum()) == pytest.approx(1.0) and float(law.min()) >= 0.0


def test_bad_settings_are_told_in_a_sentence():
    with pytest.raises(wb.BadInput, match="growth must be a number above 0"):
        Hush(growth=0.0)
    with pytest.raises(wb.Unsupported, match="text of a language model"):
        Hush().init(wb.load("A_d10_1e-3"), wb.Rng(0))


def test_the_command_says_what_became_of_p_and_its_run_goes_on(tmp_path):
    folder = tmp_path / "run"
    few = ask("hush", "L_delete_1e-7", "--steps", "4", "--run", folder, "--every", "1")
    before, after = few["log10_p_adversary"]
    assert after < before and few["growth"] <= 1.02 and few["steps"] == 4
    exact = Hush(steps=4)(wb.load("L_delete_1e-7"))
    assert few["log10_p"] == list(exact.log10_p)
    assert ask("resume", folder)["log10_p"] == few["log10_p"]  # it is done: nothing is added
    with Run.resume(folder) as run_again:
        assert run_again.kind.name == "hush"
        rows = run_again.rows
    assert [row["steps"] for row in rows] == [0, 1, 2, 3, 4]
    assert rows[-1]["log10_p_adv"] < before and 0.0 < rows[-1]["score"] <= 1.0


def test_the_last_row_is_of_the_last_model_and_a_longer_training_writes_no_row_twice():
    problem = wb.load("L_delete_1e-7")
    short = Hush(steps=2)
    state, _ = run(short, problem, short.init(problem, wb.Rng(0)), UNLIMITED)
    assert len(state.rows) == 3 and equal(short.closed(problem, state), state)
    exact = emission(problem, short.text(problem, state.theta))
    own = torch.logsumexp(prompts(problem.distribution) + exact, 0)
    assert float(state.rows[-1, 0]) == pytest.approx(float(own), abs=1e-9)
    assert state.best_log_p == float(state.rows[:, 1].min())  # its growth is within the limit
    long = replace(short, steps=4)
    on, _ = run(long, problem, state, UNLIMITED)
    whole, _ = run(long, problem, long.init(problem, wb.Rng(0)), UNLIMITED)
    assert len(on.rows) == 5 and torch.allclose(on.rows, whole.rows, rtol=0, atol=1e-12)
    assert torch.equal(on.theta, whole.theta)


def test_the_bench_tells_digits_and_perplexity():
    rows = list(HUSH.run(True, lambda share, what: None))
    assert rows[0]["worst_after"] < rows[0]["worst_before"] - 2.0 and rows[0]["growth"] <= 2.0
    assert any("digits while the perplexity" in line for line in HUSH.conclude(rows))

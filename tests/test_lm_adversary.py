"""Adversaries that begin as a language model, against brute force and against exact frontiers."""

import math
from itertools import product
from types import SimpleNamespace

import pytest
import torch

import workbench as wb
from workbench.adversaries import KL, Adversary, Penalty
from workbench.adversaries.evidence import binary_nats, judged
from workbench.adversaries.families import FineTuned
from workbench.adversaries.lm import LMAdversary
from workbench.adversaries.search import Search
from workbench.adversaries.sources import Elites, Score, Tilted, left_out
from workbench.catalogue import language_model, planted, short_text_names
from workbench.cli.attack_lm import reader_of
from workbench.distributions import PromptedText, ShortText
from workbench.estimators.transitions import Transitions
from workbench.iteration import UNLIMITED, equal, pack, run, steps, unpack
from workbench.models import Continuation, ShortContext, watching

V, T = 3, 5


@pytest.fixture(scope="module")
def tiny():
    """P of a word of two symbols among 243 texts."""
    network = ShortContext(V, 2, 3, 6, torch.Generator().manual_seed(1), torch.float64)
    d = ShortText(network.requires_grad_(False), (0, 0), T)
    return wb.Problem(d, watching([(1, 2)], V, torch.float64), planted(1), name="tiny")


def every():
    return torch.tensor(list(product(range(V), repeat=T)))


def slope(problem, theta, value):
    """d value(D) / d theta at the family's parameters theta."""
    from workbench.adversaries.families import at

    module = FineTuned().module(problem.distribution, wb.Rng(0), torch.zeros(0))
    theta = theta.clone().requires_grad_()
    (found,) = torch.autograd.grad(value(at(module, theta)), theta)
    return found


@pytest.mark.parametrize("name", short_text_names())
def test_stored_truth_and_transitions_agree(name):
    problem = wb.load(name)
    # Weights are stored in float32 and both sums are in float64.
    assert Transitions()(problem).log10_p == pytest.approx(problem.truth.log10_p, abs=1e-6)


def test_left_out_baseline_is_the_slow_one():
    r = torch.tensor([0.3, -1.0, 2.0, 0.0], dtype=torch.float64)
    slow = [(r[i] - r[[j for j in range(4) if j != i]].mean()) / 4 for i in range(4)]
    assert torch.allclose(left_out(r), torch.stack(slow), atol=1e-15)


@pytest.mark.parametrize("shaped", [True, False])
def test_score_function_is_unbiased_for_the_exact_gradient(tiny, shaped):
    """Mean over draws of sum a_i log D against the derivative of the sum over every text."""
    from workbench.adversaries.families import flat

    x, d0 = every(), tiny.distribution
    theta = flat(FineTuned().module(d0, wb.Rng(0), torch.zeros(0)))
    s = tiny.margin(x)
    reward = s.clamp(-4.0, 0.5) if shaped else (s > 0).double()
    exact = slope(tiny, theta, lambda d: (d.log_prob(x).exp() * reward).sum())
    source = Score(shaped=shaped)

    def once(k):
        drawn = source.draw(tiny, d0, 200, wb.Rng(7).child(k))
        return slope(tiny, theta, lambda d: (drawn.weight * d.log_prob(drawn.x)).sum())

    found = torch.stack([once(k) for k in range(60)])
    z = (found.mean(0) - exact) / (found.std(0) / math.sqrt(len(found)))
    # The largest of about 70, Student of 59 degrees each, is above 5 by chance once in 2,500.
    assert float(z[found.std(0) > 0].abs().max()) < 5.0


def test_elites_weighed_to_d0_follow_the_law_given_c(tiny):
    d0 = tiny.distribution
    other = ShortText(
        ShortContext(V, 2, 3, 6, torch.Generator().manual_seed(9), torch.float64), (0, 0), T
    )
    drawn = Elites(share=0.01).draw(tiny, other, 60_000, wb.Rng(3))
    hit = tiny.margin(drawn.x) > 0
    assert float(drawn.weight[~hit].sum()) == 0.0 and drawn.hits == int(hit.sum())
    x = every()
    x = x[tiny.margin(x) > 0]
    exact = torch.softmax(d0.log_prob(x), 0)
    base = V ** torch.arange(T - 1, -1, -1)
    seen = torch.zeros(V**T, dtype=torch.float64).index_add_(
        0, (drawn.x * base).sum(1), drawn.weight
    )
    found = seen[(x * base).sum(1)]
    heavy = float(drawn.weight.max()) / float(drawn.weight[hit].mean())
    err = torch.sqrt(heavy * exact / int(hit.sum()))  # at least the delta method's
    assert float(((found - exact) / err).abs().max()) < 5.0


def test_tilted_draws_all_fail_and_need_transitions(tiny):
    drawn = Tilted().draw(tiny, tiny.distribution, 200, wb.Rng(0))
    assert drawn.hits == 200
    assert drawn.log_p == pytest.approx(judged(tiny, tiny.distribution)[1] * math.log(10.0))
    alien = tiny.vary(distribution=wb.Tokens(torch.ones(T, V, dtype=torch.float64)))
    with pytest.raises(wb.Unsupported, match=r"an automaton|twists"):
        Tilted().draw(alien, alien.distribution, 10, wb.Rng(0))


def test_binary_nats_is_the_least_that_any_d_spends(tiny):
    d0, x = tiny.distribution, every()
    fails = tiny.margin(x) > 0
    log_p0 = float(d0.log_prob(x)[fails].logsumexp(0))
    assert binary_nats(0.0, log_p0) == pytest.approx(-log_p0)
    assert binary_nats(log_p0, log_p0) == 0.0
    for seed in range(5):
        network = ShortContext(V, 2, 3, 6, torch.Generator().manual_seed(seed), torch.float64)
        nats, log10_p = judged(tiny, ShortText(network, (0, 0), T))
        assert nats >= binary_nats(log10_p * math.log(10.0), log_p0)


def test_exact_gradient_reaches_the_figure_and_stays_in_its_region():
    """From 1e-7 to at least 10^-1.5 at 17 nats."""
    problem = wb.load("L_zap_1e-7")
    adversary = Adversary(
        family=FineTuned(), region=KL(17.0), estimator=Transitions(), rate=0.05, steps=6
    )
    found = adversary(problem, check=0)
    assert found.log10_p_reference == pytest.approx(-6.99, abs=0.01)
    nats, log10_p = judged(problem, found.distribution)
    assert nats <= 17.0 * (1 + 1e-6) and log10_p == pytest.approx(found.log10_p, abs=1e-9)
    assert log10_p >= -1.5
    assert nats >= binary_nats(found.log_p, problem.truth.log_p)


def test_exact_gradient_draws_nothing(tiny):
    adversary = Adversary(family=FineTuned(), region=KL(1.0), estimator=Transitions(), steps=5)
    first, again = (adversary(tiny, rng=seed, check=0) for seed in (0, 1))
    assert torch.equal(first.found.theta, again.found.theta)
    assert first.log10_p > first.log10_p_reference + 0.1


@pytest.mark.parametrize("region", [KL(3.0), Penalty(0.5)])
@pytest.mark.parametrize("source", [Score(), Elites(), Tilted()])
def test_every_source_raises_p_and_resumes_bit_for_bit(tiny, region, source):
    adversary = LMAdversary(source=source, region=region, steps=6, draws=300, rate=0.05)
    straight, _ = run(adversary, tiny, adversary.init(tiny, wb.Rng(2)), UNLIMITED)
    third = next(
        state
        for state, _ in steps(adversary, tiny, adversary.init(tiny, wb.Rng(2)), UNLIMITED)
        if state.steps == 3
    )
    again, _ = run(adversary, tiny, unpack(Search, pack(third)), UNLIMITED)
    assert equal(straight, again)
    d = adversary.distribution(tiny, straight, straight.theta)
    nats, log10_p = judged(tiny, d)
    assert log10_p > judged(tiny, tiny.distribution)[1] + 0.1
    assert nats <= region.limit * (1 + 1e-6)


def test_report_is_checked_by_fresh_draws(tiny):
    found = LMAdversary(steps=5, draws=400, rate=0.05)(tiny, check=20_000)
    exact = judged(tiny, found.distribution)[1] * math.log(10.0)
    assert abs(float(found.checked.log_p) - exact) < 4.4 * found.checked.log_err
    assert found.record()["forwards"] == 5 * 400


def test_only_draws_of_d0_are_counted_as_its_own(tiny):
    """The first draws of `tilted` all fail, and say nothing of D0; a budget may cut them short."""
    for source, told in ((Elites(), True), (Tilted(), False)):
        search = LMAdversary(source, steps=1, draws=40)
        state, _ = run(search, tiny, search.init(tiny, wb.Rng(0)), wb.Budget(25))
        info = search.read(state).info
        assert ("first_hits" in info) == told
        if told:
            assert info["first_hits"][1] == 25


def test_texts_are_shown_whatever_model_reads_them(tiny):
    model = language_model("char_1")
    text = PromptedText(Continuation(model, (1, 2)), 4)
    x = torch.tensor([[3, 4, 5, 6]])
    said = model.vocabulary.decode([3, 4, 5, 6])
    for d, M in ((text, torch.nn.Linear(4, 2)), (tiny.distribution, model)):
        assert reader_of(SimpleNamespace(distribution=d, model=M))(x) == [said]
    assert reader_of(SimpleNamespace(distribution=tiny.distribution, model=None))(x) == ["3 4 5 6"]


def test_bad_settings_are_told_in_a_sentence(tiny):
    with pytest.raises(wb.BadInput, match="rate must be a number above 0"):
        LMAdversary(rate=0.0)
    with pytest.raises(wb.BadInput, match="share must be in"):
        Elites(share=1.0)
    with pytest.raises(wb.Unsupported, match="fine_tuned"):
        LMAdversary().init(wb.load("A_d10_1e-3"), wb.Rng(0))

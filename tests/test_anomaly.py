"""Explanations against closed forms, coins against their law, the figure on one seed."""

import math

import pytest
import torch
from scipy.stats import chi2, kstest, norm
from torch import nn

import workbench as wb
from workbench.anomaly import Account, auroc, detectors, explain, judge, make_testbed, over_seeds
from workbench.anomaly.coins import BAND, Coins, orthonormal, tossed
from workbench.anomaly.inner import hidden_layers, inner
from workbench.models import Network, Sum, dense, mlp
from workbench.rng import Rng

LEVEL = 1e-6  # false-alarm rate of every statistical assertion below


def standard(d):
    return wb.Gaussian(torch.zeros(d).double(), torch.ones(d).double())


def single(k=1):
    normal = torch.zeros(k).double()
    normal[0] = 1.0
    return wb.Halfspace(normal, 0.0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_band_of_a_coin_is_fair_and_keeps_the_second_moment():
    a, b = BAND
    heads = 2 * (norm.cdf(b) - norm.cdf(a))
    square = heads + 2 * (a * norm.pdf(a) - b * norm.pdf(b))  # E[u^2; heads], by parts
    assert heads == pytest.approx(0.5, abs=1e-12)
    assert square / heads == pytest.approx(1.0, abs=1e-12)


def test_coins_are_drawn_as_told_and_their_law_is_gaussian():
    coins = Coins(orthonormal(5, 3, generator()))
    heads = tossed(20_000, 3, generator(1))
    x = coins.draw(heads, generator(2))
    assert torch.equal(coins.read(x), heads)
    for u in (x @ coins.axes).T:
        assert kstest(u.numpy(), "norm").pvalue > LEVEL
    first, sums = coins.eye(0.01)
    seen = torch.relu(first(x)) @ sums.T
    sure = ((x @ coins.axes).abs()[..., None] - torch.tensor(BAND)).abs().amin(-1) > 0.005
    assert torch.allclose(seen[sure], heads[sure].double(), atol=1e-9)


@pytest.mark.parametrize("kind", ["normal", "unusual", "anomalous"])
def test_no_event_of_the_coins_moves_mean_or_covariance(kind):
    from workbench.anomaly.codes import world

    w = world(Rng(3), word=10)
    n = 20_000
    x = getattr(w, kind)(n, generator(4))
    d = x.shape[1]
    assert chi2.sf(n * float(x.mean(0).square().sum()), d) > LEVEL
    # Along the axes squares have variance at most 2 given the coins, products of two 1.
    cov = w.coins.axes.T @ (x.T @ x / n) @ w.coins.axes
    z = (cov - torch.eye(d).double()).abs() * math.sqrt(n) / torch.where(torch.eye(d) > 0, 2.0, 1.0)
    assert float(z.max()) < norm.isf(LEVEL / (2 * d * d))


def test_a_linear_behaviour_is_one_term_and_leaves_nothing():
    w = torch.randn(1, 6, generator=generator()).double()
    problem = wb.Problem(standard(6), dense(w), single())
    found = explain(problem)
    assert len(found.directions) == 1 and found.share == pytest.approx(1.0, abs=1e-12)
    cosine = (found.directions[0] @ (w[0] @ found.inner.root)) / w.norm()
    assert abs(float(cosine)) == pytest.approx(1.0, abs=1e-12)
    x = torch.randn(9, 6, generator=generator(1)).double()
    told = found.account(x)
    assert torch.allclose(told.explained, x @ w.T, atol=1e-10)
    assert float(told.unexplained.max()) < 1e-10 and float(told.std.max()) < 1e-6


def test_what_is_kept_is_set_and_the_rest_is_as_on_trusted_data():
    """s = x1 + c |x2|: x1 accounts for 1 / (1 + c^2 v) of Var s, with v = Var |x2| = 1 - 2 / pi."""
    c, v = 0.3, 1 - 2 / math.pi
    first = dense(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]).double())
    model = nn.Sequential(first, nn.ReLU(), dense(torch.tensor([[1.0, -1.0, c, c]]).double()))
    found = explain(wb.Problem(standard(2), model, single()))
    # The series of a covariance ends after 40 terms, 5e-4 of it short: see `series_remainder`.
    assert found.directions.abs()[0].tolist() == pytest.approx([1.0, 0.0], abs=1e-9)
    assert found.share == pytest.approx(1 / (1 + c**2 * v), rel=1e-3)
    x = torch.tensor([[1.7, 2.0], [-0.4, -3.0]]).double()
    told = found.account(x)
    mean = c * math.sqrt(2 / math.pi)
    assert torch.allclose(told.explained[:, 0], x[:, 0] + mean, atol=1e-3)
    assert torch.allclose(told.std, torch.full((2, 1), c * math.sqrt(v)).double(), rtol=1e-3)
    left = c * x[:, 1].abs() - mean
    assert torch.allclose(told.unexplained * found.scale, left.abs(), atol=1e-3)


def test_naming_inputs_otherwise_changes_no_account():
    g = generator()
    model = mlp([5, 12, 1], g, bias_std=0.3)
    turn = orthonormal(5, 5, g)
    first = model.parts[0]
    turned = nn.Sequential(
        dense(first.weight.detach() @ turn, first.bias.detach()), *model.parts[1:]
    )
    x = torch.randn(20, 5, generator=g).double()
    one = explain(wb.Problem(standard(5), model, single()), share=0.7)
    two = explain(wb.Problem(standard(5), turned, single()), share=0.7)
    assert torch.allclose(one.scores(x), two.scores(x @ turn), atol=1e-8)


def test_hidden_values_are_white_under_their_own_propagated_law():
    problem = wb.Problem(standard(4), mlp([4, 6, 6, 1], generator(), bias_std=0.2), single())
    part = inner(problem, 2)
    k = part.root.shape[1]
    assert torch.allclose(part.unroot.T @ part.root, torch.eye(k).double(), atol=1e-9)
    x = torch.randn(7, 4, generator=generator(1)).double()
    assert torch.allclose(part.margins(part.value(x))[:, 0], problem.margin(x), atol=1e-12)
    assert hidden_layers(problem.graph) == [2, 4]


def test_what_cannot_be_explained_is_refused_in_a_sentence():
    d = standard(3)
    parts = [dense(torch.eye(3).double()), nn.ReLU(), Sum(), dense(torch.ones(1, 3).double())]
    around = Network(parts, [(0,), (1,), (2, 0), (3,)])
    with pytest.raises(wb.Unsupported, match="use layer 0"):
        explain(wb.Problem(d, around, single()), layer=2)
    constant = wb.Problem(d, dense(torch.zeros(1, 3).double()), single())
    with pytest.raises(wb.BadInput, match="never varies"):
        explain(constant)
    with pytest.raises(wb.BadInput, match="share"):
        explain(wb.Problem(d, around, single()), share=1.0)
    with pytest.raises(wb.BadInput, match="batch, 3"):
        explain(wb.Problem(d, around, single())).account(torch.zeros(2, 4).double())


def test_auroc_and_its_error_are_those_of_the_definition():
    from sklearn.metrics import roc_auc_score

    g = generator()
    a, b = torch.randn(60, generator=g).round(decimals=1), torch.randn(40, generator=g) - 0.7
    b = b.round(decimals=1)
    found = auroc(a, b)
    assert found.value == pytest.approx(
        roc_auc_score([1] * 60 + [0] * 40, torch.cat([a, b]).numpy()), abs=1e-12
    )
    pairs = (a[:, None] > b).double() + 0.5 * (a[:, None] == b)
    exact = pairs.mean(1).var() / 60 + pairs.mean(0).var() / 40
    assert found.err == pytest.approx(math.sqrt(float(exact)), rel=1e-12)
    with pytest.raises(wb.BadInput):
        auroc(torch.tensor([1.0, math.nan]), b)


def test_the_interval_over_seeds_is_students():
    from scipy.stats import t

    values = [0.9, 0.95, 0.97]
    found = over_seeds(values)
    low, high = t.interval(0.95, 2, found.mean, torch.tensor(values).double().std().item() / 3**0.5)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(min(1.0, high)))
    assert found.worst == 0.9


def test_tampering_is_found_where_distances_find_what_is_merely_unusual():
    bed = make_testbed("tampering", 0, 60)
    for kind, x in bed.kinds().items():
        if kind != "trusted":
            assert bool((bed.problem.margin(x) > 0).all())  # C occurs, whatever the reason
    ours = judge(bed, detectors.Unexplained()).against
    theirs = judge(bed, detectors.Mahalanobis()).against
    either = judge(bed, detectors.Unlikely()).against
    assert min(either["normal"].value, either["unusual"].value) >= 0.95
    assert min(ours["normal"].value, ours["unusual"].value) >= 0.95
    assert max(theirs["normal"].value, theirs["unusual"].value) <= 0.8


def test_a_backdoor_is_what_its_explanation_leaves():
    bed = make_testbed("backdoor", 0, 40)
    again = make_testbed("backdoor", 0, 40)
    assert all(torch.equal(x, again.kinds()[k]) for k, x in bed.kinds().items())
    found = explain(bed.problem)
    # What is left of anomalous inputs is what the planted neuron writes: 2 trusted deviations.
    assert float(found.scores(bed.anomalous).median()) == pytest.approx(2.0, abs=0.3)
    assert float(found.scores(bed.normal).median()) < 0.1


def test_where_the_usual_path_is_the_anomalous_one_only_its_terms_are_far_out():
    bed = make_testbed("mintree", 0, 60)
    assert judge(bed, detectors.Unexplained()).against["normal"].value == 0.5  # nothing is left
    assert judge(bed, detectors.Unlikely()).against["normal"].value >= 0.95


def test_what_is_usual_is_as_unlikely_as_chance_has_it():
    """A linear behaviour leaves nothing: exp(-surprise) = P(chi^2_1 > t^2), uniform under D."""
    problem = wb.Problem(standard(6), dense(torch.randn(1, 6, generator=generator())), single())
    x = torch.randn(3000, 6, generator=generator(1)).double()
    account = explain(problem).account(x)
    assert kstest(torch.exp(-account.surprise).numpy(), "uniform").pvalue > LEVEL
    t = account.terms[:9, 0].numpy()
    assert account.surprise[:9].tolist() == pytest.approx((-chi2.logsf(t**2, 1)).tolist())


def test_what_is_left_is_as_unlikely_as_a_normal_has_it():
    """Terms at 0 and residuals of z standard deviations, of two margins: -log(4 Phi(-z))."""
    zero, one = torch.zeros(3, 2).double(), torch.ones(3, 2).double()
    seen = torch.tensor([[0.0, 2.0], [-6.0, 1.0], [30.0, 0.0]]).double()
    told = Account(seen, zero, 10.0 * one, 10.0 * one[0], zero).surprise
    assert told.tolist() == [0.0, 0.0, pytest.approx(-norm.logsf(3.0) - math.log(4), rel=1e-4)]
    steep = Account(seen, zero, 0.0 * one, one[0], zero)  # no std: a hundredth of the scale
    assert steep.surprise.tolist()[0] == pytest.approx(-math.log(1e-300))
    assert Account(1e-12 * seen, zero, one, one[0], zero).unexplained.tolist() == [0.0, 0.0, 0.0]

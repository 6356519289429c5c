"""Conditioned propagation against exact answers, reference problems and finite differences."""

import math

import pytest
import torch
from torch import nn

import workbench as wb
from workbench import catalogue
from workbench.bench import held_out
from workbench.estimators import lines, summits
from workbench.math.gaussian import log_cdf
from workbench.math.nodes import normal_nodes
from workbench.models import chain, dense, mlp
from workbench.propagation import Mean
from workbench.propagation.smoothed import Smoothed

NETS = [n for n in catalogue.names() if n.startswith("B_")]
DIGITS = [n for n in catalogue.names() if n.startswith(("C_", "digits"))]


def quick(problem, **settings):
    with torch.no_grad():
        return wb.Conditioned(**settings)(problem)


def unit_gaussian(d):
    return wb.Gaussian(torch.zeros(d), torch.ones(d))


@pytest.fixture(scope="module")
def errors():
    """Error in digits, forward-equivalents, indicator of the default settings on all of them."""
    found = {}
    for name in (*NETS, *DIGITS, "D_mintree_1e-7", "D_needle_1e-6", "D_ramp_1e-7"):
        problem = wb.load(name)
        estimate = quick(problem)
        error = abs(estimate.log10_p - problem.truth.log10_p)
        found[name] = (error, estimate.cost.forwards, estimate.indicator)
    return found


def test_the_indicator_tells_how_far_off_the_answer_is(errors):
    """Twice the indicator covers 95% of the errors, or about that: 22 lines, at most 4 beyond it
    by chance with a false-alarm rate of 2e-3 at exactly 95%; and it ranks them."""
    from scipy.stats import spearmanr

    size, _, told = zip(*errors.values(), strict=True)
    assert sum(e < 2 * i for e, i in zip(size, told, strict=True)) >= len(size) - 4
    assert spearmanr(size, told)[0] > 0.4


def test_digits_are_right_to_a_few_hundredths_of_a_digit(errors):
    assert sorted(errors[n][0] for n in DIGITS)[len(DIGITS) // 2] < 0.05
    assert max(errors[n][0] for n in DIGITS) < 0.2
    assert max(errors[n][1] for n in DIGITS) < 2_100


def test_random_networks_are_right_to_a_tenth_of_a_digit(errors):
    assert sorted(errors[n][0] for n in NETS)[len(NETS) // 2] < 0.15
    assert max(errors[n][0] for n in NETS) < 0.5
    assert max(errors[n][1] for n in NETS) < 10_000


@pytest.mark.parametrize(
    "name, digits", [("D_mintree_1e-7", 0.3), ("D_ramp_1e-7", 0.5), ("D_needle_1e-6", 1.0)]
)
def test_planted_triggers_are_found_from_the_weights(errors, name, digits):
    assert errors[name][0] < digits


def test_another_net_is_another_answer_as_good():
    problem = wb.load("B_w32_h2_1e-5")
    answers = [quick(problem, net=k) for k in range(4)]
    assert len({a.log10_p for a in answers}) == 4
    assert all(abs(a.log10_p - problem.truth.log10_p) < 0.3 for a in answers)
    spread = torch.tensor([a.log10_p for a in answers]).std()
    claimed = answers[0].info["spread_digits"]
    assert 0.2 * claimed < spread < 5 * claimed  # four answers: within a factor of 5 of the claim


def test_more_lines_come_closer():
    problem = wb.load("B_w64_h2_1e-5")
    estimate = wb.Conditioned(lines=40_000, tolerance=0.02)
    with torch.no_grad():
        answer = estimate(problem, 400_000)
    assert abs(answer.log10_p - problem.truth.log10_p) < 0.04


@pytest.mark.parametrize("name", ["A_d10_1e-3", "A_d10_1e-20", "A_d100_1e-12"])
def test_gradients_on_linear_models_are_exact(name):
    reference = wb.load(name)
    exact = reference.truth.gradients
    mean = reference.distribution.mean.clone().requires_grad_()
    scale = reference.distribution.scale.clone().requires_grad_()
    problem = reference.vary(distribution=wb.Gaussian(mean, scale))
    weights = dict(problem.model.named_parameters())
    _, got = wb.log_p_and_grad(problem, wb.Conditioned(), [mean, scale, *weights.values()])
    found = dict(zip(["mean", "scale", *weights], got, strict=True))
    for key, value in exact.items():
        if key in found:
            error = (found[key].reshape(-1) - value.reshape(-1)).norm() / value.norm()
            assert error < 1e-6, key
    assert {"mean", "scale"} <= set(exact) & set(found)


@pytest.mark.parametrize("name", DIGITS)
def test_gradient_on_the_digits_is_the_mean_of_the_failures(name):
    problem = wb.load(name)
    mean = problem.distribution.mean.clone().requires_grad_()
    scale = problem.distribution.scale
    varied = problem.vary(distribution=wb.Gaussian(mean, scale))
    _, (got,) = wb.log_p_and_grad(varied, wb.Conditioned(), [mean])
    exact = problem.truth.gradients["noise_mean"]
    assert (got * scale - exact).norm() / exact.norm() < 0.05


@pytest.mark.parametrize("name", ["B_w32_h2_1e-5", "B_w32_h4_1e-8", "B_w64_h2_1e-5"])
def test_gradient_on_random_networks_costs_at_most_three_values_more(name):
    """Within 6% of E[z | C], which is itself known to 1 or 2%; the value stays as it is."""
    problem = wb.load(name)
    mean = problem.distribution.mean.clone().requires_grad_()
    varied = problem.vary(distribution=wb.Gaussian(mean, problem.distribution.scale))
    estimate, (got,) = wb.log_p_and_grad(varied, wb.Conditioned(), [mean])
    exact = problem.truth.gradients["noise_mean"]
    assert (got - exact).norm() / exact.norm() < 0.06
    alone = quick(problem)
    assert estimate.log10_p == pytest.approx(alone.log10_p, abs=1e-12)
    assert estimate.cost.forwards <= 4 * alone.cost.forwards


def test_gradient_on_a_curved_network_is_the_mean_of_the_failures():
    """d log P / d mean = E[z | C] for D = N(mean, I), by plain draws: 4.9 standard errors each."""
    model = mlp([4, 8, 1], torch.Generator().manual_seed(1), "tanh", bias_std=0.3)
    mean = torch.zeros(4, requires_grad=True)
    spec = wb.Halfspace(torch.tensor([1.0]), -0.6)
    problem = wb.Problem(wb.Gaussian(mean, torch.ones(4)), model, spec)
    _, (got,) = wb.log_p_and_grad(problem, wb.Conditioned(lines=4000, tolerance=0.01), [mean])
    z = torch.randn(400_000, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        hits = z[problem.margin_of_noise(z) > 0]
    error = hits.std(0) / math.sqrt(len(hits))
    assert len(hits) > 1000
    assert bool(((got - hits.mean(0)).abs() < 4.9 * error + 0.01 * got.norm()).all())


def test_both_sides_of_a_symmetric_event_are_found():
    """|x| > t through ReLUs, along an axis: no gradient at the mean of D."""
    eye = torch.eye(3)[:1]
    model = chain([dense(torch.cat([eye, -eye])), nn.ReLU(), dense(torch.ones(1, 2))])
    problem = wb.Problem(unit_gaussian(3), model, wb.Halfspace(torch.tensor([1.0]), -4.0))
    exact = math.log10(2.0) + float(log_cdf(torch.tensor(-4.0))) / math.log(10.0)
    answer = quick(problem)
    assert len(answer.info["summits"]) == 2
    assert abs(answer.log10_p - exact) < 1e-3  # the directions are found to some degrees


def test_a_mixture_is_the_sum_of_its_pieces():
    parts = (
        wb.Gaussian(torch.tensor([0.0, 0.0]), torch.tensor([1.0, 1.0])),
        wb.Gaussian(torch.tensor([2.0, 1.0]), torch.tensor([0.5, 2.0])),
    )
    weights = torch.tensor([0.9, 0.1], requires_grad=True)
    model = chain([dense(torch.tensor([[0.8, -0.3]]))])
    spec = wb.Halfspace(torch.tensor([1.0]), -6.0)
    problem = wb.Problem(wb.Mixture(weights, parts), model, spec)
    ours, (gradient,) = wb.log_p_and_grad(problem, wb.Conditioned(), [weights])
    exact, (known,) = wb.log_p_and_grad(problem, wb.Moments(), [weights])
    assert abs(ours.log10_p - exact.log10_p) < 1e-4
    assert torch.allclose(gradient, known, rtol=1e-3)


def test_other_distributions_go_by_the_gradient_of_the_margin():
    """Uniform on a box: P(x > 0.999) = 0.001, and any callable for M."""
    box = wb.Box(torch.zeros(2), torch.ones(2))
    problem = wb.Problem(box, lambda x: x[:, :1], wb.Halfspace(torch.tensor([1.0]), -0.999))
    answer = quick(problem)
    assert answer.info["search"] == "the margin's gradient"
    assert abs(answer.log10_p + 3.0) < 1e-3  # crossings are found to 0.02


@pytest.mark.parametrize("threshold", [-8.0, -1.0, 0.0])
def test_frequent_events(threshold):
    model = chain([dense(torch.tensor([[0.8, -0.3, 0.1]]))])
    spec = wb.Halfspace(torch.tensor([1.0]), -threshold)
    problem = wb.Problem(unit_gaussian(3), model, spec)
    assert abs(quick(problem).log10_p - wb.Moments()(problem).log10_p) < 1e-9


def test_what_nothing_leads_to_is_said():
    """y <= -1 for every x, by a callable that nothing can be proved of."""
    problem = wb.Problem(
        unit_gaussian(2),
        lambda x: -torch.relu(x[:, :1]) - 1.0,
        wb.Halfspace(torch.tensor([1.0]), 0.0),
    )
    answer = quick(problem)
    assert answer.log10_p == -math.inf and "no direction leads to C" in answer.warning


def test_where_propagation_misleads_the_margin_leads():
    """A narrow deep network, on which no line along the propagated summit enters C."""
    problem = held_out.random_net(24, 5, 0.1, 4.5)
    answer = quick(problem)
    assert answer.info["search"] == "the margin's gradient"
    with torch.no_grad():
        sampled = wb.Subset(1000)(problem, 400_000, 2)
    assert abs(answer.log10_p - sampled.log10_p) < 0.5 + 5 * sampled.log10_err


@pytest.mark.parametrize("width, hidden, deviations", [(24, 5, 6.5), (12, 8, 6.0)])
def test_what_lies_behind_a_margin_that_misleads_is_found_on_spheres(width, hidden, deviations):
    """Two narrow deep networks, one at 1e-43: another net of many more lines agrees."""
    problem = held_out.random_net(width, hidden, 0.1, deviations)
    answer = quick(problem)
    assert answer.info["search"] == "the margin's gradient" and not answer.warning
    with torch.no_grad():
        more = wb.Conditioned(lines=10_000, tolerance=0.05, net=3)(problem, 200_000)
    assert abs(answer.log10_p - more.log10_p) < 0.5
    if deviations == 6.0:
        with torch.no_grad():
            sampled = wb.Subset(1000)(problem, 600_000, 2)
        assert abs(answer.log10_p - sampled.log10_p) < 0.5


def test_a_far_search_keeps_to_its_budget():
    problem = held_out.random_net(12, 8, 0.1, 6.0)
    for budget in (700, 2_000, 4_000, 8_000):
        with torch.no_grad():
            assert wb.Conditioned()(problem, budget).cost.forwards <= budget


def test_renaming_neurons_changes_nothing():
    problem = wb.load("B_w32_h2_1e-5")
    first, middle = (m for m in problem.model.modules() if isinstance(m, nn.Linear)), None
    layers = list(first)
    order = torch.randperm(layers[0].out_features, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        middle = layers[1].weight[:, order]
        renamed = chain(
            [
                dense(layers[0].weight[order], layers[0].bias[order]),
                nn.ReLU(),
                dense(middle, layers[1].bias),
                nn.ReLU(),
                *(dense(layer.weight, layer.bias) for layer in layers[2:]),
            ]
        )
    other = wb.Problem(problem.distribution, renamed, problem.spec)
    assert abs(quick(problem).log10_p - quick(other).log10_p) < 1e-6


def test_a_small_budget_is_kept():
    problem = wb.load("C_digits_p8_s15")
    with torch.no_grad():
        assert wb.Conditioned()(problem, 4_000).cost.forwards <= 4_000
    alone = wb.Conditioned()(problem, 10)
    assert "propagation alone" in alone.warning
    assert alone.log10_p == wb.Moments()(problem).log10_p
    box = wb.Problem(wb.Box(torch.zeros(2), torch.ones(2)), lambda x: x, wb.Argmax(0))
    assert "nothing is known" in wb.Conditioned()(box, 10).warning


@pytest.mark.parametrize("wrong", [{"tolerance": 0.0}, {"lines": 0}, {"net": -1}, {"summits": 1.5}])
def test_settings_out_of_range(wrong):
    with pytest.raises(wb.BadInput, match="conditioned"):
        wb.Conditioned(**wrong)


def test_crossings_are_the_roots():
    """margin = max of planes along lines whose crossings are known."""
    a = torch.tensor([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0]])
    unit = torch.tensor([1.0, 0.0, 0.0])
    across = normal_nodes(200, 3)
    across[:, 0] = 0.0

    def margin(z):
        return (z @ a.T - torch.tensor([3.0, 2.0])).amax(1)

    exact = torch.minimum(torch.full((200,), 3.0), (2.0 - across @ a[1]) / 0.6)
    for start in (-4.0, 2.5, 9.0):
        hit = lines.crossings(margin, across, unit, torch.full((200,), start), 1.0, (-12.0, 12.0))
        assert torch.allclose(hit.t, exact, atol=0.02)  # what it stops at
        assert (hit.t - exact).abs().median() < 1e-9  # exact where no kink lies in the last bracket
        assert hit.evaluations <= 200 * lines.MOST


def test_lines_without_a_crossing():
    unit, across = torch.tensor([1.0, 0.0]), torch.zeros(2, 2)
    for value, nowhere in ((1.0, -math.inf), (-1.0, math.inf)):
        hit = lines.crossings(
            lambda z, value=value: torch.full((len(z),), value),
            across, unit, torch.zeros(2), 1.0, (-5.0, 5.0),
        )  # fmt: skip
        assert hit.t.tolist() == [nowhere, nowhere]


def test_shares_sum_to_one():
    units = torch.eye(4)[:3]
    index = torch.tensor([2.0, 3.0, 8.0])
    z = 3.0 * normal_nodes(100, 4)
    total = sum(lines.log_share(z, units, index, k).exp() for k in range(3))
    assert torch.allclose(total, torch.ones(100))


def test_calibration_restores_the_mean_of_a_gaussian():
    """Weights that follow exp(b . w) make w Gaussian about b, whose score is b - w."""
    n, unit, b = 400, torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.3, -0.2, 0.0])
    w = normal_nodes(n, 3)
    w[:, 2] = 0.0
    t = torch.full((n,), 2.0)
    hazard = math.exp(-2.0 - 0.5 * math.log(2 * math.pi)) / float(log_cdf(torch.tensor(-2.0)).exp())
    slope = (unit + b / hazard).expand(n, 3)
    weight = torch.exp(w @ b)
    factor = lines.calibration(weight, t, w + t[:, None] * unit, slope, unit)
    share = weight / weight.sum() * factor
    plain = weight / weight.sum()
    assert (share @ w - b).norm() < 0.3 * (plain @ w - b).norm()


def test_nodes_are_normal_and_continue():
    nodes = normal_nodes(4096, 5)
    assert nodes.mean(0).abs().max() < 0.01
    assert (nodes.var(0) - 1.0).abs().max() < 0.01
    assert torch.equal(normal_nodes(96, 5, first=32), normal_nodes(128, 5)[32:])
    assert not torch.equal(normal_nodes(8, 5, net=1), normal_nodes(8, 5))
    # Past the dimensions of Sobol's table the rest is pseudo-random, row by row as well.
    wide = normal_nodes(96, 30_000)
    assert torch.equal(wide[:, :21_201], normal_nodes(96, 21_201))
    assert torch.equal(normal_nodes(64, 30_000, first=32), wide[32:])
    rest = wide[:, 21_201:]  # 844,704 numbers: 5 standard errors, false alarm 6e-7
    assert abs(float(rest.mean())) < 5.0 / rest.numel() ** 0.5
    assert abs(float(rest.var()) - 1.0) < 5.0 * (2.0 / rest.numel()) ** 0.5


def test_smoothed_network_is_mean_propagation():
    """With the scales that `mean` propagates it gives the means that `mean` propagates."""
    problem = wb.load("B_w32_h3_1e-5")
    (piece,) = problem.distribution.pieces()
    eye = torch.eye(problem.outputs)
    law, scales, _ = Mean().law_and_scales(problem.graph, piece, eye, torch.zeros(len(eye)))
    assert torch.allclose(Smoothed(problem.graph, scales)(piece.mean[None])[0], law.mean)


def test_slope_of_the_landscape():
    problem = wb.load("B_w32_h2_1e-5")
    land = summits.Landscape(problem)
    theta = 0.5 * normal_nodes(1, 32)[0]
    _, slope = land.full(theta, 0)
    for i in (0, 7):
        step = torch.zeros(32)
        step[i] = 1e-5
        rise = (land.full(theta + step, 0)[0] - land.full(theta - step, 0)[0]) / 2e-5
        assert float(slope[i]) == pytest.approx(rise, rel=1e-5, abs=1e-7)


def test_summit_on_a_linear_model():
    """There theta = hazard(theta, t) a: along the normal."""
    problem = wb.load("A_d10_1e-6")
    found = summits.find(problem, 3)
    normal = problem.truth.gradients["mean"] * problem.distribution.scale
    cosine = found.theta[0] @ normal / (found.theta[0].norm() * normal.norm())
    assert len(found.theta) == 1 and float(cosine) > 1 - 1e-9
    assert found.propagated


def test_a_step_along_the_gradient_in_the_weights_lowers_log_p_as_promised():
    """To first order: a step that promises 0.3 nats keeps it within a tenth."""
    problem = wb.load("digits")
    weights = [w.requires_grad_() for w in problem.model.parameters()]
    before, slope = wb.log_p_and_grad(problem, wb.Conditioned(tolerance=0.02), weights)
    square = sum(float(g.square().sum()) for g in slope)
    with torch.no_grad():
        for w, g in zip(weights, slope, strict=True):
            w -= 0.3 / square * g
        after = wb.Conditioned(tolerance=0.02)(problem)
    assert float(before.log_p.detach() - after.log_p) == pytest.approx(0.3, abs=0.03)

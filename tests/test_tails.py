"""Tails of skewed margins: values and gradients down to 1e-300, against 60 digits of mpmath."""

import math

import mpmath as mp
import pytest
import torch

import workbench as wb
from workbench.math.gaussian import log_cdf
from workbench.math.law import Law
from workbench.models import mlp
from workbench.tails import ALL, Edgeworth, Gaussian, Pearson3, Saddlepoint

SKEWED = [t for t in ALL if t is not Gaussian]
each = pytest.mark.parametrize("tail", SKEWED, ids=lambda t: t.name)
# z, skew, kurtosis; the last ones have P near 1e-300.
POINTS = [
    (0.01, 0.3, 0.1), (0.5, 0.2, 0.3), (2.0, 0.1, 0.02), (3.0, 0.5, 0.6), (4.5, 0.01, 0.001),
    (8.0, 0.3, 0.2), (12.0, 1.0, 1.5), (37.0, 1e-3, 1e-5), (36.0, 0.02, 0.001), (100.0, 0.28, 0.12),
]  # fmt: skip
LIFTED = [(3.0, 0.5, 0.0), (20.0, -0.4, 0.05), (1e4, 1.2, -0.3)]  # in kurtosis, by the saddlepoint
THIN = [(1.0, -0.2, 0.1), (4.0, -0.1, 0.2), (30.0, -0.05, 0.01)]


def law(z, skew, kurtosis, mean_sign=-1.0, sd=2.0):
    """One margin with P(s > 0) = P(Z > z)."""
    z, skew, kurtosis = (torch.as_tensor([v]) for v in (z, skew, kurtosis))
    return Law(mean_sign * sd * z, torch.tensor([[sd**2]]), -mean_sign * sd**3 * skew,
               sd**4 * kurtosis)  # fmt: skip


def beside(*laws):
    """Uncorrelated margins side by side."""
    mean, third, fourth = (
        torch.cat([getattr(law, k) for law in laws]) for k in ("mean", "third", "fourth")
    )
    return Law(mean, torch.diag(torch.cat([law.cov[0] for law in laws])), third, fourth)


def edgeworth(z, a, c):
    he = [mp.mpf(1), z]
    for k in range(1, 5):
        he.append(z * he[k] - k * he[k - 1])
    return mp.log(mp.ncdf(-z) + mp.npdf(z) * (a * he[2] / 6 + c * he[3] / 24 + a**2 * he[5] / 72))


def pearson3(z, a, c):
    if a <= 0:
        return mp.log(mp.ncdf(-z))
    k = 4 / a**2
    if k < 1e5:
        return mp.log(mp.gammainc(k, k + mp.sqrt(k) * z, mp.inf, regularized=True))

    def density(t):
        x = k + mp.sqrt(k) * t
        return mp.exp((k - 1) * mp.log(x) - x - mp.loggamma(k)) * mp.sqrt(k)

    return mp.log(mp.quad(density, [z + mp.mpf(i) / 20 for i in range(60)]))


def saddlepoint(z, a, c):
    c = max(c, mp.mpf("0.55") * a**2)
    start = min(z, (6 * z / c) ** (mp.mpf(1) / 3))
    t = mp.findroot(lambda t: t + a * t**2 / 2 + c * t**3 / 6 - z, start)
    w = mp.sqrt(2 * (t * z - t**2 / 2 - a * t**3 / 6 - c * t**4 / 24))
    u = t * mp.sqrt(1 + a * t + c * t**2 / 2)
    return mp.log(mp.ncdf(-(w + mp.log(u / w) / w)))


TRUTHS = {"edgeworth": edgeworth, "pearson3": pearson3, "saddlepoint": saddlepoint}


@each
@pytest.mark.parametrize("point", POINTS + THIN)
def test_values_and_gradients(tail, point):
    """log P and its derivatives in z and the skewness."""
    if tail is Edgeworth and (point in THIN or point[0] > 30):
        pytest.skip("the series is no probability there: see the test of doubt")
    z, a, c = (torch.tensor(v, requires_grad=True) for v in point)
    at = Law(-z[None], torch.ones(1, 1), a[None], c[None])
    log_p = log_cdf(tail().index(at))[0]
    dz, da = torch.autograd.grad(log_p, (z, a), allow_unused=True, materialize_grads=True)
    truth = TRUTHS[tail.name]
    with mp.workdps(80):
        exact = [mp.mpf(v) for v in point]
        want = truth(*exact)
        h = mp.mpf("1e-20")
        slopes = []
        for i in (0, 1):
            up, down = list(exact), list(exact)
            up[i], down[i] = exact[i] + h, exact[i] - h
            slopes.append((truth(*up) - truth(*down)) / (2 * h))
    assert log_p.item() == pytest.approx(float(want), rel=1e-9, abs=1e-9)
    assert dz.item() == pytest.approx(float(slopes[0]), rel=1e-6, abs=1e-7)
    assert da.item() == pytest.approx(float(slopes[1]), rel=1e-5, abs=1e-6)


def test_the_points_reach_1e_300():
    assert any(float(log_cdf(Saddlepoint().index(law(*p)))) < -650 for p in POINTS)


@each
@pytest.mark.parametrize("z", [0.0, 1e-9, 0.7, 3.0, 30.0, 1e4])
def test_without_skewness_it_is_the_gaussian(tail, z):
    found = tail().index(law(z, 0.0, 0.0))
    torch.testing.assert_close(found, Gaussian().index(law(z, 0.0, 0.0)), rtol=1e-12, atol=1e-12)


@each
@pytest.mark.parametrize("point", POINTS[:5] + THIN[:1])
def test_p_and_its_complement_sum_to_one(tail, point):
    """The margin with all signs turned has the opposite index."""
    one, other = tail().index(law(*point)), tail().index(law(*point, mean_sign=1.0))
    torch.testing.assert_close(one, -other)


@each
def test_gradcheck(tail):
    mean = torch.tensor([-2.0, 1.5, -5.0, -0.3], requires_grad=True)
    var = torch.tensor([1.0, 0.7, 1.3, 2.0], requires_grad=True)
    third = torch.tensor([0.2, -0.1, 0.3, 0.4], requires_grad=True)
    fourth = torch.tensor([0.2, 0.1, 0.3, 0.9], requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda m, v, t, f: tail().index(Law(m, torch.diag(v), t, f)), (mean, var, third, fourth)
    )


@each
@pytest.mark.parametrize("mean", [3.0, -3.0, 0.0])
def test_a_constant_margin_is_certain(tail, mean):
    zero = torch.zeros(1)
    at = Law(torch.tensor([mean]), torch.zeros(1, 1), zero, zero)
    torch.testing.assert_close(tail().index(at), Gaussian().index(at))


def test_doubt_names_what_was_done():
    fine, thin, wild = law(3.0, 0.3, 0.3), law(3.0, -0.6, 0.1), law(3.0, 3.0, 0.0)
    for tail in SKEWED:
        assert tail().doubt(fine) == ""
    assert "lighter than Gaussian" in Pearson3().doubt(thin)
    assert "above 2" in Pearson3().doubt(wild)
    assert "was lifted" in Saddlepoint().doubt(thin)
    for tail, odd in ((Pearson3, thin), (Pearson3, wild), (Saddlepoint, thin)):
        assert tail().doubt(beside(fine, odd)) == tail().doubt(odd) != ""
    lost = law(4.0, 0.0, -1.0)  # 1 + hazard x series is -8
    assert "read as Gaussian" in Edgeworth().doubt(lost) == Edgeworth().doubt(beside(fine, lost))
    torch.testing.assert_close(Edgeworth().index(lost), Gaussian().index(lost))


@pytest.mark.parametrize("point", LIFTED)
def test_the_saddlepoint_follows_a_lifted_fourth_cumulant(point):
    with mp.workdps(60):
        want = float(saddlepoint(*(mp.mpf(v) for v in point)))
    assert float(log_cdf(Saddlepoint().index(law(*point)))) == pytest.approx(want, rel=1e-9)


@each
def test_margins_side_by_side_are_what_each_is_alone(tail):
    """Also where one search has ended and the other goes on, and where a margin is certain."""
    points = [
        (0.0, 0.0, 0.0),
        (5e-4, 0.1, 3.0),
        (3.0, 0.5, 0.6),
        (2e3, 0.9, 1.5),
        (30.0, -0.05, 0.01),
    ]
    laws = [law(*point, sd=0.5) for point in points]
    alone, together = torch.cat([tail().index(one) for one in laws]), beside(*laws)
    torch.testing.assert_close(tail().index(together), alone, rtol=1e-12, atol=1e-12)
    turned = beside(*laws[::-1])
    pieces = Law(*(torch.stack([getattr(v, k) for v in (together, turned)])
                   for k in ("mean", "cov", "third", "fourth")))  # fmt: skip
    both = torch.stack([alone, alone.flip(0)])
    torch.testing.assert_close(tail().index(pieces), both, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("z", [0.01, 0.7, 4.0, 200.0])
def test_of_skewness_two_pearsons_law_is_the_exponential_one(z):
    """Z = G - 1 with P(G > g) = exp(-g), exactly."""
    found = float(log_cdf(Pearson3().index(law(z, 2.0, 6.0))))
    assert found == pytest.approx(-1.0 - z, rel=1e-9)


@pytest.mark.parametrize("sd", [0.25, 3.0])
def test_a_gaussian_margin_has_the_index_mean_over_deviation(sd):
    found = Gaussian().index(Law(torch.tensor([0.5, -2.0]), sd**2 * torch.eye(2)))
    torch.testing.assert_close(found, torch.tensor([0.5 / sd, -2.0 / sd]), rtol=1e-15, atol=0.0)


@pytest.mark.parametrize("mean", [0.5, 0.0, -0.5])
def test_a_margin_without_variance_holds_where_its_mean_is_positive(mean):
    found = Gaussian().index(Law(torch.tensor([mean]), torch.zeros(1, 1)))
    assert float(found) == (float("inf") if mean > 0 else float("-inf"))


@pytest.mark.parametrize(
    "point", [(2e-4, 0.3, 0.1), (8e-4, 1.0, 1.5), (5e-4, -0.2, 0.4), (9e-4, 0.1, 3.0)]
)
def test_the_saddlepoint_at_the_mean_is_the_limit_of_itself(point):
    """There a series stands for 0 / 0, right to terms of z^2."""
    with mp.workdps(60):
        want = float(saddlepoint(*(mp.mpf(v) for v in point)))
    assert float(log_cdf(Saddlepoint().index(law(*point)))) == pytest.approx(want, abs=2e-6)


@pytest.mark.parametrize("beyond", [1e-7, -1e-7, -0.5])
def test_edgeworths_series_is_no_probability_at_one(beyond):
    """At z = 0 it is 1/2 - skew phi(0) / 6: here 1 - 1e-7 and more, and the margin is Gaussian."""
    skew = -6.0 * (0.5 - beyond) * math.sqrt(2.0 * math.pi)
    at = law(0.0, skew, 0.0)
    assert float(Edgeworth().index(at)) == 0.0


def test_a_light_tail_may_hold_more_than_half():
    """A skewness below 0 puts more than half of the law above its mean, and the series says so."""
    with mp.workdps(40):
        want = float(edgeworth(mp.mpf("0.01"), mp.mpf("-0.5"), mp.mpf("0.1")))
    found = float(log_cdf(Edgeworth().index(law(0.01, -0.5, 0.1))))
    assert found == pytest.approx(want, abs=1e-12) and want > -0.68


@pytest.mark.parametrize(("share", "lifted"), [(0.499, True), (0.501, False)])
def test_a_fourth_cumulant_is_lifted_below_half_the_square_of_the_third(share, lifted):
    assert ("was lifted" in Saddlepoint().doubt(law(3.0, 0.8, share * 0.8**2))) is lifted


@each
def test_a_propagator_without_third_cumulants_is_refused(tail):
    model = mlp([3, 8, 1], torch.Generator().manual_seed(0))
    problem = wb.Problem(
        wb.Gaussian(torch.zeros(3), torch.ones(3)), model, wb.Halfspace(torch.ones(1), -3.0)
    )
    with pytest.raises(wb.Unsupported, match=f"tail '{tail.name}': it reads third cumulants"):
        wb.Moments("covariance", tail.name)(problem)
    for propagator in ("augmented", "cumulant"):
        found = wb.Moments(propagator, tail.name)(problem)
        assert -20.0 < found.log10_p < 0.0


def test_a_linear_model_is_exact_with_every_tail():
    problem = wb.load("A_d10_1e-12")
    for tail in ALL:
        found = wb.Moments("cumulant", tail.name)(problem)
        assert found.log10_p == pytest.approx(problem.truth.log10_p, abs=1e-9)
        assert found.warning == ""


def test_a_warning_reaches_the_estimate():
    model = mlp([2, 3, 1], torch.Generator().manual_seed(1))
    with torch.no_grad():
        model.parts[2].weight[:] = -1.0  # the output is bounded above: a light upper tail
    problem = wb.Problem(
        wb.Gaussian(torch.zeros(2), torch.ones(2)), model, wb.Halfspace(torch.ones(1), 0.1)
    )
    found = wb.Moments("cumulant", "pearson3")(problem)
    assert found.warning.startswith("The tail of a margin is lighter")

"""How answers are combined, refused, and which modes they are said to miss."""

import math

import pytest
import torch

import workbench as wb
from workbench.estimators.witness import Failures
from workbench.experiments import modes
from workbench.experiments.evidence import (
    Answer,
    Evidence,
    disagreement,
    inverse_variance_mean,
)


def answer(method, log_p, log_err, doubt=""):
    return Answer(method, log_p, log_err, (), (), 100, 0.1, doubt)


def test_inverse_variance_mean_of_two():
    """Weights 4 and 1; mean -10.2; chi2 = 0.2^2 * 4 / 0.01 + 0.8^2 / 0.01 = 80 / 1."""
    got = inverse_variance_mean([answer("a", -10.0, 0.05), answer("b", -11.0, 0.1)])
    assert got.log_p == pytest.approx(-10.2)
    assert got.chi2 == pytest.approx(0.04 / 0.0025 + 0.64 / 0.01)
    assert got.dof == 1 and got.birge == pytest.approx(math.sqrt(80.0))
    assert got.log_err == pytest.approx(math.sqrt(80.0) / math.sqrt(500.0))


def test_answers_that_agree_are_not_inflated():
    got = inverse_variance_mean([answer("a", -10.0, 0.1), answer("b", -10.05, 0.1)])
    assert got.birge == 1.0 and got.log_err == pytest.approx(0.1 / math.sqrt(2.0))


def test_birge_restores_the_spread():
    """Twelve answers of standard deviation 3 that claim 1: R is sqrt(chi2_11 / 11) times 3.

    chi2_11 / 11 lies between 0.1 and 4 but for a chance of 1e-5.
    """
    draws = torch.randn(12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    got = inverse_variance_mean([answer(str(i), 3.0 * float(x), 1.0) for i, x in enumerate(draws)])
    assert 3.0 * math.sqrt(0.1) < got.birge < 6.0


@pytest.mark.parametrize("gap, refused", [(3.9, False), (4.1, True)])
def test_four_standard_errors_are_the_limit(gap, refused):
    pair = (answer("a", -10.0, 0.06), answer("b", -10.0 - gap * 0.1, 0.08))
    assert disagreement(*pair) == pytest.approx(gap)
    evidence = Evidence("p", pair, missed=("b missed class 3: ...",))
    if refused:
        with pytest.raises(wb.NotConverged, match=r"a .* and b .* differ by 4.1.*missed class 3"):
            evidence.combined()
    else:
        assert evidence.combined().dof == 1


def test_two_that_agree_outvote_no_third():
    three = (answer("a", -10.0, 0.1), answer("b", -10.0, 0.1), answer("c", -9.0, 0.1))
    with pytest.raises(wb.NotConverged, match="no mode that one sees is missing"):
        Evidence("p", three).combined()


def test_plain_draws_can_refute_all():
    pair = (answer("a", math.log(1e-6), 0.1), answer("b", math.log(1e-6), 0.1))
    assert Evidence("p", pair, hits=0, draws=10_000).combined().chi2 == 0.0
    with pytest.raises(wb.NotConverged, match="9 of 10,000 plain draws fail"):
        Evidence("p", pair, hits=9, draws=10_000).combined()
    high = (answer("a", math.log(0.01), 0.1), answer("b", math.log(0.01), 0.1))
    with pytest.raises(wb.NotConverged, match="0 of 10,000 plain draws fail"):
        Evidence("p", high, hits=0, draws=10_000).combined()


def test_doubted_blind_and_unsure_answers_do_not_count():
    sound = answer("a", -10.0, 0.1)
    others = (
        answer("b", -5.0, 0.1, "its own warning: heavy"),
        answer("c", -math.inf, math.inf),
        answer("d", -10.0, math.inf),
    )
    evidence = Evidence("p", (sound, *others))
    assert evidence.counted == (sound,)
    with pytest.raises(wb.NotConverged) as caught:
        evidence.combined()
    said = str(caught.value)
    assert "only a of 4 methods" in said and "b: its own warning: heavy" in said
    assert "c: it saw no failure" in said and "d: its error is not known" in said


def test_kin_that_agree_are_said_to_be_kin():
    pair = (answer("subset", -10.0, 0.1), answer("subset[keep=0.25]", -10.0, 0.1))
    kin = {"subset": "subset", "subset[keep=0.25]": "subset"}
    assert "all that counts is subset" in Evidence("p", pair, families=kin).cautions[0]
    others = (*pair, answer("importance", -10.0, 0.1))
    assert Evidence("p", others, families=kin).cautions == ()


def corners():
    """y = x in two dimensions; C = either coordinate beyond 2."""
    d = wb.Gaussian(torch.zeros(2), torch.ones(2))
    units = torch.eye(2)
    spec = wb.Or((wb.Halfspace(units[0], -2.0), wb.Halfspace(units[1], -2.0)))
    return wb.Problem(d, torch.nn.Identity(), spec, "corners")


def test_modes_are_clauses_and_shares_are_weighted():
    problem = corners()
    found, _ = modes.find(problem, wb.Rng(0))
    assert found.names == ("clause 0", "clause 1") and found.centres is None
    z = torch.tensor([[3.0, 0.0], [0.0, 3.0], [2.5, 4.0]])
    assert found.label(problem, z).tolist() == [0, 1, 1]
    got = modes.shares("m", problem, found, [Failures(z, torch.tensor([0.0, 0.0, math.log(2.0)]))])
    assert got.share == pytest.approx((0.25, 0.75))
    assert got.effective == pytest.approx(16.0 / 6.0)
    assert modes.shares("m", problem, found, [Failures(z[:0], z.new_zeros(0))]) is None


def test_modes_of_one_clause_are_design_points():
    """Minus a distance: |y0| > 2 as one margin has a design point on either side."""

    class Away(torch.nn.Module):
        def forward(self, x):
            return x[:, :1].abs()

    d = wb.Gaussian(torch.zeros(2), torch.ones(2))
    problem = wb.Problem(d, Away(), wb.Halfspace(torch.ones(1), -2.0), "both sides")
    found, spent = modes.find(problem, wb.Rng(0))
    assert len(found.names) == 2 and spent > 0
    labels = found.label(problem, torch.tensor([[2.5, 0.3], [-2.5, 0.3], [-3.0, 1.0]])).tolist()
    assert labels[0] != labels[1] == labels[2]


def test_a_mode_is_missed_only_where_it_should_have_been_seen():
    two = modes.Modes(("left", "right"))
    full = modes.Shares("a", (0.7, 0.3), 500.0)
    blind = modes.Shares("b", (1.0, 0.0), 500.0)
    (said,) = modes.missed(two, [full, blind])
    assert said.startswith("b missed right") and "a 30%" in said
    assert modes.missed(two, [full, modes.Shares("b", (0.96, 0.04), 500.0)]) == ()
    assert modes.missed(two, [full, modes.Shares("b", (1.0, 0.0), 30.0)]) == ()
    assert modes.missed(two, [modes.Shares("a", (0.97, 0.03), 500.0), blind]) == ()

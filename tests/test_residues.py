"""Text known by the residue of the number that it spells, against all texts written out."""

import math

import pytest
import torch
from test_short_text import T, V, every, half, holds, text

import workbench as wb
from workbench import catalogue
from workbench.estimators.transitions import Transitions
from workbench.math import residues
from workbench.models import Residue, ending, watching

WORD = (0, 1, 0)


def number(x):
    return (x * V ** torch.arange(T - 1, -1, -1)).sum(1)


def given(q, r, model=None):
    """The text holds the word, given that its number is r modulo q."""
    d = wb.Conditional(text(), Residue(q, r, V), half(1.0))
    return wb.Problem(d, model or watching([WORD], V, torch.float64), half(1.0))


def counted(problem, q, r):
    """log P and log P of the residue, text by text."""
    x, base = every(), problem.distribution.base
    log_p = torch.where(number(x) % q == r, base.log_prob(x), -math.inf)
    both = torch.where(problem.margin(x) > 0, log_p, -math.inf)
    return float(both.logsumexp(0) - log_p.logsumexp(0)), float(log_p.logsumexp(0))


@pytest.mark.parametrize("q", [2, 3, 7, 12, 90])
def test_a_residue_that_is_tracked_is_exact(q):
    problem = given(q, 1)
    x = every()
    assert torch.equal(problem.distribution.recognise(x) > 0, number(x) % q == 1)
    found = wb.Ratio()(problem)
    log_p, log_z = counted(problem, q, 1)
    assert float(found.log_p) == pytest.approx(log_p, abs=1e-12)
    assert found.info["log10_p_recognised"] * math.log(10) == pytest.approx(log_z, abs=1e-12)
    assert "presumed_modulus" not in found.info


@pytest.mark.parametrize("q, tracked", [(7, 1), (12, 3), (90, 9)])
def test_what_is_presumed_is_said_and_its_spread_is_that_over_residues(q, tracked):
    """All characters together give the spread over residues exactly."""
    base, M = text(), watching([WORD], V, torch.float64)
    rest = q // tracked
    spec = half(1.0) & wb.Trusted(Residue(q, 1, V), half(1.0), reads="inputs")
    few = Transitions(states=tracked, characters=rest)(wb.Problem(base, M, spec))
    assert few.kind == wb.Kind.HEURISTIC and few.log_err is None
    assert (few.info["tracked_modulus"], few.info["presumed_modulus"]) == (tracked, rest)
    x = every()
    p = torch.where(holds(x, WORD), base.log_prob(x).exp(), 0.0)
    near = torch.where(number(x) % tracked == 1 % tracked, p, 0.0)
    assert float(few.log_p.exp()) == pytest.approx(float(near.sum()) / rest, rel=1e-12)
    share = torch.zeros(rest).double().index_add_(0, number(x) % rest, p) / p.sum()
    spread = float((share * rest - 1.0).square().mean().sqrt())
    assert few.info["spread_digits"] == pytest.approx(math.log10(1.0 + spread), rel=1e-9)


def test_characters_are_sums_over_texts():
    d, M, k = text(), watching([WORD], V, torch.float64), torch.tensor([0, 1, 5])
    last = torch.where(M.outputs[:, 0] > 0, 0.0, -math.inf).double()
    found = residues.characters(d.log_probs, M.after, last, T, d.start, 7, k)
    x = every()
    turn = 2.0 * math.pi * (k[:, None] * number(x) % 7).double() / 7
    p = torch.where(holds(x, WORD), d.log_prob(x).exp(), 0.0)
    slow = (p * torch.polar(torch.ones(()).double(), turn)).sum(1)
    assert torch.allclose(found, slow, atol=1e-14)


def test_the_automaton_of_endings():
    x = every()
    said = ending(WORD, V, torch.float64)(x)[:, 0]
    for k in range(len(WORD) + 1):
        ends = (x[:, T - k :] == torch.tensor(WORD[:k])).all(1)
        assert bool((said[ends] >= k - len(WORD) + 0.5).all())
    assert torch.equal(said > 0, (x[:, -3:] == torch.tensor(WORD)).all(1))


def test_what_the_residue_rules_out_is_proved():
    """The number is 1 modulo 3, so the last symbol is 1, and the word ends in 0."""
    found = wb.Ratio()(given(3 * 7, 1, ending(WORD, V, torch.float64)))
    assert found.log10_p == -math.inf


@pytest.mark.parametrize("name", catalogue.residue_names())
def test_ratio_is_within_a_tenth_of_a_digit_and_says_what_it_presumed(name):
    """10008 shares 9 with the alphabet, which is tracked; nothing of 10007 is."""
    problem = catalogue.load(name)
    found = wb.Ratio()(problem)
    assert abs(found.log10_p - problem.truth.log10_p) < 0.1
    modulus = problem.distribution.network.modulus
    assert found.info["presumed_modulus"] == (10007 if modulus == 10007 else 1112)
    assert 0.0 < found.info["spread_digits"] < 0.1 and not found.warning


def test_where_independence_would_be_a_digit_off_ratio_is_not():
    """A text of residue 4 modulo 10008 ends in d, m or v: fifteen times as often in the word."""
    problem = catalogue.load("R_druid_10008_1e-6")
    base = problem.distribution.base
    alone = Transitions()(wb.Problem(base, *problem.stated)).log10_p
    assert problem.truth.log10_p - alone > 1.0


def test_nothing_can_be_drawn_and_other_questions_are_refused():
    problem = given(12, 1)
    with pytest.raises(wb.Unsupported, match="ratio"):
        wb.MonteCarlo()(problem)
    base, M = text(), watching([WORD], V, torch.float64)
    two = [wb.Trusted(Residue(q, 1, V), half(1.0), reads="inputs") for q in (2, 7)]
    with pytest.raises(wb.Unsupported, match="at most one"):
        Transitions()(wb.Problem(base, M, half(1.0) & two[0] & two[1]))
    with pytest.raises(wb.Unsupported, match="any residue but one"):
        Transitions()(wb.Problem(base, M, half(1.0) & ~two[0]))
    with pytest.raises(wb.BadInput, match="in base 5"):
        odd = wb.Trusted(Residue(7, 1, 5), half(1.0), reads="inputs")
        Transitions()(wb.Problem(base, M, half(1.0) & odd))
    with pytest.raises(wb.BadInput, match="a modulus from 2"):
        Residue(1, 0, V)

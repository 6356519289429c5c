"""Whole students from propagated moments: draws as the oracle, and what training finds."""

import math

import pytest
import torch

import workbench as wb
from workbench.bench.students import random_layers
from workbench.errors import BadInput
from workbench.training.student import Teacher, drawn, left, run, trained

WIDE = wb.Gaussian(torch.zeros(8).double(), torch.ones(8).double())


def layers(widths, name):
    made = random_layers(widths, wb.Rng(0).child(name))
    return [(w.double(), b.double() + 0.1, act) for w, b, act in made]


def test_moments_of_one_hidden_layer_are_those_of_draws():
    """Gaussian pre-activations: within five standard errors, fourth moments at most tenfold."""
    teacher, hidden, n = layers([8, 8, 3], "t"), layers([8, 4, 1], "s")[:-1], 200_000
    ours = Teacher.of(teacher, WIDE, order=30).beside(hidden)
    draws = drawn(teacher, WIDE.sample(n, wb.Rng(1).generator()))(hidden)
    sd = ours.cov.diagonal().sqrt()
    assert float(((ours.mean - draws.mean) / sd).abs().max()) < 5.0 / math.sqrt(n)
    gap = (ours.cov - draws.cov) / (sd[:, None] * sd)
    assert float(gap.abs().max()) < 5.0 * math.sqrt(10.0 / n)
    assert float(left(ours)) == pytest.approx(ours.left()[0] / ours.left()[1], abs=1e-3)


def test_training_takes_a_student_towards_its_teacher():
    """What propagation says of it holds on fresh draws; the gradient is that of differences."""
    teacher, student = layers([8, 8, 3], "t"), layers([8, 4, 3], "s")
    known = Teacher.of(teacher, WIDE, order=30)
    before = float(left(known.beside(student[:-1])))
    made = trained(known.beside, student[:-1], 0.3)
    told = float(left(known.beside(made[:-1])))
    assert told < before
    x = WIDE.sample(100_000, wb.Rng(2).generator())
    y = run(teacher, x)
    error = float((run(made, x) - y).square().sum() / (y - y.mean(0)).square().sum())
    assert error == pytest.approx(told, rel=0.05)  # a ratio of means of 1e5 draws, known to 1%
    weight = student[0][0].clone().requires_grad_()

    def loss(w):
        return left(known.beside([(w, *student[0][1:])]))

    assert torch.autograd.gradcheck(loss, weight)


def test_what_does_not_fit_is_refused():
    teacher = layers([8, 8, 3], "t")
    with pytest.raises(BadInput, match="behind every layer but its last"):
        Teacher.of(teacher[:-1], WIDE)
    with pytest.raises(BadInput, match="same activations"):
        Teacher.of(teacher, WIDE).beside(layers([8, 4, 4, 1], "s")[:-1])

"""The laboratories of tiny networks and of students: measured, and drawn in both faces."""

import math

import pytest
import torch
from pytest import approx

import workbench as wb
from workbench.bench.distillation import OUTPUTS, pair
from workbench.training.distillation import beside, pooled, sampled
from workbench.views.lab_screen import LabScreen
from workbench.views.lab_students import STUDENTS, until
from workbench.views.lab_tiny import TINY
from workbench.views.lab_widgets import LabWidgets
from workbench.views.students_session import Fit, StudentsSession
from workbench.views.tiny_session import BENT, JOB, REPEATS, TinySession, networks

PATIENCE = 60.0


@pytest.fixture(scope="module")
def tiny():
    made = TinySession()
    made.begin()
    made.worker.wait(JOB, PATIENCE)
    made.worker.wait(BENT, PATIENCE)
    yield made
    made.close()


@pytest.fixture(scope="module")
def students():
    made = StudentsSession(width=64, hidden=1)
    made.begin()
    made.worker.wait("students", PATIENCE)
    yield made
    made.close()


@pytest.mark.parametrize("face", [LabScreen, LabWidgets])
def test_both_faces_draw_both(face, tiny, students):
    for lab, session in ((TINY, tiny), (STUDENTS, students)):
        face(lab, session).paint()
        for block in lab.blocks:
            assert block.draw(session, False, block.height)["data"]


def test_the_accuracy_as_trained_is_that_of_the_catalogue(tiny):
    """Both have standard errors: by Student's law of 8 nets, five apart once in 600."""
    truth = wb.load(tiny.network).truth
    p = 10.0**truth.log10_p
    error = math.hypot(tiny.known.error, p * truth.se_log10 * math.log(10.0))
    assert abs(tiny.known.p - p) < 5.0 * error
    assert sorted(networks().values()) == sorted(wb.catalogue.algzoo_names())


def test_draws_err_as_binomials_do_and_the_weights_less(tiny):
    """A sum of squares of 8 errors over its mean: within (0.1, 4), but for once in 4,000."""
    p = tiny.known.p
    for errors in tiny.curve:
        assert 0.1 < errors.draws**2 / (p * (1.0 - p) / errors.forwards) < 4.0
    last = tiny.curve[-1]
    assert last.weights < math.sqrt(p * (1.0 - p) / last.forwards) / 2.0
    assert "times the compute" in TINY.blocks[0].say(tiny) and REPEATS == 8


def test_noise_bends_the_weights_along_one_line(tiny):
    noises, found = zip(*tiny.bent, strict=True)
    assert noises[0] == 0.0 and noises[-1] == 1.0
    assert found[0] == approx(tiny.known.p, abs=0.01) and found[-1] < found[0]


def test_two_numbers_are_known_exactly():
    session = TinySession(network="algzoo_second_h2_n2", noise=0.3)
    session.settled()
    session.worker.wait(JOB, PATIENCE)
    assert session.known.error == 0.0
    assert all(e.weights == 0.0 and e.draws > 0.0 for e in session.curve)
    assert "exactly" in TINY.blocks[0].say(session)
    session.close()


def test_one_hidden_layer_leaves_next_to_nothing_and_draws_fall(students):
    found = students.standing
    assert set(found.propagated) == {"covariance", "augmented", "cumulant"}
    # What is left to see is the error of the reference, whose mean the floor is.
    assert all(0.0 < fit.excess < 3.0 * found.floor for fit in found.propagated.values())
    first, last = found.drawn[0], found.drawn[-1]
    fall = (first.excess / last.excess) / (last.draws / first.draws)
    assert 0.3 < fall < 10.0
    assert 0.0 < found.least < 1.0 and "exact" in STUDENTS.blocks[0].say(students)


def test_pooled_moments_are_those_of_all_draws():
    d = wb.Gaussian(torch.zeros(8), torch.ones(8))
    joint = beside(*pair(8, 1, wb.Rng(0)))
    parts = [sampled(joint, OUTPUTS, d, 64, wb.Rng(k)) for k in range(3)]
    y = torch.cat([joint(d.push(d.noise(64, wb.Rng(k).generator()))) for k in range(3)])
    torch.testing.assert_close(pooled(parts).mean, y.mean(0))
    torch.testing.assert_close(pooled(parts).cov, torch.cov(y.T, correction=0))


def test_when_draws_get_as_near():
    drawn = (Fit(100, 1.0, 0.4), Fit(200, 2.0, 0.2))
    assert until(drawn, 0.5) == 1.0
    assert until(drawn, 0.3) == approx(1.5)
    assert until(drawn, 0.1) == approx(4.0)

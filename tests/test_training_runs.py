"""Trainings as runs: by name, on the command line, killed and resumed bit for bit."""

from itertools import islice

import pytest
from commands import ask, refuse, workbench
from killing import kill_again_and_again

import workbench as wb
from workbench.cli.train import _record
from workbench.errors import BadInput
from workbench.experiments import Course, Folder, Run, duties, lessons
from workbench.experiments.kinds import lesson
from workbench.iteration import pack
from workbench.training import Duty, Referee, Task, digits
from workbench.training.pointwise import Pointwise
from workbench.training.trainer import Trainer

QUICK = {"steps": 6, "every": 3, "referee": 500}


def course(name="plane", seed=0, **settings):
    return lesson(duties.fresh(name), duties.defender(**{**QUICK, **settings}), seed)


def straight(**settings):
    whole = course(**settings)
    for _ in whole.walk():
        pass
    return whole


def test_everything_that_can_be_trained_has_a_task_and_a_catastrophe():
    assert list(duties.TITLES) == list(duties.DUTIES)
    for name in set(duties.DUTIES) - {"regression"}:  # which has tests of its own
        duty = duties.duty(name)
        duties.defender(**duties.settings_of(name))
        assert duty.task.score(duty.problem.model) > 0.8, name
        assert wb.Moments()(duty.problem).log10_p < -2.0, name
        assert duty.problem.about
    assert duties.duty("D_needle_1e-6").problem.name == "needle"
    assert duties.duty("C_digits_p1_s10").problem.name == "C_digits_p1_s10"
    with pytest.raises(BadInput, match="has no task to train for"):
        duties.duty("A_d10_1e-3")


def test_a_card_is_read_as_it_stands_now(tmp_path):
    digits = wb.load("digits")
    path = str(digits.save(tmp_path))
    assert duties.duty(path).problem.spec.by == digits.spec.by
    digits.vary(spec=digits.spec.shift(1.0)).save(tmp_path)
    assert duties.duty(path).problem.spec.by == digits.spec.by + 1.0
    assert duties.duty("plane") is duties.duty("plane")


def test_a_duty_is_trained_in_a_model_of_its_own():
    one, other = duties.fresh("plane"), duties.fresh("plane")
    one.put(one.theta + 1.0)
    assert not one.theta.equal(other.theta)
    assert other.theta.equal(duties.duty("plane").theta)


def test_a_defender_from_a_few_numbers():
    made = duties.defender("mean", target=-5.0, nats=0.0)
    assert made.adversary is None and [e.name for e in made.ladder] == ["moments", "conditioned"]
    assert duties.defender("conditioned").ladder == ()
    assert duties.defender("score").gradient == "score"
    assert duties.defender(weigh="price").target is None
    assert duties.defender(weigh="task", allow=0.02).allowance == 0.02
    for wrong in (
        {"follow": "luck"},
        {"weigh": "luck"},
        {"nats": -1.0},
        {"target": 3.0},
        {"steps": 0},
    ):
        with pytest.raises(BadInput):
            duties.defender(**wrong)
    assert set(duties.settings_of()) >= {"follow", "target", "nats", "steps"}


@pytest.mark.parametrize("follow", ["mean", "covariance"])
def test_a_training_cut_short_again_and_again_ends_as_the_straight_one(tmp_path, follow):
    whole = straight(follow=follow)
    Run.start(tmp_path / "a", "train", course(follow=follow), every=2).close()
    while True:
        with Run.resume(tmp_path / "a") as run:
            list(islice(run.walk(), 2))
            if run.finished:
                break
    assert pack(run.subject.state) == pack(whole.state)
    rows = Folder.look(tmp_path / "a").rows
    assert [row["steps"] for row in rows] == [0, 1, 2, 3, 4, 5, 6]
    assert [k for k, row in enumerate(rows) if "referee" in row] == [3, 6]
    assert rows[-1]["loss"] == float(whole.state.rows[-1, 1])
    assert rows[-1]["claimed"] == rows[-1]["log10_p"]  # of one model


def test_what_is_told_of_a_training_that_was_stopped_is_of_the_model_that_it_came_to():
    subject = course(follow="covariance")
    (first,) = Run(subject, "train").now()  # before the first step, too
    list(islice(subject.walk(), 2))
    before = pack(subject.state)
    assert [first[k] for k in ("steps", "loss", "score", "log10_p")] == pytest.approx(
        subject.state.rows[0, :4].tolist(), abs=1e-9
    )
    told = _record(subject, interrupted=True)
    assert pack(subject.state) == before  # it goes on as if nobody had looked
    made = lessons.trained(subject)
    assert told["last"]["step"] == 2 and told["last"]["score"] == subject.problem.task.score(
        made.model
    )
    own = subject.iteration.estimator(made, rng=0).log10_p
    assert told["last"]["log10_p"] == pytest.approx(own, abs=1e-9)
    with Run(subject, "train") as run:
        (row,) = run.now()
        assert (row["steps"], row["log10_p"]) == (2, told["last"]["log10_p"])
        run.finish()
        assert [r["steps"] for r in run.rows] == [2, 3, 4, 5, 6] and run.now() == []


def test_train_resume_and_runs_on_the_command_line(tmp_path):
    words = ("train", "plane", "--steps", 3, "--nats", 0, "--target", "-6")
    found = ask(*words, "--run", tmp_path / "a", "--out", tmp_path / "made.zip")
    estimator = lessons.iteration("plane", {"nats": 0.0}).estimator
    now = estimator(wb.load(tmp_path / "made.zip"), rng=0).log10_p  # what is told is what is saved
    assert (found["last"]["step"], found["last"]["log10_p"]) == (3, pytest.approx(now, abs=1e-9))
    assert (found["problem"], found["steps"], found["target"]) == ("plane", 3, -6.0)
    assert found["refereed"]["d0"]["log10_p_referee"] < 0 and found["interrupted"] is False
    assert found["refereed"]["adversary"] is None
    assert ask("resume", tmp_path / "a") == found
    (row,) = ask("runs", tmp_path)["runs"]
    assert (row["kind"], row["standing"], row["steps"]) == ("train", "finished", 3)
    assert "defender by Conditioned on plane" in row["title"]
    table = workbench("resume", tmp_path / "a").stdout
    assert "referee, D0" in table and "1/N" in table and "held-out score" in table
    assert "no task to train for" in refuse("train", "A_d10_1e-3")
    assert "no defender is called" in refuse("train", "plane", "-d", "luck")


def average():
    """Fifty digits against log P of each, in minibatches."""
    whole = digits.duty()
    x, y = whole.task.inputs[:64], whole.task.targets[:64]
    problem = whole.problem.vary(distribution=digits.around(x[y != 0], digits.SIGMA))
    trainer = Trainer(
        Pointwise(lines=2), steps=200, batch=16, estimator=wb.Tangent(lines=2),
        referee=Referee(every=100, budget=500),
    )  # fmt: skip
    return lesson(Duty(problem, Task(x, y, (x, y))), trainer, 0)


def defended():
    """Two classes on a plane."""
    return course(steps=200, every=100, nats=0.0)


@pytest.mark.slow
@pytest.mark.parametrize("make", [defended, average])
def test_twenty_kills_of_trainings_leave_no_trace(tmp_path, make):
    """Of 200 gradient steps, at random moments: the end equals the straight one bit for bit."""
    whole = make()
    for _ in whole.walk():
        pass
    assert isinstance(whole, Course) and whole.state.ticks == 200

    def start(place):
        return Run.start(place, "train", make(), every=10)

    places = kill_again_and_again(start, tmp_path, kills=20, longest=1.0, last=1)
    for place in places:
        with Run.resume(place) as run:
            assert run.finished and pack(run.subject.state) == pack(whole.state)  # NaN and all

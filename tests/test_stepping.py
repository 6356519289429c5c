"""A run under a reader's hand, and where it waits while no page shows it."""

import time
from threading import Event

import pytest

import workbench as wb
from workbench.experiments import Attempt, Folder, Run
from workbench.iteration import equal
from workbench.views import toolbar_words
from workbench.views.harbour import Harbour
from workbench.views.stepping import FILES, JOB, Stepping
from workbench.views.toolbar import Toolbar
from workbench.views.toolbar_widgets import ToolbarWidgets
from workbench.views.worker import Worker

STEPS = 30


def make(seed=0, budget=STEPS * 64):
    problem, method = wb.load("A_d10_1e-3"), wb.MonteCarlo(batch=64)
    return Run(Attempt(problem, method, wb.Budget(budget), seed), "estimate")


def straight(steps):
    """The state after so many steps."""
    run = make()
    for _, _ in zip(range(steps), run.walk(), strict=False):
        pass
    return run.subject.state


@pytest.fixture
def stepping():
    worker = Worker()
    made = Stepping(worker, lambda: make, lambda run: {"seen": run.subject.state.forwards})
    yield made
    worker.close()
    made.close()


def after(stepping, action, *args):
    """What is published once an action is done."""
    action(*args)
    return stepping.worker.wait(JOB)


def test_it_steps_rewinds_and_resets_bit_for_bit(stepping):
    assert stepping.found == {}
    for k in (1, 2, 3):
        found = after(stepping, stepping.step)
        assert (found["steps"], len(found["rows"]), found["back"]) == (k, k, k)
        assert found["seen"] == 64 * k and not found["over"]
    for k in (2, 1, 0, 0):
        found = after(stepping, stepping.rewind)
        assert (found["steps"], len(found["rows"]), found["back"]) == (k, k, k)
        assert equal(stepping.run.subject.state, straight(k))
    after(stepping, stepping.step)
    found = after(stepping, stepping.play)
    assert found["over"] and found["share"] == 1.0 and found["steps"] == STEPS
    assert equal(stepping.run.subject.state, straight(STEPS))
    assert after(stepping, stepping.play)["steps"] == STEPS  # there is no further step
    assert after(stepping, stepping.rewind)["steps"] == STEPS - 1
    assert after(stepping, stepping.play)["over"]
    assert equal(stepping.run.subject.state, straight(STEPS))
    assert after(stepping, stepping.reset)["steps"] == 0


def test_a_press_before_another_run_is_there_is_kept(stepping, tmp_path):
    """Run is pressed while Reset, or Open, is under way: that is done first, then it runs."""
    assert after(stepping, stepping.play)["over"]
    going, made = Event(), []

    def slowly():
        assert going.wait(60.0)
        made.append(make())
        return made[-1]

    stepping._prepare = lambda: slowly
    for press in (stepping.play, stepping.step, stepping.pause):
        going.clear()
        stepping.reset()
        on = toolbar_words.enabled(stepping)
        assert on["Run"] and on["Step"] and "Preparing" in toolbar_words.standing(stepping, {})
        press()
        going.set()
        found = stepping.worker.wait(JOB)
        assert stepping.run is made[-1]
        assert found["steps"] == {"play": STEPS, "step": 1, "pause": 0}[press.__name__]
    stepping.save(tmp_path / "a")
    stepping.worker.wait(FILES)
    after(stepping, stepping.reset)
    stepping.open(tmp_path / "a")
    stepping.step()
    found = stepping.worker.wait(JOB)
    assert (found["steps"], found["folder"]) == (1, str(tmp_path / "a"))
    assert found["opened"] is stepping.run.subject


def test_a_reset_that_fails_leaves_the_run_that_is_there(stepping):
    after(stepping, stepping.step)
    run = stepping.run

    def never():
        raise wb.BadInput("no such setting")

    stepping._prepare = lambda: never
    found = after(stepping, stepping.reset)
    assert (found["state"], found["message"], found["steps"]) == ("error", "no such setting", 1)
    assert after(stepping, stepping.step)["steps"] == 2 and stepping.run is run


def test_a_run_in_which_nothing_was_done_follows_the_controls(stepping, tmp_path):
    """Whatever is pressed while it is being made; one that was stepped, kept or opened stays."""
    going, seed = Event(), 0

    def prepare():
        now = seed

        def slowly():
            assert going.wait(60.0)
            return make(now)

        return slowly

    stepping._prepare = prepare
    stepping.renew()
    assert stepping.found == {}  # nothing was begun
    for press in (stepping.reset, stepping.play, stepping.step, stepping.pause):
        for at in ("the first making", "another one"):
            going.clear()
            if at == "another one":
                stepping.reset()
            press()
            seed += 1
            stepping.renew()
            going.set()
            found = stepping.worker.wait(JOB)
            assert stepping.run.subject.seed == seed, (press.__name__, at)
            assert found["steps"] == {"play": STEPS, "step": 1}.get(press.__name__, 0)
        stepping.run = None
    going.set()
    assert after(stepping, stepping.reset)["steps"] == 0
    seed += 1
    assert after(stepping, stepping.renew)["steps"] == 0  # it was there, and nothing was done
    assert stepping.run.subject.seed == seed
    after(stepping, stepping.step)
    seed += 1
    stepping.renew()
    assert not stepping.running and stepping.run.subject.seed == seed - 1
    after(stepping, stepping.reset)
    stepping.save(tmp_path / "a")
    stepping.worker.wait(FILES)
    after(stepping, stepping.reset)  # lets the folder go
    stepping.open(tmp_path / "a")
    for _ in range(2):  # while it is being opened, and when it is
        seed += 1
        stepping.renew()
        assert stepping.worker.wait(JOB)["opened"] is stepping.run.subject
    assert stepping.run.subject.seed == seed - 2


def test_controls_that_make_no_run_leave_none_of_earlier_ones_to_be_stepped(stepping):
    first = stepping._prepare
    after(stepping, stepping.reset)

    def never():
        raise wb.BadInput("no such setting")

    stepping._prepare = lambda: never
    for act in (stepping.renew, stepping.step, stepping.renew):
        assert after(stepping, act)["message"] == "no such setting"
    stepping._prepare = first
    assert after(stepping, stepping.renew)["steps"] == 0
    assert after(stepping, stepping.step)["steps"] == 1


def test_a_long_past_is_thinned_out(stepping):
    stepping._prepare = lambda: lambda: make(budget=700 * 64)
    found = after(stepping, stepping.play)
    assert found["steps"] == 700 and 192 <= found["back"] <= 256
    steps = [state.steps for state, _, _ in stepping._past]
    assert steps[0] == 0 and steps[-128:] == list(range(573, 701)) and steps == sorted(set(steps))


def test_pause_stops_it_and_play_goes_on(stepping):
    stepping.speed = 200.0
    stepping.play()
    while stepping.found.get("steps", 0) < 3:
        assert stepping.running
        time.sleep(0.005)
    found = after(stepping, stepping.pause)
    assert 3 <= found["steps"] < STEPS and not stepping.running
    stepping.speed = 0.0
    assert after(stepping, stepping.play)["over"]
    assert equal(stepping.run.subject.state, straight(STEPS))


def test_a_press_that_another_took_the_place_of_makes_no_step(stepping):
    late = stepping._stepping(1)  # of which no block had run yet
    assert after(stepping, stepping.step)["steps"] == 1
    assert [told["steps"] for told in late] == [1]
    assert equal(stepping.run.subject.state, straight(1))


def test_speed_holds_it_back_but_not_a_single_step(stepping):
    stepping.speed = 20.0
    begun = time.monotonic()
    for _ in range(5):
        after(stepping, stepping.step)
    assert time.monotonic() - begun < 2.0
    stepping._prepare = lambda: lambda: make(budget=10 * 64)
    after(stepping, stepping.reset)
    begun = time.monotonic()
    assert after(stepping, stepping.play)["steps"] == 10
    assert time.monotonic() - begun >= 9 / 20


def test_a_kept_run_is_opened_again_and_let_go_by_a_rewind(stepping, tmp_path):
    for _ in range(3):
        after(stepping, stepping.step)
    stepping.save(tmp_path / "a")
    assert stepping.worker.wait(FILES)["folder"] == str(tmp_path / "a") == stepping.place
    after(stepping, stepping.step)
    assert Folder.look(tmp_path / "a").mark.steps == 4
    stepping.save(tmp_path / "a")
    found = stepping.worker.wait(FILES)
    assert found["state"] == "error" and "is taken" in found["message"]
    found = after(stepping, stepping.rewind)
    assert found["folder"] == "" and found["steps"] == 3
    assert Folder.look(tmp_path / "a").mark.steps == 4
    found = after(stepping, stepping.open, tmp_path / "a")
    assert (found["steps"], len(found["rows"]), found["back"]) == (4, 4, 0)
    assert after(stepping, stepping.play)["over"]
    assert Folder.look(tmp_path / "a").mark.finished
    found = after(stepping, stepping.open, tmp_path / "b")
    assert found["state"] == "error" and "does not exist" in found["message"]
    assert found["steps"] == STEPS  # what is shown stays


def test_an_error_of_a_step_is_shown_and_the_run_stays(stepping):
    after(stepping, stepping.step)
    stepping.run.subject.walk = lambda: (_ for _ in ()).throw(wb.NotConverged("no answer"))
    found = after(stepping, stepping.play)
    assert (found["state"], found["message"], found["steps"]) == ("error", "no answer", 1)
    del stepping.run.subject.walk
    assert after(stepping, stepping.play)["over"]


class Ship:
    def __init__(self):
        self.sunk = 0

    def close(self):
        self.sunk += 1


def test_a_harbour_keeps_what_pages_come_back_to():
    harbour = Harbour(patience=3600.0, most=2)
    one, first = harbour.enter("", Ship)
    assert harbour.enter(one, Ship) == (one, first)  # a second page on the same
    harbour.leave(one)
    two, second = harbour.enter("mine-2", Ship)
    assert two == "mine-2" and one != two
    harbour.leave(two)
    harbour.enter("../../etc", Ship)
    assert (first.sunk, second.sunk) == (0, 0)  # one page still shows the first
    harbour.enter("", Ship)
    assert (first.sunk, second.sunk) == (0, 1)
    harbour.close()
    assert (first.sunk, second.sunk) == (1, 1)


def test_a_harbour_closes_what_nobody_comes_back_to():
    harbour = Harbour(patience=0.0)
    token, ship = harbour.enter("a", Ship)
    harbour.leave(token)
    time.sleep(0.01)
    harbour.enter("b", Ship)
    assert ship.sunk == 1 and harbour.enter("a", Ship)[1] is not ship
    harbour.close()


# The toolbar, in both faces


@pytest.fixture(params=["panel", "widgets"])
def bar(request, stepping):
    said, guarded = [], lambda action: action()
    face = Toolbar if request.param == "panel" else ToolbarWidgets
    made = face(stepping, guarded, lambda: said.append("follow"))
    made.said = said
    return made


def on(bar):
    bar.paint()
    return {name for name, button in bar.buttons.items() if not button.disabled}


def click(bar, name):
    button = bar.buttons[name]
    if isinstance(bar, Toolbar):
        button.clicks += 1
    else:
        button.click()
    return bar.stepping.worker.wait(JOB)


def test_the_toolbar_offers_what_there_is_to_do(bar):
    assert on(bar) == {"Run", "Step"} and "Not started" in bar.standing.value
    assert click(bar, "Step")["steps"] == 1 and bar.said == ["follow"]
    assert on(bar) == {"Run", "Step", "Rewind", "Reset"}
    assert "step 1" in bar.standing.value and "not saved" in bar.standing.value
    assert click(bar, "Run")["over"]
    assert on(bar) == {"Rewind", "Reset"} and "finished" in bar.standing.value
    assert click(bar, "Rewind")["steps"] == STEPS - 1
    assert click(bar, "Reset")["steps"] == 0
    bar.speed.value = 5.0
    assert bar.stepping.speed == 5.0


def test_the_toolbar_keeps_runs_below_its_own_folder_alone(bar, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    click(bar, "Step")
    bar.name.value = "first"
    bar._files(bar.stepping.save)
    bar.stepping.worker.wait(FILES)
    bar.paint()
    assert "saved in runs/first" in bar.standing.value and (tmp_path / "runs" / "first").is_dir()
    for name in ("", "../x", "a/b", ".hidden"):
        bar.name.value = name
        with pytest.raises(wb.BadInput, match="a run is named by"):
            bar._files(bar.stepping.open)


def test_the_line_says_what_went_wrong_and_what_is_stale(stepping):
    said = toolbar_words.standing(stepping, {"state": "error", "message": "<disk full>"})
    assert "&lt;disk full&gt;" in said
    assert "press Reset" in toolbar_words.standing(stepping, {}, stale=True)
